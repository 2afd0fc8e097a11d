"""Waiting for many things in one process: who waits is told what is seen, and everything is looked at together."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, Generic, TypeAlias, TypeVar

GATHERING: Final = 1.0
"""Seconds (a tenth of the interval, if that is less) in which waiters that begin together are collected."""
FIRST_RETRY: Final = 0.1
"""Part of the interval after which a look with passing faults is repeated; doubled each time up to the interval."""

T = TypeVar("T")


@dataclass(eq=False)
class Subject(Generic[T]):
    """Something that is waited for.

    :param identifiers: members of its Describe request.
    :param waiters: queue of each who waits, which gets what is seen, and at last ``None`` or an error -> its interval in
        seconds.
    :param last: what was seen last; ``None`` before the first look.
    :param over: nothing more will be seen of it.
    :param doubts: how many more times it is looked at closely, because something says that it has changed.
    :param unreadable: how many answers in a row could not be read.
    """

    identifiers: Mapping[str, Any]
    waiters: dict[asyncio.Queue[T | Exception | None], float] = field(default_factory=dict)
    last: T | None = None
    over: bool = False
    doubts: int = 0
    unreadable: int = 0

    def tell(self, seen: T, over: bool) -> None:
        """Pass on what was seen, if it is news.

        :param over: nothing more will be seen.
        """
        if seen != self.last:
            self._put(seen)
        if over:
            self._put(None)
        self.last, self.over = seen, over

    def fail(self, error: Exception) -> None:
        """Pass on why no more can be seen."""
        self._put(error)
        self.over = True

    def _put(self, item: T | Exception | None) -> None:
        for queue in self.waiters:
            queue.put_nowait(item)


Look: TypeAlias = "Callable[[list[Subject[T]], bool], Awaitable[bool]]"
"""Looks at subjects and tells them: (subjects, whether these are all there are) -> whether no passing fault kept it from it.

An error that it raises ends the waiting for these subjects.
"""


class Poller(Generic[T]):
    """Looks at subjects again and again, for as long as someone waits.

    :param look: how to look at them.
    :param stretch: how many times longer intervals are at present.
    :param end: called when nobody waits any more.
    """

    def __init__(
        self, look: Look[T], stretch: Callable[[], float] = lambda: 1.0, end: Callable[[], object] = lambda: None
    ) -> None:
        self._look, self._stretch, self._end = look, stretch, end
        self._subjects: dict[Hashable, Subject[T]] = {}
        self._urgent: set[Hashable] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Future[None] | None = None

    @contextmanager
    def waiting(self, identifiers: Mapping[str, Any], interval: float) -> Iterator[asyncio.Queue[T | Exception | None]]:
        """A queue of what is seen of a subject, for the time of a ``with`` block.

        :param identifiers: members of its Describe request.
        :param interval: most seconds between two looks; the shortest of all waiters counts.
        """
        key = _key(identifiers)
        queue: asyncio.Queue[T | Exception | None] = asyncio.Queue()
        subject = self._subjects.get(key)
        if subject is None or subject.over:
            subject = self._subjects[key] = Subject(identifiers)
        subject.waiters[queue] = interval
        if subject.last is None:
            self._hurry(key)
        else:
            queue.put_nowait(subject.last)
        if self._task is None:  # in a context of its own: the log of a trigger ends with the trigger
            self._task = contextvars.Context().run(asyncio.ensure_future, self._run())
        try:
            yield queue
        finally:
            del subject.waiters[queue]
            if not subject.waiters and self._subjects.get(key) is subject:
                del self._subjects[key]
                self._wake.set()

    async def watch(self, identifiers: Mapping[str, Any], interval: float) -> AsyncGenerator[T, None]:
        """What is seen of a subject, each time it has changed, to its end. Close it to wait no more.

        :raises Exception: what makes further looks impossible.
        """
        with self.waiting(identifiers, interval) as queue:
            while True:
                seen = await queue.get()
                if seen is None:
                    return
                if isinstance(seen, Exception):
                    raise seen
                yield seen

    def changed(self, identifiers: Mapping[str, Any]) -> bool:
        """Look at a subject at once, because something says that it has changed. Returns whether anyone waits for it."""
        key = _key(identifiers)
        if key not in self._subjects:
            return False
        self._subjects[key].doubts += 1
        self._hurry(key)
        return True

    def reckon(self) -> None:
        """Reckon anew when the next look is due, because ``stretch`` has changed."""
        self._wake.set()

    def _hurry(self, key: Hashable) -> None:
        self._urgent.add(key)
        self._wake.set()

    async def _run(self) -> None:
        loop, last, part, failures = asyncio.get_running_loop(), -inf, 1.0, 0
        try:
            while self._subjects:
                due = last + part * self._interval()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), max(0.0, due - loop.time()))
                self._wake.clear()
                if self._urgent:
                    await asyncio.sleep(min(GATHERING, self._shortest() / 10))
                everything = loop.time() >= last + part * self._interval()
                able = await self._look_at(everything)
                failures = 0 if able else failures + 1
                if everything or failures:
                    last = loop.time()
                    part = min(1.0, FIRST_RETRY * 2 ** (failures - 1)) if failures else 1.0
                    part *= random.uniform(0.8, 1)  # noqa: S311 - no secret
        finally:
            self._task = None
            self._end()

    def _interval(self) -> float:
        return self._shortest() * self._stretch()

    def _shortest(self) -> float:
        return min((each for subject in self._subjects.values() for each in subject.waiters.values()), default=0.0)

    async def _look_at(self, everything: bool) -> bool:
        keys = self._subjects.keys() if everything else self._urgent & self._subjects.keys()
        subjects = [self._subjects[key] for key in keys]
        self._urgent.clear()
        try:
            return not subjects or await self._look(subjects, everything)
        except Exception as error:  # it is raised where someone waits
            for subject in subjects:
                subject.fail(error)
            return True
        finally:
            self._subjects = {key: subject for key, subject in self._subjects.items() if not subject.over}


def _key(identifiers: Mapping[str, Any]) -> Hashable:
    return tuple(sorted((member, str(value)) for member, value in identifiers.items()))
