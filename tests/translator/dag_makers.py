"""Short ways to write the DAGs of the tests."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.definition.conditions import Equals
from sagemaker_provider.operators import SageMakerConditionStepOperator, SageMakerLambdaStepOperator
from sagemaker_provider.translator import Conversion, convert

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:  # Airflow 2 has it itself
    from airflow.operators.empty import EmptyOperator

FUNCTION = "arn:aws:lambda:us-west-2:111122223333:function:work"
ROLE = "arn:aws:iam::111122223333:role/Pipeline"
IMAGE = "111122223333.dkr.ecr.us-west-2.amazonaws.com/work:1"


def make_dag(dag_id: str = "work", **options: Any) -> DAG:
    return DAG(dag_id, **{"schedule": None, **options})


def step(task_id: str, *, outputs: Any = ("o",), **options: Any) -> SageMakerLambdaStepOperator:
    """A task that becomes one step; its config is a flat object of any values."""
    return SageMakerLambdaStepOperator(task_id=task_id, function_arn=FUNCTION, outputs=outputs, **options)


def choice(task_id: str, if_tasks: Any = (), else_tasks: Any = (), **options: Any) -> SageMakerConditionStepOperator:
    """A condition that is true when the param of its name is 1."""
    options.setdefault("conditions", Equals(f"{{{{ params.{task_id} }}}}", 1))
    return SageMakerConditionStepOperator(task_id=task_id, if_task_ids=if_tasks, else_task_ids=else_tasks, **options)


def empty(task_id: str, **options: Any) -> EmptyOperator:
    return EmptyOperator(task_id=task_id, **options)


def codes(conversion: Conversion, *, task: str | None = None) -> list[str]:
    """Codes of the findings, each once, in order."""
    return sorted({item.code for item in conversion.findings if task in (None, item.task)})


def messages(conversion: Conversion, code: str) -> list[str]:
    return [item.message for item in conversion.findings if item.code == code]


def steps_of(conversion: Conversion) -> dict[str, Any]:
    """Every step as JSON, by name."""
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    return {item.name: item.to_json() for item, _ in conversion.definition.all_steps()}


def rewritten(value: Any, **options: Any) -> tuple[Any, Conversion]:
    """What a value becomes in a task's config, after a task ``up`` and with the DAG params given."""
    with make_dag(**options) as dag:
        up = step("up")
        reader = step("reader", config={"value": value})
        up >> reader
    conversion = convert(dag)
    if conversion.definition is None:
        return None, conversion
    return steps_of(conversion)["reader"]["Arguments"]["value"], conversion
