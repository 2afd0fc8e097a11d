"""Definitions as values: JSON both ways without loss, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagemaker_provider.definition import (
    CacheConfig,
    DefinitionError,
    Dependency,
    Equals,
    Get,
    Join,
    OutputParameter,
    Parameter,
    PipelineDefinition,
    PropertyFile,
    RetryPolicy,
    Step,
)

DATA = Path(__file__).parents[1] / "data" / "definitions"
FILES = sorted(DATA.glob("*.json"))
FAIL = {"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "m"}}


def read(**data: Any) -> PipelineDefinition:
    return PipelineDefinition.from_json(json.dumps(data))


def read_step(**keys: Any) -> Step:
    return read(Steps=[{"Name": "S", "Type": "Processing", "Arguments": {}, **keys}]).steps[0]


def test_the_definitions_of_the_aws_sdk_are_there() -> None:
    assert len(FILES) >= 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_definition_of_the_aws_sdk_round_trips_to_the_same_bytes(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert PipelineDefinition.from_json(text).to_json() + "\n" == text


def test_every_golden_definition_round_trips_to_the_same_bytes(golden: Path) -> None:
    files = [file for file in sorted(golden.glob("*/*.json")) if file.parent.name != "requests"]
    assert len(files) > 100
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert PipelineDefinition.from_json(text).to_json() + "\n" == text, file


ODD: list[dict[str, Any]] = [
    {"Steps": []},
    {"Steps": [], "Parameters": []},
    {"Steps": [], "Parameters": None},
    {"Steps": [], "Version": None, "Metadata": None, "PipelineExperimentConfig": None, "MlflowConfig": None},
    {"Steps": [], "Members": {"a": 1}, "Unknown": [None, {}, [], ""], "Name": "x"},
    {"Steps": [], "Parameters": [None, 5, "text", [], {}, {"Name": "A"}, {"Name": "A", "Type": None}]},
    {"Steps": [], "Parameters": [{"Name": 1, "Type": "String"}, {"Name": "A", "Type": ["String"]}]},
    {"Steps": [], "Parameters": [{"Name": "A", "Type": "String", "DefaultValue": None}]},
    {"Steps": [], "Parameters": [{"Name": "A", "Type": "String", "EnumValues": [], "Extra": 1}]},
    {"Steps": [], "Parameters": [{"Name": "A", "Type": "String", "EnumValues": {"a": 1}}]},
    {"Steps": [], "Parameters": [{"Name": "A", "Type": "Integer", "DefaultValue": {"Get": "Parameters.B"}}]},
    *(
        {"Steps": [{**FAIL, **keys}]}
        for keys in (
            {"Type": "Athena", "Arguments": {"QueryString": "SELECT 1", "Steps": [{"Get": 5}]}, "Engine": None},
            {"Members": 1, "Steps": [], "members": {"Members": 2}},
            {"DisplayName": None, "Description": 5},
            {"DependsOn": None},
            {"DependsOn": "A"},
            {"DependsOn": []},
            {"DependsOn": ["A", None, 5, {}, {"Step": "A"}, {"Step": "A", "Trigger": None}, {"Step": ["A"], "Trigger": "Any"}]},
            {"DependsOn": [{"Step": "A", "Trigger": "Any", "More": 1}, {"Get": "Parameters.A"}]},
            {"RetryPolicies": {}},
            {"RetryPolicies": [None, {}, {"ExceptionType": "x"}, {"ExceptionType": [], "MaxAttempts": "1"}, {"ExceptionType": [{"a": []}], "Jitter": 1}]},
            {"CacheConfig": None},
            {"CacheConfig": []},
            {"CacheConfig": {}},
            {"CacheConfig": {"Enabled": "yes", "ExpireAfter": None}},
            {"CacheConfig": {"Enabled": {"Get": "Parameters.C"}}},
            {"PropertyFiles": [], "OutputParameters": []},
            {"PropertyFiles": [{"PropertyFileName": 1, "OutputName": {}, "FilePath": []}, {"FilePath": "x"}, None]},
            {"OutputParameters": [{"OutputName": "x"}, {"OutputName": [], "OutputType": {}}, "x"]},
            {"SkipCheck": None, "SuppliedBaselineStatistics": {"Get": "Parameters.S"}},
            {"Arguments": {}},
            {"Arguments": {"a": {"Get": 1}, "b": {"Std:Join": {}}, "c": {"Std:JsonGet": {"Path": 1}}, "d": {"Get": "x", "y": 1}}},
            {"Type": "Condition", "Arguments": {}},
            {"Type": "Condition", "Arguments": {"Conditions": {"Type": "Equals"}, "IfSteps": []}},
            {"Type": "Condition", "Arguments": {"Conditions": [None, {"Type": "And", "Conditions": []}, {"Type": {}}, {"Get": "Parameters.B"}, {"Type": "Not", "Condition": None}, {"Type": "Or", "Conditions": [5]}, {"Type": "Equals", "LeftValue": [1], "RightValue": {"Get": 2}}], "IfSteps": [FAIL], "ElseSteps": []}},
            {"Type": "ForEach", "Arguments": {"ForEachBody": [FAIL], "IterableItems": None, "Selector": []}},
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("data", ODD, ids=lambda data: json.dumps(data)[:80])
def test_nothing_of_an_odd_definition_is_lost(data: dict[str, Any]) -> None:
    definition = read(**data)
    written = definition.to_json()
    assert json.loads(written) == data
    assert PipelineDefinition.from_json(written) == definition
    assert PipelineDefinition.from_json(written).to_json() == written
    definition.validate()


def test_documented_forms_become_values() -> None:
    step = read_step(
        Arguments={
            "RoleArn": {"Get": "Parameters.Role"},
            "Environment": {"K": {"Std:Join": {"On": "", "Values": [1]}}},
        },
        DependsOn=["A", {"Step": "B", "Trigger": "Failed"}],
        DisplayName="d",
        Description="e",
        RetryPolicies=[
            {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 2, "BackoffRate": 1.5, "IntervalSeconds": 1}
        ],
        CacheConfig={"Enabled": True, "ExpireAfter": "P1D"},
        PropertyFiles=[{"PropertyFileName": "F", "OutputName": "o", "FilePath": "f.json"}],
        OutputParameters=[{"OutputName": "x", "OutputType": "Float"}],
        SkipCheck=None,
    )
    assert step == Step(
        name="S",
        type="Processing",
        arguments={"RoleArn": Get("Parameters.Role"), "Environment": {"K": Join("", (1,))}},
        depends_on=("A", Dependency("B", "Failed")),
        display_name="d",
        description="e",
        retry_policies=(RetryPolicy(("Step.THROTTLING",), interval_seconds=1, backoff_rate=1.5, max_attempts=2),),
        cache_config=CacheConfig(True, "P1D"),
        property_files=(PropertyFile("F", "o", "f.json"),),
        output_parameters=(OutputParameter("x", "Float"),),
        members={"SkipCheck": None},
    )
    assert list(step.dependencies()) == [("A", "Completed"), ("B", "Failed")]
    parameters = read(Steps=[], Parameters=[{"Name": "A", "Type": "String", "EnumValues": ["x"], "DefaultValue": "x"}])
    assert parameters.parameters == (Parameter("A", "String", "x", ("x",)),)


NESTED = PipelineDefinition(
    steps=(
        Step(
            "C",
            "Condition",
            {
                "Conditions": (Equals(Get("Parameters.P"), "x"),),
                "IfSteps": (Step("I", "ForEach", {"ForEachBody": (Step("B", "Lambda", {"k": Get("ForEach.CurrentItem")}),)}),),
                "ElseSteps": (Step("E", "Fail", {"ErrorMessage": "m"}),),
            },
        ),
        Step("Z", "Lambda", {}),
    )
)  # fmt: skip


def test_all_steps_come_with_the_steps_around_them() -> None:
    found = [(step.name, [(outer.name, key) for outer, key in around]) for step, around in NESTED.all_steps()]
    assert found == [
        ("C", []),
        ("I", [("C", "IfSteps")]),
        ("B", [("C", "IfSteps"), ("I", "ForEachBody")]),
        ("E", [("C", "ElseSteps")]),
        ("Z", []),
    ]
    assert set(NESTED.steps[0].own_arguments()) == {"Conditions"}


def test_nested_steps_round_trip() -> None:
    assert PipelineDefinition.from_json(NESTED.to_json()) == PipelineDefinition(
        NESTED.steps, parameters=(), members=NESTED.members
    )


def test_substitute_reaches_conditions_and_inner_steps() -> None:
    changed = NESTED.steps[0].substitute(lambda get: get.path.upper())
    assert changed.arguments["Conditions"] == (Equals("PARAMETERS.P", "x"),)
    assert changed.branches()["IfSteps"][0].branches()["ForEachBody"][0].arguments == {"k": "FOREACH.CURRENTITEM"}


def test_the_text_is_sorted_unicode_and_compact_on_request() -> None:
    definition = PipelineDefinition((Step("B", "Fail", {"z": "é", "a": 1}),), members={"Version": "2020-12-01"})
    assert definition.to_json(indent=None) == (
        '{"Parameters":[],"Steps":[{"Arguments":{"a":1,"z":"é"},"Name":"B","Type":"Fail"}],"Version":"2020-12-01"}'
    )
    assert definition.to_json().splitlines()[1] == '  "Parameters": [],'


def test_numbers_keep_their_kind() -> None:
    text = '{"Metadata":{"a":1,"b":1.0,"c":12345678901234567890,"d":true},"Steps":[]}'
    assert PipelineDefinition.from_json(text).to_json(indent=None) == text


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("", ["SMP501 error: not JSON: Expecting value: line 1 column 1 (char 0)"]),
        ("[]", ["SMP501 error: a definition is a JSON object"]),
        ("{}", ["SMP501 error: Steps: is missing"]),
        ('{"Steps": {}}', ["SMP501 error: Steps: must be a list of steps"]),
        ('{"Steps": [5]}', ["SMP501 error: Steps[0]: a step is a JSON object"]),
        ('{"Steps": [], "Steps": []}', ["SMP501 error: the key 'Steps' is given twice in one object"]),
        ('{"Steps": [], "Metadata": {"a": NaN, "b": -Infinity}}', ["SMP501 error: NaN is not JSON", "SMP501 error: -Infinity is not JSON"]),
        ('{"Steps": [], "Metadata": {"a": 1e999}}', ["SMP501 error: the number 1e999 is too large"]),
        ('{"Steps": [], "Metadata": {"a": ["\\ud800"]}}', ["SMP501 error: '\\ud800' is half a character, which is no text"]),
        ('{"Steps": [], "Metadata": ' + "[" * 250 + "]" * 250 + "}", ["SMP501 error: objects and lists are nested more than 200 levels deep"]),
        ("[" * 100_000, ["SMP501 error: objects and lists are nested more than 200 levels deep"]),
        ('{"Steps": [{"Name": 5, "Arguments": []}, {"Name": "C", "Type": "Condition", "Arguments": {"IfSteps": [{}], "ElseSteps": null}}], "Parameters": {}}', [
            "SMP501 error: Steps[0].Name: has the wrong type",
            "SMP501 error: Steps[0].Type: is missing",
            "SMP501 error: Steps[0].Arguments: has the wrong type",
            "SMP501 error: Steps[1].Arguments.IfSteps[0].Name: is missing",
            "SMP501 error: Steps[1].Arguments.IfSteps[0].Type: is missing",
            "SMP501 error: Steps[1].Arguments.IfSteps[0].Arguments: is missing",
            "SMP501 error: Steps[1].Arguments.ElseSteps: is missing",
            "SMP501 error: Parameters: must be a list",
        ]),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_definition_is_refused_with_all_reasons(text: str, findings: list[str]) -> None:
    with pytest.raises(DefinitionError) as caught:
        PipelineDefinition.from_json(text)
    assert [str(item) for item in caught.value.findings] == findings
    assert str(caught.value) == "\n".join(findings)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(DefinitionError, match="SMP501 error: not JSON: "):
        PipelineDefinition.from_json(b'{"Steps": "\xff\xfe\xfd"}')


def test_definitions_nested_as_deep_as_is_read_are_written_and_validated() -> None:
    inner: dict[str, Any] = {"Type": "Lambda", "Name": "S0", "Arguments": {"a": {"Get": "Parameters.P"}}}
    for number in range(1, 50):
        inner = {
            "Type": "Condition",
            "Name": f"S{number}",
            "Arguments": {"Conditions": [], "IfSteps": [inner], "ElseSteps": []},
        }
    definition = read(Steps=[inner])
    assert json.loads(definition.to_json()) == {"Steps": [inner]}
    assert {item.code for item in definition.validate()} == {"SMP509", "SMP541", "SMP563", "SMP624"}
    deep: Any = "x"
    for _ in range(194):
        deep = [deep]
    definition = read(Steps=[{"Name": "S", "Type": "Lambda", "FunctionArn": "f", "Arguments": {"a": deep}}])
    assert PipelineDefinition.from_json(definition.to_json()) == definition
    assert "SMP523" in {item.code for item in definition.validate()}


def test_the_definitions_inside_requests_of_the_sdk_survive_a_round_trip(golden: Path) -> None:
    found = [
        call["Params"]["PipelineDefinition"]
        for file in sorted((golden / "requests").glob("*.json"))
        for call in json.loads(file.read_text()).get("Calls", ())
        if "PipelineDefinition" in call.get("Params", {})
    ]
    assert found
    for text in found:
        assert json.loads(PipelineDefinition.from_json(text).to_json()) == json.loads(text)
