"""How the tasks of a DAG run end, decided by Airflow's own scheduling code, without running the jobs of its tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from airflow.exceptions import AirflowException
from airflow.providers.common.compat.sdk import SkipMixin
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType

try:
    from airflow.sdk.exceptions import DownstreamTasksSkipped
except ImportError:  # Airflow 2 skips before the task returns
    DownstreamTasksSkipped = ()


def final_states(dag: Any, params: Mapping[str, Any], failing: Collection[str]) -> dict[str, str]:
    """The final state of every task.

    The scheduler's loop decides what can start. What decides about skipping (branch operators, short circuits) really runs,
    with the params as its only context; every other task ends at once, all that can start before the next look.

    :param dag: a DAG; the metadata database must be migrated.
    :param params: the params of the run.
    :param failing: ids of tasks that fail if they run.
    :return: task id -> ``success``, ``failed``, ``skipped`` or ``upstream_failed``.
    """
    with create_session() as session:
        run = _dag_run(dag, session)
        states: dict[str, str] = {}
        while run.state == DagRunState.RUNNING:
            session.expire_all()
            ready, _ = run.update_state(session=session, execute_callbacks=False)
            before, states = states, _states(run, session)
            assert ready or states != before or run.state != DagRunState.RUNNING, f"nothing goes on: {states}"
            for ti in ready:
                ti.start_date = datetime.now(timezone.utc)
                ended = ti.task_id not in failing and _decides(dag, ti, params, session)
                ti.set_state(TaskInstanceState.SUCCESS if ended else TaskInstanceState.FAILED, session=session)
                session.flush()
        session.rollback()  # a new run needs nothing of this one
    return states


def _states(run: Any, session: Any) -> dict[str, str]:
    session.flush()
    return {ti.task_id: str(getattr(ti.state, "value", ti.state)) for ti in run.get_task_instances(session=session)}


def _decides(dag: Any, ti: Any, params: Mapping[str, Any], session: Any) -> bool:
    """Run a task that may skip others, as a worker does; whether it succeeds."""
    task = dag.get_task(ti.task_id)
    if not isinstance(task, SkipMixin):
        return True
    run = ti.get_dagrun(session=session)
    task = task.prepare_for_execution()
    running = ti if not DownstreamTasksSkipped else _running(ti, task, session)
    context = {"params": dict(params), "ti": running, "task": task, "dag_run": run}
    task.render_template_fields(context)
    try:
        task.execute(context)
    except DownstreamTasksSkipped as skipped:
        _skip(ti, skipped.tasks, session)
    except AirflowException:
        return False
    return True


def _running(ti: Any, task: Any, session: Any) -> Any:
    """What a task of Airflow 3 knows of its task instance, which it reaches through the API server."""
    from airflow.models.xcom import XComModel

    def push(key: str, value: Any) -> None:
        XComModel.set(key, value, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, session=session)

    return SimpleNamespace(task=task, map_index=-1, xcom_push=push)


def _skip(ti: Any, tasks: Any, session: Any) -> None:
    """Answer the request of a task of Airflow 3 to skip others, as the API server does."""
    from airflow.api_fastapi.execution_api.datamodels.taskinstance import TISkippedDownstreamTasksStatePayload
    from airflow.api_fastapi.execution_api.routes.task_instances import ti_skip_downstream

    session.flush()
    ti_skip_downstream(ti.id, TISkippedDownstreamTasksStatePayload(tasks=list(tasks)), session)


def _dag_run(dag: Any, session: Any) -> Any:
    """A new run, made as ``dag.test()`` makes it, without reading the DAGs folder."""
    now = datetime.now(timezone.utc)
    common = {
        "run_id": f"case-{uuid4()}",
        "run_type": DagRunType.MANUAL,
        "state": DagRunState.RUNNING,
        "session": session,
    }
    if not DownstreamTasksSkipped:
        return dag.create_dagrun(execution_date=now, start_date=now, data_interval=(now, now), **common)
    from airflow.models.dag import DagModel
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagbundle import DagBundleModel
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.types import DagRunTriggeredByType

    session.add(DagBundleModel(name=dag.dag_id))
    session.flush()
    session.add(DagModel(dag_id=dag.dag_id, bundle_name=dag.dag_id))
    session.flush()
    DagVersion.write_dag(dag_id=dag.dag_id, bundle_name=dag.dag_id, session=session)
    session.flush()
    scheduled = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    return scheduled.create_dagrun(
        logical_date=now, start_date=now, run_after=now, triggered_by=DagRunTriggeredByType.TEST, **common
    )
