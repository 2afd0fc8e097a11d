"""Jinja templates as expressions of the definition language.

The template's syntax tree is read, never its text. What the language cannot express raises :class:`UntranslatableError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jinja2
from jinja2 import nodes

from sagemaker_provider.definition.expressions import EXPRESSIONS, Join, execution_variable
from sagemaker_provider.definition.paths import Key, Segment
from sagemaker_provider.operators.rendering import lone_expression
from sagemaker_provider.translator import dates, jinja

IDS: Final = ("dag.dag_id", "task.task_id")
"""What is known when the DAG is converted."""
PULL_ARGUMENTS: Final = ("task_ids", "dag_id", "key", "include_prior_dates", "map_indexes", "default", "run_id")


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
    :param date: from a form of a date (see :mod:`.dates`) to an expression.
    :param variable: from the name of an Airflow Variable, and a default or ``None``, to an expression.
    :param json_variable: from the name of an Airflow Variable and a path in its JSON value to an expression.
    :param run_id: the expression for Airflow's run id; ``None`` where no run of Airflow starts the pipeline.
    :param xcom: from a task id or ``None``, a key and a path in this XCom to an expression.
    :param note: takes (code, message) of a finding.
    :param names: values of ``dag.dag_id`` and ``task.task_id``.
    """

    param: Callable[[str, Any], Any]
    declared: Callable[[str], Any]
    date: Callable[[str], Any]
    variable: Callable[[str, Any], Any]
    json_variable: Callable[[str, tuple[Segment, ...]], Any]
    run_id: Callable[[], Any]
    xcom: Callable[[str | None, str, tuple[Segment, ...]], Any]
    note: Callable[[str, str], None]
    names: Mapping[str, str]


_BRACES: Final = re.compile(
    r"(?<![{$])\{\s*(?:"
    rf"(?:{'|'.join(sorted((*dates.NAMES, 'execution_date', 'run_id')))})(?:[.\[(|][^{{}}]*|\s+[|+-][^{{}}]*)?"
    r"|(?:params|ti|task_instance|dag_run|dag|var|macros|conn)[.\[][^{}]*"
    r")\s*\}(?!\})"
)
"""What is left of a template in an f-string whose braces were not doubled once more."""


def single_braces(text: str) -> list[str]:
    """The parts of a text that look like templates with single braces, which Jinja does not see."""
    return [match[0] for match in _BRACES.finditer(text)] if "{" in text else []


def is_template(text: str) -> bool:
    """Whether Jinja would change the text."""
    return "{{" in text or "{%" in text or "{#" in text


def canonical(text: str, task_id: str | None = None) -> str:
    """:func:`.jinja.canonical` with doubled slashes as one, as people put folders together."""
    return re.sub(r"(?<![:/])/{2,}", "/", jinja.canonical(text, task_id))


def translate(text: str, lookups: Lookups) -> Any:
    """The expression that gives what the template renders to; the text itself when nothing in it is a template.

    :raises UntranslatableError: there is none; the message says which part is at fault.
    """
    if not is_template(text) and "\n" not in text and "\r" not in text:
        return text
    tree = tree_of(text)
    known: dict[str, nodes.Node] = {name: nodes.Const(lookups.names[name]) for name in IDS}
    parts = list(_Reader(text, lookups).parts(tree.body, known))
    if old := [name for name in sorted(dates.AIRFLOW_2) if name in text]:
        for name in sorted(jinja.read_names(text).intersection(old)):
            lookups.note("SMP713", f"{text!r} reads {name}")
    return parts[0] if lone_expression(text) and len(parts) == 1 else _text(joined(map(written, parts)))


def tree_of(text: str) -> nodes.Template:
    """The tree of a template.

    :raises UntranslatableError: it is no valid template.
    """
    try:
        return jinja.parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise UntranslatableError(f"{text!r} is no valid template: {error.message}") from None


def _text(value: Any) -> Any:
    """A value as text: an expression that is not text already is written by a Join."""
    return Join("", (value,)) if isinstance(value, EXPRESSIONS) and not isinstance(value, Join) else value


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


@dataclass(frozen=True)
class _Reader:
    """Reads one template."""

    text: str
    lookups: Lookups

    def refused(self, reason: str, code: str = "SMP301") -> UntranslatableError:
        return UntranslatableError(f"{self.text!r}: {reason}", code)

    def parts(self, body: Iterable[nodes.Node], known: dict[str, nodes.Node]) -> Iterator[Any]:
        """The values that a template writes, one after the other.

        :param known: names whose value is known, and their value; ``{% set %}`` adds to it.
        """
        for node in body:
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    constant = isinstance(part, nodes.TemplateData)
                    yield part.data if constant else self.value(jinja.replaced(part, known))  # type: ignore[attr-defined]
            elif isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
                known[node.target.name] = jinja.replaced(node.node, known)
            elif isinstance(node, nodes.If):
                yield from self.parts(self.chosen(node, known), known)
            else:
                raise self.refused(f"{type(node).__name__.lower()} blocks have no counterpart")

    def chosen(self, node: nodes.If, known: Mapping[str, nodes.Node]) -> Sequence[nodes.Node]:
        """The part of an ``{% if %}`` that is written, which must not depend on the run."""
        for case in (node, *node.elif_):
            test = jinja.replaced(case.test, known)
            if not jinja.closed(test):
                raise self.refused("if blocks have no counterpart")
            if self.computed(test):
                return case.body
        return node.else_

    def computed(self, node: nodes.Node) -> Any:
        """The value of a constant expression."""
        try:
            return dates.constant(jinja.source(node))
        except ValueError as error:
            raise self.refused(str(error)) from None

    def value(self, node: nodes.Node) -> Any:
        """An expression of a template as a constant or an expression of the language."""
        if isinstance(node, nodes.Const):
            return node.value
        if jinja.closed(node):
            found = self.computed(node)
            if isinstance(found, (str, int, float)):
                return found
            raise self.refused(f"a {type(found).__name__} has no counterpart")
        dated = jinja.closed(node, dates.NAMES)
        is_text = dated and isinstance(self.example(node), str)
        if (is_text or not dated) and (
            pieces := self.added(node) if isinstance(node, nodes.Add) else jinja.pieces(node)
        ) is not None:
            return _text(joined(map(written, map(self.value, pieces))))
        if dated:
            return self.lookups.date(jinja.source(node))
        if isinstance(node, nodes.CondExpr) and jinja.closed(node.test):
            chosen = node.expr1 if self.computed(node.test) else node.expr2
            if chosen is not None:
                return self.value(chosen)
        if isinstance(node, nodes.Filter) and node.node is not None:
            return self.filtered(node, node.node)
        path = call_path(node)
        if path is None:
            raise self.refused(f"{_named(node)} has no counterpart")
        return self.look_up(path)

    def example(self, node: nodes.Node) -> Any:
        """What an expression of dates gives for one run, to know its type, and that it has a value."""
        try:
            return dates.example(jinja.source(node))
        except ValueError as error:
            raise self.refused(str(error)) from None

    def added(self, node: nodes.Add) -> Sequence[nodes.Node] | None:
        """The operands of a sum of texts; whether params are texts is known from what they are added to."""
        operands = jinja.operands(node)
        if not any(self.is_text(item) for item in operands):
            return None
        if any(isinstance(item, nodes.Const) and not isinstance(item.value, str) for item in operands):
            return None
        return operands

    def is_text(self, node: nodes.Node) -> bool:
        if isinstance(node, nodes.Const):
            return isinstance(node.value, str)
        if jinja.closed(node):
            return isinstance(self.computed(node), str)
        return jinja.closed(node, dates.NAMES) and isinstance(self.example(node), str)

    def filtered(self, node: nodes.Filter, inner: nodes.Node) -> Any:
        """A value that is known in a run only, after a filter that does not change it."""
        if node.name == "string" and not node.args:
            value = self.value(inner)
            return Join("", (value,)) if isinstance(value, EXPRESSIONS) else str(value)
        if node.name in ("default", "d") and len(node.args) < 2 and not node.kwargs:
            before = call_path(inner)
            if (
                before
                and before[0] == "params"
                and len(before) == 2
                and (value := self.lookups.declared(str(before[1])))
            ):
                return value  # it always has a value
        raise self.refused(f"the filter {node.name} has no counterpart")

    def look_up(self, path: list[Any]) -> Any:
        """What a chain of names, indexes and calls reads."""
        lookups = self.lookups
        match path:
            case ["params", str() as name]:
                return lookups.param(name, None)
            case ["dag_run", "conf", str() as name] | ["dag_run", "conf", ("get", [str() as name], {})]:
                value = lookups.param(name, None)
                lookups.note("SMP630", f"{self.text!r} reads {name!r} of the run's conf")
                return value
            case ["dag_run", "conf", ("get", [str() as name, default], {})]:
                return lookups.param(name, default)
            case ["params", ("get", [str() as name, *default], {})] if len(default) < 2:
                return lookups.declared(name) or lookups.param(name, *(default or [None]))
            case ["run_id"]:
                if (given := lookups.run_id()) is not None:
                    return given
                lookups.note("SMP705", f"{self.text!r} reads the run id")
                return execution_variable("PipelineExecutionId")
            case ["var", "value", str() as name]:
                return lookups.variable(name, None)
            case ["var", "value", ("get", [str() as name, *default], {})] if len(default) < 2:
                return lookups.variable(name, *(default or [None]))
            case ["var", "json", str() as name, *below] if all(isinstance(item, (str, int)) for item in below):
                return lookups.json_variable(name, tuple(below))
            case ["conn", *_]:
                raise self.refused("connections hold secrets, and a pipeline has none", "SMP310")
            case ["ti", ("xcom_pull", arguments, options), *below]:
                return self.xcom(arguments, options, below)
            case [str() as name] | [(str() as name, _, _), *_]:
                raise self.refused(f"{name!r} is known to Airflow only, if at all, and has no counterpart")
            case [str() as name, *_]:
                raise self.refused(f"what is read of {name!r} has no counterpart")
        raise self.refused("it has no counterpart")

    def xcom(self, arguments: list[Any], options: dict[str, Any], below: list[Any]) -> Any:
        """What a pull of one XCom reads."""
        task_id, key, below = self.pulled({**dict(zip(PULL_ARGUMENTS, arguments)), **options}, below)
        if any(isinstance(item, tuple) for item in below):
            raise self.refused("methods of a result have no counterpart")
        return self.lookups.xcom(task_id, key, tuple(below))

    def pulled(self, given: dict[str, Any], below: list[Any]) -> tuple[str | None, str, list[Any]]:
        """The task, if one is named, the key, and the path below, of a pull."""
        task_id, key = given.pop("task_ids", None), given.pop("key", "return_value")
        if given.get("dag_id") == self.lookups.names["dag.dag_id"]:
            del given["dag_id"]
        if more := sorted(name for name, value in given.items() if value is not None and value is not False):
            raise self.refused(f"{', '.join(more)}: only the XCom of a task of this DAG in this run can be read")
        if isinstance(task_id, (list, tuple)):
            if len(task_id) != 1 or below[:1] != [0]:
                raise self.refused("a list of task_ids gives a list; name one task")
            (task_id,), below = task_id, below[1:]
        if not isinstance(task_id, (str, type(None))) or not isinstance(key, str):
            raise self.refused("name one task of this DAG in task_ids, and one key")
        return task_id, key, below


def call_path(node: nodes.Node) -> list[Any] | None:
    """A chain of names, indexes and calls: ``a.b['c'](d)`` is ``["a", ("b"...)]``; ``None`` for anything else."""
    if isinstance(node, nodes.Name):
        return [node.name]
    if isinstance(node, nodes.Getattr):
        before = call_path(node.node)
        return before and [*before, node.attr]
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        before = call_path(node.node)
        return before and [*before, Key(node.arg.value) if isinstance(node.arg.value, str) else node.arg.value]
    if isinstance(node, nodes.Call) and not node.dyn_args and not node.dyn_kwargs:
        before = call_path(node.node)
        try:
            arguments = [item.as_const() for item in node.args]
            options = {item.key: item.value.as_const() for item in node.kwargs}
        except nodes.Impossible:
            return None
        return (before and isinstance(before[-1], str) and [*before[:-1], (before[-1], arguments, options)]) or None
    return None


def _named(node: nodes.Node) -> str:
    if isinstance(node, nodes.CondExpr):
        return "if-else"
    words: dict[type[nodes.Node], str] = {nodes.Getitem: "a part of a value", nodes.Call: "a call"}
    if isinstance(node, nodes.BinExpr):
        return "arithmetic"
    return words.get(type(node), type(node).__name__.lower())
