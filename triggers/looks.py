"""How resources and pipeline executions are looked at together.

List calls show what is running and what has ended. Described are what they do not show, what an event names, what may
run again after an end, and in each look a small share of all: what no List shows is seen after :data:`SAFETY_NET` looks at
the latest.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Any, Final, NamedTuple

from sagemaker_provider.definition.step_types import (
    EXECUTION_STEP_STATES,
    PIPELINE_EXECUTION,
    Resource,
    State,
    state_of,
)
from sagemaker_provider.hooks.events import STEPS
from sagemaker_provider.hooks.failures import passing
from sagemaker_provider.triggers import listing
from sagemaker_provider.triggers.calls import Calls
from sagemaker_provider.triggers.poller import Subject
from sagemaker_provider.triggers.sharing import sharing

SAFETY_NET: Final = 120
"""In how many looks each resource is described, whatever the List calls show."""
PATIENCE: Final = 3
"""How many answers in a row may be unreadable, and how many Lists in a row of no use, before that has consequences."""
PAUSE: Final = 10
"""For how many looks resources are described instead of listed, where Lists were of no use."""

_log = logging.getLogger(__name__)


class Seen(NamedTuple):
    """What a List or Describe call has shown of a resource: its state, and the status in the service's words."""

    state: State
    status: str


class ExecutionSeen(NamedTuple):
    """What was seen of a pipeline execution.

    :param state: ``RUNNING`` until a Describe call says that it has ended.
    :param status: the status in the service's words.
    :param steps: entries of the ListPipelineExecutionSteps response as JSON, in the order of their start. When the
        execution has ended these are final.
    """

    state: State
    status: str
    steps: list[dict[str, Any]]


async def watch(
    resource: Resource, identifiers: Mapping[str, Any], interval: float, settings: Mapping[str, Any]
) -> AsyncGenerator[Seen, None]:
    """The status of a resource, each time it has changed; the last is no longer running.

    All who wait in an event loop with the same settings for resources of a kind share their calls.

    :param resource: row of the kind in the step type table.
    :param identifiers: members of its Describe request.
    :param interval: most seconds between two looks.
    :param settings: see :attr:`~sagemaker_provider.hooks.aws.AwsSettings.aws_settings`.
    :raises ValueError: the service's answers have no status, or an unknown one.
    :raises botocore.exceptions.ClientError: the service refused for a reason that does not pass by itself.
    :raises botocore.exceptions.BotoCoreError: no call can be made, for example without credentials.
    """
    poller = sharing(settings).poller(resource.describe, lambda calls: ResourceLooks(resource, calls).look)
    async with aclosing(poller.watch(identifiers, interval)) as seen:
        async for each in seen:
            yield each


async def watch_execution(
    arn: str, interval: float, settings: Mapping[str, Any]
) -> AsyncGenerator[ExecutionSeen, None]:
    """A pipeline execution with its steps, each time something has changed; the last is no longer running.

    One List call for each look, however many wait for steps of the execution.

    :param arn: of the execution.
    :param interval: most seconds between two looks.
    :param settings: see :attr:`~sagemaker_provider.hooks.aws.AwsSettings.aws_settings`.
    :raises Exception: see :func:`watch`.
    """
    poller = sharing(settings).poller(STEPS, lambda calls: ExecutionLooks(calls).look)
    async with aclosing(poller.watch({"PipelineExecutionArn": arn}, interval)) as seen:
        async for each in seen:
            yield each


@dataclass
class _Scope:
    """What is known about the List calls of one scope.

    :param since: by the clock of the service, a time up to which all changes have been listed; ``None`` before the first
        List of everything.
    :param at: by the clock of the event loop, a time at which ``since`` had come.
    :param useless: how many Lists in a row have failed, or had too many pages.
    :param pause: for how many looks resources are described instead.
    """

    since: datetime | None = None
    at: float = 0
    useless: int = 0
    pause: float = 0


class ResourceLooks:
    """Looks at resources of one kind.

    :param resource: row of the kind in the step type table.
    :param calls: how AWS is called.
    """

    def __init__(self, resource: Resource, calls: Calls) -> None:
        self._resource, self._calls = resource, calls
        self._scopes: dict[Any, _Scope] = defaultdict(_Scope)
        self._described: dict[Subject[Seen], int] = {}
        self._looks = 0

    async def look(self, subjects: list[Subject[Seen]], everything: bool) -> bool:
        """See :data:`~sagemaker_provider.triggers.poller.Look`."""
        scopes: dict[Any, list[Subject[Seen]]] = defaultdict(list)
        rows = self._resource.listing
        for subject in subjects:
            scopes[listing.scope_of(rows, subject.identifiers) if rows else None].append(subject)
        able, chosen = True, []
        for scope, members in scopes.items():
            listed, unlisted = await self._list(scope, members, everything)
            able &= listed
            chosen += unlisted
        chosen += [subject for subject in subjects if subject.doubts]
        if everything:
            self._scopes = defaultdict(_Scope, {scope: self._scopes[scope] for scope in scopes})
            chosen += self._safety_net(subjects)
        described = (self._describe(subject) for subject in dict.fromkeys(chosen) if not subject.over)
        return all([able, *await asyncio.gather(*described)])

    def _safety_net(self, subjects: list[Subject[Seen]]) -> list[Subject[Seen]]:
        """Those that were not described for long; new ones take their first turn at different times."""
        self._looks += 1
        self._described = {
            subject: self._described.get(subject, self._looks - random.randrange(SAFETY_NET))  # noqa: S311 - no secret
            for subject in subjects
        }
        return [subject for subject, look in self._described.items() if self._looks - look >= SAFETY_NET]

    async def _list(
        self, scope: Any, members: list[Subject[Seen]], everything: bool
    ) -> tuple[bool, list[Subject[Seen]]]:
        """Tell what Lists show.

        :return: whether no passing fault was in the way, and those whose state they do not tell.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        new, known = [subject for subject in members if subject.last is None], self._scopes[scope]
        unknown = members if everything and known.since is None else new
        if everything and known.pause:
            known.pause -= 1
        if scope is None or known.pause or len(members) == 1:
            return True, members if everything else new
        try:
            unlisted = await self._find(scope, known, unknown, everything) if len(unknown) > 1 else unknown
            if everything and unknown is new:
                unlisted += await self._changed(scope, known, members)
        except (BotoCoreError, ClientError, ValueError) as error:
            if not isinstance(error, ValueError) and not passing(error):
                _log.warning("Each resource is described, because they cannot be listed: %s", error)
                known.pause = inf
                return True, members if everything else new
            _log.warning("Listing failed, trying again: %s", error)
            self._count_useless(known)
            return False, new
        return True, unlisted

    async def _find(
        self, scope: Any, known: _Scope, wanted: list[Subject[Seen]], everything: bool
    ) -> list[Subject[Seen]]:
        identifiers = [subject.identifiers for subject in wanted]
        entries = await listing.found(self._ask, self._resource, dict(scope), identifiers, pages=len(wanted))
        if everything:
            known.since, known.at = entries.until, asyncio.get_running_loop().time()
            if entries.complete or known.since:
                known.useless = 0
            else:
                self._count_useless(known)
        return self._tell(wanted, entries)

    async def _changed(self, scope: Any, known: _Scope, members: list[Subject[Seen]]) -> list[Subject[Seen]]:
        assert known.since is not None
        clock = asyncio.get_running_loop().time
        now = known.since + timedelta(seconds=clock() - known.at)
        entries = await listing.changed(self._ask, self._resource, dict(scope), known.since, pages=len(members))
        known.since, known.at = max(now, entries.until or now), clock()
        unlisted = self._tell(members, entries)
        if entries.complete:
            known.useless = 0
            return []
        self._count_useless(known)
        return unlisted

    @staticmethod
    def _count_useless(known: _Scope) -> None:
        known.useless += 1
        if known.useless == PATIENCE:
            known.since, known.useless, known.pause = None, 0, PAUSE

    def _tell(self, subjects: list[Subject[Seen]], entries: listing.Entries) -> list[Subject[Seen]]:
        """Pass on what is listed, or doubt it. Returns what is not listed."""
        rows, unlisted = self._resource.listing, []
        assert rows is not None
        for subject in subjects:
            status = entries.statuses.get(listing.key_of(rows, subject.identifiers))
            state = self._resource.states.get(status or "")
            if status is None:
                unlisted.append(subject)
            elif state is State.RUNNING or (state and rows.final):
                subject.tell(Seen(state, status), over=state is not State.RUNNING)
            else:
                subject.doubts = PATIENCE
        return unlisted

    async def _ask(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return await self._calls.call(self._resource.service, operation, request)

    async def _describe(self, subject: Subject[Seen]) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            state, status = state_of(self._resource, await self._ask(self._resource.describe, subject.identifiers))
        except (BotoCoreError, ClientError, ValueError) as error:
            return not _goes_on(subject, error)
        subject.unreadable, subject.doubts = 0, max(0, subject.doubts - 1)
        self._described[subject] = self._looks
        subject.tell(Seen(state, status), over=state is not State.RUNNING)
        return True


class ExecutionLooks:
    """Looks at pipeline executions and their steps.

    :param calls: how AWS is called.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def look(self, subjects: list[Subject[ExecutionSeen]], everything: bool) -> bool:
        """See :data:`~sagemaker_provider.triggers.poller.Look`."""
        return all(await asyncio.gather(*map(self._look, subjects)))

    async def _look(self, subject: Subject[ExecutionSeen]) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            steps = await self._steps(subject.identifiers)
            last = subject.last
            state, status = (last.state, last.status) if last else (State.RUNNING, "Executing")
            if not any(EXECUTION_STEP_STATES.get(step.get("StepStatus", "")) is State.RUNNING for step in steps):
                description = await self._calls.call("sagemaker", PIPELINE_EXECUTION.describe, subject.identifiers)
                state, status = state_of(PIPELINE_EXECUTION, description)
                if state is not State.RUNNING:
                    steps = await self._steps(subject.identifiers)
        except (BotoCoreError, ClientError, ValueError) as error:
            return not _goes_on(subject, error)
        subject.unreadable = subject.doubts = 0
        subject.tell(ExecutionSeen(state, status, steps), over=state is not State.RUNNING)
        return True

    async def _steps(self, identifiers: Mapping[str, Any]) -> list[dict[str, Any]]:
        request = {**identifiers, "SortOrder": "Ascending", "MaxResults": 100}
        steps: list[dict[str, Any]] = []
        while True:
            response = await self._calls.call("sagemaker", STEPS, request)
            steps += response.get("PipelineExecutionSteps") or []
            if not (token := response.get("NextToken")):
                return steps
            request["NextToken"] = token


def _goes_on(subject: Subject[Any], error: Exception) -> bool:
    """Whether it makes sense to look again after an error; otherwise those who wait are told."""
    if isinstance(error, ValueError):
        subject.unreadable += 1
        hopeless = subject.unreadable == PATIENCE
    else:
        hopeless = passing(error) is None
    if hopeless:
        subject.fail(error)
        return False
    subject.doubts = max(1, subject.doubts)
    _log.warning("Describing %s failed, trying again: %s", dict(subject.identifiers), error)
    return True
