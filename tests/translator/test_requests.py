"""Nested requests as flat arguments of a step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given as cases
from hypothesis import strategies as st

from sagemaker_provider.translator.function_code import nested
from sagemaker_provider.translator.requests import JsonText, flat, given, is_text_literal

KEYS = st.text(max_size=4).filter(lambda key: key not in ("", "{}", "[]", "null") and not key.endswith(":json"))
OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3).filter(lambda item: not item or not all(map(str.isdigit, item)))
    ),
)


@cases(st.dictionaries(KEYS, OBJECTS, min_size=1, max_size=4).filter(lambda item: not all(map(str.isdigit, item))))
def test_the_function_has_the_request_again(request: dict[str, Any]) -> None:
    arguments = flat(request)
    assert nested(arguments) == request
    assert all(isinstance(item, (str, int, bool)) for item in arguments.values())


def test_json_text_is_written_by_the_function() -> None:
    value = {"a": ["{{ ds }}", {"b": None}], "c": {}}
    arguments = flat({"input": JsonText(value), "list": [JsonText([1])]})
    assert arguments["input:json/a/0"] == "{{ ds }}"
    found = nested(arguments)
    assert json.loads(found["input"]) == value
    assert json.loads(nested(flat({"x": JsonText([1])}))["x"]) == [1]


@pytest.mark.parametrize(
    "request_", [{"a": {"0": 1}}, {"a": {"null": 1}}, {"a": {"": 1}}, {"a": {"x:json": 1}}, {"a": {1: 2}}]
)
def test_what_cannot_be_written_is_refused(request_: Any) -> None:
    with pytest.raises(ValueError, match="an object"):
        flat(request_)


def test_members_that_are_given() -> None:
    assert given(a=None, b=0, c="") == {"b": 0, "c": ""}
    assert is_text_literal("x") and not is_text_literal("{{ x }}") and not is_text_literal(None)
