"""Runs a task attempt by attempt, each in a process of its own; this file is the entry point of the job."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, NoReturn  # noqa: UP035  (what Python 3.8 has)

CODE = Path(__file__).resolve().parents[1]
PROCESSING = CODE.parents[1]
"""``/opt/ml/processing``: the code is in ``input/code`` of it."""
_MESSAGE_LENGTH = 1000
_SECONDS_TO_END = 10
_log = logging.getLogger("airflow.task")


class PreparationError(Exception):
    """The task's virtual environment cannot be made."""


def read_task() -> dict[str, Any]:
    """The content of ``task.json``."""
    task: dict[str, Any] = json.loads((CODE / "task.json").read_text(encoding="utf-8"))
    return task


def interpreter(task: dict[str, Any], folder: Path) -> str:
    """The Python for the attempts: this one, or that of a virtual environment with the task's requirements."""
    venv = task.get("venv")
    if not venv:
        return sys.executable
    base = sys.executable
    if venv.get("python_version"):
        wanted = "python" + venv["python_version"]
        own = ".".join(map(str, sys.version_info[:3])) + "."
        found = sys.executable if own.startswith(venv["python_version"] + ".") else shutil.which(wanted)
        if found is None:
            raise PreparationError(f"the image has no {wanted}")
        base = found
    options = ["--system-site-packages"] if venv["system_site_packages"] else []
    _checked([base, "-m", "venv", *options, str(folder)])
    made = str(folder / "bin" / "python")
    if venv["requirements"]:
        listed = folder / "requirements.txt"
        listed.write_text("\n".join(venv["requirements"]), encoding="utf-8")
        _checked([made, "-m", "pip", "install", *venv.get("pip_options", []), "-r", str(listed)])
    return made


def _checked(command: list[str]) -> None:
    _log.info("%s", " ".join(command))
    code = subprocess.call(command)  # noqa: S603
    if code:
        raise PreparationError("{} ended with exit code {}".format(" ".join(command[:4]), code))


def delays(task: dict[str, Any]) -> Iterator[float]:
    """Seconds to wait after the first attempt, the second, and so on."""
    for number in range(task.get("retries", 0)):
        delay = task["retry_delay"] * float(task.get("retry_multiplier", 1)) ** number
        yield min(delay, task["max_retry_delay"]) if task.get("max_retry_delay") is not None else delay


def one(python_path: str, task: dict[str, Any], number: int, folder: Path) -> dict[str, str]:
    """Make one attempt.

    :return: its outcome.
    """
    outcome = folder / f"outcome-{number}.json"
    command = [python_path, "-m", "airflow_task.attempt", str(number), str(outcome)]
    process = subprocess.Popen(command, env=variables_of(task), start_new_session=True)  # noqa: S603

    limit = task.get("execution_timeout")
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        return {"state": "failed", "message": f"AirflowTaskTimeout: the attempt ran longer than {limit} s"}
    finally:
        end(process)
    if not outcome.exists():
        return {"state": "failed", "message": f"the attempt ended with exit code {process.returncode}"}
    found: dict[str, str] = json.loads(outcome.read_text(encoding="utf-8"))
    return found


def end(process: subprocess.Popen[bytes]) -> None:
    """End an attempt that still runs, and whatever it started and left behind."""
    with contextlib.suppress(ProcessLookupError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_END)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def stopped(number: int, frame: Any) -> NoReturn:
    """End because the job is stopped."""
    sys.exit(128 + number)


def variables_of(task: dict[str, Any]) -> dict[str, str]:
    """The environment of an attempt."""
    kept = dict(os.environ)
    if not task.get("inherit_env", True):
        kept = {key: value for key, value in kept.items() if key.startswith(("AIRFLOW_VALUE_", "AWS_", "PATH"))}
    kept.update(AIRFLOW_CTX_DAG_ID=task["dag_id"], AIRFLOW_CTX_TASK_ID=task["task_id"])
    kept["PYTHONPATH"] = os.pathsep.join([str(CODE), str(CODE / "modules"), *filter(None, [kept.get("PYTHONPATH")])])
    return kept


def main() -> int:
    """Run the task until an attempt succeeds or none is left.

    :return: the exit code of the job.
    """
    task = read_task()
    signal.signal(signal.SIGTERM, stopped)
    with tempfile.TemporaryDirectory(prefix="task") as name:
        folder = Path(name)
        try:
            python_path = interpreter(task, folder / "venv")
        except PreparationError as error:
            return failed(str(error))
        waits = list(delays(task))
        result: dict[str, str] = {}
        for number in range(1, len(waits) + 2):
            shutil.rmtree(str(PROCESSING / "output" / "xcom"), ignore_errors=True)
            result = one(python_path, task, number, folder)
            _log.info("Attempt %d of %d: %s", number, len(waits) + 1, result["state"])
            if result["state"] != "failed" or number > len(waits):
                break
            time.sleep(waits[number - 1])
    if result["state"] == "success":
        return 0
    if result["state"] == "skipped":
        return failed("the task was skipped, which a pipeline step cannot be: {}".format(result["message"]))
    return failed(result["message"])


def failed(message: str) -> int:
    """Say why the job fails, in its log and in its description."""
    _log.error("%s", message)
    folder = PROCESSING.parent / "output"
    with contextlib.suppress(OSError):  # only the description lacks it then
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "message").write_text(message[:_MESSAGE_LENGTH], encoding="utf-8")
    return 1


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="[%(asctime)s] %(levelname)s - %(message)s")
    sys.exit(main())
