"""Python files as text: which statements bind a name, which names a text needs, and parts of a file as they stand there."""

from __future__ import annotations

import ast
import symtable
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

FUTURE = "from __future__ import annotations\n"
"""Keeps annotations from being evaluated: what they name need not be there."""

Definition: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda"
_COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While)


@dataclass(frozen=True)
class Binding:
    """A statement at the top level of a file.

    :param node: the statement.
    :param certain: whether it runs exactly once: it stands in no ``if``, ``try`` or loop.
    """

    node: ast.stmt
    certain: bool


@dataclass(frozen=True)
class Source:
    """A file of Python.

    :param text: its text.
    :param statements: its simple statements, functions and classes at the top level, those in blocks included.
    :param bindings: name -> the statements that bind it at the top level.
    :param changes: name -> the statements at the top level that change what it stands for: ``name.a = ...``,
        ``name[...] = ...``, ``name.method(...)``.
    :param functions: line on which a function or its first decorator stands -> those that begin there.
    """

    text: str
    tree: ast.Module
    lines: list[bytes]
    statements: list[Binding]
    bindings: dict[str, list[Binding]]
    changes: dict[str, list[ast.stmt]]
    functions: dict[int, list[Definition]]

    def part(self, node: Any, edits: Iterable[tuple[Any, str]] = ()) -> str:
        """The text of a node as a statement of its own.

        Lines keep their indentation where removing it would change a text inside.

        :param edits: (node inside, text to put there instead).
        """
        start, end = self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)
        pieces, at = [], start
        for inner, text in sorted(edits, key=lambda item: (item[0].lineno, item[0].col_offset)):
            pieces += [self._bytes(at, self._offset(inner.lineno, inner.col_offset)), text.encode()]
            at = self._offset(inner.end_lineno, inner.end_col_offset)
        plain = b"".join([*pieces, self._bytes(at, end)]).decode()
        return _flush_left(plain, node.col_offset)

    def _offset(self, line: int, column: int) -> tuple[int, int]:
        return line - 1, column

    def _bytes(self, start: tuple[int, int], end: tuple[int, int]) -> bytes:
        if start[0] == end[0]:
            return self.lines[start[0]][start[1] : end[1]]
        between = self.lines[start[0] + 1 : end[0]]
        return b"".join([self.lines[start[0]][start[1] :], *between, self.lines[end[0]][: end[1]]])


def _flush_left(text: str, column: int) -> str:
    """A statement without the indentation that it had in its file."""
    if not column or "\n" not in text:
        return text
    padded = " " * column + text
    dedented = textwrap.dedent(padded)
    nested = f"if True:\n{padded}"
    try:
        if ast.dump(ast.parse(dedented)) == ast.dump(ast.Module(ast.parse(nested).body[0].body, [])):  # type: ignore[attr-defined]
            return dedented
    except SyntaxError:
        pass
    return nested


@lru_cache(maxsize=256)
def read(file: str) -> Source:
    """A file, parsed.

    :raises OSError, SyntaxError, UnicodeDecodeError: it cannot be read.
    """
    return parse(Path(file).read_text(encoding="utf-8"))


def parse(text: str) -> Source:
    """The text of a file, parsed."""
    tree = ast.parse(text)
    functions: dict[int, list[Definition]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", ()))])
            functions.setdefault(first, []).append(node)
    statements = list(_top(tree.body, certain=True))
    bindings: dict[str, list[Binding]] = {}
    changes: dict[str, list[ast.stmt]] = {}
    for item in statements:
        for name in sorted(bound(item.node)):
            bindings.setdefault(name, []).append(item)
        if changed := _changed(item.node):
            changes.setdefault(changed, []).append(item.node)
    return Source(text, tree, text.encode().splitlines(keepends=True), statements, bindings, changes, functions)


def _changed(node: ast.stmt) -> str | None:
    """The name of which a statement changes what it stands for."""
    part: Any = None
    if isinstance(node, ast.Assign):
        part = node.targets[0]
    elif isinstance(node, ast.AugAssign):
        part = node.target
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        part = node.value.func
    root = part
    while isinstance(root, (ast.Attribute, ast.Subscript)):
        root = root.value
    return root.id if root is not part and isinstance(root, ast.Name) else None


def _top(body: Iterable[ast.stmt], *, certain: bool) -> Iterator[Binding]:
    for node in body:
        if not isinstance(node, _COMPOUND):
            yield Binding(node, certain)
            continue
        if isinstance(node, ast.If) and _type_checking(node.test):
            yield from _top(node.orelse, certain=certain)
            continue
        for block in ("body", "orelse", "finalbody"):
            yield from _top(getattr(node, block, ()), certain=certain and isinstance(node, ast.With))
        for handler in getattr(node, "handlers", ()):
            yield from _top(handler.body, certain=False)


def _type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING")


def bound(node: ast.stmt) -> set[str]:
    """The names that a simple statement, a function or a class binds."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {item.id for item in ast.walk(node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)}


def imports(tree: ast.AST) -> Iterator[tuple[ast.Import | ast.ImportFrom, ast.alias]]:
    """Every import in a tree but those for type checkers, one name at a time."""
    nodes = list(ast.walk(tree))
    hidden = {
        inner
        for node in nodes
        if isinstance(node, ast.If) and _type_checking(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node not in hidden:
            yield from ((node, alias) for alias in node.names)


@dataclass(frozen=True)
class Names:
    """The names from outside that a text needs: those when it is evaluated, and those when its functions run."""

    at_once: frozenset[str]
    later: frozenset[str]


@lru_cache(maxsize=4096)
def names(text: str) -> Names:
    """The global names of a text of statements, builtins among them."""
    top = symtable.symtable(FUTURE + text, "", "exec")
    own = {item.get_name() for item in top.get_symbols() if item.is_assigned() or item.is_imported()}
    at_once = {item.get_name() for item in top.get_symbols() if item.is_referenced()}
    later: set[str] = set()
    pending: list[tuple[Any, bool]] = [(child, True) for child in top.get_children()]
    while pending:
        table, outermost = pending.pop()
        outermost = outermost and table.get_type() == "class"
        found = {item.get_name() for item in table.get_symbols() if item.is_global()}
        (at_once if outermost else later).update(found)
        pending += [(child, outermost) for child in table.get_children()]
    return Names(frozenset(at_once - own), frozenset(later - own - at_once))


def matching(source: Source, code: Any) -> list[Definition]:
    """The functions of a file that compile to a code object; several when they are alike."""
    found = [
        node
        for node in source.functions.get(code.co_firstlineno, ())
        if (isinstance(node, ast.Lambda) and code.co_name == "<lambda>") or getattr(node, "name", None) == code.co_name
    ]
    if len(found) < 2:
        return found
    return [node for node in found if not hasattr(code, "co_positions") or _spans(_compiled(node)) == _spans(code)]


def _compiled(node: Any) -> Any:
    """The code of a function in a file, by itself."""
    if isinstance(node, ast.Lambda):
        code = compile(ast.Expression(node), "", "eval")
    else:
        code = compile(ast.Module([node], []), "", "exec")
    return next(item for item in code.co_consts if hasattr(item, "co_code") and item.co_firstlineno == node.lineno)


def _spans(code: Any) -> set[tuple[int, ...]]:
    """Where in the file the instructions of a code object stand; known from Python 3.11 on."""
    return {item for item in code.co_positions() if None not in item and item[2] < item[3]}
