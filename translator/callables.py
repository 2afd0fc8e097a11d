"""What the source of a task says about what it reads of Airflow, and what it gives."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sagemaker_provider.translator.airflow_task import context as contexts
from sagemaker_provider.translator.attributes import attributes
from sagemaker_provider.translator.syntax import (
    NO_DEFAULT,
    Code,
    constant,
    is_called,
    is_stored,
    only_name,
    text_of,
    words_of,
)

CONTAINER_KEYS: Final = (*contexts.DATES, *contexts.INTERVAL, *contexts.OTHERS)
"""Keys of the context that a container has."""
AIRFLOW_KEYS: Final = frozenset(
    [
        *CONTAINER_KEYS,
        *(
            "conf",
            "conn",
            "var",
            "inlets",
            "outlets",
            "inlet_events",
            "outlet_events",
            "test_mode",
            "map_index_template",
        ),
        *("prev_ds", "prev_ds_nodash", "next_ds", "next_ds_nodash", "prev_execution_date", "next_execution_date"),
        *("prev_execution_date_success", "prev_data_interval_start_success", "prev_data_interval_end_success"),
        *("prev_start_date_success", "prev_end_date_success", "triggering_asset_events", "triggering_dataset_events"),
        *("expanded_ti_count", "task_instance_key_str", "task_reschedule_count", "exception", "partition_key"),
        *("partition_date", "latest_date", "end_date"),
    ]
)
"""Keys of the context that Airflow has in one version or another."""


@dataclass(frozen=True)
class Reads:
    """What the code of a task reads of Airflow.

    :param context: keys of the context.
    :param params: names of params; ``None`` when which ones is not known.
    :param conf: keys of the run's conf -> default, for those that have one; ``None`` when which ones is not known.
    :param xcoms: tasks and keys of the XComs that it pulls, a key being ``None`` when it is not known; ``None`` when it is
        not known of which tasks.
    :param variables: names of Variables -> default, for those that have one.
    :param attributes: ``ti``, ``task``, ``dag``, ``dag_run`` -> attributes that it reads of them.
    :param problems: (code, message) of findings.
    """

    context: tuple[str, ...]
    params: tuple[str, ...] | None = ()
    conf: dict[str, Any] | None = field(default_factory=dict)
    xcoms: tuple[tuple[str, str | None], ...] | None = ()
    variables: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, set[str]] = field(default_factory=dict)
    problems: tuple[tuple[str, str], ...] = ()


def reads(code: Sequence[Code], function: Any, given: Iterable[str], positional: int) -> Reads:
    """What a task's code reads.

    :param code: the packed code.
    :param function: syntax tree of the callable; ``None`` when it is not known.
    :param given: names of its keyword arguments.
    :param positional: how many of its arguments are given by position.
    """
    problems: list[tuple[str, str]] = []
    own = None if function is None else Code(function)
    keys, known = _context_keys(code, own, frozenset(given), positional)
    if not known:
        problems.append(("SMP655", "it passes its context on, so everything of it that a container has is given"))
        keys |= set(CONTAINER_KEYS) - {"templates_dict"}
    for key in sorted(keys & AIRFLOW_KEYS - set(CONTAINER_KEYS)):
        problems.append(("SMP224", f"it reads {key!r} of the context"))
    keys &= set(CONTAINER_KEYS)
    read = attributes(code, own, keys)
    keys |= {"dag_run"} & read.get("ti", set())
    params = _merged(item.keys(is_called("params")) for item in code) if "params" in keys else {}
    conf = _merged(item.keys(_conf) for item in code) if "dag_run" in keys else {}
    if "dag_run" in keys and any(item.dates_of_run() for item in code):
        keys.add("logical_date")
    dates = read.get("ti", set()) | read.get("dag_run", set())
    keys |= dates & set(contexts.INTERVAL) | ({"logical_date"} if dates & {"logical_date", "execution_date"} else set())
    if any(item.attributes("run_id") for item in code) and keys & {"dag_run", "ti", "task_instance"}:
        keys.add("run_id")
    pulled = dict.fromkeys(pair for item in code for pair in item.pulls())
    xcoms = tuple((task, key) for task, key in pulled if task is not None)
    variables, wrong = _variables(code)
    return Reads(
        tuple(sorted(keys)),
        None if params is None else tuple(sorted(params)),
        conf,
        xcoms if len(xcoms) == len(pulled) else None,
        variables,
        read,
        (*problems, *wrong),
    )


def _context_keys(
    code: Sequence[Code], own: Code | None, given: frozenset[str], positional: int
) -> tuple[set[str], bool]:
    """The keys of the context that code reads, and whether those are all."""
    keys: set[str] = set()
    known = True
    if own is not None:
        arguments: ast.arguments = own.tree.args  # type: ignore[attr-defined]
        named = [item.arg for item in (*arguments.posonlyargs, *arguments.args)][positional:]
        keys |= {name for name in (*named, *(item.arg for item in arguments.kwonlyargs)) if name in AIRFLOW_KEYS}
        if arguments.kwarg is not None:
            found = own.keys(is_called(arguments.kwarg.arg))
            known = found is not None
            keys |= set(found or ())
    for item in code:
        found = item.keys(item.is_current)
        known = known and found is not None
        keys |= set(found or ())
    return keys - given, known


def _conf(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "conf"


def _merged(found: Iterable[dict[str, Any] | None]) -> dict[str, Any] | None:
    every: dict[str, Any] = {}
    for item in found:
        if item is None:
            return None
        every.update(item)
    return every


def _variables(code: Sequence[Code]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The Variables that code reads, and findings on those that are not known."""
    found: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for item in code:
        for node in item.nodes:
            if not isinstance(node, ast.Attribute) or item.words(node.value)[-1:] != ["Variable"]:
                continue
            call = item.parents.get(node)
            if node.attr != "get" or not isinstance(call, ast.Call):
                problems.append(("SMP229", f"it uses Variable.{node.attr}"))
                continue
            arguments = {keyword.arg: keyword.value for keyword in call.keywords}
            arguments.update(zip(("key", "default_var"), call.args))
            name = item.text_of(arguments.get("key"))
            default = arguments.get("default_var", arguments.get("default"))
            if name is None:
                problems.append(("SMP229", "it reads a Variable whose name is computed"))
            else:
                found[name] = NO_DEFAULT if default is None else constant(default)
    return found, problems


def has_default(value: Any) -> bool:
    """Whether what :class:`Reads` has beside a key is a default that is known."""
    return value is not NO_DEFAULT and value is not None


# What it does


def raises_skip(every: Iterable[Code]) -> bool:
    """Whether the code raises what makes Airflow skip a task."""
    return any(
        isinstance(node, ast.Raise)
        and node.exc is not None
        and code.words(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)[-1:] == ["AirflowSkipException"]
        for code in every
        for node in code.nodes
    )


def returned(function: Any) -> list[Any]:
    """The expressions that a function returns; ``None`` for what returns nothing."""
    if isinstance(function, ast.Lambda):
        return [function.body]
    found: list[Any] = []
    pending: list[Any] = list(getattr(function, "body", ()))
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.Return):
            found.append(node.value)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            pending += ast.iter_child_nodes(node)
    return found


@dataclass(frozen=True)
class Answers:
    """What a function that chooses among tasks returns.

    :param texts: the texts that are written there.
    :param single: whether it returns one text, or nothing, on every way through it.
    :param always: whether it returns one of ``texts`` on every way through it.
    """

    texts: tuple[str, ...]
    single: bool
    always: bool


def answers(function: Any) -> Answers:
    """What the source of a function says about what it returns.

    :param function: its syntax tree; ``None`` when it is not known.
    """
    parts = [part for item in returned(function) for part in _alternatives(item, _assigned(function))]
    known = [text for part in parts if (text := text_of(part)) is not None]
    single = all(part is None or isinstance(part, ast.JoinedStr) or text_of(part) is not None for part in parts)
    always = bool(parts) and len(known) == len(parts) and (isinstance(function, ast.Lambda) or _ends(function.body))
    return Answers(tuple(dict.fromkeys(known)), function is not None and single, always)


def _assigned(function: Any) -> dict[str, list[ast.expr]]:
    """Variables that a function only binds by plain assignments -> the expressions that they get."""
    nodes = [] if function is None else list(ast.walk(function))
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and (name := only_name(node.targets)):
            found.setdefault(name, []).append(node.value)
    bound = [node.id for node in nodes if isinstance(node, ast.Name) and is_stored(node)]
    others = {item for node in nodes if isinstance(node, (ast.Global, ast.Nonlocal)) for item in node.names}
    others |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return {name: values for name, values in found.items() if len(values) == bound.count(name) and name not in others}


def _alternatives(node: Any, assigned: Mapping[str, list[ast.expr]]) -> list[Any]:
    """The expressions of which one is the value of an expression; ``None`` for nothing."""
    if isinstance(node, ast.IfExp):
        parts = [node.body, node.orelse]
    elif isinstance(node, ast.BoolOp):
        parts = node.values
    elif isinstance(node, ast.Name) and node.id in assigned:
        parts = assigned[node.id]
        assigned = {name: values for name, values in assigned.items() if name != node.id}
    else:
        return [None if isinstance(node, ast.Constant) and node.value is None else node]
    return [part for item in parts for part in _alternatives(item, assigned)]


def _ends(body: Sequence[ast.stmt]) -> bool:
    """Whether every way through some statements returns or raises."""
    last = body[-1] if body else None
    if isinstance(last, (ast.Return, ast.Raise)):
        return True
    return isinstance(last, ast.If) and _ends(last.body) and _ends(last.orelse)


_LOGS: Final = ("debug", "info", "warning", "warn", "error", "exception", "critical", "log")
_HARMLESS: Final = (
    "str",
    "repr",
    "len",
    "format",
    "get",
    "strftime",
    "isoformat",
    "xcom_pull",
    "join",
    "upper",
    "lower",
)


def is_trivial(function: Any) -> bool:
    """Whether a function does nothing, or only prints or logs."""
    if not isinstance(function, ast.FunctionDef):
        return False
    return all(_says_only(node) for node in function.body)


def _says_only(node: ast.stmt) -> bool:
    if isinstance(node, ast.Pass) or (isinstance(node, ast.Return) and node.value is None):
        return True
    if not isinstance(node, ast.Expr):
        return False
    if isinstance(node.value, ast.Constant):
        return True
    call = node.value
    if not isinstance(call, ast.Call):
        return False
    words = words_of(call.func)
    says = words == ["print"] or (len(words) > 1 and words[-1] in _LOGS and "log" in words[-2].lower())
    inner = [item for part in (*call.args, *call.keywords) for item in ast.walk(part) if isinstance(item, ast.Call)]
    return says and all(words_of(item.func)[-1:] and words_of(item.func)[-1] in _HARMLESS for item in inner)
