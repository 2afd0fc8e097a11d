"""The pipeline API: pipelines, their versions, and their executions."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.definition import DefinitionError, Finding, PipelineDefinition, Severity
from sagemaker_provider.definition.parameters import checked
from sagemaker_provider.local.errors import conflict, invalid, missing
from sagemaker_provider.local.resources import listing, page, tag
from sagemaker_provider.local.service import once

if TYPE_CHECKING:
    from sagemaker_provider.local.service import Handler, LocalSageMaker
    from sagemaker_provider.local.store import Record

_ENDED: Final = ("Succeeded", "CompletedWithFailures", "Failed", "Stopped")
_LETTERS: Final = string.ascii_lowercase + string.digits


# Pipelines and their versions


def pipeline_of(local: LocalSageMaker, region: str, name: str) -> Record:
    """A pipeline by its name or ARN.

    :raises ServiceError: there is none.
    """
    record = local.store.get(region, "Pipeline", name.rpartition("/")[2] if name.startswith("arn:") else name)
    if record is None or (name.startswith("arn:") and name != record["PipelineArn"]):
        raise missing(f"Pipeline '{name}'")
    return record


def _create(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    name, now = request["PipelineName"], time.time()
    text = _definition(local, region, request)
    arn = local.arn(region, f"pipeline/{name}")
    kept = ("PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
    record = {key: request[key] for key in kept if key in request}
    record.update(
        {"PipelineArn": arn, "PipelineStatus": "Active", "CreationTime": now, "LastModifiedTime": now, "_version": 1}
    )
    record.setdefault("PipelineDisplayName", name)
    with local.store.changed:
        if local.store.get(region, "Pipeline", name) is not None:
            raise invalid(
                f"Pipeline names must be unique within an AWS account and region. Pipeline with name {name} already exists."
            )
        _require_free(local, region, name, request.get("PipelineVersionAliases", []))
        local.store.put(region, "Pipeline", name, record)
        _add_version(local, region, record, text, request.get("PipelineVersionAliases", []))
    tag(local, region, arn, request.get("Tags", ()))
    return {"PipelineArn": arn}


def _update(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    pipeline = pipeline_of(local, region, request["PipelineName"])
    name = pipeline["PipelineName"]
    kept = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
    changes = {key: request[key] for key in kept if key in request}
    aliases = request.get("PipelineVersionAliases", [])
    given = "PipelineDefinition" in request or "PipelineDefinitionS3Location" in request
    text = _definition(local, region, request) if given else None
    with local.store.transaction():
        pipeline = pipeline_of(local, region, name)
        latest = _version(local, region, name, pipeline["_version"])
        if text is not None and text != latest["_definition"]:
            _require_free(local, region, name, aliases)
            changes["_version"] = pipeline["_version"] + 1
            pipeline = local.store.change(region, "Pipeline", name, **changes)
            _add_version(local, region, pipeline, text, aliases)
        elif aliases:
            raise invalid("PipelineVersionAliases can only be given when the definition changes.")
        else:
            pipeline = local.store.change(region, "Pipeline", name, **changes)
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": pipeline["_version"]}


def _definition(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> str:
    """The definition's text, from the request or from S3, if the service would take it.

    :raises ServiceError: with every reason why not.
    """
    if ("PipelineDefinition" in request) == ("PipelineDefinitionS3Location" in request):
        raise invalid("Give exactly one of PipelineDefinition and PipelineDefinitionS3Location.")
    text = request.get("PipelineDefinition")
    if text is None:
        where = request["PipelineDefinitionS3Location"]
        version = {"VersionId": where["VersionId"]} if "VersionId" in where else {}
        client = local.client("s3", region)
        try:
            answer = client.get_object(Bucket=where["Bucket"], Key=where["ObjectKey"], **version)
            text = answer["Body"].read().decode()
        except (client.exceptions.ClientError, UnicodeDecodeError) as error:
            raise invalid(f"Could not read s3://{where['Bucket']}/{where['ObjectKey']}: {error}") from None
    try:
        definition = PipelineDefinition.from_json(text)
    except DefinitionError as error:
        raise invalid(f"Invalid pipeline definition: {error}") from None
    refused = [item for item in definition.validate() if item.severity is Severity.ERROR or _unsupported(local, item)]
    if refused:
        reasons = "; ".join(f"{item.place}: {item.message} ({item.code})" if item.place else f"{item.message} ({item.code})" for item in refused)  # fmt: skip
        raise invalid(f"Model Validation failed: {len(refused)} problem(s): {reasons}")
    return str(text)


def _unsupported(local: LocalSageMaker, item: Finding) -> bool:
    settings = local.settings
    return (item.code == "SMP624" and not settings.nested_conditions) or (
        item.code == "SMP625" and not settings.condition_dependencies
    )


def _add_version(local: LocalSageMaker, region: str, pipeline: Record, text: str, aliases: list[str]) -> None:
    name, number, now = pipeline["PipelineName"], pipeline["_version"], time.time()
    record = {
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineVersionId": number,
        "CreationTime": now,
        "LastModifiedTime": now,
        "_pipeline": name,
        "_definition": text,
        "_name": f"{number:09d}",
        "PipelineVersionAliases": aliases,
    }
    local.store.put(region, "PipelineVersion", f"{name}/{number}", record)


def _set_aliases(
    local: LocalSageMaker, region: str, name: str, number: int, add: Sequence[str] = (), remove: Sequence[str] = ()
) -> None:
    """Change the aliases of a version."""
    _require_free(local, region, name, add, number)
    own = _version(local, region, name, number)["PipelineVersionAliases"]
    aliases = list(dict.fromkeys([*(alias for alias in own if alias not in remove), *add]))
    if len(aliases) > 10:
        raise invalid("A version has at most 10 aliases.")
    if aliases != own:
        local.store.change(region, "PipelineVersion", f"{name}/{number}", PipelineVersionAliases=aliases)


def _require_free(
    local: LocalSageMaker, region: str, name: str, aliases: Sequence[str], number: int | None = None
) -> None:
    """Raise unless a version can have aliases: one of another version must be removed there first (API: UpdatePipeline)."""
    if digits := [alias for alias in aliases if alias.isdigit()]:
        raise invalid(f"An alias is not of digits only: {', '.join(digits)}")
    for version in local.store.records(region, "PipelineVersion"):
        taken = sorted(set(version["PipelineVersionAliases"]) & set(aliases))
        if taken and version["_pipeline"] == name and version["PipelineVersionId"] != number:
            raise invalid(f"Version {version['PipelineVersionId']} has the alias {', '.join(taken)}; remove it there.")


def _version(local: LocalSageMaker, region: str, name: str, number: int) -> Record:
    record = local.store.get(region, "PipelineVersion", f"{name}/{number}")
    if record is None:
        raise missing(f"Version {number} of pipeline '{name}'")
    return record


def _chosen_version(local: LocalSageMaker, region: str, pipeline: Record, request: Mapping[str, Any]) -> Record:
    """The version that a request names by number or alias; else the latest."""
    name, alias = pipeline["PipelineName"], request.get("PipelineVersionAlias")
    if alias is not None and "PipelineVersionId" in request:
        raise invalid("Give PipelineVersionId or PipelineVersionAlias, not both.")
    if alias is not None:
        for version in local.store.records(region, "PipelineVersion"):
            if version["_pipeline"] == name and alias in version["PipelineVersionAliases"]:
                return version
        raise missing(f"Version alias '{alias}' of pipeline '{name}'")
    return _version(local, region, name, int(request.get("PipelineVersionId", pipeline["_version"])))


def _describe(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    pipeline = pipeline_of(local, region, request["PipelineName"])
    version = _chosen_version(local, region, pipeline, request)
    described = ("PipelineVersionDisplayName", "PipelineVersionDescription")
    return {
        **pipeline,
        "PipelineDefinition": version["_definition"],
        "PipelineVersionId": version["PipelineVersionId"],
        "PipelineVersionAliases": version["PipelineVersionAliases"],
        **{key: version[key] for key in described if key in version},
    }


def _list(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    records = local.store.records(region, "Pipeline")
    if request.get("ManagedBy") == "SERVICE":
        records = []
    if prefix := request.get("PipelineNamePrefix"):
        records = [item for item in records if item["PipelineName"].startswith(prefix)]
    records = [
        {**item, **({"LastExecutionTime": item["LastRunTime"]} if "LastRunTime" in item else {})} for item in records
    ]
    return listing("ListPipelines", "PipelineSummaries", records, request, "PipelineName")


def _delete(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    pipeline = pipeline_of(local, region, request["PipelineName"])
    name = pipeline["PipelineName"]
    executions = [item for item in local.store.records(region, "PipelineExecution") if item["_pipeline"] == name]
    if running := [item for item in executions if item["PipelineExecutionStatus"] not in _ENDED]:
        raise conflict(f"Pipeline '{name}' has {len(running)} running execution(s); stop them first.")
    for item in executions:
        arn = item["PipelineExecutionArn"]
        for step in steps_of(local, region, arn):
            local.store.remove(region, step_kind(arn), step["StepName"])
        local.store.remove(region, "PipelineExecution", arn)
    for version in local.store.records(region, "PipelineVersion"):
        if version["_pipeline"] == name:
            local.store.remove(region, "PipelineVersion", f"{name}/{version['PipelineVersionId']}")
    local.store.remove(region, "Pipeline", name)
    local.store.remove(region, "Tags", pipeline["PipelineArn"])
    for kind in ("Token", "CallbackToken"):  # a token of something that is gone means nothing
        for token in local.store.records(region, kind):
            arn = next(iter(token.get("response", token).values()), "")
            if arn == pipeline["PipelineArn"] or str(arn).startswith(f"{pipeline['PipelineArn']}/"):
                local.store.remove(region, kind, token["_name"])
    return {"PipelineArn": pipeline["PipelineArn"]}


def _list_versions(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    name = pipeline_of(local, region, request["PipelineName"])["PipelineName"]
    records = [item for item in local.store.records(region, "PipelineVersion") if item["_pipeline"] == name]
    return listing("ListPipelineVersions", "PipelineVersionSummaries", records, request, "_name")


def _update_version(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    pipeline = pipeline_of(local, region, request["PipelineArn"])
    name, number = pipeline["PipelineName"], int(request["PipelineVersionId"])
    with local.store.changed:
        _version(local, region, name, number)
        operations = request.get("PipelineVersionAliasOperations", {})
        _set_aliases(local, region, name, number, operations.get("Add", []), operations.get("Remove", []))
        kept = ("PipelineVersionDisplayName", "PipelineVersionDescription")
        changes = {key: request[key] for key in kept if key in request}
        local.store.change(region, "PipelineVersion", f"{name}/{number}", **changes)
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": number}


# Executions


def execution_of(local: LocalSageMaker, region: str, arn: str) -> Record:
    """An execution by its ARN.

    :raises ServiceError: there is none.
    """
    record = local.store.get(region, "PipelineExecution", arn)
    if record is None:
        raise missing(f"Pipeline execution '{arn}'")
    return record


def step_kind(execution: str) -> str:
    """The kind under which the steps of an execution (an ARN) are kept; their names are those of the steps."""
    return f"Step of {execution}"


def steps_of(local: LocalSageMaker, region: str, execution: str) -> list[Record]:
    """The records of the steps of an execution (an ARN) that started, in that order."""
    records = local.store.records(region, step_kind(execution))
    return sorted(records, key=lambda item: (item["StartTime"], item["_order"]))


def _start(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    pipeline = pipeline_of(local, region, request["PipelineName"])
    version = _chosen_version(local, region, pipeline, request)
    definition = PipelineDefinition.from_json(version["_definition"])
    parameters = parameter_values(definition, request.get("PipelineParameters", []))
    identifier = "".join(secrets.choice(_LETTERS) for _ in range(12))
    arn, now = f"{pipeline['PipelineArn']}/execution/{identifier}", time.time()
    record = {
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineExecutionArn": arn,
        "PipelineExecutionDisplayName": request.get("PipelineExecutionDisplayName", f"execution-{int(now * 1000)}"),
        "PipelineExecutionStatus": "Executing",
        "CreationTime": now,
        "LastModifiedTime": now,
        "StartTime": now,
        "PipelineVersionId": version["PipelineVersionId"],
        "_pipeline": pipeline["PipelineName"],
        "_id": identifier,
        "_definition": version["_definition"],
        "_parameters": parameters,
        "_role": request.get("RoleArn") or pipeline["RoleArn"],
    }
    if text := request.get("PipelineExecutionDescription"):
        record["PipelineExecutionDescription"] = text
    if parallelism := request.get("ParallelismConfiguration") or pipeline.get("ParallelismConfiguration"):
        record["ParallelismConfiguration"] = parallelism
    reused: list[Record] = []
    if selection := request.get("SelectiveExecutionConfig"):
        from sagemaker_provider.local.selection import selected

        record["SelectiveExecutionConfig"] = selection
        record["_selected"], reused = selected(local, region, pipeline, definition, selection)
    local.store.put(region, "PipelineExecution", arn, record)
    for order, step in enumerate(reused):
        source = {"SourcePipelineExecutionArn": record["SelectiveExecutionConfig"]["SourcePipelineExecutionArn"]}
        copy = {**step, "SelectiveExecutionResult": source, "_order": order}
        local.store.put(region, step_kind(arn), step["StepName"], copy)
    local.store.change(
        region, "Pipeline", pipeline["PipelineName"], LastRunTime=now, LastModifiedTime=pipeline["LastModifiedTime"]
    )
    local.executions.start(region, arn)
    return {"PipelineExecutionArn": arn}


def parameter_values(definition: PipelineDefinition, given: list[dict[str, str]]) -> dict[str, Any]:
    """The parameters of an execution: values of the start, converted to their types, and defaults.

    :raises ServiceError: with every reason why not.
    """
    names = [item["Name"] for item in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    values, problems = checked(definition, {item["Name"]: item["Value"] for item in given})
    problems = [f"parameter {name!r} is given twice" for name in twice] + problems
    if problems:
        raise invalid(f"Invalid pipeline parameters: {'; '.join(problems)}")
    return values


def _describe_execution(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    return dict(execution_of(local, region, request["PipelineExecutionArn"]))


def _definition_of_execution(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    record = execution_of(local, region, request["PipelineExecutionArn"])
    return {"PipelineDefinition": record["_definition"], "CreationTime": record["CreationTime"]}


def _list_executions(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    name = pipeline_of(local, region, request["PipelineName"])["PipelineName"]
    records = [item for item in local.store.records(region, "PipelineExecution") if item["_pipeline"] == name]
    records = [
        {**item, "PipelineExecutionFailureReason": item["FailureReason"]} if "FailureReason" in item else item
        for item in records
    ]
    wanted = {**request, **({"SortBy": "Name"} if request.get("SortBy") == "PipelineExecutionArn" else {})}
    return listing("ListPipelineExecutions", "PipelineExecutionSummaries", records, wanted, "PipelineExecutionArn")


def _list_steps(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    arn = request["PipelineExecutionArn"]
    execution_of(local, region, arn)
    records = steps_of(local, region, arn)
    order = lambda step: [step["StartTime"], step["_order"], step["StepName"]]  # noqa: E731
    descending = request.get("SortOrder", "Descending") == "Descending"
    chosen, token = page(
        sorted(records, key=order, reverse=descending), request, "StepName", key=order, descending=descending
    )
    steps = [{key: value for key, value in item.items() if not key.startswith("_")} for item in chosen]
    return {"PipelineExecutionSteps": steps, **({"NextToken": token} if token else {})}


def _list_parameters(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    values = execution_of(local, region, request["PipelineExecutionArn"])["_parameters"]
    parameters = [{"Name": name, "Value": _text(value)} for name, value in values.items()]
    chosen, token = page(parameters, request, "Name")
    return {"PipelineParameters": chosen, **({"NextToken": token} if token else {})}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _update_execution(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    arn = request["PipelineExecutionArn"]
    execution_of(local, region, arn)
    kept = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "ParallelismConfiguration")
    local.store.change(region, "PipelineExecution", arn, **{key: request[key] for key in kept if key in request})
    local.executions.wake(arn)
    return {"PipelineExecutionArn": arn}


def _stop(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    arn = request["PipelineExecutionArn"]
    with local.store.changed:
        if (status := execution_of(local, region, arn)["PipelineExecutionStatus"]) in _ENDED:
            raise conflict(f"Pipeline execution '{arn}' is in status {status} and cannot be stopped.")
        local.store.change(region, "PipelineExecution", arn, PipelineExecutionStatus="Stopping")
    local.executions.wake(arn)
    return {"PipelineExecutionArn": arn}


def _retry(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    arn = request["PipelineExecutionArn"]
    with local.store.changed:
        record = execution_of(local, region, arn)
        status = record["PipelineExecutionStatus"]
        steps = steps_of(local, region, arn)
        if status not in ("Failed", "Stopped"):
            raise conflict(
                f"Pipeline execution '{arn}' is in status {status}; only Failed and Stopped ones can be retried."
            )
        if any(step["_type"] == "Fail" for step in steps):
            raise conflict(f"Pipeline execution '{arn}' was ended by a Fail step and cannot be retried.")
        for step in steps:
            if step["StepStatus"] != "Succeeded" and "SelectiveExecutionResult" not in step:
                local.store.remove(region, step_kind(arn), step["StepName"])
        changes: dict[str, Any] = {"PipelineExecutionStatus": "Executing", "FailureReason": None}
        changes["_failures"] = {
            **record.get("_failures", {}),
            **{step["StepName"]: step.get("_attempts", 1) for step in steps if step["StepStatus"] != "Succeeded"},
        }
        if "ParallelismConfiguration" in request:
            changes["ParallelismConfiguration"] = request["ParallelismConfiguration"]
        new = {key: value for key, value in {**record, **changes}.items() if value is not None}
        local.store.put(region, "PipelineExecution", arn, {**new, "LastModifiedTime": time.time()})
    local.executions.start(region, arn)
    return {"PipelineExecutionArn": arn}


def _answer_callback(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    """Keep the answer of a worker; the step waits for it."""
    with local.store.changed:
        token = local.store.get(region, "CallbackToken", request["CallbackToken"])
        if token is None:
            raise missing(f"Callback token '{request['CallbackToken']}'")
        if "_answer" in token:
            raise conflict(f"Callback token '{request['CallbackToken']}' was answered before.")
        local.store.change(region, "CallbackToken", request["CallbackToken"], _answer=request)
    return {"PipelineExecutionArn": token["PipelineExecutionArn"]}


def _answer_failure(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    return _answer_callback(local, region, {**request, "_failed": True})


_IDEMPOTENT: Final[Mapping[str, Handler]] = {
    "CreatePipeline": _create,
    "DeletePipeline": _delete,
    "RetryPipelineExecution": _retry,
    "SendPipelineExecutionStepFailure": _answer_failure,
    "SendPipelineExecutionStepSuccess": _answer_callback,
    "StartPipelineExecution": _start,
    "StopPipelineExecution": _stop,
}
"""Operations that a client may repeat with the same ``ClientRequestToken``."""

OPERATIONS: Final[Mapping[str, Handler]] = {
    **{operation: partial(once, operation, handler) for operation, handler in _IDEMPOTENT.items()},
    "DescribePipeline": _describe,
    "DescribePipelineDefinitionForExecution": _definition_of_execution,
    "DescribePipelineExecution": _describe_execution,
    "ListPipelineExecutionSteps": _list_steps,
    "ListPipelineExecutions": _list_executions,
    "ListPipelineParametersForExecution": _list_parameters,
    "ListPipelineVersions": _list_versions,
    "ListPipelines": _list,
    "UpdatePipeline": _update,
    "UpdatePipelineExecution": _update_execution,
    "UpdatePipelineVersion": _update_version,
}
"""Handler by operation."""
