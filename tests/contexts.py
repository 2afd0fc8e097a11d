"""What an operator reads of Airflow when a test calls it without Airflow."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any


class Store(dict[str, Any]):
    """A task state store, as Airflow 3.3 has it."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""
        self[key] = value


def context(
    task_id: str = "train",
    run_id: str = "run",
    try_number: int = 1,
    map_index: int = -1,
    max_tries: int = 0,
    store: Store | None = None,
) -> dict[str, Any]:
    """What an operator reads of Airflow's context.

    :param max_tries: ``retries``, or more once the task was cleared.
    :param store: task state store; Airflow before 3.3 has none.
    """
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        dag_id="dag",
        run_id=run_id,
        task_id=task_id,
        map_index=map_index,
        try_number=try_number,
        max_tries=max_tries,
        start_date=datetime.now(timezone.utc),
        pushed=pushed,
        xcom_push=lambda key, value: pushed.__setitem__(key, value),
    )
    run = SimpleNamespace(start_date=datetime.now(timezone.utc))
    return {"ti": ti, "dag_run": run} | ({} if store is None else {"task_state_store": store})
