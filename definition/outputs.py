"""The declared outputs of Lambda and Callback steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.model import OutputParameter

_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "String": str,
    "Integer": int,
    "Float": float,
    "Boolean": {"true": True, "false": False}.__getitem__,
}


class OutputError(ValueError):
    """Outputs are not as declared; the message names each."""


def typed_outputs(declared: Iterable[OutputParameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """The declared outputs among ``values``, with the types that were declared.

    :raises OutputError: an output is missing, nested, too long or not of its type; all at once.
    """
    problems, typed = [], {}
    for output in declared:
        if output.name not in values:
            problems.append(f"{output.name!r} is missing")
            continue
        value = values[output.name]
        text = output_text(value)
        if isinstance(value, (dict, list)) or value is None:
            problems.append(f"{output.name!r} is not a single value")
        elif len(text) > limits.OUTPUT_PARAMETER_VALUE:
            problems.append(f"{output.name!r} has {len(text)} characters, allowed are {limits.OUTPUT_PARAMETER_VALUE}")
        else:
            try:
                typed[output.name] = _READERS[output.type](text.lower() if output.type == "Boolean" else text)
            except (ValueError, KeyError):
                problems.append(f"{output.name!r} is {value!r}, declared as {output.type}")
    if problems:
        raise OutputError("; ".join(problems))
    return typed


def output_text(value: Any) -> str:
    """An output as the service shows it."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
