"""Selective execution: which steps may run alone, and what they need of another execution.

Source: the Developer Guide's page "pipelines-selective-ex". Selecting a step inside a branch or a loop is not documented
and refused; a Condition or ForEach step is selected with all that is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sagemaker_provider.definition.expressions import Get, walk
from sagemaker_provider.definition.model import PipelineDefinition, Step


@dataclass(frozen=True)
class Selection:
    """Steps that are selected.

    :param problems: all reasons why the selection is not possible.
    :param outside: (name, trigger) of the steps that the selected ones wait for and that are not among them.
    :param names: the selected steps and all that is in them.
    """

    problems: tuple[str, ...]
    outside: tuple[tuple[str, str], ...]
    names: tuple[str, ...]


def select(definition: PipelineDefinition, chosen: Sequence[str]) -> Selection:
    """Select steps.

    :param chosen: names of steps.
    """
    import networkx as nx

    top = {step.name: step for step in definition.steps}
    holder = {inner.name: outer for outer in top for inner in _inside(top[outer])}
    problems = [f"the pipeline has no step {name!r}" for name in chosen if name not in holder]
    problems += [
        f"step {name!r} is inside a branch or loop; select the step that holds it"
        for name in chosen
        if name in holder and name not in top
    ]
    if problems:
        return Selection(tuple(problems), (), ())
    graph = nx.DiGraph()
    graph.add_nodes_from(top)
    waits: dict[str, set[tuple[str, str]]] = {name: set() for name in top}
    for outer, step in top.items():
        for name, trigger in (need for inner in _inside(step) for need in needs(inner)):
            if holder[name] != outer:
                graph.add_edge(holder[name], outer)
                waits[outer].add((name, trigger))
    below = set().union(*(nx.descendants(graph, name) for name in chosen))
    above = set().union(*(nx.ancestors(graph, name) for name in chosen))
    problems += [
        f"step {name!r} is between selected steps and must be selected too"
        for name in sorted((below & above) - set(chosen))
    ]
    if chosen and not problems and not nx.is_weakly_connected(graph.subgraph(chosen)):
        problems.append("the selected steps are not connected")
    outside = sorted({need for name in chosen for need in waits[name] if holder[need[0]] not in chosen})
    names = [step.name for step, _ in definition.all_steps() if holder[step.name] in chosen]
    return Selection(tuple(problems), tuple(outside), tuple(names))


def needs(step: Step) -> Iterator[tuple[str, str]]:
    """What a step waits for: (step, trigger), declared or by reference."""
    yield from step.dependencies()
    if step.type == "Cleanup":
        declared = {name for name, _ in step.dependencies()}
        for source in step.arguments.get("Resources", {}).get("S3", ()):
            if source["StepName"] not in declared:
                yield source["StepName"], "Completed"
    for _, expression in walk([step.own_arguments(), dict(step.members)]):
        if isinstance(expression, Get) and expression.scope == "Steps":
            yield expression.name, "Completed"


def _inside(step: Step) -> Iterator[Step]:
    """A step and all steps in it."""
    yield step
    for held in step.branches().values():
        for inner in held:
            yield from _inside(inner)
