"""Requests to other AWS services as the arguments of Lambda and Callback steps, which take no nested values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class JsonText(NamedTuple):
    """A member that is the JSON text of a value; the function writes it, when templates have become values."""

    value: Any


def flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """A nested object as flat arguments; :func:`.function_code.nested` is the inverse.

    The key ``a/b/0`` is where a value stands; empty objects, empty lists and ``null`` are marked.

    :raises ValueError: a key cannot be written so.
    """
    return dict(_leaves(value, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, JsonText):
        yield from _leaves(value.value, f"{path}:json")
    elif isinstance(value, Mapping):
        if not value:
            yield f"{path}/{{}}".lstrip("/"), ""
        elif all(isinstance(key, str) and key.isdigit() for key in value):
            raise ValueError(f"an object whose keys are all numbers: {', '.join(value)}")
        for key, item in value.items():
            if not isinstance(key, str) or key in ("", "{}", "[]", "null") or key.endswith(":json"):
                raise ValueError(f"an object with the key {key!r}")
            yield from _leaves(item, f"{path}/{key.replace('~', '~0').replace('/', '~1')}".lstrip("/"))
    elif type(value) in (list, tuple):
        if not value:
            yield f"{path}/[]", ""
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}/{index}")
    elif value is None:
        yield f"{path}/null", ""
    else:
        yield path, value


def given(**members: Any) -> dict[str, Any]:
    """The members that are not ``None``."""
    return {key: value for key, value in members.items() if value is not None}


def is_text_literal(value: Any) -> bool:
    """Whether a value is text without templates."""
    return isinstance(value, str) and not re.search(r"\{[{%#]", value)
