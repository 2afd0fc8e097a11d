"""Patterns of events that stand in for callbacks and for sensors at the start of a DAG."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from dag_makers import make_dag

from sagemaker_provider.definition.findings import Finding
from sagemaker_provider.translator.events import execution_ended, shown, start_trigger


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
    assert (found.code, found.task) == ("SMP203", "wait")
