"""Waiting for steps of a pipeline execution, on a local SageMaker."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from pipelines_client import ROLE, definition, processing

from sagemaker_provider.hooks.pipeline import Pipeline, SageMakerPipelineHook
from sagemaker_provider.triggers.execution_step import SageMakerExecutionStepTrigger, ended, row_of


def row(name: str, status: str, end: str = "t1", **members: Any) -> dict[str, Any]:
    return {"StepName": name, "StepStatus": status, "EndTime": end, **members}


LOOP = {"IterationContext": {"ParentStepName": "many", "Index": 1}}


@pytest.mark.parametrize(
    ("rows", "steps", "told", "expected"),
    [
        ([], [{"names": ["a"]}], [], False),
        ([row("a", "Executing")], [{"names": ["a"]}], [], False),
        ([row("a", "Succeeded")], [{"names": ["a"]}], [], True),
        ([row("a-else", "Succeeded")], [{"names": ["a", "a-else"]}], [], True),
        ([row("a", "Succeeded")], [{"names": ["a"]}, {"names": ["b"]}], [], False),
        ([row("a", "Failed")], [{"names": ["a"]}, {"names": ["b"]}], [], True),
        ([row("a", "Stopped")], [{"names": ["a"]}], [], True),
        ([row("a", "Failed")], [{"names": ["a"]}], ["t1"], False),
        ([row("a", "Failed", "t2")], [{"names": ["a"]}], ["t1"], True),
        ([row("item-1", "Succeeded", **LOOP)], [{"names": ["many"], "index": 1}], [], True),
        ([row("item-1", "Succeeded", **LOOP)], [{"names": ["many"], "index": 0}], [], False),
        ([row("many", "Succeeded")], [{"names": ["many"], "index": 0}], [], False),
    ],
)
def test_when_steps_have_ended(rows: Any, steps: Any, told: Any, expected: bool) -> None:
    assert ended(rows, steps, told) is expected


def test_a_step_of_several_branches_is_found_by_any_of_its_names() -> None:
    rows = [row("b", "Succeeded"), row("a-else", "Failed")]
    assert row_of(rows, {"names": ["a", "a-else"]}) == rows[1]
    assert row_of(rows, {"names": ["c"]}) is None


def test_a_status_that_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="unknown status 'Sleeping' of the step 'a'"):
        ended([row("a", "Sleeping")], [{"names": ["a"]}], [])


def started(*steps: dict[str, Any]) -> tuple[SageMakerPipelineHook, str]:
    hook = SageMakerPipelineHook(aws_conn_id=None)
    hook.deploy(Pipeline("p", definition(*steps), role=ROLE))
    return hook, hook.start("p")


def trigger(arn: str, name: str, **options: Any) -> SageMakerExecutionStepTrigger:
    given = SageMakerExecutionStepTrigger(
        execution=arn, steps=[{"names": [name]}], poll_interval=0.05, aws_conn_id=None, **options
    )
    path, arguments = given.serialize()
    assert path == "sagemaker_provider.triggers.execution_step.SageMakerExecutionStepTrigger"
    return SageMakerExecutionStepTrigger(**arguments)


async def event(given: SageMakerExecutionStepTrigger) -> dict[str, Any]:
    async for found in given.run():
        return dict(found.payload)
    raise AssertionError("no event")


def test_many_wait_for_their_steps_with_one_list_at_a_time(local_sagemaker: Any) -> None:
    names = [f"s{number}" for number in range(8)]
    _, arn = started(*(processing(name, entrypoint=["sleep", "1"]) for name in names))
    before = len(local_sagemaker.calls)

    async def wait() -> list[dict[str, Any]]:
        return await asyncio.gather(*(event(trigger(arn, name)) for name in names))

    begin = time.monotonic()
    events = asyncio.run(wait())
    looks = (time.monotonic() - begin) / 0.04 + 2
    assert events == [{"identifiers": {"PipelineExecutionArn": arn}}] * 8
    calls = [call.operation for call in list(local_sagemaker.calls)[before:]]
    assert calls.count("ListPipelineExecutionSteps") <= 2 * looks


def test_it_fires_when_the_execution_ends_without_the_step(local_sagemaker: Any) -> None:
    _, arn = started(processing("bad", entrypoint=["false"]), processing("late", "bad"))
    assert asyncio.run(event(trigger(arn, "late"))) == {"identifiers": {"PipelineExecutionArn": arn}}


def test_a_failure_that_was_told_is_waited_over(local_sagemaker: Any) -> None:
    hook, arn = started(processing("bad", entrypoint=["false"]), processing("slow", entrypoint=["sleep", "1"]))
    asyncio.run(event(trigger(arn, "bad")))
    (told,) = [str(item["EndTime"]) for item in hook.steps(arn) if item["StepName"] == "bad"]
    asyncio.run(event(trigger(arn, "bad", told=[told])))
    assert hook.describe(arn)["PipelineExecutionStatus"] == "Failed"


def test_the_deadline_stops_the_execution(local_sagemaker: Any) -> None:
    hook, arn = started(processing("slow", entrypoint=["sleep", "60"]))
    found = asyncio.run(event(trigger(arn, "slow", deadline=time.time() + 0.2)))
    assert found["error"] == "timeout, asked the service to stop the execution"
    assert hook.describe(arn)["PipelineExecutionStatus"] in ("Stopping", "Stopped")


def test_a_kill_stops_the_execution(local_sagemaker: Any, mocker: Any) -> None:
    hook, arn = started(processing("slow", entrypoint=["sleep", "60"]))
    mocker.patch("sagemaker_provider.triggers.interrupts.current_state", side_effect=["deferred", None])
    asyncio.run(trigger(arn, "slow").on_kill())
    assert hook.describe(arn)["PipelineExecutionStatus"] == "Executing", "only the triggerer goes away"
    asyncio.run(trigger(arn, "slow").on_kill())
    assert hook.describe(arn)["PipelineExecutionStatus"] in ("Stopping", "Stopped")


def test_an_execution_that_is_not_there_is_an_error(local_sagemaker: Any) -> None:
    arn = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/p/execution/abcdefghijkl"
    assert "abcdefghijkl" in asyncio.run(event(trigger(arn, "a")))["error"]
