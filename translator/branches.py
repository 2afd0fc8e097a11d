"""Which tasks run in which branch.

A *world* is a set of outcomes of conditions: ``{("check", "IfSteps")}`` is the world in which the conditions of the
task ``check`` are true. A task runs in the worlds in which Airflow would not skip it. A task that runs in one world is
one step; one that follows both branches of a condition runs in two, and becomes two steps, since a pipeline cannot join
branches.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import networkx as nx

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.translator.graph import in_order

World: TypeAlias = "frozenset[tuple[str, str]]"
Run: TypeAlias = "tuple[str, World]"
"""A task in one of its worlds."""


class Copy(NamedTuple):
    """A node of the graph in one world: what becomes one step. A node is a task, or one of several steps of a task."""

    task: str
    world: World


EVERYWHERE: Final[World] = frozenset()
SIDES: Final = ("IfSteps", "ElseSteps")
MOST_WORLDS: Final = 256
"""Tasks that would need more steps than this are refused before they are counted; a pipeline has 50."""
MOST_SCENARIOS: Final = 4096
"""Most combinations of outcomes that are looked at for one task."""

TEARDOWN: Final = "all_done_setup_success"
"""The trigger rule of teardown tasks."""

_JOINS: Final[Mapping[str, Callable[[Iterable[bool]], bool]]] = {
    "none_failed_min_one_success": any,
    "one_success": any,
    "none_failed": lambda ran: True,
    "all_success": all,
    "all_done": lambda ran: True,
    TEARDOWN: lambda ran: any(setups) if (setups := list(ran)) else True,
}
"""Trigger rules that have a meaning after a branch -> from which of the upstreams ran to whether the task runs.

For a teardown, which of its setups ran.
"""


def worlds(
    graph: nx.DiGraph,
    conditions: Mapping[str, Mapping[str, tuple[str, ...]]],
    rules: Mapping[str, str],
    short_circuits: Container[str] = (),
    constants: Container[str] = (),
    setups: Container[str] = (),
) -> tuple[dict[str, list[World]], list[Finding]]:
    """The worlds in which each task runs.

    :param graph: the DAG's tasks.
    :param conditions: condition task -> side -> task ids directly downstream; a side with which the run fails is absent.
    :param rules: task -> trigger rule.
    :param short_circuits: conditions after which everything but teardowns is skipped, whatever its rule, unless they are
        true.
    :param constants: conditions that always have the one side that ``conditions`` gives for them.
    :param setups: setup tasks.
    :return: task -> worlds, those with true conditions first; and findings.
    """
    found: dict[str, list[World]] = {}
    findings: list[Finding] = []
    skipped: set[str] = set()  # never run, because of a constant
    order = in_order(graph)
    ranks = {task: index for index, task in enumerate(order)}
    reach = {
        name: {side: _reached(graph, heads) for side, heads in sides.items()} for name, sides in conditions.items()
    }
    for task in order:
        runs_after: dict[str, list[World]] = {}
        for upstream in graph.predecessors(task):
            runs_after[upstream] = found[upstream]
            if upstream in conditions:
                allowed = [side for side, tasks in reach[upstream].items() if task in tasks]
                runs_after[upstream] = [world | {(upstream, side)} for side in allowed for world in found[upstream]]
                if upstream in constants:
                    runs_after[upstream] = found[upstream] if allowed else []
        counted = [upstream for upstream in runs_after if rules[task] != TEARDOWN or upstream in setups]
        options_of = [*runs_after.values(), *(found[upstream] for upstream in runs_after)]
        relevant = {name for options in options_of for world in options for name, _ in world}
        idle = [upstream for upstream, options in runs_after.items() if not options]
        decided = [upstream for upstream in idle if upstream in (skipped if not found[upstream] else constants)]
        if not relevant and (not idle or decided != idle):
            found[task] = [] if idle else [EVERYWHERE]
            if idle and all(found[upstream] for upstream in runs_after):
                findings.append(finding("SMP401", "no branch names the task", task=task))
            continue
        deciding = [upstream for upstream in decided if found[upstream]]
        if deciding and rules[task] == "one_success" and idle != list(runs_after):
            reason = f"the rule one_success may start it before {deciding[0]!r}, which leaves it out, has run"
        else:
            reason = f"the rule {rules[task]} after a branch" if rules[task] not in _JOINS else ""
        if reason:
            findings.append(finding("SMP205", reason, task=task))
            found[task] = []
            continue
        scenarios: dict[World, frozenset[Run]] = {}
        names = sorted(relevant, key=ranks.__getitem__)
        stopping = [
            name
            for name in names
            if name in short_circuits and task in reach[name][SIDES[0]] and rules[task] != TEARDOWN
        ]
        for count, scenario in enumerate(_scenarios(names, conditions, found)):
            if count >= MOST_SCENARIOS or len(scenarios) > MOST_WORLDS:
                findings.append(
                    finding("SMP402", "the task runs after too many combinations of outcomes of conditions", task=task)
                )
                break
            if any((name, SIDES[1]) in scenario for name in stopping):
                continue
            ran = frozenset((name, world) for name in runs_after for world in found[name] if world <= scenario)
            after = {name for name, options in runs_after.items() if any(world <= scenario for world in options)}
            if {name for name, _ in ran} == after and _JOINS[rules[task]](name in after for name in counted):
                scenarios[scenario] = ran
        found[task] = sorted(_merged(scenarios, names, found), key=lambda world: _sort_key(world, ranks))
        if not scenarios and decided:
            skipped.add(task)
        elif not scenarios and all(found[upstream] for upstream in runs_after):
            findings.append(finding("SMP401", "no outcome of the conditions lets the task run", task=task))
    return found, findings


def _reached(graph: nx.DiGraph, heads: tuple[str, ...]) -> set[str]:
    known = [head for head in heads if head in graph]
    return set(known).union(*(nx.descendants(graph, head) for head in known))


def _scenarios(
    names: list[str], conditions: Mapping[str, Iterable[str]], found: Mapping[str, list[World]]
) -> Iterator[World]:
    """Every combination of outcomes of the conditions, without those that are not evaluated in it."""

    def extend(world: World, rest: list[str]) -> Iterator[World]:
        if not rest:
            yield world
            return
        first, later = rest[0], rest[1:]
        if any(option <= world for option in found[first]):
            for side in conditions[first]:
                yield from extend(world | {(first, side)}, later)
        else:
            yield from extend(world, later)

    return extend(EVERYWHERE, names)


def _merged(
    scenarios: Mapping[World, frozenset[Run]], names: list[str], found: Mapping[str, list[World]]
) -> list[World]:
    """Fewer worlds: two that differ in one outcome only, after the same steps, are one.

    The outcomes that remain must still say which copies of their conditions ran.
    """
    current = dict(scenarios)
    for name in reversed(names):
        for world, ran in list(current.items()):
            side = next((side for side in SIDES if (name, side) in world), None)
            if side is None or world not in current:
                continue
            rest = world - {(name, side)}
            twin = rest | {(name, SIDES[1 - SIDES.index(side)])}
            known = all(any(option <= rest for option in found[other]) for other, _ in rest)
            if known and current.get(twin) == ran:
                del current[world], current[twin]
                current[rest] = ran
    return list(current)


def _sort_key(world: World, ranks: Mapping[str, int]) -> list[tuple[int, int]]:
    return sorted((ranks[name], SIDES.index(side)) for name, side in world)


def copy_in(worlds: Mapping[str, list[World]], node: str, world: World) -> Copy | None:
    """The copy of a node that has run in a world, if one has."""
    return next((Copy(node, own) for own in worlds[node] if own <= world), None)
