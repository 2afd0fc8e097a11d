"""The context of a task: what the code was found to read of it."""

from __future__ import annotations

import datetime
import json
import logging
import socket
import time
import types
from collections.abc import Callable
from typing import Any, NoReturn

from .stand_ins import Context, MissingError
from .values import DECODERS, RESULT, Upstream, decode


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

    def __init__(self, task: dict[str, Any], run_id: str | None, upstream: Upstream, attempt: int) -> None:
        vars(self).update(_facts(task, "ti"))
        self.task_id, self.dag_id, self.try_number = task["task_id"], task["dag_id"], attempt
        self.map_index = decode(task.get("map_index", -1), None)
        self.max_tries = task.get("retries", 0)
        self.pushed: dict[str, Any] = {}
        self.log = logging.getLogger("airflow.task")
        self.start_date = date(datetime.datetime.now(datetime.timezone.utc).isoformat())
        self.hostname = socket.gethostname()
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
            value = self.pushed.get(key) if task_ids == self.task_id else self._upstream.get(task_ids, key)
            return default if value is None else value
        return [self.xcom_pull(task_id, key=key) for task_id in task_ids]

    def _pushing(self, key: str) -> str:
        found = [task_id for task_id in sorted(self._upstream.sources) if self._upstream.has(task_id, key)]
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
ATTRIBUTES = {
    "ti": (
        *("task_id", "dag_id", "run_id", "try_number", "map_index", "max_tries", "start_date", "hostname", "log"),
        *("xcom_pull", "xcom_push", "task", "dag_run", "logical_date", "execution_date"),
    ),
    "task": ("task_id", "dag_id", "dag", "log"),
    "dag": ("dag_id",),
    "dag_run": ("conf", "dag_id", "run_id", "logical_date", "execution_date", *INTERVAL),
}
"""Attributes of the objects of the context that every container has; ``facts`` of ``task.json`` has others."""
OTHERS = ("params", "run_id", "dag_run", "ti", "task_instance", "task", "dag", "macros", "templates_dict")
"""The other keys of the context that a container has."""


def make_context(task: dict[str, Any], upstream: Upstream, attempt: int) -> Context:
    """The context with the keys that ``task.json`` names, from the values that it gives."""
    given = decode(task.get("given", {}), upstream)
    instance: Any = TaskInstance(task, given.get("run_id"), upstream, attempt)
    dag = Facts(dag_id=task["dag_id"], **_facts(task, "dag"))
    run = Facts(conf=given.get("conf", {}), dag_id=task["dag_id"], **_only(given, "run_id"))
    instance.task = Facts(
        task_id=task["task_id"], dag_id=task["dag_id"], dag=dag, log=instance.log, **_facts(task, "task")
    )
    instance.dag_run = run
    made: dict[str, Any] = {
        "params": given.get("params", {}),
        "run_id": given.get("run_id"),
        "ti": instance,
        "task_instance": instance,
        "task": instance.task,
        "dag": dag,
        "dag_run": run,
        "macros": macros(),
        "templates_dict": decode(task.get("templates_dict"), upstream),
    }
    for key in INTERVAL:
        if key in given:
            made[key] = date(given[key])
            setattr(run, key, made[key])
    if "logical_date" in given:
        at = date(given["logical_date"])
        made.update({key: make(at) for key, make in DATES.items()})
        for item in (run, instance):
            item.logical_date = item.execution_date = at
    context = Context({key: made[key] for key in task.get("context", [])})
    context.instance = instance  # type: ignore[attr-defined]
    return context


def rendered(inner: dict[str, Any], upstream: Upstream) -> Any:
    """A template rendered as Airflow does it, from what it was found to read."""
    import jinja2
    import jinja2.nativetypes

    keys = [*OTHERS, *(DATES if "logical_date" in inner["given"] else ()), *_only(inner["given"], *INTERVAL)]
    context = make_context({**inner, "context": keys}, upstream, 1)
    variables = decode(inner["given"]["variables"], upstream)
    kind = jinja2.nativetypes.NativeEnvironment if inner["native"] else jinja2.Environment
    environment = kind(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do"])
    environment.filters.update({key: DATES[key] for key in ("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz")})
    return environment.from_string(inner["text"]).render({**context, "var": {"value": variables}})


DECODERS["$template"] = rendered


def _facts(task: dict[str, Any], of: str) -> dict[str, Any]:
    """What the DAG file says about an object, as far as the code was found to read it."""
    return decode(task.get("facts", {}).get(of, {}), None)  # type: ignore[no-any-return]


def _only(values: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: values[key] for key in keys if key in values}
