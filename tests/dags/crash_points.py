"""Killing a task's process at the points where the world outside can see what it does.

Points are the moments before and after each call to AWS and each message to Airflow. A task counts them over its tries and
over its deferral in a file, and dies at the one that the run's conf names, once.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def counting(folder: Path) -> Callable[[Any], None]:
    """A ``pre_execute`` that counts the points of a task in ``<folder>/<dag id>.<run id>``.

    The param ``kill`` is the number of the point to die at, from 1; the name of each point is a line of the file.
    """

    def arm(context: Any) -> None:
        ti = context["ti"]
        seen = folder / f"{ti.dag_id}.{ti.run_id}"
        killed = seen.with_name(f"{seen.name}.killed")
        last, watched = int(context["params"]["kill"]), _watched()

        def meet(frame: Any, event: str, argument: Any) -> None:
            name = watched.get(frame.f_code)
            if name is None or event not in ("call", "return"):
                return
            detail = _detail(frame)
            with seen.open("a", encoding="utf-8") as file:
                file.write(f"{'before' if event == 'call' else 'after'} {name} {detail}\n")
            if not killed.exists() and len(seen.read_text(encoding="utf-8").splitlines()) == last:
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(meet)

    return arm


def _watched() -> dict[Any, str]:
    from botocore.client import BaseClient

    codes = {inspect.unwrap(BaseClient._make_api_call).__code__: "call"}
    try:
        from airflow.sdk.execution_time.comms import CommsDecoder
    except ImportError:  # Airflow 2: tasks write to the database themselves
        from airflow.models.taskinstance import TaskInstance

        codes[inspect.unwrap(TaskInstance.xcom_push).__code__] = "xcom"
        codes[inspect.unwrap(TaskInstance.defer_task).__code__] = "defer"
        codes[inspect.unwrap(TaskInstance.save_to_db).__code__] = "save"
    else:
        codes[CommsDecoder.send.__code__] = "message"
    return codes


def _detail(frame: Any) -> str:
    """What is called: the operation, or the kind of message."""
    for name in ("operation_name", "msg"):
        if (value := frame.f_locals.get(name)) is not None:
            return value if isinstance(value, str) else type(value).__name__
    return ""
