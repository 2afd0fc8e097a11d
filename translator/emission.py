"""From steps and what waits for what to the steps of a definition: branches, dependencies, loops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import networkx as nx

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.conditions import Not, Or
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import Dependency, Step
from sagemaker_provider.translator import graph as graphs
from sagemaker_provider.translator.branches import SIDES, Copy, World, copy_in
from sagemaker_provider.translator.names import another_name
from sagemaker_provider.translator.registry import TaskStep


@dataclass
class Emission:
    """The last pass of a conversion.

    :param edges: copies, joined with the run condition ``trigger`` of each edge.
    :param worlds: node -> the worlds in which it runs.
    :param order: the nodes, each after those it depends on.
    :param conditions: the nodes that are conditions.
    :param steps: copy -> its step, with expressions in its arguments.
    :param names: copy -> name of its step.
    :param copy_of: name of a step -> copy; gets the names of further steps.
    :param reads: copy -> the nodes that its arguments refer to.
    :param nested: whether a condition may stay in the branch of another.
    :param concurrency: how many items of a loop run at once, as far as the service allows.
    :param findings: what is found on the way.
    """

    edges: nx.DiGraph
    worlds: Mapping[str, list[World]]
    order: Sequence[str]
    conditions: Mapping[str, Any]
    steps: Mapping[Copy, TaskStep]
    names: Mapping[Copy, str]
    copy_of: dict[str, Copy]
    reads: Mapping[Copy, set[str]]
    nested: bool
    concurrency: int
    findings: list[Finding] = field(default_factory=list)

    def emit(self) -> tuple[Step, ...]:
        """Put the steps into their branches, with what they depend on."""
        ranks = {task: index for index, task in enumerate(self.order)}
        order = sorted(self.edges, key=lambda copy: (ranks[copy.task], self.worlds[copy.task].index(copy.world)))
        home: dict[Copy, tuple[Copy, str] | None] = {copy: self._home(copy, ranks) for copy in order}
        guards = {
            copy: self._guard(copy, home)
            for copy in order
            if copy.task in self.conditions and home[copy] is None and copy.world
        }
        waits = self._waits(order, home)
        children: dict[tuple[Copy, str] | None, list[Step]] = {}
        for copy in reversed(order):
            made = list(self._steps_of(copy, children, waits[copy], guards.get(copy, ())))
            children.setdefault(home[copy], [])[:0] = made
        for copy, guard in guards.items():
            self.findings.append(
                finding(
                    "SMP605",
                    f"{self.names[copy]!r} stands at the top level{' with the conditions of the outer one' if guard else ''}",
                    task=copy.task,
                )
            )
        for task in dict.fromkeys(copy.task for copy in order if copy in self.steps):
            if len(self.worlds[task]) > 1:
                self.findings.append(
                    finding(
                        "SMP606",
                        f"the task is {len(self.worlds[task])} steps: {', '.join(self.names[Copy(task, world)] for world in self.worlds[task])}",
                        task=task,
                    )
                )
        return tuple(children.get(None, ()))

    def _home(self, copy: Copy, ranks: Mapping[str, int]) -> tuple[Copy, str] | None:
        """The branch that holds a copy: that of the last of its conditions."""
        if not copy.world or (copy.task in self.conditions and not self.nested):
            return None
        name, side = max(copy.world, key=lambda outcome: ranks[outcome[0]])
        holder = copy_in(self.worlds, name, copy.world)
        assert holder is not None
        held = holder.world | {(name, side)}
        for outcome in sorted(copy.world - held):
            if not self._kept(copy, outcome):
                self.findings.append(
                    finding(
                        "SMP402",
                        f"the task is in branches of {outcome[0]!r} and {name!r} at once, and nothing of the former is before it",
                        task=copy.task,
                    )
                )
        return holder, side

    def _kept(self, copy: Copy, outcome: tuple[str, str]) -> bool:
        """Whether a copy waits for a step that exists only with an outcome; nothing waits for a condition itself."""
        return any(
            outcome in other.world for other in nx.ancestors(self.edges, copy) if other.task not in self.conditions
        )

    def _guard(self, copy: Copy, home: Mapping[Copy, Any]) -> tuple[Any, ...]:
        """The conditions that a lifted condition must repeat, because no step of the branch is before it."""
        guard: list[Any] = []
        for name, side in sorted(copy.world, key=lambda outcome: self.order.index(outcome[0])):
            if not self._kept(copy, (name, side)):
                outer = copy_in(self.worlds, name, copy.world)
                assert outer is not None
                own = self.steps[outer].arguments["Conditions"]
                guard += own if side == SIDES[0] else [_negated(own)]
        return tuple(guard)

    def _waits(
        self, order: list[Copy], home: Mapping[Copy, tuple[Copy, str] | None]
    ) -> dict[Copy, list[tuple[Copy, str]]]:
        """What each copy names in ``DependsOn``.

        A branch waits for its condition by itself, and nothing else may name a condition: it waits for what the condition
        waits for. References make dependencies of their own.
        """
        plain = nx.DiGraph()
        plain.add_nodes_from(order)
        triggers: dict[Copy, list[tuple[Copy, str]]] = {}
        for copy in order:
            pending = list(self.edges.in_edges(copy))
            seen: set[Copy] = set()
            while pending:
                edge = pending.pop()
                first = edge[0]
                if first in seen or ((holder := home[copy]) is not None and first == holder[0]):
                    continue
                seen.add(first)
                kind = self.edges.edges[edge]["trigger"]
                if first.task in self.conditions:
                    pending += self.edges.in_edges(first)
                elif kind == "Completed":
                    plain.add_edge(first, copy)
                else:
                    triggers.setdefault(copy, []).append((first, kind))
            if (holder := home[copy]) is not None:
                plain.add_edge(holder[0], copy)
        data = {
            (other, copy)
            for copy in order
            for task in self.reads[copy]
            if (other := copy_in(self.worlds, task, copy.world)) is not None
        }
        plain.add_edges_from(data)
        needless = graphs.redundant_edges(plain, graphs.in_order(plain))
        rank = {copy: index for index, copy in enumerate(order)}
        waits: dict[Copy, list[tuple[Copy, str]]] = {}
        for copy in order:
            holder_copy = home[copy][0] if home[copy] else None  # type: ignore[index]
            named = [
                (first, "Completed")
                for first in plain.predecessors(copy)
                if first != holder_copy and (first, copy) not in data and (first, copy) not in needless
            ]
            waits[copy] = sorted([*named, *triggers.get(copy, ())], key=lambda item: rank[item[0]])
        return waits

    def _steps_of(
        self, copy: Copy, children: dict[Any, list[Step]], waits: list[tuple[Copy, str]], guard: tuple[Any, ...]
    ) -> Iterator[Step]:
        step, name = self.steps[copy], self.names[copy]
        depends_on = (
            tuple(
                self.names[other] if kind == "Completed" else Dependency(self.names[other], kind)
                for other, kind in waits
            )
            or None
        )
        branches = (
            {side: tuple(children.pop((copy, side), ())) for side in SIDES} if copy.task in self.conditions else {}
        )
        if step.fail_otherwise:
            failed = Copy(copy.task, copy.world | {(copy.task, SIDES[1])})
            fail = Step(self._another_name(failed, name, "failed"), "Fail", {"ErrorMessage": step.fail_otherwise})
            branches[SIDES[1]] = (*branches[SIDES[1]], fail)
        output_parameters = step.members.get("OutputParameters")
        property_files = step.members.get("PropertyFiles")
        display_name = step.display_name or (copy.task if copy.task != name else None)
        base = Step(
            name=name,
            type=step.type,
            arguments={**step.arguments, **branches},
            depends_on=depends_on,
            display_name=display_name,
            description=step.description,
            retry_policies=step.retry_policies or None,
            cache_config=step.cache_config,
            property_files=None if property_files is None else tuple(property_files),
            output_parameters=None if output_parameters is None else tuple(output_parameters),
            members={
                key: value for key, value in step.members.items() if key not in ("OutputParameters", "PropertyFiles")
            },
        )
        if step.loop_over is not None:
            yield self._loop(copy, base, step.loop_over)
            return
        if not guard:
            yield base
            return
        own = step.arguments["Conditions"]
        read = any(copy.task in tasks for tasks in self.reads.values())
        if branches[SIDES[0]] or not branches[SIDES[1]] or read:
            yield replace(base, arguments={"Conditions": (*guard, *own), SIDES[0]: branches[SIDES[0]], SIDES[1]: ()})
        if branches[SIDES[1]]:
            yield replace(
                base,
                name=self._another_name(copy, name, "else"),
                display_name=step.display_name or copy.task,
                arguments={"Conditions": (*guard, _negated(own)), SIDES[0]: branches[SIDES[1]], SIDES[1]: ()},
            )

    def _loop(self, copy: Copy, body: Step, items: Any) -> Step:
        """A ForEach step around a step."""
        inner = replace(body, name=self._another_name(copy, body.name, "item"), depends_on=None)
        concurrency = max(1, min(self.concurrency, limits.FOR_EACH_CONCURRENCY))
        arguments = {"IterableItems": items, "MaxConcurrency": concurrency, "ForEachBody": (inner,)}
        return Step(body.name, "ForEach", arguments, depends_on=body.depends_on, display_name=body.display_name)

    def _another_name(self, copy: Copy, name: str, word: str) -> str:
        """A name that no step has yet, for a second step of the same copy."""
        found = another_name(name, word, self.copy_of)
        self.copy_of[found] = copy
        return found


def _negated(conditions: tuple[Any, ...]) -> Any:
    """The opposite of a list of conditions that must all be true."""
    if len(conditions) == 1:
        return Not(conditions[0])
    return Or(tuple(Not(item) for item in conditions))
