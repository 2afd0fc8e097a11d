"""Values of parameters at the start of an execution: the API takes text, the definition says of which type it is."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.model import PipelineDefinition

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_BOOLEANS: Final = {"true": True, "false": False}


def read(text: str, kind: str) -> Any:
    """The value that a text is for a parameter of a type.

    :param kind: ``String``, ``Integer``, ``Float`` or ``Boolean``.
    :raises ValueError: the text is no value of the type.
    """
    if kind == "Integer" and _WHOLE.fullmatch(text):
        return int(text)
    if kind == "Float" and _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if kind == "Boolean" and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if kind == "String":
        return text
    raise ValueError(text)


def write(value: Any) -> str:
    """A value as the text that StartPipelineExecution takes.

    A boolean is written as AWS's SDK does, ``True`` or ``False``; which other spellings are taken is not documented. A list
    or object becomes JSON, which ForEach steps read.
    """
    return json.dumps(value) if isinstance(value, (list, tuple, Mapping)) else str(value)


def checked(definition: PipelineDefinition, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The parameters of an execution.

    :param given: values for the start, typed or as text.
    :return: the value of every parameter that has one, of its type; and all reasons why the execution cannot start.
    """
    declared = {item.name: item for item in definition.parameters or ()}
    values = {name: item.default_value for name, item in declared.items() if item.default_value is not None}
    problems = []
    for name, value in given.items():
        if name not in declared:
            problems.append(f"the pipeline has no parameter {name!r}; it has {', '.join(sorted(declared)) or 'none'}")
            continue
        parameter, text = declared[name], write(value)
        try:
            values[name] = read(text, parameter.type)
        except ValueError:
            problems.append(f"parameter {name!r} has the type {parameter.type}, which {text!r} is not")
            continue
        if parameter.enum_values and values[name] not in parameter.enum_values:
            problems.append(f"parameter {name!r} is one of {', '.join(map(str, parameter.enum_values))}, not {text!r}")
        if len(text) > limits.PARAMETER_VALUE:
            problems.append(
                f"parameter {name!r} is {len(text)} characters long; the longest value is {limits.PARAMETER_VALUE}"
            )
    problems += [f"parameter {name!r} needs a value" for name in declared if name not in values and name not in given]
    return {name: values[name] for name in declared if name in values}, problems
