"""What a DAG file holds, read from its syntax alone: for files that do not load.

The reading says how much there is to convert; it is never a source of a definition.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

LONGEST_SOURCE: Final = 2**20
"""Bytes of the longest file that is read."""


@dataclass(frozen=True)
class Outline:
    """What a DAG file seems to hold.

    :param dag_ids: ids of its DAGs, as far as they are literals.
    :param schedules: schedules of its DAGs, likewise, as they are written.
    :param tasks: task id -> dotted name of the operator, or ``@task`` and its variants.
    :param edges: (task id, task id directly after it).
    :param lines: task id -> line of the file.
    """

    dag_ids: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    tasks: dict[str, str] = field(default_factory=dict)
    edges: tuple[tuple[str, str], ...] = ()
    lines: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        kinds = Counter(name.rpartition(".")[2] for name in self.tasks.values())
        counted = ", ".join(f"{count} {name}" for name, count in sorted(kinds.items()))
        return f"{len(self.tasks)} task{'s' * (len(self.tasks) != 1)} ({counted})" if self.tasks else "no task"


def outline(source: str) -> Outline | None:
    """Read a DAG file.

    :param source: its text.
    :return: what it seems to hold; ``None`` when it is not Python, even without the one line that is not.
    """
    tree = _parse(source)
    if tree is None:
        return None
    reader = _Reader()
    reader.visit(tree)
    return Outline(
        tuple(reader.dag_ids),
        tuple(reader.schedules),
        reader.tasks,
        tuple(dict.fromkeys(reader.edges)),
        reader.lines,
    )


def outline_of(file: Path) -> Outline | None:
    """Read a DAG file; ``None`` also when it is larger than :data:`LONGEST_SOURCE`, no text, or not there."""
    try:
        source = file.read_text(encoding="utf-8") if file.stat().st_size < LONGEST_SOURCE else ""
    except (OSError, UnicodeDecodeError):
        return None
    return outline(source)


def _parse(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (ValueError, RecursionError, MemoryError):
        return None
    except SyntaxError as error:
        lines = source.splitlines()
        if error.lineno is None or not 0 < error.lineno <= len(lines):
            return None
        indent = lines[error.lineno - 1][: -len(lines[error.lineno - 1].lstrip()) or None]
        lines[error.lineno - 1] = f"{indent if indent.isspace() else ''}pass"
        try:
            return ast.parse("\n".join(lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


@lru_cache(maxsize=256)
def guarded_lines(file: str) -> frozenset[int]:
    """The lines of a file that stand in a ``try`` which handles imports that fail."""
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(map(_handles_imports, node.handlers)):
            for item in node.body:
                lines.update(range(item.lineno, (item.end_lineno or item.lineno) + 1))
    return frozenset(lines)


def _handles_imports(handler: ast.ExceptHandler) -> bool:
    caught = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else {None}
    return bool(caught & {None, "ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


class _Reader(ast.NodeVisitor):
    """Collects operator calls, decorated functions and dependencies."""

    def __init__(self) -> None:
        self.dag_ids: list[str] = []
        self.schedules: list[str] = []
        self.tasks: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.edges: list[tuple[str, str]] = []
        self.imported: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.names: dict[str, list[str]] = {}

    def visit_Import(self, node: ast.Import) -> None:
        """Which module a name is."""
        self.imported.update({item.asname or item.name.partition(".")[0]: item.name for item in node.names})

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Which class a name is."""
        self.imported.update({item.asname or item.name: f"{node.module or ''}.{item.name}" for item in node.names})

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """A function with ``@task`` becomes a task where it is called, one with ``@dag`` is a DAG."""
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = ast.unparse(call)
            options = _options(decorator)
            if name == "task" or name.startswith("task."):
                self.functions[node.name] = _literal(options.get("task_id")) or node.name
                self._add(self.functions[node.name], f"@{name}", node.lineno)
            elif name == "dag":
                self.dag_ids.append(_literal(options.get("dag_id")) or node.name)
                self._schedule(options)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Which tasks a variable holds."""
        self.visit(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.names[target.id] = self._ids(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        """Operators, DAGs and calls that join tasks."""
        options = _options(node)
        name = ast.unparse(node.func)
        task_id = _literal(options.get("task_id"))
        if name.rpartition(".")[2] == "DAG":
            first = _literal(node.args[0]) if node.args else None
            self.dag_ids += [text for text in [_literal(options.get("dag_id")) or first] if text]
            self._schedule(options)
        elif task_id and not name.startswith("task"):
            head, _, rest = name.removesuffix(".partial").partition(".")
            self._add(task_id, ".".join(part for part in (self.imported.get(head, head), rest) if part), node.lineno)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in ("set_downstream", "set_upstream"):
            pair = self._ids(node.func.value), [item for value in node.args for item in self._ids(value)]
            self._join(*(pair if node.func.attr == "set_downstream" else pair[::-1]))
        elif name.rpartition(".")[2] == "chain":
            for before, after in zip(node.args, node.args[1:]):
                one, two = self._ids(before), self._ids(after)
                self.edges += zip(one, two) if len(one) == len(two) > 1 else [(a, b) for a in one for b in two]
        elif name in self.functions:
            for value in [*node.args, *options.values()]:
                self._join(self._ids(value), [self.functions[name]])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """``a >> b`` and ``a << b``; a chain is a tree of them."""
        self.generic_visit(node)
        left = node.left.right if isinstance(node.left, ast.BinOp) else node.left
        if isinstance(node.op, ast.RShift):
            self._join(self._ids(left), self._ids(node.right))
        elif isinstance(node.op, ast.LShift):
            self._join(self._ids(node.right), self._ids(left))

    def _add(self, task_id: str, kind: str, line: int) -> None:
        self.tasks[task_id], self.lines[task_id] = kind, line

    def _schedule(self, options: dict[str, ast.expr]) -> None:
        for key in ("schedule", "schedule_interval", "timetable"):
            if key in options:
                self.schedules.append(ast.unparse(options[key]))

    def _join(self, before: list[str], after: list[str]) -> None:
        self.edges += [(one, two) for one in before for two in after]

    def _ids(self, node: ast.expr) -> list[str]:
        """The tasks that an expression is."""
        return list(self._found(node))

    def _found(self, node: ast.expr) -> Iterator[str]:
        if isinstance(node, ast.Name):
            yield from self.names.get(node.id, ())
        elif isinstance(node, (ast.List, ast.Tuple)):
            for item in node.elts:
                yield from self._found(item)
        elif isinstance(node, ast.Call):
            task_id = _literal(_options(node).get("task_id"))
            name = ast.unparse(node.func)
            if task_id:
                yield task_id
            elif name in self.functions:
                yield self.functions[name]
            elif isinstance(node.func, ast.Attribute):
                yield from self._found(node.func.value)
        elif isinstance(node, (ast.Attribute, ast.Subscript)):
            yield from self._found(node.value)
        elif isinstance(node, ast.BinOp):
            yield from self._found(node.right)


def _options(node: ast.expr) -> dict[str, ast.expr]:
    return {item.arg: item.value for item in node.keywords if item.arg} if isinstance(node, ast.Call) else {}


def _literal(node: Any) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
