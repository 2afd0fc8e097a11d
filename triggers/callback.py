"""Waiting for the answer of a Callback step's worker."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import TriggerEvent

from sagemaker_provider.hooks.failures import passing
from sagemaker_provider.triggers.calls import in_thread
from sagemaker_provider.triggers.interrupts import InterruptibleTrigger

LONG_POLL_SECONDS = 20
"""Longest time SQS holds a receive call open."""


def receive_answer(hook: Any, queue_url: str, token: str) -> dict[str, Any] | None:
    """Wait up to :data:`LONG_POLL_SECONDS` for the answer on a queue; other messages are left alone."""
    request = {"QueueUrl": queue_url, "WaitTimeSeconds": LONG_POLL_SECONDS, "MaxNumberOfMessages": 1}
    for message in hook.call("ReceiveMessage", request).get("Messages", ()):
        answer = json.loads(message["Body"])
        if answer.get("token") == token:
            return answer  # type: ignore[no-any-return]
    return None


class CallbackAnswerTrigger(InterruptibleTrigger):
    """Fires once, with the worker's answer: ``{"identifiers": ..., "answer": {...}}``, or ``{"identifiers": ..., "error": text}``.

    :param queue_url: queue that takes the answer.
    :param token: token of the callback.
    :param work_queue_url: queue from which the worker took the message.
    :param stop_message: what is put there when a person or the deadline ends the waiting.
    :param deadline: time (seconds since 1970) after which the event is an error; Airflow's own timeout of a deferred task
        would not tell the worker.
    """

    def __init__(
        self,
        *,
        queue_url: str,
        token: str,
        work_queue_url: str = "",
        stop_message: str = "",
        deadline: float | None = None,
        **aws: Any,
    ) -> None:
        super().__init__()
        self.queue_url = queue_url
        self.token = token
        self.work_queue_url = work_queue_url
        self.stop_message = stop_message
        self.deadline = deadline
        self.set_aws(**aws)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and arguments from which another process makes the same trigger."""
        own = {
            "queue_url": self.queue_url,
            "token": self.token,
            "work_queue_url": self.work_queue_url,
            "stop_message": self.stop_message,
            "deadline": self.deadline,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", {**own, **self.aws_settings}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Receive until the answer is there."""
        try:
            payload = await self._receive()
        except asyncio.CancelledError:
            await self.cancelled()
            raise
        yield TriggerEvent(payload)

    async def _receive(self) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        identifiers = {"queue": self.queue_url}
        hook = self.aws_hook("sqs")
        while True:
            try:
                answer = await in_thread(receive_answer, hook, self.queue_url, self.token)
            except (BotoCoreError, ClientError, ValueError) as error:
                if passing(error) is None:
                    return {"identifiers": identifiers, "error": str(error)}
                self.log.warning("Receiving from %s failed, trying again: %s", self.queue_url, error)
                await asyncio.sleep(LONG_POLL_SECONDS)
                continue
            if answer is not None:
                return {"identifiers": identifiers, "answer": answer}
            if self.deadline is not None and time.time() >= self.deadline:
                await self.stop_work()
                return {"identifiers": identifiers, "error": "timeout"}

    async def stop_work(self) -> None:
        """Tell the worker to stop."""
        if self.stop_message:
            request = {"QueueUrl": self.work_queue_url, "MessageBody": self.stop_message}
            await in_thread(self.aws_hook("sqs").call, "SendMessage", request)
