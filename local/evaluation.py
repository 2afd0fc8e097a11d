"""Values of a pipeline that runs: expressions evaluated, property files read, responses as properties."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sagemaker_provider.definition import Get, Join, JsonGet, paths
from sagemaker_provider.definition.step_types import ENTRY_NAMES

if TYPE_CHECKING:
    from sagemaker_provider.local.executions import Execution, Node


class StepFailedError(Exception):
    """A step failed.

    :param reason: for people.
    :param cause: kind of failure as retry policies name it; ``None`` for what no policy retries.
    """

    def __init__(self, reason: str, cause: str | None = None) -> None:
        super().__init__(reason)
        self.cause = cause


def evaluate(execution: Execution, node: Node, value: Any, names: Mapping[str, str] = {}) -> Any:
    """A value with every expression in it replaced by what it stands for now.

    :param names: values of ``Execution.TrainingJobName`` and the like.
    :raises StepFailedError: a reference leads nowhere.
    """

    def go(item: Any) -> Any:
        if isinstance(item, Get):
            return _get(execution, node, item, names)
        if isinstance(item, Join):
            return item.on.join(str(go(part)) for part in item.values)
        if isinstance(item, JsonGet):
            return _json_get(execution, node, item, go)
        if isinstance(item, Mapping):
            return {key: go(part) for key, part in item.items()}
        if isinstance(item, (list, tuple)):
            return [go(part) for part in item]
        return item

    return go(value)


def _get(execution: Execution, node: Node, expression: Get, names: Mapping[str, str]) -> Any:
    record, scope, name = execution.record, expression.scope, expression.name
    if scope == "Parameters":
        return record["_parameters"][name]
    if scope == "Execution":
        known = {
            "PipelineName": record["_pipeline"],
            "PipelineArn": record["PipelineArn"],
            "PipelineExecutionId": record["_id"],
            "PipelineExecutionArn": execution.arn,
            "StartDateTime": _time_text(record["StartTime"]),
            "CurrentDateTime": _time_text(time.time()),
            **names,
        }
        if name not in known:
            raise StepFailedError(f"ClientError: Execution.{name} has no value in this step")
        return known[name]
    if scope == "PipelineExperimentConfig":
        config = execution.definition.members.get("PipelineExperimentConfig") or {}
        return evaluate(execution, node, config[name])
    if scope == "ForEach" and node.loop:
        return down(node.loop[2], expression.segments[2:], expression.path)
    if scope == "Steps":
        return down(properties_of_step(execution, node, name), expression.members, expression.path)
    raise StepFailedError(f"ClientError: cannot resolve {expression.path}")


def properties_of_step(execution: Execution, node: Node, name: str) -> dict[str, Any]:
    """The properties of a step as another sees them: in a loop, those of the same iteration."""
    own = f"{name}-{node.loop[1]}" if node.loop and name in node.siblings else name
    return dict((execution.step_record(own) or {}).get("_properties", {}))


def down(document: Any, segments: tuple[paths.Segment, ...], path: str) -> Any:
    """The single value that a path leads to in properties; JSON text on the way is read.

    :param path: the whole reference, for the message.
    :raises StepFailedError: there is none.
    """
    if isinstance(document, str) and segments and document[:1] in "{[":
        with contextlib.suppress(ValueError):
            document = json.loads(document)
    if segments and segments[0] == "JobConfigDocument" and len(segments) > 1:
        return down(document.get("JobConfigDocument", ""), segments[1:], path)
    try:
        value = paths.look_up(document, segments, tuple(ENTRY_NAMES.values()))
    except LookupError as error:
        raise StepFailedError(f"ClientError: cannot resolve {path}: {error}") from None
    if isinstance(value, (dict, list)) or value is None:
        raise StepFailedError(f"ClientError: {path} is not a single value")
    return value


def _json_get(execution: Execution, node: Node, expression: JsonGet, go: Callable[[Any], Any]) -> Any:
    if expression.property_file is not None:
        owner, file_name = expression.property_file.name, str(expression.property_file.members[-1])
        step = next(step for step, _ in execution.definition.all_steps() if step.name == owner)
        file = next(item for item in step.property_files or () if item.name == file_name)
        properties = properties_of_step(execution, node, owner)
        segments = ("ProcessingOutputConfig", "Outputs", paths.Key(file.output_name), "S3Output", "S3Uri")
        uri = f"{str(down(properties, segments, expression.property_file.path)).rstrip('/')}/{file.path}"
    else:
        uri = str(go(expression.s3_uri))
    try:
        document = read_json(execution, uri)
    except StepFailedError as error:
        if expression.property_file is not None and _simulated(execution, properties):
            where = f"{file.output_name}/{file.path}"
            raise StepFailedError(
                f"{error}; the job of {owner!r} was simulated: put {where} into simulated_outputs"
            ) from None
        raise
    try:
        value = paths.look_up(document, paths.parse(expression.path))
    except (LookupError, ValueError) as error:
        raise StepFailedError(f"ClientError: cannot read {expression.path!r} of {uri}: {error}") from None
    if isinstance(value, (dict, list)) or value is None:
        raise StepFailedError(f"ClientError: {expression.path!r} of {uri} is not a single value")
    return value


def _simulated(execution: Execution, properties: Mapping[str, Any]) -> bool:
    """Whether the job with these properties ran no code."""
    name = properties.get("ProcessingJobName", "")
    return (execution.local.store.get(execution.region, "ProcessingJob", name) or {}).get("_mode") == "simulated"


def read_json(execution: Execution, uri: str) -> Any:
    """A JSON file in S3.

    :raises StepFailedError: it is not there, or not JSON.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        body = execution.local.client("s3", execution.region).get_object(Bucket=bucket, Key=key)["Body"].read()
        return json.loads(body)
    except ClientError as error:
        raise StepFailedError(f"ClientError: cannot read {uri}: {error}") from None
    except ValueError as error:
        raise StepFailedError(f"ClientError: {uri} is not JSON: {error}") from None


def _time_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def as_properties(value: Any, shape: Any) -> Any:
    """A response as properties: times become text."""
    if shape is None:
        return value
    if shape.type_name == "timestamp" and isinstance(value, (int, float)):
        return _time_text(value)
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {key: as_properties(item, shape.members.get(key)) for key, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [as_properties(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {key: as_properties(item, shape.value) for key, item in value.items()}
    return value
