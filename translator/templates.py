"""Jinja templates as expressions of the definition language.

The template's syntax tree is read, never its text. What the language cannot express raises :class:`UntranslatableError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import jinja2
from jinja2 import nodes

from sagemaker_provider.definition.expressions import EXPRESSIONS, Join, execution_variable
from sagemaker_provider.definition.paths import Key, Segment
from sagemaker_provider.operators.rendering import lone_expression

DATES: Final = {
    "ds": "YYYY-MM-DD of the logical date",
    "ds_nodash": "YYYYMMDD of the logical date",
    "ts": "ISO 8601 time of the logical date",
    "ts_nodash": "YYYYMMDDTHHMMSS of the logical date",
    "ts_nodash_with_tz": "YYYYMMDDTHHMMSS and offset of the logical date",
    "logical_date": "logical date, such as 2026-01-31 00:00:00+00:00",
    "data_interval_start": "start of the data interval, such as 2026-01-31 00:00:00+00:00",
    "data_interval_end": "end of the data interval, such as 2026-01-31 00:00:00+00:00",
}
"""Date macros that become a String parameter of the same name -> what whoever starts the run passes."""

_TASK_INSTANCE: Final = ("ti", "task_instance")


class UntranslatableError(ValueError):
    """A template that the definition language cannot express.

    :param code: code of the finding.
    """

    def __init__(self, message: str, code: str = "SMP301") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Lookups:
    """What a template may refer to.

    :param param: from the name of a param, and a default or ``None``, to an expression.
    :param declared: from the name of a param that the DAG declares with a value to an expression; ``None`` for others.
    :param date: from the name of a date macro to an expression.
    :param variable: from the name of an Airflow Variable, and a default or ``None``, to an expression.
    :param xcom: from a task id, the key of an XCom and a path in it to an expression.
    :param note: takes (code, message) of a finding.
    :param names: values of ``dag.dag_id``, ``task.task_id`` and the like.
    """

    param: Callable[[str, Any], Any]
    declared: Callable[[str], Any]
    date: Callable[[str], Any]
    variable: Callable[[str, Any], Any]
    xcom: Callable[[str, str, tuple[Segment, ...]], Any]
    note: Callable[[str, str], None]
    names: dict[str, str]


def is_template(text: str) -> bool:
    """Whether Jinja would change the text."""
    return "{{" in text or "{%" in text or "{#" in text


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment()  # noqa: S701  (templates are read, never rendered)


@lru_cache(maxsize=4096)
def _parse(text: str) -> nodes.Template:
    return _environment().parse(text)


def translate(text: str, lookups: Lookups) -> Any:
    """The expression that gives what the template renders to; the text itself when nothing in it is a template.

    :raises UntranslatableError: there is none; the message says which part is at fault.
    """
    if not is_template(text) and "\n" not in text and "\r" not in text:
        return text
    try:
        tree = _parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise UntranslatableError(f"{text!r} is no valid template: {error.message}") from None
    parts: list[Any] = []
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            raise UntranslatableError(f"{text!r}: {type(node).__name__.lower()} blocks have no counterpart")
        parts += [
            part.data if isinstance(part, nodes.TemplateData) else _expression(part, lookups, text)
            for part in node.nodes
        ]
    return parts[0] if lone_expression(text) and len(parts) == 1 else _text(joined(map(written, parts)))


def _text(value: Any) -> Any:
    """A value as text: an expression that is not text already is written by a Join."""
    return Join("", (value,)) if isinstance(value, EXPRESSIONS) and not isinstance(value, Join) else value


def canonical(text: str) -> str:
    """A template in one of the ways to write it, so that equal ones are equal texts."""

    def inner(match: re.Match[str]) -> str:
        return "{{ " + re.sub(r"\[\s*(['\"])(\w+)\1\s*\]", r".\2", match[1].strip()) + " }}"

    text = re.sub(r"\{\{[-+]?(.*?)[-+]?\}\}", inner, text, flags=re.DOTALL)
    return re.sub(r"(?<![:/])/{2,}", "/", text)


def written(value: Any) -> Any:
    """A value as Jinja writes it into text; expressions stay."""
    return value if isinstance(value, EXPRESSIONS) else str(value)


def joined(parts: Iterable[Any], on: str = "") -> Any:
    """One value of several: neighbouring texts are put together, a single value needs no Join."""
    merged: list[Any] = []
    for part in parts:
        inner = part.values if isinstance(part, Join) and part.on == on else (part,)
        for item in inner:
            if isinstance(item, str) and merged and isinstance(merged[-1], str):
                merged[-1] += on + item
            elif item != "" or on:
                merged.append(item)
    if not merged:
        return ""
    return merged[0] if len(merged) == 1 else Join(on, tuple(merged))


def _expression(node: nodes.Node, lookups: Lookups, text: str) -> Any:
    if isinstance(node, nodes.Const):
        return node.value
    if isinstance(node, (nodes.Add, nodes.Concat)):
        operands = [node.left, node.right] if isinstance(node, nodes.Add) else node.nodes
        values = [_expression(item, lookups, text) for item in operands]
        if isinstance(node, nodes.Add) and not (
            any(isinstance(value, str) for value in values)
            and all(isinstance(value, (str, *EXPRESSIONS)) for value in values)
        ):
            raise UntranslatableError(f"{text!r}: arithmetic has no counterpart")
        return _text(joined(map(written, values)))
    if isinstance(node, nodes.Filter) and node.name in ("string", "trim") and node.node is not None and not node.args:
        value = _expression(node.node, lookups, text)
        return value.strip() if node.name == "trim" and isinstance(value, str) else _as_text(value, node, text)
    if isinstance(node, nodes.Filter) and node.name in ("default", "d") and node.node is not None:
        before = _path(node.node)
        if before and before[0] == "params" and len(before) == 2 and (value := lookups.declared(str(before[1]))):
            return value  # it always has a value
    path = _path(node)
    if path is None:
        raise UntranslatableError(f"{text!r}: {_named(node)} has no counterpart")
    return _look_up(path, lookups, text)


def _as_text(value: Any, node: nodes.Filter, text: str) -> Any:
    if node.name == "trim":
        raise UntranslatableError(f"{text!r}: the filter trim has no counterpart")
    return Join("", (value,)) if isinstance(value, EXPRESSIONS) else str(value)


def _look_up(path: list[Any], lookups: Lookups, text: str) -> Any:
    match path:
        case ["params", str() as name]:
            return lookups.param(name, None)
        case ["dag_run", "conf", str() as name] | ["dag_run", "conf", ("get", [str() as name], {})]:
            value = lookups.param(name, None)
            lookups.note("SMP630", f"{text!r} reads {name!r} of the run's conf")
            return value
        case ["dag_run", "conf", ("get", [str() as name, default], {})]:
            return lookups.param(name, default)
        case ["params", ("get", [str() as name, *default], {})] if len(default) < 2:
            return lookups.declared(name) or lookups.param(name, *(default or [None]))
        case ["run_id"] | ["dag_run", "run_id"] | ["ti" | "task_instance", "run_id"]:
            lookups.note("SMP705", f"{text!r} reads the run id")
            return execution_variable("PipelineExecutionId")
        case ["dag", "dag_id"] | ["dag_run", "dag_id"] | ["ti" | "task_instance" | "task", "dag_id"]:
            return lookups.names["dag_id"]
        case ["task", "task_id"] | ["ti" | "task_instance", "task_id"]:
            return lookups.names["task_id"]
        case [str() as name] if name in DATES:
            return lookups.date(name)
        case ["var", "value", str() as name]:
            return lookups.variable(name, None)
        case ["var", "value", ("get", [str() as name, *default], {})] if len(default) < 2:
            return lookups.variable(name, *(default or [None]))
        case ["ti" | "task_instance", ("xcom_pull", arguments, options), *below]:
            return _xcom(arguments, options, below, lookups, text)
        case [str() as name, *_]:
            what = (
                f"what is read of {name!r}" if len(path) > 1 else f"{name!r} is known to Airflow only, if at all, and"
            )
            raise UntranslatableError(f"{text!r}: {what} has no counterpart")
    raise UntranslatableError(f"{text!r} has no counterpart")


def _xcom(arguments: list[Any], options: dict[str, Any], below: list[Any], lookups: Lookups, text: str) -> Any:
    names = ("task_ids", "dag_id", "key")
    given = {**dict(zip(names, arguments)), **options}
    task_id, key = given.pop("task_ids", None), given.pop("key", "return_value")
    if isinstance(task_id, list) and len(task_id) == 1:
        raise UntranslatableError(f"{text!r}: a list of task_ids gives a list; name one task")
    if given.get("dag_id") == lookups.names["dag_id"]:
        del given["dag_id"]
    if not isinstance(task_id, str) or any(value is not None for value in given.values()):
        raise UntranslatableError(f"{text!r}: name one task of this DAG in task_ids")
    if any(isinstance(item, tuple) for item in below):
        raise UntranslatableError(f"{text!r}: methods of a result have no counterpart")
    return lookups.xcom(task_id, key, tuple(below))


def _path(node: nodes.Node) -> list[Any] | None:
    """A chain of names, indexes and calls: ``a.b['c'](d)`` is ``["a", ("b"...)]``; ``None`` for anything else."""
    if isinstance(node, nodes.Name):
        return [node.name]
    if isinstance(node, nodes.Getattr):
        before = _path(node.node)
        return before and [*before, node.attr]
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        before = _path(node.node)
        return before and [*before, Key(node.arg.value) if isinstance(node.arg.value, str) else node.arg.value]
    if isinstance(node, nodes.Call) and not node.dyn_args and not node.dyn_kwargs:
        before = _path(node.node)
        try:
            arguments = [item.as_const() for item in node.args]
            options = {item.key: item.value.as_const() for item in node.kwargs}
        except nodes.Impossible:
            return None
        return (before and isinstance(before[-1], str) and [*before[:-1], (before[-1], arguments, options)]) or None
    return None


def _named(node: nodes.Node) -> str:
    if isinstance(node, nodes.Filter):
        return f"the filter {node.name}"
    if isinstance(node, nodes.CondExpr):
        return "if-else"
    words: dict[type[nodes.Node], str] = {nodes.Getitem: "a part of a value", nodes.Call: "a call"}
    if isinstance(node, nodes.BinExpr):
        return "arithmetic"
    return words.get(type(node), type(node).__name__.lower())
