"""Jinja templates as trees: reading them, writing them back in one canonical form, computing what needs no run.

A tree is *closed* over some names when its value follows from them alone: constants, arithmetic, and the methods, filters
and Airflow macros listed here, none of which looks at a clock, at chance or at the machine.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, cast

import jinja2
from jinja2 import nodes

ALIASES: Final = {
    "task_instance": "ti",
    "execution_date": "logical_date",
    **{f"{root}.execution_date": "logical_date" for root in ("dag_run", "ti", "task_instance")},
    **{f"dag_run.{name}": name for name in ("logical_date", "data_interval_start", "data_interval_end")},
    **{f"{root}.run_id": "run_id" for root in ("dag_run", "ti", "task_instance")},
    **{f"{root}.dag_id": "dag.dag_id" for root in ("dag_run", "ti", "task_instance", "task")},
    **{f"{root}.task_id": "task.task_id" for root in ("ti", "task_instance")},
}
"""What Airflow offers under several names -> the one that is used here."""

FUNCTIONS: Final = frozenset(
    f"macros.{name}"
    for name in (
        "ds_add",
        "ds_format",
        "datetime",
        "datetime.fromisoformat",
        "datetime.strptime",
        "timedelta",
        "dateutil.relativedelta.relativedelta",
    )
)
METHODS: Final = frozenset(
    [
        "add",
        "at",
        "capitalize",
        "count",
        "date",
        "end_of",
        "endswith",
        "find",
        "first_of",
        "format",
        "in_timezone",
        "in_tz",
        "isocalendar",
        "isoformat",
        "isoweekday",
        "join",
        "last_of",
        "lower",
        "lstrip",
        "naive",
        "next",
        "on",
        "partition",
        "previous",
        "removeprefix",
        "removesuffix",
        "replace",
        "rsplit",
        "rstrip",
        "set",
        "split",
        "start_of",
        "startswith",
        "strftime",
        "strip",
        "subtract",
        "time",
        "timestamp",
        "title",
        "to_date_string",
        "to_datetime_string",
        "to_iso8601_string",
        "to_time_string",
        "total_seconds",
        "upper",
        "weekday",
    ]
)
PROPERTIES: Final = frozenset(
    [
        "day",
        "day_of_week",
        "day_of_year",
        "days",
        "days_in_month",
        "float_timestamp",
        "hour",
        "int_timestamp",
        "microsecond",
        "minute",
        "month",
        "quarter",
        "second",
        "seconds",
        "week_of_month",
        "week_of_year",
        "year",
    ]
)
FILTERS: Final = frozenset(
    [
        "abs",
        "capitalize",
        "d",
        "default",
        "ds",
        "ds_nodash",
        "first",
        "float",
        "format",
        "int",
        "join",
        "last",
        "length",
        "lower",
        "replace",
        "round",
        "string",
        "title",
        "trim",
        "truncate",
        "ts",
        "ts_nodash",
        "ts_nodash_with_tz",
        "upper",
        "wordcount",
    ]
)
_OPERATORS: Final[Mapping[type[nodes.Node], str]] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.Pow: "**",
    nodes.And: "and",
    nodes.Or: "or",
}
_COMPARISONS: Final = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "gteq": ">=",
    "lt": "<",
    "lteq": "<=",
    "in": "in",
    "notin": "not in",
}
_COMPOUND: Final = (nodes.BinExpr, nodes.UnaryExpr, nodes.CondExpr, nodes.Concat, nodes.Compare, nodes.Test)
_CLOSED: Final[tuple[type[nodes.Node], ...]] = (
    *(kind for kind in _OPERATORS if kind is not nodes.Pow),
    nodes.Neg,
    nodes.Pos,
    nodes.Not,
    nodes.CondExpr,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.Test,
    nodes.List,
    nodes.Tuple,
    nodes.Dict,
    nodes.Pair,
    nodes.Keyword,
    nodes.Slice,
    nodes.TemplateData,
)
_LARGEST: Final = 10**6
"""Numbers above are not computed with."""
_PADDED: Final = re.compile(r"[%{][^a-zA-Z]*\d{3}")
"""Formats that fill up a text so far that the memory may not do."""
_LONGEST: Final = 200
"""Characters of an expression that is computed: many replacements in a row would fill the memory too."""


@lru_cache(maxsize=4096)
def parse(text: str) -> nodes.Template:
    """The tree of a template, with one name for what Airflow offers under several.

    :raises jinja2.TemplateSyntaxError: it is no valid template.
    """
    tree = jinja2.Environment(extensions=["jinja2.ext.do"]).parse(text)  # noqa: S701  (never rendered)
    by = {name: expression(other) for name, other in ALIASES.items()}
    return cast("nodes.Template", replaced(tree, by))


def read_names(text: str) -> frozenset[str]:
    """The names that a template reads, as it has them."""
    tree = jinja2.Environment().parse(text)  # noqa: S701  (never rendered)
    return frozenset(node.name for node in tree.find_all(nodes.Name))


@lru_cache(maxsize=4096)
def expression(text: str) -> nodes.Expr:
    """The tree of one expression, without changes of names.

    :raises jinja2.TemplateSyntaxError: it is no expression.
    """
    body = jinja2.Environment().parse("{{ " + text + " }}").body  # noqa: S701  (never rendered)
    found = body[0].nodes if len(body) == 1 and isinstance(body[0], nodes.Output) else []
    if len(found) != 1:
        raise jinja2.TemplateSyntaxError("it is not one expression", 1)
    return found[0]


def chain(node: nodes.Node) -> tuple[str, ...]:
    """A name and what follows it: ``a.b`` and ``a['b']`` are ``("a", "b")``; nothing for anything else."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    name = last(node)
    before = chain(node.node) if name is not None else ()  # type: ignore[attr-defined]
    return (*before, name) if name is not None and before else ()


def last(node: nodes.Node) -> str | None:
    """What ``x.name`` and ``x['name']`` read, whatever ``x`` is; ``None`` for anything else."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    return None


def words(text: str) -> set[str]:
    """The names and the texts in the expressions of a template."""
    tree = parse(text)
    found = {node.name for node in tree.find_all(nodes.Name)} | {node.attr for node in tree.find_all(nodes.Getattr)}
    return found | {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}


def replaced(node: Any, by: Mapping[str, nodes.Node]) -> Any:
    """A copy of a tree with names and chains of names replaced.

    :param by: chain, joined by points -> what stands there instead.
    """
    if isinstance(node, (list, tuple)):
        return [replaced(item, by) for item in node]
    if not isinstance(node, nodes.Node):
        return node
    if found := by.get(".".join(chain(node))):
        return found
    values = [replaced(value, by) for _, value in node.iter_fields()]
    return type(node)(*values, lineno=node.lineno, environment=node.environment)


def closed(node: nodes.Node, names: frozenset[str] = frozenset()) -> bool:
    """Whether the value of an expression follows from the values of some names alone."""
    if isinstance(node, nodes.Const):
        small = not isinstance(node.value, (int, float)) or abs(node.value) <= _LARGEST
        return small and not (isinstance(node.value, str) and _PADDED.search(node.value))
    if isinstance(node, nodes.Name):
        return node.name in names
    if isinstance(node, nodes.Getattr):
        return node.attr in PROPERTIES and closed(node.node, names)
    if isinstance(node, nodes.Getitem):
        known = isinstance(node.node, nodes.Dict) or isinstance(node.arg, (nodes.Slice, nodes.Neg))
        known = known or (isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, int))
        return known and closed(node.node, names) and closed(node.arg, names)
    if isinstance(node, nodes.Call):
        target = node.node
        method = isinstance(target, nodes.Getattr) and target.attr in METHODS and closed(target.node, names)
        function = ".".join(chain(target)) in FUNCTIONS
        return (method or function) and _all_closed([*node.args, *node.kwargs, node.dyn_args, node.dyn_kwargs], names)
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return False
    if isinstance(node, nodes.Mul) and not all(isinstance(item, nodes.Const) for item in (node.left, node.right)):
        return False
    if isinstance(node, nodes.Mul) and any(isinstance(item.value, str) for item in (node.left, node.right)):  # type: ignore[attr-defined]
        return False
    return isinstance(node, (*_CLOSED, nodes.Filter)) and _all_closed(node.iter_child_nodes(), names)


def _all_closed(items: Any, names: frozenset[str]) -> bool:
    return all(closed(item, names) for item in items if item is not None)


@cache
def environment() -> jinja2.Environment:
    """The environment in which Airflow renders templates: sandboxed, with Airflow's filters, strict about names."""
    from airflow.providers.common.compat.sdk import DAG

    return cast("jinja2.Environment", DAG("templates", schedule=None).get_template_env(force_sandboxed=True))


def compute(text: str, context: Mapping[str, Any]) -> Any:
    """The value of an expression.

    :param text: source of an expression that is closed over the names in the context.
    :raises ValueError: it has none, or is too long to be tried.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} characters")
    try:
        value = environment().compile_expression(text, undefined_to_none=False)(**context)
    except Exception as error:  # it runs what the author of a DAG wrote
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if isinstance(value, jinja2.Undefined):
        raise ValueError("it has no value")
    return value


def source(node: nodes.Node) -> str:
    """An expression as text, the same for all the ways to write it: ``a['b']`` is ``a.b``.

    :raises TypeError: it is no expression.
    """
    if isinstance(node, nodes.Const):
        return {True: "true", False: "false", None: "none"}[node.value] if _is_word(node.value) else repr(node.value)
    if isinstance(node, nodes.TemplateData):
        return repr(node.data)
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_inner(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem):
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) and node.arg.value.isidentifier():
            return f"{_inner(node.node)}.{node.arg.value}"
        return f"{_inner(node.node)}[{source(node.arg)}]"
    if isinstance(node, nodes.Slice):
        ends = [source(item) if item else "" for item in (node.start, node.stop)]
        return ":".join([*ends, source(node.step)] if node.step else ends)
    if isinstance(node, nodes.Call):
        return f"{_inner(node.node)}({_arguments(node)})"
    if isinstance(node, nodes.Filter) and node.node is not None:
        arguments = _arguments(node)
        return f"{_inner(node.node)} | {node.name}{arguments and f'({arguments})'}"
    if isinstance(node, nodes.Test):
        arguments = _arguments(node)
        return f"{_inner(node.node)} is {node.name}{arguments and f'({arguments})'}"
    if isinstance(node, nodes.BinExpr):
        return f"{_inner(node.left)} {_OPERATORS[type(node)]} {_inner(node.right)}"
    if isinstance(node, nodes.UnaryExpr):
        return {nodes.Neg: "-", nodes.Pos: "+", nodes.Not: "not "}[type(node)] + _inner(node.node)
    if isinstance(node, nodes.CondExpr):
        other = f" else {_inner(node.expr2)}" if node.expr2 is not None else ""
        return f"{_inner(node.expr1)} if {_inner(node.test)}{other}"
    if isinstance(node, nodes.Concat):
        return " ~ ".join(map(_inner, node.nodes))
    if isinstance(node, nodes.Compare):
        return " ".join([_inner(node.expr), *(f"{_COMPARISONS[item.op]} {_inner(item.expr)}" for item in node.ops)])
    if isinstance(node, nodes.List):
        return f"[{', '.join(map(source, node.items))}]"
    if isinstance(node, nodes.Tuple):
        return f"({', '.join(map(source, node.items))}{',' if len(node.items) == 1 else ''})"
    if isinstance(node, nodes.Dict):
        return "{" + ", ".join(f"{source(item.key)}: {source(item.value)}" for item in node.items) + "}"
    raise TypeError(f"a {type(node).__name__} is no expression")


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _inner(node: nodes.Node) -> str:
    """An expression inside another, in parentheses where they may matter."""
    text = source(node)
    number = isinstance(node, nodes.Const) and isinstance(node.value, (int, float)) and not _is_word(node.value)
    return f"({text})" if isinstance(node, (*_COMPOUND, nodes.Filter)) or (number and text.startswith("-")) else text


def _arguments(node: Any) -> str:
    given = [*map(source, node.args), *(f"{item.key}={source(item.value)}" for item in node.kwargs)]
    more = [f"{mark}{source(item)}" for mark, item in (("*", node.dyn_args), ("**", node.dyn_kwargs)) if item]
    return ", ".join([*given, *more])


def pieces(node: nodes.Node) -> Sequence[nodes.Node] | None:
    """The expressions of which a text is put together, if it is nothing more than that; sums of texts apart."""
    if isinstance(node, nodes.Concat):
        return node.nodes
    if isinstance(node, nodes.Mod):
        right = node.right.items if isinstance(node.right, nodes.Tuple) else [node.right]
        return _by_percent(node.left, right)
    if isinstance(node, nodes.Filter) and node.name == "format" and not node.kwargs:
        return _by_percent(node.node, node.args)
    if isinstance(node, nodes.Filter) and node.name == "join" and not node.kwargs:
        return _between(node.node, node.args[0] if node.args else nodes.Const(""))
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and not node.dyn_args:
        if node.node.attr == "join" and len(node.args) == 1:
            return _between(node.args[0], node.node.node)
        if node.node.attr == "format" and not node.dyn_kwargs:
            return _by_format(node.node.node, node.args, {item.key: item.value for item in node.kwargs})
    return None


def operands(node: nodes.Node) -> list[nodes.Node]:
    """What a sum adds up, from left to right."""
    return [*operands(node.left), node.right] if isinstance(node, nodes.Add) else [node]


def _by_percent(template: nodes.Node | None, values: Sequence[nodes.Node]) -> Sequence[nodes.Node] | None:
    """The pieces of ``'%s/%s' % (a, b)``."""
    if not isinstance(template, nodes.Const) or not isinstance(template.value, str):
        return None
    texts = re.split(r"(%.)", template.value)
    marks = texts[1::2]
    if any(mark not in ("%s", "%%") for mark in marks) or marks.count("%s") != len(values):
        return None
    given = iter(values)
    return [next(given) if text == "%s" else nodes.Const("%" if text == "%%" else text) for text in texts if text]


def _by_format(
    template: nodes.Node, values: Sequence[nodes.Node], named: Mapping[str, nodes.Node]
) -> Sequence[nodes.Node] | None:
    """The pieces of ``'{}/{b}'.format(a, b=...)``."""
    if not isinstance(template, nodes.Const) or not isinstance(template.value, str):
        return None
    given = {**{str(index): value for index, value in enumerate(values)}, **named}
    pieces: list[nodes.Node] = []
    try:
        fields = list(string.Formatter().parse(template.value))
    except ValueError:
        return None
    for index, (text, name, form, conversion) in enumerate(fields):
        pieces += [nodes.Const(text)] if text else []
        if name is None:
            continue
        value = given.get(name or str(sum(field[1] == "" for field in fields[:index])))
        if form or conversion or value is None:
            return None
        pieces.append(value)
    return pieces


def _between(items: nodes.Node | None, separator: nodes.Node) -> Sequence[nodes.Node] | None:
    """The pieces of ``[a, b] | join('/')``."""
    if not isinstance(items, (nodes.List, nodes.Tuple)) or not isinstance(separator, nodes.Const):
        return None
    return [piece for item in items.items for piece in (separator, item)][1:]


@lru_cache(maxsize=4096)
def canonical(text: str, task_id: str | None = None) -> str:
    """A template in one of the ways to write it, so that templates of one meaning are, mostly, equal texts.

    Texts put together inside braces stand outside of them: ``{{ 'a' ~ params['b'] }}`` is ``a{{ params.b }}``.

    :param task_id: the task of the template, where it is known; other tasks mean another by ``{{ task.task_id }}``.
    """
    if "{{" not in text:
        return text
    try:
        tree = parse(text)
        if not all(isinstance(node, nodes.Output) for node in tree.body):
            return text
        tree = replaced(tree, {} if task_id is None else {"task.task_id": nodes.Const(task_id)})
        found = "".join(_canonical(part) for node in tree.body for part in node.nodes)  # type: ignore[attr-defined]
        return f"{found}\n" if found.endswith("\n") else found  # the last newline is dropped
    except (jinja2.TemplateSyntaxError, TypeError):
        return text


def _canonical(node: nodes.Node) -> str:
    if isinstance(node, nodes.TemplateData):
        return _plain(node.data)
    if isinstance(node, nodes.Const) and not isinstance(node.value, float):
        return _plain(str(node.value))
    if (parts := pieces(node)) is not None:
        return "".join(map(_canonical, parts))
    if isinstance(node, nodes.Add):
        parts = operands(node)
        if any(isinstance(item, nodes.Const) and isinstance(item.value, str) for item in parts):
            return "".join(map(_canonical, parts))
    return "{{ " + source(node) + " }}"


def _plain(text: str) -> str:
    if "{" in text or "}" in text:
        raise TypeError("it could become a template together with what is beside it")
    return text
