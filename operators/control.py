"""Steps that decide: Condition and Fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY, AirflowFailException, BranchMixIn

from sagemaker_provider.definition.conditions import Condition, ConditionTypeError, decode_condition, holds
from sagemaker_provider.definition.limits import ERROR_MESSAGE
from sagemaker_provider.operators.base import SageMakerStepOperator
from sagemaker_provider.operators.references import Reference


class SageMakerConditionStepOperator(SageMakerStepOperator, BranchMixIn):  # type: ignore[misc]
    """Compares values and goes into one of two branches, as a branch operator.

    The conditions must all be true for ``if_task_ids`` to run. Types are compared strictly: text never equals a number.
    Where a task follows both branches, give it the trigger rule ``none_failed_min_one_success``.

    :param conditions: conditions of :mod:`sagemaker_provider.definition`, such as
        ``LessThanOrEqualTo(JsonGet(evaluate, "report", "mse"), "{{ params.limit }}")``.
    :param if_task_ids: tasks or task groups directly downstream that run when all conditions are true.
    :param else_task_ids: those that run otherwise.
    """

    step_type = "Condition"
    template_fields: Sequence[str] = ("conditions", "aws_conn_id", "region_name")
    template_fields_renderers = {"conditions": "json"}
    inherits_from_skipmixin = True

    def __init__(
        self,
        *,
        conditions: Condition | Iterable[Condition],
        if_task_ids: str | Sequence[str] = (),
        else_task_ids: str | Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        single = hasattr(conditions, "to_json")
        listed: list[Any] = [conditions] if single or isinstance(conditions, str) else list(conditions)  # type: ignore[arg-type]
        if not all(hasattr(item, "to_json") for item in listed):
            raise TypeError(
                f"{self.task_id}: conditions is a condition of sagemaker_provider.definition, such as LessThan(...), or a list of them"
            )
        self.conditions = [item.to_json() for item in listed]
        if not self.conditions:
            raise ValueError(f"{self.task_id}: at least one condition is needed")
        self.if_task_ids = [if_task_ids] if isinstance(if_task_ids, str) else list(if_task_ids)
        self.else_task_ids = [else_task_ids] if isinstance(else_task_ids, str) else list(else_task_ids)
        if both := sorted(set(self.if_task_ids) & set(self.else_task_ids)):
            raise ValueError(f"{self.task_id}: {', '.join(both)} cannot be in both branches")

    @property
    def properties(self) -> Reference:
        """``properties.Outcome`` is ``"True"`` or ``"False"``."""
        return Reference(self)

    def step_arguments(self) -> dict[str, Any]:
        """The conditions; the compiler adds the branches."""
        return {"Conditions": self.conditions}

    def execute(self, context: Any) -> Any:
        """Evaluate the conditions and skip the other branch."""
        try:
            outcome = all(
                [holds(decode_condition(item), f"conditions[{index}]") for index, item in enumerate(self.conditions)]
            )
        except ConditionTypeError as error:
            raise AirflowFailException(f"{self.task_id}: {error}") from None
        self.log.info("The conditions are %s: %s", outcome, self.conditions)
        return self.decide(context, outcome)

    def decide(self, context: Any, outcome: bool) -> dict[str, str]:
        """Skip the branch that is not taken, and give the task's result."""
        result = {"Outcome": str(outcome)}
        context["ti"].xcom_push(
            key=XCOM_RETURN_KEY, value=result
        )  # Airflow 3 skips by an exception, not after a return
        self.do_branch(context, self.if_task_ids if outcome else self.else_task_ids)
        return result


class SageMakerFailStepOperator(SageMakerStepOperator):
    """Fails the run with a message. It is not retried.

    :param error_message: the message: text, a template, a reference or a Join; at most 3072 characters.
    """

    step_type = "Fail"
    template_fields: Sequence[str] = ("error_message", "aws_conn_id", "region_name")

    def __init__(self, *, error_message: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error_message = error_message

    def step_arguments(self) -> dict[str, Any]:
        """The message."""
        return {"ErrorMessage": self.error_message}

    def execute(self, context: Any) -> Any:
        """Fail without retry."""
        raise AirflowFailException(str(self.error_message)[:ERROR_MESSAGE])
