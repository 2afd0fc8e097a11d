"""What a DAG and its tasks say about running: carried over, or reported."""

from __future__ import annotations

import datetime
import inspect
import json
from collections import Counter
from typing import Any

import pytest
from airflow.timetables.interval import DeltaDataIntervalTimetable
from dag_makers import FUNCTION, IMAGE, ROLE, choice, codes, empty, make_dag, messages, step, steps_of
from jinja2 import Undefined

from sagemaker_provider.operators import (
    SageMakerLambdaStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
)
from sagemaker_provider.translator import Conversion, convert, settings
from sagemaker_provider.translator.settings import dag_findings

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


def test_descriptions_and_tags_have_the_characters_that_the_api_takes() -> None:
    made = of_dag(doc_md="# Churn\n\nof customers\n", tags=["a&b", "a|b", "team: ml"]).pipeline
    assert made["PipelineDescription"] == "# Churn of customers"
    assert [tag["Key"] for tag in made["Tags"]] == ["airflow:dag_id", "airflow:tag:a_b", "airflow:tag:team: ml"]


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
        ({"on_failure_callback": nothing}, [("SMP679", "on_failure_callback")]),
        ({"on_success_callback": nothing}, [("SMP679", "on_success_callback")]),
        ({"dagrun_timeout": MINUTE}, [("SMP610", "dagrun_timeout")]),
        ({"max_active_runs": 1}, [("SMP612", "max_active_runs")]),
        ({"max_consecutive_failed_dag_runs": 3}, [("SMP612", "max_consecutive_failed_dag_runs")]),
        ({"template_searchpath": "/dags/sql"}, [("SMP633", "template_searchpath")]),
        ({"template_undefined": Undefined}, [("SMP633", "template_undefined")]),
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
        ({"on_failure_callback": nothing}, "SMP679", "on_failure_callback"),
        ({"on_retry_callback": nothing}, "SMP679", "on_retry_callback"),
        ({"on_execute_callback": nothing}, "SMP679", "on_execute_callback"),
        ({"on_success_callback": nothing}, "SMP679", "on_success_callback"),
        ({"on_skipped_callback": nothing}, "SMP679", "on_skipped_callback"),
        ({"depends_on_past": True}, "SMP612", "depends_on_past"),
        ({"max_active_tis_per_dagrun": 1}, "SMP612", "max_active_tis_per_dagrun"),
        ({"pool_slots": 2}, "SMP615", "pool_slots"),
        ({"weight_rule": "upstream"}, "SMP615", "weight_rule"),
        ({"executor": "KubernetesExecutor"}, "SMP615", "executor"),
        ({"executor_config": {"pod": 1}}, "SMP615", "executor_config"),
        ({"run_as_user": "ml"}, "SMP615", "run_as_user"),
        ({"resources": {"cpus": 2}}, "SMP615", "resources"),
        ({"max_active_tis_per_dag": 1}, "SMP612", "max_active_tis_per_dag"),
        ({"email": "me@example.com"}, "SMP679", "email"),
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
    assert ("SMP679", "done", "on_success_callback") in [
        (item.code, item.task, item.place) for item in convert(dag).findings
    ]


def test_the_stop_at_the_first_failure_is_reported() -> None:
    from airflow.providers.common.compat.sdk import DAG

    name = next(name for name in ("fail_fast", "fail_stop") if name in inspect.signature(DAG.__init__).parameters)
    assert [item.place for item in of_dag(**{name: True}).findings] == [name]


# Every argument has a place

CLASSES = ("DAG", "BaseOperator")


def arguments(name: str) -> set[str]:
    from airflow.providers.common.compat import sdk

    found = set(inspect.signature(getattr(sdk, name).__init__).parameters)
    return (found | set(inspect.signature(getattr(sdk, name)).parameters)) - {"self", "args"}


def listed() -> list[str]:
    tables = (settings.ELSEWHERE, settings.NO_EFFECT)
    one_by_one = [name for table in tables for names in table.values() for name in names]
    return [*one_by_one, *settings.DAG_ARGUMENTS, *settings.TASK_ARGUMENTS, *settings.STEP_ARGUMENTS]


@pytest.mark.parametrize("name", CLASSES)
def test_every_argument_is_looked_at_or_said_to_change_nothing(name: str) -> None:
    assert arguments(name) - set(listed()) == set()


def test_no_argument_is_listed_twice() -> None:
    doubles = [name for name, count in Counter(listed()).items() if count > 1]
    both = ["on_success_callback", "on_failure_callback", "render_template_as_native_obj"]
    assert doubles == both, "of the DAG, and of a task"


def set_value(name: str) -> Any:
    """A value of an argument that means something."""
    special = {"weight_rule": "upstream", "inlets": [asset()], "outlets": [asset()], "resources": {"cpus": 2}}
    numbers = ("pool_slots", "priority_weight", "max_active_tis_per_dag", "max_active_tis_per_dagrun")
    return special.get(name, 3 if name in numbers else nothing if name.endswith("callback") else "other")


def asset() -> Any:
    try:
        from airflow.sdk import Asset

        return Asset("s3://bucket/rows")
    except ImportError:
        from airflow.datasets import Dataset

        return Dataset("s3://bucket/rows")


@pytest.mark.parametrize("name", [*settings.TASK_ARGUMENTS, *settings.STEP_ARGUMENTS])
def test_every_argument_of_a_task_in_the_tables_is_reported_where_it_is_set(name: str) -> None:
    with make_dag() as dag:
        task = step("work")
    known = {**settings.TASK_ARGUMENTS, **settings.STEP_ARGUMENTS}
    object.__setattr__(task, name, set_value(name))
    assert (known[name].code, name) in [(item.code, item.place) for item in convert(dag).findings]


@pytest.mark.parametrize("name", settings.DAG_ARGUMENTS)
def test_every_argument_of_a_dag_in_the_table_is_reported_where_it_is_set(name: str) -> None:
    if name not in arguments("DAG"):
        pytest.skip("this Airflow has no such argument")
    with make_dag() as dag:
        step("work")
    object.__setattr__(dag, name, {"autoescape": True} if name.endswith("kwargs") else MINUTE)
    assert (settings.DAG_ARGUMENTS[name].code, name) in [(item.code, item.place) for item in dag_findings(dag)]


def test_a_finding_about_a_callback_shows_the_pattern_of_the_event() -> None:
    (message,) = messages(of_dag(dag_id="churn_v2", on_failure_callback=nothing), "SMP679")
    pattern = json.loads(message[message.index("{") :])
    assert pattern["detail"]["currentPipelineExecutionStatus"] == ["Failed"]
    assert pattern["detail"]["pipelineArn"] == [{"suffix": {"equals-ignore-case": ":pipeline/churn-v2"}}]


def test_the_arguments_of_a_mapped_task_are_looked_at() -> None:
    options = {"retries": 2, "email": "me@example.com", "pre_execute": nothing, "on_skipped_callback": nothing}
    with make_dag() as dag:
        SageMakerLambdaStepOperator.partial(
            task_id="work", function_arn=FUNCTION, aws_conn_id="other", **options
        ).expand(config=[{"a": 1}, {"a": 2}])
    found = {item.place: item.code for item in convert(dag).findings}
    expected = {"email": "SMP679", "pre_execute": "SMP202", "on_skipped_callback": "SMP679"}
    assert found.items() >= expected.items()


def test_what_a_python_task_follows_itself_is_no_difference() -> None:
    from airflow.providers.common.compat.sdk import task

    with make_dag() as dag:

        @task(retries=2, executor_config={"sagemaker": {"image": IMAGE}})
        def work() -> int:
            return 1

        work()
    assert not {"SMP601", "SMP615"} & set(codes(convert(dag), task="work"))


def test_a_message_that_is_never_sent_is_no_finding() -> None:
    assert codes(of_task(email="me@example.com", email_on_failure=False, email_on_retry=False)) == []


def test_an_address_and_the_settings_of_an_executor_are_not_shown() -> None:
    conversion = of_task(email="me@example.com", executor_config={"password": "x-y-z"})
    assert not [item for item in conversion.findings if "me@" in item.message or "x-y-z" in item.message]


def test_the_finding_about_retries_tells_how_they_would_wait() -> None:
    options = {"retries": 3, "retry_delay": MINUTE, "retry_exponential_backoff": True, "max_retry_delay": 60 * MINUTE}
    expected = ["retries=3, retry_delay=0:01:00, retry_exponential_backoff, max_retry_delay"]
    assert messages(of_task(**options), "SMP601") == expected


@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_a_task_with_dates_of_its_own_is_reported(name: str) -> None:
    with make_dag() as dag:
        step("one") >> step("two", **{name: END})
    assert [(item.code, item.task, item.place) for item in convert(dag).findings] == [("SMP612", "two", name)]


def test_dates_that_all_tasks_share_are_those_of_the_dag() -> None:
    with make_dag(default_args={"start_date": END, "end_date": END + MINUTE}) as dag:
        step("one") >> step("two")
    assert codes(convert(dag)) == []


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
    assert [item.code for item in findings] == ["SMP310", "SMP679"]
    assert {item.dag for item in findings} == {"nightly"}
