"""Selective execution: some steps of a pipeline run, with the results of another execution for what is before them.

Source: the Developer Guide's page "pipelines-selective-ex". Selecting a step inside a branch or a loop is not documented
and refused; a Condition or ForEach step is selected with all that is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import networkx as nx

from sagemaker_provider.definition import PipelineDefinition
from sagemaker_provider.local.errors import invalid

if TYPE_CHECKING:
    from sagemaker_provider.local.service import LocalSageMaker
    from sagemaker_provider.local.store import Record


def selected(
    local: LocalSageMaker, region: str, pipeline: Record, definition: PipelineDefinition, config: Mapping[str, Any]
) -> tuple[list[str], list[Record]]:
    """Which steps run.

    :return: their names, and the records of the steps before them, from the source execution.
    :raises ServiceError: the selection is not possible; all reasons at once.
    """
    from sagemaker_provider.local.executions import nodes_of
    from sagemaker_provider.local.pipelines import execution_of, step_kind

    chosen = [item["StepName"] for item in config["SelectedSteps"]]
    top = {step.name: step for step in definition.steps}
    known = {step.name for step, _ in definition.all_steps()}
    problems = [f"the pipeline has no step {name!r}" for name in chosen if name not in known]
    problems += [
        f"step {name!r} is inside a branch or loop; select the step that holds it"
        for name in chosen
        if name in known and name not in top
    ]
    if problems:
        raise invalid(f"Invalid selection: {'; '.join(problems)}")

    nodes = {node.name: node for node in nodes_of(definition)}
    holder = {name: outer for outer in top for name in _inside(top[outer])}
    graph = nx.DiGraph()
    graph.add_nodes_from(top)
    needs: dict[str, set[tuple[str, str]]] = {name: set() for name in top}
    for node in nodes.values():
        for name, trigger in node.needs:
            if holder[name] != holder[node.name]:
                graph.add_edge(holder[name], holder[node.name])
                needs[holder[node.name]].add((name, trigger))
    below = set().union(*(nx.descendants(graph, name) for name in chosen))
    above = set().union(*(nx.ancestors(graph, name) for name in chosen))
    for name in sorted((below & above) - set(chosen)):
        problems.append(f"step {name!r} is between selected steps and must be selected too")
    if not problems and not nx.is_weakly_connected(graph.subgraph(chosen)):
        problems.append("the selected steps are not connected")
    outside = sorted({need for name in chosen for need in needs[name] if holder[need[0]] not in chosen})
    reused = []
    source = config.get("SourcePipelineExecutionArn")
    if outside and source is None:
        names = ", ".join(sorted({name for name, _ in outside}))
        problems.append(f"the selected steps need {names}; give a SourcePipelineExecutionArn or select them too")
    elif source is not None:
        execution = execution_of(local, region, source)
        if execution["_pipeline"] != pipeline["PipelineName"]:
            problems.append(f"{source} is not an execution of pipeline {pipeline['PipelineName']!r}")
        elif execution["PipelineExecutionStatus"] in ("Executing", "Stopping"):
            problems.append(f"{source} is still {execution['PipelineExecutionStatus']}")
        for name, trigger in outside:
            record = local.store.get(region, step_kind(source), name)
            status = record["StepStatus"] if record else "not run"
            if record is None or (trigger != "Any" and status != {"Completed": "Succeeded"}.get(trigger, trigger)):
                problems.append(f"step {name!r}, which the selected steps need, has {status} in {source}")
            elif record not in reused:
                reused.append(record)
    if problems:
        raise invalid(f"Invalid selection: {'; '.join(problems)}")
    return [name for name in nodes if holder[name] in chosen], reused


def _inside(step: Any) -> list[str]:
    """A step's name and those of all steps in it."""
    return [step.name, *(name for held in step.branches().values() for inner in held for name in _inside(inner))]
