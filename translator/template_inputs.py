"""What a template reads, for rendering it elsewhere than in Airflow."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from jinja2 import nodes

from sagemaker_provider.translator import dates, jinja
from sagemaker_provider.translator.templates import IDS, PULL_ARGUMENTS, UntranslatableError, call_path, tree_of


@dataclass(frozen=True)
class TemplateInputs:
    """What a template reads, each sorted.

    :param params: names of params, and of values of the run's conf.
    :param dates: names of date macros, see :data:`.dates.MACROS`.
    :param variables: names of Variables read as text.
    :param json_variables: names of Variables read as JSON.
    :param xcoms: task ids and keys; the task id is ``None`` where the template gives none.
    :param names: which of ``dag.dag_id``, ``run_id`` and ``task.task_id`` it reads.
    """

    params: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    json_variables: tuple[str, ...] = ()
    xcoms: tuple[tuple[str | None, str], ...] = ()
    names: tuple[str, ...] = ()


_MAPPINGS: Final = {
    ("params",): "params",
    ("dag_run", "conf"): "params",
    ("var", "value"): "variables",
    ("var", "json"): "json_variables",
}


def inputs(text: str, dag_id: str) -> TemplateInputs:
    """What a template needs so that it can be rendered elsewhere than in Airflow, by Jinja with Airflow's filters.

    :param dag_id: the DAG of the template.
    :raises UntranslatableError: it reads what is known to Airflow only; or another file; or what it reads is computed.
    """
    tree = tree_of(text)
    found: dict[str, set[Any]] = {item.name: set() for item in fields(TemplateInputs)}
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    _Inputs(text, dag_id, found, own | {"loop", "range", "dict"}).visit(tree)
    return TemplateInputs(**{name: tuple(sorted(items, key=str)) for name, items in found.items()})


@dataclass(frozen=True)
class _Inputs:
    """Finds what one template reads.

    :param found: fields of :class:`TemplateInputs` -> what was found.
    :param own: names that the template makes itself.
    """

    text: str
    dag_id: str
    found: dict[str, set[Any]]
    own: set[str]

    def visit(self, node: nodes.Node) -> None:
        """Add what a part of the template reads."""
        if isinstance(node, (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            raise UntranslatableError(f"{self.text!r} reads another file")
        if isinstance(node, (nodes.Filter, nodes.Test)):
            known = jinja.environment().filters if isinstance(node, nodes.Filter) else jinja.environment().tests
            if node.name not in known:
                raise UntranslatableError(f"{self.text!r}: Airflow has no {type(node).__name__.lower()} {node.name!r}")
        if not self.read(node):
            for child in node.iter_child_nodes():
                self.visit(child)

    def read(self, node: nodes.Node) -> bool:
        """Whether a part of the template reads something of Airflow, which is then added."""
        called = jinja.chain(node.node) if isinstance(node, nodes.Call) else ()
        if isinstance(node, nodes.Call) and called == ("ti", "xcom_pull"):
            self.found["xcoms"].update(self.pulled(node))
            return True
        if isinstance(node, nodes.Call) and called[:-1] in _MAPPINGS:
            key = node.args[0] if node.args else None
            if called[-1] != "get" or not isinstance(key, nodes.Const) or not isinstance(key.value, str):
                raise UntranslatableError(f"{self.text!r}: what it reads of {'.'.join(called[:-1])} is computed")
            self.found[_MAPPINGS[called[:-1]]].add(key.value)
            for item in node.args[1:]:
                self.visit(item)
            return True
        chain = jinja.chain(node)
        if not chain or chain[0] in self.own:
            return bool(chain)
        for before, name in _MAPPINGS.items():
            if chain[: len(before)] == before and len(chain) > len(before):
                self.found[name].add(chain[len(before)])
                return True
        if chain[0] in dates.NAMES:
            self.found["dates"].add(chain[0])
            return True
        if (name := ".".join(chain[:2])) in (*IDS, "run_id") or (name := chain[0]) == "run_id":
            self.found["names"].add(name)
            return True
        if any(
            function == ".".join(chain) or function.startswith(".".join(chain) + ".") for function in jinja.FUNCTIONS
        ):
            return True
        code = "SMP310" if chain[0] == "conn" else "SMP301"
        raise UntranslatableError(f"{self.text!r}: {'.'.join(chain)} is known to Airflow only", code)

    def pulled(self, node: nodes.Call) -> list[tuple[str | None, str]]:
        """The tasks and the key of a pull."""
        path = call_path(node)
        if path is None:
            raise UntranslatableError(f"{self.text!r}: which XCom is read is computed")
        (_, arguments, options) = path[-1]
        given = {**dict(zip(PULL_ARGUMENTS, arguments)), **options}
        tasks, key = given.pop("task_ids", None), given.pop("key", "return_value")
        if given.get("dag_id") == self.dag_id:
            del given["dag_id"]
        names = list(tasks) if isinstance(tasks, (list, tuple)) else [tasks]
        if any(value is not None and value is not False for name, value in given.items() if name != "default"):
            raise UntranslatableError(f"{self.text!r}: only the XCom of a task of this DAG in this run can be read")
        if not all(isinstance(name, (str, type(None))) for name in names) or not isinstance(key, str):
            raise UntranslatableError(f"{self.text!r}: which XCom is read is computed")
        return [(name, key) for name in names]
