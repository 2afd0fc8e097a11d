"""Stand-ins for what is not known while a DAG file loads: missing modules, Variables, the answers of AWS.

A stand-in never leaks. As text it is a token that no other text holds; :mod:`.settle` turns the tokens in a task's
arguments into parameters of the pipeline, and finds those that were cut or changed. Where a stand-in would decide
something, or has to be a number or a list, there is a finding.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sagemaker_provider.translator.loading import Loading

OPEN, CLOSE = "\ue000", "\ue001"
_LONGEST_NAME: Final = 60
_SEPARATORS: Final = "-_./:,;|=+@& ?*~"
_WORDS: Final = (
    "".join(f"{OPEN}aAb{mark}" for mark in _SEPARATORS),
    "".join(f"{OPEN}zZyyx{mark}" for mark in reversed(_SEPARATORS)),
)
"""The text of a token in each world: what changes letters, cuts, or looks for separators, damages it and can be seen."""
TOKEN: Final = re.compile(f"(?:{'|'.join(map(re.escape, _WORDS))})#([0-9]+){CLOSE}")
DAMAGED: Final = re.compile(rf"[{OPEN}{CLOSE}]|\\ue00[01]")
"""What is left of a token that something changed, also where it was escaped."""


@dataclass(frozen=True)
class Unknown:
    """Something that is not known while the DAG file loads.

    :param label: how the DAG file calls it: ``config.BUCKET``, ``Variable team``.
    :param kind: ``variable``, ``env``, or ``value`` for what a missing module or AWS would have given.
    :param name: name of the Variable or the environment variable; for a value the name of its parameter.
    :param default: what the DAG file says for the case that it is missing.
    """

    label: str
    kind: str
    name: str
    default: Any = None


@dataclass
class Stubs:
    """The stand-ins of one file, numbered in both worlds alike."""

    loading: Loading
    known: list[Unknown] = field(default_factory=list)

    def number(self, unknown: Unknown) -> int:
        """The number of what is unknown."""
        if unknown not in self.known:
            self.known.append(unknown)
        return self.known.index(unknown)

    def token(self, unknown: Unknown) -> str:
        """The text that stands for it in this world."""
        return f"{_WORDS[self.loading.world]}#{self.number(unknown)}{CLOSE}"

    def readable(self, text: str) -> str:
        """A text with the names of what its tokens stand for."""
        text = text.replace(ascii(OPEN)[1:-1], OPEN).replace(ascii(CLOSE)[1:-1], CLOSE)
        return TOKEN.sub(lambda match: f"<{self.known[int(match[1])].label}>", text)

    def value(self, label: str) -> Stub:
        """A stand-in for a module, a class or what a call gives."""
        return Stub(self, label)

    def text(self, unknown: Unknown) -> Text:
        """A stand-in for a text."""
        self.number(unknown)
        made = Text(self.token(unknown))
        made._stubs, made._label, made._unknown = self, unknown.label, unknown
        return made


def origin(value: Any) -> str | None:
    """The dotted name of what a value stands for, such as ``pandas.DataFrame``; ``None`` for any other value."""
    return vars(value)["_label"] if isinstance(value, _StandIn) else None


class _StandIn:
    """What stand-ins for values and for texts share."""

    _stubs: Stubs
    _label: str
    _unknown: Unknown

    def _below(self, text: str) -> Stub:
        return Stub(self._stubs, f"{self._label}{text}")

    def _decides(self, what: str) -> None:
        self._stubs.loading.note("SMP110", f"{what} {self._label}, which is not known here")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("_stubs", "_label", "_unknown"):
            raise AttributeError(name)
        return self._below(f".{name}")

    def __getitem__(self, key: Any) -> Any:
        return self._below(f"[{key!r}]")

    def __bool__(self) -> bool:
        if self._stubs.loading.called_by_user():
            self._decides("the file asks whether there is")
        return True

    def __len__(self) -> int:
        raise TypeError(f"the length of {self._label} is not known here")

    def __iter__(self) -> Iterator[Any]:
        self._decides("the file goes through the items of")
        return iter(())

    def __contains__(self, item: object) -> bool:
        self._decides("the file looks for something in")
        return False

    def __int__(self) -> int:
        raise TypeError(f"{self._label} has to be a number here and is not known")

    __float__ = __index__ = __int__  # type: ignore[assignment]

    def _compared(self, other: object) -> bool:
        if self._stubs.loading.called_by_user(3):
            self._decides("the file compares")
        return self is other

    def __eq__(self, other: object) -> bool:
        return self._compared(other)

    def __ne__(self, other: object) -> bool:
        return not self._compared(other)

    def __lt__(self, other: object) -> bool:
        return self._compared(other)

    __le__ = __gt__ = __ge__ = __lt__

    def __hash__(self) -> int:
        return hash(self._label)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce__(self) -> Any:
        return (str, (str(self),))


class Text(_StandIn, str):
    """A stand-in for a text, such as the value of a Variable. It can be put into other texts; the rest is unknown."""

    def __getattribute__(self, name: str) -> Any:
        if hasattr(str, name) and not name.startswith("_"):
            return self._below(f".{name}")
        return super().__getattribute__(name)

    def __str__(self) -> str:
        return str.__str__(self)


class Stub(_StandIn):
    """A stand-in for a module, a class, a function or a value; whatever is asked of it is a stand-in too."""

    def __init__(self, stubs: Stubs, label: str) -> None:
        self._stubs, self._label = stubs, stubs.readable(label)
        name = re.sub(r"[^A-Za-z0-9]+", "_", self._label).strip("_")
        if len(name) > _LONGEST_NAME:
            name = f"{name[: _LONGEST_NAME - 9]}_{hashlib.sha256(self._label.encode()).hexdigest()[:8]}"
        self._unknown = Unknown(self._label, "value", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """A task where there is a task id, else what the call would give."""
        if isinstance(kwargs.get("task_id"), str):
            return operator(self._label)(**kwargs)
        given = [*map(_shown, args), *(f"{name}={_shown(value)}" for name, value in kwargs.items())]
        return self._below(f"({', '.join(given)})")

    def __str__(self) -> str:
        return self._stubs.token(self._unknown)

    def __repr__(self) -> str:
        return str(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __fspath__(self) -> str:
        return str(self)

    def __add__(self, other: Any) -> Any:
        return str(self) + other if isinstance(other, str) else self._below(f" + {_shown(other)}")

    def __radd__(self, other: Any) -> Any:
        return other + str(self) if isinstance(other, str) else self._below(f" + {_shown(other)}")

    def __truediv__(self, other: Any) -> Any:
        return self._below(f" / {_shown(other)}")

    __sub__ = __mul__ = __floordiv__ = __mod__ = __or__ = __ror__ = __and__ = __rmul__ = __rsub__ = __truediv__
    __rshift__ = __lshift__ = __rrshift__ = __rlshift__ = __matmul__ = __truediv__

    def __setitem__(self, key: Any, value: Any) -> None:
        """Changed, it is as unknown as before."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing was opened."""

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        if re.search(r"(Operator|Sensor|Transfer)$", self._label):
            return (operator(self._label),)
        return (type(self._label.rpartition(".")[2], (_Base,), {"_stub": self}),)

    def __instancecheck__(self, value: object) -> bool:
        self._decides("the file asks whether a value is a")
        return False

    def __subclasscheck__(self, value: object) -> bool:
        self._decides("the file asks whether a class is a")
        return False


class _Base:
    """The base of a class whose base class is not known."""

    _stub: Stub

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what any class might take."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._stub._below(f"().{name}")


def _shown(value: Any) -> str:
    label = origin(value)
    return repr(value) if label is None else label


_OPERATORS: dict[str, type] = {}


def operator(label: str) -> type:
    """A class for tasks of an unknown type.

    :param label: its dotted name, which findings on the task show.
    """
    from airflow.providers.common.compat.sdk import BaseOperator

    if label not in _OPERATORS:
        module, _, name = label.rpartition(".")

        def init(self: Any, **kwargs: Any) -> None:
            base = {key: value for key, value in kwargs.items() if key in arguments}
            BaseOperator.__init__(self, **base)
            others = {key: value for key, value in kwargs.items() if key not in base}
            for key, value in others.items():
                object.__setattr__(self, key, value)
            object.__setattr__(self, "template_fields", tuple(others))  # where Airflow looks for upstream tasks

        arguments = set(inspect.signature(BaseOperator.__init__).parameters) - {"self", "kwargs"} | {"default_args"}
        _OPERATORS[label] = type(BaseOperator)(
            re.sub(r"\W", "_", name),
            (BaseOperator,),
            {"__module__": module, "__init__": init, "execute": lambda self, context: None},
        )
    return _OPERATORS[label]
