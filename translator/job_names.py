"""Names of jobs, models and the like that the code of a Python task puts together itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.translator.syntax import Code, only_name

_NAMED: Final[dict[str, str]] = {
    row.resource.name: kind for kind, row in STEP_TYPES.items() if row.auto_named and row.resource and row.resource.name
}
"""Member that is the name of what the service names in a pipeline -> type of the step that makes it."""


def own_names(every: Sequence[Code]) -> Iterator[tuple[str, str, str]]:
    """(step type, member, source text of the value) of the names that code asks by and makes of text itself.

    What it makes a job by is not given: then the job is its own.
    """
    calls = [node for code in every for node in code.nodes if isinstance(node, ast.Call)]
    names = [(call, item) for call in calls for item in call.keywords if item.arg in _NAMED]
    created = {item.arg for call, item in names if _method(call).startswith("create_")}
    texts = {name for code in every for name in _texts(code)}
    for call, item in names:
        if _method(call).startswith(("describe_", "get_", "list_", "stop_", "delete_")) and item.arg not in created:
            if _is_text(item.value) or (isinstance(item.value, ast.Name) and item.value.id in texts):
                yield _NAMED[str(item.arg)], str(item.arg), ast.unparse(item.value)


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _texts(code: Code) -> Iterator[str]:
    """Variables that get text that is put together there."""
    for node in code.nodes:
        if isinstance(node, ast.Assign) and _is_text(node.value) and (name := only_name(node.targets)):
            yield name


def _is_text(node: ast.expr) -> bool:
    """Whether an expression is text, or text with values in it."""
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "format" and _is_text(node.func.value)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
