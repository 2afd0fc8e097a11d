"""Waiting for the answer of a Callback step's worker."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from sagemaker_provider.hooks.aws import AwsSettings

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


class CallbackAnswerTrigger(BaseTrigger, AwsSettings):  # type: ignore[misc]
    """Fires once, with the worker's answer: ``{"answer": {...}}``, or ``{"error": text}``.

    :param queue_url: queue that takes the answer.
    :param token: token of the callback.
    """

    def __init__(self, *, queue_url: str, token: str, **aws: Any) -> None:
        super().__init__()
        self.queue_url = queue_url
        self.token = token
        self.set_aws(**aws)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and arguments from which another process makes the same trigger."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "queue_url": self.queue_url,
            "token": self.token,
            **self.aws_settings,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Receive until the answer is there."""
        import asyncio

        from botocore.exceptions import BotoCoreError, ClientError

        from sagemaker_provider.triggers.step import passes

        receive = sync_to_async(receive_answer, thread_sensitive=False)
        hook = self.aws_hook("sqs")
        while True:
            try:
                answer = await receive(hook, self.queue_url, self.token)
            except (BotoCoreError, ClientError, ValueError) as error:
                if not passes(error):
                    yield TriggerEvent({"identifiers": {"queue": self.queue_url}, "error": str(error)})
                    return
                self.log.warning("Receiving from %s failed, trying again: %s", self.queue_url, error)
                await asyncio.sleep(LONG_POLL_SECONDS)
                continue
            if answer is not None:
                yield TriggerEvent({"answer": answer})
                return
