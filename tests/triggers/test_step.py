"""The trigger waits through passing faults, and fires once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from fake_aws import ServiceError

from sagemaker_provider.triggers.callback import CallbackAnswerTrigger
from sagemaker_provider.triggers.step import SageMakerStepTrigger, resource_named

JOB = {"TrainingJobName": "t"}


def fire(trigger: Any, seconds: float = 20) -> dict[str, Any]:
    """The payload of the first event."""

    async def first() -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(asyncio.wait_for(first(), seconds))


def trigger(**options: Any) -> SageMakerStepTrigger:
    return SageMakerStepTrigger(kind="Training", identifiers=JOB, poll_interval=0.02, aws_conn_id=None, **options)


@pytest.fixture
def job(aws: Any) -> Any:
    """A training job that runs for two looks."""
    aws.sagemaker.script["CreateTrainingJob"] = ["InProgress", "InProgress", "Completed"]
    aws.sagemaker.create("CreateTrainingJob", {**JOB, "OutputDataConfig": {"S3OutputPath": "s3://b"}})
    return aws


def test_fires_with_the_identifiers_when_the_job_has_ended(job: Any) -> None:
    assert fire(trigger()) == {"identifiers": JOB}
    assert job.sagemaker.calls["DescribeTrainingJob"] == 3


@pytest.mark.parametrize("end", ["Failed", "Stopped", "Deleting"])
def test_fires_for_every_end(job: Any, end: str) -> None:
    job.sagemaker.progress["CreateTrainingJob", "t"].append(end)
    job.sagemaker.progress["CreateTrainingJob", "t"].remove("Completed")
    assert fire(trigger()) == {"identifiers": JOB}


@pytest.mark.parametrize(
    "error",
    [ServiceError("ThrottlingException", "Rate exceeded"), ServiceError("InternalFailure", "try again", 500)],
    ids=["throttling", "fault"],
)
def test_waits_through_passing_faults(job: Any, error: ServiceError) -> None:
    options = {"botocore_config": {"retries": {"total_max_attempts": 1}}}
    job.sagemaker.errors["DescribeTrainingJob"] = [error, error]
    assert fire(trigger(**options)) == {"identifiers": JOB}


def test_says_what_went_wrong_when_it_cannot_go_on(aws: Any) -> None:
    event = fire(trigger())
    assert event["identifiers"] == JOB
    assert "Could not find TrainingJob t" in event["error"]


def test_an_unknown_status_is_an_error_and_not_waited_out(job: Any) -> None:
    job.sagemaker.progress["CreateTrainingJob", "t"].clear()
    job.sagemaker.progress["CreateTrainingJob", "t"].append("Paused")
    assert "unknown status 'Paused'" in fire(trigger())["error"]


def test_on_kill_stops_the_job(job: Any) -> None:
    asyncio.run(trigger().on_kill())
    assert job.sagemaker.calls["StopTrainingJob"] == 1


def test_on_kill_leaves_an_ended_job_alone(job: Any) -> None:
    job.sagemaker.progress["CreateTrainingJob", "t"].clear()
    job.sagemaker.progress["CreateTrainingJob", "t"].append("Completed")
    asyncio.run(trigger().on_kill())
    assert "StopTrainingJob" not in job.sagemaker.calls


@pytest.mark.parametrize(
    "made",
    [trigger(region_name="eu-west-1", verify=False), CallbackAnswerTrigger(queue_url="http://q", token="abc")],
    ids=["step", "callback"],
)
def test_another_process_makes_the_same_trigger(made: Any) -> None:
    path, options = made.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(__import__(module, fromlist=[name]), name)(**options)
    assert again.serialize() == made.serialize()


def test_a_kind_without_a_resource_is_refused() -> None:
    with pytest.raises(KeyError, match="Fail step creates no resource"):
        resource_named("Fail")


def test_a_passed_deadline_stops_the_job(job: Any) -> None:
    job.sagemaker.progress["CreateTrainingJob", "t"].clear()
    job.sagemaker.progress["CreateTrainingJob", "t"].append("InProgress")
    event = fire(trigger(deadline=time.time() + 0.2))
    assert event == {"identifiers": JOB, "error": "timeout, asked the service to stop it"}
    assert job.sagemaker.calls["StopTrainingJob"] == 1


def test_a_killed_callback_tells_its_worker(aws: Any) -> None:
    queue = aws.client("sqs").create_queue(QueueName="work")["QueueUrl"]
    waiting = CallbackAnswerTrigger(
        queue_url="http://q", token="t", work_queue_url=queue, stop_message='{"status": "Stopping"}', aws_conn_id=None
    )
    asyncio.run(waiting.on_kill())
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == '{"status": "Stopping"}'
