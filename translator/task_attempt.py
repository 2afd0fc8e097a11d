"""The program that makes one attempt at a task of Airflow in a Processing job: the task, its context and its XComs.

It is copied into the job as ``attempt.py``, beside ``task.json``, which says what to run, and the task's code. So it is
one file, uses the standard library only and runs on Python 3.8 and later. What the task returns and pushes goes to
``output/xcom/xcom.json`` when it succeeds.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import decimal
import importlib.util
import inspect
import json
import logging
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
PROCESSING = HERE.parent.parent
"""``/opt/ml/processing``: the code is in ``input/code`` of it."""
RESULT = "return_value"
_MESSAGE_LENGTH = 1000
_log = logging.getLogger("airflow.task")


# What stands in for Airflow


class AirflowException(Exception):  # noqa: N818  (the name is Airflow's)
    """The task failed."""


class AirflowFailException(AirflowException):
    """The task failed, and is not tried again."""


class AirflowSkipException(AirflowException):
    """The task is skipped."""


class AirflowNotFoundException(AirflowException):
    """Something is not there."""


class AirflowSensorTimeout(AirflowException):
    """The sensor waited too long; it is not tried again."""


class AirflowTaskTimeout(BaseException):
    """The task ran too long."""


class PokeReturnValue:
    """What a sensor may return: whether to go on, and its XCom."""

    def __init__(self, is_done: Any, xcom_value: Any = None) -> None:
        self.is_done, self.xcom_value = is_done, xcom_value

    def __bool__(self) -> bool:
        return bool(self.is_done)


class MissingError(KeyError):
    """Something of Airflow that a task does not have in a container."""

    def __str__(self) -> str:
        return str(self.args[0])


class Context(dict):  # type: ignore[type-arg]
    """The context of a task: what was found to be read of it."""

    def __missing__(self, key: str) -> NoReturn:
        raise MissingError(
            "the context has no {!r} here: a container has {}".format(key, ", ".join(sorted(self)) or "none of it")
        )


class Variable:
    """Airflow's Variables that the code names; each is a parameter of the pipeline."""

    values: dict[str, Any] = {}

    @classmethod
    def get(cls, key: str, default_var: Any = None, deserialize_json: bool = False, default: Any = None) -> Any:  # noqa: ARG003
        """The value that the run was started with."""
        if key not in cls.values:
            raise MissingError(f"the Variable {key!r} was not found in the task's code when it was converted")
        value = cls.values[key]
        return json.loads(value) if deserialize_json else value


_current = Context()


def get_current_context() -> Context:
    """The context of the task that runs."""
    return _current


_ERRORS = {
    item.__name__: item
    for item in (
        AirflowException,
        AirflowFailException,
        AirflowSkipException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowTaskTimeout,
    )
}
_CONTEXT = {"get_current_context": get_current_context}
SERVED: dict[str, dict[str, Any]] = {
    "airflow": {},
    "airflow.exceptions": _ERRORS,
    "airflow.sdk.exceptions": _ERRORS,
    "airflow.sdk": {
        **_CONTEXT,
        "Variable": Variable,
        "Context": Context,
        "PokeReturnValue": PokeReturnValue,
    },
    "airflow.providers.common.compat.sdk": {
        **_ERRORS,
        **_CONTEXT,
        "Variable": Variable,
        "Context": Context,
        "PokeReturnValue": PokeReturnValue,
    },
    "airflow.operators.python": _CONTEXT,
    "airflow.providers.standard.operators.python": _CONTEXT,
    "airflow.models": {"Variable": Variable},
    "airflow.models.variable": {"Variable": Variable},
    "airflow.utils.context": {"Context": Context},
    "airflow.sensors.base": {"PokeReturnValue": PokeReturnValue},
}
"""What code may import of Airflow where Airflow is not installed: module -> name -> what stands in for it."""


def serve() -> None:
    """Make :data:`SERVED` importable."""
    for name, members in SERVED.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            if path not in sys.modules:
                module = types.ModuleType(path)
                module.__path__ = []
                sys.modules[path] = module
                if end > 1:
                    setattr(sys.modules[".".join(parts[: end - 1])], parts[end - 1], module)
        for key, value in members.items():
            setattr(sys.modules[name], key, value)


# XComs as files


def to_json(value: Any, path: list[Any], kinds: list[Any]) -> Any:
    """A value as JSON; what JSON does not have is noted in ``kinds`` as (path, type, text).

    :raises TypeError: it is something that no file of this program can hold.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        kinds.append([path, "float", repr(float(value))])
        return None
    if isinstance(value, dict):
        return {str(key): to_json(item, [*path, str(key)], kinds) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        members = sorted(value, key=repr)
        return _noted([to_json(item, [*path, at], kinds) for at, item in enumerate(members)], value, path, kinds)
    if isinstance(value, (list, tuple)):
        items = [to_json(item, [*path, at], kinds) for at, item in enumerate(value)]
        return _noted(items, value, path, kinds) if isinstance(value, tuple) else items
    if isinstance(value, (datetime.datetime, datetime.date, datetime.timedelta, decimal.Decimal)):
        return _noted(_text_of(value), value, path, kinds)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return to_json(value.item(), path, kinds)
    where = RESULT if not path else "".join([f"{path[0]}", *(f"[{item!r}]" for item in path[1:])])
    raise TypeError(f"{where} is a {type(value).__name__}, which is no JSON: write it to S3 and return where it is")


_KINDS: dict[str, Any] = {
    "float": float,
    "tuple": tuple,
    "frozenset": frozenset,
    "set": set,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "timedelta": lambda text: datetime.timedelta(seconds=float(text)),
    "Decimal": decimal.Decimal,
}


def _noted(plain: Any, value: Any, path: list[Any], kinds: list[Any]) -> Any:
    bases = (tuple, frozenset, set, datetime.datetime, datetime.date, datetime.timedelta, decimal.Decimal)
    kind = next(item.__name__ for item in bases if isinstance(value, item))
    kinds.append([path, kind, plain if isinstance(plain, str) else None])
    return plain


def _text_of(value: Any) -> str:
    if isinstance(value, datetime.timedelta):
        return repr(value.total_seconds())
    return str(value) if isinstance(value, decimal.Decimal) else str(value.isoformat())


def from_json(value: Any, kinds: list[Any]) -> Any:
    """The value that :func:`to_json` was given; inner values come before those that hold them."""
    holder = {"": value}
    for path, kind, text in kinds:
        target, key = holder, ""
        for step in path:
            target, key = target[key], step
        target[key] = _KINDS[kind](target[key] if text is None else text)
    return holder[""]


def write_xcoms(values: dict[str, Any]) -> None:
    """Write the XComs of this task where the job uploads them from."""
    kinds: list[Any] = []
    plain = to_json(values, [], kinds)
    folder = PROCESSING / "output" / "xcom"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "xcom.json").write_text(json.dumps(plain, indent=1), encoding="utf-8")
    (folder / "types.json").write_text(json.dumps(kinds), encoding="utf-8")


class Upstream:
    """The XComs of the tasks before this one.

    :param sources: task id -> ``input`` (the folder with its files), ``values`` (path with points -> value), or the call
        that describes what the task made.
    """

    def __init__(self, sources: dict[str, Any]) -> None:
        self.sources = sources
        self.known: dict[str, dict[str, Any]] = {}

    def all(self, task_id: str) -> dict[str, Any]:
        """The XComs of a task by key."""
        if task_id not in self.sources:
            known = ", ".join(sorted(self.sources)) or "none"
            raise MissingError(f"the XComs of {task_id!r} are not here; this task was given those of: {known}")
        if task_id not in self.known:
            source = self.sources[task_id]
            if "input" in source:
                self.known[task_id] = self._files(source["input"])
            else:
                self.known[task_id] = {RESULT: described(source) if "method" in source else _tree(source["values"])}
        return self.known[task_id]

    @staticmethod
    def _files(name: str) -> dict[str, Any]:
        folder = PROCESSING / "input" / name
        value = json.loads((folder / "xcom.json").read_text(encoding="utf-8"))
        kinds = json.loads((folder / "types.json").read_text(encoding="utf-8"))
        found: dict[str, Any] = from_json(value, kinds)
        return found


def _tree(values: dict[str, Any]) -> Any:
    """Nested objects from paths with points; the path of nothing is the whole."""
    if "" in values:
        return decode(values[""], None)
    found: dict[str, Any] = {}
    for path, value in values.items():
        *before, last = path.split(".")
        target = found
        for name in before:
            target = target.setdefault(name, {})
        target[last] = decode(value, None)
    return found


def described(source: dict[str, Any]) -> Any:
    """What the service says about what another task made, as that task's operator has it in its XCom."""
    import boto3

    request = {key: decode(value, None) for key, value in source["request"].items()}
    value = getattr(boto3.client(source["service"]), source["method"])(**request)
    value.pop("ResponseMetadata", None)
    for name in filter(None, source["result"].split(".")):
        value = value[name]
    value = json.loads(json.dumps(value, default=repr))
    return {source["wrapper"]: value} if source["wrapper"] else value


# Values of task.json


def decode(value: Any, upstream: Upstream | None) -> Any:
    """A value of ``task.json`` with what only the run knows; objects with one key ``$...`` stand for such."""
    if isinstance(value, list):
        return [decode(item, upstream) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key in _DECODERS:
            return _DECODERS[key](inner, upstream)
    return {key: decode(item, upstream) for key, item in value.items()}


def _variable(inner: Any, upstream: Any) -> Any:
    text, kind = os.environ[inner["name"]], inner.get("type", "String")
    if kind == "Boolean":
        return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
    return {"Integer": int, "Float": float}.get(kind, str)(text)


def _xcom(inner: Any, upstream: Any) -> Any:
    value = upstream.all(inner["task"]).get(inner["key"])
    for segment in inner["path"]:
        value = value[segment]
    return value


def _native(inner: Any, upstream: Any) -> Any:
    """What Jinja's native mode makes of a text."""
    import ast

    value = decode(inner, upstream)
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(ast.parse(value.lstrip(" \t"), mode="eval"))
    except (ValueError, SyntaxError, MemoryError):
        return value


_DECODERS: dict[str, Callable[[Any, Any], Any]] = {
    "$value": _variable,
    "$text": lambda inner, upstream: str(decode(inner, upstream)),
    "$join": lambda inner, upstream: "".join(str(decode(item, upstream)) for item in inner),
    "$tuple": lambda inner, upstream: tuple(decode(item, upstream) for item in inner),
    "$dict": lambda inner, upstream: {decode(key, upstream): decode(item, upstream) for key, item in inner},
    "$python": lambda inner, upstream: eval(inner),  # noqa: S307  (a literal that the packing wrote)
    "$xcom": _xcom,
    "$native": _native,
}


# The context


class Date(datetime.datetime):
    """A date where pendulum is not installed, which Airflow's dates are of."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            f"a date has no {name!r} here: name pendulum in the requirements to have what Airflow's dates have"
        )


def date(text: str) -> Any:
    """A point in time in ISO 8601 as Airflow would give it."""
    value = datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    value = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
    try:
        import pendulum
    except ImportError:
        parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
        return Date(*parts, tzinfo=value.tzinfo)
    return pendulum.instance(value)


class TaskInstance:
    """What a task may ask of its task instance."""

    map_index = -1

    def __init__(self, task: dict[str, Any], run_id: str | None, upstream: Upstream, attempt: int) -> None:
        self.task_id, self.dag_id, self.try_number = task["task_id"], task["dag_id"], attempt
        self.max_tries = task.get("retries", 0)
        self.pushed: dict[str, Any] = {}
        self.log = _log
        self._run_id, self._upstream = run_id, upstream

    @property
    def run_id(self) -> str:
        """The id of the pipeline execution."""
        if self._run_id is None:
            raise MissingError("the run id was not found to be read when the task was converted")
        return self._run_id

    def xcom_push(self, key: str, value: Any) -> None:
        """Give a value to later tasks, when this one succeeds."""
        self.pushed[key] = value

    def xcom_pull(self, task_ids: Any = None, dag_id: str | None = None, key: str = RESULT, default: Any = None) -> Any:
        """The value that a task before this one returned or pushed; a list of them for a list of tasks."""
        if dag_id not in (None, self.dag_id):
            raise MissingError(f"XComs of the DAG {dag_id!r} are not here")
        if task_ids is None:
            task_ids = self._pushing(key)
        if isinstance(task_ids, str):
            value = (self.pushed if task_ids == self.task_id else self._upstream.all(task_ids)).get(key)
            return default if value is None else value
        return [self.xcom_pull(task_id, key=key) for task_id in task_ids]

    def _pushing(self, key: str) -> str:
        found = [task_id for task_id in sorted(self._upstream.sources) if key in self._upstream.all(task_id)]
        if len(found) != 1:
            raise MissingError("the XCom {!r} is of {} tasks: name one in task_ids".format(key, len(found) or "no"))
        return found[0]

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a task instance has no {name!r} in a container")


class Facts(types.SimpleNamespace):
    """Some facts about something of Airflow."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(
            "of what Airflow knows, a container has only {}, not {!r}".format(", ".join(sorted(vars(self))), name)
        )


def macros() -> Any:
    """The macros that need nothing but a date."""
    import random
    import uuid

    def ds_add(ds: str, days: int) -> str:
        return (datetime.datetime.strptime(str(ds), "%Y-%m-%d") + datetime.timedelta(days)).strftime("%Y-%m-%d")

    def ds_format(ds: str, input_format: str, output_format: str) -> str:
        return datetime.datetime.strptime(str(ds), input_format).strftime(output_format)

    return Facts(
        datetime=datetime.datetime,
        timedelta=datetime.timedelta,
        time=time,
        json=json,
        uuid=uuid,
        random=random.random,
        ds_add=ds_add,
        ds_format=ds_format,
    )


DATES: dict[str, Callable[[Any], Any]] = {
    "logical_date": lambda at: at,
    "execution_date": lambda at: at,
    "ds": lambda at: at.strftime("%Y-%m-%d"),
    "ds_nodash": lambda at: at.strftime("%Y%m%d"),
    "ts": lambda at: at.isoformat(),
    "ts_nodash": lambda at: at.strftime("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": lambda at: at.isoformat().replace("-", "").replace(":", ""),
    "yesterday_ds": lambda at: (at - datetime.timedelta(1)).strftime("%Y-%m-%d"),
    "yesterday_ds_nodash": lambda at: (at - datetime.timedelta(1)).strftime("%Y%m%d"),
    "tomorrow_ds": lambda at: (at + datetime.timedelta(1)).strftime("%Y-%m-%d"),
    "tomorrow_ds_nodash": lambda at: (at + datetime.timedelta(1)).strftime("%Y%m%d"),
}
"""Keys of the context that follow from the logical date."""
INTERVAL = ("data_interval_start", "data_interval_end")
"""Keys of the context that are dates of their own."""
OTHERS = ("params", "run_id", "dag_run", "ti", "task_instance", "task", "dag", "macros", "templates_dict")
"""The other keys of the context that a container has."""


def make_context(task: dict[str, Any], upstream: Upstream, attempt: int) -> Context:
    """The context with the keys that ``task.json`` names, from the values that it gives."""
    given = decode(task.get("given", {}), upstream)
    instance = TaskInstance(task, given.get("run_id"), upstream, attempt)
    made: dict[str, Any] = {
        "params": given.get("params", {}),
        "run_id": given.get("run_id"),
        "ti": instance,
        "task_instance": instance,
        "task": Facts(task_id=task["task_id"], dag_id=task["dag_id"]),
        "dag": Facts(dag_id=task["dag_id"]),
        "dag_run": Facts(conf=given.get("conf", {}), dag_id=task["dag_id"], **_only(given, "run_id")),
        "macros": macros(),
        "templates_dict": decode(task.get("templates_dict"), upstream),
    }
    for key in INTERVAL:
        if key in given:
            made[key] = date(given[key])
    if "logical_date" in given:
        at = date(given["logical_date"])
        made.update({key: make(at) for key, make in DATES.items()})
        made["dag_run"].logical_date = made["dag_run"].execution_date = at
    context = Context({key: made[key] for key in task.get("context", [])})
    context.instance = instance  # type: ignore[attr-defined]
    return context


def _only(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: values[key] for key in keys if key in values}


# What a task does


def load(entry: str) -> Callable[..., Any]:
    """The callable of the task's code."""
    spec = importlib.util.spec_from_file_location("task_code", str(HERE / "task_code.py"))
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


# The attempt


def attempt(number: int, outcome: Path) -> int:
    """Run the task once.

    :param outcome: file for what came of it: ``state`` (success, skipped, failed, failed for good) and ``message``.
    """
    task = read_task()
    if not task.get("airflow"):
        serve()
    if "AWS_REGION" in os.environ:  # which boto3 does not read
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
    sys.path[:0] = [str(HERE / "modules")]
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
    global _current  # noqa: PLW0603  (as in Airflow, there is one task in a process)
    _current = context
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


def read_task() -> dict[str, Any]:
    """The content of ``task.json``."""
    task: dict[str, Any] = json.loads((HERE / "task.json").read_text(encoding="utf-8"))
    return task


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="[%(asctime)s] %(levelname)s - %(message)s")
    attempt(int(sys.argv[1]), Path(sys.argv[2]))
