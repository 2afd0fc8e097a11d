"""What a failing step keeps from running in the pipeline, and not in Airflow.

After a failure for which no step waits with ``Failed`` or ``Any``, the local SageMaker starts no further step, and a run
condition on a step that never starts is never met; the service promises neither (docs/unknowns.md). Airflow runs whatever
does not depend on the failed task and, by some trigger rules, also what is after tasks that could not run.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

import networkx as nx

from sagemaker_provider.definition.expressions import Get, walk
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import PipelineDefinition, Step
from sagemaker_provider.translator.branches import SIDES, TEARDOWN, World

TOLERANT: Final = frozenset(["all_done", TEARDOWN, "all_failed", "one_failed"])
"""Trigger rules that take a task that could not run for one that has failed."""
_MOST_NAMES: Final = 40
_TAKEN: Final = "Taken"
"""How a step in a branch waits for its condition."""


class Origin(NamedTuple):
    """What a step was made from.

    :param node: the node of the graph of tasks.
    :param task: the task's id.
    :param rule: the trigger rule with which the step waits.
    :param is_setup: whether the task is a setup.
    :param world: the outcomes of conditions with which the step runs.
    """

    node: str
    task: str
    rule: str
    is_setup: bool
    world: World


def failure_findings(
    definition: PipelineDefinition, origins: Mapping[str, Origin], graph: nx.DiGraph, *, limited: bool
) -> Iterator[Finding]:
    """Say which tasks run in Airflow after a failure, and perhaps not in the pipeline.

    Takes time in proportion to the steps and their dependencies, but for operations on integers of a bit for each step.

    :param definition: the definition.
    :param origins: step -> what it was made from.
    :param graph: the DAG's tasks.
    :param limited: whether only some of the steps that could start do so at once.
    """
    steps, needs = _steps_and_needs(definition)
    order = nx.DiGraph()
    order.add_nodes_from(steps)
    order.add_edges_from((other, name) for name, kinds in needs.items() for other in kinds)
    sets = _Sets(order)
    can_fail = {name for name, step in steps.items() if step.type != "Condition" or any(_reads(step))}
    failed = {origins[name].node for name, step in steps.items() if step.type == "Fail"}
    failing_checks = {name for name, step in steps.items() if step.type == "Condition" and origins[name].node in failed}
    breaks = can_fail | failing_checks
    unsure = _unsure(sets.order, needs, breaks)
    yield from _after_tasks_that_cannot_run(sets.order, needs, breaks, unsure, origins, graph)
    unhandled = can_fail - _handled(needs, unsure)
    ends = {name for name in can_fail if steps[name].type == "Fail"}
    yield from _beside_failures(sets, needs, unhandled, ends, origins, limited)


def _unsure(
    order: list[str], needs: Mapping[str, Mapping[str, str]], breaks: set[str], sure: Container[str] = ()
) -> set[str]:
    """Steps that may not start though their branch is taken."""
    found: set[str] = set()
    for name in order:
        if name not in sure and any(
            other in found or kind == "Failed" or (kind != "Any" and other in breaks)
            for other, kind in needs[name].items()
        ):
            found.add(name)
    return found


def _after_tasks_that_cannot_run(
    order: list[str],
    needs: Mapping[str, Mapping[str, str]],
    breaks: set[str],
    unsure: set[str],
    origins: Mapping[str, Origin],
    graph: nx.DiGraph,
) -> Iterator[Finding]:
    """Tasks whose rule lets them run after a task that could not, which a step cannot wait for."""
    reasons: dict[str, dict[str, None]] = {}
    for name in order:
        origin = origins[name]
        if origin.rule not in (*TOLERANT, "one_done"):
            continue
        stuck, failing = unsure, breaks
        if origin.rule == "one_done":  # what could not run is not done; what it only reads is no matter
            stuck = set()
            failing = {
                other for other in needs[name] if other in breaks and graph.has_edge(origins[other].node, origin.node)
            }
        if origin.rule == TEARDOWN:  # without its setups it does not run in Airflow either
            setups = {other for other in needs[name] if origins[other].is_setup}
            failing = breaks - setups
            stuck = _unsure(order, needs, failing, setups)
        for other, kind in needs[name].items():
            if other in stuck or (kind not in ("Any", "Failed") and other in failing):
                reason = f"{origins[other].task!r} {'cannot run' if other in stuck else 'fails'}"
                reasons.setdefault(origin.node, {})[reason] = None
    tasks = {origin.node: origin.task for origin in origins.values()}
    below = _Sets(graph)
    for node, texts in reasons.items():
        after = listed(tasks[other] for other in below.members(below.descendants[node]) if other in tasks)
        reason = f"Airflow runs it also where {' or '.join(texts)}{after and ', and then also ' + after}"
        yield finding("SMP680", reason, task=node)


def _beside_failures(
    sets: _Sets,
    needs: Mapping[str, Mapping[str, str]],
    failing: set[str],
    ends: set[str],
    origins: Mapping[str, Origin],
    limited: bool,
) -> Iterator[Finding]:
    """Tasks that do not depend on a step that fails, and may not have started by then.

    Those that wait for nothing else than that step does have: they start together.
    """
    in_worlds: dict[tuple[str, str], int] = {}
    for name in sets.order:
        for outcome in origins[name].world:
            in_worlds[outcome] = in_worlds.get(outcome, 0) | sets.bit[name]
    all_failing, all_ends = (sum(sets.bit[name] for name in names) for names in (failing, ends))
    stopped = 0
    beside: dict[str, list[str]] = {}
    for name in sets.order:
        related = sets.ancestors[name] | sets.descendants[name] | sets.bit[name]
        for condition, side in origins[name].world:
            related |= in_worlds.get((condition, SIDES[1 - SIDES.index(side)]), 0)
        if not limited:
            together = -1
            for other in needs[name]:
                together &= sets.descendants[other]
            related |= together
        others = all_failing & ~related
        for end in sets.members(others & all_ends):
            beside.setdefault(end, []).append(origins[name].task)
        if others & ~all_ends:
            stopped |= sets.bit[name]
    for end, tasks in beside.items():
        yield finding("SMP620", f"{listed(tasks)} may not have started by then", task=origins[end].node)
    for name in sets.order:  # what waits for the end of what may not start
        if origins[name].rule in TOLERANT and sets.ancestors[name] & stopped:
            stopped |= sets.bit[name] | sets.descendants[name]
    if stopped:
        names = listed(origins[name].task for name in sets.members(stopped))
        yield finding("SMP638", f"{names} may not start after another task has failed on which they do not depend")


def _handled(needs: Mapping[str, Mapping[str, str]], unsure: set[str]) -> set[str]:
    """Steps whose failure certainly has a step that runs because of it."""
    found = set()
    for kinds in needs.values():
        for name, kind in kinds.items():
            others = {other: needed for other, needed in kinds.items() if other != name}
            if kind in ("Any", "Failed") and all(
                (needed == "Any" and other not in unsure) or (needed == _TAKEN and needs[name].get(other) == _TAKEN)
                for other, needed in others.items()
            ):
                found.add(name)
    return found


class _Sets:
    """Sets of the nodes of an acyclic graph as the bits of integers."""

    def __init__(self, graph: nx.DiGraph) -> None:
        self.order: list[str] = list(nx.topological_sort(graph))
        self.bit = {name: 1 << index for index, name in enumerate(self.order)}
        self.ancestors = self._closed(self.order, graph.predecessors)
        self.descendants = self._closed(reversed(self.order), graph.successors)

    def _closed(self, order: Iterable[str], neighbours: Any) -> dict[str, int]:
        found: dict[str, int] = {}
        for name in order:
            found[name] = 0
            for other in neighbours(name):
                found[name] |= found[other] | self.bit[other]
        return found

    def members(self, bits: int) -> Iterator[str]:
        """The nodes of a set, in topological order."""
        while bits:
            lowest = bits & -bits
            yield self.order[lowest.bit_length() - 1]
            bits ^= lowest


def _steps_and_needs(definition: PipelineDefinition) -> tuple[dict[str, Step], dict[str, dict[str, str]]]:
    """The steps outside of loops, and what each waits for -> its run condition; a loop waits for what its body reads."""
    steps: dict[str, Step] = {}
    needs: dict[str, dict[str, str]] = {}
    inside: dict[str, str] = {}
    for step, enclosing in definition.all_steps():
        loops = [outer.name for outer, _ in enclosing if outer.type == "ForEach"]
        name = inside[step.name] = loops[0] if loops else step.name
        own = needs.setdefault(name, {})
        if not loops:
            steps[name] = step
            own.update({outer.name: _TAKEN for outer, _ in enclosing[-1:]})
            own.update(step.dependencies())
        own.update(dict.fromkeys(_reads(step), "Completed"))
    return steps, {
        name: {inside[other]: kind for other, kind in kinds.items() if inside[other] != name}
        for name, kinds in needs.items()
    }


def _reads(step: Step) -> Iterator[str]:
    """The steps that a step refers to."""
    for _, item in walk([step.own_arguments(), dict(step.members)]):
        if isinstance(item, Get) and item.scope == "Steps":
            yield item.name


def listed(names: Iterable[str]) -> str:
    """Names in quotes, each once; of very many the first ones."""
    first = list(islice(names, _MOST_NAMES + 1))
    return ", ".join([*map(repr, dict.fromkeys(first[:_MOST_NAMES])), *(["..."] if len(first) > _MOST_NAMES else [])])
