"""The XCom of a task that a step of a pipeline stands for, from what the service shows of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY, AirflowFailException

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.step_types import ENTRY_NAMES, STEP_METADATA, STEP_TYPES

if TYPE_CHECKING:
    from sagemaker_provider.operators.base import SageMakerStepOperator
    from sagemaker_provider.operators.mirroring import Mirror

_OWN_IDENTIFIERS: Final = {
    "EMR": {"ClusterId": "ClusterId", "StepId": "StepId"},
    "EMRServerless": {"applicationId": "ApplicationId", "jobRunId": "JobRunId"},
}
"""Step type -> member of the Describe request -> member of the step's metadata, where that is no ARN."""
_OF_CHECKS: Final = ("CalculatedBaseline", "BaselineUsedForDriftCheck", "ViolationReport")
"""How the names of those members of a check's metadata begin that are properties of the step."""


def metadata_of(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a step.

    :param kind: its type.
    :param row: its entry in a ListPipelineExecutionSteps response.
    """
    return dict((row.get("Metadata") or {}).get(STEP_METADATA.get(kind, kind)) or {})


def made(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The members with which what a step has created is described; nothing where it has created nothing.

    :param kind: its type.
    :param row: its entry in a ListPipelineExecutionSteps response.
    """
    metadata, resource = metadata_of(kind, row), STEP_TYPES[kind].resource
    if resource is None:
        return {}
    if own := _OWN_IDENTIFIERS.get(kind):
        return {member: metadata[source] for member, source in own.items() if source in metadata}
    arn = metadata.get("CheckJobArn") or metadata.get("Arn")
    ((member, source),) = resource.identifiers.items()
    return {member: arn if source.endswith("Arn") else arn.rpartition("/")[2]} if arn else {}


def own_result(
    task: SageMakerStepOperator,
    context: Any,
    metadata: Mapping[str, Any],
    identifiers: dict[str, Any],
    description: dict[str, Any],
) -> Any:
    """The XCom of a step operator: what it gives when it runs the step itself.

    :param metadata: of the step.
    :param identifiers: members with which what the step has created is described, if it has created something.
    :param description: its Describe response.
    """
    kind: Any = task
    if task.step_type in ("Lambda", "Callback"):
        return kind.result(_outputs(metadata), "the step")
    if task.step_type == "Condition":
        return kind.decide(context, metadata["Outcome"] == "True")
    if task.step_type == "Cleanup":
        return {"CleanedSteps": [{"StepName": name} for name in metadata.get("CleanedSteps", ())]}
    if not identifiers:
        return dict(metadata)
    if task.step_type in ("QualityCheck", "ClarifyCheck"):
        return {**description, **{key: value for key, value in metadata.items() if key.startswith(_OF_CHECKS)}}
    return task.finish(context, identifiers, description)


def foreign_result(
    task: Mirror,
    context: Any,
    item: Mapping[str, Any],
    metadata: Mapping[str, Any],
    description: dict[str, Any],
    execute: Callable[[Any], Any],
) -> Any:
    """The XCom of a task of any other operator, where the step has it.

    :param item: the step as the task that started the pipeline has left it, with ``result``: where the XCom is.
    :param metadata: of the step.
    :param description: Describe response of what the step has created, if it has created something.
    :param execute: the task's own ``execute``; tasks that call Python and those that choose a branch run it, with what the
        step has returned or decided in the place of their function.
    """
    if item["type"] == "Condition":
        return _branch(task, context, metadata["Outcome"] == "True", execute)
    found, lists = item.get("result") or {}, tuple(ENTRY_NAMES.values())
    if "file" in found:
        place = ("ProcessingOutputConfig", "Outputs", paths.Key(found["file"]), "S3Output", "S3Uri")
        uri = paths.look_up(description, place, lists)
        xcoms = task.launch.converter.read_xcoms(task.launch.aws_hook("s3").conn, uri)
        value = xcoms.pop(XCOM_RETURN_KEY, None)
        for key, other in xcoms.items():
            context["ti"].xcom_push(key=key, value=other)
        if not hasattr(task, "execute_callable"):
            return value

        async def later() -> Any:
            return value

        task.execute_callable, task.aexecute_callable = lambda: value, later
        return execute(context)
    if "path" in found:
        properties = description or {"OutputParameters": _typed(item, metadata)}
        return paths.look_up(properties, tuple(found["path"]), lists)
    if "wrapper" in found:
        whole = {found["wrapper"]: description}
        for kind, member in found["beside"].items():
            other = STEP_TYPES[kind].resource
            assert other is not None
            assert other.name is not None
            hook = task.launch.aws_hook(other.service)
            whole[kind] = hook.describe(other, {other.name: description[member]})
        return whole
    task.log.info("The step has nothing that is the XCom of this task")
    return None


def _outputs(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {item["Name"]: item["Value"] for item in metadata.get("OutputParameters") or ()}


def _typed(item: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a function, with the types that they were declared with."""
    from sagemaker_provider.definition.model import OutputParameter
    from sagemaker_provider.definition.outputs import typed_outputs

    declared = [OutputParameter(name, kind) for name, kind in item["outputs"]]
    return typed_outputs(declared, _outputs(metadata))


def _branch(task: Any, context: Any, outcome: bool, execute: Callable[[Any], Any]) -> Any:
    """Let a branch operator take the branch that the step has taken."""
    chosen = task.if_task_ids if outcome else task.else_task_ids
    if not outcome and not chosen:
        raise AirflowFailException(f"{task.task_id}: the conditions are false and there is no other branch")
    task.choose_branch = lambda context: chosen
    return execute(context)
