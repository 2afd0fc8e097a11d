"""Patterns of events that stand in for callbacks and for sensors at the start of a DAG."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from dag_makers import codes, empty, make_dag, step, steps_of

from sagemaker_provider.definition.findings import Finding
from sagemaker_provider.translator import Conversion, Settings, convert
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.events import execution_ended, object_created, rule_template, shown, start_trigger


def trigger(key: Any, **options: Any) -> tuple[Any, list[Finding]]:
    with make_dag():
        return start_trigger(S3KeySensor(task_id="wait", bucket_key=key, **options))


def key_of(pattern: Any) -> Any:
    assert pattern["detail"]["bucket"] == {"name": ["rows"]}
    (key,) = pattern["detail"]["object"]["key"]
    return key


def test_the_event_of_an_execution_names_the_pipeline_however_its_arn_is_written() -> None:
    assert execution_ended("churn_daily", "Failed") == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"],
        "detail": {
            "currentPipelineExecutionStatus": ["Failed"],
            "pipelineArn": [{"suffix": {"equals-ignore-case": ":pipeline/churn-daily"}}],
        },
    }


@pytest.mark.parametrize(
    ("key", "options", "expected"),
    [
        ("s3://rows/new/_SUCCESS", {}, "new/_SUCCESS"),
        ("new/_SUCCESS", {"bucket_name": "rows"}, "new/_SUCCESS"),
        (["s3://rows/new/_SUCCESS"], {}, "new/_SUCCESS"),
        ("s3://rows/new/*.csv", {"wildcard_match": True}, {"wildcard": "new/*.csv"}),
        ("s3://rows/dt={{ ds }}/_SUCCESS", {}, {"wildcard": "dt=*/_SUCCESS"}),
        ("s3://rows/{{ ds }}{{ params.x }}*.csv", {"wildcard_match": True}, {"wildcard": "*.csv"}),
    ],
)
def test_a_sensor_becomes_the_event_of_its_object(key: Any, options: dict[str, Any], expected: Any) -> None:
    pattern, (found,) = trigger(key, **options)
    assert key_of(pattern) == expected
    assert (found.code, found.task) == ("SMP678", "wait")
    assert shown(pattern) in found.message


def test_a_key_of_the_runs_own_date_is_said_to_be_wider() -> None:
    assert "of the run's own values" in trigger("s3://rows/{{ ds }}")[1][0].message
    assert "own values" not in trigger("s3://rows/new")[1][0].message


@pytest.mark.parametrize(
    ("key", "options"),
    [
        (["s3://rows/a", "s3://rows/b"], {}),
        ("s3://rows/a", {"check_fn": lambda files: True}),
        ("s3://rows/a.*", {"use_regex": True}),
        ("s3://{{ params.bucket }}/a", {}),
        ("a", {"bucket_name": "{{ params.bucket }}"}),
        ("s3://rows/a*", {}),
        ("s3://rows/a?", {"wildcard_match": True}),
        ("s3://rows/{% if params.x %}a{% endif %}", {}),
        ("no-bucket", {}),
    ],
)
def test_a_sensor_that_no_pattern_means_is_refused(key: Any, options: dict[str, Any]) -> None:
    pattern, (found,) = trigger(key, **options)
    assert pattern is None
    assert (found.code, found.task) == ("SMP690", "wait")


def converted(key: str = "s3://rows/new", more: Any = None, s3_start: str = "event", **dag_options: Any) -> Conversion:
    with make_dag("churn_daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), **dag_options) as dag:
        S3KeySensor(task_id="wait", bucket_key=key) >> step("work", config={"day": "{{ ds }}"})
        if more:
            step("aside")
    defaults = {"s3_start": s3_start, "account": "111122223333", "region": "eu-west-1"}
    return convert(dag, Settings(defaults=Defaults(defaults)))  # type: ignore[no-any-return]


def test_the_event_takes_the_place_of_the_sensor_and_of_the_schedule() -> None:
    conversion = converted(schedule="@daily")
    assert list(steps_of(conversion)) == ["work"]
    assert conversion.schedules == []
    assert {"SMP678", "SMP691", "SMP692"} <= set(codes(conversion))
    assert list(conversion.assets) == ["events/start.yaml"]
    template = yaml.load(conversion.assets["events/start.yaml"], _Tags)
    rule = template["Resources"]["Rule"]["Properties"]
    assert rule["EventPattern"] == object_created("rows", "new")
    assert rule["Targets"] == [{"Id": "pipeline", "Arn": "Pipeline", "RoleArn": "Role.Arn"}]


class _Tags(yaml.SafeLoader):
    """Reads what ``!Ref`` and ``!GetAtt`` name."""


for tag in ("!Ref", "!GetAtt"):
    _Tags.add_constructor(tag, lambda loader, node: loader.construct_scalar(node))


def test_what_does_nothing_may_stand_before_the_sensor() -> None:
    with make_dag() as dag:
        empty("begin") >> S3KeySensor(task_id="wait", bucket_key="s3://rows/new") >> step("work")
    conversion = convert(dag, Settings(defaults=Defaults({"s3_start": "event"})))
    assert list(steps_of(conversion)) == ["work"]
    assert "SMP678" in codes(conversion)


def test_without_a_schedule_none_is_left_out() -> None:
    assert "SMP691" not in codes(converted())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"s3_start": "wait"}, {"SMP722"}),
        ({"key": "s3://rows/a?*"}, {"SMP690", "SMP722"}),
        ({"more": True}, set()),
    ],
)
def test_otherwise_a_step_waits(options: dict[str, Any], expected: set[str]) -> None:
    conversion = converted(schedule="@daily", **options)
    assert "wait" in steps_of(conversion)
    assert expected == {"SMP678", "SMP690", "SMP691", "SMP692", "SMP722"} & set(codes(conversion))
    assert conversion.schedules
    assert "events/start.yaml" not in conversion.assets


def test_the_template_passes_cfn_lint(tmp_path: Path) -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    if not lint.exists():
        pytest.skip("cfn-lint is not installed")
    (tmp_path / "start.yaml").write_text(rule_template("churn_daily", object_created("rows", "new*", wildcards=True)))
    found = subprocess.run([lint, tmp_path / "start.yaml"], check=False, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
