"""Data as Python source text, the same text in every process."""

from __future__ import annotations

import datetime
import decimal
import math
import pathlib
import uuid
from collections.abc import Iterable
from typing import Any, Final


class NoLiteralError(ValueError):
    """The value has no literal."""


_MODULES: Final = {
    datetime.date: "datetime",
    datetime.timedelta: "datetime",
    decimal.Decimal: "decimal",
    uuid.UUID: "uuid",
}
"""Types whose ``repr`` is the call that makes the value -> the module that must stand before it."""
_PATHS: Final = {pathlib.PosixPath: "Path", pathlib.PurePosixPath: "PurePosixPath"}


def literal(value: Any) -> str:
    """Source text whose evaluation gives an equal value of the same type; it needs no imports.

    :param value: ``None``, booleans, numbers, text, bytes, dates, paths, and lists, tuples, sets and dicts of such.
    :raises NoLiteralError: it is something else, or holds something else or itself.
    """
    try:
        return _literal(value, ())
    except NoLiteralError:
        raise
    except (RecursionError, ValueError) as error:  # nested too deeply; an integer of thousands of digits
        raise NoLiteralError(f"{type(error).__name__}: {error}") from None


def _literal(value: Any, holders: tuple[int, ...]) -> str:
    kind = type(value)
    if value is None or value is ... or kind in (bool, int, str, bytes, range):
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f"float({str(value)!r})"
    if kind is complex:  # the sum that its repr is has other signs of zeros
        return f"complex({_literal(value.real, holders)}, {_literal(value.imag, holders)})"
    if kind in _MODULES:
        text = repr(value)
        return f"__import__({_MODULES[kind]!r}).{text.removeprefix(f'{_MODULES[kind]}.')}"
    if kind is datetime.datetime:
        return _datetime(value, holders)
    if kind is datetime.timezone:
        return f"__import__('datetime').timezone({_literal(value.utcoffset(None), holders)})"
    if kind in _PATHS:
        return f"__import__('pathlib').{_PATHS[kind]}({str(value)!r})"
    if kind in (list, tuple, set, frozenset, dict):
        if id(value) in holders:
            raise NoLiteralError("it holds itself")
        return _collection(value, (*holders, id(value)))
    raise NoLiteralError(f"a {kind.__name__} is no plain data")


def _datetime(value: datetime.datetime, holders: tuple[int, ...]) -> str:
    zone = f", tzinfo={_literal(value.tzinfo, holders)}" if value.tzinfo else ""
    parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
    fold = ", fold=1" if value.fold else ""
    return f"__import__('datetime').datetime({', '.join(map(str, parts))}{zone}{fold})"


def _collection(value: Any, holders: tuple[int, ...]) -> str:
    def texts(items: Iterable[Any]) -> list[str]:
        return [_literal(item, holders) for item in items]

    if isinstance(value, dict):
        pairs = zip(texts(value), texts(value.values()))
        return f"{{{', '.join(f'{key}: {item}' for key, item in pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(texts(value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(texts(value))}{',' if len(value) == 1 else ''})"
    members = ", ".join(sorted(texts(value)))  # a set has no order of its own
    if isinstance(value, frozenset):
        return f"frozenset({{{members}}})" if members else "frozenset()"
    return f"{{{members}}}" if members else "set()"
