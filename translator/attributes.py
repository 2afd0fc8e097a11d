"""Which attributes of what Airflow gives a task its code reads, and what a container has of them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sagemaker_provider.translator.airflow_task.context import ATTRIBUTES
from sagemaker_provider.translator.syntax import Code, is_stored, only_name, text_of
from sagemaker_provider.translator.templates import UntranslatableError

_OBJECTS: Final = {"ti": "ti", "task_instance": "ti", "task": "task", "dag": "dag", "dag_run": "dag_run"}
"""Keys of the context, and attributes of its objects, that are objects -> the object."""
_UNMISTAKABLE: Final = ("ti", "task_instance", "dag_run")
"""Keys that no other mapping is likely to have."""
_CONTEXTS: Final = ("context", "ctx", "kwargs")
"""What code calls the context."""
_OF_THE_TASK: Final = {"operator": "task_type", "pool": "pool", "queue": "queue"}
"""Attributes of a task instance that its operator says."""
_COMPUTED: Final = ("task_type", "operator_name", "label", "owner", "task_ids")
"""Properties that say only what the DAG file says; others may ask the metadata database."""
_OF_THE_WORKER: Final = ("fileloc", "relative_fileloc", "template_searchpath")
"""Attributes of a DAG that are places on the machine that has read it."""


def attributes(code: Sequence[Code], function: Code | None, own: Iterable[str]) -> dict[str, set[str]]:
    """The attributes that code reads of the task instance, the task, the DAG and the run.

    :param code: the packed code.
    :param function: the callable; ``None`` when it is not known.
    :param own: the keys of the context that Airflow gives it.
    :return: ``ti``, ``task``, ``dag``, ``dag_run`` -> names.
    """
    found: dict[str, set[str]] = {}
    arguments = getattr(function and function.tree, "args", ast.arguments([], [], None, [], [], None, []))
    options = arguments.kwarg.arg if arguments.kwarg else None
    every_one = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    named = {item.arg for item in every_one} & set(own) & set(_OBJECTS)
    every = [(item, frozenset[str]()) for item in code]
    every += [(function, frozenset(named))] if function is not None else []
    for item, names in every:
        keys = ((node, _key(item, node, (*_CONTEXTS, options)) or _name(node, names)) for node in item.nodes)
        for kind, name in _read(item, [(node, _OBJECTS[key]) for node, key in keys if key]):
            found.setdefault(kind, set()).add(name)
    return found


def _read(code: Code, pending: list[tuple[ast.AST, str]]) -> Iterator[tuple[str, str]]:
    """(object, attribute) of what is read of objects, of variables that they are given to, and of their objects."""
    seen = set()
    while pending:
        node, kind = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        parent = code.parents.get(node)
        if isinstance(parent, ast.Assign) and parent.value is node and (name := only_name(parent.targets)):
            pending += [(item, kind) for item in _scope(code, node) if _name(item, (name,))]
        elif parent is not None and (attribute := _attribute(parent, node)) is not None:
            yield kind, attribute
            if attribute in _OBJECTS:
                pending.append((parent, _OBJECTS[attribute]))


def _attribute(parent: ast.AST, node: ast.AST) -> str | None:
    """The attribute of a node that its parent reads."""
    if isinstance(parent, ast.Attribute) and not is_stored(parent):
        return parent.attr
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in ("getattr", "hasattr"):
        return text_of(parent.args[1]) if len(parent.args) > 1 and parent.args[0] is node else None
    return None


def _key(code: Code, node: ast.AST, contexts: Iterable[str | None]) -> str | None:
    """The key of an object where an expression takes it from the context."""
    if isinstance(node, ast.Subscript) and not is_stored(node):
        holder, key = node.value, text_of(node.slice)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        holder, key = node.func.value, text_of(node.args[0])
    else:
        return None
    is_context = code.is_current(holder) or (isinstance(holder, ast.Name) and holder.id in contexts)
    return key if key in _UNMISTAKABLE or (is_context and key in _OBJECTS) else None


def _name(node: ast.AST, names: Iterable[str]) -> str | None:
    return node.id if isinstance(node, ast.Name) and node.id in names and not is_stored(node) else None


def _scope(code: Code, node: ast.AST) -> Iterable[ast.AST]:
    """What stands in the function around a node, or in the file."""
    around: ast.AST | None = code.parents.get(node)
    while around is not None and not isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        around = code.parents.get(around)
    return code.nodes if around is None else ast.walk(around)


def facts(
    task: Any, read: Mapping[str, Iterable[str]], write: Callable[[Any, str], Any]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The values of attributes that are known when a DAG is converted.

    :param task: the operator.
    :param read: what :func:`attributes` gives.
    :param write: writes a value for the program in the container; :class:`.templates.UntranslatableError` when it cannot be.
    :return: ``ti``, ``task``, ``dag`` -> attribute -> value, without those that every container has; and what no container has.
    """
    found: dict[str, dict[str, Any]] = {}
    missing = []
    for kind, names in sorted(read.items()):
        for name in sorted(set(names) - set(ATTRIBUTES[kind])):
            try:
                found.setdefault(kind, {})[name] = write(_value(task, kind, name), f"{kind}.{name}")
            except (LookupError, UntranslatableError):
                missing.append(f"{kind}.{name}")
    return {kind: values for kind, values in found.items() if values}, missing


def _value(task: Any, kind: str, name: str) -> Any:
    """The value of an attribute that the DAG file says.

    :raises LookupError: it does not say it.
    """
    owner = {"ti": task, "task": task, "dag": task.dag}[kind]
    attribute = _OF_THE_TASK[name] if kind == "ti" else name
    if attribute in _OF_THE_WORKER or attribute in getattr(owner, "template_fields", ()):
        raise LookupError(name)
    return getattr(owner, attribute) if attribute in _COMPUTED and hasattr(owner, attribute) else vars(owner)[attribute]
