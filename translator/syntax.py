"""A syntax tree with the way up, and what is asked of it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sagemaker_provider.translator.templates import PULL_ARGUMENTS

NO_DEFAULT: Final = object()
"""Stands where an expression is no constant, or where there is none."""


class Code:
    """A syntax tree with the way up."""

    def __init__(self, tree: ast.AST) -> None:
        self.tree = tree
        self.nodes: list[ast.AST] = [tree]
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in self.nodes:
            children = list(ast.iter_child_nodes(node))
            self.nodes += children
            self.parents.update(dict.fromkeys(children, node))
        imports = [item for node in self.nodes if isinstance(node, ast.ImportFrom) for item in node.names]
        self._imported = {item.asname: item.name for item in imports if item.asname}

    def words(self, node: ast.AST) -> list[str]:
        """The names of ``a.b.c``, the first as it is called where it is imported from."""
        return [self._imported.get(word, word) if not number else word for number, word in enumerate(words_of(node))]

    def keys(self, is_mapping: Callable[[ast.AST], bool]) -> dict[str, Any] | None:
        """The keys that are read of a mapping -> default, if one is given.

        :param is_mapping: whether an expression is the mapping.
        :return: ``None`` when the mapping is used in another way than by a key that is written there.
        """
        found: dict[str, Any] = {}
        pending = [node for node in self.nodes if is_mapping(node) and not is_stored(node)]
        aliases: set[str] = set()
        while pending:
            node = pending.pop()
            parent = self.parents.get(node)
            if isinstance(parent, ast.BoolOp) or (isinstance(parent, ast.IfExp) and node is not parent.test):
                pending.append(parent)  # "conf or {}"
            elif isinstance(parent, ast.Subscript) and parent.value is node and text_of(parent.slice) is not None:
                found[str(text_of(parent.slice))] = NO_DEFAULT
            elif (
                isinstance(parent, ast.Compare)
                and text_of(parent.left) is not None
                and isinstance(parent.ops[0], (ast.In, ast.NotIn))
            ):
                found.setdefault(str(text_of(parent.left)), NO_DEFAULT)
            elif isinstance(parent, ast.Attribute) and parent.attr in ("get", "pop", "setdefault"):
                call = self.parents.get(parent)
                if not isinstance(call, ast.Call) or not call.args or (key := text_of(call.args[0])) is None:
                    return None
                found.setdefault(key, constant(call.args[1]) if len(call.args) > 1 else NO_DEFAULT)
            elif isinstance(parent, ast.Assign) and parent.value is node and only_name(parent.targets):
                name = parent.targets[0].id  # type: ignore[attr-defined]
                if name not in aliases:
                    aliases.add(name)
                    pending += [
                        item
                        for item in self.nodes
                        if isinstance(item, ast.Name) and item.id == name and not is_stored(item)
                    ]
            elif not isinstance(parent, (ast.Expr, ast.If, ast.IfExp, ast.arg)):
                return None
        return found

    def is_current(self, node: ast.AST) -> bool:
        """Whether an expression asks for the context."""
        return isinstance(node, ast.Call) and self.words(node.func)[-1:] == ["get_current_context"]

    def attributes(self, name: str) -> list[ast.Attribute]:
        """The attributes of a name that are read."""
        return [node for node in self.nodes if isinstance(node, ast.Attribute) and node.attr == name]

    def dates_of_run(self) -> bool:
        """Whether a run is asked for its date."""
        found = [*self.attributes("logical_date"), *self.attributes("execution_date")]
        return any("ti" not in words_of(node.value) for node in found)

    def pulls(self) -> Iterator[tuple[str | None, str | None]]:
        """The tasks and keys of the XComs that are pulled; ``None`` where that is not written there."""
        for attribute in self.attributes("xcom_pull"):
            call = self.parents.get(attribute)
            unpacked = isinstance(call, ast.Call) and any(
                isinstance(item, ast.Starred) or getattr(item, "arg", "") is None
                for item in (*call.args, *call.keywords)
            )
            if not isinstance(call, ast.Call) or unpacked:
                yield None, None
                continue
            given = {item.arg: item.value for item in call.keywords} | dict(zip(PULL_ARGUMENTS, call.args))
            tasks, key = given.get("task_ids"), given.get("key")
            items = tasks.elts if isinstance(tasks, (ast.List, ast.Tuple)) else [tasks]
            yield from ((self.text_of(item), "return_value" if key is None else self.text_of(key)) for item in items)

    def text_of(self, node: Any) -> str | None:
        """The text of an expression: of a constant, or of a name that stands for one in the file."""
        if isinstance(node, ast.Name) and isinstance(self.tree, ast.Module):
            values = [
                item.value
                for item in self.tree.body
                if isinstance(item, ast.Assign) and only_name(item.targets) == node.id
            ]
            return text_of(values[0]) if len(values) == 1 else None
        return text_of(node)


def is_called(name: str) -> Callable[[ast.AST], bool]:
    """Whether an expression is a variable of a name, or that entry of a mapping."""

    def found(node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return node.id == name
        if isinstance(node, ast.Subscript):
            return text_of(node.slice) == name
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "get"
            and bool(node.args)
            and text_of(node.args[0]) == name
        )

    return found


def constant(node: ast.expr) -> Any:
    """The value of an expression of constants, else :data:`NO_DEFAULT`."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return NO_DEFAULT


def text_of(node: Any) -> str | None:
    """The text of a constant."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_stored(node: Any) -> bool:
    """Whether a name, an attribute or an entry is assigned or deleted rather than read."""
    return isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del))


def only_name(targets: Sequence[ast.expr]) -> str | None:
    """The variable that an assignment is to, where it is to one."""
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else None


def words_of(node: ast.AST) -> list[str]:
    """The names of ``a.b.c``."""
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.insert(0, node.attr)
        node = node.value
    return [node.id, *words] if isinstance(node, ast.Name) else words
