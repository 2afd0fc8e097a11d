"""Names and tokens that are the same whenever the same task instance runs again, until a person clears it."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any


def digest(context: Any, length: int, *parts: object, generation: int | None = None) -> str:
    """Letters and digits that identify the run, task, map index and generation of a task instance.

    :param context: Airflow context.
    :param length: number of characters, at most 32.
    :param parts: what else it depends on, such as the number of the job.
    :param generation: generation, by default that of this try; see :mod:`sagemaker_provider.operators.attempts`.
    """
    ti = context["ti"]
    of = ti.max_tries if generation is None else generation
    key = "\0".join(str(part) for part in (ti.dag_id, ti.run_id, ti.task_id, ti.map_index, of, *parts))
    return base64.b32encode(hashlib.sha256(key.encode()).digest()).decode().lower()[:length]


def execution_id(context: Any) -> str:
    """What stands for ``Execution.PipelineExecutionId`` when steps run one by one: 12 characters, one for each DAG run."""
    ti = context["ti"]
    raw = hashlib.sha256(f"{ti.dag_id}\0{ti.run_id}".encode()).digest()
    return base64.b32encode(raw).decode().lower()[:12]


def job_name(context: Any, prefix: str, length: int, number: int = 1, generation: int | None = None) -> str:
    """The name of a job of this task instance.

    A pipeline names jobs after the step, the execution and the attempt; so does this.

    :param context: Airflow context.
    :param prefix: the name in the operator's config, or the task id; other characters than letters and digits
        become hyphens, and it is cut where the name would be too long.
    :param length: longest name the API takes, in characters.
    :param number: which job of the generation, from 1.
    :param generation: generation, by default that of this try; see :mod:`sagemaker_provider.operators.attempts`.
    """
    tail = f"{digest(context, 10, generation=generation)}-{number}"
    head = re.sub(r"[^A-Za-z0-9]+", "-", prefix).strip("-")[: length - len(tail) - 1].rstrip("-")
    return f"{head}-{tail}" if head else tail


def pipeline_name(dag_id: str) -> str:
    """The pipeline name of a DAG id: letters, digits and hyphens, at most 256 characters."""
    name = re.sub(r"[^A-Za-z0-9]", "-", dag_id).strip("-")[:256].rstrip("-")
    return name or "pipeline"
