"""Random definitions and random JSON: round trips, and nothing but findings and DefinitionError ever."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagemaker_provider.definition import (
    STEP_TYPES,
    CacheConfig,
    DefinitionError,
    Dependency,
    Equals,
    Finding,
    Get,
    GreaterThan,
    GreaterThanOrEqualTo,
    In,
    Join,
    JsonGet,
    LessThan,
    LessThanOrEqualTo,
    Not,
    Or,
    OutputParameter,
    Parameter,
    PipelineDefinition,
    PropertyFile,
    RetryPolicy,
    Step,
)

moderate = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

names = st.sampled_from("ABCDEFG")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.one_of(
    texts, st.integers(-(2**70), 2**70), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)

# Correct values, written and read again

paths = st.sampled_from(
    [
        "Parameters.A",
        "Execution.PipelineName",
        "ForEach.CurrentItem",
        "ForEach.CurrentItem['k']",
        "IterationOutput.A.OutputParameters['x']",
        "PipelineExperimentConfig.TrialName",
    ]
)
step_paths = st.builds(
    "Steps.{}.{}".format,
    names,
    st.sampled_from(
        [
            "ModelArtifacts.S3ModelArtifacts",
            "ProcessingOutputConfig.Outputs['o'].S3Output.S3Uri",
            "OutputParameters['x']",
            "IterationOutputs[0].A.OutputParameters['x']",
            "Selected.OutputParameters['x']",
            "Outcome",
            "Nope",
        ]
    ),
)
gets = st.one_of(paths, step_paths).map(Get)
files = names.map(lambda name: Get(f"Steps.{name}.PropertyFiles.F"))
json_paths = st.sampled_from(["a", "a.b[0]", "a['b c']", "", "a["])
expressions: st.SearchStrategy[Any] = st.recursive(
    gets | st.builds(JsonGet, json_paths, files),
    lambda inner: st.one_of(
        st.builds(Join, texts, st.lists(inner | scalars, max_size=3).map(tuple)),
        st.builds(JsonGet, json_paths, s3_uri=st.builds(Join, texts, st.lists(inner | texts, max_size=2).map(tuple))),
    ),
    max_leaves=4,
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars | expressions,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abXY"), inner, max_size=3),
    max_leaves=6,
)
operands = scalars | expressions
conditions: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        *(st.builds(cls, operands, operands) for cls in (Equals, GreaterThan, GreaterThanOrEqualTo, LessThan, LessThanOrEqualTo)),
        st.builds(In, operands, st.lists(operands, max_size=3)),
    ),
    lambda inner: st.builds(Not, inner) | st.builds(Or, st.lists(inner, max_size=3)),
    max_leaves=4,
)  # fmt: skip
kinds = st.sampled_from(["String", "Integer", "Float", "Boolean"])
parameters = st.builds(
    Parameter,
    names,
    kinds,
    st.none() | scalars,
    st.none() | st.lists(texts, max_size=3).map(tuple),
    st.none() | texts,
)
dependencies = names | st.builds(Dependency, names, st.sampled_from(["Failed", "Stopped", "Any"]))
policies = st.builds(
    RetryPolicy,
    st.lists(st.sampled_from(["Step.THROTTLING", "SageMaker.CAPACITY_ERROR", "Nope"]), max_size=2).map(tuple),
    st.none() | st.integers(-1, 50_000),
    st.none() | st.floats(0, 5),
    st.none() | st.integers(0, 21),
    st.none() | st.integers(0, 20_000),
)
common = {
    "name": names,
    "depends_on": st.none() | st.lists(dependencies, max_size=2).map(tuple),
    "display_name": st.none() | texts,
    "description": st.none() | texts,
    "retry_policies": st.none() | st.lists(policies, max_size=2).map(tuple),
    "cache_config": st.none() | st.builds(CacheConfig, st.booleans(), st.none() | st.sampled_from(["P1D", "x"])),
    "property_files": st.none() | st.lists(st.builds(PropertyFile, texts, texts, texts), max_size=1).map(tuple),
    "output_parameters": st.none() | st.lists(st.builds(OutputParameter, texts, kinds), max_size=2).map(tuple),
    "members": st.dictionaries(
        st.sampled_from(["FunctionArn", "CheckType", "SkipCheck", "Members", "SqsQueueUrl", "New"]),
        st.none() | values,
        max_size=2,
    ),
}
members_of = {
    name: sorted({"RoleArn", "ErrorMessage", "Resources", "StepConfig", "ClusterId", "Environment", "Actions", "Associations", "JobConfig"})
    for name in STEP_TYPES
}  # fmt: skip
plain_types = [name for name in STEP_TYPES if name not in ("Condition", "ForEach")]
plain_steps = st.sampled_from([*plain_types, "Athena"]).flatmap(
    lambda kind: st.builds(
        Step,
        type=st.just(kind),
        arguments=st.dictionaries(st.sampled_from(members_of.get(kind, ["QueryString"])), values, max_size=3),
        **common,
    )
)


def with_steps_inside(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    body = st.lists(inner, max_size=2).map(tuple)
    branch = st.fixed_dictionaries(
        {"Conditions": st.lists(conditions, max_size=2).map(tuple), "IfSteps": body, "ElseSteps": body}
    )
    loop = st.fixed_dictionaries(
        {"IterableItems": values, "MaxConcurrency": st.integers(0, 51), "ForEachBody": body},
        optional={"Selector": st.fixed_dictionaries({"Pick": st.just("MaxBy"), "Field": gets})},
    )
    return st.builds(Step, type=st.just("Condition"), arguments=branch, **common) | st.builds(
        Step, type=st.just("ForEach"), arguments=loop, **common
    )


steps: st.SearchStrategy[Step] = st.recursive(plain_steps, with_steps_inside, max_leaves=4)
definitions = st.builds(
    PipelineDefinition,
    st.lists(steps, max_size=3).map(tuple),
    st.none() | st.lists(parameters, max_size=2).map(tuple),
    st.dictionaries(
        st.sampled_from(["Version", "Metadata", "PipelineExperimentConfig", "MlflowConfig", "Members"]),
        st.none() | values,
        max_size=3,
    ),
)


@moderate
@given(definitions)
def test_a_definition_is_read_as_it_was_written(definition: PipelineDefinition) -> None:
    written = definition.to_json()
    again = PipelineDefinition.from_json(written)
    assert again == definition
    assert again.to_json() == written
    assert PipelineDefinition.from_json(definition.to_json(indent=None).encode()) == definition


@moderate
@given(definitions)
def test_findings_of_a_definition_have_known_codes_and_do_not_change(definition: PipelineDefinition) -> None:
    findings = definition.validate()
    assert all(isinstance(item, Finding) for item in findings)
    assert findings == definition.validate()
    again = PipelineDefinition.from_json(definition.to_json()).validate()  # with sorted keys
    assert {(item.code, item.place) for item in again} == {(item.code, item.place) for item in findings}


# Arbitrary JSON in every place

junk: st.SearchStrategy[Any] = st.recursive(
    st.none() | scalars | gets.map(lambda get: {"Get": get.path}) | st.sampled_from(["A", "Any", "String", "Equals"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Get", "Std:Join", "Std:JsonGet", "On", "Values", "Path", "S3Uri", "PropertyFile", "Type", "LeftValue", "RightValue", "Name", "Step", "Trigger", "Condition", "Conditions", "S3", "StepName", "Pick", "Field", "Instances", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)  # fmt: skip


def near(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the keys that belong there, some missing."""
    return st.fixed_dictionaries({}, optional=keys)


raw_get = gets.map(lambda get: {"Get": get.path})
raw_condition = near(
    Type=st.sampled_from(["Equals", "In", "Not", "Or", "LessThan"]) | junk,
    LeftValue=junk,
    RightValue=junk,
    QueryValue=junk,
    Values=junk,
    Condition=junk,
    Conditions=junk,
)
raw_parameter = near(Name=names | junk, Type=kinds | junk, DefaultValue=junk, EnumValues=junk, Description=junk)
raw_dependency = names | near(Step=names | junk, Trigger=junk)
raw_policy = near(ExceptionType=junk, MaxAttempts=junk, ExpireAfterMin=junk, IntervalSeconds=junk, BackoffRate=junk)
raw_output = near(OutputName=junk, OutputType=kinds | junk)
raw_file = near(PropertyFileName=junk, OutputName=junk, FilePath=junk)
argument_names = st.sampled_from(
    ["Conditions", "IterableItems", "MaxConcurrency", "Selector", "ErrorMessage", "Resources", "Actions", "Associations", "StepConfig", "ClusterConfig", "ClusterId", "JobConfig", "ProcessingOutputConfig", "ProcessingInputs", "RoleArn", "Environment", "HyperParameters"]
)  # fmt: skip
raw_steps: st.SearchStrategy[Any] = st.deferred(
    lambda: st.sampled_from([*STEP_TYPES, "Athena", ""]).flatmap(
        lambda kind: st.fixed_dictionaries(
            {
                "Name": names,
                "Type": st.just(kind),
                "Arguments": st.dictionaries(argument_names, junk | st.lists(raw_condition, max_size=2), max_size=3)
                if kind not in ("Condition", "ForEach")
                else near(
                    Conditions=st.lists(raw_condition, max_size=2) | junk,
                    IterableItems=junk,
                    MaxConcurrency=junk,
                    Selector=near(Pick=junk, Field=raw_get | junk) | junk,
                    **{
                        key: st.lists(raw_steps, max_size=2)
                        for key in (("IfSteps", "ElseSteps") if kind == "Condition" else ("ForEachBody",))
                    },
                ),
            },
            optional={
                "DependsOn": st.lists(raw_dependency | junk, max_size=2) | junk,
                "RetryPolicies": st.lists(raw_policy | junk, max_size=2) | junk,
                "CacheConfig": near(Enabled=junk, ExpireAfter=junk) | junk,
                "PropertyFiles": st.lists(raw_file | junk, max_size=2) | junk,
                "OutputParameters": st.lists(raw_output | junk, max_size=2) | junk,
                "DisplayName": junk,
                "FunctionArn": junk,
                "CheckType": junk,
                "SkipCheck": junk,
                "Members": junk,
            },
        )
    )
)
raw_definitions = st.fixed_dictionaries(
    {"Steps": st.lists(raw_steps, max_size=3)},
    optional={
        "Parameters": st.lists(raw_parameter | junk, max_size=3) | st.none(),
        "Version": junk,
        "Metadata": junk,
        "PipelineExperimentConfig": near(ExperimentName=junk, TrialName=junk) | junk,
        "MlflowConfig": near(MlflowExperimentName=junk) | junk,
        "Members": junk,
    },
)


@moderate
@given(st.one_of(junk, near(Steps=junk | st.lists(near(Name=junk, Type=junk, Arguments=junk)), Parameters=junk)))
def test_any_json_is_a_definition_or_a_definition_error(data: Any) -> None:
    try:
        definition = PipelineDefinition.from_json(json.dumps(data))
    except DefinitionError as error:
        findings = error.findings
        assert findings
    else:
        assert json.loads(definition.to_json()) == data
        definition.validate()


@moderate
@given(st.one_of(st.text(max_size=30), st.binary(max_size=30), st.text('{}[]",:0123eE+-.SteplsaN', max_size=30)))
def test_any_text_is_a_definition_or_a_definition_error(text: str | bytes) -> None:
    try:
        PipelineDefinition.from_json(text)
    except DefinitionError as error:
        findings = error.findings
        assert findings


@settings(moderate, max_examples=300)
@given(raw_definitions)
def test_whatever_stands_in_a_definition_is_kept_and_validation_never_raises(data: dict[str, Any]) -> None:
    text = json.dumps(data)
    definition = PipelineDefinition.from_json(text)
    assert json.loads(definition.to_json()) == data
    assert PipelineDefinition.from_json(definition.to_json()) == definition
    findings = definition.validate()
    assert findings == PipelineDefinition.from_json(text).validate()
    assert all(str(item) for item in findings)
