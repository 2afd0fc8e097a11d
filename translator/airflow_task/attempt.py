"""One attempt at a task: what it calls, and what comes of it.

What the task returns and pushes goes to ``output/xcom/xcom.json`` when it succeeds.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import inspect
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .context import make_context
from .stand_ins import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    Context,
    MissingError,
    Variable,
    serve,
    set_current_context,
)
from .values import CODE, PROCESSING, RESULT, Upstream, decode, write_indexes, write_xcoms

_log = logging.getLogger("airflow.task")


def load(entry: str) -> Callable[..., Any]:
    """The callable of the task's code."""
    spec = importlib.util.spec_from_file_location("task_code", str(CODE / "task_code.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["task_code"] = module
    spec.loader.exec_module(module)
    found: Any = module
    for name in entry.split("."):
        found = (
            getattr(found, name, None)
            if found is not module
            else vars(module).get(name, getattr(__builtins__, name, None))
        )
    if found is None:
        raise MissingError(f"the code has no {entry!r}")
    return found  # type: ignore[no-any-return]


def call(task: dict[str, Any], context: Context, upstream: Upstream) -> Any:
    """Call the task's callable as Airflow does: with its arguments, and with those keys of the context that it names."""
    function = load(task["entry"])
    if task.get("string_args") is not None:
        function.__globals__["virtualenv_string_args"] = decode(task["string_args"], upstream)  # type: ignore[attr-defined]
    args = decode(task.get("op_args", []), upstream)
    options = {**context, **decode(task.get("op_kwargs", {}), upstream)}
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # some builtins have none
        return function(*args, **decode(task.get("op_kwargs", {}), upstream))
    for name, parameter in list(parameters.items())[: len(args)]:
        if parameter.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD) and name in options:
            raise ValueError(f"The key {name!r} in args is a part of kwargs and therefore reserved.")
    if not any(item.kind == item.VAR_KEYWORD for item in parameters.values()):
        options = {key: options[key] for key in parameters if key in options}
    result = function(*args, **options)
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def python(task: dict[str, Any], context: Context, upstream: Upstream) -> Any:
    """PythonOperator."""
    value = call(task, context, upstream)
    _log.info(f"Done. Returned value was: {value}" if task.get("show_return_value", True) else "Done.")
    return value


def branch(task: dict[str, Any], context: Context, upstream: Upstream) -> Any:
    """BranchPythonOperator: which of the tasks directly after it run."""
    value = call(task, context, upstream)
    chosen = [] if value is None else [value] if isinstance(value, str) else list(value)
    _log.info(f"Branch into {chosen}")
    unknown = [item for item in chosen if item not in task["choices"]]
    if unknown:
        raise AirflowException(f"'branch_task_ids' must contain only valid task_ids. Invalid tasks found: {unknown}.")
    taken = {key for item in chosen for key in task["choices"][item]}
    if task["exclusive"] and len(taken) > 1:
        raise AirflowFailException(f"it chose {sorted(taken)}; the pipeline was made for a choice of one")
    if task.get("always") and not taken:
        raise AirflowFailException("it chose nothing; the pipeline was made for a choice of one")
    _decide({key: key in taken for key in task["decisions"]})
    return value


def short_circuit(task: dict[str, Any], context: Context, upstream: Upstream) -> Any:
    """ShortCircuitOperator: whether what is after it runs."""
    value = python(task, context, upstream)
    _decide({key: bool(value) for key in task["decisions"]})
    return value


def _decide(decisions: dict[str, bool]) -> None:
    folder = PROCESSING / "output" / "xcom"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "decisions.json").write_text(json.dumps(decisions), encoding="utf-8")


def sensor(task: dict[str, Any], context: Context, upstream: Upstream) -> Any:
    """PythonSensor: call until it returns something true."""
    end = time.monotonic() + task["timeout"]
    while True:
        value = call(task, context, upstream)
        if value:
            return getattr(value, "xcom_value", None)
        if time.monotonic() + task["poke_interval"] > end:
            kind = AirflowSkipException if task.get("soft_fail") else AirflowSensorTimeout
            raise kind(
                "Sensor has timed out; run duration exceeds the specified timeout of {}.".format(task["timeout"])
            )
        time.sleep(task["poke_interval"])


def bash(task: dict[str, Any], context: Context, upstream: Upstream) -> Any:
    """BashOperator; the last line of what it writes is its result."""
    if task.get("entry") and not task.get("output_processor"):
        command = call(task, context, upstream)
        if not isinstance(command, str) or not command.strip():
            raise TypeError("The returned value from the TaskFlow callable must be a non-empty string.")
        if "{{" in command or "{%" in command:
            raise AirflowFailException("the command has a template, which only Airflow renders")
    else:
        command = decode(task["bash_command"], upstream)
    given = decode(task.get("env"), upstream)
    own = {key: value for key, value in os.environ.items() if key.startswith("AIRFLOW_CTX_")}
    variables = dict(os.environ) if given is None or task.get("append_env") else {}
    variables.update(given or {})
    variables.update(own)
    cwd = decode(task.get("cwd"), upstream)
    if cwd is not None and not os.path.isdir(cwd):
        raise AirflowException(f"Can not find the cwd: {cwd}")
    with contextlib.ExitStack() as stack:
        folder = cwd if cwd is not None else stack.enter_context(tempfile.TemporaryDirectory(prefix="airflowtmp"))
        line_of = [shutil.which("bash") or "bash", "-c", command]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(line_of, cwd=folder, env=variables, **streams)  # type: ignore[call-overload]  # noqa: S603
        line = ""
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode(task.get("output_encoding", "utf-8"), errors="backslashreplace").rstrip()
            _log.info("%s", line)
        code = process.wait()
    check_exit(code, task, "Bash command")
    return load(task["entry"])(line) if task.get("output_processor") else line


def check_exit(code: int, task: dict[str, Any], what: str) -> None:
    """Fail, or skip, as an exit code says."""
    if code in task.get("skip_on_exit_code", []):
        raise AirflowSkipException(f"{what} returned exit code {code}. Skipping.")
    if code:
        raise AirflowException(f"{what} failed. The command returned a non-zero exit code {code}.")


KINDS: dict[str, Callable[[dict[str, Any], Context, Upstream], Any]] = {
    "python": python,
    "branch": branch,
    "short_circuit": short_circuit,
    "sensor": sensor,
    "bash": bash,
}


def attempt(number: int, outcome: Path) -> int:
    """Run the task once.

    :param outcome: file for what came of it: ``state`` (success, skipped, failed, failed for good) and ``message``.
    """
    task = read_task()
    if not task.get("airflow"):
        serve()
    if "AWS_REGION" in os.environ:  # which boto3 does not read
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    state, message = "success", ""
    try:
        run(task, number)
    except BaseException as error:  # whatever it is, the attempt is over
        traceback.print_exc()
        state, message = state_after(error, task), f"{type(error).__name__}: {error}"
    if state == "skipped" and task.get("skip") == "succeed":
        write_xcoms({})
        state = "success"
    outcome.write_text(json.dumps({"state": state, "message": message}), encoding="utf-8")
    return 0


def state_after(error: BaseException, task: dict[str, Any]) -> str:
    """The state of an attempt that ended with an error."""
    names = {item.__name__ for item in type(error).__mro__}  # the classes may be those of Airflow itself
    code = error.code if isinstance(error, SystemExit) else None
    if "AirflowSkipException" in names or (task["kind"] != "bash" and code in task.get("skip_on_exit_code", [])):
        return "skipped"
    final = {"AirflowFailException", "AirflowSensorTimeout"} & names or isinstance(error, MissingError)
    return "failed for good" if final else "failed"


def run(task: dict[str, Any], number: int) -> None:
    """Run the task, and write its XComs."""
    upstream = Upstream(task.get("upstream", {}))
    context = make_context(task, upstream, number)
    set_current_context(context)
    Variable.values = decode(task.get("variables", {}), upstream)
    os.environ["AIRFLOW_CTX_TRY_NUMBER"] = str(number)
    os.environ.update(decode(task.get("environment", {}), upstream))
    value = KINDS[task["kind"]](task, context, upstream)
    xcoms = context.instance.pushed  # type: ignore[attr-defined]
    if value is not None and task.get("do_xcom_push", True):
        if task.get("multiple_outputs"):
            if not isinstance(value, dict):
                raise TypeError(f"Returned output was type {type(value)} expected dictionary for multiple_outputs")
            if any(not isinstance(key, str) for key in value):
                raise TypeError("Returned dictionary keys must be strings when using multiple_outputs")
            xcoms.update(value)
        xcoms[RESULT] = value
    write_xcoms(xcoms)
    if task.get("looped_over"):
        write_indexes(value)


def read_task() -> dict[str, Any]:
    """The content of ``task.json``."""
    task: dict[str, Any] = json.loads((CODE / "task.json").read_text(encoding="utf-8"))
    return task


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="[%(asctime)s] %(levelname)s - %(message)s")
    attempt(int(sys.argv[1]), Path(sys.argv[2]))
