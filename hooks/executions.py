"""What is to be known of an execution: whether it may start, how it ended, whether it can go on, its metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sagemaker_provider.definition.model import PipelineDefinition
from sagemaker_provider.definition.parameters import checked
from sagemaker_provider.definition.selection import select
from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, State, state_of
from sagemaker_provider.hooks.deployment import PipelineError
from sagemaker_provider.hooks.step import SageMakerStepError, reason_of

METRICS: Final[Mapping[str, tuple[str, str, Callable[[Mapping[str, Any]], list[dict[str, Any]]]]]] = {
    "TrainingJob": (
        "describe_training_job",
        "TrainingJobName",
        lambda job: job.get("FinalMetricDataList", []),
    ),
    "TuningJob": (
        "describe_hyper_parameter_tuning_job",
        "HyperParameterTuningJobName",
        lambda job: list(
            filter(None, [job.get("BestTrainingJob", {}).get("FinalHyperParameterTuningJobObjectiveMetric")])
        ),
    ),
}
"""Member of a step's metadata -> the operation that describes the job, the member with its name, and its metrics."""


def require_startable(
    name: str,
    definition: PipelineDefinition,
    given: Mapping[str, Any],
    steps: Sequence[str],
    source_execution: str | None,
) -> None:
    """Raise :class:`PipelineError` with all reasons why an execution cannot start.

    :param name: pipeline name.
    :param definition: what would run.
    :param given: parameters.
    :param steps: names of steps that would run alone.
    :param source_execution: the execution whose results they would read.
    """
    _, problems = checked(definition, given)
    if steps:
        selection = select(definition, steps)
        problems += selection.problems
        if selection.outside and not source_execution:
            needed = ", ".join(sorted({step for step, _ in selection.outside}))
            problems.append(f"the selected steps need the results of {needed} from another execution")
    if problems:
        raise PipelineError(f"pipeline {name!r} cannot start: {'; '.join(problems)}")


def not_resumable(execution: Mapping[str, Any], steps: Iterable[Mapping[str, Any]]) -> str | None:
    """Why RetryPipelineExecution cannot resume an execution; ``None`` where it can.

    Source: the Developer Guide, which knows it for executions that failed or were stopped, and not after a Fail step.

    :param execution: its Describe response.
    :param steps: of the execution, see :meth:`SageMakerPipelineHook.steps`.
    """
    status = execution["PipelineExecutionStatus"]
    if status not in ("Failed", "Stopped"):
        return f"it is {status}; only Failed and Stopped executions can be"
    if ended := [step["StepName"] for step in steps if "Fail" in step.get("Metadata", {})]:
        return f"it was ended by the Fail step {ended[0]!r}"
    return None


def require_success(execution: Mapping[str, Any], steps: Iterable[Mapping[str, Any]]) -> None:
    """Raise unless an execution has succeeded.

    :param execution: its Describe response.
    :param steps: of the execution, see :meth:`SageMakerPipelineHook.steps`.
    :raises SageMakerStepError: it ended otherwise; names the steps that did, with their reasons.
    """
    state, status = state_of(PIPELINE_EXECUTION, execution)
    if state is State.SUCCEEDED:
        return
    ended = [f"{item['StepName']} {item['StepStatus']}{_reason(item)}" for item in steps if item["StepStatus"] in _BAD]
    why = f" ({'; '.join(ended)})" if ended else reason_of(PIPELINE_EXECUTION, execution)
    raise SageMakerStepError(f"pipeline execution {execution['PipelineExecutionArn']} ended as {status}{why}")


_BAD: Final = ("Failed", "Stopped")


def _reason(step: Mapping[str, Any]) -> str:
    return f": {step['FailureReason']}" if step.get("FailureReason") else ""
