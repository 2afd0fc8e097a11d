"""What an operator reads of Airflow when a test calls it without Airflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def context(task_id: str = "train", run_id: str = "run", try_number: int = 1, map_index: int = -1) -> dict[str, Any]:
    """What an operator reads of Airflow's context."""
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        dag_id="dag",
        run_id=run_id,
        task_id=task_id,
        map_index=map_index,
        try_number=try_number,
        pushed=pushed,
        xcom_push=lambda key, value: pushed.__setitem__(key, value),
    )
    return {"ti": ti}
