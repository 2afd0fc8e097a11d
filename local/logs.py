"""Logs of jobs and functions, in the local CloudWatch Logs, where the usual log viewers look for them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

_EVENTS_PER_CALL: Final = 1000
_MAKING: Final = threading.Lock()


class LogStream:
    """A log stream; made with the first lines.

    :param client: boto3 client of CloudWatch Logs.
    :param group: log group, such as ``/aws/sagemaker/TrainingJobs``.
    :param name: log stream, such as ``my-job/algo-1-1700000000``.
    """

    def __init__(self, client: Any, group: str, name: str) -> None:
        self._client, self._made = client, False
        self.group, self.name = group, name

    def write(self, lines: Iterable[str]) -> None:
        """Append lines, with the time of now."""
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines if line]
        if not events:
            return
        if not self._made:
            self._make()
        for first in range(0, len(events), _EVENTS_PER_CALL):
            chunk = events[first : first + _EVENTS_PER_CALL]
            self._client.put_log_events(logGroupName=self.group, logStreamName=self.name, logEvents=chunk)

    def _make(self) -> None:
        exists = self._client.exceptions.ResourceAlreadyExistsException
        missing = self._client.exceptions.ResourceNotFoundException
        names = {"logGroupName": self.group, "logStreamName": self.name}
        with _MAKING, contextlib.suppress(exists):  # moto loses a group that two make at once
            try:
                self._client.create_log_stream(**names)
            except missing:
                with contextlib.suppress(exists):
                    self._client.create_log_group(logGroupName=self.group)
                self._client.create_log_stream(**names)
        self._made = True
