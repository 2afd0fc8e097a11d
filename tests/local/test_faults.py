"""Faults: what they hit, how often, what is refused, and the control by HTTP."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server

from sagemaker_provider.definition.shapes import service_model
from sagemaker_provider.local.errors import ServiceError
from sagemaker_provider.local.faults import PRESETS, Fault, Faults, control, from_json, resource_name


def refused(faults: Faults, operation: str, name: str = "job") -> str | None:
    try:
        faults.check(operation, name)
    except ServiceError as error:
        return error.code
    return None


def test_a_refused_call_gets_the_service_s_answer_and_then_all_is_well() -> None:
    faults = Faults()
    faults.add("throttling", operation="Create*")
    with pytest.raises(ServiceError) as caught:
        faults.check("CreateTrainingJob", "a")
    assert (caught.value.code, caught.value.message, caught.value.status) == (
        "ThrottlingException",
        "Rate exceeded",
        400,
    )
    assert refused(faults, "CreateTrainingJob") is None


def test_after_times_and_patterns() -> None:
    faults = Faults()
    faults.add(kind="error", operation="Create*Job", name="train-*", code="Oops", after=1, times=2)
    assert refused(faults, "DescribeTrainingJob", "train-1") is None
    assert refused(faults, "CreateTrainingJob", "other") is None
    assert [refused(faults, "CreateTrainingJob", "train-1") for _ in range(5)] == [None, "Oops", "Oops", None, None]


def test_without_end() -> None:
    faults = Faults()
    faults.add(kind="error", times=None)
    assert all(refused(faults, "ListModels") == "InternalFailure" for _ in range(20))
    faults.clear()
    assert refused(faults, "ListModels") is None


def test_faults_hit_in_the_order_of_their_addition() -> None:
    faults = Faults()
    faults.add(kind="error", code="One")
    faults.add(kind="error", code="Two")
    assert [refused(faults, "ListModels") for _ in range(3)] == ["One", "Two", None]


def test_latency_delays_and_lets_the_next_fault_see_the_call() -> None:
    faults = Faults()
    faults.add(kind="latency", seconds=0.1)
    faults.add("throttling")
    started = time.monotonic()
    assert refused(faults, "ListModels") == "ThrottlingException"
    assert time.monotonic() - started >= 0.1


def test_a_rate_is_counted_for_each_operation_and_refills() -> None:
    faults = Faults()
    fault = faults.add("rate-limit", per_second=20)
    calls = [refused(faults, "CreateModel") for _ in range(40)]
    assert calls[:20] == [None] * 20
    assert "ThrottlingException" in calls[20:]
    assert faults.hits(fault) == sum(call is not None for call in calls)
    assert refused(faults, "CreateEndpoint") is None
    assert refused(faults, "DescribeModel") is None
    time.sleep(0.11)
    assert refused(faults, "CreateModel") is None


def test_jobs_and_responses_have_faults_of_their_own() -> None:
    faults = Faults()
    faults.add("capacity", operation="CreateTrainingJob")
    faults.add("hang", name="slow")
    faults.add("lost-response")
    assert refused(faults, "CreateTrainingJob") is None
    failing = faults.for_job("CreateTrainingJob", "job")
    assert failing is not None
    assert failing.kind == "fail"
    assert str(failing.message).startswith("CapacityError: Unable to provision requested ML compute capacity.")
    assert faults.for_job("CreateTrainingJob", "job") is None
    hanging = faults.for_job("CreateProcessingJob", "slow")
    assert hanging is not None
    assert hanging.kind == "hang"
    assert [faults.loses_response("CreateTrainingJob", "job") for _ in range(2)] == [True, False]


def test_many_threads_count_right() -> None:
    faults = Faults()
    fault = faults.add(kind="error", times=50)
    codes: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: codes.extend(refused(faults, "ListModels") for _ in range(25)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(code is not None for code in codes) == faults.hits(fault) == 50


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_faults(preset: str) -> None:
    fault = Faults().add(preset, name="x*")
    assert fault.name == "x*"
    assert fault.kind == PRESETS[preset]["kind"]


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ValueError, match="fault: ") as caught:
        Fault("latency", operation=3, times=0, after=-1, code="X", status=99)  # type: ignore[arg-type]
    text = str(caught.value)
    for part in (
        "operation must be text, not 3",
        "times must be a whole number of at least 1, not 0",
        "after must be a whole number of at least 0, not -1",
        "code has no meaning for latency",
        "status must be a whole number from 400 to 599, not 99",
        "seconds is required for latency",
    ):
        assert part in text


def test_another_answer_needs_its_text() -> None:
    with pytest.raises(ValueError, match="body is required for answer"):
        Fault("answer")


@pytest.mark.parametrize("seconds", [True, "1", -1, 0, float("nan"), float("inf"), 10**400])
def test_seconds_are_checked(seconds: Any) -> None:
    with pytest.raises(ValueError, match="seconds must be a number above 0"):
        Fault("latency", seconds=seconds)


@pytest.mark.parametrize("kind", ["trottling", None, ["error"]])
def test_unknown_kinds_are_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        Fault(kind)


def test_json_is_checked_as_a_whole() -> None:
    entries = [{"kind": "hang"}, {"preset": "capasity"}, {"kind": "error", "tims": 3}, 7, {"name": "x"}]
    with pytest.raises(ValueError, match="unknown preset") as caught:
        from_json(entries)
    lines = str(caught.value).splitlines()
    assert [line[:3] for line in lines] == ["[1]", "[2]", "[3]", "[4]"]
    assert "did you mean 'capacity'?" in lines[0]
    assert "did you mean 'times'?" in lines[1]
    assert "kind or preset is required" in lines[3]


def test_json_of_faults_is_json_for_faults() -> None:
    faults = Faults()
    for preset in PRESETS:
        faults.add(preset)
    faults.add(kind="latency", seconds=1.5, times=None)
    entries = faults.to_json()
    assert all(entry.pop("hits") == 0 for entry in entries)
    assert tuple(from_json(json.loads(json.dumps(entries)))) == faults.list()


@pytest.fixture
def controlled() -> Iterator[tuple[str, Faults]]:
    faults = Faults()
    server = make_server("127.0.0.1", 0, lambda environ, start: control(faults, environ, start), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/local-sagemaker/faults", faults
    server.shutdown()
    thread.join()
    server.server_close()


def http(url: str, method: str, body: bytes | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_control_by_http(controlled: tuple[str, Faults]) -> None:
    url, faults = controlled
    assert http(url, "GET") == (200, [])
    assert http(url, "POST", b'{"preset": "throttling"}')[0] == 200
    assert http(url, "POST", b'[{"kind": "hang", "name": "a"}, {"kind": "lost-response"}]')[0] == 200
    assert [fault.kind for fault in faults.list()] == ["throttling", "hang", "lost-response"]
    assert refused(faults, "ListModels") == "ThrottlingException"
    assert [entry["hits"] for entry in http(url, "GET")[1]] == [1, 0, 0]
    assert http(url, "DELETE") == (200, [])
    assert faults.list() == ()


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[" * 100_000, b'[{"kind": "hang"}, {"kind": "x"}]'])
def test_control_refuses_bad_bodies_and_adds_nothing(controlled: tuple[str, Faults], body: bytes) -> None:
    url, faults = controlled
    status, answer = http(url, "POST", body)
    assert status == 400
    assert answer["error"]
    assert faults.list() == ()


def test_control_refuses_other_methods(controlled: tuple[str, Faults]) -> None:
    assert http(controlled[0], "PUT", b"{}")[0] == 405


@pytest.mark.parametrize(
    ("operation", "request_", "name"),
    [
        ("CreateTrainingJob", {"RoleArn": "arn:aws:iam::1:role/r", "TrainingJobName": "t"}, "t"),
        ("CreateAutoMLJobV2", {"AutoMLJobName": "a"}, "a"),
        ("StartPipelineExecution", {"ClientRequestToken": "x", "PipelineName": "p"}, "p"),
        ("UpdatePipeline", {"PipelineName": "arn:aws:sagemaker:us-west-2:123456789012:pipeline/p"}, "p"),
        (
            "StopPipelineExecution",
            {"PipelineExecutionArn": "arn:aws:sagemaker:us-west-2:123456789012:pipeline/p/execution/abc"},
            "abc",
        ),
        (
            "UpdateModelPackage",
            {"ModelPackageArn": "arn:aws:sagemaker:us-west-2:123456789012:model-package/g/3"},
            "g/3",
        ),
        ("CreateModelPackage", {"ModelPackageDescription": "d", "ModelPackageGroupName": "g"}, "g"),
        ("SendPipelineExecutionStepSuccess", {"CallbackToken": "tok"}, "tok"),
        ("ListTrainingJobs", {}, ""),
        ("CreateTrainingJob", {"TrainingJobName": 3}, ""),
        ("NoSuchOperation", {"ThingName": "n"}, "n"),
    ],
)
def test_resource_names(operation: str, request_: dict[str, Any], name: str) -> None:
    assert resource_name(operation, request_) == name


def test_every_request_with_a_required_name_is_named() -> None:
    model = service_model("sagemaker")
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        required = [member for member in (shape.required_members if shape else ()) if member.endswith("Name")]
        if required:
            assert resource_name(operation, {member: f"<{member}>" for member in required}), operation
