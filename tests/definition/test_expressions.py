"""Expressions: JSON both ways, what is no expression, walking and substitution."""

from __future__ import annotations

from typing import Any

import pytest

from sagemaker_provider.definition.conditions import Equals, Not, Or
from sagemaker_provider.definition.expressions import (
    EXECUTION_VARIABLES,
    Get,
    Join,
    JsonGet,
    decode,
    encode,
    execution_variable,
    parameter,
    step_property,
    substitute,
    walk,
)
from sagemaker_provider.definition.paths import Key

FILE = Get("Steps.Eval.PropertyFiles.Report")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Get("Parameters.X"), {"Get": "Parameters.X"}),
        (Join("/", ("a", 1, True, Get("Execution.PipelineName"))), {"Std:Join": {"On": "/", "Values": ["a", 1, True, {"Get": "Execution.PipelineName"}]}}),
        (Join("", ()), {"Std:Join": {"On": "", "Values": []}}),
        (Join("-", (Join("", ("a",)), JsonGet("a", FILE))), {"Std:Join": {"On": "-", "Values": [{"Std:Join": {"On": "", "Values": ["a"]}}, {"Std:JsonGet": {"PropertyFile": {"Get": FILE.path}, "Path": "a"}}]}}),
        (JsonGet("a.b[0]", property_file=FILE), {"Std:JsonGet": {"PropertyFile": {"Get": FILE.path}, "Path": "a.b[0]"}}),
        (JsonGet("a['b']", s3_uri=Join("", ("s3://b/", Get("Parameters.K")))), {"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "", "Values": ["s3://b/", {"Get": "Parameters.K"}]}}, "Path": "a['b']"}}),
        ({"Get": "Parameters.X", "other": 1}, {"Get": "Parameters.X", "other": 1}),
        ([{"a": [Get("Parameters.X"), None, {}, []]}], [{"a": [{"Get": "Parameters.X"}, None, {}, []]}]),
    ],
)  # fmt: skip
def test_an_expression_is_written_and_read_again(value: Any, written: Any) -> None:
    assert encode(value) == written
    assert decode(written) == value
    assert type(decode(written)) is type(value)


MALFORMED = [
    {"Get": 5},
    {"Get": None},
    {"Get": {"Get": "Parameters.X"}},
    {"Std:Join": {}},
    {"Std:Join": ["a"]},
    {"Std:Join": {"On": "/"}},
    {"Std:Join": {"On": 1, "Values": []}},
    {"Std:Join": {"On": "/", "Values": "a"}},
    {"Std:Join": {"On": "/", "Values": [], "More": 1}},
    {"Std:JsonGet": {"Path": "a"}},
    {"Std:JsonGet": {"PropertyFile": FILE.path, "Path": "a"}},
    {"Std:JsonGet": {"PropertyFile": {"Get": FILE.path}, "S3Uri": "s3://b", "Path": "a"}},
    {"Std:JsonGet": {"PropertyFile": {"Get": FILE.path}, "Path": {"Get": "Parameters.P"}}},
    {"Std:JsonGet": {"S3Uri": None, "Path": "a"}},
    {"Std:If": {"Get": 1}},
]


@pytest.mark.parametrize("value", MALFORMED, ids=str)
def test_what_has_not_the_form_of_an_expression_stays_as_it_is(value: Any) -> None:
    assert isinstance(decode(value), dict)
    assert encode(decode(value)) == value


def test_expressions_inside_a_malformed_one_are_still_read() -> None:
    assert decode({"Std:Join": {"On": 1, "Values": [{"Get": "Parameters.X"}]}}) == {
        "Std:Join": {"On": 1, "Values": [Get("Parameters.X")]}
    }


@pytest.mark.parametrize(
    ("get", "scope", "name", "members"),
    [
        (parameter("Size"), "Parameters", "Size", ()),
        (execution_variable("PipelineName"), "Execution", "PipelineName", ()),
        (step_property("Train", "ModelArtifacts", "S3ModelArtifacts"), "Steps", "Train", ("ModelArtifacts", "S3ModelArtifacts")),
        (step_property("P", "Outputs", Key("a.b"), 0), "Steps", "P", ("Outputs", Key("a.b"), 0)),
        (Get("ForEach.CurrentItem"), "ForEach", "CurrentItem", ()),
        (Get("Steps"), "Steps", "", ()),
        (Get(""), "", "", ()),
    ],
)  # fmt: skip
def test_a_reference_has_a_scope_a_name_and_members(get: Get, scope: str, name: str, members: tuple[Any, ...]) -> None:
    assert (get.scope, get.name, get.members) == (scope, name, members)


def test_a_property_that_starts_with_a_key_has_no_dot_before_it() -> None:
    assert step_property("T", Key("a"), 0, "b") == Get("Steps.T['a'][0].b")


def test_a_reference_that_cannot_be_read_fails_when_it_is_looked_into() -> None:
    assert Get("Steps.a[").scope == "Steps"
    for _ in range(2):  # the failure is not remembered as a result
        with pytest.raises(ValueError, match="cannot read the path"):
            _ = Get("Steps.a[").name


@pytest.mark.parametrize("arguments", [{"path": Get("Parameters.P")}, {"path": "a", "property_file": "Report"}])
def test_a_json_get_of_operators_is_not_mistaken_for_the_expression(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"in a DAG use sagemaker_provider\.operators\.JsonGet"):
        JsonGet(**arguments)


def test_execution_variables_are_those_of_the_sdk() -> None:
    assert len(set(EXECUTION_VARIABLES)) == 8


NESTED = {
    "a": [Join("", ("x", Get("Parameters.P"))), {"b": JsonGet("p", FILE)}],
    "c": JsonGet("p", s3_uri=Join("/", (Get("Parameters.Q"),))),
    "d": Or((Not(Equals(Get("Parameters.R"), 1)),)),
    "e": (Get("Parameters.S"),),
}


def test_walk_yields_every_expression_with_its_place_outer_before_inner() -> None:
    assert [(place, type(item).__name__) for place, item in walk(NESTED, "Arguments")] == [
        ("Arguments.a[0]", "Join"),
        ("Arguments.a[0].Values[1]", "Get"),
        ("Arguments.a[1].b", "JsonGet"),
        ("Arguments.a[1].b.PropertyFile", "Get"),
        ("Arguments.c", "JsonGet"),
        ("Arguments.c.S3Uri", "Join"),
        ("Arguments.c.S3Uri.Values[0]", "Get"),
        ("Arguments.d.Conditions[0].Condition.LeftValue", "Get"),
        ("Arguments.e[0]", "Get"),
    ]


def test_substitute_changes_every_reference_and_nothing_else() -> None:
    changed = substitute(NESTED, lambda get: Get(get.path + "x"))
    assert [item.path for _, item in walk(changed) if isinstance(item, Get)] == [
        item.path + "x" for _, item in walk(NESTED) if isinstance(item, Get)
    ]
    assert substitute(changed, lambda get: Get(get.path[:-1])) == NESTED
