"""A worker answers in one way, whoever waits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagemaker_provider.hooks import callback

PIPELINE = {"token": "abcdefghij", "pipelineExecutionArn": "arn", "arguments": {}, "status": "Executing"}


class Recorder:
    """A SageMaker client that keeps the calls; the local endpoint has no callbacks of pipelines yet."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda **request: self.calls.append((name, request))


def test_a_pipeline_is_answered_through_its_api() -> None:
    client = Recorder()
    callback.succeed(json.dumps(PIPELINE), {"rows": 3, "name": "x", "ok": True}, sagemaker=client)
    values = [{"Name": "rows", "Value": "3"}, {"Name": "name", "Value": "x"}, {"Name": "ok", "Value": "true"}]
    assert client.calls == [
        ("send_pipeline_execution_step_success", {"CallbackToken": "abcdefghij", "OutputParameters": values})
    ]


def test_a_failure_is_cut_to_what_the_service_takes() -> None:
    client = Recorder()
    callback.fail(PIPELINE, "x" * 300, sagemaker=client)
    assert client.calls == [
        ("send_pipeline_execution_step_failure", {"CallbackToken": "abcdefghij", "FailureReason": "x" * 256})
    ]


def test_airflow_is_answered_on_the_queue_it_names(aws: Any) -> None:
    queue = aws.client("sqs").create_queue(QueueName="answers")["QueueUrl"]
    callback.succeed({**PIPELINE, "answerQueueUrl": queue}, {"rows": 3})
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"]) == {
        "token": "abcdefghij",
        "call": "SendPipelineExecutionStepSuccess",
        "OutputParameters": [{"Name": "rows", "Value": "3"}],
    }


@pytest.mark.parametrize(
    ("key", "value", "stopping"),
    [("status", "Stopping", True), ("Status", "Stopping", True), ("status", "Executing", False)],
)
def test_the_extra_message_of_a_stop_is_recognised(key: str, value: str, stopping: bool) -> None:
    assert callback.is_stopping({"token": "abcdefghij", key: value}) is stopping
