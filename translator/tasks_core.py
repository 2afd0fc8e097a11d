"""Tasks of Airflow itself."""

from __future__ import annotations

from typing import Any, Final

from sagemaker_provider.definition.findings import finding
from sagemaker_provider.translator.registry import Given, Stays, Translation, Vanishes, translates


@translates(
    "airflow.providers.standard.operators.empty.EmptyOperator",
    "airflow.operators.empty.EmptyOperator",
    "airflow.operators.dummy.DummyOperator",
)
def empty(task: Any, given: Given) -> Translation:
    """Does nothing, so it vanishes."""
    return Vanishes((finding("SMP702", "an empty task", task=task.task_id),))


@translates(
    "airflow.providers.standard.operators.latest_only.LatestOnlyOperator",
    "airflow.operators.latest_only.LatestOnlyOperator",
)
def latest_only(task: Any, given: Given) -> Translation:
    """Skips what is after it in runs of the past; a pipeline has no such runs."""
    return Vanishes((finding("SMP687", "what is after the task runs in every execution", task=task.task_id),))


_STAY: Final = {
    "airflow.providers.standard.operators.trigger_dagrun.TriggerDagRunOperator": "it starts a run of another DAG",
    "airflow.operators.trigger_dagrun.TriggerDagRunOperator": "it starts a run of another DAG",
    "airflow.providers.standard.sensors.external_task.ExternalTaskSensor": "it waits for another DAG",
    "airflow.sensors.external_task.ExternalTaskSensor": "it waits for another DAG",
    "airflow.providers.standard.sensors.filesystem.FileSensor": "it waits for a file of the worker",
    "airflow.sensors.filesystem.FileSensor": "it waits for a file of the worker",
    "airflow.operators.subdag.SubDagOperator": "it holds another DAG; use a task group",
}
"""Operators of Airflow that only make sense in Airflow -> why."""


@translates(*_STAY)
def only_in_airflow(task: Any, given: Given) -> Translation:
    """Tasks on other DAGs and on the worker."""
    reason = next(
        _STAY[name] for cls in type(task).__mro__ if (name := f"{cls.__module__}.{cls.__qualname__}") in _STAY
    )
    return Stays((finding("SMP201", f"{type(task).__name__}: {reason}", task=task.task_id),))
