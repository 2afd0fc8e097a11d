"""Running a DAG in a real Airflow of its own: a home folder, SQLite, ``dag.test()``; no scheduler, no services."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TaskResult:
    """How a task ended.

    :param task_id: the task.
    :param state: Airflow's state: ``success``, ``failed``, ``skipped``, ``upstream_failed``...
    :param seconds: from start to end.
    :param xcom: the return value, if there is one.
    :param run_id: the DAG run.
    """

    task_id: str
    state: str
    seconds: float
    xcom: Any
    run_id: str = ""


def airflow_settings(home: Path) -> dict[str, str]:
    """Environment variables of an Airflow that lives in a folder and shares nothing with another."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


def migrate(home: Path) -> None:
    """Make the metadata database, about ten seconds the first time.

    :raises subprocess.CalledProcessError: Airflow could not make it; its output is in the error.
    """
    (home / "dags").mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **airflow_settings(home)}
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, env=environment, check=True, capture_output=True, text=True)


def run_dag(file: Path, dag_id: str, conf: Mapping[str, Any] | None = None) -> list[TaskResult]:
    """Run a DAG of a file in the DAGs folder of this process's Airflow, and wait for its end.

    :param file: the DAG file.
    :param dag_id: the DAG.
    :param conf: values for its params.
    :return: its tasks, in the order of their start.
    :raises RuntimeError: the file does not import or has no such DAG.
    """
    dag = _load(file, dag_id)
    dag_run = dag.test(run_conf=dict(conf or {}))
    return results(dag_run)


def results(dag_run: Any) -> list[TaskResult]:
    """How the tasks of a DAG run ended."""
    found = []
    for ti in sorted(dag_run.get_task_instances(), key=lambda ti: (ti.start_date is None, ti.start_date, ti.task_id)):
        seconds = (ti.end_date - ti.start_date).total_seconds() if ti.start_date and ti.end_date else 0.0
        value = ti.xcom_pull(task_ids=ti.task_id)
        state = str(getattr(ti.state, "value", ti.state))
        found.append(TaskResult(ti.task_id, state, seconds, value, ti.run_id))
    return found


def _load(file: Path, dag_id: str) -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(dag_folder=str(file), safe_mode=False)
    except ImportError:  # Airflow before 3.2
        from airflow.models.dagbag import DagBag

        bag = DagBag(dag_folder=str(file), safe_mode=False, include_examples=False)
    if bag.import_errors:
        raise RuntimeError("\n".join(bag.import_errors.values()))
    if dag_id not in bag.dags:
        raise RuntimeError(f"{file} has no DAG {dag_id!r}")
    return bag.dags[dag_id]
