"""The trigger waits through passing faults, and fires once."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger
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


def test_an_unknown_status_is_an_error(job: Any) -> None:
    job.sagemaker.progress["CreateTrainingJob", "t"].clear()
    job.sagemaker.progress["CreateTrainingJob", "t"].append("Paused")
    assert "unknown status 'Paused'" in fire(trigger())["error"]


def killed(waiting: Any, state: str | None) -> None:
    """Kill a trigger whose task has a state."""
    waiting.task_instance = task_instance(state)
    asyncio.run(waiting.on_kill())


def task_instance(state: str | None) -> Any:
    """What a trigger reads of its task."""
    return SimpleNamespace(task_id="train", task=None, current_state=lambda: state)


@pytest.mark.parametrize("state", [None, "failed", "success", "up_for_retry"])
def test_on_kill_stops_the_job(job: Any, state: str | None) -> None:
    killed(trigger(), state)
    assert job.sagemaker.calls["StopTrainingJob"] == 1


def test_a_trigger_that_moves_to_another_triggerer_leaves_the_job(job: Any) -> None:
    killed(trigger(), "deferred")
    assert "StopTrainingJob" not in job.sagemaker.calls


def test_on_kill_leaves_a_job_that_is_to_be_left(job: Any) -> None:
    killed(trigger(on_interrupt="leave"), None)
    assert "StopTrainingJob" not in job.sagemaker.calls


@pytest.mark.parametrize("state", [None, "deferred"])
def test_a_cancelled_trigger_does_the_same_where_airflow_has_no_on_kill(
    job: Any, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    monkeypatch.delattr(BaseTrigger, "on_kill", raising=False)
    job.sagemaker.progress["CreateTrainingJob", "t"].append("InProgress")
    job.sagemaker.progress["CreateTrainingJob", "t"].remove("Completed")
    waiting = trigger()
    waiting.task_instance = task_instance(state)

    async def cancel() -> None:
        task = asyncio.ensure_future(anext(waiting.run()))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert job.sagemaker.calls["StopTrainingJob"] == (state is None)


def test_on_kill_leaves_an_ended_job_alone(job: Any) -> None:
    job.sagemaker.progress["CreateTrainingJob", "t"].clear()
    job.sagemaker.progress["CreateTrainingJob", "t"].append("Completed")
    killed(trigger(), None)
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


def test_a_passed_deadline_leaves_a_job_that_is_to_be_left(job: Any) -> None:
    job.sagemaker.progress["CreateTrainingJob", "t"].clear()
    job.sagemaker.progress["CreateTrainingJob", "t"].append("InProgress")
    event = fire(trigger(deadline=time.time() + 0.2, on_interrupt="leave"))
    assert event == {"identifiers": JOB, "error": "timeout, it was left running"}
    assert "StopTrainingJob" not in job.sagemaker.calls


def test_a_killed_callback_tells_its_worker(aws: Any) -> None:
    queue = aws.client("sqs").create_queue(QueueName="work")["QueueUrl"]
    waiting = CallbackAnswerTrigger(
        queue_url="http://q", token="t", work_queue_url=queue, stop_message='{"status": "Stopping"}', aws_conn_id=None
    )
    killed(waiting, None)
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == '{"status": "Stopping"}'


# Many triggers, on the local SageMaker

ROLE = "arn:aws:iam::123456789012:role/Job"


def training(name: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1",
            "TrainingInputMode": "File",
        },
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def hanging(local: Any, *names: str) -> None:
    """Training jobs that run until they are stopped."""
    local.faults.add("hang", operation="CreateTrainingJob", times=None)
    for name in names:
        local.call("CreateTrainingJob", training(name))


async def payload(name: str, interval: float = 0.5, **options: Any) -> dict[str, Any]:
    """What a trigger fires for a training job."""
    identifiers = {"TrainingJobName": name}
    waiting = SageMakerStepTrigger(
        kind="Training", identifiers=identifiers, poll_interval=interval, **{"aws_conn_id": None, **options}
    )
    events = [event.payload async for event in waiting.run()]
    assert len(events) == 1
    return dict(events[0])


def stop(local: Any, *names: str) -> None:
    for name in names:
        local.call("StopTrainingJob", {"TrainingJobName": name})


def test_many_triggers_share_few_calls(local_sagemaker: Any) -> None:
    names = [f"job-{number}" for number in range(40)]
    hanging(local_sagemaker, *names)

    async def scenario() -> list[dict[str, Any]]:
        local_sagemaker.calls.clear()
        waiting = [asyncio.ensure_future(payload(name)) for name in names]
        waiting[7].cancel()
        await asyncio.sleep(5)
        calm = [call.operation for call in local_sagemaker.calls]
        assert calm.count("ListTrainingJobs") > 3
        assert calm.count("DescribeTrainingJob") <= 10, "one each would be 400"
        await asyncio.to_thread(stop, local_sagemaker, *names)
        return await asyncio.wait_for(asyncio.gather(*waiting[:7], *waiting[8:]), 30)

    fired = asyncio.run(scenario())
    assert [each["identifiers"]["TrainingJobName"] for each in fired] == names[:7] + names[8:]
    assert not any("error" in each for each in fired)


def test_triggers_wait_at_the_rates_of_the_service(local_sagemaker: Any) -> None:
    names = [f"job-{number}" for number in range(12)]
    hanging(local_sagemaker, *names)
    refusals = [
        local_sagemaker.faults.add("throttling", operation=operation, per_second=0.2, times=None)
        for operation in ("ListTrainingJobs", "DescribeTrainingJob")
    ]

    async def scenario() -> list[dict[str, Any]]:
        waiting = [asyncio.ensure_future(payload(name, 1)) for name in names]
        end = time.monotonic() + 30
        while not any(map(local_sagemaker.faults.hits, refusals)):
            assert time.monotonic() < end
            await asyncio.sleep(0.1)
        await asyncio.to_thread(stop, local_sagemaker, *names)
        return await asyncio.wait_for(asyncio.gather(*waiting), 60)

    assert [each for each in asyncio.run(scenario()) if "error" in each] == []


def test_a_deleted_job_ends_its_trigger_only(local_sagemaker: Any) -> None:
    hanging(local_sagemaker, "a", "b", "c")

    async def scenario() -> list[dict[str, Any]]:
        waiting = [asyncio.ensure_future(payload(name)) for name in ("a", "b", "c")]
        await asyncio.sleep(1)
        local_sagemaker.store.remove("us-west-2", "TrainingJob", "b")
        local_sagemaker.faults.add(kind="error", operation="ListTrainingJobs", code="AccessDeniedException", status=400)
        gone = await asyncio.wait_for(waiting[1], 20)
        assert not waiting[0].done()
        await asyncio.to_thread(stop, local_sagemaker, "a", "c")
        return [gone, *await asyncio.wait_for(asyncio.gather(waiting[0], waiting[2]), 20)]

    gone, *others = asyncio.run(scenario())
    assert "Requested resource not found" in gone["error"]
    assert not any("error" in each for each in others)


@pytest.mark.parametrize("code", ["ExpiredTokenException", "AccessDeniedException", "InvalidSignatureException"])
def test_refused_credentials_end_the_waiting_and_leave_the_job(local_sagemaker: Any, code: str) -> None:
    hanging(local_sagemaker, "a", "b")

    async def scenario() -> list[dict[str, Any]]:
        waiting = [asyncio.ensure_future(payload(name)) for name in ("a", "b")]
        await asyncio.sleep(1)
        local_sagemaker.faults.add(kind="error", code=code, message="no", status=400, times=None)
        return await asyncio.wait_for(asyncio.gather(*waiting), 20)

    for each in asyncio.run(scenario()):
        assert code in each["error"]
        assert each["error"].endswith("what it waited for was left running")
    local_sagemaker.faults.clear()
    assert local_sagemaker.call("DescribeTrainingJob", {"TrainingJobName": "a"})["TrainingJobStatus"] == "InProgress"


def test_credentials_that_expire_are_read_again(local_sagemaker: Any) -> None:
    hanging(local_sagemaker, "a")

    async def scenario() -> dict[str, Any]:
        waiting = asyncio.ensure_future(payload("a"))
        await asyncio.sleep(1)
        expired = local_sagemaker.faults.add(kind="error", code="ExpiredTokenException", status=400)
        while not local_sagemaker.faults.hits(expired):
            await asyncio.sleep(0.1)
        await asyncio.to_thread(stop, local_sagemaker, "a")
        return await asyncio.wait_for(waiting, 20)

    assert "error" not in asyncio.run(scenario())


@pytest.mark.parametrize("body", ["", "{}", "<html>busy</html>", '{"TrainingJobStatus": "Paused"}', '{"Training'])
def test_unreadable_answers_are_an_error_when_they_go_on(local_sagemaker: Any, body: str) -> None:
    hanging(local_sagemaker, "a", "b")
    few = local_sagemaker.faults.add(kind="answer", operation="Describe*", body=body, times=2, name="a")
    local_sagemaker.faults.add(kind="answer", operation="List*", body=body, times=None)
    local_sagemaker.faults.add(kind="answer", operation="Describe*", body=body, times=None, name="b")

    async def scenario() -> list[dict[str, Any]]:
        waiting = [asyncio.ensure_future(payload(name, 0.2)) for name in ("a", "b")]
        await asyncio.wait_for(asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED), 20)
        await asyncio.to_thread(stop, local_sagemaker, "a", "b")
        return await asyncio.wait_for(asyncio.gather(*waiting), 20)

    good, bad = asyncio.run(scenario())
    assert "error" not in good
    assert "the DescribeTrainingJob response has no status" in bad["error"] or "unknown status 'Paused'" in bad["error"]
    assert local_sagemaker.faults.hits(few) == 2


def test_a_job_that_ends_at_the_deadline_is_no_timeout(local_sagemaker: Any) -> None:
    hanging(local_sagemaker, "a")
    stop(local_sagemaker, "a")
    while local_sagemaker.call("DescribeTrainingJob", {"TrainingJobName": "a"})["TrainingJobStatus"] != "Stopped":
        time.sleep(0.05)
    assert "error" not in asyncio.run(payload("a", deadline=time.time() - 1))
