"""The generated functions by themselves: messages that come twice, failures, time limits and stops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from services_world import RECORDER

from sagemaker_provider.translator import functions

ARN = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/p/execution/e"
ANSWERS = {
    "sagemaker.SendPipelineExecutionStepSuccess": [{}],
    "sagemaker.SendPipelineExecutionStepFailure": [{}],
    "sagemaker.DescribePipelineExecution": [{"PipelineExecutionStatus": "Executing"}],
    "sqs.SendMessage": [{"MessageId": "m"}],
}


class Function:
    """A generated function in this process; the services answer by a script."""

    def __init__(self, kind: str, folder: Path, script: dict[str, Any]) -> None:
        self.record, self.code = folder / "calls", {}
        exec(functions.source(kind), self.code)
        scope: dict[str, Any] = {}
        exec(RECORDER, scope)
        self.undo = scope["install"](str(self.record), {**ANSWERS, **script})
        self.handler = self.code[functions.KINDS[kind].handler]

    def deliver(self, message: dict[str, Any], times: int = 1, sent: float = 0) -> list[Any]:
        """Call the function with a message; what it has called."""
        attributes = {"ApproximateReceiveCount": str(times), "SentTimestamp": str(int(sent * 1000))}
        before = len(self.calls())
        self.handler({"Records": [{"body": json.dumps(message), "attributes": attributes}]}, None)
        return self.calls()[before:]

    def calls(self) -> list[Any]:
        return [json.loads(line) for line in self.record.read_text().splitlines()] if self.record.exists() else []


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("QUEUE_URL", "https://sqs.us-west-2.amazonaws.com/123456789012/q")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    made: list[Function] = []

    def make(kind: str, **script: Any) -> Function:
        made.append(Function(kind, tmp_path, {name.replace("__", "."): value for name, value in script.items()}))
        return made[-1]

    yield make
    for item in made:
        item.undo()


def message(arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    wait = {"wait/poll_seconds": 5, "wait/timeout_seconds": 60, "wait/stop": True}
    return {
        "token": "abcdefghij",
        "pipelineExecutionArn": ARN,
        "arguments": {**wait, **arguments},
        "status": "Executing",
        **more,
    }


GLUE = {"request/JobName": "j", "request/Arguments/--a": "1"}
ATHENA = {"request/QueryString": "select 1"}
QUERY = {"job": {"QueryExecutionId": "q"}}


def names(calls: list[Any]) -> list[str]:
    return [name for name, _ in calls]


def test_it_starts_and_looks_later(function: Any) -> None:
    work = function("athena-query", athena__StartQueryExecution=[{"QueryExecutionId": "q"}])
    (_, start), _, (name, again) = work.deliver(message(ATHENA))
    assert len(start["ClientRequestToken"]) == 64
    assert (name, again["DelaySeconds"]) == ("sqs.SendMessage", 5)
    assert json.loads(again["MessageBody"])["job"] == QUERY["job"]


def test_a_message_that_comes_twice_starts_with_the_same_token(function: Any) -> None:
    work = function("athena-query", athena__StartQueryExecution=[{"QueryExecutionId": "q"}])
    first, second = work.deliver(message(ATHENA))[0], work.deliver(message(ATHENA), times=2)[0]
    other = work.deliver(message(ATHENA, token="klmnopqrst"))[0]
    assert first == second
    assert other[1]["ClientRequestToken"] != first[1]["ClientRequestToken"]


@pytest.mark.parametrize(
    ("started", "arguments", "found"),
    [(100.5, {"--a": "1"}, True), (90, {"--a": "1"}, False), (100.5, {"--a": "2"}, False)],
)
def test_without_a_token_it_looks_for_what_it_has_started(
    function: Any, started: float, arguments: dict[str, str], found: bool
) -> None:
    run = {
        "Id": "r",
        "JobName": "j",
        "Arguments": arguments,
        "StartedOn": datetime.fromtimestamp(started, timezone.utc),
    }
    work = function("glue-job", glue__StartJobRun=[{"JobRunId": "new"}], glue__GetJobRuns=[{"JobRuns": [run]}])
    calls = work.deliver(message(GLUE), times=2, sent=100)
    assert ("glue.StartJobRun" in names(calls)) is not found
    assert json.loads(calls[-1][1]["MessageBody"])["job"]["RunId"] == ("r" if found else "new")
    assert names(work.deliver(message(GLUE), sent=100)) == [
        "glue.StartJobRun",
        "sagemaker.DescribePipelineExecution",
        "sqs.SendMessage",
    ]


def test_it_answers_when_the_work_is_done(function: Any) -> None:
    work = function("athena-query", athena__GetQueryExecution=[{"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}])
    calls = work.deliver(message(ATHENA, **QUERY))
    assert names(calls) == ["athena.GetQueryExecution", "sagemaker.SendPipelineExecutionStepSuccess"]
    assert calls[1][1]["OutputParameters"] == [{"Name": "return_value", "Value": "q"}]


def test_it_tells_why_the_work_failed(function: Any) -> None:
    status = {"State": "FAILED", "StateChangeReason": "no table" + "!" * 300}
    work = function("athena-query", athena__GetQueryExecution=[{"QueryExecution": {"Status": status}}])
    (_, failure) = work.deliver(message(ATHENA, **QUERY))
    assert failure[0] == "sagemaker.SendPipelineExecutionStepFailure"
    assert "FAILED: no table" in failure[1]["FailureReason"]
    assert len(failure[1]["FailureReason"]) == 256


def test_a_request_that_is_refused_fails_the_step(function: Any) -> None:
    work = function("ecs-task", ecs__RunTask=[{"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}])
    calls = work.deliver(message({"request/taskDefinition": "d"}))
    assert "RESOURCE:CPU" in calls[-1][1]["FailureReason"]


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ({"containers": [{"name": "c", "lastStatus": "STOPPED", "exitCode": 3}]}, "3"),
        ({"containers": [{"name": "c", "lastStatus": "STOPPED"}]}, "c"),
        ({"stopCode": "TaskFailedToStart", "stoppedReason": "no image", "containers": []}, "no image"),
        ({"stoppedReason": "Host EC2 (instance i-1) terminated.", "containers": []}, "Host EC2"),
    ],
)
def test_an_ecs_task_that_stops_otherwise_than_well(function: Any, task: dict[str, Any], reason: str) -> None:
    work = function("ecs-task", ecs__DescribeTasks=[{"tasks": [{"lastStatus": "STOPPED", **task}], "failures": []}])
    calls = work.deliver(message({}, job={"cluster": "c", "tasks": ["t"]}))
    assert reason in calls[-1][1]["FailureReason"]


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        (["COMPLETED", "COMPLETED"], "sagemaker.SendPipelineExecutionStepSuccess"),
        (["FAILED", "COMPLETED"], "sagemaker.SendPipelineExecutionStepFailure"),
        (["COMPLETED", "RUNNING"], "sqs.SendMessage"),
    ],
)
def test_emr_steps_are_done_when_all_are(function: Any, states: list[str], outcome: str) -> None:
    work = function("emr-steps", emr__ListSteps=[{"Steps": [{"Status": {"State": state}} for state in states]}])
    assert names(work.deliver(message({}, job={"ClusterId": "j-1", "StepIds": ["a", "b"]})))[-1] == outcome


def test_it_gives_up_after_the_time_limit(function: Any) -> None:
    work = function("athena-query", athena__GetQueryExecution=[{"QueryExecution": {"Status": {"State": "RUNNING"}}}])
    calls = work.deliver(message(ATHENA, until=1, **QUERY))
    assert "not done after 60 s" in calls[-1][1]["FailureReason"]


def test_it_stops_the_work_with_the_pipeline(function: Any) -> None:
    work = function(
        "athena-query",
        athena__GetQueryExecution=[{"QueryExecution": {"Status": {"State": "RUNNING"}}}],
        athena__StopQueryExecution=[{}],
        sagemaker__DescribePipelineExecution=[{"PipelineExecutionStatus": "Stopping"}],
    )
    calls = work.deliver(message(ATHENA, **QUERY))
    assert names(calls)[-2:] == ["athena.StopQueryExecution", "sagemaker.SendPipelineExecutionStepFailure"]
    assert work.deliver({**message(ATHENA), "status": "Stopping"}) == []


def test_an_error_of_a_service_fails_the_step(function: Any) -> None:
    work = function("athena-query")
    calls = work.deliver(message({"request/Wrong": "x"}))
    assert "ParamValidationError" in calls[-1][1]["FailureReason"]


def test_a_step_that_was_answered_before_is_left_alone(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    done = {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}
    work = function("athena-query", athena__GetQueryExecution=[done])
    real = work.code["boto3"].client

    class Client:
        def __init__(self, service: str) -> None:
            self.real = real(service)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def send_pipeline_execution_step_success(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": self.code, "Message": "answered"}}, "Send")

    monkeypatch.setattr(work.code["boto3"], "client", Client)
    for Client.code in ("ConflictException", "ResourceNotFound"):
        assert names(work.deliver(message(ATHENA, **QUERY))) == ["athena.GetQueryExecution"]
    Client.code = "AccessDenied"
    with pytest.raises(ClientError):
        work.deliver(message(ATHENA, **QUERY))


def test_states_of_a_sensor_are_its_own(function: Any) -> None:
    work = function("emr-cluster", emr__DescribeCluster=[{"Cluster": {"Status": {"State": "WAITING"}}}])
    own = {"job/ClusterId": "j-1", "wait/succeeded/0": "TERMINATED", "wait/failed/0": "WAITING"}
    assert names(work.deliver(message(own)))[-1] == "sagemaker.SendPipelineExecutionStepFailure"
