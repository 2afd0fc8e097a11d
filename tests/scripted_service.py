"""A service that lists and describes training jobs as a script says, in the time of the event loop."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.exceptions import ClientError

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
PAGE = 100


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Op")


class Service:
    """Training jobs; ``faults[operation]`` are errors of the next calls, or whole answers; ``lag`` makes Lists late.

    :param skew: how far the clock of the service is ahead of ours, in seconds.
    """

    def __init__(self, skew: float = 0.0) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, deque[Any]] = defaultdict(deque)
        self.lag, self.skew = 0.0, skew
        self.begun = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time() - self.begun + self.skew)

    def create(self, name: str) -> dict[str, Any]:
        """A job that has begun."""
        now = self.now()
        self.jobs[name] = {
            "TrainingJobName": name,
            "CreationTime": now,
            "LastModifiedTime": now,
            "TrainingJobStatus": "InProgress",
        }
        return {"TrainingJobName": name}

    def end(self, name: str, status: str = "Completed") -> None:
        """A job has ended."""
        self.jobs[name] = {**self.jobs[name], "TrainingJobStatus": status, "LastModifiedTime": self.now()}

    async def call(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """As :meth:`sagemaker_provider.triggers.calls.Calls.call`."""
        self.calls[operation] += 1
        await asyncio.sleep(0.05)
        if self.faults[operation]:
            fault = self.faults[operation].popleft()
            if isinstance(fault, Exception):
                raise fault
            return dict(fault)
        if operation == "ListTrainingJobs":
            return self._list(request)
        name = request["TrainingJobName"]
        if name not in self.jobs:
            raise refusal("ResourceNotFound")
        return {"TrainingJobStatus": self.jobs[name]["TrainingJobStatus"]}

    def _list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        jobs = [
            {**job, "TrainingJobStatus": "InProgress", "LastModifiedTime": job["CreationTime"]}
            if (self.now() - job["LastModifiedTime"]).total_seconds() < self.lag
            else job
            for job in self.jobs.values()
        ]
        after = datetime.fromisoformat(request.get("LastModifiedTimeAfter", "2000-01-01T00:00:00+00:00"))
        jobs = sorted(
            (job for job in jobs if job["LastModifiedTime"] > after), key=lambda job: job["CreationTime"], reverse=True
        )
        first = int(request.get("NextToken", 0))
        page = [{**job, "LastModifiedTime": job["LastModifiedTime"].isoformat()} for job in jobs[first : first + PAGE]]
        more = {"NextToken": str(first + PAGE)} if first + PAGE < len(jobs) else {}
        return {"TrainingJobSummaries": page, **more}
