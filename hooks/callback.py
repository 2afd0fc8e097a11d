"""Answering Callback steps.

A Callback step puts a message on a queue and waits for an answer. A worker that reads the queue answers with
:func:`succeed` or :func:`fail`, in the same way whether the step runs in a pipeline or in Airflow. This module needs
boto3 only, so a worker can use it without Airflow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ANSWER_QUEUE = "answerQueueUrl"
"""Key of a message sent by Airflow: the queue that takes the answer. Messages of a pipeline do not have it."""


def succeed(message: str | Mapping[str, Any], outputs: Mapping[str, Any] | None = None, **clients: Any) -> None:
    """Tell a Callback step that the work is done.

    :param message: body of the message from the queue, as text or parsed.
    :param outputs: values of the declared output parameters, flat; at most 50, each at most 1024 characters as text.
    :param clients: boto3 clients ``sagemaker`` and ``sqs`` to use instead of new ones.
    """
    values = [{"Name": name, "Value": _text(value)} for name, value in (outputs or {}).items()]
    _answer(message, "SendPipelineExecutionStepSuccess", {"OutputParameters": values}, clients)


def fail(message: str | Mapping[str, Any], reason: str, **clients: Any) -> None:
    """Tell a Callback step that the work failed.

    :param message: body of the message from the queue, as text or parsed.
    :param reason: why; the service takes the first 256 characters.
    :param clients: boto3 clients ``sagemaker`` and ``sqs`` to use instead of new ones.
    """
    _answer(message, "SendPipelineExecutionStepFailure", {"FailureReason": reason[:256]}, clients)


def is_stopping(message: str | Mapping[str, Any]) -> bool:
    """Whether the message asks the worker to stop: it should end its work and answer with :func:`fail`."""
    body = _body(message)
    return next((str(value) for key, value in body.items() if key.lower() == "status"), "") == "Stopping"


def _answer(message: str | Mapping[str, Any], call: str, answer: dict[str, Any], clients: Mapping[str, Any]) -> None:
    import boto3

    body = _body(message)
    token = body["token"]
    if queue := body.get(ANSWER_QUEUE):
        client = clients.get("sqs") or boto3.client("sqs")
        client.send_message(QueueUrl=queue, MessageBody=json.dumps({"token": token, "call": call, **answer}))
        return
    client = clients.get("sagemaker") or boto3.client("sagemaker")
    send = (
        client.send_pipeline_execution_step_success
        if call.endswith("Success")
        else client.send_pipeline_execution_step_failure
    )
    send(CallbackToken=token, **answer)


def _body(message: str | Mapping[str, Any]) -> Mapping[str, Any]:
    return json.loads(message) if isinstance(message, str) else message


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
