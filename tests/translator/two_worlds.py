"""Airflow's skipping and a pipeline's running, each simulated by itself, to compare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import networkx as nx

from sagemaker_provider.definition.conditions import holds
from sagemaker_provider.definition.expressions import Get, walk
from sagemaker_provider.definition.model import PipelineDefinition, Step

RULES = ("all_success", "none_failed", "none_failed_min_one_success", "one_success")


@dataclass
class Plan:
    """A DAG in the abstract.

    ``edges`` go from lower to higher numbers; ``branches`` gives, for each condition, its if and its else tasks.
    """

    size: int
    edges: set[tuple[int, int]]
    rules: dict[int, str]
    branches: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    empties: frozenset[int] = frozenset()

    @property
    def graph(self) -> nx.DiGraph:
        graph = nx.DiGraph()
        graph.add_nodes_from(range(self.size))
        graph.add_edges_from(sorted(self.edges))
        return graph

    def outcomes(self) -> Iterator[dict[int, bool]]:
        """Every combination of outcomes of the conditions."""
        for values in product((True, False), repeat=len(self.branches)):
            yield dict(zip(self.branches, values))


def tasks_that_run(plan: Plan, outcomes: Mapping[int, bool]) -> set[int]:
    """The tasks that Airflow does not skip: ``SkipMixin.skip_all_except``, then the trigger rules, nothing fails."""
    graph = plan.graph
    dismissed: set[int] = set()
    ran: set[int] = set()
    for task in range(plan.size):
        upstream = list(graph.predecessors(task))
        states = [other in ran for other in upstream]
        rule = plan.rules[task]
        if rule == "all_success":
            runs = all(states)
        elif rule == "none_failed":
            runs = True
        else:
            runs = any(states) or not states
        if not runs or task in dismissed:
            continue
        ran.add(task)
        if task in plan.branches:
            chosen = set(plan.branches[task][0 if outcomes[task] else 1])
            chosen |= {below for head in chosen for below in nx.descendants(graph, head)}
            dismissed |= set(graph.successors(task)) - chosen
    return ran


class Execution:
    """A pipeline execution in which no step fails.

    A step runs when the branch that holds it is taken, and every step that it names in ``DependsOn`` or refers to has run.
    """

    def __init__(self, definition: PipelineDefinition, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.steps = list(definition.all_steps())
        self.ran: dict[str, bool | None] = {}
        while True:
            ready = [
                step
                for step, enclosing in self.steps
                if step.name not in self.ran
                and all(self.ran.get(name) is not None for name in self._waits(step))
                and (not enclosing or self._taken(enclosing[-1]))
            ]
            if not ready:
                break
            for step in ready:
                self.ran[step.name] = self._outcome(step) if step.type == "Condition" else True

    def _waits(self, step: Step) -> set[str]:
        return {name for name, _ in step.dependencies()} | reads(step)

    def _taken(self, holder: tuple[Step, str]) -> bool:
        outcome = self.ran.get(holder[0].name)
        return outcome is not None and outcome == (holder[1] == "IfSteps")

    def _outcome(self, step: Step) -> bool:
        conditions = [item.substitute(self._value) for item in step.arguments["Conditions"]]
        return all([holds(item) for item in conditions])

    def _value(self, get: Get) -> Any:
        return self.parameters[get.name] if get.scope == "Parameters" else "ok"


def reads(step: Step) -> set[str]:
    """Names of the steps that a step refers to."""
    found = [*walk(step.own_arguments()), *walk(step.members)]
    return {item.name for _, item in found if isinstance(item, Get) and item.scope == "Steps"}


def order_of(definition: PipelineDefinition) -> nx.DiGraph:
    """What waits for what: dependencies, references, and a branch for its condition."""
    graph = nx.DiGraph()
    for step, enclosing in definition.all_steps():
        graph.add_node(step.name)
        graph.add_edges_from((name, step.name) for name in {name for name, _ in step.dependencies()} | reads(step))
        if enclosing:
            graph.add_edge(enclosing[-1][0].name, step.name)
    return graph


def task_of(step: Step) -> str:
    """The id of the task that a step was made from."""
    return step.display_name or step.name
