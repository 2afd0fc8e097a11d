"""Our own step operators: their arguments are those of a step already."""

from __future__ import annotations

from typing import Any

from sagemaker_provider.definition.findings import finding
from sagemaker_provider.operators.functions import SageMakerCallbackStepOperator, SageMakerLambdaStepOperator
from sagemaker_provider.translator.registry import (
    Absorbed,
    Given,
    Stays,
    TaskStep,
    Translation,
    Vanishes,
    translates,
)


@translates("sagemaker_provider.operators.base.SageMakerStepOperator")
def step(task: Any, given: Given) -> Translation:
    """Any step operator."""
    if not isinstance(task.step_name, (str, type(None))):
        raise TypeError(f"step_name is text, not {task.step_name!r}")
    if not isinstance(task.config, dict):
        raise TypeError(f"config is an object that is known when the DAG is parsed, not {type(task.config).__name__}")
    findings = []
    for field, value in (
        ("function_arn", getattr(task, "function_arn", "")),
        ("queue_url", getattr(task, "queue_url", "")),
    ):
        if isinstance(task, (SageMakerLambdaStepOperator, SageMakerCallbackStepOperator)) and (
            "{{" in str(value) or "{%" in str(value)
        ):
            findings.append(
                finding("SMP301", "a pipeline takes only literal text here", task=task.task_id, place=field)
            )
    return TaskStep(
        type=task.step_type,
        arguments=task.step_arguments(),
        members=task.step_members(),
        name=task.step_name,
        display_name=task.display_name,
        description=task.description,
        retry_policies=task.retry_policies,
        cache_config=task.cache,
        branches={"IfSteps": tuple(task.if_task_ids), "ElseSteps": tuple(task.else_task_ids)}
        if task.step_type == "Condition"
        else {},
        findings=tuple(findings),
    )


@translates("sagemaker_provider.sensors.step.SageMakerStepSensor")
def sensor(task: Any, given: Given) -> Translation:
    """Our sensors wait for what a step creates."""
    return Absorbed(list(task.identifiers.values())[-1], task.kind)


@translates(
    "sagemaker_provider.operators.pipeline.ExecutionOperator",
    "sagemaker_provider.operators.pipeline.PipelineOperator",
)
def pipeline_work(task: Any, given: Given) -> Translation:
    """The operators that deploy, start, stop, resume, delete and schedule pipelines."""
    return Stays((finding("SMP801", f"{type(task).__name__} has no step", task=task.task_id),))


@translates("sagemaker_provider.operators.task_group.SageMakerPipelineLaunchOperator")
def launch(task: Any, given: Given) -> Translation:
    """The start of a group that runs as a pipeline: in the pipeline of the whole DAG, the group's tasks are steps."""
    own = {
        name: getattr(task, name) for name in ("role", "settings", "code_location", "parameters", "max_parallel_steps")
    }
    findings = [finding("SMP823", "its tasks are steps of this pipeline", task=task.task_id)]
    if named := [name for name, value in own.items() if value]:
        findings.append(finding("SMP825", f"the group has {', '.join(named)}", task=task.task_id))
    return Vanishes(tuple(findings))
