"""Events wake who waits, whichever triggerer reads them; without them polling goes on."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from quick_loop import run
from scripted_service import Service, refusal

from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, TRAINING_JOB, State
from sagemaker_provider.hooks import events
from sagemaker_provider.triggers import sharing
from sagemaker_provider.triggers.looks import watch, watch_execution

INTERVAL = 30.0


class ServiceWithQueue(Service):
    """A service whose connection names a queue; ``queue`` are the bodies on it."""

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.queue: list[str] = []
        self.deleted = 0

    async def service_config(self, service: str) -> dict[str, Any]:
        return {events.EXTRA: "queue"}

    def close(self) -> None:
        """There are no threads."""

    def end(self, name: str, status: str = "Completed") -> None:
        super().end(name, status)
        detail = {"TrainingJobName": name, "TrainingJobStatus": status}
        self.queue.append(json.dumps({"detail-type": "SageMaker Training Job State Change", "detail": detail}))

    async def call(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if service != "sqs":
            return await super().call(service, operation, request)
        if operation == "GetQueueUrl":
            return {"QueueUrl": "url"}
        if operation == "DeleteMessageBatch":
            self.deleted += len(request["Entries"])
            return {}
        if self.faults[operation]:
            raise self.faults[operation].popleft()
        await asyncio.sleep(1 if self.queue else sharing.LONG_POLL_SECONDS)
        bodies, self.queue = self.queue, []
        return {"Messages": [{"Body": body, "ReceiptHandle": "handle"} for body in bodies]}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> list[ServiceWithQueue]:
    """The services that are called; one is made when the first begins to wait."""
    made: list[ServiceWithQueue] = []

    def make(settings: Mapping[str, Any]) -> ServiceWithQueue:
        made.append(ServiceWithQueue())
        return made[-1]

    monkeypatch.setattr(sharing, "Calls", make)
    return made


async def end_of(name: str) -> float:
    """When a waiter is told the end."""
    async for seen in watch(TRAINING_JOB, {"TrainingJobName": name}, INTERVAL, {}):
        if seen.state is not State.RUNNING:
            break
    return asyncio.get_running_loop().time()


async def waiting(services: list[ServiceWithQueue], count: int) -> tuple[ServiceWithQueue, list[asyncio.Task[float]]]:
    """Waiters for jobs that run."""
    sharing.sharing({})  # makes the service
    for number in range(count):
        services[0].create(f"job-{number}")
    tasks = [asyncio.ensure_future(end_of(f"job-{number}")) for number in range(count)]
    await asyncio.sleep(1000)
    return services[0], tasks


def test_an_event_wakes_and_polls_are_rare(services: list[ServiceWithQueue]) -> None:
    async def scenario() -> None:
        service, tasks = await waiting(services, 10)
        assert service.calls.total() <= 1000 / (0.8 * sharing.STRETCH * INTERVAL) + 12
        for number, task in enumerate(tasks):
            ended = asyncio.get_running_loop().time()
            service.end(f"job-{number}")
            assert await task <= ended + 5 + sharing.LONG_POLL_SECONDS
        assert service.deleted >= 8, "a poll may come first"

    run(scenario())


def test_lost_events_are_made_up_by_polls(services: list[ServiceWithQueue]) -> None:
    async def scenario() -> None:
        service, tasks = await waiting(services, 10)
        ended = asyncio.get_running_loop().time()
        for number in range(10):
            service.end(f"job-{number}")
        service.queue = ["no json", "[]", '{"detail-type": "Object Created", "detail": {}}']
        assert max(await asyncio.gather(*tasks)) <= ended + sharing.STRETCH * INTERVAL + 5
        assert service.deleted == 0

    run(scenario())


@pytest.mark.parametrize("code", ["AWS.SimpleQueueService.NonExistentQueue", "AccessDenied", "InternalError"])
def test_polls_are_as_often_as_asked_when_the_queue_fails(services: list[ServiceWithQueue], code: str) -> None:
    async def scenario() -> None:
        service, tasks = await waiting(services, 10)
        service.faults["ReceiveMessage"].extend([refusal(code)] * 1000)
        await asyncio.sleep(sharing.LONG_POLL_SECONDS + 1)
        ended = asyncio.get_running_loop().time()
        for number in range(10):
            service.end(f"job-{number}")
        assert max(await asyncio.gather(*tasks)) <= ended + INTERVAL + 5

    run(scenario())


def test_nothing_goes_on_when_nobody_waits(services: list[ServiceWithQueue]) -> None:
    async def scenario() -> None:
        _, tasks = await waiting(services, 3)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(sharing.LONG_POLL_SECONDS + 1)
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        again = asyncio.ensure_future(end_of("job-0"))
        await asyncio.sleep(1)
        assert len(services) == 2
        again.cancel()

    run(scenario())


# On the local SageMaker


@pytest.fixture
def queue(local_sagemaker: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings of a connection whose queue gets events."""
    name = f"events-{abs(hash(request.node.name))}"
    events.create(local_sagemaker.client("events"), local_sagemaker.client("sqs"), name)
    extra = {"service_config": {"sagemaker": {events.EXTRA: name}}}
    monkeypatch.setenv("AIRFLOW_CONN_WITH_EVENTS", json.dumps({"conn_type": "aws", "extra": extra}))
    return {"aws_conn_id": "with_events"}


def job(local: Any, name: str) -> None:
    local.faults.add("hang", operation="CreateProcessingJob", times=None)
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    local.client("sagemaker").create_processing_job(
        ProcessingJobName=name,
        RoleArn="arn:aws:iam::123456789012:role/Job",
        AppSpecification={"ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"},
        ProcessingResources={"ClusterConfig": cluster},
    )


async def last(name: str, settings: dict[str, Any], running: threading.Event) -> str:
    """How a processing job has ended, seen by events: polls are too rare."""
    from sagemaker_provider.definition.step_types import PROCESSING_JOB

    status = ""
    async for seen in watch(PROCESSING_JOB, {"ProcessingJobName": name}, 3600, settings):
        status = seen.status
        running.set()
    return status


def stop_when_watched(local: Any, name: str, running: threading.Event) -> None:
    assert running.wait(30)
    local.client("sagemaker").stop_processing_job(ProcessingJobName=name)


def test_an_event_of_the_service_wakes(local_sagemaker: Any, queue: dict[str, Any]) -> None:
    job(local_sagemaker, "a")
    running = threading.Event()

    async def scenario() -> str:
        told = asyncio.ensure_future(last("a", queue, running))
        await asyncio.to_thread(stop_when_watched, local_sagemaker, "a", running)
        return await asyncio.wait_for(told, 60)

    assert asyncio.run(scenario()) == "Stopped"


def test_two_triggerers_read_one_queue(local_sagemaker: Any, queue: dict[str, Any]) -> None:
    ends: dict[str, str] = {}
    running = {name: threading.Event() for name in ("a", "b")}

    def triggerer(name: str) -> None:
        ends[name] = asyncio.run(asyncio.wait_for(last(name, queue, running[name]), 90))

    for name in running:
        job(local_sagemaker, name)
    threads = [threading.Thread(target=triggerer, args=(name,)) for name in running]
    for thread in threads:
        thread.start()
    for name, event in running.items():
        stop_when_watched(local_sagemaker, name, event)
    for thread in threads:
        thread.join()
    assert ends == {"a": "Stopped", "b": "Stopped"}


def test_an_execution_and_its_steps_wake(local_sagemaker: Any, queue: dict[str, Any]) -> None:
    local_sagemaker.faults.add("hang", operation="CreateProcessingJob", times=None)
    client = local_sagemaker.client("sagemaker")
    arguments = {
        "AppSpecification": {"ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"},
        "RoleArn": "arn:aws:iam::123456789012:role/Job",
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
    }
    steps = [
        {"Name": "first", "Type": "Processing", "Arguments": arguments},
        {"Name": "never", "Type": "Processing", "Arguments": arguments, "DependsOn": ["first"]},
    ]
    client.create_pipeline(
        PipelineName="p",
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": steps}),
        RoleArn="arn:aws:iam::123456789012:role/Pipe",
    )
    arn = client.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]

    async def scenario() -> None:
        execution = watch(PIPELINE_EXECUTION, {"PipelineExecutionArn": arn}, 3600, queue)
        several = [watch_execution(arn, 3600, queue) for _ in range(3)]
        assert (await anext(execution)).state is State.RUNNING
        for each in several:
            seen = await anext(each)
            while not seen.steps:  # the first look may come before the first step
                seen = await asyncio.wait_for(anext(each), 60)
            assert [step["StepName"] for step in seen.steps] == ["first"]
        await asyncio.to_thread(client.stop_pipeline_execution, PipelineExecutionArn=arn, ClientRequestToken="t" * 32)
        for each in several:
            while seen.state is State.RUNNING:
                seen = await asyncio.wait_for(anext(each), 60)
            assert (seen.status, [step["StepStatus"] for step in seen.steps]) == ("Stopped", ["Stopped"])
            await each.aclose()
        while (await asyncio.wait_for(anext(execution), 60)).state is State.RUNNING:
            pass
        await execution.aclose()

    asyncio.run(scenario())
    looked = [call.operation for call in local_sagemaker.calls if call.operation == "ListPipelineExecutionSteps"]
    assert len(looked) < 15, "one List for all who wait"
