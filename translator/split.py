"""A DAG file in which regions are task groups that run as pipelines: the same text, with statements moved where they must be.

Which statement makes which task is recorded while the file loads (:func:`recorded`), so loops and functions are no riddle.
Statements are moved into the ``with`` block of their group only past others that share no name with them; what cannot be
moved is said. In the end both files are loaded and compared (:func:`differences`), before anything is written.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from typing import Any, Final, NamedTuple, TypeAlias

import networkx as nx

from sagemaker_provider.translator.planning import Region

GROUP: Final = "SageMakerPipelineTaskGroup"
_MODULE: Final = "sagemaker_provider.operators"


class Frame(NamedTuple):
    """Where a call stands: the function, the line where the function begins, and the line of the call."""

    name: str
    first: int
    line: int


Made: TypeAlias = "dict[str, tuple[Frame, ...]]"
"""Task -> the frames of the DAG file in which it was made, the outermost first."""


@dataclass(frozen=True)
class Split:
    """How one DAG of a file is split.

    :param regions: the regions, which become task groups.
    :param made: where the tasks of the DAG are made.
    :param arguments: of each task group, beside its id and how it runs.
    """

    regions: tuple[Region, ...]
    made: Made
    arguments: Mapping[str, Any] = field(default_factory=dict)


class CannotSplitError(ValueError):
    """The file cannot be rewritten.

    :param problems: (line, what is in the way), for every problem.
    """

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {text}" for line, text in problems))
        self.problems = list(problems)


@contextmanager
def recorded(file: str) -> Iterator[dict[str, Made]]:
    """Record where the tasks of a file are made.

    :return: DAG id -> where its tasks are made; complete when the block ends.
    """
    from airflow.providers.common.compat.sdk import DAG

    found: dict[str, Made] = {}
    known = DAG.add_task

    def add_task(dag: Any, task: Any) -> None:
        frames, frame = [], sys._getframe(1)
        while frame is not None:
            if frame.f_code.co_filename == file:
                frames.append(Frame(frame.f_code.co_name, frame.f_code.co_firstlineno, frame.f_lineno))
            frame = frame.f_back  # type: ignore[assignment]
        known(dag, task)
        found.setdefault(dag.dag_id, {}).setdefault(task.task_id, tuple(reversed(frames)))

    DAG.add_task = add_task
    try:
        yield found
    finally:
        DAG.add_task = known


# Rewriting


def rewritten(source: str, splits: Iterable[Split], run_as: str = "pipeline") -> str:
    """The text of a DAG file in which regions are task groups.

    :param source: the text of the DAG file.
    :param splits: its DAGs, as they are split.
    :param run_as: how the groups run.
    :raises CannotSplitError: statements cannot be moved.
    :raises ModuleNotFoundError: libcst is not installed.
    """
    import libcst as cst
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import AddImportsVisitor

    file = _File(source)
    bodies: dict[Any, list[Any]] = {}
    problems: list[tuple[int, str]] = []
    for split in splits:
        try:
            body, statements = file.split(split, run_as)
        except CannotSplitError as error:
            problems += error.problems
            continue
        if body in bodies:
            problems.append((file.line(body.body[0]), "the same statements make several DAGs"))
        bodies[body] = statements
    if problems:
        raise CannotSplitError(problems)

    class Bodies(cst.CSTTransformer):
        """Puts the statements of the bodies in place."""

        def on_leave(self, original_node: Any, updated_node: Any) -> Any:
            """A body with its new statements; bodies do not hold each other."""
            return updated_node.with_changes(body=bodies[original_node]) if original_node in bodies else updated_node

    context = CodemodContext()
    AddImportsVisitor.add_needed_import(context, _MODULE, GROUP)
    return AddImportsVisitor(context).transform_module(file.module.visit(Bodies())).code


class _File:
    """The syntax tree of a DAG file."""

    def __init__(self, source: str) -> None:
        import libcst as cst
        from libcst.metadata import MetadataWrapper, PositionProvider

        wrapper = MetadataWrapper(cst.parse_module(source))
        self.module = wrapper.module
        self.positions = wrapper.resolve(PositionProvider)
        tree = ast.parse(source)
        self.fixed = {
            name
            for node in ast.walk(tree)
            for name in (
                [(item.asname or item.name).partition(".")[0] for item in node.names]
                if isinstance(node, (ast.Import, ast.ImportFrom))
                else [node.name]
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node in tree.body
                else []
            )
        }
        """Names of modules, functions and classes, whose methods change nothing that statements share."""

    def line(self, node: Any) -> int:
        """The first line of a node."""
        return int(self.positions[node].start.line)

    def split(self, split: Split, run_as: str) -> tuple[Any, list[Any]]:
        """The body that makes the tasks of a DAG, and its statements with those of each region in a task group."""
        body, depth = self._body(split.made)
        makes: dict[int, set[str]] = {}
        for task, frames in split.made.items():
            makes.setdefault(self._index(body, frames, depth), set()).add(task)
        region_of = {task: region for region in split.regions for task in region.tasks}
        problems: list[tuple[int, str]] = []
        parts: dict[str, list[int]] = {}
        for index, tasks in sorted(makes.items()):
            regions = {region_of[task].name if task in region_of else "" for task in tasks}
            line = self.line(body.body[index]) if index >= 0 else 1
            if index < 0 and regions != {""}:
                problems.append((line, f"{_listed(tasks)} is made outside of the statements that make the other tasks"))
            elif len(regions) > 1:
                apart = "; ".join(
                    f"{name or 'Airflow'}: {_listed(task for task in tasks if region_of.get(task) is region_of_name)}"
                    for name, region_of_name in [(name, self._named(split, name)) for name in sorted(regions)]
                )
                problems.append((line, f"one statement makes tasks of several places ({apart}); give each a statement"))
            elif regions != {""}:
                parts.setdefault(regions.pop(), []).append(index)
        if problems:
            raise CannotSplitError(problems)
        order = self._order(body, parts)
        dag = self._dag_argument(body)
        statements: list[Any] = []
        for item in order:
            if isinstance(item, int):
                statements.append(body.body[item])
            else:
                statements.append(_group(item, [body.body[index] for index in parts[item]], split, run_as, dag))
        return body, statements

    @staticmethod
    def _named(split: Split, name: str) -> Region | None:
        return next((region for region in split.regions if region.name == name), None)

    def _body(self, made: Made) -> tuple[Any, int]:
        """The innermost body of a ``with`` block of the DAG or of a function that makes all tasks, and its frame."""
        import libcst as cst

        body: Any = self.module
        depth = 0
        while True:
            indexes = {self._index(body, frames, depth) for frames in made.values()}
            if len(indexes) != 1 or min(indexes) < 0:
                return body, depth
            statement = body.body[indexes.pop()]
            if isinstance(statement, cst.With) and isinstance(statement.body, cst.IndentedBlock):
                header = "".join(self.module.code_for_node(item) for item in statement.items)
                if re.search(r"task_?group", header, re.IGNORECASE):
                    return body, depth
                body = statement.body
                continue
            calls = {frames[depth + 1][:2] if len(frames) > depth + 1 else None for frames in made.values()}
            function = self._function(calls.pop()) if len(calls) == 1 else None
            if function is None:
                return body, depth
            body, depth = function.body, depth + 1

    def _function(self, call: tuple[str, int] | None) -> Any:
        """The function of the file that has a name and begins in a line."""
        import libcst as cst

        for node in self.positions:
            if call and isinstance(node, cst.FunctionDef) and node.name.value == call[0]:
                first = min(self.line(item) for item in (*node.decorators, node))
                if first == call[1] and isinstance(node.body, cst.IndentedBlock):
                    return node
        return None

    def _index(self, body: Any, frames: tuple[Frame, ...], depth: int) -> int:
        """The index of the statement of a body in which a task is made; -1 if it is none of them."""
        line = frames[depth].line if len(frames) > depth else 0
        for index, statement in enumerate(body.body):
            place = self.positions[statement]
            if place.start.line <= line <= place.end.line:
                return index
        return -1

    def _order(self, body: Any, parts: Mapping[str, list[int]]) -> list[int | str]:
        """The statements and groups in an order that keeps every statement after those it depends on."""
        names = [self._names(statement) for statement in body.body]
        part_of: dict[int, int | str] = {index: name for name, indexes in parts.items() for index in indexes}
        first = {name: min(indexes) for name, indexes in parts.items()}
        graph = nx.DiGraph()
        graph.add_nodes_from(part_of.get(index, index) for index in range(len(names)))
        for later, (reads, changes) in enumerate(names):
            for earlier in range(later):
                others, changed = names[earlier]
                shared = (changes & (others | changed)) | (reads & changed)
                here, there = part_of.get(earlier, earlier), part_of.get(later, later)
                if shared and here != there:
                    graph.add_edge(here, there)
        problems = [
            (
                self.line(body.body[min(loose)]),
                f"it has to stay between the tasks of {_listed(groups)}; move it, or them",
            )
            for nodes in nx.strongly_connected_components(graph)
            if len(nodes) > 1
            for loose in [[node for node in nodes if isinstance(node, int)] or [first[node] for node in nodes]]
            for groups in [sorted(node for node in nodes if isinstance(node, str))]
        ]
        if problems:
            raise CannotSplitError(sorted(problems))
        return list(
            nx.lexicographical_topological_sort(graph, key=lambda node: node if isinstance(node, int) else first[node])
        )

    def _names(self, statement: Any) -> tuple[set[str], set[str]]:
        """The names that a statement reads, and those that it binds or whose objects it may change."""
        tree = ast.parse(textwrap.dedent(self.module.code_for_node(statement)))
        reads, changes = set[str](), set[str]()
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                (reads if isinstance(node.ctx, ast.Load) else changes).add(node.id)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                changes.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                changes |= {(item.asname or item.name).partition(".")[0] for item in node.names}
            elif isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
                changes |= _root(node)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                changes |= _root(node.func) - self.fixed
            elif isinstance(node, (ast.Return, ast.Raise, ast.Global, ast.Nonlocal, ast.Yield)):
                changes.add("")
        return reads | {""}, changes  # nothing passes what ends the function

    def _dag_argument(self, body: Any) -> str:
        """The argument with the DAG for groups outside of a ``with`` block: where the DAG is a variable of the module."""
        import libcst as cst

        if body is not self.module:
            return ""
        names = [
            node.targets[0].target.value
            for statement in body.body
            if isinstance(statement, cst.SimpleStatementLine)
            for node in statement.body
            if isinstance(node, cst.Assign)
            and isinstance(node.targets[0].target, cst.Name)
            and isinstance(node.value, cst.Call)
            and self.module.code_for_node(node.value.func).rpartition(".")[2] == "DAG"
        ]
        if len(names) != 1:
            raise CannotSplitError([(1, "the tasks are in no with block of their DAG")])
        return f"dag={names[0]}"


def _group(name: str, statements: list[Any], split: Split, run_as: str, dag: str) -> Any:
    """A ``with`` block of a task group; comments stay with their statements."""
    import libcst as cst

    arguments = [json.dumps(name), f"run_as={json.dumps(run_as)}", "prefix_group_id=False", *filter(None, [dag])]
    arguments += [f"{key}={_literal(value)}" for key, value in split.arguments.items()]
    made = cst.parse_statement(f"with {GROUP}({', '.join(arguments)}):\n    pass\n")
    head, *rest = statements
    blank = [line for line in head.leading_lines if line.comment is None][:1]
    inner = [line for line in head.leading_lines if line.comment is not None]
    return cst.ensure_type(made, cst.With).with_changes(
        leading_lines=blank, body=cst.IndentedBlock([head.with_changes(leading_lines=inner), *rest])
    )


def _literal(value: Any) -> str:
    """A value as Python writes it, with double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)


def _root(node: ast.AST) -> set[str]:
    """The name at the beginning of ``a.b[c].d``."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


# Comparison


@contextmanager
def instead_of(file: str, source: str) -> Iterator[None]:
    """Let a file load as if another text were in it, so that what it reads of its own place stays the same."""
    known = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, fullname: str) -> Any:
        return compile(source, file, "exec") if loader.path == file else known(loader, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        SourceFileLoader.get_code = known  # type: ignore[method-assign]


def differences(dag: Any, other: Any, noise: Any = None) -> list[str]:
    """What is different in another DAG: tasks, their dependencies, groups and arguments, and the DAG's own settings.

    :param noise: the first DAG loaded once more; what is different in it counts for nothing.
    """
    here, there = _described(dag), _described(other)
    again = here if noise is None else _described(noise)
    found = []
    for place in sorted({*here, *there}):
        if here.get(place) == again.get(place) and here.get(place) != there.get(place):
            known = "is missing" if place not in there else "is new" if place not in here else "is different"
            found.append(f"{place} {known}")
    return found


_NOT_COMPARED: Final = frozenset(
    ["dag", "_dag", "task_group", "_task_group", "task_dict", "_log", "last_loaded", "_logger_name", "fileloc"]
)
"""Attributes that are other objects, or are compared in another way."""


def _described(dag: Any) -> dict[str, str]:
    """Every place of a DAG and a text for what is there."""
    found = {f"DAG: {name}": _shown(value) for name, value in vars(dag).items() if name not in _NOT_COMPARED}
    for task_id, task in dag.task_dict.items():
        found[f"task {task_id!r}"] = f"{type(task).__module__}.{type(task).__qualname__}"
        state = {**{name: getattr(task, name, None) for name in _slots(task)}, **getattr(task, "__dict__", {})}
        given = state.pop("_BaseOperator__init_kwargs", None) or {}
        state |= {f"{name}=": value for name, value in given.items() if name not in _NOT_COMPARED}
        found |= {f"{task_id}: {name}": _shown(value) for name, value in state.items() if name not in _NOT_COMPARED}
    return found


def _slots(task: Any) -> Iterator[str]:
    for cls in type(task).__mro__:
        slots = vars(cls).get("__slots__", ())
        yield from [slots] if isinstance(slots, str) else slots


def _shown(value: Any, inside: tuple[int, ...] = ()) -> str:
    """A text that is the same for values that do the same."""
    if value is None or isinstance(value, (str, bytes, int, float)):
        return repr(value)
    if id(value) in inside or len(inside) > 20:
        return "..."
    inside = (*inside, id(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_shown(key, inside)}: {_shown(item, inside)}" for key, item in value.items()) + "}"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(_shown(item, inside) for item in value)) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_shown(item, inside) for item in value) + "]"
    if hasattr(value, "task_id") and hasattr(value, "downstream_task_ids"):
        return f"<task {value.task_id}>"
    if hasattr(value, "dag_id") and hasattr(value, "task_dict"):
        return "<DAG>"
    if hasattr(value, "__code__"):
        parts = (
            value.__code__.co_code,
            value.__code__.co_names,
            value.__defaults__,
            getattr(value, "__kwdefaults__", None),
        )
        constants = [item for item in value.__code__.co_consts if not hasattr(item, "co_code")]
        return f"<function {value.__qualname__} {_shown([*parts, constants, *_cells(value)], inside)}>"
    if isinstance(value, type):
        return f"<class {value.__module__}.{value.__qualname__}>"
    if getattr(value, "__dict__", None):
        return f"<{type(value).__qualname__} {_shown(vars(value), inside)}>"
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))


def _cells(function: Any) -> Iterator[Any]:
    """What a function takes from around it, where it is there yet."""
    for cell in function.__closure__ or ():
        with suppress(ValueError):
            yield cell.cell_contents
