"""The step type table against botocore's service models."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.shapes import SCALARS, request_shape, service_model
from sagemaker_provider.definition.step_types import (
    BRANCHES,
    COMMON_KEYS,
    EMR_CLUSTER,
    EMR_SERVERLESS_APPLICATION,
    ENTRY_NAMES,
    EXECUTION_STEP_STATES,
    JOB_RETRIES,
    PIPELINE_EXECUTION,
    STEP_TYPES,
    Resource,
    State,
    StepType,
    state_of,
)

RESOURCES = {
    **{row.name: row.resource for row in STEP_TYPES.values() if row.resource},
    "pipeline execution": PIPELINE_EXECUTION,
    "EMR cluster": EMR_CLUSTER,
    "EMR Serverless application": EMR_SERVERLESS_APPLICATION,
}
WAITABLE = {name: resource for name, resource in RESOURCES.items() if resource.waitable}
resources = pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
waitable = pytest.mark.parametrize("resource", WAITABLE.values(), ids=WAITABLE)
rows = pytest.mark.parametrize("row", STEP_TYPES.values(), ids=STEP_TYPES)


def response(resource: Resource) -> Any:
    return service_model(resource.service).operation_model(resource.describe).output_shape


def request(resource: Resource, operation: str) -> Any:
    return service_model(resource.service).operation_model(operation).input_shape


def at(shape: Any, path: str) -> Any:
    """The shape at a path; :class:`KeyError` when the model has no such member."""
    for segment in paths.parse(path):
        if shape.type_name == "map":
            shape = shape.value
        else:
            shape = shape.member if isinstance(segment, int) else shape.members[segment]
    return shape


def test_the_types_are_those_of_the_sdk() -> None:
    assert set(STEP_TYPES) == {
        "AutoML", "Callback", "ClarifyCheck", "Cleanup", "Condition", "EMR", "EMRServerless", "Endpoint", "EndpointConfig", "Fail",
        "ForEach", "InferenceComponent", "Job", "Lambda", "Lineage", "Model", "Processing", "QualityCheck", "RegisterModel",
        "Training", "Transform", "Tuning",
    }  # fmt: skip
    assert all(name == row.name for name, row in STEP_TYPES.items())


@waitable
def test_every_status_of_the_service_has_a_state_and_no_other_has(resource: Resource) -> None:
    assert set(resource.states) == set(at(response(resource), resource.status).enum)


@waitable
def test_whoever_waits_sees_the_beginning_and_a_success(resource: Resource) -> None:
    assert State.RUNNING in resource.states.values()
    assert State.SUCCEEDED in resource.states.values()


@waitable
def test_a_status_that_says_it_went_wrong_or_was_stopped_is_no_success(resource: Resource) -> None:
    wrong = re.compile(r"fail|error|stopp|delet|cancel|terminat|interrupt|rollback|outofservice", re.IGNORECASE)
    successes = {status for status, state in resource.states.items() if state is State.SUCCEEDED}
    exceptions = {"STOPPED"} if resource is EMR_SERVERLESS_APPLICATION else set()  # starts by itself with its first job
    assert {status for status in successes if wrong.search(status)} == exceptions


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Executing", State.RUNNING),
        ("Stopping", State.RUNNING),
        ("Succeeded", State.SUCCEEDED),
        ("Failed", State.FAILED),
        ("CompletedWithFailures", State.FAILED),
        ("Stopped", State.STOPPED),
    ],
)
def test_the_state_of_a_pipeline_execution(status: str, state: State) -> None:
    assert state_of(PIPELINE_EXECUTION, {"PipelineExecutionStatus": status}) == (state, status)


def test_the_state_is_found_below_other_members() -> None:
    emr = STEP_TYPES["EMR"].resource
    assert emr is not None
    assert state_of(emr, {"Step": {"Status": {"State": "CANCEL_PENDING"}}}) == (State.RUNNING, "CANCEL_PENDING")


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "the DescribePipelineExecution response has no status: no 'PipelineExecutionStatus' in the document"),
        ({"PipelineExecutionStatus": "Paused"}, "unknown status 'Paused' in the DescribePipelineExecution response; known are Executing,"),
        ({"PipelineExecutionStatus": None}, "unknown status 'None'"),
    ],
)  # fmt: skip
def test_a_status_that_is_missing_or_unknown_is_never_taken_for_another(description: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        state_of(PIPELINE_EXECUTION, description)


@resources
def test_the_operations_exist(resource: Resource) -> None:
    names = set(service_model(resource.service).operation_names)
    used = {resource.create, resource.describe, resource.stop, resource.update} - {None}
    assert used <= names


@resources
def test_the_name_is_a_member_of_the_create_request(resource: Resource) -> None:
    if resource.name is not None:
        assert at(request(resource, resource.create), resource.name).type_name == "string"


@resources
def test_identifiers_lead_from_the_create_call_to_the_describe_request(resource: Resource) -> None:
    operation = service_model(resource.service).operation_model(resource.create)
    described = request(resource, resource.describe)
    assert set(described.required_members) <= set(resource.identifiers) <= set(described.members)
    for path in resource.identifiers.values():
        assert any(_has(shape, path) for shape in (operation.output_shape, operation.input_shape)), path


@resources
def test_what_stops_it_takes_the_same_identifiers(resource: Resource) -> None:
    if resource.stop is None or resource.stop == "CancelSteps":  # which takes a list of steps
        return
    stopped = request(resource, resource.stop)
    assert set(stopped.required_members) - {"ClientRequestToken"} <= set(resource.identifiers) <= set(stopped.members)


@resources
def test_status_reasons_and_result_are_members_of_the_describe_response(resource: Resource) -> None:
    for path in (resource.status, resource.result):
        assert at(response(resource), path)
    if resource.waitable:
        missing = {path for path in resource.reason if not _has(response(resource), path)}
        assert missing <= {"ExitMessage"}  # processing jobs alone have an exit message
        assert resource.reason[0] not in missing


@pytest.mark.parametrize(
    "resource", [each for each in WAITABLE.values() if each.listing], ids=lambda each: each.describe
)
def test_the_list_call_shows_identifiers_and_status(resource: Resource) -> None:
    listing = resource.listing
    assert listing is not None
    model = service_model(resource.service).operation_model(listing.operation)
    entry = model.output_shape.members[listing.entries].member
    assert at(entry, listing.status).type_name == "string"
    assert all(at(entry, path).type_name == "string" for path in listing.identifiers.values())
    assert {*listing.identifiers, *(source for source, _ in listing.scope.values())} == set(resource.identifiers) or (
        listing.scope and set(listing.identifiers) == set(resource.identifiers)
    )
    asked = {*listing.request, *listing.scope, listing.paging, *filter(None, [listing.running])}
    asked |= {listing.ids[0]} if listing.ids else set()
    asked |= {"LastModifiedTimeAfter"} if listing.modified else set()
    assert asked <= set(model.input_shape.members)
    assert set(model.input_shape.required_members) <= set(listing.scope)
    assert listing.paging in model.output_shape.members
    assert not listing.modified or "LastModifiedTime" in entry.members
    for member in listing.request.keys() & {"MaxResults", "maxResults"}:
        assert listing.request[member] == model.input_shape.members[member].metadata["max"]


def test_the_states_of_an_execution_s_steps_are_those_of_the_service() -> None:
    assert set(EXECUTION_STEP_STATES) == set(service_model("sagemaker").shape_for("StepStatus").enum)


@rows
def test_arguments_and_properties_have_shapes_and_the_members_named(row: StepType) -> None:
    if row.shape:
        shape = request_shape(*row.shape)
        for path in row.removed:
            assert _has(shape, path), path
        assert row.resource is not None
        assert (row.resource.service, row.resource.create) == row.shape
    if row.properties:
        service_model(row.properties[0]).shape_for(row.properties[1])
    for name, kind in row.extra_properties.items():
        assert kind in {*SCALARS.values(), "Any"} or service_model("sagemaker").shape_for(kind), name
    assert row.prefix_length is None or row.auto_named


@rows
def test_properties_are_those_of_the_describe_response(row: StepType) -> None:
    if row.properties and row.resource:
        shape = at(response(row.resource), row.resource.result)
        assert shape.name == row.properties[1]


@rows
def test_keys_caching_and_retries_fit_together(row: StepType) -> None:
    assert set(COMMON_KEYS) | set(row.required_keys) <= row.keys
    assert ("CacheConfig" in row.keys) == (row.cacheable in ("documented", "sdk"))
    assert row.cacheable in ("documented", "sdk", "no")
    assert ("RetryPolicies" in row.keys) == bool(row.retry)
    assert set(row.retry_ignored) <= set(row.retry) <= set(JOB_RETRIES)
    assert not row.retry_documented or row.retry


def test_lists_addressed_by_name_have_the_naming_member() -> None:
    model = service_model("sagemaker")
    for shape, member in ENTRY_NAMES.items():
        assert model.shape_for(shape).member.members[member].type_name == "string"


def test_steps_that_hold_steps_are_not_allowed_in_loops() -> None:
    assert all(not STEP_TYPES[name].in_loop for name in BRANCHES)
    assert {name for name, row in STEP_TYPES.items() if not row.in_loop} == {"Condition", "Fail", "ForEach"}


def _has(shape: Any, path: str) -> bool:
    try:
        at(shape, path)
    except (KeyError, AttributeError):
        return False
    return True
