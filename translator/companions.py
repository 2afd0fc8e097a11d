"""The modules that packed code imports: those of the DAG folder go with it, the others must be where it runs."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from sagemaker_provider.translator import sources
from sagemaker_provider.translator.airflow_task.stand_ins import SERVED
from sagemaker_provider.translator.literals import NoLiteralError, literal
from sagemaker_provider.translator.parameters import holds_secret, looks_secret

_REFERENCE: Final = re.compile(r"(id|name|arn|path|file|uri|url)s?$", re.IGNORECASE)
"""Ends of names that say where a secret is, rather than what it is."""
MODULES: Final = "modules"
"""Folder of a pack that holds the modules of the DAG folder."""


class Companions:
    """The imports of packed code.

    :param folders: folders in which the imports of a DAG file are looked up: its own, Airflow's for DAGs and plugins.
    :param served: whether of Airflow only that can be imported which the runtime stands in for.
    """

    def __init__(self, folders: Sequence[Path], *, served: bool = True) -> None:
        self.folders = [folder.resolve() for folder in folders]
        self.served = served
        self.files: dict[str, bytes] = {}
        self.trees: list[ast.AST] = []
        self.others: set[str] = set()
        self.problems: dict[tuple[str, str], None] = {}
        self._seen: set[str] = set()

    def scan(self, tree: ast.AST, package: str, where: str) -> None:
        """Take in what a tree imports.

        :param package: the package to which its relative imports refer.
        :param where: what the tree is, for findings.
        """
        self.trees.append(tree)
        for node, alias in sources.imports(tree):
            if isinstance(node, ast.Import):
                self._module(alias.name, where)
                continue
            base = absolute(node, package)
            self._module(base, where, alias.name)
            if base.partition(".")[0] != "airflow":
                self._submodule(f"{base}.{alias.name}", where)

    def _module(self, name: str, where: str, member: str | None = None) -> None:
        root = name.partition(".")[0]
        if root == "airflow":
            if self.served and not is_served(name, member):
                self.problems["SMP223", f"{where} imports {name}{f'.{member}' if member else ''}"] = None
            elif not self.served:
                self.others.add(root)
        elif self.file(name) is None:
            if root not in sys.stdlib_module_names and root != "__future__":
                self.others.add(root)
        else:
            self._take(name, where)

    def _submodule(self, name: str, where: str) -> None:
        if self.file(name) is not None:
            self._take(name, where)

    def file(self, name: str) -> Path | None:
        """The file of a module, if it is one of the DAG folder's; a package without a file has its folder."""
        loaded = getattr(sys.modules.get(name), "__file__", None)
        if loaded:
            return Path(loaded) if self._inside(Path(loaded)) else None
        if name.partition(".")[0] in sys.stdlib_module_names:
            return None
        path = name.replace(".", "/")
        for folder in self.folders:
            for file in (folder / path / "__init__.py", folder / f"{path}.py", folder / path):
                if file.is_file() or (file.is_dir() and any(file.glob("*.py"))):
                    return file if self._inside(file) and not _installed(name) else None
        return None

    def _inside(self, file: Path) -> bool:
        real = file.resolve()
        return real.suffix in (".py", "") and any(
            folder in real.parents and "site-packages" not in real.relative_to(folder).parts for folder in self.folders
        )

    def _take(self, name: str, where: str) -> None:
        """Pack a module of the DAG folder, the packages that hold it, and what they import."""
        parent = name.rpartition(".")[0]
        if parent:
            self._take(parent, where)
        file = self.file(name)
        if name in self._seen or file is None or file.is_dir():
            return
        self._seen.add(name)
        path = name.replace(".", "/")
        is_package = file.name == "__init__.py"
        self.files[f"{MODULES}/{path}/__init__.py" if is_package else f"{MODULES}/{path}.py"] = file.read_bytes()
        try:
            tree = sources.read(str(file)).tree
        except (SyntaxError, UnicodeDecodeError) as error:
            self.problems["SMP220", f"the module {name}: {error}"] = None
            return
        self.scan(tree, name if is_package else parent, f"the module {name}")
        for problem in [*module_problems(tree, name), *_changed(sources.read(str(file)), name)]:
            self.problems[problem] = None


def _changed(source: sources.Source, name: str) -> Iterable[tuple[str, str]]:
    """Literals of a module that stand for something else since it was imported, as (code, message)."""
    module = sys.modules.get(name)
    for bound, bindings in source.bindings.items():
        node = bindings[0].node
        if len(bindings) > 1 or not bindings[0].certain or not isinstance(node, ast.Assign) or module is None:
            continue
        try:
            value = ast.literal_eval(node.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(node.targets[0], ast.Name) and plain(getattr(module, bound, value)) != plain(value):
            yield "SMP221", f"{bound!r} of the module {name} was changed after the module was imported"


def _installed(name: str) -> bool:
    """Whether a module that was never imported would come from elsewhere."""
    root = name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        return False
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    return any("site-packages" in Path(place).parts for place in places)


def is_served(module: str, member: str | None) -> bool:
    """Whether the runtime stands in for something of Airflow."""
    return member is not None and (member in SERVED.get(module, ()) or f"{module}.{member}" in SERVED)


def absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that a statement imports from."""
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def module_problems(tree: ast.Module, name: str) -> Iterable[tuple[str, str]]:
    """What a module does when it is imported that is another thing in a container, as (code, message)."""
    for secret in secrets_in_code(tree):
        yield "SMP222", f"the module {name} has a value for {secret!r}"
    for binding in _statements(tree):
        if isinstance(binding, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        texts = {ast.unparse(item) for item in ast.walk(binding) if isinstance(item, (ast.Attribute, ast.Call))}
        for text in sorted(
            texts & {"os.environ", "Variable.get"} | {item for item in texts if item.startswith("os.getenv(")}
        ):
            yield "SMP655", f"the module {name} reads {text.partition('(')[0]} when it is imported"
    if any(isinstance(item, ast.Name) and item.id == "__file__" for item in ast.walk(tree)):
        yield "SMP655", f"the module {name} reads __file__; only Python files are packed"


def _statements(tree: ast.Module) -> list[ast.stmt]:
    return [item.node for item in sources.parse(ast.unparse(tree)).statements] if tree.body else []


def secrets_in_code(tree: ast.AST) -> Iterable[str]:
    """Names of secrets that code gives a text to: in assignments, keyword arguments and dicts."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield from secrets_of(node)
        elif isinstance(node, ast.keyword) and node.arg and secret_in(node.arg, _text(node.value)):
            yield node.arg
        elif isinstance(node, ast.Dict):
            pairs = [(_text(key), _text(value)) for key, value in zip(node.keys, node.values)]
            yield from (str(key) for key, value in pairs if key and secret_in(str(key), value))


def _text(node: ast.expr | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def secrets_of(node: ast.stmt) -> list[str]:
    """Names in an assignment that look like those of secrets and get a text."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return []
    try:
        value = ast.literal_eval(node.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return []
    return [name for name in sorted(sources.bound(node)) if secret_in(name, value)]


def secret_in(name: str, value: Any) -> bool:
    """Whether a value, or one inside it, has the name of a secret and is text."""
    if isinstance(value, dict):
        return any(secret_in(str(key), item) for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(secret_in(name, item) for item in value)
    if isinstance(value, str) and holds_secret(value):
        return True
    return isinstance(value, (str, bytes)) and bool(value) and looks_secret(name) and not _REFERENCE.search(name)


def plain(value: Any) -> str | None:
    """The literal of a value, if it has one."""
    try:
        return literal(value)
    except NoLiteralError:
        return None
