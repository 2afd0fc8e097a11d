"""Templates in a run: as the installed Airflow renders them, and as a pipeline evaluates the expressions they become."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from dag_makers import empty, make_dag

from sagemaker_provider.definition.expressions import Get, Join


def rendered(template: str, context: dict[str, Any]) -> str:
    """A template as Airflow renders it."""
    return str(context["task"].render_template(template, context))


def evaluated(value: Any, look_up: Callable[[Get], Any]) -> Any:
    """The value of an expression.

    :param look_up: gives the value of a reference.
    """
    if isinstance(value, Join):
        return value.on.join(str(evaluated(item, look_up)) for item in value.values)
    return look_up(value) if isinstance(value, Get) else value


def template_context(
    logical_date: datetime, start: datetime, end: datetime, *, params: Any = None, dag_id: str = "work"
) -> dict[str, Any]:
    """The context of the task ``reader`` in a manual run.

    :param start: start of the data interval.
    :param end: end of the data interval.
    """
    with make_dag(dag_id, params=params or {}) as dag:
        task = empty("reader")
    run = {"dag_id": dag_id, "run_id": "run", "run_type": "manual"}
    try:
        from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:
        return _airflow_2(dag, task, run, logical_date, (start, end))
    dates = {"logical_date": logical_date, "data_interval_start": start, "data_interval_end": end}
    more = {"start_date": start, "run_after": end, "conf": {}, "consumed_asset_events": []}
    dag_run = DagRun.model_construct(**run, **dates, **more, partition_key=None, partition_date=None)
    ti = RuntimeTaskInstance.model_construct(
        id=uuid4(), task=task, task_id="reader", dag_id=dag_id, run_id="run", try_number=1, map_index=-1
    )
    ti._ti_context_from_server = TIRunContext.model_construct(dag_run=dag_run, max_tries=1, task_reschedule_count=0)
    return dict(ti.get_template_context())


def _airflow_2(dag: Any, task: Any, run: dict[str, str], logical_date: datetime, interval: Any) -> dict[str, Any]:
    from airflow.models.base import Base
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    engine = create_engine("sqlite://")
    Base.metadata.create_all(
        engine, [Base.metadata.tables[name] for name in ("dag_run", "task_instance", "log_template")]
    )
    ti = TaskInstance(task, run_id="run")
    ti.dag_run = DagRun(execution_date=logical_date, data_interval=interval, external_trigger=True, **run)
    with Session(engine) as session:
        context = ti.get_template_context(session=session)
        return {name: context[name] for name in context if name not in ("conf",)}
