"""Python callables as files: their source and what it needs, so that they run where the DAG file is not.

Code goes as source, never as a pickle: the same DAG gives the same bytes, a review shows what runs, and the image may
have another Python. Data goes by value, as it was when the DAG was parsed.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import logging
import re
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sagemaker_provider.translator import sources
from sagemaker_provider.translator.companions import Companions, absolute, plain, secret_in, secrets_in_code
from sagemaker_provider.translator.replay import differing
from sagemaker_provider.translator.syntax import Code, words_of

CODE: Final = "task_code.py"
"""File of a pack that holds the callable."""
_ENTRY: Final = "task_callable"
_FIRST, _DATA, _LAST = -2, -1, 10**9


class PackingError(Exception):
    """A callable, or something it needs, that cannot be packed.

    :param code: code of the finding.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Pack:
    """A callable as files.

    :param entry: the name of the callable in :data:`CODE`.
    :param files: path in the pack -> content.
    :param code: the code, the callable's own file first.
    :param function: the callable's own syntax tree, where its source is known.
    :param modules: modules that the code imports and that are neither packed nor of the standard library.
    :param problems: (code, message) of findings.
    """

    entry: str
    files: Mapping[str, bytes]
    code: tuple[Code, ...]
    function: Any
    modules: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]


def pack(function: Any, folders: Sequence[Path], *, served: bool = True) -> Pack:
    """Pack a callable.

    :param function: a function, also a nested or decorated one, a lambda, a ``functools.partial``, a method or a class.
    :param folders: folders whose modules go with it: that of the DAG file, those of Airflow for DAGs and plugins.
    :param served: whether of Airflow only that can be imported which the runtime stands in for; ``False`` where Airflow
        itself is installed.
    :return: the pack; its problems say what could not be packed.
    """
    packer = _Packer(Companions(folders, served=served))
    try:
        entry = packer.entry(function)
    except PackingError as error:
        packer.problem(error.code, str(error))
        entry = _ENTRY
    return packer.result(entry)


class _Packer:
    """The names that one callable needs, gathered into one file."""

    def __init__(self, companions: Companions) -> None:
        self.companions = companions
        self.items: dict[str, tuple[tuple[int, int], str]] = {}
        self.values: dict[str, Any] = {}
        self.made: dict[str, Any] = {}
        self.module: Any = None
        self.function: Any = None
        self.namespace: dict[str, Any] = {}

    def problem(self, code: str, message: str) -> None:
        self.companions.problems[code, message] = None

    def result(self, entry: str) -> Pack:
        texts = dict.fromkeys(text for _, text in sorted(self.items.values()))
        code = sources.FUTURE + "".join(f"\n\n{text}\n" if "\n    " in text else f"{text}\n" for text in texts)
        tree = ast.parse(code)
        package = getattr(self.module, "__package__", "") or ""
        if self.made and not any(code == "SMP221" for code, _ in self.companions.problems):
            for name, reason in differing(code, self.made):
                self.problem("SMP221", f"{name!r}: {reason}")
        self.companions.scan(tree, package, "the code")
        self._watch(tree)
        own = self.companions.trees.pop()
        return Pack(
            entry,
            {CODE: code.encode(), **dict(sorted(self.companions.files.items()))},
            tuple(Code(tree) for tree in (own, *self.companions.trees)),
            self.function,
            tuple(sorted(self.companions.others)),
            tuple(self.companions.problems),
        )

    def _watch(self, tree: ast.AST) -> None:
        """Report secrets, what finds names while it runs, and what depends on where the file is."""
        for secret in secrets_in_code(tree):
            self.problem("SMP222", f"it has a value for {secret!r}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in ("eval", "exec", "globals") and node.func.id not in self.items:
                    self.problem("SMP655", f"it calls {node.func.id}(); what that finds is not known when packing")
            elif isinstance(node, ast.Attribute) and words_of(node) in (["os", "environ"], ["os", "getenv"]):
                self.problem("SMP655", f"it reads os.{node.attr}; a container has other variables than a worker")
            elif isinstance(node, ast.Name) and node.id == "__file__":
                self.problem("SMP655", "it reads __file__, which is another path in the container")

    # The callable

    def entry(self, function: Any) -> str:
        """Take in the callable; the name under which the code has it."""
        function = getattr(function, "function", function) if _of_airflow(type(function)) else function
        inner = inspect.unwrap(function) if isinstance(function, types.FunctionType) else function
        base = inner
        while isinstance(base, functools.partial):
            base = base.func
        base = getattr(base, "__func__", base)
        if isinstance(base, types.FunctionType):
            self._module_of(inspect.unwrap(base))
        elif not isinstance(base, (types.BuiltinFunctionType, type)):
            self._module_of(type(base).__call__)
        return self._callable(function)

    def _module_of(self, function: Any) -> None:
        self.namespace = getattr(function, "__globals__", {})
        name = self.namespace.get("__name__", "")
        self.module = sys.modules.get(name) or types.SimpleNamespace(
            **{key: self.namespace.get(key) for key in ("__name__", "__file__", "__package__")}
        )

    def _callable(self, value: Any) -> str:
        if isinstance(value, functools.partial):
            return self._partial(value)
        if isinstance(value, types.MethodType):
            return f"{self._holder(value.__self__)}.{value.__name__}"
        name = getattr(value, "__name__", "")
        if isinstance(value, types.FunctionType) and inspect.unwrap(value).__globals__ is self.namespace:
            if self.namespace.get(name) is not value:  # a lambda, or what a decorator made
                other = next((key for key, item in self.namespace.items() if item is value), None)
                name = other or (name if name.isidentifier() else _ENTRY)
            self.need(name, value)
            return name
        module = getattr(value, "__module__", None)
        if module == "builtins":
            return name
        if module and getattr(sys.modules.get(module), name, None) is value:
            self._put(_ENTRY, value, (_FIRST, 0), f"from {module} import {name} as {_ENTRY}")
            return _ENTRY
        if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type)):
            raise PackingError("SMP220", f"the source of {name!r} is not found")
        return self._holder(value)

    def _partial(self, value: functools.partial[Any]) -> str:
        inner = self._callable(value.func)
        parts = [inner, *map(self._argument, value.args)]
        parts += [f"{key}={self._argument(item, key)}" for key, item in value.keywords.items()]
        self._put(
            _ENTRY, value, (_LAST, len(self.items)), f"{_ENTRY} = __import__('functools').partial({', '.join(parts)})"
        )
        return _ENTRY

    def _argument(self, value: Any, name: str = "") -> str:
        text = plain(value)
        if text is None:
            raise PackingError("SMP221", f"a {type(value).__name__} in a partial is no plain data")
        if secret_in(name, value):
            raise PackingError("SMP222", f"the argument {name!r} of a partial has the name of a secret")
        return text

    def _holder(self, value: Any) -> str:
        """The global name of an object whose method, or which itself, is called."""
        for name, item in self.namespace.items():
            if item is value:
                self.need(name, value)
                return name
        for name, item in vars(sys.modules.get(type(value).__module__) or types.SimpleNamespace()).items():
            if item is value and name.isidentifier():
                self._put(name, value, (_FIRST, 0), f"from {type(value).__module__} import {name}")
                return name
        raise PackingError("SMP220", f"the {type(value).__name__} that is called has no name in its file")

    # Names

    def need(self, name: str, value: Any) -> None:
        """Take in what a name stands for.

        :raises PackingError: it cannot be packed.
        """
        if name in self.items:
            if self.values[name] is not value and (plain(value) is None or plain(value) != plain(self.values[name])):
                raise PackingError("SMP221", f"{name!r} stands for two different values")
            return
        if (text := plain(value)) is not None:
            if secret_in(name, value):
                raise PackingError("SMP222", f"{name!r} has the name of a secret and a value")
            self._put(name, value, (_DATA, 0), f"{name} = {text}")
        elif isinstance(value, logging.Logger):
            called = re.sub("^unusual_prefix_[0-9a-f]{40}_", "", value.name)
            self._made(name, value, f"{name} = __import__('logging').getLogger({called!r})", (_DATA, 0))
        elif isinstance(value, types.FunctionType) and inspect.unwrap(value).__globals__ is self.namespace:
            if not self._by_decorator(name, value):
                self._function(name, value)
        elif not self._imported(name, value):
            self._statement(name, value)

    def _put(self, name: str, value: Any, order: tuple[int, int], text: str) -> None:
        if name in self.items and self.values[name] is not value:
            raise PackingError("SMP221", f"{name!r} stands for two different values")
        self.items[name], self.values[name] = (order, text), value

    def _imported(self, name: str, value: Any) -> bool:
        """Take in the import that binds a name, if one does."""
        package = getattr(self.module, "__package__", "") or ""
        texts = []
        for node, alias in self._imports(name):
            if isinstance(node, ast.Import):
                found = sys.modules.get(alias.name if alias.asname else alias.name.partition(".")[0])
                text = f"import {alias.name}{f' as {alias.asname}' if alias.asname else ''}"
            else:
                base = absolute(node, package)
                found = _member(base, alias.name)
                text = f"from {base} import {alias.name}{f' as {alias.asname}' if alias.asname else ''}"
            if found is value:
                texts.append(text)
        home = getattr(value, "__module__", None)
        if not texts and isinstance(value, types.ModuleType):
            texts = [f"import {value.__name__} as {name}"]
        elif not texts and home and home != getattr(self.module, "__name__", ""):
            called = getattr(value, "__name__", "")
            if called and getattr(sys.modules.get(home), called, None) is value:
                texts = [f"from {home} import {called} as {name}"]
        if not texts:
            return False
        self._put(name, value, (_FIRST, 0), "\n".join(dict.fromkeys(texts)))
        return True

    def _imports(self, name: str) -> list[tuple[Any, ast.alias]]:
        source = self._source()
        return [
            (binding.node, alias)
            for binding in (source.bindings.get(name, []) if source else ())
            if isinstance(binding.node, (ast.Import, ast.ImportFrom))
            for alias in binding.node.names
            if (alias.asname or alias.name.partition(".")[0]) == name
        ]

    def _statement(self, name: str, value: Any) -> None:
        """Take in the class, or the statement, that makes the value of a name, and those that change it afterwards."""
        source = self._source()
        bindings = source.bindings.get(name, []) if source else []
        kind = type(value).__name__
        if source is None or not bindings:
            raise PackingError("SMP221", f"{name!r} is a {kind} that no statement of the DAG file makes")
        if _of_airflow(value) or _of_airflow(type(value)):
            raise PackingError("SMP223", f"{name!r} is a {kind} of Airflow")
        if len(bindings) > 1 or (not bindings[0].certain and not isinstance(bindings[0].node, ast.ClassDef)):
            raise PackingError("SMP221", f"{name!r} is a {kind} that is made in more than one place, or not always")
        node = bindings[0].node
        if isinstance(node, ast.ClassDef) and not isinstance(value, type):
            raise PackingError("SMP221", f"{name!r} is a {kind} made of a class by a decorator")
        text = self._decorated(node, getattr(node, "decorator_list", ()))
        for bound in sorted(sources.bound(node) - {name}):
            self._put(bound, self.namespace.get(bound), (node.lineno, 0), text)
        self._made(name, value, text, (node.lineno, 0))
        if not isinstance(node, ast.ClassDef):
            self.problem("SMP718", f"{name!r} is a {kind}; the statement that makes it runs in the container")

    def _made(self, name: str, value: Any, text: str, order: tuple[int, int]) -> None:
        """Take in a statement that makes a value, and those that change it afterwards."""
        source = self._source()
        changes = source.changes.get(name, []) if source else []
        whole = "\n".join([text, *map(self._part, changes)])
        self._put(name, value, order, whole)
        self.made[name] = value
        self._needs(whole, name, nested=None)

    def _part(self, node: Any) -> str:
        source = self._source()
        assert source is not None
        return source.part(node, self._relative(node))

    def _decorated(self, node: Any, decorators: Sequence[ast.expr], edits: Sequence[tuple[Any, str]] = ()) -> str:
        source = self._source()
        assert source is not None
        lines = [f"@{source.part(item)}\n" for item in decorators]
        return "".join([*lines, source.part(node, [*edits, *self._relative(node)])])

    def _source(self) -> sources.Source | None:
        file = getattr(self.module, "__file__", None)
        try:
            return sources.read(str(file)) if file else None
        except (OSError, SyntaxError, UnicodeDecodeError):
            return None

    # Functions

    def _by_decorator(self, name: str, value: Any) -> bool:
        """Take in a function as its decorators made it, if they made another one that does not know the first."""
        source = self._source()
        bindings = source.bindings.get(name, []) if source and self.namespace.get(name) is value else []
        node = bindings[0].node if len(bindings) == 1 else None
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or not bindings[0].certain:
            return False
        if value.__code__.co_name == node.name or hasattr(value, "__wrapped__"):
            return False
        if self.function is None:
            self.function = node
        self._made(name, value, self._decorated(node, node.decorator_list), (node.lineno, 0))
        return True

    def _function(self, name: str, value: Any) -> None:
        """Take in a function of the callable's own file, also one that stands inside another."""
        inner = inspect.unwrap(value)
        source = self._source()
        found = sources.matching(source, inner.__code__) if source else []
        if source is None or len(found) != 1:
            reason = "stands with others like it on one line" if found else "has no source"
            raise PackingError("SMP220", f"the function {name!r} {reason}")
        node = found[0]
        if self.function is None:
            self.function = node
        defaults = self._defaults(node, inner)
        if isinstance(node, ast.Lambda):
            own = name
            text = f"{name} = ({self._decorated(node, (), defaults)})"
        else:
            own = node.name
            kept = [item for item in node.decorator_list if not self._airflow_decorator(item, inner)]
            if value is inner and self.namespace.get(name) is not value:  # the function before it was decorated
                kept = []
            text = self._decorated(node, kept, defaults)
        order = (node.lineno, node.col_offset)
        self._put(own, value if own == name else inner, order, text)
        cells = dict(zip(inner.__code__.co_freevars, inner.__closure__ or ()))
        nested = {key: cell.cell_contents for key, cell in cells.items() if _filled(cell)}
        self._needs(text, own, nested=nested)
        if set(vars(value)) - {"__wrapped__"}:
            self.made[name] = value
        if own != name:
            self._put(name, value, (node.lineno, 10**6), f"{name} = {own}")

    def _airflow_decorator(self, node: ast.expr, function: Any) -> bool:
        root: Any = node
        while not isinstance(root, ast.Name):
            root = getattr(root, "func", None) or getattr(root, "value", None)
            if root is None:
                return False
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
        value = cells[root.id].cell_contents if root.id in cells else self.namespace.get(root.id)
        if value is None:  # a name of the function around it
            return root.id in ("task", "setup", "teardown")
        return _of_airflow(value) or _of_airflow(type(value))

    def _defaults(self, node: Any, function: Any) -> list[tuple[Any, str]]:
        """Edits that put in the defaults as they were, in place of the expressions that gave them."""
        arguments = node.args
        pairs = [*zip(reversed(arguments.defaults), reversed(function.__defaults__ or ()))]
        pairs += [
            (default, (function.__kwdefaults__ or {}).get(argument.arg))
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults)
            if default is not None
        ]
        edits = []
        for default, value in pairs:
            if not isinstance(default, ast.Constant) and (text := plain(value)) is not None:
                edits.append((default, text))
        every = [*arguments.posonlyargs, *arguments.args]
        for argument, value in zip(reversed(every), reversed(function.__defaults__ or ())):
            if secret_in(argument.arg, value):
                raise PackingError("SMP222", f"the default of {argument.arg!r} has the name of a secret")
        return edits

    def _relative(self, node: Any) -> list[tuple[Any, str]]:
        """Edits that make relative imports absolute."""
        package = getattr(self.module, "__package__", "") or ""
        return [
            (item, ast.unparse(ast.ImportFrom(absolute(item, package), item.names, 0)))
            for item in ast.walk(node)
            if isinstance(item, ast.ImportFrom) and item.level
        ]

    def _needs(self, text: str, owner: str, *, nested: Mapping[str, Any] | None) -> None:
        """Take in the names that a text needs.

        :param nested: for a function inside another, what it has from there.
        """
        needed = sources.names(text)
        for name in sorted(needed.at_once | needed.later):
            if nested is not None and name in nested:
                value = nested[name]
            elif name in self.namespace:
                value = self.namespace[name]
            elif name not in needed.at_once or hasattr(builtins, name):
                continue  # when it is missing, it is missing in Airflow too
            else:
                self.problem("SMP221", f"{owner!r} needs {name!r}, which is known inside another function only")
                continue
            try:
                if name not in ("__name__", "__file__", "__doc__", "__builtins__"):
                    self.need(name, value)
            except PackingError as error:  # the others may have problems too
                self.problem(error.code, str(error))


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _member(module: str, name: str) -> Any:
    """What an import from a module that is loaded already gave."""
    loaded = sys.modules.get(module)
    return getattr(loaded, name, None) if loaded is not None else sys.modules.get(f"{module}.{name}")


def _of_airflow(value: Any) -> bool:
    module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return isinstance(module, str) and module.partition(".")[0] == "airflow"
