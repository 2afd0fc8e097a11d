"""Steps that call code outside SageMaker: Lambda and Callback."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.model import OutputParameter
from sagemaker_provider.definition.outputs import OutputError, typed_outputs
from sagemaker_provider.definition.step_types import State
from sagemaker_provider.operators.attempts import Attempts
from sagemaker_provider.operators.base import SageMakerStepOperator, check_event
from sagemaker_provider.operators.links import leave_links
from sagemaker_provider.operators.names import digest

_NO_QUEUE = ("NonExistentQueue", "QueueDoesNotExist")


class _OutputsOperator(SageMakerStepOperator):
    """A step whose properties are the outputs it declares.

    :param outputs: declared outputs: :class:`OutputParameter`, or names of String outputs.
    """

    def __init__(self, *, outputs: Sequence[OutputParameter | str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(outputs, str):
            raise TypeError(f"{self.task_id}: outputs is a list of outputs, not the text {outputs!r}")
        self.outputs = tuple(OutputParameter(item) if isinstance(item, str) else item for item in outputs)

    def check_property(self, segments: tuple[Any, ...]) -> None:
        """Only declared outputs can be referred to."""
        super().check_property(segments)
        if len(segments) == 2 and segments[1] not in (names := [item.name for item in self.outputs]):
            raise AttributeError(
                f"{self.task_id} declares no output {str(segments[1])!r}; it declares {', '.join(names) or 'none'}"
            )

    def step_members(self) -> dict[str, Any]:
        """The declared outputs."""
        return {"OutputParameters": self.outputs}

    def result(self, values: Mapping[str, Any], source: str) -> dict[str, Any]:
        """The XCom: the declared outputs, typed.

        :raises AirflowException: an output is missing, nested, too long or not of its type; all at once.
        """
        try:
            typed = typed_outputs(self.outputs, values)
        except OutputError as error:
            raise AirflowException(f"{self.task_id}: outputs of {source}: {error}") from None
        return {"OutputParameters": typed}


class SageMakerLambdaStepOperator(_OutputsOperator):
    """Invokes a Lambda function and waits for its answer, at most ten minutes, as a pipeline does.

    :param function_arn: ARN of the function; literal, since a pipeline takes no expression here.
    :param config: the payload: a flat object of text, numbers and references.
    :param outputs: declared outputs: the function returns an object with these as top-level keys.
    """

    step_type = "Lambda"
    template_fields: Sequence[str] = ("config", "function_arn", "aws_conn_id", "region_name")

    def __init__(self, *, function_arn: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function_arn = function_arn

    def step_members(self) -> dict[str, Any]:
        """The function and the declared outputs."""
        return {"FunctionArn": self.function_arn, **super().step_members()}

    def execute(self, context: Any) -> Any:
        """Invoke once: a repeated call could do the work twice, so a lost answer is a failure."""
        from airflow.providers.common.compat.sdk import redact

        from sagemaker_provider.hooks.logs import log_text

        hook = self.aws_hook("lambda", read_timeout=limits.LAMBDA_SECONDS, retries={"total_max_attempts": 1})
        name = self.function_arn.split(":")[6] if self.function_arn.startswith("arn:") else self.function_arn
        leave_links(context, {"FunctionName": name}, hook.conn_region_name, hook.conn_partition)
        response = hook.conn.invoke(
            FunctionName=self.function_arn, Payload=json.dumps(self.config).encode(), LogType="Tail"
        )
        payload = response["Payload"].read().decode()
        log = log_text(
            base64.b64decode(response.get("LogResult", "")).decode(errors="replace").splitlines(), self.log_lines
        )
        if response.get("FunctionError"):
            raise AirflowException(
                redact(f"{self.task_id}: {self.function_arn} failed: {payload[:2000]}\n{log}".rstrip())
            )
        if log:
            self.log.info("%s", redact(log))
        try:
            answer = json.loads(payload) if payload else None
        except ValueError:
            answer = payload
        if not isinstance(answer, dict):
            if self.outputs:
                raise AirflowException(
                    f"{self.task_id}: {self.function_arn} must return an object with the declared outputs, not {answer!r}"
                )
            answer = {}
        return self.result(answer, self.function_arn)


class SageMakerCallbackStepOperator(_OutputsOperator):
    """Puts a message on a queue and waits for the answer of the worker that reads it.

    The message is that of a pipeline: ``token``, ``pipelineExecutionArn``, ``arguments``, ``status``. A worker answers with
    :mod:`sagemaker_provider.hooks.callback`, which finds in the message who is waiting: a pipeline, or this task, for
    which the message names a queue for the answer. The task makes that queue and deletes it when it has the answer.

    :param queue_url: URL of the queue; literal, since a pipeline takes no expression here.
    :param config: the ``arguments`` of the message: a flat object of text, numbers and references.
    :param outputs: declared outputs.
    """

    step_type = "Callback"
    template_fields: Sequence[str] = ("config", "queue_url", "aws_conn_id", "region_name")
    queue_prefix: ClassVar[str] = "sagemaker-airflow-answer-"

    def __init__(self, *, queue_url: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.queue_url = queue_url

    def step_members(self) -> dict[str, Any]:
        """The queue and the declared outputs."""
        return {"SqsQueueUrl": self.queue_url, **super().step_members()}

    def execute(self, context: Any) -> Any:
        """Send the message, unless it is known that an earlier run has, and wait for the answer."""
        hook, attempts = self.aws_hook("sqs"), Attempts(context, self.retries)
        self._context = context
        number, known = attempts.latest
        if known and attempts.is_spent(number, State.FAILED, number):
            number, known = number + 1, {}
        if not known:
            last = max(number, attempts.tries)
            number = next((n for n in range(number, last) if self._queue(hook, context, n)), last)
            attempts.remember(number, {})
        token = digest(context, 10, number)
        if answer := known.get("answer"):
            return self.answered(context, known["queue"], answer)
        queue = self._queue(hook, context, number) or hook.call("CreateQueue", {"QueueName": self.queue_prefix + token})
        answer_queue = queue["QueueUrl"]
        ti = context["ti"]
        self.running = {
            "token": token,
            "queue": answer_queue,
            "context": f"airflow:{ti.dag_id}/{ti.run_id}/{self.task_id}",
        }
        leave_links(context, {"QueueUrl": self.queue_url}, hook.conn_region_name, hook.conn_partition)
        if known:
            self.log.info("An earlier run has sent token %s, waiting for the answer on %s", token, answer_queue)
        else:
            self._send("Executing")
            attempts.remember(number, {"queue": answer_queue})
            self.log.info("Sent token %s to %s, waiting for the answer on %s", token, self.queue_url, answer_queue)
        if self.deferrable:
            from sagemaker_provider.triggers.callback import CallbackAnswerTrigger

            trigger = CallbackAnswerTrigger(
                queue_url=answer_queue,
                token=token,
                work_queue_url=self.queue_url,
                stop_message=self._message("Stopping") if self.on_interrupt == "stop" else "",
                deadline=time.time() + self.execution_timeout.total_seconds()
                if self.execution_timeout is not None
                else None,
                **self.aws_settings,
            )
            self.defer(trigger=trigger, method_name="resume")
        from sagemaker_provider.triggers.callback import receive_answer

        while (answer := receive_answer(hook, answer_queue, token)) is None:  # each call waits for itself
            self.log.debug("No answer yet")
        return self.answered(context, answer_queue, answer)

    def resume(
        self, context: Any, event: dict[str, Any] | None = None, waited: float = 0, deadline: float | None = None
    ) -> Any:
        """Go on with the answer that the trigger received."""
        event = check_event(event)
        return self.answered(context, event["identifiers"]["queue"], event["answer"])

    def answered(self, context: Any, answer_queue: str, answer: Mapping[str, Any]) -> Any:
        """The task's XCom, or its failure, from the worker's answer."""
        attempts = Attempts(context, self.retries)
        attempts.remember(attempts.latest[0], {"queue": answer_queue, "answer": dict(answer)})
        self._delete(answer_queue)
        self.running = None
        if str(answer.get("call", "")).endswith("Failure"):
            attempts.tell()
            raise AirflowException(f"{self.task_id}: the worker answered: {answer.get('FailureReason') or 'failed'}")
        return self.result(
            {item["Name"]: item["Value"] for item in answer.get("OutputParameters", ())}, "the worker's answer"
        )

    def stop(self, identifiers: dict[str, Any]) -> None:
        """Tell the worker to stop, as a pipeline does."""
        self._send("Stopping")

    def _queue(self, hook: Any, context: Any, number: int) -> dict[str, Any] | None:
        """The queue for an answer, when there is one."""
        from botocore.exceptions import ClientError

        try:
            return hook.call("GetQueueUrl", {"QueueName": self.queue_prefix + digest(context, 10, number)})  # type: ignore[no-any-return]
        except ClientError as error:
            if not error.response["Error"].get("Code", "").endswith(_NO_QUEUE):
                raise
            return None

    def _delete(self, answer_queue: str) -> None:
        from botocore.exceptions import ClientError

        try:
            self.aws_hook("sqs").call("DeleteQueue", {"QueueUrl": answer_queue})
        except ClientError as error:  # an earlier run has deleted it
            if not error.response["Error"].get("Code", "").endswith(_NO_QUEUE):
                raise

    def _send(self, status: str) -> None:
        self.aws_hook("sqs").call("SendMessage", {"QueueUrl": self.queue_url, "MessageBody": self._message(status)})

    def _message(self, status: str) -> str:
        from sagemaker_provider.hooks.callback import ANSWER_QUEUE

        assert self.running is not None
        message = {
            "token": self.running["token"],
            "pipelineExecutionArn": self.running["context"],
            "arguments": self.config,
            "status": status,
            ANSWER_QUEUE: self.running["queue"],
        }
        return json.dumps(message)
