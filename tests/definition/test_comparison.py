"""What is different between definitions."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines_client import condition, definition, parameter, processing

from sagemaker_provider.definition.comparison import Change, changes, differences

BASE = definition(
    processing("a"),
    condition("if", 1, 1, [processing("yes"), processing("also")], [processing("no")], "a"),
    processing("b", "a", "if"),
    parameters=[parameter("x", "Integer", 1), parameter("y")],
)


def places(old: str | None, new: str) -> list[str]:
    return [".".join(change.place) for change in changes(old, new)]


def changed(*place: Any, value: Any) -> str:
    """The base with another value in a place."""
    data = json.loads(BASE)
    *way, last = place
    inner = data
    for key in way:
        inner = inner[key]
    inner[last] = value
    return json.dumps(data)


def test_the_first_definition_is_all_new() -> None:
    assert places(None, BASE) == [
        "Parameters.x",
        "Parameters.y",
        "Steps.a",
        "Steps.b",
        "Steps.if",
        "Version",
    ]


@pytest.mark.parametrize(
    ("new", "place"),
    [
        (changed("Steps", 0, "Arguments", "RoleArn", value="r"), "Steps.a.Arguments.RoleArn"),
        (
            changed("Steps", 1, "Arguments", "IfSteps", 0, "Arguments", "RoleArn", value="r"),
            "Steps.if.Arguments.IfSteps.yes.Arguments.RoleArn",
        ),
        (changed("Parameters", 0, "DefaultValue", value=1.0), "Parameters.x.DefaultValue"),
        (changed("Parameters", 0, "DefaultValue", value=True), "Parameters.x.DefaultValue"),
        (changed("PipelineExperimentConfig", value={}), "PipelineExperimentConfig"),
        (
            changed("Steps", 0, "Arguments", "AppSpecification", "ContainerEntrypoint", value=["false"]),
            "Steps.a.Arguments.AppSpecification.ContainerEntrypoint.0",
        ),
        (changed("Steps", 2, "DependsOn", value=["a"]), "Steps.b.DependsOn"),
        (changed("Steps", value=[]), "Steps.a Steps.b Steps.if"),
    ],
)
def test_a_change_has_its_place(new: str, place: str) -> None:
    assert places(BASE, new) == place.split()


def test_a_definition_that_is_no_json_is_replaced() -> None:
    assert next(iter(changes("{", BASE))).old == "{"


def test_a_new_definition_must_be_an_object() -> None:
    with pytest.raises(ValueError, match="JSON object"):
        changes(BASE, "[]")


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_means_nothing(rnd: random.Random) -> None:
    def shuffled(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            items = list(value.items())
            rnd.shuffle(items)
            return {name: shuffled(item, name) for name, item in items}
        if isinstance(value, list):
            items = [shuffled(item) for item in value]
            if key in ("Steps", "Parameters", "DependsOn", "IfSteps", "ElseSteps"):
                rnd.shuffle(items)
            return items
        return value

    assert changes(BASE, json.dumps(shuffled(json.loads(BASE)))) == []


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_value_is_like_itself_and_unlike_another(value: Any) -> None:
    assert list(differences(value, json.loads(json.dumps(value)))) == []
    assert list(differences({"a": value}, {"a": [value, "other"]})) != []


def test_the_definitions_of_the_sdk_are_like_themselves(golden: Path) -> None:
    for file in sorted((golden / "examples").glob("*.json")):
        text = file.read_text()
        assert changes(text, json.dumps(json.loads(text), indent=3, sort_keys=True)) == [], file


def test_a_change_is_json() -> None:
    assert Change(("Steps", "a"), None, 1).to_json() == {"place": "Steps.a", "old": None, "new": 1}
