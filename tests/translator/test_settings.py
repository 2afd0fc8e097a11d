"""What a DAG and its tasks say about running: carried over, or reported."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from airflow.timetables.interval import DeltaDataIntervalTimetable
from dag_makers import IMAGE, ROLE, choice, codes, empty, make_dag, messages, step, steps_of

from sagemaker_provider.operators import SageMakerModelStepOperator, SageMakerProcessingStepOperator
from sagemaker_provider.translator import Conversion, convert

CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
PROCESSING = {
    "AppSpecification": {"ImageUri": IMAGE},
    "ProcessingResources": {"ClusterConfig": CLUSTER},
    "RoleArn": ROLE,
}
END = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)
MINUTE = datetime.timedelta(minutes=1)


def nothing(*_: Any) -> None:
    """A callback."""


def of_dag(**options: Any) -> Conversion:
    with make_dag(**options) as dag:
        step("work")
    return convert(dag)


def of_task(**options: Any) -> Conversion:
    with make_dag() as dag:
        step("work", **options)
    return convert(dag)


def processing(limit: dict[str, Any] | None = None, **options: Any) -> Conversion:
    config = {**PROCESSING, **({"StoppingCondition": limit} if limit else {})}
    with make_dag() as dag:
        SageMakerProcessingStepOperator(task_id="work", config=config, **options)
    return convert(dag)


def test_a_plain_dag_has_no_finding_and_only_a_name_and_a_tag() -> None:
    conversion = of_dag()
    assert conversion.findings == []
    assert conversion.pipeline == {"PipelineName": "work", "Tags": [{"Key": "airflow:dag_id", "Value": "work"}]}


def test_name_description_and_tags_become_those_of_the_pipeline() -> None:
    conversion = of_dag(dag_id="churn_model.v2", description="Monthly churn", doc_md="# Longer", tags=["ml", "churn"])
    assert conversion.pipeline == {
        "PipelineName": "churn-model-v2",
        "PipelineDescription": "Monthly churn",
        "Tags": [
            {"Key": "airflow:dag_id", "Value": "churn_model.v2"},
            {"Key": "airflow:tag:churn", "Value": ""},
            {"Key": "airflow:tag:ml", "Value": ""},
        ],
    }
    assert messages(conversion, "SMP701") == ["the pipeline is called 'churn-model-v2'"]


def test_the_documentation_stands_in_for_a_missing_description_within_the_limit() -> None:
    assert of_dag(doc_md="x" * 4000).pipeline["PipelineDescription"] == "x" * 3072


def test_max_active_tasks_becomes_the_parallelism_where_it_was_set() -> None:
    assert of_dag(max_active_tasks=3).pipeline["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    assert "ParallelismConfiguration" not in of_dag().pipeline


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"schedule": "@daily", "catchup": False}, [("SMP611", "schedule")]),
        ({"schedule": "@daily", "catchup": True}, [("SMP611", "schedule"), ("SMP612", "catchup")]),
        ({"schedule": DeltaDataIntervalTimetable(MINUTE), "catchup": False}, [("SMP611", "schedule")]),
        ({"catchup": True}, []),
        ({"on_failure_callback": nothing}, [("SMP612", "on_failure_callback")]),
        ({"on_success_callback": nothing}, [("SMP612", "on_success_callback")]),
        ({"dagrun_timeout": MINUTE}, [("SMP610", "dagrun_timeout")]),
        ({"max_active_runs": 1}, [("SMP612", "max_active_runs")]),
        ({"schedule": "@daily", "catchup": False, "end_date": END}, [("SMP611", "schedule")]),
    ],
)
def test_settings_of_the_dag_that_a_definition_does_not_carry(options: dict[str, Any], expected: list[Any]) -> None:
    options = {"start_date": datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), **options}
    assert [(item.code, item.place) for item in of_dag(**options).findings] == expected


@pytest.mark.parametrize(
    ("options", "code", "place"),
    [
        ({"retries": 2}, "SMP601", "retries"),
        ({"pool": "gpu"}, "SMP615", "pool"),
        ({"priority_weight": 5}, "SMP615", "priority_weight"),
        ({"queue": "big"}, "SMP615", "queue"),
        ({"on_failure_callback": nothing}, "SMP612", "on_failure_callback"),
        ({"on_retry_callback": nothing}, "SMP612", "on_retry_callback"),
        ({"on_execute_callback": nothing}, "SMP612", "on_execute_callback"),
        ({"depends_on_past": True}, "SMP612", "depends_on_past"),
        ({"max_active_tis_per_dag": 1}, "SMP612", "max_active_tis_per_dag"),
        ({"email": "me@example.com"}, "SMP612", "email"),
        ({"pre_execute": nothing}, "SMP202", "pre_execute"),
        ({"post_execute": nothing}, "SMP202", "post_execute"),
        ({"aws_conn_id": "other_account"}, "SMP616", "aws_conn_id"),
        ({"region_name": "eu-west-1"}, "SMP616", "region_name"),
        ({"execution_timeout": MINUTE}, "SMP610", "execution_timeout"),
    ],
)
def test_settings_of_a_task_that_its_step_does_not_carry(options: dict[str, Any], code: str, place: str) -> None:
    assert [(item.code, item.task, item.place) for item in of_task(**options).findings] == [(code, "work", place)]


def test_a_schedule_of_ones_own_is_named_without_its_address() -> None:
    from airflow.timetables.simple import ContinuousTimetable

    class Sometimes(ContinuousTimetable):
        __str__ = object.__repr__
        __repr__ = object.__repr__

    options = {"schedule": Sometimes(), "catchup": False, "start_date": END, "max_active_runs": 1}
    (message,) = messages(of_dag(**options), "SMP670")
    assert " at 0x" not in message


def test_what_an_empty_task_announces_is_reported() -> None:
    with make_dag() as dag:
        step("work") >> empty("done", on_success_callback=nothing)
    assert ("SMP612", "done", "on_success_callback") in [
        (item.code, item.task, item.place) for item in convert(dag).findings
    ]


def test_the_stop_at_the_first_failure_is_reported() -> None:
    import inspect

    from airflow.providers.common.compat.sdk import DAG

    name = next(name for name in ("fail_fast", "fail_stop") if name in inspect.signature(DAG.__init__).parameters)
    assert [item.place for item in of_dag(**{name: True}).findings] == [name]


def test_retries_of_a_condition_are_no_difference() -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", "work", retries=3) >> step("work")
    assert codes(convert(dag)) == []


def test_a_timeout_becomes_the_longest_run_time_of_a_job() -> None:
    conversion = processing(execution_timeout=MINUTE)
    assert steps_of(conversion)["work"]["Arguments"]["StoppingCondition"] == {"MaxRuntimeInSeconds": 60}
    assert codes(conversion) == ["SMP610"]


def test_the_limit_of_the_job_itself_comes_first() -> None:
    conversion = processing({"MaxRuntimeInSeconds": 7}, execution_timeout=MINUTE)
    assert steps_of(conversion)["work"]["Arguments"]["StoppingCondition"] == {"MaxRuntimeInSeconds": 7}
    assert "is kept" in messages(conversion, "SMP610")[0]


def test_a_timeout_of_a_step_without_a_limit_is_reported() -> None:
    config = {"PrimaryContainer": {"Image": IMAGE}, "ExecutionRoleArn": ROLE}
    with make_dag() as dag:
        SageMakerModelStepOperator(task_id="work", config=config, execution_timeout=MINUTE)
    conversion = convert(dag)
    assert steps_of(conversion)["work"]["Arguments"] == config
    assert messages(conversion, "SMP610") == ["a Model step has no limit for execution_timeout=60 s"]


def test_findings_say_the_dag_and_come_errors_first() -> None:
    with make_dag(dag_id="nightly", on_failure_callback=nothing) as dag:
        step("work", config={"v": "{{ conn.x }}"})
    findings = convert(dag).findings
    assert [item.code for item in findings] == ["SMP301", "SMP612"]
    assert {item.dag for item in findings} == {"nightly"}
