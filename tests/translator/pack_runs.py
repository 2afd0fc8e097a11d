"""Runs a packed task as a Processing job would, in a folder of the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_provider.translator.airflow_task import values as task_values
from sagemaker_provider.translator.packing import pack
from sagemaker_provider.translator.python_jobs import PROGRAM


@dataclass
class Ran:
    """What came of a run: exit code, its log, and the files of its output."""

    code: int
    log: str
    message: str
    files: dict[str, Any]

    @property
    def xcoms(self) -> dict[str, Any]:
        """The XComs as a task after this one reads them."""
        return task_values.from_json(self.files["xcom.json"], self.files["types.json"])


def run_task(
    folder: Path,
    task: dict[str, Any],
    files: Any = (),
    *,
    inputs: Any = (),
    variables: Any = (),
    python: str = sys.executable,
) -> Ran:
    """Run what a pack holds.

    :param folder: stands for ``/opt/ml``.
    :param task: content of ``task.json`` beside what every task has.
    :param files: further files of the pack, path -> content.
    :param inputs: folder of an input -> the XComs that are in it.
    """
    code = folder / "processing/input/code"
    task = {"kind": "python", "dag_id": "work", "task_id": "do", "context": [], **task}
    given = {
        "task.json": json.dumps(task).encode(),
        **PROGRAM,
    }
    for path, content in {**given, **dict(files)}.items():
        (code / path).parent.mkdir(parents=True, exist_ok=True)
        (code / path).write_bytes(content)
    for name, values in dict(inputs).items():
        source = folder / "processing/input" / name
        source.mkdir(parents=True)
        kinds: list[Any] = []
        (source / "xcom.json").write_text(json.dumps(task_values.to_json(values, [], kinds)))
        (source / "types.json").write_text(json.dumps(kinds))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "AIRFLOW"))}
    ran = subprocess.run(
        [python, str(code / "airflow_task/run.py")],
        env={**environment, **dict(variables)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=folder,
    )
    message = folder / "output/message"
    output = folder / "processing/output/xcom"
    found = {file.name: json.loads(file.read_text()) for file in output.glob("*.json")} if output.exists() else {}
    return Ran(ran.returncode, ran.stdout, message.read_text() if message.exists() else "", found)


def run_callable(folder: Path, function: Any, *folders: Path, **task: Any) -> Ran:
    """Pack a callable and run it; ``inputs`` and ``variables`` as in :func:`run_task`."""
    packed = pack(function, folders)
    assert not [item for item in packed.problems if item[0] < "SMP6"], packed.problems
    options = {key: task.pop(key) for key in ("inputs", "variables", "python") if key in task}
    return run_task(folder, {"entry": packed.entry, **task}, packed.files, **options)
