"""What everything that waits with the same settings in an event loop shares: AWS clients, pollers, and a queue of events."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from sagemaker_provider.hooks import events
from sagemaker_provider.triggers.calls import Calls
from sagemaker_provider.triggers.poller import Look, Poller

STRETCH: Final = 10.0
"""How many times longer intervals are where events say what has changed."""
LONG_POLL_SECONDS: Final = 10
"""How long SQS holds a receive call open."""
RETRY_SECONDS: Final = 30.0
"""How long after a failed receive call comes the next."""

_log = logging.getLogger(__name__)


class Sharing:
    """What is shared, for as long as someone waits.

    :param settings: see :attr:`~sagemaker_provider.hooks.aws.AwsSettings.aws_settings`.
    :param end: called when nobody waits any more.
    """

    def __init__(self, settings: Mapping[str, Any], end: Callable[[], object]) -> None:
        self._calls, self._end = Calls(settings), end
        self._pollers: dict[str, Poller[Any]] = {}
        self._reading: asyncio.Future[None] | None = None
        self._events_come = False

    def poller(self, kind: str, look: Callable[[Calls], Look[Any]]) -> Poller[Any]:
        """The poller of a kind.

        :param kind: Describe operation, or :data:`sagemaker_provider.hooks.events.STEPS`.
        :param look: makes the way to look, if there is no poller yet.
        """
        if self._reading is None:
            self._reading = contextvars.Context().run(asyncio.ensure_future, self._read_events())
        if kind not in self._pollers:
            self._pollers[kind] = Poller(
                look(self._calls),
                stretch=lambda: STRETCH if self._events_come and events.sends(kind) else 1.0,
                end=lambda: self._ended(kind),
            )
        return self._pollers[kind]

    def _ended(self, kind: str) -> None:
        del self._pollers[kind]
        if not self._pollers:
            if self._reading is not None:
                self._reading.cancel()
            self._calls.close()
            self._end()

    async def _read_events(self) -> None:
        """Wake pollers for what the connection's queue of events says; without a queue there is nothing to do.

        A message of which nobody waits for the resource here is left alone: another triggerer may wait for it, and finds
        it on the queue when the visibility timeout is over. What nobody waits for expires.
        """
        url = ""
        while True:
            try:
                if not url:
                    name = (await self._calls.service_config("sagemaker")).get(events.EXTRA)
                    if not name:
                        return
                    url = (await self._calls.call("sqs", "GetQueueUrl", {"QueueName": name}))["QueueUrl"]
                request = {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": LONG_POLL_SECONDS}
                messages = (await self._calls.call("sqs", "ReceiveMessage", request)).get("Messages", ())
                self._events_come = True
                if entries := [message for message in messages if self._is_for_us(message["Body"])]:
                    handles = [
                        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                        for number, message in enumerate(entries)
                    ]
                    await self._calls.call("sqs", "DeleteMessageBatch", {"QueueUrl": url, "Entries": handles})
            except Exception as error:  # whatever keeps events away, polling goes on
                _log.warning("Events cannot be read, polling more often instead: %s", error)
                self._events_come = False
                for poller in self._pollers.values():
                    poller.reckon()
                await asyncio.sleep(RETRY_SECONDS)

    def _is_for_us(self, body: str) -> bool:
        """Wake the pollers of what an event is about; whether anyone waits for it here."""
        try:
            event = json.loads(body)
        except ValueError:
            return False
        subjects = events.subjects_of(event) if isinstance(event, dict) else []
        return any([self._pollers[kind].changed(known) for kind, known in subjects if kind in self._pollers])


_sharings: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Sharing]] = WeakKeyDictionary()


def sharing(settings: Mapping[str, Any]) -> Sharing:
    """What is shared by those who wait in this event loop with the same settings."""
    key = json.dumps(settings, sort_keys=True, default=str)
    known = _sharings.setdefault(asyncio.get_running_loop(), {})
    if key not in known:
        known[key] = Sharing(settings, end=lambda: known.pop(key, None))
    return known[key]
