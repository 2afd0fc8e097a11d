"""A part of a DAG as a pipeline: the other tasks stay in Airflow, which starts the pipeline and gives it what only it knows."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import jinja2
from jinja2 import nodes

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.translator import dates, jinja
from sagemaker_provider.translator.mapping import is_mapped

_OF_THE_RUN: Final = dates.NAMES | {
    *("params", "dag_run", "run_id", "var", "macros", "dag", "data_interval_start", "data_interval_end"),
    *("inlet_events", "triggering_asset_events", "triggering_dataset_events", "prev_start_date_success"),
    *("prev_data_interval_start_success", "prev_data_interval_end_success", "prev_end_date_success"),
}
"""Names in templates that are the same for every task of a run."""


@dataclass(frozen=True)
class Starter:
    """Airflow, where a task of it starts the pipeline.

    :param dag: the whole DAG.
    :param outside: the tasks of it that stay in Airflow.
    :param value: the value of a template or reference in this run, where there is one; its type becomes the parameter's.
    """

    dag: Any
    outside: frozenset[str]
    value: Callable[[Any], Any] | None = None

    def is_mapped(self, task_id: str) -> bool:
        """Whether a task has an XCom for each of several instances."""
        return is_mapped(self.dag.get_task(task_id))

    def can_render(self, text: str) -> bool:
        """Whether a template is the same in the task that starts the pipeline: it reads the run and tasks outside."""
        try:
            tree = jinja2.Environment().parse(text)  # noqa: S701  (never rendered)
        except jinja2.TemplateSyntaxError:
            return False
        instances = [node for node in tree.find_all(nodes.Name) if node.name in ("ti", "task_instance")]
        names = {node.name for node in tree.find_all(nodes.Name)} - {"ti", "task_instance"}
        pulls = [node for node in tree.find_all(nodes.Call) if self._pulls_outside(node)]
        return names <= _OF_THE_RUN and len(instances) == len(pulls) and not _changes(tree)

    def _pulls_outside(self, call: nodes.Call) -> bool:
        if jinja.chain(call.node) not in (("ti", "xcom_pull"), ("task_instance", "xcom_pull")):
            return False
        given = [*call.args[:1], *(item.value for item in call.kwargs if item.key == "task_ids")]
        try:
            value = given[0].as_const() if len(given) == 1 else ()
        except nodes.Impossible:
            return False
        named = {value} if isinstance(value, str) else set(value)
        return bool(named) and named <= self.outside


def _changes(tree: nodes.Template) -> bool:
    """Whether a template may give another value each time it is rendered: by a clock, by chance, or by a macro of the user."""
    if any(node.name in ("random", "attr") for node in tree.find_all(nodes.Filter)):
        return True
    chains = [jinja.chain(node) or (jinja.last(node) or "",) for node in tree.find_all((nodes.Getattr, nodes.Getitem))]
    if any(chain[-1] in ("now", "utcnow", "today") for chain in chains):
        return True
    macros = [".".join(chain) for chain in chains if chain[0] == "macros"]
    return any(not any(f"{known}.".startswith(f"{chain}.") for known in jinja.FUNCTIONS) for chain in macros)


def part_of(dag: Any, task_ids: Iterable[str]) -> Any:
    """A DAG of some of the tasks of a DAG; the DAG itself stays as it is.

    Retries are Airflow's, so the copies of the tasks have none.

    :param dag: an Airflow DAG.
    :param task_ids: tasks of it.
    """
    kept = set(task_ids)
    part = copy.copy(dag)
    part.task_dict = {}
    for task_id, task in dag.task_dict.items():
        if task_id not in kept:
            continue
        own = part.task_dict[task_id] = copy.copy(task)
        own.upstream_task_ids = task.upstream_task_ids & kept
        own.downstream_task_ids = task.downstream_task_ids & kept
        if hasattr(task, "partial_kwargs"):
            own.dag, own.partial_kwargs = part, {**task.partial_kwargs, "retries": 0}
        else:
            object.__setattr__(own, "_dag", part)  # Airflow lets a task change its DAG in no other way
            own.retries = 0
    return part


def border_findings(dag: Any, task_ids: Iterable[str]) -> Iterator[Finding]:
    """What cannot be where a pipeline begins and ends inside a DAG.

    :param dag: the whole DAG.
    :param task_ids: the tasks of the pipeline.
    """
    inside = set(task_ids)
    for task_id, task in dag.task_dict.items():
        if task_id not in inside:
            continue
        rule = str(getattr(task.trigger_rule, "value", task.trigger_rule))
        before = sorted(task.upstream_task_ids - inside)
        if before and rule != "all_success":
            reason = f"the rule {rule} with {', '.join(before)} before it, which stays in Airflow"
            yield finding("SMP821", reason, task=task_id)
        chosen = {*getattr(task, "if_task_ids", ()), *getattr(task, "else_task_ids", ())}
        after = task.downstream_task_ids - inside
        if out := sorted(after & chosen if chosen else after if _branches(task) else ()):
            yield finding("SMP822", f"it decides about {', '.join(out)}, which stays in Airflow", task=task_id)


def _branches(task: Any) -> bool:
    """Whether a Python task chooses among the tasks directly after it."""
    cls = getattr(task, "operator_class", None) or type(task)
    return any("Branch" in base.__name__ and base.__name__ != "BranchMixIn" for base in cls.__mro__)
