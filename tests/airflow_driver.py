"""Commands for the Airflow of this process's environment, one JSON object a line; the answers follow the word ``answer``."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timezone
from typing import Any

import airflow
from airflow.api.common.trigger_dag import trigger_dag
from airflow.models import DagModel, DagRun, TaskInstance
from airflow.utils.session import create_session

AIRFLOW_2 = airflow.__version__.startswith("2.")


def trigger(dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
    """Start a run; waits until the DAG is known."""
    for _ in range(120):
        with create_session() as session:
            model = session.get(DagModel, dag_id)
            if model is not None and getattr(model, "has_import_errors", False) is False:
                break
        time.sleep(0.5)
    else:
        raise RuntimeError(f"no DAG {dag_id} after a minute")
    if AIRFLOW_2:  # one run a second unless the date says otherwise
        trigger_dag(dag_id, run_id, conf, datetime.now(timezone.utc), replace_microseconds=False)
        return
    from airflow.utils.types import DagRunTriggeredByType

    trigger_dag(dag_id, run_id=run_id, conf=conf, triggered_by=DagRunTriggeredByType.TEST)


def runs(dag_id: str) -> dict[str, str]:
    """Run id -> state."""
    with create_session() as session:
        return {run.run_id: str(run.state) for run in session.query(DagRun).filter(DagRun.dag_id == dag_id)}


def tasks(dag_id: str) -> list[dict[str, Any]]:
    """State and try of each task of each run."""
    with create_session() as session:
        found = session.query(TaskInstance).filter(TaskInstance.dag_id == dag_id)
        return [
            {
                "run_id": ti.run_id,
                "task_id": ti.task_id,
                "state": None if ti.state is None else str(getattr(ti.state, "value", ti.state)),
                "try_number": ti.try_number,
            }
            for ti in found
        ]


def clear(dag_id: str, run_id: str, task_ids: list[str]) -> int:
    """Clear tasks as a person does; gives how many."""
    from airflow.models.taskinstance import clear_task_instances

    with create_session() as session:
        found = session.query(TaskInstance).filter(
            TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id, TaskInstance.task_id.in_(task_ids)
        )
        chosen = list(found)
        clear_task_instances(chosen, session)
        return len(chosen)


def mark(dag_id: str, run_id: str, task_id: str, state: str) -> None:
    """Give a task a state, as a person does."""
    with create_session() as session:
        wanted = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}
        session.query(TaskInstance).filter_by(**wanted).one().set_state(state, session=session)


COMMANDS = {command.__name__: command for command in (trigger, runs, tasks, clear, mark)}

for line in sys.stdin:
    arguments = json.loads(line)
    try:
        answer = {"value": COMMANDS[arguments.pop("command")](**arguments)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print("answer", json.dumps(answer), flush=True)
