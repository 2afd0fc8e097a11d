"""Clocks and uuids while a DAG file loads: the user's code sees a clock that stands still, another one in each world.

What is different in the second world was made from the clock, a uuid or at random, and would be different at every load.
"""

from __future__ import annotations

import builtins
import datetime as real
import hashlib
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from types import ModuleType
from typing import Any, Final

from sagemaker_provider.translator.loading import Loading

CLOCKS: Final = (
    real.datetime(2021, 3, 4, 5, 6, 7, 123456, tzinfo=real.timezone.utc),
    real.datetime(2034, 12, 15, 21, 43, 58, 987654, tzinfo=real.timezone.utc),
)
"""The time in each world. Texts made of them are equally long and differ in most places."""


class _Same(type):
    """``isinstance`` and ``issubclass`` of a stand-in mean the real class."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.__mro__[1])

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.__mro__[1])


def install(loading: Loading) -> Worlds:
    """Let the user's code see the clock of the world in which it loads."""
    from airflow.utils import timezone

    def now(tz: Any = None) -> real.datetime:
        return CLOCKS[loading.world].astimezone(tz)

    def seconds() -> float:
        return CLOCKS[loading.world].timestamp()

    class date(real.date, metaclass=_Same):  # noqa: N801
        """``datetime.date``."""

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return real.date(*args, **kwargs)

        @classmethod
        def today(cls) -> real.date:  # type: ignore[override]
            return now().date()

    class datetime(real.datetime, metaclass=_Same):  # noqa: N801
        """``datetime.datetime``."""

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return real.datetime(*args, **kwargs)

        @classmethod
        def now(cls, tz: Any = None) -> real.datetime:  # type: ignore[override]
            return now(tz) if tz else now().replace(tzinfo=None)

        @classmethod
        def utcnow(cls) -> real.datetime:  # type: ignore[override]
            return now(real.timezone.utc).replace(tzinfo=None)

        @classmethod
        def today(cls) -> real.datetime:  # type: ignore[override]
            return now().replace(tzinfo=None)

    module = ModuleType("datetime")
    module.__dict__.update({**vars(real), "date": date, "datetime": datetime})
    for made in (date, datetime):
        made.__module__, made.__qualname__ = "datetime", made.__name__
    _import_as(loading, {"datetime": module})

    def patch(owner: Any, name: str, instead: Callable[..., Any]) -> None:
        known = getattr(owner, name)

        @wraps(known)
        def either(*args: Any, **kwargs: Any) -> Any:
            return (instead if loading.caller() else known)(*args, **kwargs)

        setattr(owner, name, either)

    patch(time, "time", seconds)
    patch(time, "time_ns", lambda: int(seconds()) * 10**9)
    for known in (time.gmtime, time.localtime, time.ctime):
        patch(time, known.__name__, lambda secs=None, _known=known: _known(seconds() if secs is None else secs))
    strftime, asctime = time.strftime, time.asctime
    patch(time, "strftime", lambda form, t=None, /: strftime(form, t or time.localtime()))
    patch(time, "asctime", lambda t=None, /: asctime(t or time.localtime()))
    counts = [0, 0]

    def unique(*_: Any) -> uuid.UUID:
        counts[loading.world] += 1
        digits = int(hashlib.sha256(str(counts[loading.world]).encode()).hexdigest()[:32], 16)
        return uuid.UUID(int=digits ^ (2**128 - 1) * loading.world)

    for name in ("uuid1", "uuid4"):
        patch(uuid, name, unique)
    patch(timezone, "utcnow", lambda: now(real.timezone.utc))
    _patch_pendulum(patch, now)
    return Worlds(loading, {id(date): real.date, id(datetime): real.datetime, id(module): real})


def _patch_pendulum(patch: Callable[..., None], now: Callable[..., real.datetime]) -> None:
    import pendulum

    def at(days: int, start: bool) -> Callable[..., Any]:
        def moment(tz: Any = "UTC") -> Any:
            found = pendulum.instance(now(real.timezone.utc)).in_timezone(tz or "UTC").add(days=days)
            return found.start_of("day") if start else found

        return moment

    for name, days, start in (("now", 0, False), ("today", 0, True), ("yesterday", -1, True), ("tomorrow", 1, True)):
        patch(pendulum, name, at(days, start))


def _import_as(loading: Loading, instead: dict[str, Any]) -> None:
    """Let the user's code import modules under the names of others."""
    original = builtins.__import__

    def importer(name: str, around: Any = None, local: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if name in instead and not level and loading.own((around or {}).get("__file__")):
            return instead[name]
        return original(name, around, local, fromlist, level)

    builtins.__import__ = importer  # type: ignore[assignment]


@dataclass
class Worlds:
    """The two worlds of a file.

    :param loading: the file.
    :param stand_ins: identity of each stand-in for a class or module -> what it stands for.
    :param modules: the user's modules of each world that has been left.
    """

    loading: Loading
    stand_ins: dict[int, Any]
    modules: list[dict[str, ModuleType]] = field(default_factory=list)

    def __post_init__(self) -> None:
        random.seed(0)

    def leave(self) -> dict[tuple[str, str], Any]:
        """End a world. The first one's modules come back after the second, with the real classes in them.

        :return: the texts and numbers of the user's modules, by module and name.
        """
        modules = {name: sys.modules.pop(name) for name in list(self.loading.modules())}
        values = {
            (name, key): value
            for name, module in modules.items()
            for key, value in vars(module).items()
            if isinstance(value, (str, int, float, real.datetime)) and not key.startswith("__")
        }
        for module in modules.values():
            content = vars(module)
            content.update(
                {key: self.stand_ins[id(item)] for key, item in content.items() if id(item) in self.stand_ins}
            )
        self.modules.append(modules)
        if self.loading.world:
            sys.modules.update(self.modules[0])
        else:
            random.seed(1)
        self.loading.world = 1 - self.loading.world
        return values

    @contextmanager
    def second(self) -> Iterator[None]:
        """With the modules of the second world in the place of the first one's, where its functions find them."""
        first = {name: sys.modules.pop(name) for name in list(self.loading.modules())}
        sys.modules.update(self.modules[1])
        try:
            yield
        finally:
            for name in list(self.loading.modules()):
                del sys.modules[name]
            sys.modules.update(first)
