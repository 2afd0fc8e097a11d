"""Tasks of Airflow itself."""

from __future__ import annotations

from typing import Any

from sagemaker_provider.definition.findings import finding
from sagemaker_provider.translator.registry import Given, Translation, Vanishes, translates


@translates(
    "airflow.providers.standard.operators.empty.EmptyOperator",
    "airflow.operators.empty.EmptyOperator",
    "airflow.operators.dummy.DummyOperator",
)
def empty(task: Any, given: Given) -> Translation:
    """Does nothing, so it vanishes."""
    return Vanishes((finding("SMP702", "an empty task", task=task.task_id),))
