"""Sensors in real Airflow: there is one for everything that can be waited for, and only success is success."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from sagemaker_provider import sensors
from sagemaker_provider.definition.step_types import STEP_TYPES

DAGS = Path(__file__).parents[1] / "dags"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
CREATED = {
    "processing": ("CreateProcessingJob", {"ProcessingJobName": "p"}, "p"),
    "training": ("CreateTrainingJob", {"TrainingJobName": "t", "OutputDataConfig": {"S3OutputPath": "s3://b"}}, "t"),
    "tuning": ("CreateHyperParameterTuningJob", {"HyperParameterTuningJobName": "h"}, "h"),
    "automl": ("CreateAutoMLJob", {"AutoMLJobName": "a"}, "a"),
    "transform": ("CreateTransformJob", {"TransformJobName": "x"}, "x"),
    "register": (
        "CreateModelPackage",
        {"ModelPackageGroupName": "g"},
        "arn:aws:sagemaker:us-west-2:123456789012:model-package/g/1",
    ),
    "endpoint": ("CreateEndpoint", {"EndpointName": "e"}, "e"),
    "component": ("CreateInferenceComponent", {"InferenceComponentName": "c"}, "c"),
}
EXECUTION = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/churn/execution/abcdefghijkl"


def prepare(aws: Any, end: str) -> dict[str, str]:
    """Make what the sensors wait for; ``end`` is ``succeeded``, ``failed`` or ``stopped``."""
    aws.sagemaker.groups.add("g")
    conf = {"execution": EXECUTION}
    for name, (create, request, identifier) in CREATED.items():
        states = aws.sagemaker.resources[create].states
        running = next(status for status, state in states.items() if state.value == "running")
        last = next((status for status, state in states.items() if state.value == end), None)
        aws.sagemaker.script[create] = [running, running, last or running]
        aws.sagemaker.create(create, request)
        conf[name] = identifier
    ends = {
        "succeeded": ("Succeeded", "COMPLETED"),
        "failed": ("CompletedWithFailures", "FAILED"),
        "stopped": ("Stopped", "CANCELLED"),
    }
    aws.sagemaker.script["StartPipelineExecution"] = ["Executing", "Executing", ends[end][0]]
    aws.emr.script = ["PENDING", "RUNNING", ends[end][1]]
    aws.emr.add("j-1", {"Name": "step", "HadoopJarStep": {"Jar": "x.jar"}})
    client = aws.client("emr-serverless")
    application = client.create_application(releaseLabel="emr-7.0.0", type="SPARK")["applicationId"]
    job = client.start_job_run(applicationId=application, executionRoleArn=ROLE)["jobRunId"]
    return {**conf, "application": application, "job_run": job}


@pytest.fixture(scope="module", params=["deferrable", "blocking"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def success(mode: str, fresh_aws: Any, airflow: Any) -> Any:
    tasks = airflow(DAGS / "sensors.py", f"sensors_{mode}", prepare(fresh_aws(), "succeeded"))
    return {task.task_id: task for task in tasks}


@pytest.fixture(scope="module")
def stopped(mode: str, fresh_aws: Any, airflow: Any) -> Any:
    aws = fresh_aws()
    conf = prepare(aws, "stopped")
    tasks = airflow(DAGS / "sensors.py", f"sensors_{mode}", conf)
    return {task.task_id: task for task in tasks}


NAMES = [*CREATED, "execution", "emr"]


@pytest.mark.parametrize("task", [*NAMES, "serverless"])
def test_ends_with_success_and_gives_the_description(success: Any, task: str) -> None:
    assert success[task].state == "success"
    assert isinstance(success[task].xcom, dict)


@pytest.mark.parametrize("task", NAMES)
def test_stopped_is_a_failure(stopped: Any, task: str) -> None:
    assert stopped[task].state == "failed"


def test_there_is_a_sensor_for_everything_that_takes_time() -> None:
    waitable = {name for name, row in STEP_TYPES.items() if row.resource and row.resource.waitable}
    kinds = {getattr(sensors, name).kind for name in sensors.__all__ if name != "SageMakerStepSensor"}
    checks_are_processing_jobs, no_operator = {"QualityCheck", "ClarifyCheck"}, {"Job"}
    assert kinds == (waitable - checks_are_processing_jobs - no_operator) | {"PipelineExecution"}


def test_a_sensor_waits_on_while_describe_shows_no_end(aws: Any) -> None:
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress"]
    aws.sagemaker.create("CreateTrainingJob", {"TrainingJobName": "t", "OutputDataConfig": {"S3OutputPath": "s3://b"}})
    sensor = sensors.SageMakerTrainingStepSensor(task_id="wait", name="t", aws_conn_id=None, timeout=600)
    with pytest.raises(TaskDeferred) as again:
        sensor.resume({}, {"identifiers": {"TrainingJobName": "t"}}, until=time.time() + 300)
    assert 200 < again.value.timeout.total_seconds() <= 300
