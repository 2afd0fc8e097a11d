"""What each type of step does: the calls it makes, its metadata, its properties, and how it is stopped."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from sagemaker_provider.definition import paths, shapes
from sagemaker_provider.definition.checks import (
    FILES,
    VIOLATIONS,
    BaselineError,
    approved_packages_request,
    check_properties,
    is_set,
    need_baselines,
    registered_baselines,
    violations_text,
)
from sagemaker_provider.definition.cleanup import outputs_of, outside
from sagemaker_provider.definition.conditions import ConditionTypeError, holds
from sagemaker_provider.definition.outputs import OutputError, output_text, typed_outputs
from sagemaker_provider.definition.step_types import EMR_CLUSTER, STEP_METADATA, STEP_TYPES, Resource, State, state_of
from sagemaker_provider.local.errors import ServiceError
from sagemaker_provider.local.evaluation import StepFailedError, as_properties, properties_of_step
from sagemaker_provider.local.tasks import StepStoppedError, Task, dashed
from sagemaker_provider.local.tuning import training_summaries

if TYPE_CHECKING:
    from sagemaker_provider.local.executions import Execution, Node

LAMBDA_SECONDS: Final = 600.0
"""How long a pipeline waits for a function (Developer Guide, Lambda step)."""
_POLL_SECONDS: Final = 0.2
_log = logging.getLogger(__name__)


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


def _request(task: Task) -> dict[str, Any]:
    """The create request: the arguments evaluated, with the name and role that the service gives."""
    row, names = STEP_TYPES[task.step.type], {}
    arguments = dict(task.step.own_arguments())
    if row.auto_named and row.resource and row.resource.name and row.resource.name != "ModelPackageName":
        names = {row.resource.name: task.name_of_job()}
        arguments.pop(row.resource.name, None)
    request = {**task.value(arguments, **names), **names}
    if role := _ROLES.get(task.step.type):  # a step that names none has that of the pipeline
        request.setdefault(role, task.execution.record["_role"])
    return request


def _resource_step(task: Task) -> dict[str, Any]:
    """Create, wait, describe: jobs, models, packages, configurations."""
    resource = STEP_TYPES[task.step.type].resource
    assert resource is not None
    request = _request(task)
    if task.step.type == "RegisterModel":
        _group_for(task, request)
        known = task.execution.step_record(task.node.name) or {}
        request["ClientToken"] = f"{task.execution.record['_id']}-{known['_token']}-{known['_attempts']}"
    identifiers = _create(task, resource, request)
    description = wait_for(task, resource, identifiers)
    return {"Metadata": _metadata(task, description), "_properties": properties_of(task, resource, description)}


_ROLES: Final = {
    **dict.fromkeys(("Processing", "Training", "AutoML", "QualityCheck", "ClarifyCheck"), "RoleArn"),
    "Model": "ExecutionRoleArn",
}
"""Step type -> member of the request with the role."""


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
    properties: dict[str, Any] = as_properties(description, shape)
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


def _metadata(task: Task, description: Mapping[str, Any]) -> dict[str, Any]:
    resource = STEP_TYPES[task.step.type].resource
    assert resource is not None
    arn = description.get(f"{resource.create.removeprefix('Create')}Arn")
    if task.step.type in FILES:
        return {task.step.type: {"CheckType": task.step.members["CheckType"], "CheckJobArn": arn}}
    return {STEP_METADATA.get(task.step.type, task.step.type): {"Arn": arn}}


def _create_or_update(task: Task) -> dict[str, Any]:
    """Endpoints and inference components: created when the name is new, else updated."""
    resource = STEP_TYPES[task.step.type].resource
    assert resource is not None and resource.name is not None and resource.update is not None
    request = _request(task)
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
        answered = ", ".join(map(repr, values)) or "nothing"
        raise StepFailedError(f"ClientError: outputs: {error}; the answer has {answered}") from None
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
    skip, register = is_set(given.get("SkipCheck")), is_set(given.get("RegisterNewBaseline"))
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
    request = _request(task)
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
        if text and is_set(given.get("FailOnViolation"), default=True):
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


def _emr(task: Task) -> dict[str, Any]:
    arguments = task.value(task.step.arguments)
    resource = STEP_TYPES["EMR"].resource
    assert resource is not None
    own = "ClusterConfig" in arguments
    known = task.execution.step_record(task.node.name) or {}
    identifiers = known.get("_resource")
    name = f"{task.execution.record['_id']}-{dashed(task.node.name)}-{known['_token']}-{known['_attempts'] - 1}"
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
        properties = properties_of_step(task.execution, task.node, name)
        if not properties:
            skipped.append(name)
            continue
        outputs = outputs_of(properties)
        uris = source.get("S3Uris") or outputs
        if others := outside(uris, outputs):
            text = f"not among the outputs of {name}: {', '.join(others)}"
            failed.append({"StepName": name, "ErrorCode": "ValidationException", "ErrorMessage": text})
            continue
        for uri in uris:
            _delete_objects(task, uri)
        cleaned.append(name)
    done = {"CleanedSteps": cleaned, "FailedSteps": failed, "SkippedSteps": skipped}
    return {"Metadata": {"Cleanup": done}, "_properties": {}}


def _delete_objects(task: Task, uri: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    client = task.local.client("s3", task.execution.region)
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            keys = [item["Key"] for item in page.get("Contents", ())]
            wanted = [{"Key": item} for item in keys if item == key or key.endswith("/")]
            if wanted:
                client.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
    except ClientError as error:
        raise StepFailedError(f"ClientError: {error}") from None


KINDS: Final[Mapping[str, Callable[[Task], dict[str, Any]]]] = {
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


# Stopping


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
