"""One trigger for everything in the step type table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from airflow.triggers.base import TriggerEvent

from sagemaker_provider.definition.step_types import (
    EMR_CLUSTER,
    EMR_SERVERLESS_APPLICATION,
    PIPELINE_EXECUTION,
    STEP_TYPES,
    Resource,
    State,
    state_of,
)
from sagemaker_provider.hooks.failures import passing
from sagemaker_provider.triggers.calls import in_thread
from sagemaker_provider.triggers.interrupts import InterruptibleTrigger
from sagemaker_provider.triggers.looks import watch

OTHER_RESOURCES = {
    "PipelineExecution": PIPELINE_EXECUTION,
    "EMRCluster": EMR_CLUSTER,
    "EMRServerlessApplication": EMR_SERVERLESS_APPLICATION,
}


def resource_named(kind: str) -> Resource:
    """The resource of a step type, or of one of :data:`OTHER_RESOURCES`.

    :raises KeyError: there is none of this name.
    """
    resource = OTHER_RESOURCES.get(kind) or STEP_TYPES[kind].resource
    if resource is None:
        raise KeyError(f"a {kind} step creates no resource")
    return resource


class SageMakerStepTrigger(InterruptibleTrigger):
    """Waits until a resource is no longer running, then fires once with its identifiers.

    The event says nothing about success; the operator describes the resource and judges. It may find, when List and
    Describe calls differ for a moment, that the resource still runs, and then waits on. A failure of the call itself
    (credentials, deleted resource, answers without a known status) is the event ``{"error": text}``; throttling and other
    passing faults are waited out. All triggers of a process share their calls, see :mod:`sagemaker_provider.triggers.looks`.

    :param kind: step type, ``PipelineExecution`` or another key of :data:`OTHER_RESOURCES`.
    :param identifiers: members with which the resource is described.
    :param poll_interval: most seconds between two looks.
    :param deadline: time (seconds since 1970) after which the resource is stopped and the event is an error; Airflow's own
        timeout of a deferred task would leave it running.
    :param on_interrupt: ``leave``: do not stop the resource, neither then nor when the task is cleared or marked.
    """

    def __init__(
        self,
        *,
        kind: str,
        identifiers: dict[str, Any],
        poll_interval: float = 30,
        deadline: float | None = None,
        on_interrupt: str = "stop",
        **aws: Any,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.identifiers = identifiers
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.on_interrupt = on_interrupt
        self.set_aws(**aws)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and arguments from which another process makes the same trigger."""
        own = {
            "kind": self.kind,
            "identifiers": self.identifiers,
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
            "on_interrupt": self.on_interrupt,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", {**own, **self.aws_settings}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until the resource has ended."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            payload = await self._wait()
        except asyncio.CancelledError:
            await self.cancelled()
            raise
        except (BotoCoreError, ClientError, ValueError) as error:
            payload = {"identifiers": self.identifiers, "error": f"{error}{_what_runs_on(error)}"}
        yield TriggerEvent(payload)

    async def _wait(self) -> dict[str, Any]:
        seen = watch(resource_named(self.kind), self.identifiers, self.poll_interval, self.aws_settings)
        async with aclosing(seen):
            while True:
                left = None if self.deadline is None else self.deadline - time.time()
                try:
                    state, status = await asyncio.wait_for(anext(seen), left)
                except asyncio.TimeoutError:
                    return await self._give_up()
                self.log.info("%s: %s", self.identifiers, status)
                if state is not State.RUNNING:
                    return {"identifiers": self.identifiers}

    async def _give_up(self) -> dict[str, Any]:
        """The event after the deadline: the resource is stopped, unless it has just ended."""
        from botocore.exceptions import BotoCoreError, ClientError

        resource = resource_named(self.kind)
        hook = self.aws_hook(resource.service)
        while True:
            try:
                if (
                    state_of(resource, await in_thread(hook.describe, resource, self.identifiers))[0]
                    is not State.RUNNING
                ):
                    return {"identifiers": self.identifiers}
                if self.on_interrupt == "leave":
                    return {"identifiers": self.identifiers, "error": "timeout, it was left running"}
                stopped = await in_thread(hook.stop, resource, self.identifiers)
            except (BotoCoreError, ClientError) as error:
                if passing(error) is None:
                    raise
                self.log.warning("Stopping %s failed, trying again: %s", self.identifiers, error)
                await asyncio.sleep(self.poll_interval)
            else:
                done = "asked the service to stop it" if stopped else "it cannot be stopped"
                return {"identifiers": self.identifiers, "error": f"timeout, {done}"}

    async def stop_work(self) -> None:
        """Stop the resource, unless it is to be left."""
        if self.on_interrupt == "stop":
            resource = resource_named(self.kind)
            await in_thread(self.aws_hook(resource.service).stop, resource, self.identifiers)


def _what_runs_on(error: Exception) -> str:
    """The end of the sentence for an error that says nothing about the resource, but about the right to ask."""
    code = error.response["Error"].get("Code", "") if hasattr(error, "response") else type(error).__name__
    refused = any(word in code for word in ("Token", "Signature", "AccessDenied", "UnrecognizedClient", "Credentials"))
    return "; what it waited for was left running" if refused else ""
