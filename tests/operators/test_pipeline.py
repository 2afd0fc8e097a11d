"""The operators of pipelines, on a local SageMaker; in real Airflow too."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, TaskDeferred
from contexts import Store, context
from pipelines_client import ROLE, Pipelines, definition, parameter, processing

from sagemaker_provider import operators
from sagemaker_provider.hooks.pipeline import PipelineError, SageMakerPipelineHook
from sagemaker_provider.hooks.step import SageMakerStepError
from sagemaker_provider.operators import (
    SageMakerPipelineDeleteOperator,
    SageMakerPipelineDeployOperator,
    SageMakerPipelineResumeOperator,
    SageMakerPipelineScheduleOperator,
    SageMakerPipelineStartOperator,
    SageMakerPipelineStopOperator,
)
from sagemaker_provider.operators.pipeline import ExecutionOperator, PipelineOperator
from sagemaker_provider.translator import convert

PLAIN = definition(processing("a"), processing("b", "a"), parameters=[parameter("day", default="x")])
AWS: dict[str, Any] = {"aws_conn_id": None, "task_id": "task"}


@cache
def hook_of(url: str) -> SageMakerPipelineHook:
    return SageMakerPipelineHook(aws_conn_id=None)


@pytest.fixture
def pipelines(local_sagemaker: Any, monkeypatch: pytest.MonkeyPatch) -> Pipelines:
    """Pipelines, and one hook for all operators, as making a client takes half a second."""
    hook = hook_of(local_sagemaker.url)
    monkeypatch.setattr(PipelineOperator, "pipeline_hook", lambda task: hook)
    monkeypatch.setattr(ExecutionOperator, "pipeline_hook", lambda task: hook)
    return Pipelines(local_sagemaker)


@pytest.fixture
def made(pipelines: Pipelines) -> Pipelines:
    pipelines.create(PLAIN)
    return pipelines


def start(**options: Any) -> SageMakerPipelineStartOperator:
    return SageMakerPipelineStartOperator(
        **{**AWS, "pipeline_name": "p", "deferrable": False, "poll_interval": 0.05, **options}
    )


def executions(pipelines: Pipelines) -> list[Any]:
    return list(pipelines.sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"])


# Deploy


def deploy(folder: Path, **options: Any) -> SageMakerPipelineDeployOperator:
    with DAG("deploys", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        task = SageMakerPipelineDeployOperator(**{**AWS, **options})
    dag.fileloc = str(folder / "dag.py")
    return task


def test_a_file_is_deployed_with_what_lies_beside_it(pipelines: Pipelines, tmp_path: Path) -> None:
    (tmp_path / "p.pipeline.json").write_text(PLAIN)
    request = {"PipelineName": "p", "RoleArn": ROLE, "Tags": [{"Key": "airflow:dag_id", "Value": "p_dag"}]}
    (tmp_path / "p.deploy.json").write_text(json.dumps({"pipeline": request}))
    task = deploy(tmp_path, definition="p.pipeline.json", tags={"team": "ml"}, aliases=["live"])
    told = task.execute(context())
    assert (told["name"], told["action"], told["version"]) == ("p", "created", 1)
    assert task.execute(context())["action"] == "unchanged"
    tags = {tag["Key"]: tag["Value"] for tag in pipelines.sagemaker.list_tags(ResourceArn=told["arn"])["Tags"]}
    assert (tags["team"], tags["airflow:deployed_by"]) == ("ml", "p_dag")
    with pytest.raises(PipelineError, match="'p_dag' deployed it"):
        deploy(tmp_path, definition="p.pipeline.json", pipeline_owner="other").execute(context())


def test_a_definition_is_deployed_as_text_or_object(pipelines: Pipelines, tmp_path: Path) -> None:
    options = {"pipeline_name": "p", "role": ROLE, "max_parallel_steps": "2"}
    assert deploy(tmp_path, definition=PLAIN, **options).execute(context())["action"] == "created"
    assert deploy(tmp_path, definition=json.loads(PLAIN), **options).execute(context())["action"] == "unchanged"
    found = pipelines.sagemaker.describe_pipeline(PipelineName="p")
    assert found["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"definition": "none.json"}, "task: .*none.json: cannot be read"),
        ({"definition": "{}"}, "task: a definition that is no file needs pipeline_name"),
        ({"definition": "{", "pipeline_name": "p"}, "the definition of 'p' is not valid"),
    ],
)
def test_what_cannot_be_deployed(pipelines: Pipelines, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowException, match=said):
        deploy(tmp_path, **options).execute(context())


# Start


def test_an_execution_is_started_and_awaited(made: Pipelines) -> None:
    described = start(parameters={"day": "monday"}, studio_domain="d-abc").execute(found := context())
    assert described["PipelineExecutionStatus"] == "Succeeded"
    (execution,) = executions(made)
    assert described["PipelineExecutionArn"] == execution["PipelineExecutionArn"]
    assert "/pipelines/view/p/executions/" in found["ti"].pushed["sagemaker_execution_url"]


def test_it_need_not_be_awaited(made: Pipelines, local_sagemaker: Any) -> None:
    local_sagemaker.faults.add("hang")
    described = start(wait_for_completion=False).execute(context())
    assert described["PipelineExecutionStatus"] == "Executing"


def test_the_same_try_starts_one_execution(made: Pipelines) -> None:
    start().execute(context())
    start().execute(context())
    assert len(executions(made)) == 1


def test_two_workers_of_one_try_start_one_execution(made: Pipelines) -> None:
    barrier, found = threading.Barrier(2), []

    def run() -> None:
        task = start()
        assert task.look_up(context(), 1) is None
        barrier.wait()
        found.append(task.create(context(), 1))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] and len(executions(made)) == 1


def test_a_lost_answer_starts_no_second_execution(made: Pipelines, local_sagemaker: Any) -> None:
    local_sagemaker.faults.add("lost-response", operation="StartPipelineExecution", times=1)
    assert start().execute(context())["PipelineExecutionStatus"] == "Succeeded"
    assert len(executions(made)) == 1


@pytest.mark.parametrize("store", [None, Store()])
def test_a_retry_after_a_failure_and_a_cleared_task_start_another(
    made: Pipelines, local_sagemaker: Any, store: Store | None
) -> None:
    local_sagemaker.faults.add("internal-error", times=1)
    with pytest.raises(SageMakerStepError, match=r"ended as Failed \(a Failed: .*InternalServerError"):
        start(retries=1).execute(context(max_tries=1, store=store))
    start(retries=1).execute(context(try_number=2, max_tries=1, store=store))
    assert len(executions(made)) == 2
    start(retries=1).execute(context(try_number=3, max_tries=3, store=store))
    assert len(executions(made)) == 3


def test_it_defers_and_goes_on(made: Pipelines, local_sagemaker: Any) -> None:
    local_sagemaker.faults.add("hang")
    task = start(deferrable=True, execution_timeout=timedelta(hours=1))
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context())
    trigger = deferred.value.trigger
    assert trigger.kind == "PipelineExecution" and trigger.deadline is not None
    (execution,) = executions(made)
    task = start(deferrable=True)
    task.running = trigger.identifiers
    task.on_kill()
    made.wait(execution["PipelineExecutionArn"])
    with pytest.raises(SageMakerStepError, match="ended as Stopped"):
        getattr(start(deferrable=True), deferred.value.method_name)(
            context(), event={"identifiers": trigger.identifiers}
        )


def test_completed_with_failures_is_a_failure(pipelines: Pipelines, local_sagemaker: Any) -> None:
    after = processing("cleanup")
    after["DependsOn"] = [{"Step": "a", "Trigger": "Failed"}]
    pipelines.create(definition(processing("a"), after))
    local_sagemaker.faults.add("internal-error", times=1)
    with pytest.raises(SageMakerStepError, match="ended as CompletedWithFailures"):
        start().execute(context())


def test_wrong_parameters_start_nothing(made: Pipelines) -> None:
    with pytest.raises(PipelineError, match="no parameter 'other'"):
        start(parameters={"other": 1}).execute(context())
    with pytest.raises(PipelineError, match="there is no pipeline 'q'"):
        start(pipeline_name="q").execute(context())
    assert executions(made) == []


# Resume, stop, delete


def test_a_failed_execution_is_resumed(made: Pipelines, local_sagemaker: Any) -> None:
    local_sagemaker.faults.add("internal-error", times=1)
    arn = made.wait(made.start())
    task = SageMakerPipelineResumeOperator(**AWS, execution=arn, deferrable=False, poll_interval=0.05)
    assert task.execute(context())["PipelineExecutionStatus"] == "Succeeded"
    assert task.execute(context())["PipelineExecutionStatus"] == "Succeeded"
    assert len(executions(made)) == 1


def test_an_execution_is_stopped(made: Pipelines, local_sagemaker: Any) -> None:
    local_sagemaker.faults.add("hang")
    arn = made.start()
    made.until(arn, "a", "Executing")
    task = SageMakerPipelineStopOperator(**AWS, execution=arn, deferrable=False, poll_interval=0.05)
    assert task.execute(context())["PipelineExecutionStatus"] == "Stopped"
    assert task.execute(context())["PipelineExecutionStatus"] == "Stopped"


def test_a_pipeline_is_deleted_once(pipelines: Pipelines, tmp_path: Path) -> None:
    deploy(tmp_path, definition=PLAIN, pipeline_name="p", role=ROLE, pipeline_owner="other").execute(context())
    with pytest.raises(PipelineError, match="'other' deployed it"):
        SageMakerPipelineDeleteOperator(**AWS, pipeline_name="p").execute(context())
    task = SageMakerPipelineDeleteOperator(**AWS, pipeline_name="p", pipeline_owner="other")
    task.execute(context())
    task.execute(context())
    assert pipelines.sagemaker.list_pipelines()["PipelineSummaries"] == []


# Schedule


def test_schedules_are_made(made: Pipelines) -> None:
    def task(expression: str) -> Any:
        return SageMakerPipelineScheduleOperator(
            **AWS, pipeline_name="p", expression=expression, role=ROLE, parameters={"day": 7}
        )

    assert task("rate(1 days)").execute(context()) == {"p": "created"}
    assert task("rate(2 days)").execute(context()) == {"p": "updated"}
    (item,) = boto3.client("scheduler").list_schedules()["Schedules"]
    assert item["Target"]["Arn"].endswith(":pipeline/p")
    with pytest.raises(ValueError, match="pipeline_name and expression are needed"):
        SageMakerPipelineScheduleOperator(**AWS, pipeline_name="p", role=ROLE)


# As tasks


@pytest.mark.parametrize("name", operators._HOMES["pipeline"])
def test_template_fields_are_arguments(name: str) -> None:
    cls = getattr(operators, name)
    known = {
        key for base in cls.__mro__ if "__init__" in vars(base) for key in inspect.signature(base.__init__).parameters
    }
    assert set(cls.template_fields) <= known


def test_they_stay_in_airflow() -> None:
    with DAG("starts", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        SageMakerPipelineStartOperator(task_id="start", pipeline_name="p")
        SageMakerPipelineDeleteOperator(task_id="delete", pipeline_name="p")
    codes = {(item.code, item.task) for item in convert(dag).findings}
    assert {("SMP801", "start"), ("SMP801", "delete")} <= codes


DAG_FILE = """
import json
from airflow.providers.common.compat.sdk import DAG
from sagemaker_provider.operators import *  # noqa: F403
from sagemaker_provider.operators.pipeline import *  # noqa: F403

DEFINITION = {definition!r}
with DAG("life", schedule=None, params={{"day": "monday"}}, default_args={{"aws_conn_id": None}}):
    deploy = SageMakerPipelineDeployOperator(
        task_id="deploy", definition=json.loads(DEFINITION), pipeline_name="life", role="{role}"
    )
    start = SageMakerPipelineStartOperator(
        task_id="start", pipeline_name="{{{{ ti.xcom_pull(task_ids='deploy')['name'] }}}}",
        parameters={{"day": "{{{{ params.day }}}}"}}, poll_interval=0.1, deferrable={deferrable},
    )
    deploy >> start
"""


@pytest.mark.parametrize("deferrable", [True, False])
def test_in_airflow(airflow: Callable[..., Any], local_sagemaker: Any, tmp_path: Path, deferrable: bool) -> None:
    file = tmp_path / "life.py"
    file.write_text(DAG_FILE.format(definition=PLAIN, role=ROLE, deferrable=deferrable))
    tasks = {task.task_id: task for task in airflow(file, "life")}
    assert {name: task.state for name, task in tasks.items()} == {"deploy": "success", "start": "success"}
    arn = tasks["start"].xcom["PipelineExecutionArn"]
    found = boto3.client("sagemaker").list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert found["PipelineParameters"] == [{"Name": "day", "Value": "monday"}]
