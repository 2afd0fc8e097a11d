"""Which tasks of a DAG can run in pipelines while the rest stays in Airflow: regions, and why the others stay."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Final

import networkx as nx

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.findings import Finding, errors, finding, located, ordered
from sagemaker_provider.translator import callables
from sagemaker_provider.translator import graph as graphs
from sagemaker_provider.translator.branches import TEARDOWN
from sagemaker_provider.translator.convert import Conversion, Settings, convert, translations
from sagemaker_provider.translator.failures import TOLERANT, listed
from sagemaker_provider.translator.lines import with_lines
from sagemaker_provider.translator.mapping import is_mapped
from sagemaker_provider.translator.parts import border_findings
from sagemaker_provider.translator.regions import Rules, regions
from sagemaker_provider.translator.registry import Stays, Steps, TaskStep, Translation
from sagemaker_provider.translator.syntax import Code
from sagemaker_provider.translator.tasks_python import EXIT_99

_ON_FAILURE: Final = frozenset(["all_failed", "one_failed", "all_skipped"])
"""Trigger rules by which a task is skipped after tasks that succeed."""
_LAUNCH: Final = "SageMakerPipelineLaunchOperator"
_NAMES_ALL: Final = "LatestOnlyOperator"
"""A branch operator that names every task after it, so also one that it does not know."""


@dataclass(frozen=True)
class Region:
    """Tasks that become one pipeline.

    :param name: id of the task group.
    :param tasks: task ids, each after those it depends on.
    :param steps: how many steps the pipeline has.
    :param after: tasks outside for which the pipeline waits.
    :param findings: what is different in the pipeline, and notes.
    """

    name: str
    tasks: tuple[str, ...]
    steps: int
    after: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Plan:
    """The result of :func:`plan`.

    :param regions: the pipelines, each after those it depends on.
    :param stays: task that stays in Airflow -> why.
    :param findings: on the DAG and the settings.
    """

    regions: tuple[Region, ...] = ()
    stays: dict[str, list[Finding]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def plan(dag: Any, settings: Settings | None = None, found: Sequence[Finding] = ()) -> Plan:
    """Find the largest regions of a DAG that can become pipelines.

    As many tasks as possible are in regions, and the regions are as few as possible. Each can be converted, ends where no
    path returns to it, and waits for nothing that waits for it; so the DAG with a task group for each has no cycle.

    :param dag: an Airflow DAG.
    :param settings: how to convert; the setting ``native`` keeps tasks in Airflow.
    :param found: what was found while the DAG was loaded. Tasks with errors stay; with an error on the DAG, all do.
    """
    try:
        result = _Planner(dag, settings or Settings(), found).run()
    except Exception as error:  # one DAG that nobody thought of must not keep the others from being planned
        result = Plan(findings=(finding("SMP106", f"{type(error).__name__}: {error}"),))

    def lines(findings: Iterable[Finding]) -> list[Finding]:
        return with_lines(located(list(findings), dag=dag.dag_id), dag)

    return Plan(
        tuple(
            Region(item.name, item.tasks, item.steps, item.after, tuple(lines(item.findings)))
            for item in result.regions
        ),
        {task_id: lines(reasons) for task_id, reasons in result.stays.items()},
        tuple(lines(result.findings)),
    )


class _Planner:
    """One plan. Tasks get kinds, see :mod:`.regions`, until every region can be a pipeline."""

    def __init__(self, dag: Any, settings: Settings, found: Sequence[Finding]) -> None:
        self.dag, self.settings, self.found = dag, settings, found
        self.tasks: dict[str, Any] = dict(dag.task_dict)
        self.graph = graphs.read(dag)
        self.rules = {
            name: str(getattr(task.trigger_rule, "value", task.trigger_rule)) for name, task in self.tasks.items()
        }
        self.names = {*self.tasks, *dag.task_group.get_task_group_dict()}
        self.groups = {
            task.task_group.group_id: [name, *task.task_ids]
            for name, task in self.tasks.items()
            if _LAUNCH in _classes(task)
        }
        """Task groups that are pipelines already: id -> tasks, and before them the one that starts the pipeline."""
        self.stays: dict[str, list[Finding]] = {}
        self.kinds: dict[str, tuple[Hashable, ...]] = {}
        self.conversions: dict[frozenset[str], Conversion] = {}

    def run(self) -> Plan:
        if circle := graphs.cycle(self.graph):
            return Plan(findings=(finding("SMP103", " -> ".join([*circle, circle[0]])),))
        if general := [item for item in errors(self.found) if item.task not in self.tasks]:
            return Plan((), {task: [] for task in self.tasks}, tuple(general))
        self.order = graphs.in_order(self.graph)
        self.bits = {task: 1 << rank for rank, task in enumerate(self.order)}
        self.above: dict[str, int] = {}
        for task in self.order:
            self.above[task] = reduce(
                or_, (self.above[other] | self.bits[other] for other in self.graph.predecessors(task)), 0
            )
        self.skipping = sum(
            self.bits[task] for task in self.order if self.rules[task] in _ON_FAILURE or _may_skip(self.tasks[task])
        )
        self.translated = translations(self.dag, self.settings)
        for task, item in self.translated.items():
            reasons = [*(error for error in errors(self.found) if error.task == task), *errors(item.findings)]
            if reasons or isinstance(item, Stays):
                self.stays[task] = located(reasons, task=task)
            else:
                self.kinds[task] = ()
        for task in (task for task in self.tasks if self._group_of(task)):
            if task in self.kinds:
                self.kinds[task] = ("group", self._group_of(task))
        parts = self._settled()
        inside = {task for part in parts for task in part}
        for task in self.order:
            if task not in inside and task not in self.stays:
                self.stays[task] = self._left_out(task, inside)
        made = [self._region(part) for part in parts]
        return Plan(
            tuple(made), {task: self.stays[task] for task in self.order if task in self.stays}, self._on_settings()
        )

    # Search

    def _settled(self) -> list[list[str]]:
        """Regions of which each can be a pipeline."""
        sizes = {task: _size(item) for task, item in self.translated.items()}
        together = list(self._together())
        while True:
            parts = regions(self.graph, Rules(self.kinds, sizes, limits.STEPS, together))
            if not any([self._mended(part) for part in parts]):
                return parts

    def _together(self) -> Iterator[tuple[str, str]]:
        """(task, other) where the task can be in a pipeline only with the other, as :func:`.border_findings` has it."""
        for name, task in self.tasks.items():
            if group := self._group_of(name):
                yield from ((name, other) for other in self.groups[group] if other != name)
            elif self.rules[name] != "all_success":
                yield from ((name, other) for other in sorted(task.upstream_task_ids))
            if "SkipMixin" in _classes(task) and any(self._refused_by_border(name, {name, *task.upstream_task_ids})):
                yield from ((name, other) for other in sorted(task.downstream_task_ids))
            if getattr(task, "ignore_downstream_trigger_rules", False):
                below = nx.descendants(self.graph, name)
                yield from ((name, other) for other in sorted(below) if self.rules[other] != "all_success")

    def _refused_by_border(self, task: str, inside: Iterable[str]) -> list[Finding]:
        """Why a task cannot be in a pipeline with just the others."""
        return [item for item in border_findings(self.dag, inside) if item.task == task]

    def _mended(self, part: list[str]) -> bool:
        """Change the kinds of tasks where a part cannot be a pipeline; whether that was so."""
        if found := list(self._border(part)):
            self._refuse(found)
            return True
        if halves := self._skipped_apart(part):
            for number, half in enumerate(halves):
                self._part_from_others(half, number)
            return True
        found = errors(self._converted(part).findings)
        if not found:
            return False
        if all(item.task not in part for item in found):
            if len(part) == 1:
                self._refuse(located(found, task=part[0]))
            else:
                for half in (part[: len(part) // 2], part[len(part) // 2 :]):
                    self._part_from_others(half, half[0])
            return True
        faulty = {item.task for item in found} & set(part)
        alone = {task for task in faulty if len(part) > 1 and not list(self._border([task])) and self._can_be([task])}
        for task in sorted(alone):
            self._part_from_others([task], task)
        self._refuse(item for item in found if item.task in faulty - alone)
        return True

    def _part_from_others(self, tasks: Iterable[str], kind: Hashable) -> None:
        for task in tasks:
            self.kinds[task] = (*self.kinds[task], kind)

    def _refuse(self, found: Iterable[Finding]) -> None:
        for item in found:
            self.kinds.pop(item.task, None)
            self.stays.setdefault(item.task, []).append(item)

    def _converted(self, part: Iterable[str]) -> Conversion:
        key = frozenset(part)
        if key not in self.conversions:
            self.conversions[key] = convert(self.dag, self.settings, task_ids=key, translated=self.translated)
        return self.conversions[key]

    def _can_be(self, part: list[str]) -> bool:
        return not errors(self._converted(part).findings)

    # Borders

    def _before(self, part: Iterable[str]) -> list[str]:
        """The tasks outside for which a pipeline of the part waits."""
        inside = set(part)
        before = {other for task in inside for other in self.tasks[task].upstream_task_ids if other not in inside}
        return sorted(before, key=self.bits.__getitem__)

    def _border(self, part: list[str]) -> Iterator[Finding]:
        """What cannot be in a pipeline that waits for tasks outside."""
        before = self._before(part)
        for task in part:
            upstream = self.tasks[task].upstream_task_ids
            for other in before:
                if other in upstream and _chooses(self.tasks[other]):
                    reason = f"{other!r} may choose it, and would skip the task that starts the pipeline, which it does not know"
                    yield finding("SMP842", reason, task=task)
            rule = self.rules[task]
            kept = rule == TEARDOWN and any(getattr(self.tasks[other], "is_setup", False) for other in upstream)
            if before and not kept and (rule in TOLERANT or rule == "always"):
                reason = (
                    f"the rule {rule} lets it run where {listed(before)} fails, and the pipeline does not start then"
                )
                yield finding("SMP843", reason, task=task)
            elif not upstream and rule in _ON_FAILURE:
                yield finding("SMP843", f"the rule {rule}, which is for tasks that wait for others", task=task)

    def _skipped_apart(self, part: list[str]) -> list[list[str]]:
        """The tasks that are skipped with a task outside, and the others, where there are both."""
        for other in self._before(part):
            if (self.above[other] | self.bits[other]) & self.skipping:
                with_it = self._skipped_with(other)
                if not with_it.issuperset(part):
                    return [[task for task in part if task in with_it], [task for task in part if task not in with_it]]
        return []

    def _skipped_with(self, task: str) -> set[str]:
        """The tasks that Airflow skips when it skips one."""
        found, pending = set[str](), [task]
        while pending:
            for other in self.tasks[pending.pop()].downstream_task_ids:
                if other not in found and self.rules[other] == "all_success":
                    found.add(other)
                    pending.append(other)
        return found

    # Result

    def _group_of(self, task: str) -> str:
        """The task group of a task that is a pipeline already, if it is in one."""
        return next((group for group, tasks in self.groups.items() if task in tasks), "")

    def _region(self, part: list[str]) -> Region:
        conversion = self._converted(part)
        before = self._before(part)
        found = [*conversion.findings]
        for other in before:
            if more := [task for task in part if not self.above[task] & self.bits[other]]:
                found.append(finding("SMP844", f"{listed(more)} waits for {other!r} too", task=more[0]))
        steps = conversion.definition.all_steps() if conversion.definition else ()
        return Region(self._name(part), tuple(part), sum(1 for _ in steps), tuple(before), tuple(ordered(found)))

    def _name(self, part: list[str]) -> str:
        """The id of the task group of a part: as it is called, or after its first task; nothing else is called so."""
        if group := self._group_of(part[0]):
            return group
        name, number = f"{self.tasks[part[0]].label}_pipeline", 2
        while name in self.names:
            name, number = f"{self.tasks[part[0]].label}_pipeline_{number}", number + 1
        self.names.add(name)
        return name

    def _left_out(self, task: str, inside: set[str]) -> list[Finding]:
        """Why a task that could be in a pipeline is in none."""
        for others in (inside, ()):
            if found := self._refused_by_border(task, {task, *others}):
                return found
        if not _size(self.translated[task]):
            return [finding("SMP845", "it becomes no step, and no pipeline is where it could be", task=task)]
        return [finding("SMP504", f"it becomes {_size(self.translated[task])} steps", task=task)]

    def _on_settings(self) -> tuple[Finding, ...]:
        """Tasks that the settings want in a pipeline, and that stay."""
        return tuple(
            finding("SMP841", "; ".join(item.message for item in reasons), task=task)
            for task, reasons in self.stays.items()
            if self.settings.defaults.tasks.get((self.dag.dag_id, task), {}).get("native") is True
        )


def _size(item: Translation) -> int:
    """How many steps a task becomes, not counting copies in branches."""
    if isinstance(item, Steps):
        return sum(_size(step) for step in item.steps.values())
    return 1 + (item.loop_over is not None) + (item.fail_otherwise is not None) if isinstance(item, TaskStep) else 0


def _classes(task: Any) -> list[str]:
    return [cls.__name__ for cls in getattr(getattr(task, "operator_class", None) or type(task), "__mro__", ())]


def _chooses(task: Any) -> bool:
    """Whether a task skips the tasks directly after it that it does not name."""
    classes = _classes(task)
    return "BranchMixIn" in classes and _NAMES_ALL not in classes


def _may_skip(task: Any) -> bool:
    """Whether a task may skip itself or those after it, as far as it can be seen."""
    classes = _classes(task)
    if "SkipMixin" in classes and "BaseSensorOperator" not in classes:
        return True
    if getattr(task, "soft_fail", False) or is_mapped(task):
        return True
    if EXIT_99.search(str(getattr(task, "bash_command", ""))):
        return True
    function = getattr(task, "python_callable", None)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))) if function else None
    except (OSError, TypeError, SyntaxError, ValueError):
        return False
    return tree is not None and callables.raises_skip([Code(tree)])
