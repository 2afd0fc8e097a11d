"""Names and tokens that are the same whenever the same try of a task runs."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any


def digest(context: Any, length: int, *, attempt: bool = True, salt: str = "") -> str:
    """Letters and digits that identify the run, task, map index and try of a task instance.

    :param context: Airflow context.
    :param length: number of characters, at most 32.
    :param attempt: whether each try has its own.
    :param salt: text that makes another value of the same length.
    """
    ti = context["ti"]
    parts = [ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index), str(ti.try_number) if attempt else "", salt]
    raw = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.b32encode(raw).decode().lower()[:length]


def execution_id(context: Any) -> str:
    """What stands for ``Execution.PipelineExecutionId`` when steps run one by one: 12 characters, one for each DAG run."""
    ti = context["ti"]
    raw = hashlib.sha256(f"{ti.dag_id}\0{ti.run_id}".encode()).digest()
    return base64.b32encode(raw).decode().lower()[:12]


def job_name(context: Any, prefix: str, length: int) -> str:
    """The name of the job that this try of a task creates.

    A pipeline names jobs after the step, the execution and the attempt; so does this.

    :param context: Airflow context.
    :param prefix: the name in the operator's config, or the task id; other characters than letters and digits
        become hyphens, and it is cut where the name would be too long.
    :param length: longest name the API takes, in characters.
    """
    tail = f"{digest(context, 10, attempt=False)}-{context['ti'].try_number}"
    head = re.sub(r"[^A-Za-z0-9]+", "-", prefix).strip("-")[: length - len(tail) - 1].rstrip("-")
    return f"{head}-{tail}" if head else tail


def pipeline_name(dag_id: str) -> str:
    """The pipeline name of a DAG id: letters, digits and hyphens, at most 256 characters."""
    name = re.sub(r"[^A-Za-z0-9]", "-", dag_id).strip("-")[:256].rstrip("-")
    return name or "pipeline"
