"""What each type of step does while a pipeline runs: evaluate its arguments, carry it out, keep its properties."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from sagemaker_provider.definition import CacheConfig, Get, Join, JsonGet, RetryPolicy, paths, shapes
from sagemaker_provider.definition.checks import (
    FILES,
    VIOLATIONS,
    BaselineError,
    approved_packages_request,
    check_properties,
    need_baselines,
    registered_baselines,
    violations_text,
)
from sagemaker_provider.definition.conditions import ConditionTypeError, holds
from sagemaker_provider.definition.outputs import OutputError, output_text, typed_outputs
from sagemaker_provider.definition.step_types import EMR_CLUSTER, ENTRY_NAMES, STEP_TYPES, Resource, State, state_of
from sagemaker_provider.local.errors import ServiceError
from sagemaker_provider.local.jobs import training_summaries
from sagemaker_provider.local.pipelines import step_kind

if TYPE_CHECKING:
    from sagemaker_provider.local.executions import Execution, Node

LAMBDA_SECONDS: Final = 600.0
"""How long a pipeline waits for a function (Developer Guide, Lambda step)."""
_SERVICE_RETRY: Final = RetryPolicy(("Step.SERVICE_FAULT", "Step.THROTTLING"), 1, 2.0, 5)
"""What the service does without a policy is only known to be a retry; this is a policy's default."""
_CALLS: Final = 6
_MAX_REASON: Final = 1024
_LETTERS: Final = string.ascii_letters + string.digits
_POLL_SECONDS: Final = 0.2
_log = logging.getLogger(__name__)


class StepFailedError(Exception):
    """A step failed.

    :param reason: for people.
    :param cause: kind of failure as retry policies name it; ``None`` for what no policy retries.
    """

    def __init__(self, reason: str, cause: str | None = None) -> None:
        super().__init__(reason)
        self.cause = cause


class StepStoppedError(Exception):
    """A step was stopped."""


@dataclass
class Task:
    """A step that runs: its arguments, its record, its name for jobs."""

    execution: Execution
    node: Node
    failures: int = 0

    @property
    def local(self) -> Any:
        """The service."""
        return self.execution.local

    @property
    def step(self) -> Any:
        """The step of the definition."""
        return self.node.step

    def record(self, **members: Any) -> None:
        """Change the record of the step."""
        execution = self.execution
        execution.local.store.change(execution.region, step_kind(execution.arn), self.node.name, **members)

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A call of the SageMaker API; an error fails the step."""
        try:
            return self.local.call(operation, request, self.execution.region)  # type: ignore[no-any-return]
        except ServiceError as error:
            raise StepFailedError(f"{_PREFIX.get(error.code, 'ClientError')}: {error.message}", _cause(error)) from None

    def patiently(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A call that is made again when it was throttled or the service had a fault, as the service does."""
        for attempt in range(_CALLS):
            try:
                return self.call(operation, request)
            except StepFailedError as error:
                if error.cause not in _SERVICE_RETRY.exception_type or attempt == _CALLS - 1:
                    raise
                time.sleep(0.1 * 2**attempt)
        raise AssertionError  # pragma: no cover

    def aws(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A call of another service; an error fails the step."""
        from botocore import xform_name

        client = self.local.client(service, self.execution.region)
        try:
            return getattr(client, xform_name(operation))(**request)  # type: ignore[no-any-return]
        except ClientError as error:
            raise StepFailedError(f"ClientError: {error}") from None
        except Exception as error:  # botocore refuses a request before it is sent
            raise StepFailedError(f"ClientError: {type(error).__name__}: {error}") from None

    def value(self, value: Any, **names: str) -> Any:
        """A value with its expressions evaluated."""
        return evaluate(self.execution, self.node, value, names)

    def name_of_job(self) -> str:
        """The name of the job or model that this attempt makes (Developer Guide, "build-and-manage-access")."""
        identifier = self.execution.record["_id"]
        record = self.execution.step_record(self.node.name)
        assert record is not None
        token, attempt = record["_token"], record["_attempts"] - 1
        resource = STEP_TYPES[self.step.type].resource
        assert resource is not None and resource.name is not None
        given = self.step.arguments.get(resource.name)
        short = STEP_TYPES[self.step.type].prefix_length == 6
        tail = f"{token.lower()}-{attempt}"
        if given is None and not short:
            return f"pipelines-{identifier}-{_dashed(self.node.name)[:20].rstrip('-')}-{tail}"
        tail = f"{identifier}-{tail}"
        head = _dashed(self.node.name)[:6] if given is None else str(self.value(given))
        longest = (32 if short else 63) - len(tail) - 1
        return f"{head[:longest].rstrip('-')}-{tail}"


_PREFIX: Final = {"ThrottlingException": "ThrottlingException", "ResourceLimitExceeded": "ResourceLimitExceeded"}


def _dashed(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def _cause(error: ServiceError) -> str | None:
    if error.code == "ThrottlingException":
        return "Step.THROTTLING"
    if error.code == "ResourceLimitExceeded":
        return "SageMaker.RESOURCE_LIMIT"
    return "Step.SERVICE_FAULT" if error.status >= 500 and error.status != 501 else None


# The life of a step


def carry_out(execution: Execution, node: Node) -> None:
    """Run a step to its end, with its retries. Its record tells how it ended."""
    record = execution.step_record(node.name)
    if record is None:
        record = _begin(execution, node)
    task = Task(execution, node)
    tried: dict[int, int] = {}
    started = time.monotonic()
    while True:
        try:
            if node.step.type not in _RUNNERS:
                raise StepFailedError(f"ClientError: the local SageMaker knows no steps of the type {node.step.type!r}")
            task.record(StepStatus="Executing")
            if hit := _cached(task):
                end(execution, node, "Succeeded", **hit)
                return
            done = _RUNNERS[node.step.type](task)
            end(execution, node, "Succeeded", **done)
            return
        except StepStoppedError:
            end(execution, node, "Stopped")
            return
        except StepFailedError as error:
            wait = None if execution.stops else _next_wait(node, error, tried, time.monotonic() - started)
            if wait is None:
                extra = {"Metadata": {"Fail": {"ErrorMessage": str(error)}}} if node.step.type == "Fail" else {}
                timed_out = {"_timed_out": True} if error.cause == "timeout" else {}
                end(execution, node, "Failed", FailureReason=str(error)[:_MAX_REASON], **extra, **timed_out)
                return
            _log.info("Step %s of %s tries again in %g s: %s", node.name, execution.arn, wait, error)
            if execution.stopping.wait(wait * execution.local.settings.retry_scale) or execution.closed.is_set():
                end(execution, node, "Stopped")
                return
            known = execution.step_record(node.name)
            assert known is not None
            task.record(
                AttemptCount=known["AttemptCount"] + 1,
                _attempts=known["_attempts"] + 1,
                _resource=None,
                _token=_token(),
            )


def _begin(execution: Execution, node: Node) -> dict[str, Any]:
    record: dict[str, Any] = {
        "StepName": node.name,
        "StepStatus": "Starting",
        "StartTime": time.time(),
        "AttemptCount": 1,
        "_type": node.step.type,
        "_order": node.order,
        "_token": _token(),
        "_attempts": execution.record.get("_failures", {}).get(node.name, 0) + 1,
    }
    if node.step.display_name:
        record["StepDisplayName"] = node.step.display_name
    if node.step.description:
        record["StepDescription"] = node.step.description
    if node.loop:
        parent, index, item = node.loop
        text = item if isinstance(item, str) else json.dumps(item)
        record["IterationContext"] = {"ParentStepName": parent, "Index": index, "Item": text[:12_800]}
    execution.local.store.put(execution.region, step_kind(execution.arn), node.name, record)
    return record


def _token() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def end(execution: Execution, node: Node, status: str, **members: Any) -> None:
    """Record how a step ended; not when the server ends, so that the next one goes on with it."""
    if execution.closed.is_set():
        return
    if execution.step_record(node.name) is None:
        _begin(execution, node)
    execution.local.store.change(
        execution.region, step_kind(execution.arn), node.name, StepStatus=status, EndTime=time.time(), **members
    )


def _next_wait(node: Node, error: StepFailedError, tried: dict[int, int], elapsed: float) -> float | None:
    """Seconds to wait before the next attempt; ``None`` when there is none."""
    if error.cause is None:
        return None
    row = STEP_TYPES[node.step.type]
    policies = [item for item in node.step.retry_policies or () if isinstance(item, RetryPolicy)]
    for index, policy in enumerate([*policies, _SERVICE_RETRY]):
        if error.cause not in policy.exception_type or error.cause in row.retry_ignored:
            continue
        count = tried[index] = tried.get(index, 0) + 1
        if policy.expire_after_min is not None:
            if elapsed > policy.expire_after_min * 60:
                return None
        elif count > (policy.max_attempts if policy.max_attempts is not None else 5):
            return None
        interval = 1 if policy.interval_seconds is None else policy.interval_seconds
        rate = 2.0 if policy.backoff_rate is None else policy.backoff_rate
        return float(min(interval * rate ** (count - 1), 43_200))
    return None


def stop(execution: Execution, node: Node) -> None:
    """Ask what a step waits for to stop. Functions cannot be stopped; they are waited for."""
    record = execution.step_record(node.name)
    if record is None:
        return
    task = Task(execution, node)
    if node.step.type == "Callback" and "_message" in record:
        if record["StepStatus"] == "Stopping":
            return
        with contextlib.suppress(StepFailedError):
            _send(task, record["_message"], "Stopping")
        task.record(StepStatus="Stopping")
        return
    if made := record.get("_resource"):
        _stop_resource(task, made)


def _stop_resource(task: Task, identifiers: Mapping[str, Any]) -> None:
    resource = STEP_TYPES[task.step.type].resource
    if resource is None or resource.stop is None:
        return
    task.record(StepStatus="Stopping")
    try:
        if resource.service == "sagemaker":
            task.patiently(resource.stop, identifiers)
        else:
            request = dict(identifiers)
            if "StepId" in request:
                request["StepIds"] = [request.pop("StepId")]
            task.aws(resource.service, resource.stop, request)
    except StepFailedError as error:  # it has ended by itself meanwhile
        _log.info("Stopping %s: %s", identifiers, error)


# Expressions


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
        return _down(node.loop[2], expression.segments[2:], expression.path)
    if scope == "Steps":
        return _down(_properties_of_step(execution, node, name), expression.members, expression.path)
    raise StepFailedError(f"ClientError: cannot resolve {expression.path}")


def _properties_of_step(execution: Execution, node: Node, name: str) -> dict[str, Any]:
    """The properties of a step as another sees them: in a loop, those of the same iteration."""
    own = f"{name}-{node.loop[1]}" if node.loop and name in node.siblings else name
    return dict((execution.step_record(own) or {}).get("_properties", {}))


def _down(document: Any, segments: tuple[paths.Segment, ...], path: str) -> Any:
    if isinstance(document, str) and segments and document[:1] in "{[":
        with contextlib.suppress(ValueError):
            document = json.loads(document)
    if segments and segments[0] == "JobConfigDocument" and len(segments) > 1:
        return _down(document.get("JobConfigDocument", ""), segments[1:], path)
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
        properties = _properties_of_step(execution, node, owner)
        segments = ("ProcessingOutputConfig", "Outputs", paths.Key(file.output_name), "S3Output", "S3Uri")
        uri = f"{str(_down(properties, segments, expression.property_file.path)).rstrip('/')}/{file.path}"
    else:
        uri = str(go(expression.s3_uri))
    document = read_json(execution, uri)
    try:
        value = paths.look_up(document, paths.parse(expression.path))
    except (LookupError, ValueError) as error:
        raise StepFailedError(f"ClientError: cannot read {expression.path!r} of {uri}: {error}") from None
    if isinstance(value, (dict, list)) or value is None:
        raise StepFailedError(f"ClientError: {expression.path!r} of {uri} is not a single value")
    return value


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


def _as_properties(value: Any, shape: Any) -> Any:
    """A response as properties: times become text."""
    if shape is None:
        return value
    if shape.type_name == "timestamp" and isinstance(value, (int, float)):
        return _time_text(value)
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {key: _as_properties(item, shape.members.get(key)) for key, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_as_properties(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {key: _as_properties(item, shape.value) for key, item in value.items()}
    return value


# Caching


def _cached(task: Task) -> dict[str, Any] | None:
    """The result of an earlier run of the step that can be reused; the key of this one is kept."""
    config, row = task.step.cache_config, STEP_TYPES[task.step.type]
    if not isinstance(config, CacheConfig) or not config.enabled or not row.cache_members or task.node.loop:
        return None
    execution = task.execution
    known = execution.step_record(task.node.name) or {}
    if known.get("_resource"):
        return None
    source = {**task.step.members, **task.step.arguments}
    key = {}
    for path in row.cache_members:
        with contextlib.suppress(LookupError):
            member = paths.look_up(source, paths.parse(path))
            try:
                key[path] = task.value(member)
            except StepFailedError:  # the job's own name, which no other run has
                return None
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
    task.record(_cache=digest)
    oldest = time.time() - config.seconds()
    for other in reversed(execution.local.store.records(execution.region, "PipelineExecution")):
        if other["_pipeline"] != execution.record["_pipeline"] or other["PipelineExecutionArn"] == execution.arn:
            continue
        record = execution.local.store.get(execution.region, step_kind(other["PipelineExecutionArn"]), task.node.name)
        if (
            record
            and record["StepStatus"] == "Succeeded"
            and record["_type"] == task.step.type
            and record.get("_cache") == digest
            and record["EndTime"] >= oldest
            and not {"CacheHitResult", "SelectiveExecutionResult"} & set(record)  # no run of its own
        ):
            hit = {"SourcePipelineExecutionArn": other["PipelineExecutionArn"]}
            return {"CacheHitResult": hit, "Metadata": record.get("Metadata", {}), "_properties": record["_properties"]}
    return None


# Types of steps


def _create(task: Task, resource: Resource, request: dict[str, Any]) -> dict[str, Any]:
    """Create a resource, unless it was created before a restart; its identifiers."""
    known = task.execution.step_record(task.node.name) or {}
    if known.get("_resource"):
        return dict(known["_resource"])
    if task.local.settings.convert_types and task.step.type in STEP_TYPES:
        shape = STEP_TYPES[task.step.type].shape
        if shape:
            request = shapes.coerce(request, shapes.request_shape(*shape))
    kind, name = resource.create.removeprefix("Create"), request.get(resource.name or "")
    if STEP_TYPES[task.step.type].auto_named and name and task.local.store.get(task.execution.region, kind, name):
        answer = dict(request)  # made before a restart, which came before it was recorded
    else:
        answer = {**request, **task.call(resource.create, request)}
    identifiers = {member: answer[path] for member, path in resource.identifiers.items()}
    task.record(_resource=identifiers, Metadata=_metadata(task, answer))
    if task.execution.stops:
        _stop_resource(task, identifiers)
    return identifiers


def _arguments(task: Task) -> tuple[dict[str, Any], str | None]:
    """The arguments with their expressions evaluated, and the name that goes with them."""
    row = STEP_TYPES[task.step.type]
    resource = row.resource
    name = None
    names: dict[str, str] = {}
    if row.auto_named and resource and resource.name and resource.name != "ModelPackageName":
        name = task.name_of_job()
        names = {resource.name: name}
    arguments = dict(task.step.own_arguments())
    if name and resource and resource.name:
        arguments.pop(resource.name, None)
    request = task.value(arguments, **names)
    if name and resource and resource.name:
        request[resource.name] = name
    return request, name


def _resource_step(task: Task) -> dict[str, Any]:
    """Create, wait, describe: jobs, models, packages, configurations."""
    row = STEP_TYPES[task.step.type]
    resource = row.resource
    assert resource is not None
    request, _ = _arguments(task)
    if task.step.type in ("Processing", "Training", "Tuning", "Transform", "AutoML", "Model"):
        request.setdefault(_ROLES.get(task.step.type, "RoleArn"), task.execution.record["_role"])
        if task.step.type in ("Transform", "Tuning"):
            request.pop(_ROLES.get(task.step.type, "RoleArn"))
    if task.step.type == "RegisterModel":
        _group_for(task, request)
        known = task.execution.step_record(task.node.name) or {}
        request["ClientToken"] = f"{task.execution.record['_id']}-{known['_token']}-{known['_attempts']}"
    identifiers = _create(task, resource, request)
    description = wait_for(task, resource, identifiers)
    return {"Metadata": _metadata(task, description), "_properties": properties_of(task, resource, description)}


_ROLES: Final = {"Model": "ExecutionRoleArn"}


def _group_for(task: Task, request: Mapping[str, Any]) -> None:
    group = request.get("ModelPackageGroupName")
    if group and task.local.settings.create_model_package_groups:
        with contextlib.suppress(ServiceError):  # it exists
            task.local.call("CreateModelPackageGroup", {"ModelPackageGroupName": group}, task.execution.region)


def wait_for(task: Task, resource: Resource, identifiers: Mapping[str, Any]) -> dict[str, Any]:
    """Wait for a SageMaker resource to end well; its Describe response.

    :raises StepFailedError: it failed, or was removed.
    :raises StepStoppedError: it was stopped.
    """
    execution, store = task.execution, task.local.store
    kind = resource.describe.removeprefix("Describe")

    def ended(record: Mapping[str, Any]) -> bool:
        return execution.closed.is_set() or state_of(resource, record)[0] is not State.RUNNING

    if resource.waitable:
        name = next(iter(identifiers.values()))
        record = store.wait(execution.region, kind, name, ended)
        if execution.closed.is_set():
            raise StepStoppedError
        if record is None:
            raise StepFailedError(f"ClientError: {kind} {name} was deleted")
    description: dict[str, Any] = task.patiently(resource.describe, identifiers)
    if not resource.waitable:
        return description
    state, status = state_of(resource, description)
    if state is State.SUCCEEDED:
        return description
    if state is State.STOPPED:
        raise StepStoppedError
    reason = next(
        (str(description[path]) for path in ("FailureReason", "ExitMessage") if description.get(path)), status
    )
    raise StepFailedError(reason, _CAUSES.get(reason.partition(":")[0]))


_CAUSES: Final = {
    "InternalServerError": "SageMaker.JOB_INTERNAL_ERROR",
    "CapacityError": "SageMaker.CAPACITY_ERROR",
    "ResourceLimitExceeded": "SageMaker.RESOURCE_LIMIT",
}


def properties_of(task: Task, resource: Resource, description: dict[str, Any]) -> dict[str, Any]:
    """The properties of a step, from the Describe response."""
    shape = shapes.service_model("sagemaker").operation_model(resource.describe).output_shape
    properties: dict[str, Any] = _as_properties(description, shape)
    if task.step.type == "Tuning":
        name = description["HyperParameterTuningJobName"]
        properties["TrainingJobSummaries"] = training_summaries(task.local, task.execution.region, name)[:50]
    if task.step.type == "AutoML":
        places = description["BestCandidate"]["CandidateProperties"]["CandidateArtifactLocations"]
        properties["BestCandidateProperties"] = {
            "ModelInsightsJsonReportPath": f"{places['ModelInsights'].rstrip('/')}/statistics.json",
            "ExplainabilityJsonReportPath": f"{places['Explainability'].rstrip('/')}/analysis.json",
        }
    return properties


_METADATA: Final = {"Tuning": "TuningJob", "AutoML": "AutoMLJob", "Processing": "ProcessingJob", "Training": "TrainingJob", "Transform": "TransformJob"}  # fmt: skip


def _metadata(task: Task, description: Mapping[str, Any]) -> dict[str, Any]:
    resource = STEP_TYPES[task.step.type].resource
    assert resource is not None
    arn = description.get(f"{resource.create.removeprefix('Create')}Arn")
    if task.step.type in FILES:
        return {task.step.type: {"CheckType": task.step.members["CheckType"], "CheckJobArn": arn}}
    return {_METADATA.get(task.step.type, task.step.type): {"Arn": arn}}


def _create_or_update(task: Task) -> dict[str, Any]:
    """Endpoints and inference components: created when the name is new, else updated."""
    resource = STEP_TYPES[task.step.type].resource
    assert resource is not None and resource.name is not None and resource.update is not None
    request, _ = _arguments(task)
    kind = resource.create.removeprefix("Create")
    known = (task.execution.step_record(task.node.name) or {}).get("_resource")
    if known:  # before a restart
        identifiers = dict(known)
    elif task.local.store.get(task.execution.region, kind, str(request.get(resource.name))) is None:
        identifiers = _create(task, resource, request)
    else:
        members = shapes.request_shape("sagemaker", resource.update).members
        task.call(resource.update, {key: value for key, value in request.items() if key in members})
        identifiers = {resource.name: request[resource.name]}
        task.record(_resource=identifiers)
    description = wait_for(task, resource, identifiers)
    return {"Metadata": _metadata(task, description), "_properties": properties_of(task, resource, description)}


def _condition(task: Task) -> dict[str, Any]:
    try:
        truths = []
        for index, condition in enumerate(task.step.arguments["Conditions"]):
            literal = condition.substitute(lambda get: get)  # a copy
            truths.append(holds(_with_values(task, literal), f"Conditions[{index}]"))
    except ConditionTypeError as error:
        raise StepFailedError(f"ClientError: {error}") from None
    outcome = "True" if all(truths) else "False"
    return {"Metadata": {"Condition": {"Outcome": outcome}}, "_properties": {"Outcome": outcome}}


def _with_values(task: Task, condition: Any) -> Any:
    """A condition with its operands evaluated."""
    from dataclasses import fields

    values = []
    for item in fields(condition):
        value = getattr(condition, item.name)
        if item.name in ("condition", "conditions"):
            value = (
                tuple(_with_values(task, part) for part in value)
                if isinstance(value, tuple)
                else _with_values(task, value)
            )
        else:
            value = task.value(value)
        values.append(value)
    return type(condition)(*values)


def _fail(task: Task) -> dict[str, Any]:
    raise StepFailedError(str(task.value(task.step.arguments["ErrorMessage"])))


def _lambda(task: Task) -> dict[str, Any]:
    arn = task.step.members["FunctionArn"]
    answer, error = task.local.lambdas.invoke(
        task.execution.region, arn, task.value(task.step.arguments), LAMBDA_SECONDS
    )
    if error:
        raise StepFailedError(f"ClientError: {error}", "timeout" if "timed out" in error else None)
    declared = task.step.output_parameters or ()
    if not isinstance(answer, dict):
        if declared:
            raise StepFailedError(f"ClientError: {arn} must return an object with the declared outputs, not {answer!r}")
        answer = {}
    return _outputs(task, answer, "Lambda", {"Arn": arn})


def _outputs(task: Task, values: Mapping[str, Any], kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        typed = typed_outputs(task.step.output_parameters or (), values)
    except OutputError as error:
        raise StepFailedError(f"ClientError: outputs: {error}") from None
    shown = [{"Name": name, "Value": output_text(value)} for name, value in typed.items()]
    return {"Metadata": {kind: {**metadata, "OutputParameters": shown}}, "_properties": {"OutputParameters": typed}}


def _callback(task: Task) -> dict[str, Any]:
    execution, store = task.execution, task.local.store
    known = execution.step_record(task.node.name) or {}
    token, queue = known["_token"], task.step.members["SqsQueueUrl"]
    message = known.get("_message") or {
        "token": token,
        "pipelineExecutionArn": execution.arn,
        "arguments": task.value(task.step.arguments),
    }
    metadata = {"CallbackToken": token, "SqsQueueUrl": queue}
    task.record(Metadata={"Callback": metadata}, _message=message)
    store.add(execution.region, "CallbackToken", token, {"PipelineExecutionArn": execution.arn, "_name": token})
    record = store.get(execution.region, "CallbackToken", token)
    if record is None or "_answer" not in record:
        _send(task, message, "Executing")
        if execution.stops:
            _send(task, message, "Stopping")
    record = store.wait(
        execution.region, "CallbackToken", token, lambda item: "_answer" in item or execution.closed.is_set()
    )
    if execution.closed.is_set() or record is None:
        raise StepStoppedError
    answer = record["_answer"]
    if answer.get("_failed"):
        if execution.stops:
            raise StepStoppedError
        raise StepFailedError(answer.get("FailureReason") or "the worker answered that it failed")
    values = {item["Name"]: item["Value"] for item in answer.get("OutputParameters", ())}
    return _outputs(task, values, "Callback", metadata)


def _send(task: Task, message: Mapping[str, Any], status: str) -> None:
    body = json.dumps({**message, "status": status})
    task.aws("sqs", "SendMessage", {"QueueUrl": task.step.members["SqsQueueUrl"], "MessageBody": body})


def _check(task: Task) -> dict[str, Any]:
    """QualityCheck and ClarifyCheck: the job, the baselines, the violations."""
    kind, members = task.step.type, task.step.members
    given = {key: task.value(value) for key, value in members.items()}
    skip, register = _flag(given.get("SkipCheck")), _flag(given.get("RegisterNewBaseline"))
    group = given.get("ModelPackageGroupName")
    existing = {name: given[f"SuppliedBaseline{name}"] for name in FILES[kind] if given.get(f"SuppliedBaseline{name}")}
    if len(existing) < len(FILES[kind]) and group:
        packages = task.call("ListModelPackages", approved_packages_request(group))["ModelPackageSummaryList"]
        if packages:
            package = task.call("DescribeModelPackage", {"ModelPackageName": packages[0]["ModelPackageArn"]})
            existing = {**registered_baselines(kind, given["CheckType"], package), **existing}
    try:
        need_baselines(kind, existing, skip=skip, register=register)
    except BaselineError as error:
        raise StepFailedError(f"ClientError: {error}") from None
    resource = STEP_TYPES[kind].resource
    assert resource is not None
    request, _ = _arguments(task)
    request.setdefault("RoleArn", task.execution.record["_role"])
    description = wait_for(task, resource, _create(task, resource, request))
    output = description["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].rstrip("/")
    properties = check_properties(kind, output, existing, register=register)
    metadata = {
        "CheckType": given["CheckType"],
        "CheckJobArn": description["ProcessingJobArn"],
        "SkipCheck": skip,
        "RegisterNewBaseline": register,
        **properties,
        **({"ModelPackageGroupName": group} if group else {}),
    }
    if not skip:
        metadata["ViolationReport"] = f"{output}/{VIOLATIONS}"
        text = violations_text(_violations(task, metadata["ViolationReport"]), metadata["ViolationReport"])
        if text and _flag(given.get("FailOnViolation"), default=True):
            task.record(Metadata={kind: metadata})
            raise StepFailedError(f"ClientError: {text}")
    return {"Metadata": {kind: metadata}, "_properties": properties}


def _violations(task: Task, uri: str) -> Mapping[str, Any]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    client = task.local.client("s3", task.execution.region)
    try:
        report = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    except client.exceptions.NoSuchKey:
        return {}
    except ValueError as error:
        raise StepFailedError(f"ClientError: {uri} is not JSON: {error}") from None
    return report if isinstance(report, dict) else {}


def _flag(value: Any, default: bool = False) -> bool:
    if value is None:
        return default
    return value.strip().lower() == "true" if isinstance(value, str) else bool(value)


def _emr(task: Task) -> dict[str, Any]:
    arguments = task.value(task.step.arguments)
    resource = STEP_TYPES["EMR"].resource
    assert resource is not None
    own = "ClusterConfig" in arguments
    known = task.execution.step_record(task.node.name) or {}
    identifiers = known.get("_resource")
    name = f"{task.execution.record['_id']}-{_dashed(task.node.name)}-{known['_token']}-{known['_attempts'] - 1}"
    if not identifiers:
        step = {"ActionOnFailure": "TERMINATE_CLUSTER" if own else "CONTINUE", **arguments["StepConfig"], "Name": name}
        if own:
            instances = {**arguments["ClusterConfig"].get("Instances", {}), "KeepJobFlowAliveWhenNoSteps": False}
            request = {**arguments["ClusterConfig"], "Name": name, "Instances": instances, "Steps": [step]}
            cluster = task.aws("emr", EMR_CLUSTER.create, request)["JobFlowId"]
            identifiers = {
                "ClusterId": cluster,
                "StepId": task.aws("emr", "ListSteps", {"ClusterId": cluster})["Steps"][0]["Id"],
            }
        else:
            role = {"ExecutionRoleArn": arguments["ExecutionRoleArn"]} if "ExecutionRoleArn" in arguments else {}
            answer = task.aws("emr", resource.create, {"JobFlowId": arguments["ClusterId"], "Steps": [step], **role})
            identifiers = {"ClusterId": arguments["ClusterId"], "StepId": answer["StepIds"][0]}
        task.record(_resource=identifiers)
    try:
        description = _poll(task, resource, identifiers)["Step"]
    finally:
        if own and not task.execution.closed.is_set():
            with contextlib.suppress(StepFailedError):
                task.aws("emr", "TerminateJobFlows", {"JobFlowIds": [identifiers["ClusterId"]]})
    properties = json.loads(json.dumps({**description, "ClusterId": identifiers["ClusterId"]}, default=_json_time))
    return {"Metadata": {"EMR": {**identifiers, "StepName": name}}, "_properties": properties}


def _emr_serverless(task: Task) -> dict[str, Any]:
    arguments = task.value(task.step.arguments)
    resource = STEP_TYPES["EMRServerless"].resource
    assert resource is not None
    known = task.execution.step_record(task.node.name) or {}
    identifiers = known.get("_resource")
    if not identifiers:
        application = arguments.get("ApplicationId") or _application(task, arguments["ApplicationConfig"])
        request = {**arguments["JobConfig"], "applicationId": application}
        request.setdefault("executionRoleArn", arguments["ExecutionRoleArn"])
        identifiers = {
            "applicationId": application,
            "jobRunId": task.aws("emr-serverless", resource.create, request)["jobRunId"],
        }
        task.record(_resource=identifiers)
    description = _poll(task, resource, identifiers)
    description.pop("ResponseMetadata", None)
    metadata = {"ApplicationId": identifiers["applicationId"], "JobRunId": identifiers["jobRunId"]}
    return {
        "Metadata": {"EMRServerless": metadata},
        "_properties": json.loads(json.dumps(description, default=_json_time)),
    }


def _application(task: Task, config: Mapping[str, Any]) -> str:
    request = {"name": f"pipelines-{task.execution.record['_id']}", **config}
    return str(task.aws("emr-serverless", "CreateApplication", request)["applicationId"])


def _poll(task: Task, resource: Resource, identifiers: Mapping[str, Any]) -> dict[str, Any]:
    """Wait for something of another service to end well."""
    stopped = False
    while True:
        if task.execution.closed.is_set():
            raise StepStoppedError
        if task.execution.stops and not stopped:
            _stop_resource(task, identifiers)
            stopped = True
        description = task.aws(resource.service, resource.describe, identifiers)
        state, status = state_of(resource, description)
        if state is State.SUCCEEDED:
            return description
        if state is State.STOPPED:
            raise StepStoppedError
        if state is State.FAILED:
            raise StepFailedError(_reason(resource, description) or status)
        time.sleep(_POLL_SECONDS)


def _reason(resource: Resource, description: Mapping[str, Any]) -> str:
    for path in resource.reason:
        with contextlib.suppress(LookupError):
            if reason := paths.look_up(description, paths.parse(path)):
                return str(reason)
    return ""


def _json_time(value: Any) -> str:
    return str(value.isoformat())


_ENTITIES: Final = (("Actions", "Action"), ("Artifacts", "Artifact"), ("Contexts", "Context"))


def _lineage(task: Task) -> dict[str, Any]:
    arguments = task.value(task.step.arguments)
    arns: dict[tuple[str, str], str] = {}
    for key, kind in _ENTITIES:
        for request in arguments.get(key, ()):
            name = str(request.get(f"{kind}Name", ""))
            known = task.local.store.get(task.execution.region, kind, name) if kind != "Artifact" else None
            arns[kind, name] = known[f"{kind}Arn"] if known else task.call(f"Create{kind}", request)[f"{kind}Arn"]
    associations = []
    for item in arguments.get("Associations", ()):
        request = {f"{end}Arn": _end_of(item[end], arns) for end in ("Source", "Destination")}
        kind_of = {"AssociationType": item["AssociationType"]} if "AssociationType" in item else {}
        associations.append(task.call("AddAssociation", {**request, **kind_of}))
    by_kind = {f"{kind}Arns": {name: arn for (of, name), arn in arns.items() if of == kind} for _, kind in _ENTITIES}
    done = {**{key: value for key, value in by_kind.items() if value}, "Associations": associations}
    return {"Metadata": {"Lineage": done}, "_properties": done}


def _end_of(end_point: Mapping[str, Any], arns: Mapping[tuple[str, str], str]) -> str:
    if "Arn" in end_point:
        return str(end_point["Arn"])
    try:
        return arns[end_point["Type"], end_point["Name"]]
    except KeyError:
        raise StepFailedError(f"ClientError: {dict(end_point)} is no entity of this step") from None


def _cleanup(task: Task) -> dict[str, Any]:
    cleaned: list[str] = []
    failed: list[dict[str, str]] = []
    skipped: list[str] = []
    for source in task.value(task.step.arguments["Resources"]).get("S3", ()):
        name = source["StepName"]
        properties = _properties_of_step(task.execution, task.node, name)
        if not properties:
            skipped.append(name)
            continue
        outputs = _output_places(properties)
        uris = source.get("S3Uris") or outputs
        if outside := [uri for uri in uris if not any(_within(uri, output) for output in outputs)]:
            text = f"not among the outputs of {name}: {', '.join(outside)}"
            failed.append({"StepName": name, "ErrorCode": "ValidationException", "ErrorMessage": text})
            continue
        for uri in uris:
            _delete_objects(task, uri)
        cleaned.append(name)
    done = {"CleanedSteps": cleaned, "FailedSteps": failed, "SkippedSteps": skipped}
    return {"Metadata": {"Cleanup": done}, "_properties": {}}


def _output_places(properties: Mapping[str, Any]) -> list[str]:
    if "TrainingJobName" in properties:
        return [f"{properties['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{properties['TrainingJobName']}/"]
    if "TransformOutput" in properties:
        return [properties["TransformOutput"]["S3OutputPath"]]
    outputs = properties.get("ProcessingOutputConfig", {}).get("Outputs", ())
    return [item["S3Output"]["S3Uri"] for item in outputs if "S3Output" in item]


def _within(uri: str, output: str) -> bool:
    folder = output.rstrip("/")
    return uri.rstrip("/") == folder or uri.startswith(f"{folder}/")


def _delete_objects(task: Task, uri: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    client = task.local.client("s3", task.execution.region)
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            keys = [item["Key"] for item in page.get("Contents", ())]
            wanted = [{"Key": item} for item in keys if item == key or key.endswith("/") or item.startswith(f"{key}/")]
            if wanted:
                client.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
    except ClientError as error:
        raise StepFailedError(f"ClientError: {error}") from None


_RUNNERS: Final[Mapping[str, Callable[[Task], dict[str, Any]]]] = {
    **dict.fromkeys(
        ("Processing", "Training", "Tuning", "AutoML", "Transform", "Model", "RegisterModel", "EndpointConfig", "Job"),
        _resource_step,
    ),
    "Callback": _callback,
    "ClarifyCheck": _check,
    "Cleanup": _cleanup,
    "Condition": _condition,
    "EMR": _emr,
    "EMRServerless": _emr_serverless,
    "Endpoint": _create_or_update,
    "Fail": _fail,
    "InferenceComponent": _create_or_update,
    "Lambda": _lambda,
    "Lineage": _lineage,
    "QualityCheck": _check,
}
"""Step type -> what it does: gives members of the step's record, or raises ``StepFailedError`` or ``StepStoppedError``."""


# Loops


def loop_items(execution: Execution, node: Node) -> list[Any]:
    """Begin a ForEach step; its items.

    :raises StepFailedError: they are no list, or an empty one.
    """
    if execution.step_record(node.name) is None:
        _begin(execution, node)
    Task(execution, node).record(StepStatus="Executing")
    items = evaluate(execution, node, node.step.arguments["IterableItems"])
    if isinstance(items, str):
        try:
            items = json.loads(items)
        except ValueError as error:
            raise StepFailedError(f"ClientError: IterableItems is not a JSON list: {error}") from None
    if not isinstance(items, list):
        raise StepFailedError(f"ClientError: IterableItems is not a JSON list, but {type(items).__name__}")
    if not items:
        raise StepFailedError(
            "ClientError: IterableItems is an empty list; what the service does then is not documented"
        )
    return items


def end_loop(execution: Execution, node: Node, items: list[Any], children: list[Node]) -> str:
    """Record how a ForEach step ended; its status."""
    counts = {state: sum(child.state == state for child in children) for state in ("Succeeded", "Failed", "Stopped")}
    cut_short = execution.stops and len(children) > sum(counts.values())
    status = "Failed" if counts["Failed"] else "Stopped" if counts["Stopped"] or cut_short else "Succeeded"
    numbers = {
        "InputItemCount": len(items),
        "TotalStepCount": len(children),
        **{f"{state}StepCount": count for state, count in counts.items()},
    }
    outputs: list[dict[str, Any]] = [{} for _ in items]
    for child in children:
        assert child.loop is not None
        outputs[child.loop[1]][child.step.name] = (execution.step_record(child.name) or {}).get("_properties", {})
    properties = {"Status": status, **numbers, "IterationOutputs": outputs}
    metadata: dict[str, Any] = {"Status": status, **numbers}
    reason = {"FailureReason": "ClientError: one or more iterations failed"} if status == "Failed" else {}
    selector = node.step.arguments.get("Selector")
    if selector and status == "Succeeded":
        try:
            index, body = _selected(selector, outputs)
        except StepFailedError as error:
            status, reason = "Failed", {"FailureReason": str(error)}
        else:
            properties["Selected"] = outputs[index][body]
            metadata["Selector"] = {"StepName": f"{body}-{index}", "Index": index}
    end(execution, node, status, Metadata={"ForEach": metadata}, _properties=properties, **reason)
    return status


def _selected(selector: Mapping[str, Any], outputs: list[dict[str, Any]]) -> tuple[int, str]:
    """The index and the body step that the selector picks."""
    field: Get = selector["Field"]
    body, members = str(field.segments[1]), field.segments[2:]
    values = [_down(item[body], members, field.path) for item in outputs]
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise StepFailedError(f"ClientError: the selector compares numbers, but {field.path} gave {values!r}")
    pick = max if selector["Pick"] == "MaxBy" else min
    return values.index(pick(values)), body


# Experiments


def make_experiment(execution: Execution) -> None:
    """Make the experiment and trial that the definition names, unless they exist."""
    config = execution.definition.members.get("PipelineExperimentConfig")
    if not config or "_experiment" in execution.record:
        return
    from sagemaker_provider.definition import Step
    from sagemaker_provider.local.executions import Node

    names = evaluate(execution, Node("", Step("", "", {}), 0), config)
    for kind, extra in (("Experiment", {}), ("Trial", {"ExperimentName": names["ExperimentName"]})):
        request = {f"{kind}Name": names[f"{kind}Name"], **extra}
        if execution.local.store.get(execution.region, kind, request[f"{kind}Name"]) is None:
            try:
                execution.local.call(f"Create{kind}", request, execution.region)
            except ServiceError as error:
                if execution.local.store.get(execution.region, kind, request[f"{kind}Name"]) is None:
                    raise StepFailedError(f"ClientError: {error.message}") from None  # else another was faster
    execution.local.store.change(execution.region, "PipelineExecution", execution.arn, _experiment=names)
