"""A message is sent once, and a failure is followed by another message."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, TaskDeferred
from contexts import Store, context

from sagemaker_provider.operators import SageMakerCallbackStepOperator
from sagemaker_provider.triggers import callback

SUCCESS = {"call": "SendPipelineExecutionStepSuccess", "OutputParameters": [{"Name": "rows", "Value": "5"}]}
FAILURE = {"call": "SendPipelineExecutionStepFailure", "FailureReason": "disk full"}


class Crash(BaseException):
    """The worker dies."""


class Callback:
    """A Callback task whose tries run here; ``answers`` are what its worker answers, or how the task's worker dies."""

    def __init__(self, aws: Any, monkeypatch: pytest.MonkeyPatch, store: Store | None) -> None:
        self.sqs, self.store, self.tries = aws.client("sqs"), store, 0
        self.queue = self.sqs.create_queue(QueueName="work")["QueueUrl"]
        self.answers: list[Any] = []
        monkeypatch.setattr(callback, "receive_answer", lambda *arguments: self.answer())

    def answer(self) -> Any:
        """The next answer."""
        answer = self.answers.pop(0)
        if answer is Crash:
            raise Crash
        return answer

    def run(self) -> Any:
        """One try."""
        self.tries += 1
        task = SageMakerCallbackStepOperator(
            task_id="c", queue_url=self.queue, outputs=["rows"], retries=2, deferrable=False, aws_conn_id=None
        )
        return task.execute(context("c", try_number=self.tries, max_tries=2, store=self.store))

    def tokens(self) -> list[str]:
        """Tokens of the messages that were sent."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"])["token"] for message in messages]
        return found


@pytest.fixture(params=["store", "no store"])
def step(request: pytest.FixtureRequest, aws: Any, monkeypatch: pytest.MonkeyPatch) -> Callback:
    """A Callback task, in Airflow 3.3 and before."""
    return Callback(aws, monkeypatch, Store() if request.param == "store" else None)


def test_a_crash_while_waiting_sends_no_other_work(step: Callback) -> None:
    step.answers = [Crash, SUCCESS]
    with pytest.raises(Crash):
        step.run()
    assert step.run() == {"OutputParameters": {"rows": "5"}}
    tokens = step.tokens()
    assert len(set(tokens)) == 1
    assert len(tokens) == (2 if step.store is None else 1)


def test_a_failure_is_followed_by_another_message(step: Callback) -> None:
    step.answers = [FAILURE, SUCCESS]
    with pytest.raises(AirflowException, match="disk full"):
        step.run()
    step.run()
    assert len(set(step.tokens())) == 2


def test_an_answer_that_was_received_is_not_lost(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Callback(aws, monkeypatch, Store())
    step.answers = [SUCCESS]
    with monkeypatch.context() as patch:
        patch.setattr(SageMakerCallbackStepOperator, "result", lambda *arguments: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            step.run()
    assert step.run() == {"OutputParameters": {"rows": "5"}}
    assert len(step.tokens()) == 1


def test_a_deferred_wait_that_takes_too_long_tells_the_worker(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Callback(aws, monkeypatch, None)
    step.answers = [None]
    task = SageMakerCallbackStepOperator(
        task_id="c", queue_url=step.queue, aws_conn_id=None, execution_timeout=timedelta(0)
    )
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context("c"))
    path, arguments = deferred.value.trigger.serialize()
    trigger = getattr(callback, path.rpartition(".")[2])(**arguments)

    async def first() -> Any:
        return await anext(trigger.run())

    assert asyncio.run(first()).payload["error"] == "timeout"
    messages = step.sqs.receive_message(QueueUrl=step.queue, MaxNumberOfMessages=10)["Messages"]
    assert sorted(json.loads(message["Body"])["status"] for message in messages) == ["Executing", "Stopping"]
