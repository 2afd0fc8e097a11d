"""The lines of a DAG file where its tasks are made."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from sagemaker_provider.definition.findings import Finding

_ANYTHING: Final = ".*"
_MOST_PATTERNS: Final = 200
"""Each pattern is tried for each task; a file with more of them has been generated."""

_LOOK_UP: Final = frozenset(
    ["get_task", "has_task", "get_task_instance", "get_task_instances", "xcom_pull", "xcom_push"]
)
"""Functions whose ``task_id`` names a task that exists."""


class _Calls(NamedTuple):
    """The calls of a file that make tasks.

    :param literal: from a task id without its groups to the lines of calls with just that.
    :param computed: patterns of the ids that calls compute, and their lines.
    """

    literal: dict[str, set[int]]
    computed: list[tuple[re.Pattern[str], int]]


def with_lines(findings: Sequence[Finding], dag: Any) -> list[Finding]:
    """Copies of findings with the line where the task is made, in the file of the DAG; those without stay as they are."""
    wanted = {item.task for item in findings if item.task and not item.line}
    lines = task_lines(dag, wanted) if wanted else {}
    return [replace(item, line=item.line or lines.get(item.task, 0)) for item in findings]


def task_lines(dag: Any, task_ids: Collection[str] | None = None) -> dict[str, int]:
    """The line where each task is made: of the call with its ``task_id``, or of the function that is decorated.

    :param dag: an Airflow DAG.
    :param task_ids: only these tasks.
    :return: task id -> line of ``dag.fileloc``, from 1. A task is missing where more than one line may have made it, or none.
    """
    path = Path(dag.fileloc)
    try:
        status = path.stat()
        calls = _calls(path, status.st_mtime_ns, status.st_size)
    except (OSError, SyntaxError, ValueError, RecursionError):  # no file, or none that can be read as it is now
        return {}
    tasks = [task for task in dag.tasks if task_ids is None or task.task_id in task_ids]
    found = {task.task_id: _line(task, calls, dag.fileloc) for task in tasks}
    return {task_id: line for task_id, line in found.items() if line}


def _line(task: Any, calls: _Calls, file: str) -> int:
    """The line of one task; 0 if it is not known."""
    lines = calls.literal.get(task.label, set())
    if not lines and (line := _decorated(task, file)):
        return line
    lines = lines or {line for pattern, line in calls.computed if pattern.fullmatch(task.label)}
    return next(iter(lines)) if len(lines) == 1 else 0


def _decorated(task: Any, file: str) -> int:
    """The line of the function that a decorator such as ``@task`` made the task of."""
    if not any(cls.__name__ in ("DecoratedOperator", "DecoratedMappedOperator") for cls in type(task).__mro__):
        return 0
    function = getattr(task, "python_callable", None) or getattr(task, "partial_kwargs", {}).get("python_callable")
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return code.co_firstlineno if code and code.co_filename == file else 0


@lru_cache(maxsize=256)
def _calls(path: Path, modified: int, size: int) -> _Calls:
    """The calls of a file, as long as it does not change."""
    literal: dict[str, set[int]] = defaultdict(set)
    computed: dict[tuple[str, int], re.Pattern[str]] = {}
    for call, value in _task_ids(ast.parse(path.read_bytes())):
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            literal[value.value].add(call.lineno)
        else:
            text = _pattern(value)
            computed[text, call.lineno] = re.compile(text, re.DOTALL)
    patterns = [(pattern, line) for (_, line), pattern in computed.items()]
    # a call with any id at all may have made each task
    known = len(patterns) <= _MOST_PATTERNS and not any(text == _ANYTHING for text, _ in computed)
    return _Calls(dict(literal), patterns if known else [])


def _task_ids(tree: ast.AST) -> Iterator[tuple[ast.Call, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            for keyword in node.keywords:
                if keyword.arg == "task_id" and name not in _LOOK_UP:
                    yield node, keyword.value


def _pattern(node: ast.expr) -> str:
    """A regular expression of the texts that an expression may give."""
    parts = [_ANYTHING]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        parts = [re.escape(node.value)]
    elif isinstance(node, ast.JoinedStr):
        parts = [_pattern(value) for value in node.values]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_pattern(node.left), _pattern(node.right)]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        parts = [_filled(node.left, r"%(?:\(\w+\))?[-#0 +]*[\d.]*[a-z]")]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        parts = [_filled(node.func.value, r"\{[^{}]*\}")]
    return re.sub(r"(\.\*){2,}", _ANYTHING, "".join(parts))


def _filled(text: ast.expr, places: str) -> str:
    """The pattern of a constant text whose places are filled in."""
    if not isinstance(text, ast.Constant):
        return _ANYTHING
    return _ANYTHING.join(re.escape(part) for part in re.split(places, str(text.value)))
