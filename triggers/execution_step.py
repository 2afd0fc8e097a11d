"""Waiting for steps of a pipeline execution."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import TriggerEvent

from sagemaker_provider.definition.step_types import EXECUTION_STEP_STATES, State
from sagemaker_provider.triggers.calls import in_thread
from sagemaker_provider.triggers.interrupts import InterruptibleTrigger


class SageMakerExecutionStepTrigger(InterruptibleTrigger):
    """Waits until the steps that a task stands for have ended, or the execution has, then fires once.

    The event has the ``execution``, and an ``error`` where waiting was not possible; the task looks and judges. All triggers
    of a process that wait for steps of one execution share one List call.

    :param execution: ARN of the execution.
    :param steps: for each step that is waited for, how to find it, see :func:`row_of`.
    :param told: end times of runs of these steps whose failure an earlier try of the task has told.
    :param poll_interval: most seconds between two looks.
    :param deadline: time (seconds since 1970) after which the execution is stopped and the event is an error.
    """

    def __init__(
        self,
        *,
        execution: str,
        steps: list[dict[str, Any]],
        told: Sequence[str] = (),
        poll_interval: float = 30,
        deadline: float | None = None,
        **aws: Any,
    ) -> None:
        super().__init__()
        self.execution = execution
        self.steps = steps
        self.told = list(told)
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.set_aws(**aws)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and arguments from which another process makes the same trigger."""
        own = {name: getattr(self, name) for name in ("execution", "steps", "told", "poll_interval", "deadline")}
        return f"{type(self).__module__}.{type(self).__qualname__}", {**own, **self.aws_settings}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until the steps have ended."""
        from botocore.exceptions import BotoCoreError, ClientError

        event: dict[str, Any] = {"identifiers": {"PipelineExecutionArn": self.execution}}
        try:
            if not await self._wait():
                await self.stop_work()
                event["error"] = "timeout, asked the service to stop the execution"
        except asyncio.CancelledError:
            await self.cancelled()
            raise
        except (BotoCoreError, ClientError, ValueError, AirflowException) as error:
            event["error"] = str(error)
        yield TriggerEvent(event)

    async def _wait(self) -> bool:
        """Whether the steps have ended before the deadline."""
        from sagemaker_provider.triggers.looks import watch_execution

        async with aclosing(watch_execution(self.execution, self.poll_interval, self.aws_settings)) as seen:
            while True:
                left = None if self.deadline is None else self.deadline - time.time()
                try:
                    state, status, rows = await asyncio.wait_for(anext(seen), left)
                except asyncio.TimeoutError:
                    return False
                self.log.info("%s: %s", self.execution, status)
                if state is not State.RUNNING or ended(rows, self.steps, self.told):
                    return True

    async def stop_work(self) -> None:
        """Stop the execution."""
        await in_thread(self._stop)

    def _stop(self) -> None:
        self.pipeline_hook().stop(self.execution)


def row_of(rows: Iterable[Mapping[str, Any]], step: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a List call shows of a step; ``None`` when it has not started.

    :param rows: entries of a ListPipelineExecutionSteps response.
    :param step: ``names``, of which at most one runs; with ``index``, the item of the loop of this name.
    """
    for row in rows:
        loop = row.get("IterationContext") or {}
        if (loop.get("ParentStepName", row["StepName"]), loop.get("Index")) in (
            (name, step.get("index")) for name in step["names"]
        ):
            return row
    return None


def ended(rows: Sequence[Mapping[str, Any]], steps: Iterable[Mapping[str, Any]], told: Sequence[str]) -> bool:
    """Whether all steps have succeeded, or one has ended otherwise.

    :param told: end times of runs that count as not there.
    """
    states = []
    for step in steps:
        row = row_of(rows, step)
        state = step_state(row) if row else State.RUNNING
        bad = state in (State.FAILED, State.STOPPED)
        if bad and row is not None and str(row.get("EndTime")) not in told:
            return True
        states.append(State.RUNNING if bad else state)
    return all(state is State.SUCCEEDED for state in states)


def step_state(row: Mapping[str, Any]) -> State:
    """The state of a step that has started.

    :raises ValueError: its status is not known.
    """
    try:
        return EXECUTION_STEP_STATES[row["StepStatus"]]
    except KeyError:
        raise ValueError(f"unknown status {row.get('StepStatus')!r} of the step {row['StepName']!r}") from None
