"""Groups in a running Airflow, with scheduler and triggerer: cleared and retried tasks resume the execution, marked ones stop it.

``GROUP_RUNS=all`` runs it; it takes some minutes. Jobs last longer than Airflow's scheduler needs to hear of a deferral: it
fails tasks that come back before that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_airflow import RunningAirflow, postgresql, running_airflow

from sagemaker_provider.local.service import LocalSageMaker, local_sagemaker

pytestmark = pytest.mark.skipif(os.environ.get("GROUP_RUNS") != "all", reason="GROUP_RUNS=all runs it")

DAGS = """
from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG
from sagemaker_provider.operators import SageMakerPipelineTaskGroup, SageMakerProcessingStepOperator

ROLE = "arn:aws:iam::123456789012:role/Work"

def job(name, command):
    return SageMakerProcessingStepOperator(task_id=name, config={
        "AppSpecification": {"ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/work:1",
                             "ContainerEntrypoint": ["sh", "-c", "sleep 6; " + command.replace("FOLDER", FOLDER)]},
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": {
            "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}}})

def make(dag_id, first, second, **options):
    with DAG(dag_id, schedule=None, default_args=options):
        with SageMakerPipelineTaskGroup("g", role=ROLE, poll_interval=0.5):
            [job("one", first), job("other", second)] >> job("last", "true")

make("cleared", "test -e FOLDER/well || exit 3", "test -e FOLDER/well || exit 4")
once = "test -e FOLDER/{0} || {{ touch FOLDER/{0}; exit 3; }}"
make("retried", once.format("r1"), once.format("r2"), retries=1, retry_delay=timedelta(seconds=1))
make("killed", "test -e FOLDER/k || { touch FOLDER/k; sleep 300; }", "true")
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningAirflow, LocalSageMaker, Path]]:
    folder, dags = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("dags")
    (dags / "groups.py").write_text(DAGS.replace("FOLDER)", f"{str(folder)!r})"), encoding="utf-8")
    home = tmp_path_factory.mktemp("airflow")
    with (
        postgresql() as database,
        local_sagemaker() as local,
        running_airflow(home, dags, database, **local.environment) as airflow,
    ):
        yield airflow, local, folder


def ended(airflow: RunningAirflow, dag_id: str, state: str) -> dict[str, tuple[str, int]]:
    """The tasks of the one run of a DAG, once the run is in a state: task -> state and tries."""
    deadline = time.monotonic() + 240
    while airflow.call("runs", dag_id=dag_id).get("run") != state:
        assert time.monotonic() < deadline, airflow.tasks(dag_id)
        time.sleep(0.5)
    return {task: (item["state"], item["try_number"]) for (_, task), item in airflow.tasks(dag_id).items()}


def executions(local: LocalSageMaker, dag_id: str) -> list[str]:
    found = local.client("sagemaker").list_pipeline_executions(PipelineName=f"{dag_id}-g")
    return [item["PipelineExecutionStatus"] for item in found["PipelineExecutionSummaries"]]


def accepted(local: LocalSageMaker, operation: str, dag_id: str) -> int:
    calls = [call.request for call in local.calls if call.operation == operation]
    return len({request["ClientRequestToken"] for request in calls if f"/{dag_id}-g/" in str(request)})


def test_cleared_tasks_resume_the_execution(running: Any) -> None:
    airflow, local, folder = running
    airflow.trigger("cleared", "run")
    assert ended(airflow, "cleared", "failed") == {
        "g.launch": ("success", 1),
        "g.one": ("failed", 1),
        "g.other": ("failed", 1),
        "g.last": ("upstream_failed", 0),
    }
    (folder / "well").touch()
    assert airflow.call("clear", dag_id="cleared", run_id="run", task_ids=["g.one", "g.other", "g.last"]) == 3
    tasks = ended(airflow, "cleared", "success")
    assert {task: state for task, (state, _) in tasks.items()} == dict.fromkeys(tasks, "success")
    assert tasks["g.launch"] == ("success", 1)
    assert executions(local, "cleared") == ["Succeeded"]
    assert accepted(local, "RetryPipelineExecution", "cleared") == 1


def test_airflows_retries_resume_the_execution_once(running: Any) -> None:
    airflow, local, _ = running
    airflow.trigger("retried", "run")
    tasks = ended(airflow, "retried", "success")
    assert tasks["g.one"] == tasks["g.other"] == ("success", 2)
    assert tasks["g.launch"] == tasks["g.last"] == ("success", 1)
    assert executions(local, "retried") == ["Succeeded"]
    assert accepted(local, "RetryPipelineExecution", "retried") == 1


def test_marking_a_waiting_task_stops_the_execution_and_clearing_resumes_it(running: Any) -> None:
    airflow, local, folder = running
    airflow.trigger("killed", "run")
    deadline = time.monotonic() + 240
    while not (folder / "k").exists() or airflow.tasks("killed")["run", "g.one"]["state"] != "deferred":
        assert time.monotonic() < deadline, airflow.tasks("killed")
        time.sleep(0.2)
    airflow.call("mark", dag_id="killed", run_id="run", task_id="g.one", state="failed")
    ended(airflow, "killed", "failed")
    while executions(local, "killed") != ["Stopped"]:
        assert time.monotonic() < deadline, executions(local, "killed")
        time.sleep(0.2)
    assert airflow.call("clear", dag_id="killed", run_id="run", task_ids=["g.one", "g.last"]) == 2
    tasks = ended(airflow, "killed", "success")
    assert tasks["g.one"][0] == tasks["g.last"][0] == "success"
    assert executions(local, "killed") == ["Succeeded"]
    assert accepted(local, "StopPipelineExecution", "killed") == 1
