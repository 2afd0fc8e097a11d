"""Values of parameters at the start of an execution."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines_client import definition, parameter, processing

from sagemaker_provider.definition import PipelineDefinition
from sagemaker_provider.definition.parameters import checked, read, write

DEFINITION = PipelineDefinition.from_json(
    definition(
        processing("a"),
        parameters=[
            parameter("text", default="x", EnumValues=["x", "y"]),
            parameter("whole", "Integer", 1),
            parameter("number", "Float"),
            parameter("flag", "Boolean", False),
        ],
    )
)


@pytest.mark.parametrize("value", ["", "1.0", "one", "1_0", " 1"])
def test_what_is_no_integer(value: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read(value, "Integer")


@settings(deadline=None)
@given(st.integers(-(10**18), 10**18) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_is_read(value: Any) -> None:
    kind = {int: "Integer", bool: "Boolean", float: "Float"}[type(value)]
    assert read(write(value), kind) == value


def test_lists_and_objects_are_written_as_json() -> None:
    assert (write([1, "a"]), write({"b": True})) == ('[1, "a"]', '{"b": true}')


def test_defaults_and_given_values_are_typed() -> None:
    values, problems = checked(DEFINITION, {"number": "2.5", "whole": 3, "flag": "True"})
    assert problems == []
    assert values == {"text": "x", "whole": 3, "number": 2.5, "flag": True}


def test_all_problems_at_once() -> None:
    _, problems = checked(DEFINITION, {"text": "z", "whole": "1.5", "flag": "maybe", "other": 1})
    assert problems == [
        "parameter 'text' is one of x, y, not 'z'",
        "parameter 'whole' has the type Integer, which '1.5' is not",
        "parameter 'flag' has the type Boolean, which 'maybe' is not",
        "the pipeline has no parameter 'other'; it has flag, number, text, whole",
        "parameter 'number' needs a value",
    ]


def test_a_value_is_as_long_as_the_service_takes() -> None:
    definition_of_text = PipelineDefinition.from_json(definition(processing("a"), parameters=[parameter("text")]))
    assert checked(definition_of_text, {"text": "x" * 1024})[1] == []
    assert checked(definition_of_text, {"text": "x" * 1025})[1] == [
        "parameter 'text' is 1025 characters long; the longest value is 1024"
    ]
