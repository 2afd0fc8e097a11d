"""One trigger for everything in the step type table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from sagemaker_provider.definition.step_types import (
    EMR_CLUSTER,
    EMR_SERVERLESS_APPLICATION,
    PIPELINE_EXECUTION,
    STEP_TYPES,
    Resource,
    State,
    state_of,
)
from sagemaker_provider.hooks.aws import AwsSettings
from sagemaker_provider.hooks.failures import passing

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


class SageMakerStepTrigger(BaseTrigger, AwsSettings):  # type: ignore[misc]
    """Waits until a resource is no longer running, then fires once with its identifiers.

    The event says nothing about success; the operator describes the resource and judges. A failure of the call itself
    (credentials, deleted resource) is the event ``{"error": text}``; throttling and other passing faults are waited out.

    :param kind: step type, ``PipelineExecution`` or another key of :data:`OTHER_RESOURCES`.
    :param identifiers: members with which the resource is described.
    :param poll_interval: seconds between two looks.
    :param deadline: time (seconds since 1970) after which the resource is stopped and the event is an error; Airflow's own
        timeout of a deferred task would leave it running.
    """

    def __init__(
        self,
        *,
        kind: str,
        identifiers: dict[str, Any],
        poll_interval: float = 30,
        deadline: float | None = None,
        **aws: Any,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.identifiers = identifiers
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.set_aws(**aws)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and arguments from which another process makes the same trigger."""
        own = {
            "kind": self.kind,
            "identifiers": self.identifiers,
            "poll_interval": self.poll_interval,
            "deadline": self.deadline,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", {**own, **self.aws_settings}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the resource has ended."""
        from botocore.exceptions import BotoCoreError, ClientError

        resource = resource_named(self.kind)
        hook = self.aws_hook(resource.service)
        describe, stop = (sync_to_async(call, thread_sensitive=False) for call in (hook.describe, hook.stop))
        last = ""
        while True:
            try:
                state, status = state_of(resource, await describe(resource, self.identifiers))
                late = state is State.RUNNING and self.deadline is not None and time.time() >= self.deadline
                stopped = late and await stop(resource, self.identifiers)
            except (BotoCoreError, ClientError) as error:
                if passing(error) is None:
                    yield TriggerEvent({"identifiers": self.identifiers, "error": str(error)})
                    return
                self.log.warning("Describing %s failed, trying again: %s", self.identifiers, error)
            except ValueError as error:
                yield TriggerEvent({"identifiers": self.identifiers, "error": str(error)})
                return
            else:
                if status != last:
                    self.log.info("%s: %s", self.identifiers, status)
                    last = status
                if late:
                    done = "asked the service to stop it" if stopped else "it cannot be stopped"
                    yield TriggerEvent({"identifiers": self.identifiers, "error": f"timeout, {done}"})
                    return
                if state is not State.RUNNING:
                    yield TriggerEvent({"identifiers": self.identifiers})
                    return
            await asyncio.sleep(self.poll_interval)

    async def on_kill(self) -> None:
        """Stop the resource; Airflow 3.3 and later call this when a person clears or marks the waiting task."""
        resource = resource_named(self.kind)
        hook = self.aws_hook(resource.service)
        await sync_to_async(hook.stop, thread_sensitive=False)(resource, self.identifiers)
