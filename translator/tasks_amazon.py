"""The SageMaker operators and sensors of the amazon provider, and their ``Async`` variants of earlier years.

Their configs are the requests of the same API operations. What differs is reported: names that the service makes itself,
arguments that concern Airflow's waiting, and the wrapper around the response in the XCom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from sagemaker_provider.definition import conditions as language
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import PropertyFile
from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.translator.registry import (
    RETURN_VALUE,
    Absorbed,
    Given,
    Path,
    RefusedError,
    RoleName,
    Stays,
    Steps,
    TaskStep,
    Translation,
    XComFile,
    XComOf,
    XComPath,
    translates,
)
from sagemaker_provider.translator.templates import is_template

OPERATORS: Final = "airflow.providers.amazon.aws.operators.sagemaker"
SENSORS: Final = "airflow.providers.amazon.aws.sensors.sagemaker"
_ASYNC: Final = "astronomer.providers.amazon.aws"
_BESIDE: Final = {"Transform": {"Model": "ModelName"}, "Endpoint": {"EndpointConfig": "EndpointConfigName"}}
"""Operators whose XCom describes two things: see :attr:`.registry.TaskStep.beside`."""
_NESTED: Final = ("Model", "Transform", "EndpointConfig", "Endpoint", "S3Operations")
_ROLES: Final = ("RoleArn", "ExecutionRoleArn")
"""Members of the requests in which the operators take the name of a role for its ARN."""


def _operators(*names: str) -> tuple[str, ...]:
    """The qualified names of operators and of their ``Async`` variants."""
    return tuple(f"{OPERATORS}.{name}" for name in names) + tuple(
        f"{_ASYNC}.operators.sagemaker.{name}Async" for name in names
    )


def _class(task: Any) -> str:
    """The name of the provider's class that a task is of."""
    modules = (OPERATORS, SENSORS, f"{_ASYNC}.operators.sagemaker", f"{_ASYNC}.sensors.sagemaker")
    return next(cls.__name__ for cls in type(task).__mro__ if cls.__module__ in modules).removesuffix("Async")


def unwrapped(wrapper: str) -> XComPath:
    """The XCom has the Describe response under one key."""

    def path(key: str, segments: Path) -> Path | None:
        return segments[1:] if key == RETURN_VALUE and len(segments) > 1 and segments[0] == wrapper else None

    return path


def _step(
    task: Any, kind: str, config: Mapping[str, Any], *findings: Finding, xcom: XComPath | None = None
) -> TaskStep:
    """A step from a config: the name becomes a prefix or goes, and what a pipeline lacks is reported."""
    row = STEP_TYPES[kind]
    arguments = _with_arns(config)
    found = [*findings, *_refused(task, arguments)]
    made_name = None
    if row.auto_named and row.resource and (member := row.resource.name) and member in arguments:
        made_name = arguments[member]
        literal = isinstance(made_name, str) and not any(mark in made_name for mark in ("{{", "{%"))
        if literal and row.prefix_length and len(made_name) <= row.prefix_length:
            found.append(finding("SMP602", f"{made_name!r} is a prefix", task=task.task_id, place=member))
        else:
            del arguments[member]
            found.append(finding("SMP603", f"{made_name!r} is left out", task=task.task_id, place=member))
    return TaskStep(
        type=kind,
        arguments=arguments,
        made_name=made_name if isinstance(made_name, str) else None,
        xcom=xcom or unwrapped(kind),
        wrapper="" if xcom else kind,
        beside=_BESIDE.get(kind, {}),
        findings=tuple(found),
    )


def _config(task: Any, given: Given) -> Mapping[str, Any]:
    """The config of a task: that of the conversion settings, or its own.

    :raises RefusedError: it is known only when the DAG runs.
    """
    config = task.config if (own := given("config")) is None else own
    if not isinstance(config, Mapping):
        raise RefusedError("SMP209", f"the config is {_shown(config)}, not an object")
    return config


def _shown(value: Any) -> str:
    """A value that should be another one, for a message."""
    if type(value).__name__ == "PlainXComArg":
        return f"what the task {value.operator.task_id!r} returns"
    return repr(value) if isinstance(value, str) else f"a {type(value).__name__}"


def _with_arns(value: Any) -> Any:
    """A config in which the name of a role stands for its ARN, as the operators look it up."""
    if isinstance(value, Mapping):
        return {
            key: RoleName(item)
            if key in _ROLES and isinstance(item, str) and item and "/" not in item and not is_template(item)
            else _with_arns(item)
            for key, item in value.items()
        }
    return [_with_arns(item) for item in value] if isinstance(value, list) else value


def _refused(task: Any, arguments: Mapping[str, Any]) -> Iterator[Finding]:
    for key in _NESTED:
        if key in arguments:
            yield finding(
                "SMP202",
                "a config that holds several requests is not one step",
                task=task.task_id,
                place=f"config.{key}",
            )


def _unsupported(task: Any, **arguments: str) -> list[Finding]:
    """Findings for arguments that are set and have no counterpart, with the reason."""
    return [
        finding("SMP202", reason, task=task.task_id, place=name)
        for name, reason in arguments.items()
        if getattr(task, name, None)
    ]


_PLAIN: Final = {
    "SageMakerTrainingOperator": "Training",
    "SageMakerTuningOperator": "Tuning",
    "SageMakerModelOperator": "Model",
    "SageMakerEndpointConfigOperator": "EndpointConfig",
}
"""Operators whose config is the request of a step type and nothing more."""


@translates(*_operators(*_PLAIN))
def plain(task: Any, given: Given) -> Translation:
    """The request of a step type."""
    return _step(task, _PLAIN[_class(task)], _config(task, given))


_FILE_KEYS: Final = {"result_name", "output_name", "file_name"}


@translates(*_operators("SageMakerProcessingOperator"))
def processing(task: Any, given: Given) -> Translation:
    """CreateProcessingJob; the output files that go into the XCom are property files."""
    step = _step(task, "Processing", _config(task, given))
    files = getattr(task, "output_files_to_xcom", None) or []
    if not files:
        return step
    if not all(isinstance(item, Mapping) and set(item) >= _FILE_KEYS for item in files):
        raise ValueError(f"each of output_files_to_xcom has {', '.join(sorted(_FILE_KEYS))}")
    names = {item["result_name"] for item in files}

    def xcom(key: str, segments: Path) -> Path | XComFile | XComOf | None:
        if key == RETURN_VALUE and len(segments) > 2 and segments[0] == "OutputFiles" and segments[1] in names:
            return XComFile(str(segments[1]), segments[2:])
        return step.xcom(key, segments)

    declared = tuple(PropertyFile(item["result_name"], item["output_name"], item["file_name"]) for item in files)
    missing = finding(
        "SMP637",
        "a missing file is an XCom that says so, and a failure of the step that reads it in a pipeline",
        task=task.task_id,
        place="output_files_to_xcom",
    )
    return replace(step, members={"PropertyFiles": declared}, xcom=xcom, findings=(*step.findings, missing))


@translates(*_operators("SageMakerTransformOperator"))
def transform(task: Any, given: Given) -> Translation:
    """CreateTransformJob, after CreateModel where the config holds both."""
    return _nested(task, _config(task, given), {"Model": "model", "Transform": ""})


@translates(*_operators("SageMakerEndpointOperator"))
def endpoint(task: Any, given: Given) -> Translation:
    """CreateEndpoint or UpdateEndpoint, after the model and the configuration where the config holds them.

    In a pipeline the service creates or updates an endpoint by itself.
    """
    note = finding(
        "SMP609",
        f"operation={task.operation!r}: the step creates the endpoint or updates it, whichever is needed",
        task=task.task_id,
        place="operation",
    )
    kinds = {"Model": "model", "EndpointConfig": "endpoint-config", "Endpoint": ""}
    return _nested(task, _config(task, given), kinds, note)


def _nested(task: Any, config: Mapping[str, Any], kinds: Mapping[str, str], *findings: Finding) -> Translation:
    """A config that holds the requests of several steps under the names of their types, or the request of the last.

    :param kinds: step type -> suffix of the step, in the order in which they run; the last has no suffix.
    """
    kind = list(kinds)[-1]
    if kind not in config:
        return _step(task, kind, config, *findings)
    if unknown := sorted(set(config) - set(kinds)):
        raise ValueError(f"a config with {kind!r} holds {', '.join(map(repr, unknown))} beside it")
    steps = {
        suffix: _step(task, name, config[name], *(findings if name == kind else ()))
        for name, suffix in kinds.items()
        if config.get(name)
    }

    def xcom(key: str, segments: Path) -> Path | XComOf | None:
        if key != RETURN_VALUE or len(segments) < 2 or kinds.get(str(segments[0])) not in steps:
            return None
        suffix = kinds[str(segments[0])]
        return XComOf(suffix, segments[1:]) if suffix else segments[1:]

    steps[""] = replace(steps[""], xcom=xcom)
    return steps[""] if len(steps) == 1 else Steps(steps)


@translates(*_operators("SageMakerRegisterModelVersionOperator"))
def register_model(task: Any, given: Given) -> Translation:
    """CreateModelPackage with one container."""
    approval = getattr(task.model_approval, "value", task.model_approval)
    arguments = {
        "InferenceSpecification": {
            "Containers": [{"Image": task.image_uri, "ModelDataUrl": task.model_url}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelPackageGroupName": task.package_group_name,
        "ModelApprovalStatus": approval,
        **({"ModelPackageDescription": task.package_desc} if task.package_desc else {}),
        **(task.extras or {}),
    }
    group = finding(
        "SMP609",
        "the operator creates a missing group; whether the step does is not documented, so create it beforehand",
        task=task.task_id,
        place="package_group_name",
    )
    return _step(
        task,
        "RegisterModel",
        arguments,
        group,
        xcom=lambda key, segments: ("ModelPackageArn",) if key == RETURN_VALUE and not segments else None,
    )


@translates(f"{OPERATORS}.SageMakerAutoMLOperator")
def automl(task: Any, given: Given) -> Translation:
    """CreateAutoMLJob, in the one mode that pipelines have."""
    source: dict[str, Any] = {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": task.s3_input}},
        "TargetAttributeName": task.target_attribute,
    }
    if task.compressed_input:
        source["CompressionType"] = "Gzip"
    job_config: dict[str, Any] = {"Mode": "ENSEMBLING"}
    if task.time_limit:
        job_config["CompletionCriteria"] = {"MaxAutoMLJobRuntimeInSeconds": task.time_limit}
    extras = dict(task.extras or {})
    own = extras.pop("AutoMLJobConfig", {})
    arguments = {
        "AutoMLJobName": task.job_name,
        "InputDataConfig": [source],
        "OutputDataConfig": {"S3OutputPath": task.s3_output},
        "RoleArn": task.role_arn,
        "AutoMLJobConfig": {"Mode": "ENSEMBLING", **(own or job_config)},
        **extras,
    }
    found = _unsupported(task, autodeploy_endpoint_name="a step does not deploy; add an endpoint step")
    if own.get("Mode", "") not in ("", "ENSEMBLING"):
        found.append(
            finding(
                "SMP202",
                f"the mode {own['Mode']!r}: pipelines have ENSEMBLING only",
                task=task.task_id,
                place="extras.AutoMLJobConfig.Mode",
            )
        )
    elif "Mode" not in own:
        found.append(
            finding(
                "SMP609",
                "without a mode the service chooses one; pipelines have ENSEMBLING only",
                task=task.task_id,
                place="extras.AutoMLJobConfig.Mode",
            )
        )
    return _step(
        task,
        "AutoML",
        arguments,
        *found,
        xcom=lambda key, segments: ("BestCandidate", *segments) if key == RETURN_VALUE and segments else None,
    )


@translates(f"{OPERATORS}.SageMakerConditionOperator")
def condition(task: Any, given: Given) -> Translation:
    """A Condition step; without an else branch the run fails, as the operator does."""
    findings: list[Finding] = []
    operands: list[Any] = []
    arguments = {"Conditions": [_condition(item, operands) for item in task.conditions]}
    if any(isinstance(operand, str) and "{{" in operand for operand in operands):
        findings.append(
            finding(
                "SMP614",
                "the operator casts rendered text to numbers and booleans, the step does not",
                task=task.task_id,
            )
        )
    return TaskStep(
        type="Condition",
        arguments=arguments,
        branches={"IfSteps": tuple(task.if_task_ids), "ElseSteps": tuple(task.else_task_ids)},
        fail_otherwise=None if task.else_task_ids else f"Condition check failed in task '{task.task_id}'",
        xcom=lambda key, segments: None,
        findings=tuple(findings),
    )


def _condition(item: Mapping[str, Any], operands: list[Any]) -> dict[str, Any]:
    """A condition as the definition language writes it."""

    def operand(value: Any) -> Any:
        operands.append(value)
        return _cast(value)

    kind = item["type"]
    if kind == "Not":
        return {"Type": kind, "Condition": _condition(item["condition"], operands)}
    if kind == "Or":
        return {"Type": kind, "Conditions": [_condition(inner, operands) for inner in item["conditions"]]}
    if kind == "In":
        if not isinstance(item["in_values"], (list, tuple)):
            raise TypeError(f"the values of In are a {type(item['in_values']).__name__}, not a list")
        return {
            "Type": kind,
            "QueryValue": operand(item["value"]),
            "Values": [operand(value) for value in item["in_values"]],
        }
    if kind not in language.CONDITIONS:
        return {"Type": kind}
    return {"Type": kind, "LeftValue": operand(item["left_value"]), "RightValue": operand(item["right_value"])}


def _cast(value: Any) -> Any:
    """What the operator compares for a literal text."""
    if not isinstance(value, str) or "{{" in value:
        return value
    for read in (int, float):
        try:
            return read(value)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(value.lower(), value)


@translates(
    f"{SENSORS}.SageMakerTrainingSensor",
    f"{SENSORS}.SageMakerProcessingSensor",
    f"{SENSORS}.SageMakerTransformSensor",
    f"{SENSORS}.SageMakerTuningSensor",
    f"{SENSORS}.SageMakerAutoMLSensor",
)
def job_sensor(task: Any, given: Given) -> Translation:
    """Waits for a job by its name."""
    return Absorbed(task.job_name, _class(task).removeprefix("SageMaker").removesuffix("Sensor"))


@translates(f"{SENSORS}.SageMakerEndpointSensor")
def endpoint_sensor(task: Any, given: Given) -> Translation:
    """Waits for an endpoint by its name."""
    return Absorbed(task.endpoint_name, "Endpoint")


@translates(
    f"{OPERATORS}.SageMakerStartPipelineOperator",
    f"{OPERATORS}.SageMakerStopPipelineOperator",
    f"{SENSORS}.SageMakerPipelineSensor",
)
def pipeline(task: Any, given: Given) -> Translation:
    """Starts, stops or waits for a pipeline that exists: there is nothing to translate."""
    name = getattr(task, "pipeline_name", None) or getattr(task, "pipeline_exec_arn", None)
    return Stays((finding("SMP207", f"{_class(task)} works on the pipeline {_shown(name)}", task=task.task_id),))


_STAY: Final = {
    "SageMakerCreateExperimentOperator": "a pipeline makes its own experiment: convert with --experiment, or make it beforehand",
    "SageMakerCreateNotebookOperator": "no step type works on notebook instances",
    "SageMakerStartNoteBookOperator": "no step type works on notebook instances",
    "SageMakerStopNotebookOperator": "no step type works on notebook instances",
    "SageMakerDeleteNotebookOperator": "no step type works on notebook instances",
    "SageMakerDeleteModelOperator": "a Cleanup step deletes only what a step of the same pipeline made",
    "SageMakerNotebookOperator": "notebooks of SageMaker Unified Studio are no step; a notebook job of SageMaker is another thing",
}
"""Operators without a step type -> why."""


@translates(
    *(f"{OPERATORS}.{name}" for name in _STAY),
    "airflow.providers.amazon.aws.operators.sagemaker_unified_studio.SageMakerNotebookOperator",
)
def without_step(task: Any, given: Given) -> Translation:
    """Tasks for which SageMaker has no step."""
    name = next(cls.__name__ for cls in type(task).__mro__ if cls.__name__ in _STAY)
    return Stays((finding("SMP201", f"{name}: {_STAY[name]}", task=task.task_id),))
