"""The life of a step, call by call."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, AirflowTaskTimeout, TaskDeferred, timeout
from contexts import context
from fake_aws import ServiceError

from sagemaker_provider.operators import (
    SageMakerLambdaStepOperator,
    SageMakerModelStepOperator,
    SageMakerTrainingStepOperator,
)
from sagemaker_provider.operators.names import execution_id, job_name, pipeline_name

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"


def operator(**options: Any) -> SageMakerTrainingStepOperator:
    """A training step operator."""
    config = {
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": "1", "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": "30"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    options = {
        "task_id": "train",
        "config": config,
        "deferrable": False,
        "poll_interval": 0.01,
        "aws_conn_id": None,
        **options,
    }
    return SageMakerTrainingStepOperator(**options)


def test_a_second_run_takes_up_the_job(aws: Any) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"] * 3 + ["Completed"]
    first = operator().start(context())
    result = operator().execute(context())
    assert result["TrainingJobName"] == first["TrainingJobName"]
    assert aws.sagemaker.calls["CreateTrainingJob"] == 1


def test_a_job_created_between_look_and_create_is_taken_up(aws: Any) -> None:
    operator().start(context())
    aws.sagemaker.errors["DescribeTrainingJob"] = [ServiceError("ValidationException", "Could not find job")]
    assert operator().execute(context())["TrainingJobStatus"] == "Completed"
    assert aws.sagemaker.calls["CreateTrainingJob"] == 2
    assert len(aws.sagemaker.items["CreateTrainingJob"]) == 1


@pytest.mark.parametrize(
    "other",
    [context(max_tries=2), context(run_id="other"), context(task_id="other"), context(map_index=1)],
    ids=["generation", "run", "task", "map index"],
)
def test_every_generation_of_every_task_instance_has_jobs_of_its_own(other: Any) -> None:
    assert job_name(other, "train", 63) != job_name(context(), "train", 63)


@pytest.mark.parametrize("length", [32, 63])
@pytest.mark.parametrize("prefix", ["train", "a.very_long task id " * 5, "-", ""])
def test_job_names_fit_the_api(prefix: str, length: int) -> None:
    import re

    name = job_name(context(), prefix, length)
    assert len(name) <= length
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", name)


def test_the_execution_id_is_that_of_the_run() -> None:
    assert execution_id(context()) == execution_id(context(task_id="other", try_number=3))
    assert execution_id(context()) != execution_id(context(run_id="other"))


@pytest.mark.parametrize(
    ("dag_id", "name"), [("churn", "churn"), ("churn_daily.v2", "churn-daily-v2"), ("_x_", "x"), ("__", "pipeline")]
)
def test_pipeline_names(dag_id: str, name: str) -> None:
    assert pipeline_name(dag_id) == name


def kill(task: Any, state: str | None, **tries: int) -> None:
    """Kill a task whose job runs, while Airflow has a state for it."""
    values = context(**tries)
    values["ti"].current_state = lambda: state
    task.running, task._context = task.start(values), values
    task.on_kill()


@pytest.mark.parametrize("state", [None, "failed", "success", "skipped", "restarting"])
def test_on_kill_stops_the_running_job(aws: Any, state: str | None) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"]
    task = operator()
    kill(task, state, max_tries=1)
    assert aws.sagemaker.calls["StopTrainingJob"] == 1
    assert task.hook.describe(task.resource, task.running)["TrainingJobStatus"] == "Stopping"


@pytest.mark.parametrize("state", ["running", "up_for_retry"])
def test_a_worker_that_goes_away_leaves_the_job_to_the_next_try(aws: Any, state: str) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"]
    kill(operator(), state, max_tries=1)
    assert "StopTrainingJob" not in aws.sagemaker.calls


def test_a_worker_that_goes_away_with_the_last_try_stops_the_job(aws: Any) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"]
    kill(operator(), "running", max_tries=0)
    assert aws.sagemaker.calls["StopTrainingJob"] == 1


def test_a_timeout_stops_the_job(aws: Any) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"]
    try:
        with timeout(0.2):
            time.sleep(5)
    except AirflowTaskTimeout:  # as Airflow does it
        kill(operator(), "running", max_tries=1)
    assert aws.sagemaker.calls["StopTrainingJob"] == 1


def test_a_kill_stops_the_job_when_airflow_cannot_be_asked(aws: Any) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"]
    task, values = operator(), context(max_tries=1)
    values["ti"].current_state = lambda: 1 / 0
    task.running, task._context = task.start(values), values
    task.on_kill()
    assert aws.sagemaker.calls["StopTrainingJob"] == 1


def test_a_kill_leaves_a_job_that_is_to_be_left(aws: Any) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"]
    kill(operator(on_interrupt="leave"), "failed", max_tries=1)
    assert "StopTrainingJob" not in aws.sagemaker.calls


def test_on_kill_without_a_job_does_nothing(aws: Any) -> None:
    operator().on_kill()
    assert not aws.sagemaker.calls


def test_a_killed_task_creates_nothing_more(aws: Any) -> None:
    task = operator()
    task.on_kill()
    with pytest.raises(AirflowException, match="train was killed"):
        task.execute(context())
    assert "CreateTrainingJob" not in aws.sagemaker.calls


def test_a_kill_during_the_create_call_stops_the_job(aws: Any, mocker: Any) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"]
    task = operator()
    create = task.create
    mocker.patch.object(task, "create", side_effect=lambda *args: (task.on_kill(), create(*args))[1])
    values = context()
    values["ti"].current_state = lambda: "failed"
    with pytest.raises(AirflowException, match="ended as Stopped"):
        task.execute(values)
    assert aws.sagemaker.calls["StopTrainingJob"] == 1


def test_every_untypable_text_is_named_with_its_place() -> None:
    task = operator()
    task.config["ResourceConfig"] = {"InstanceCount": "many", "VolumeSizeInGB": "big"}
    task.config["EnableNetworkIsolation"] = "perhaps"
    with pytest.raises(AirflowException) as error:
        task.request(context())
    assert str(error.value) == (
        "train: config.ResourceConfig.InstanceCount: 'many' is not an Integer; "
        "ResourceConfig.VolumeSizeInGB: 'big' is not an Integer; EnableNetworkIsolation: 'perhaps' is not a Boolean"
    )


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{ params.count }}", 2),
        ("{{ params.text }}", "5"),
        ("{{ params.flag }}", True),
        ("{{ params.count + 1 }}", 3),
        ("n={{ params.count }}", "n=2"),
        ("{{- params.count }}", "2"),
        ("{{ params.count -}}", "2"),
        ("{{ params.count }}{# a comment #}", "2"),
        ("{{ params.count }}\n", "2"),
        ("{{ logical_date }}", "2026-01-31 00:00:00+00:00"),
        (" {{ params.count }}", " 2"),
        ("{{ params.count }}{{ params.count }}", "22"),
        ("{% if params.flag %}yes{% endif %}", "yes"),
        ("plain", "plain"),
    ],
)
def test_one_expression_keeps_its_type(text: str, rendered: Any) -> None:
    with DAG("d"):
        task = operator(config={"x": [text]})
    values = {
        "params": {"count": 2, "text": "5", "flag": True},
        "logical_date": datetime(2026, 1, 31, tzinfo=timezone.utc),
    }
    assert task.render_template(task.config, values) == {"x": [rendered]}


def test_the_console_page_is_linked(aws: Any) -> None:
    values = context("m")
    SageMakerModelStepOperator(task_id="m", config={"ExecutionRoleArn": ROLE}, aws_conn_id=None).execute(values)
    url = values["ti"].pushed["sagemaker_console_url"]
    assert url.startswith("https://us-west-2.console.aws.amazon.com/sagemaker/home?region=us-west-2#/models/m-")


def test_a_lambda_function_is_invoked_once_even_if_it_fails(aws: Any, mocker: Any) -> None:
    task = SageMakerLambdaStepOperator(task_id="f", function_arn="work", aws_conn_id=None)
    client = mocker.Mock()
    client.invoke.return_value = {
        "FunctionError": "Unhandled",
        "Payload": SimpleNamespace(read=lambda: b'{"errorMessage": "boom"}'),
    }
    hook = SimpleNamespace(conn=client, conn_region_name="us-west-2", conn_partition="aws")
    mocker.patch.object(SageMakerLambdaStepOperator, "aws_hook", return_value=hook)
    with pytest.raises(AirflowException, match="boom"):
        task.execute(context("f"))
    assert client.invoke.call_count == 1


def test_what_is_undefined_is_an_error_as_in_airflow() -> None:
    import jinja2

    with DAG("d"):
        task = operator(config={"x": "{{ nothing }}"})
    with pytest.raises(jinja2.UndefinedError, match="'nothing' is undefined"):
        task.render_template(task.config, {})


def test_a_task_that_goes_on_without_the_event_takes_up_its_job(local_sagemaker: Any) -> None:
    from sagemaker_provider.operators import SageMakerModelStepOperator

    config = {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/Work", "PrimaryContainer": {"Image": "image"}}
    task = SageMakerModelStepOperator(task_id="m", config=config, aws_conn_id=None)
    first = task.start(context("m"))
    assert task.resume(context("m"))["ModelName"] == first["ModelName"]
    assert [call.operation for call in local_sagemaker.calls].count("CreateModel") == 1


@pytest.mark.parametrize(("poll_interval", "leaves"), [(100, True), (40, False)])
def test_long_pauses_are_spent_in_the_triggerer(
    local_sagemaker: Any, mocker: Any, poll_interval: float, leaves: bool
) -> None:
    from sagemaker_provider.operators import SageMakerModelStepOperator

    config = {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/Work", "PrimaryContainer": {"Image": "image"}}
    task = SageMakerModelStepOperator(task_id="m", config=config, aws_conn_id=None, poll_interval=poll_interval)
    slept = mocker.patch("sagemaker_provider.operators.base.time.sleep")
    local_sagemaker.faults.add("throttling", operation="CreateModel", times=3)
    if leaves:
        with pytest.raises(TaskDeferred) as deferral:
            task.execute(context("m"))
        assert deferral.value.method_name == "again"
        assert 75 <= deferral.value.kwargs["waited"] <= 125
        again = SageMakerModelStepOperator(task_id="m", config=config, aws_conn_id=None, poll_interval=poll_interval)
        assert again.again(context("m"), **deferral.value.kwargs)["ModelName"].startswith("m-")
    else:
        assert task.execute(context("m"))["ModelName"].startswith("m-")
        assert any(30 <= call.args[0] <= 50 for call in slept.call_args_list)
