"""Faults on demand: the local service answers badly, slowly or not at all, and jobs fail or hang, where a test wants it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Final

from sagemaker_provider.definition.shapes import UnknownShapeError, nearest, request_shape
from sagemaker_provider.local.errors import ServiceError

_LARGEST_BODY: Final = 1_000_000

_EVERYWHERE: Final = ("kind", "operation", "name", "times", "after")
_KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "throttling": {"per_second": None, "code": "ThrottlingException", "message": "Rate exceeded", "status": 400},
    "error": {"code": "InternalFailure", "message": "An internal error occurred.", "status": 500},
    "latency": {"seconds": None},
    "lost-response": {},
    "answer": {"body": None},
    "fail": {"message": "InternalServerError: We encountered an internal error. Please try again."},
    "hang": {},
}
"""Kind -> the members it has beside the common ones, with their defaults."""

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "capacity": {
        "kind": "fail",
        "message": "CapacityError: Unable to provision requested ML compute capacity. "
        "Please retry using a different ML instance type.",
    },
    "quota": {
        "kind": "error",
        "operation": "Create*",
        "code": "ResourceLimitExceeded",
        "message": "The account-level service limit 'ml.m5.xlarge for processing job usage' is 4 Instances, with current "
        "utilization of 4 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an "
        "increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase "
        "for this quota.",
        "status": 400,
    },
    "internal-error": {"kind": "fail"},
    "throttling": {"kind": "throttling"},
    "rate-limit": {"kind": "throttling", "operation": "Create*", "per_second": 1.0, "times": None},
    "lost-response": {"kind": "lost-response", "operation": "Create*"},
    "hang": {"kind": "hang"},
}
"""Faults by name; ``Faults.add("capacity", name="train-*")`` takes one and changes members of it."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    :param kind: ``throttling`` or ``error`` (the call is refused), ``latency`` (it takes longer), ``lost-response`` (it is
        carried out, its answer is lost), ``answer`` (it is carried out, the answer is another text), ``fail`` (the job is created and fails) or ``hang`` (the job never ends by itself).
    :param operation: pattern of API operations, such as ``Create*Job``; for ``fail`` and ``hang`` of those that create the job.
    :param name: pattern of the resource's name, such as ``train-*``; see :func:`resource_name`.
    :param times: how many calls it hits; ``None``: all.
    :param after: how many matching calls pass before the first is hit.
    :param seconds: how much longer a call takes; ``latency`` only, and required there.
    :param per_second: refuse only calls above that many a second, counted for each operation; ``throttling`` only. Mind
        ``times``, which counts refused calls.
    :param body: the text that is the answer, such as ``{}``; ``answer`` only, and required there.
    :param code: error code; ``throttling`` and ``error`` only.
    :param message: error text, or for ``fail`` the job's failure reason.
    :param status: HTTP status from 400 to 599; ``throttling`` and ``error`` only.
    :raises ValueError: something does not fit; the text names all of it.
    """

    kind: str
    operation: str = "*"
    name: str = "*"
    times: int | None = 1
    after: int = 0
    seconds: float | None = None
    per_second: float | None = None
    body: str | None = None
    code: str | None = None
    message: str | None = None
    status: int | None = None

    def __post_init__(self) -> None:
        if problems := list(self._problems()):
            raise ValueError(f"fault: {'; '.join(problems)}")
        for member, default in _KINDS[self.kind].items():
            if getattr(self, member) is None:
                object.__setattr__(self, member, default)

    def _problems(self) -> Iterable[str]:
        known = isinstance(self.kind, str) and self.kind in _KINDS
        if not known:
            yield f"unknown kind {self.kind!r}, {nearest(str(self.kind), _KINDS)}"
        for member, value in vars(self).items():
            problem = None if value is None and member in _OPTIONAL else _CHECKS[member](value)
            if problem:
                yield f"{member} must be {problem}, not {value!r}"
            if known and value is not None and member not in (*_EVERYWHERE, *_KINDS[self.kind]):
                yield f"{member} has no meaning for {self.kind}"
        for kind, member in (("latency", "seconds"), ("answer", "body")):
            if self.kind == kind and getattr(self, member) is None:
                yield f"{member} is required for {kind}"

    def matches(self, operation: str, name: str) -> bool:
        """Whether a call is one of those it is for."""
        return fnmatchcase(operation, self.operation) and fnmatchcase(name, self.name)

    def error(self) -> ServiceError:
        """The answer that a refused call gets."""
        return ServiceError(str(self.code), str(self.message), self.status or 400)


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "text"


def _count(value: Any, least: int = 0) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
    return None if fits else f"a whole number of at least {least}"


def _number(value: Any) -> str | None:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e9
    return None if fits else "a number above 0 and below 1e9"


def _status(value: Any) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599
    return None if fits else "a whole number from 400 to 599"


_CHECKS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "kind": _text,
    "operation": _text,
    "name": _text,
    "times": lambda value: _count(value, 1),
    "after": _count,
    "seconds": _number,
    "per_second": _number,
    "body": _text,
    "code": _text,
    "message": _text,
    "status": _status,
}
_OPTIONAL: Final = tuple(
    member.name for member in fields(Fault) if member.name not in ("kind", "operation", "name", "after")
)


def from_json(value: Any) -> list[Fault]:
    """Faults from the JSON of a file or of an HTTP body.

    :param value: one object or a list of them: members of :class:`Fault`; with ``preset``, those of a preset are the rest.
    :raises ValueError: something does not fit; the text names all of it, with the place in the list.
    """
    entries = value if isinstance(value, list) else [value]
    made, problems = [], []
    for index, entry in enumerate(entries):
        try:
            made.append(_made(entry))
        except ValueError as error:
            problems.append(f"[{index}] {error}" if isinstance(value, list) else str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return made


def _made(entry: Any) -> Fault:
    if not isinstance(entry, Mapping):
        raise ValueError(f"fault: must be an object, not {entry!r}")
    members = dict(entry)
    problems = []
    if (preset := members.pop("preset", None)) is not None:
        if isinstance(preset, str) and preset in PRESETS:
            members = {**PRESETS[preset], **members}
        else:
            problems.append(f"unknown preset {preset!r}, {nearest(str(preset), PRESETS)}")
    elif "kind" not in members:
        problems.append("kind or preset is required")
    for member in [member for member in members if member not in _CHECKS]:
        problems.append(f"unknown member {member!r}, {nearest(str(member), _CHECKS)}")
        del members[member]
    try:
        fault = Fault(**{"kind": "error", **members})
    except ValueError as error:
        problems.append(str(error).removeprefix("fault: "))
    if problems:
        raise ValueError(f"fault: {'; '.join(problems)}")
    return fault


@dataclass
class _Rule:
    """A fault and what it has met so far. ``buckets``: operation -> (calls it may take now, time of the last one)."""

    fault: Fault
    seen: int = 0
    hits: int = 0
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    def meets(self, operation: str, now: float) -> bool:
        """Count a matching call; whether it is hit."""
        self.seen += 1
        spent = self.fault.times is not None and self.hits >= self.fault.times
        if self.seen <= self.fault.after or spent:
            return False
        if self.fault.per_second is not None and self._has_room(operation, self.fault.per_second, now):
            return False
        self.hits += 1
        return True

    def _has_room(self, operation: str, rate: float, now: float) -> bool:
        size = max(1.0, rate)
        room, last = self.buckets.get(operation, (size, now))
        room = min(size, room + (now - last) * rate)
        self.buckets[operation] = (room - 1 if room >= 1 else room, now)
        return room >= 1


class Faults:
    """The faults of a local service, safe for many threads. They are met in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: tuple[_Rule, ...] = ()

    def add(self, fault: Fault | str | None = None, **members: Any) -> Fault:
        """Add a fault: a made one, a preset's name, with members to change, or just members.

        :return: the fault.
        :raises ValueError: something does not fit.
        """
        if isinstance(fault, str):
            members["preset"] = fault
        made = fault if isinstance(fault, Fault) else _made(members)
        if isinstance(fault, Fault) and members:
            raise ValueError("fault: a made fault has its members already")
        with self._lock:
            self._rules = (*self._rules, _Rule(made))
        return made

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._rules = ()

    def hits(self, fault: Fault) -> int:
        """How many calls a fault has hit."""
        with self._lock:
            return sum(rule.hits for rule in self._rules if rule.fault == fault)

    def check(self, operation: str, name: str) -> None:
        """Let happen what happens to a call before it is carried out; sleeps for latency.

        :raises ServiceError: the call is refused.
        """
        fault = self._met(operation, name, ("latency", "throttling", "error"), pass_on=self._delay)
        if fault:
            raise fault.error()

    def loses_response(self, operation: str, name: str) -> bool:
        """Whether the answer of a call is lost. Ask after the call was carried out, once."""
        return self._met(operation, name, ("lost-response",)) is not None

    def other_answer(self, operation: str, name: str) -> str | None:
        """The text that a call gets for an answer, if not its own. Ask after the call was carried out, once."""
        fault = self._met(operation, name, ("answer",))
        return fault.body if fault else None

    def for_job(self, operation: str, name: str) -> Fault | None:
        """What happens to a job: a fault of kind ``fail`` or ``hang``, or nothing. Ask once for a job.

        :param operation: the operation that creates the job.
        :param name: the job's name.
        """
        return self._met(operation, name, ("fail", "hang"))

    def to_json(self) -> list[dict[str, Any]]:
        """The faults as JSON: the members that they have, and ``hits``."""
        with self._lock:
            return [{**_plain(rule.fault), "hits": rule.hits} for rule in self._rules]

    @staticmethod
    def _delay(fault: Fault) -> bool:
        if fault.kind == "latency":
            time.sleep(fault.seconds or 0)
        return fault.kind == "latency"

    def _met(
        self, operation: str, name: str, kinds: tuple[str, ...], pass_on: Callable[[Fault], bool] = lambda fault: False
    ) -> Fault | None:
        """The first fault that hits a call; later ones do not see the call, except behind one that is passed on."""
        for rule in self._rules:
            if rule.fault.kind not in kinds or not rule.fault.matches(operation, name):
                continue
            with self._lock:
                hit = rule.meets(operation, time.monotonic())
            if hit and not pass_on(rule.fault):
                return rule.fault
        return None

    def list(self) -> tuple[Fault, ...]:
        """The faults, also those that will hit no more."""
        return tuple(rule.fault for rule in self._rules)


def _plain(fault: Fault) -> dict[str, Any]:
    return {member: value for member, value in asdict(fault).items() if value is not None or member == "times"}


def control(faults: Faults, environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI application by which other processes see (GET), add (POST, one or a list) and clear (DELETE) faults."""
    method = environ["REQUEST_METHOD"]
    try:
        if method == "POST":
            for fault in from_json(_body(environ)):
                faults.add(fault)
        elif method == "DELETE":
            faults.clear()
        elif method != "GET":
            return _answer(start, "405 Method Not Allowed", {"error": f"{method}: use GET, POST or DELETE"})
    except ValueError as error:
        return _answer(start, "400 Bad Request", {"error": str(error)})
    return _answer(start, "200 OK", faults.to_json())


def _body(environ: Mapping[str, Any]) -> Any:
    text = str(environ.get("CONTENT_LENGTH") or "0")
    length = int(text) if text.isdecimal() else 0
    if not 0 < length <= _LARGEST_BODY:
        raise ValueError(f"a body of JSON with a Content-Length of 1 to {_LARGEST_BODY} is required")
    try:
        return json.loads(environ["wsgi.input"].read(length))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is no JSON: {error}") from error


def _answer(start: Callable[..., Any], status: str, value: Any) -> Iterable[bytes]:
    body = json.dumps(value).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


_VERB: Final = re.compile(r"[A-Z][a-z]+")


def resource_name(operation: str, request: Mapping[str, Any]) -> str:
    """The name of the resource that a SageMaker request is about; of an ARN the last part.

    :param operation: such as ``CreateTrainingJob``.
    :param request: its members.
    :return: the name, or empty text when the request names nothing.
    """
    kind = _VERB.sub("", operation, count=1).removesuffix("V2")
    further = [member for member in request if member.endswith("Name")]
    for member in (f"{kind}Name", f"{kind}Arn", "Name", *_required(operation), *further):
        value = request.get(member)
        if isinstance(value, str):
            return _last_part(value)
    return ""


def _required(operation: str) -> Iterable[str]:
    try:
        shape = request_shape("sagemaker", operation)
    except UnknownShapeError:
        return ()
    return tuple(shape.required_members) if shape else ()


def _last_part(name: str) -> str:
    if not name.startswith("arn:"):
        return name
    kind, _, rest = name.split(":", 5)[-1].partition("/")
    return rest if kind == "model-package" else (rest or kind).rpartition("/")[2]
