"""The eight conditions of a Condition step, and their truth.

A Condition step holds a list of conditions that must all be true; there is no And. Operands are literals or
expressions. Types are compared strictly: a String never equals an Integer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

from sagemaker_provider.definition.expressions import Get, decode, encode, substitute


class ConditionTypeError(TypeError):
    """The operands of a condition cannot be compared with each other."""


@dataclass(frozen=True)
class _Condition:
    def to_json(self) -> dict[str, Any]:
        """The condition as the definition language writes it."""
        members = {_KEYS[type(self), field.name]: encode(getattr(self, field.name)) for field in fields(self)}
        return {"Type": type(self).__name__, **members}

    def substitute(self, change: Callable[[Get], Any]) -> Condition:
        """A copy with every :class:`Get` replaced by ``change(get)``."""
        return type(self)(*(substitute(getattr(self, field.name), change) for field in fields(self)))  # type: ignore[return-value]


@dataclass(frozen=True)
class Comparison(_Condition):
    """A comparison of two operands."""

    left: Any
    right: Any


class Equals(Comparison):
    """``left`` equals ``right``: two strings, two booleans or two numbers."""


class GreaterThan(Comparison):
    """The number ``left`` is greater than the number ``right``."""


class GreaterThanOrEqualTo(Comparison):
    """The number ``left`` is at least the number ``right``."""


class LessThan(Comparison):
    """The number ``left`` is less than the number ``right``."""


class LessThanOrEqualTo(Comparison):
    """The number ``left`` is at most the number ``right``."""


@dataclass(frozen=True)
class In(_Condition):
    """``query`` equals one of ``values``."""

    query: Any
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))


@dataclass(frozen=True)
class Not(_Condition):
    """``condition`` is false."""

    condition: Any


@dataclass(frozen=True)
class Or(_Condition):
    """At least one of ``conditions`` is true."""

    conditions: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "conditions", tuple(self.conditions))


Condition: TypeAlias = "Equals | GreaterThan | GreaterThanOrEqualTo | LessThan | LessThanOrEqualTo | In | Not | Or"

_ORDER: Final[dict[type, Callable[[Any, Any], bool]]] = {
    GreaterThan: operator.gt,
    GreaterThanOrEqualTo: operator.ge,
    LessThan: operator.lt,
    LessThanOrEqualTo: operator.le,
}
COMPARISONS: Final = (Equals, *_ORDER)
CONDITIONS: Final[dict[str, type[_Condition]]] = {cls.__name__: cls for cls in (*COMPARISONS, In, Not, Or)}
"""Condition class by its ``Type`` in a definition."""

_KEYS: Final[dict[tuple[type, str], str]] = {
    **{(cls, "left"): "LeftValue" for cls in COMPARISONS},
    **{(cls, "right"): "RightValue" for cls in COMPARISONS},
    (In, "query"): "QueryValue",
    (In, "values"): "Values",
    (Not, "condition"): "Condition",
    (Or, "conditions"): "Conditions",
}


def decode_condition(value: Any) -> Any:
    """Turn parsed JSON into a condition. What is not a well-formed condition stays as it is."""
    if not isinstance(value, dict) or not isinstance(kind := value.get("Type"), str) or kind not in CONDITIONS:
        return decode(value)
    cls = CONDITIONS[kind]
    keys = {key: name for (owner, name), key in _KEYS.items() if owner is cls}
    if set(value) != {"Type", *keys} or any(
        not isinstance(value.get(key), list) for key in ("Values", "Conditions") if key in keys
    ):
        return decode(value)
    inner = decode_condition if cls in (Not, Or) else decode
    return cls(
        **{
            name: [inner(item) for item in value[key]] if isinstance(value[key], list) else inner(value[key])
            for key, name in keys.items()
        }
    )


def kind_of(value: Any) -> str | None:
    """The type of a literal as conditions see it: ``String``, ``Number`` or ``Boolean``."""
    if isinstance(value, bool):
        return "Boolean"
    return "String" if isinstance(value, str) else "Number" if isinstance(value, (int, float)) else None


def holds(condition: Any, place: str = "condition") -> bool:
    """The truth of a condition whose operands are all literals.

    :raises ConditionTypeError: the operands cannot be compared; the message names the place.
    """
    if isinstance(condition, Not):
        return not holds(condition.condition, f"{place}.Condition")
    if isinstance(condition, Or):
        return any([holds(item, f"{place}.Conditions[{index}]") for index, item in enumerate(condition.conditions)])
    if isinstance(condition, In):
        _comparable(place, "In", "any", condition.query, *condition.values)
        return any(kind_of(item) == kind_of(condition.query) and item == condition.query for item in condition.values)
    if isinstance(condition, Equals):
        _comparable(place, "Equals", "same", condition.left, condition.right)
        return bool(condition.left == condition.right)
    if isinstance(condition, Comparison):
        _comparable(place, type(condition).__name__, "Number", condition.left, condition.right)
        return _ORDER[type(condition)](condition.left, condition.right)
    raise ConditionTypeError(f"{place}: {condition!r} is not a condition")


def _comparable(place: str, name: str, wanted: str, *operands: Any) -> None:
    kinds = [kind_of(operand) for operand in operands]
    if None in kinds:
        bad = operands[kinds.index(None)]
        raise ConditionTypeError(f"{place}: {name} compares strings, numbers and booleans, but an operand is {bad!r}")
    if (wanted == "same" and len(set(kinds)) > 1) or (wanted == "Number" and set(kinds) != {"Number"}):
        shown = " with ".join(f"{kind} {operand!r}" for kind, operand in zip(kinds, operands))
        hint = "numbers only" if wanted == "Number" else "values of one type"
        raise ConditionTypeError(f"{place}: {name} compares {hint}, not {shown}")
