"""Selective execution: some steps of a pipeline run, with the results of another execution for what is before them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sagemaker_provider.definition import PipelineDefinition
from sagemaker_provider.definition.selection import select
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

    found = select(definition, [item["StepName"] for item in config["SelectedSteps"]])
    problems, outside = list(found.problems), found.outside
    reused: list[Record] = []
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
    return [node.name for node in nodes_of(definition, list(found.names))], reused
