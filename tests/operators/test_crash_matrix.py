"""Tasks whose processes are killed at every point where AWS or Airflow can see them: one job, and its end is the task's.

A sample by default; ``CRASHES=all`` kills at every point of every type of step that is waited for, in both ways of waiting;
``EXECUTOR=celery`` has Celery's workers over Redis instead of LocalExecutor's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from running_airflow import AIRFLOW_3, RunningAirflow, celery_settings, postgresql, running_airflow

from sagemaker_provider.local.service import LocalSageMaker, LocalSettings, local_sagemaker

DAGS = Path(__file__).parents[1] / "dags"
EVERYTHING = os.environ.get("CRASHES") == "all"
CELERY = os.environ.get("EXECUTOR") == "celery"
WORKERS = "celery" if CELERY else "scheduler"
"""The service whose processes run tasks."""
KINDS = (
    "processing",
    "training",
    "tuning",
    "automl",
    "transform",
    "register",
    "endpoint",
    "component",
    "quality_check",
    "clarify_check",
    "notebook",
    "emr",
    "emr_serverless",
)
SAMPLE = ("training_deferrable",)
CREATES = {
    "processing": "CreateProcessingJob",
    "training": "CreateTrainingJob",
    "tuning": "CreateHyperParameterTuningJob",
    "automl": "CreateAutoMLJob",
    "transform": "CreateTransformJob",
    "register": "CreateModelPackage",
    "endpoint": "CreateEndpoint",
    "component": "CreateInferenceComponent",
    "quality_check": "CreateProcessingJob",
    "clarify_check": "CreateProcessingJob",
    "notebook": "CreateTrainingJob",
}
DAG_IDS = [f"{kind}_{mode}" for kind in KINDS for mode in ("deferrable", "blocking")] if EVERYTHING else list(SAMPLE)


@dataclass
class Scene:
    """What the tests work with. ``conf``: what every run gets; ``folder``: where the tasks count their points."""

    airflow: RunningAirflow
    local: LocalSageMaker
    conf: dict[str, Any]
    folder: Path

    def run(self, dag_id: str, kills: dict[str, int]) -> dict[str, str]:
        """Run a DAG once for each run id, killed at its point; run id -> state of the task."""
        before = len(self.airflow.call("runs", dag_id=dag_id))
        for run_id, kill in kills.items():
            self.airflow.trigger(dag_id, run_id, **self.conf, kill=kill)
        tasks = self.airflow.wait(dag_id, before + len(kills), 120 + 20 * len(kills))
        return {run_id: tasks[run_id, "step"]["state"] for run_id in kills}

    def points(self, dag_id: str, run_id: str) -> list[str]:
        """The points that a task has passed."""
        return (self.folder / f"{dag_id}.{run_id}").read_text().splitlines()

    def jobs(self, kind: str) -> Counter[str]:
        """Run id -> how many jobs it has made."""
        if kind == "emr":
            steps = self.local.client("emr").get_paginator("list_steps").paginate(ClusterId=self.conf["cluster"])
            return Counter(step["Config"]["Args"][0] for page in steps for step in page["Steps"])
        if kind == "emr_serverless":
            client, application = self.local.client("emr-serverless"), self.conf["application"]
            pages = client.get_paginator("list_job_runs").paginate(applicationId=application)
            ids = [run["id"] for page in pages for run in page["jobRuns"]]
            runs = [client.get_job_run(applicationId=application, jobRunId=item)["jobRun"] for item in ids]
            return Counter(run["jobDriver"]["sparkSubmit"]["entryPoint"][len("s3://bucket/") : -3] for run in runs)
        if kind == "register":  # a repeated call with the same token is accepted, and makes nothing
            client = self.local.client("sagemaker")
            pages = client.get_paginator("list_model_packages").paginate(ModelPackageGroupName="group")
            arns = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
            packages = [client.describe_model_package(ModelPackageName=arn) for arn in arns]
            return Counter(package["CustomerMetadataProperties"]["run"] for package in packages)
        return Counter(
            run
            for call in list(self.local.calls)
            if call.operation == CREATES[kind]
            for run in _runs_named(call.request)
        )


def _runs_named(request: Any) -> list[str]:
    """The run id that a request has in its tags or environment."""
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}
    found = tags.get("run") or request.get("Environment", {}).get("RUN")
    return [found] if found else []


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Airflow and a local SageMaker, running."""
    folder = tmp_path_factory.mktemp("crashes")
    settings = LocalSettings(images="simulate-all", simulated_seconds=4)
    points = folder / "points"
    points.mkdir()
    with postgresql() as database, local_sagemaker(settings) as local:
        if database is None and (CELERY or not AIRFLOW_3):
            pytest.skip("Celery, and Airflow 2.11 with several tasks at once, need PostgreSQL, which is not installed")
        conf = _prepare(local)
        variables = {
            **local.environment,
            "CRASH_FOLDER": str(points),
            "AIRFLOW__CORE__PARALLELISM": "16" if database else "4",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
            # Airflow 2.11 calls a dead task dead again until that is noted, and may note it late, over the retry's success.
            "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "45",
        }
        shutil.copytree(DAGS, folder / "dags", ignore=lambda _, names: [name for name in names if "crash" not in name])
        with (
            celery_settings(str(database)) if CELERY else contextlib.nullcontext({}) as executor,
            running_airflow(folder / "airflow", folder / "dags", database, **variables, **executor) as airflow,
        ):
            yield Scene(airflow, local, conf, points)


def _prepare(local: LocalSageMaker) -> dict[str, str]:
    sagemaker, role = local.client("sagemaker"), "arn:aws:iam::123456789012:role/SageMakerRole"
    s3 = local.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    for key in ("data/a.csv", "data/model.tar.gz", "notebooks/report.ipynb"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    image = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"
    sagemaker.create_model(ModelName="model", ExecutionRoleArn=role, PrimaryContainer={"Image": image})
    variant = {"VariantName": "all", "ModelName": "model", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName="config", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="config")
    group = {"InstanceRole": "MASTER", "InstanceCount": 1, "InstanceType": "m5.xlarge"}
    cluster = local.client("emr").run_job_flow(
        Name="cluster",
        ReleaseLabel="emr-7.0.0",
        Instances={"InstanceGroups": [group], "KeepJobFlowAliveWhenNoSteps": True},
    )
    application = local.client("emr-serverless").create_application(
        name="application", releaseLabel="emr-7.0.0", type="SPARK", clientToken="application"
    )
    return {"cluster": cluster["JobFlowId"], "application": application["applicationId"]}


def _chosen(points: list[str]) -> list[int]:
    """The points to die at, from 1: all of them, or in a sample those around the calls that change something."""
    if EVERYTHING:
        return list(range(1, len(points) + 1))
    telling = ("Create", "Defer", "Succeed", "defer", "save")
    return [number for number, point in enumerate(points, 1) if any(word in point for word in telling)]


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_killed_task_has_one_job(scene: Scene, dag_id: str, record_property: Callable[[str, object], None]) -> None:
    kind = dag_id.rpartition("_")[0]
    plain = dag_id.replace("_", "-")
    assert scene.run(dag_id, {f"{plain}-0": 0}) == {f"{plain}-0": "success"}
    points = scene.points(dag_id, f"{plain}-0")
    kills = {f"{plain}-{number}": number for number in _chosen(points)}
    states = scene.run(dag_id, kills)
    unharmed = [run for run in kills if not (scene.folder / f"{dag_id}.{run}.killed").exists()]
    jobs = scene.jobs(kind)
    record_property("kills", len(kills) - len(unharmed))
    print(json.dumps({"dag": dag_id, "kills": len(kills) - len(unharmed), "jobs": sum(jobs[run] for run in kills)}))
    told = {run: f"{run} killed {points[number - 1]}" for run, number in kills.items()}
    assert {told[run]: state for run, state in states.items() if state != "success"} == {}
    assert {told[run]: jobs[run] for run in kills if jobs[run] != 1} == {}


@pytest.mark.parametrize("dag_id", [item for item in DAG_IDS if not item.startswith("emr")])
def test_a_lost_create_response_makes_no_second_job(scene: Scene, dag_id: str) -> None:
    kind = dag_id.rpartition("_")[0]
    run = f"{dag_id}-lost".replace("_", "-")
    fault = scene.local.faults.add("lost-response", operation=CREATES[kind])
    assert scene.run(dag_id, {run: 0}) == {run: "success"}
    assert scene.local.faults.hits(fault) == 1
    scene.local.faults.clear()
    assert scene.jobs(kind)[run] == 1


@pytest.mark.skipif(not EVERYTHING, reason="CRASHES=all runs it")
@pytest.mark.parametrize("service", ["triggerer", "scheduler", *(["celery"] if CELERY else [])])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_while_a_task_waits_leaves_the_job(scene: Scene, service: str, number: int) -> None:
    dag_id, run = "training_deferrable", f"restart-{service}-{int(number)}"
    scene.airflow.trigger(dag_id, run, **scene.conf, kill=0)
    before, deadline = len(scene.local.calls), time.monotonic() + 120
    while scene.airflow.tasks(dag_id).get((run, "step"), {}).get("state") != "deferred":
        assert time.monotonic() < deadline, scene.airflow.tasks(dag_id)
        time.sleep(0.1)
    scene.airflow.restart(service, number)
    tasks = scene.airflow.wait(dag_id, len(scene.airflow.call("runs", dag_id=dag_id)), 240)
    assert tasks[run, "step"]["state"] == "success"
    assert scene.jobs("training")[run] == 1
    assert "StopTrainingJob" not in [call.operation for call in list(scene.local.calls)[before:]]


@pytest.mark.skipif(not EVERYTHING, reason="CRASHES=all runs it")
def test_a_killed_worker_takes_its_tasks_with_it(scene: Scene) -> None:
    """Task and supervisor are gone, so nothing is left that could tell Airflow how the task ended."""
    dag_id, run = "training_blocking", "killed-with-its-supervisor"
    scene.airflow.trigger(dag_id, run, **scene.conf, kill=0)
    deadline = time.monotonic() + 120
    while not scene.jobs("training")[run]:
        assert time.monotonic() < deadline, scene.airflow.tasks(dag_id)
        time.sleep(0.1)
    scene.airflow.restart(WORKERS, signal.SIGKILL)
    tasks = scene.airflow.wait(dag_id, len(scene.airflow.call("runs", dag_id=dag_id)), 240)
    assert tasks[run, "step"]["state"] == "success"
    assert tasks[run, "step"]["try_number"] == 2
    assert scene.jobs("training")[run] == 1


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_cleared_task_makes_one_new_job(scene: Scene, dag_id: str) -> None:
    kind = dag_id.rpartition("_")[0]
    if kind in ("endpoint", "component"):
        pytest.skip("it is updated, not made again")
    run = f"{dag_id}-cleared".replace("_", "-")
    assert scene.run(dag_id, {run: 0}) == {run: "success"}
    scene.airflow.call("clear", dag_id=dag_id, run_id=run, task_ids=["step"])
    runs = len(scene.airflow.call("runs", dag_id=dag_id))
    tasks = scene.airflow.wait(dag_id, runs, 120)
    assert tasks[run, "step"]["state"] == "success"
    assert scene.jobs(kind)[run] == 2
