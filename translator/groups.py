"""Task groups that run as pipelines: from the tasks of a group to what is deployed, started and mirrored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sagemaker_provider.definition.findings import Finding, errors
from sagemaker_provider.operators.base import SageMakerStepOperator
from sagemaker_provider.operators.converted import Converted
from sagemaker_provider.operators.names import pipeline_name
from sagemaker_provider.operators.task_group import SageMakerPipelineLaunchOperator
from sagemaker_provider.translator.airflow_task.values import from_json
from sagemaker_provider.translator.convert import Conversion, Settings, StepsOfTask, convert
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.registry import RETURN_VALUE, XComFile, XComOf


@dataclass(frozen=True)
class Group:
    """A converted group.

    :param findings: all findings, errors first.
    :param converted: what is deployed; ``None`` when there is an error among the findings.
    :param run_values: parameter -> template or reference that has its value in a run.
    :param tasks: task -> the steps that stand for it, as JSON: ``names``, ``type``, ``suffix``; for tasks that are no step
        operators, ``result`` says where their XCom is.
    """

    findings: list[Finding]
    converted: Converted | None
    run_values: Mapping[str, Any]
    tasks: Mapping[str, list[dict[str, Any]]]


def convert_group(launch: SageMakerPipelineLaunchOperator, value: Callable[[Any], Any] | None = None) -> Group:
    """Convert the tasks of a group.

    :param launch: the task that starts the pipeline of the group.
    :param value: the value of a template or reference in a run, so that parameters get its type; without it, what a
        template gives is taken for text.
    """
    conversion = _conversion(launch, launch.dag, Settings(), value)
    if conversion.definition is None or errors(conversion.findings):
        return Group(conversion.findings, None, {}, {})
    converted = Converted.of(conversion.pipeline, conversion.definition.to_json(), conversion.assets)
    tasks = {
        task_id: [_step(item, isinstance(launch.dag.get_task(task_id), SageMakerStepOperator)) for item in items]
        for task_id, items in conversion.tasks.items()
    }
    return Group(conversion.findings, converted, conversion.run_values, tasks)


def pipelines_of_groups(dag: Any) -> dict[str, Callable[[Any, Settings], Conversion]]:
    """The pipelines of the groups of a DAG: name -> what converts the group of a DAG of the same file."""

    def converter(task_id: str) -> Callable[[Any, Settings], Conversion]:
        return lambda other, settings: _conversion(other.get_task(task_id), other, settings)

    launches = [task for task in dag.task_dict.values() if isinstance(task, SageMakerPipelineLaunchOperator)]
    return {_name(task): converter(task.task_id) for task in launches}


def _name(launch: SageMakerPipelineLaunchOperator) -> str:
    return pipeline_name(launch.pipeline_name or f"{launch.dag_id}-{launch.task_group.group_id}")


def _conversion(
    launch: SageMakerPipelineLaunchOperator, dag: Any, settings: Settings, value: Callable[[Any], Any] | None = None
) -> Conversion:
    """The conversion of a group, with the settings of the group before those for all."""
    given = {"role": launch.role, "code_location": launch.code_location}
    own = {**{name: item for name, item in given.items() if item}, **launch.settings}
    defaults = Defaults.from_object(own).over(settings.defaults)
    conversion = convert(dag, replace(settings, defaults=defaults), task_ids=launch.task_ids, value=value)
    return replace(conversion, pipeline={**conversion.pipeline, "PipelineName": _name(launch)})


def _step(item: StepsOfTask, own: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"names": list(item.names), "type": item.type, "suffix": item.suffix}
    if item.outcome is not None:
        found["outcome"] = str(item.outcome)
    if not own:
        found["result"] = _result(item)
        found["outputs"] = [[output.name, output.type] for output in item.step.members.get("OutputParameters") or ()]
    return found


def _result(item: StepsOfTask) -> dict[str, Any]:
    """Where the XCom of a task is that is no step operator; nothing where the step has no such thing."""
    if item.absorbed:
        return {}
    whole = item.step.xcom(RETURN_VALUE, ())
    if isinstance(whole, XComFile):
        return {"file": whole.property_file}
    if isinstance(whole, XComOf):
        return {}
    if item.step.wrapper:
        return {"wrapper": item.step.wrapper, "beside": dict(item.step.beside)}
    return {} if whole is None else {"path": [part if isinstance(part, int) else str(part) for part in whole]}


def read_xcoms(s3: Any, uri: str) -> dict[str, Any]:
    """The XComs by key that the job of a Python or Bash task has left.

    :param s3: boto3 client.
    :param uri: S3 URI of the folder.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")

    def read(name: str) -> Any:
        return json.loads(s3.get_object(Bucket=bucket, Key=f"{key.rstrip('/')}/{name}")["Body"].read())

    return dict(from_json(read("xcom.json"), read("types.json")))
