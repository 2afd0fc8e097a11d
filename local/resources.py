"""Jobs, models, endpoints and records: created, described, listed, updated, stopped and deleted, by one table.

Operations are named after the kind, as in the service: ``CreateTrainingJob``, ``DescribeTrainingJob``, ``ListTrainingJobs``,
``StopTrainingJob``, ``DeleteTrainingJob``. What a response contains is what the service model says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.definition import shapes
from sagemaker_provider.local import runnable, tuning
from sagemaker_provider.local.errors import ServiceError, invalid, missing

if TYPE_CHECKING:
    from sagemaker_provider.local.service import Handler, LocalSageMaker
    from sagemaker_provider.local.store import Record

ENDED: Final = ("Completed", "Failed", "Stopped")
"""Statuses of a job that runs no more."""


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    :param name: as in the names of its operations.
    :param arn: first part of the resource in its ARN.
    :param job: it runs, and ends by itself.
    :param status: status of a new one that is no job; empty when it has none.
    :param listed: member of the List response, where it is not called after the kind.
    """

    name: str
    arn: str
    job: bool = False
    status: str = ""
    listed: str = ""

    @property
    def key(self) -> str:
        """The member that names it."""
        return f"{self.name}Name"

    @property
    def summaries(self) -> str:
        """Member of the List response."""
        return self.listed or f"{self.name}Summaries"


_KINDS: Final = (
    Kind("ProcessingJob", "processing-job", job=True),
    Kind("TrainingJob", "training-job", job=True),
    Kind("TransformJob", "transform-job", job=True),
    Kind("HyperParameterTuningJob", "hyper-parameter-tuning-job", job=True),
    Kind("AutoMLJob", "automl-job", job=True),
    Kind("Job", "job", job=True),
    Kind("Model", "model", listed="Models"),
    Kind("ModelPackageGroup", "model-package-group", status="Completed", listed="ModelPackageGroupSummaryList"),
    Kind("EndpointConfig", "endpoint-config", listed="EndpointConfigs"),
    Kind("Endpoint", "endpoint", status="Creating", listed="Endpoints"),
    Kind("InferenceComponent", "inference-component", status="Creating", listed="InferenceComponents"),
    Kind("Action", "action"),
    Kind("Context", "context"),
    Kind("Artifact", "artifact"),
    Kind("Experiment", "experiment"),
    Kind("Trial", "experiment-trial"),
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _KINDS}
_UPDATABLE: Final = ("Action", "Context", "Artifact", "Experiment", "Trial", "InferenceComponent")
_READY: Final = {"Endpoint": "InService", "InferenceComponent": "InService"}


# Names and look-ups


def find(local: LocalSageMaker, region: str, kind: str, name: str) -> Record:
    """A resource by its name or ARN.

    :raises ServiceError: there is none.
    """
    record = local.store.get(region, kind, name.rpartition("/")[2] if name.startswith("arn:") else name)
    if record is None or (name.startswith("arn:") and name != record[f"{kind}Arn"]):
        if kind in ("Action", "Context", "Artifact", "Experiment", "Trial"):
            raise missing(f"{kind} '{name}'")
        if KINDS[kind].job:
            raise invalid("Requested resource not found.")
        raise invalid(f'Could not find {_words(kind)} "{local.arn(region, f"{KINDS[kind].arn}/{name}")}".')
    return record


def _words(kind: str) -> str:
    """``EndpointConfig`` -> ``endpoint configuration``."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip()
    return words.replace("config", "configuration")


def _create(kind: Kind, local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    record = {key: value for key, value in request.items() if key != "Tags"}
    name = request.get(kind.key) or uuid.uuid4().hex
    why = runnable.why_not(local, region, kind.name, request) if kind.job else None
    if why and local.settings.images == "refuse":
        raise invalid(f"the local SageMaker cannot run this job and is set to refuse such jobs: {why}")
    if kind.name in _CHECKS:
        _CHECKS[kind.name](local, region, request)
    now = time.time()
    arn = local.arn(region, f"{kind.arn}/{name}")
    record.update({f"{kind.name}Arn": arn, kind.key: name, "CreationTime": now, "LastModifiedTime": now})
    if kind.job or kind.status:
        record[f"{kind.name}Status"] = "InProgress" if kind.job else kind.status
    record.update(_EXTRAS.get(kind.name, {}))
    if not local.store.add(region, kind.name, name, record):
        raise _taken(kind, name, arn)
    tag(local, region, arn, request.get("Tags", ()))
    if kind.job:
        local.jobs.start(region, kind.name, name)
    elif kind.name in _READY:
        _later(local, region, kind, name)
    return {f"{kind.name}Arn": arn}


def _taken(kind: Kind, name: str, arn: str) -> ServiceError:
    if kind.job:
        return ServiceError(
            "ResourceInUse",
            f"Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})",
        )
    return invalid(f'Cannot create already existing {_words(kind.name)} "{arn}": {name!r} already exists.')


def _later(local: LocalSageMaker, region: str, kind: Kind, name: str) -> None:
    """Let an endpoint or component be in service after the time of a simulated job."""
    member = f"{kind.name}Status"

    def ready() -> None:
        with local.store.changed:
            record = local.store.get(region, kind.name, name)
            if record and record[member] in ("Creating", "Updating"):
                fault = local.faults.for_job(f"Create{kind.name}", name)
                if fault and fault.kind == "hang":
                    return
                change = {member: "Failed", "FailureReason": fault.message} if fault else {member: _READY[kind.name]}
                local.store.change(region, kind.name, name, **change)

    if local.settings.simulated_seconds <= 0:
        ready()
        return
    timer = threading.Timer(local.settings.simulated_seconds, ready)
    timer.daemon = True
    timer.start()


def resume(local: LocalSageMaker) -> None:
    """After a restart: endpoints and components that were coming up go on."""
    for name in _READY:
        for region, of in local.store.places(name):
            _later(local, region, KINDS[name], of)


def _describe(kind: Kind, local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    record = find(local, region, kind.name, str(request.get(f"{kind.name}Arn") or request.get(kind.key)))
    more = _DESCRIBED[kind.name](local, region, record) if kind.name in _DESCRIBED else {}
    return {**record, **more}


def _stop(kind: Kind, local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    record = find(local, region, kind.name, request[kind.key])
    if record[f"{kind.name}Status"] in ENDED:
        raise invalid(f"The request was rejected because the job is in status {record[f'{kind.name}Status']}.")
    local.jobs.stop(region, kind.name, record[kind.key])
    return {}


def _delete(kind: Kind, local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    record = find(local, region, kind.name, str(request.get(f"{kind.name}Arn") or request.get(kind.key)))
    if kind.job and record[f"{kind.name}Status"] not in ENDED:
        raise invalid(
            f"{record[kind.key]} is in status {record[f'{kind.name}Status']}; only ended jobs can be deleted."
        )
    arn = record[f"{kind.name}Arn"]
    local.store.remove(region, kind.name, arn.rpartition("/")[2])
    local.store.remove(region, "Tags", arn)
    return {f"{kind.name}Arn": arn}


def _update(kind: Kind, local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    record = find(local, region, kind.name, str(request.get(f"{kind.name}Arn") or request.get(kind.key)))
    identifier = f"{kind.name}Arn" if f"{kind.name}Arn" in request else kind.key
    changes = {key: value for key, value in request.items() if key != identifier}
    if kind.name in _READY:
        changes[f"{kind.name}Status"] = "Updating"
    name = record[f"{kind.name}Arn"].rpartition("/")[2]
    local.store.change(region, kind.name, name, **changes)
    if kind.name in _READY:
        _later(local, region, kind, name)
    return {f"{kind.name}Arn": record[f"{kind.name}Arn"]}


def listing(
    operation: str,
    member: str,
    records: list[Record],
    request: Mapping[str, Any],
    name: str,
    status: str = "",
    size: int = 10,
) -> dict[str, Any]:
    """A List response: filtered, sorted, paged, each record with the members of the summary.

    :param member: member of the response that holds the summaries.
    :param name: member of a record that names it.
    :param status: member of a record with its status.
    :param size: entries of a page when the request does not say.
    """
    filters: tuple[tuple[str, Callable[[Record, Any], bool]], ...] = (
        ("NameContains", lambda item, value: str(value).lower() in str(item[name]).lower()),
        ("StatusEquals", lambda item, value: item.get(status) == value),
        ("CreationTimeAfter", lambda item, value: item["CreationTime"] > value),
        ("CreationTimeBefore", lambda item, value: item["CreationTime"] < value),
        ("LastModifiedTimeAfter", lambda item, value: item["LastModifiedTime"] > value),
        ("LastModifiedTimeBefore", lambda item, value: item["LastModifiedTime"] < value),
        ("CreatedAfter", lambda item, value: item["CreationTime"] > value),
        ("CreatedBefore", lambda item, value: item["CreationTime"] < value),
    )
    for key, keeps in filters:
        if key in request:
            value = _seconds(request[key]) if key.endswith(("After", "Before")) else request[key]
            records = [item for item in records if keeps(item, value)]
    sort = {"Name": name, "Status": status, "LastModifiedTime": "LastModifiedTime"}.get(
        str(request.get("SortBy")), "CreationTime"
    )
    descending = request.get("SortOrder", "Descending") == "Descending"
    order = lambda item: [item.get(sort) or 0, str(item[name])]  # noqa: E731
    chosen, token = page(sorted(records, key=order, reverse=descending), request, name, size, order, descending)
    entry = shapes.service_model("sagemaker").operation_model(operation).output_shape.members[member].member
    summaries = [{key: value for key, value in item.items() if key in entry.members} for item in chosen]
    return {member: summaries, **({"NextToken": token} if token else {})}


def _seconds(value: Any) -> float:
    """A time of a request: seconds since 1970, or ISO 8601 text."""
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp() if isinstance(value, str) else value
    except ValueError:
        raise invalid(f"{value!r} is no time") from None


def page(
    records: list[Record],
    request: Mapping[str, Any],
    name: str,
    size: int = 10,
    key: Callable[[Record], list[Any]] | None = None,
    descending: bool = False,
) -> tuple[list[Record], str | None]:
    """A page of records and the token of the next one.

    :param name: member that tells records apart.
    :param key: what they are sorted by, so that a page can begin after one that was deleted meanwhile.
    :raises ServiceError: the request's token is none of a page before.
    """
    place = key or (lambda item: [str(item[name])])
    first = 0
    if token := request.get("NextToken"):
        try:
            last = json.loads(base64.urlsafe_b64decode(token.encode()))
            if key is None:
                first = next(index for index, item in enumerate(records, 1) if place(item) == last)
            else:
                later = (
                    index
                    for index, item in enumerate(records)
                    if (key(item) < last if descending else key(item) > last)
                )
                first = next(later, len(records))
        except (ValueError, TypeError, StopIteration):
            raise invalid("Invalid NextToken") from None
    chosen = records[first : first + int(request.get("MaxResults", size))]
    more = first + len(chosen) < len(records)
    return chosen, base64.urlsafe_b64encode(
        json.dumps(place(chosen[-1])).encode()
    ).decode() if more and chosen else None


def _list(kind: Kind, local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    records = local.store.records(region, kind.name)
    for member, key in (("EndpointNameEquals", "EndpointName"), ("VariantNameEquals", "VariantName"), ("JobCategory", "JobCategory"),
                        ("ExperimentName", "ExperimentName")):  # fmt: skip
        if member in request:
            records = [item for item in records if item.get(key) == request[member]]
    return listing(f"List{kind.name}s", kind.summaries, records, request, kind.key, f"{kind.name}Status")


# What some kinds need beyond the table


def _check_endpoint(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> None:
    find(local, region, "EndpointConfig", request["EndpointConfigName"])


def _check_endpoint_config(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> None:
    for variant in request.get("ProductionVariants", ()):
        if "ModelName" in variant:
            find(local, region, "Model", variant["ModelName"])


def _check_component(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> None:
    find(local, region, "Endpoint", request["EndpointName"])


def _check_transform(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> None:
    find(local, region, "Model", request["ModelName"])


def _check_tuning(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> None:
    if ("TrainingJobDefinition" in request) == ("TrainingJobDefinitions" in request):
        raise invalid("Give either TrainingJobDefinition or TrainingJobDefinitions.")


_CHECKS: Final[Mapping[str, Callable[..., None]]] = {
    "Endpoint": _check_endpoint,
    "EndpointConfig": _check_endpoint_config,
    "InferenceComponent": _check_component,
    "TransformJob": _check_transform,
    "HyperParameterTuningJob": _check_tuning,
}


_EXTRAS: Final[Mapping[str, dict[str, Any]]] = {
    "TrainingJob": {"SecondaryStatus": "Starting"},
    "AutoMLJob": {"AutoMLJobSecondaryStatus": "Starting"},
    "HyperParameterTuningJob": {
        "TrainingJobStatusCounters": dict.fromkeys(
            ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0
        ),
        "ObjectiveStatusCounters": dict.fromkeys(("Succeeded", "Pending", "Failed"), 0),
    },
}
"""Members of a new record that its request does not have."""


def _endpoint_description(local: LocalSageMaker, region: str, record: Mapping[str, Any]) -> dict[str, Any]:
    config = local.store.get(region, "EndpointConfig", record["EndpointConfigName"]) or {}
    variants = [
        {
            "VariantName": item["VariantName"],
            "CurrentInstanceCount": item.get("InitialInstanceCount", 1),
            "DesiredInstanceCount": item.get("InitialInstanceCount", 1),
            "CurrentWeight": item.get("InitialVariantWeight", 1.0),
            "DesiredWeight": item.get("InitialVariantWeight", 1.0),
        }
        for item in config.get("ProductionVariants", ())
    ]
    return {"ProductionVariants": variants} if variants else {}


def _component_description(local: LocalSageMaker, region: str, record: Mapping[str, Any]) -> dict[str, Any]:
    count = record.get("RuntimeConfig", {}).get("CopyCount")
    return {} if count is None else {"RuntimeConfig": {"DesiredCopyCount": count, "CurrentCopyCount": count}}


_DESCRIBED: Final[Mapping[str, Callable[..., dict[str, Any]]]] = {
    "Endpoint": _endpoint_description,
    "InferenceComponent": _component_description,
}
"""What a description has beside the members of its create request."""


def _update_endpoint(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    find(local, region, "EndpointConfig", request["EndpointConfigName"])
    status = find(local, region, "Endpoint", request["EndpointName"])["EndpointStatus"]
    if status in ("Creating", "Updating"):
        raise invalid(f'Cannot update in-progress endpoint "{request["EndpointName"]}".')
    if status == "Failed":  # API reference, DescribeEndpoint: "DeleteEndpoint is the only operation"
        raise invalid(f'Cannot update failed endpoint "{request["EndpointName"]}".')
    return _update(KINDS["Endpoint"], local, region, request)


def _create_artifact(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    """Artifacts have generated names in their ARN, and names of their own that need not be unique."""
    name = uuid.uuid4().hex
    arn, now = local.arn(region, f"artifact/{name}"), time.time()
    local.store.put(
        region, "Artifact", name, {**request, "ArtifactArn": arn, "CreationTime": now, "LastModifiedTime": now}
    )
    return {"ArtifactArn": arn}


def _add_association(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    name = hashlib.sha256(f"{request['SourceArn']} {request['DestinationArn']}".encode()).hexdigest()
    local.store.put(region, "Association", name, {**request, "CreationTime": time.time(), "_name": name})
    return {"SourceArn": request["SourceArn"], "DestinationArn": request["DestinationArn"]}


def _list_associations(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    keys = ("SourceArn", "DestinationArn", "AssociationType")
    records = [
        item
        for item in local.store.records(region, "Association")
        if all(item.get(key) == request[key] for key in keys if key in request)
    ]
    return listing("ListAssociations", "AssociationSummaries", records, request, "_name")


def _training_jobs_of(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    name = request["HyperParameterTuningJobName"]
    find(local, region, "HyperParameterTuningJob", name)
    summaries = tuning.training_summaries(local, region, name)
    if "StatusEquals" in request:
        summaries = [item for item in summaries if item["TrainingJobStatus"] == request["StatusEquals"]]
    if request.get("SortBy") == "FinalObjectiveMetricValue":
        metric = "FinalHyperParameterTuningJobObjectiveMetric"
        summaries = [item for item in summaries if metric in item]
        summaries.sort(key=lambda item: item[metric]["Value"], reverse=request.get("SortOrder") == "Descending")
    elif request.get("SortBy") in ("Name", None, "CreationTime"):
        key = "CreationTime" if request.get("SortBy") == "CreationTime" else "TrainingJobName"
        summaries = sorted(summaries, key=lambda item: item[key], reverse=request.get("SortOrder") == "Descending")
    chosen, token = page(summaries, request, "TrainingJobName")
    return {"TrainingJobSummaries": chosen, **({"NextToken": token} if token else {})}


def _list_candidates(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    job = find(local, region, "AutoMLJob", request["AutoMLJobName"])
    return {"Candidates": [job["BestCandidate"]] if "BestCandidate" in job else []}


# Model packages: versions of a group, or packages by name


def _create_package(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    from sagemaker_provider.local.service import once

    return once("CreateModelPackage", _new_package, local, region, request)


def _new_package(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    now = time.time()
    record = {key: value for key, value in request.items() if key not in ("Tags", "ClientToken")}
    if ("ModelPackageGroupName" in request) == ("ModelPackageName" in request):
        raise invalid("Give either ModelPackageName or ModelPackageGroupName.")
    with local.store.transaction():
        if "ModelPackageGroupName" in request:
            group = request["ModelPackageGroupName"].rpartition("/")[2]
            if (held := local.store.get(region, "ModelPackageGroup", group)) is None:
                raise invalid(f"Model Package Group {group} does not exist.")
            version = int(held.get("_versions", 0)) + 1
            local.store.put(region, "ModelPackageGroup", group, {**held, "_versions": version})
            arn = local.arn(region, f"model-package/{group}/{version}")
            record.update({"ModelPackageGroupName": group, "ModelPackageVersion": version})
        else:
            arn = local.arn(region, f"model-package/{request['ModelPackageName']}")
        status = record.get("ModelApprovalStatus", "PendingManualApproval")
        record.update(
            {
                "ModelPackageArn": arn,
                "ModelPackageName": request.get("ModelPackageName", arn),
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
                "ModelApprovalStatus": status,
                "CreationTime": now,
                "LastModifiedTime": now,
            }
        )
        if fault := local.faults.for_job("CreateModelPackage", arn):
            details = [{"Name": "validation", "Status": "Failed", "FailureReason": fault.message}]
            record["ModelPackageStatus"] = "Failed" if fault.kind == "fail" else "InProgress"
            record["ModelPackageStatusDetails"] = {"ValidationStatuses": details, "ImageScanStatuses": []}
        if not local.store.add(region, "ModelPackage", arn, record):
            raise ServiceError("ConflictException", f"Model package {arn} already exists.")
    tag(local, region, arn, request.get("Tags", ()))
    return {"ModelPackageArn": arn}


def _package(local: LocalSageMaker, region: str, name: str) -> Record:
    arn = name if name.startswith("arn:") else local.arn(region, f"model-package/{name}")
    if (record := local.store.get(region, "ModelPackage", arn)) is None:
        raise invalid(f"ModelPackage {arn} does not exist.")
    return record


def _update_package(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    record = _package(local, region, request["ModelPackageArn"])
    changes = {key: value for key, value in request.items() if key in record or key.startswith("ModelApproval") or key == "ApprovalDescription"}  # fmt: skip
    properties = {**record.get("CustomerMetadataProperties", {}), **request.get("CustomerMetadataProperties", {})}
    for key in request.get("CustomerMetadataPropertiesToRemove", ()):
        properties.pop(key, None)
    if properties or "CustomerMetadataProperties" in record:
        changes["CustomerMetadataProperties"] = properties
    local.store.change(region, "ModelPackage", record["ModelPackageArn"], **changes)
    return {"ModelPackageArn": record["ModelPackageArn"]}


def _delete_package(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    local.store.remove(region, "ModelPackage", _package(local, region, request["ModelPackageName"])["ModelPackageArn"])
    return {}


def _list_packages(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    records = local.store.records(region, "ModelPackage")
    if group := request.get("ModelPackageGroupName"):
        records = [item for item in records if item.get("ModelPackageGroupName") == group.rpartition("/")[2]]
    elif request.get("ModelPackageType", "Unversioned") == "Unversioned":
        records = [item for item in records if "ModelPackageGroupName" not in item]
    elif request["ModelPackageType"] == "Versioned":
        records = [item for item in records if "ModelPackageGroupName" in item]
    if status := request.get("ModelApprovalStatus"):
        records = [item for item in records if item["ModelApprovalStatus"] == status]
    return listing("ListModelPackages", "ModelPackageSummaryList", records, request, "ModelPackageArn")


def _delete_group(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    group = find(local, region, "ModelPackageGroup", request["ModelPackageGroupName"])
    name = group["ModelPackageGroupName"]
    if any(item.get("ModelPackageGroupName") == name for item in local.store.records(region, "ModelPackage")):
        raise ServiceError("ConflictException", f"Model Package Group {name} has model packages; delete them first.")
    local.store.remove(region, "ModelPackageGroup", name)
    return {}


# Tags


def tag(local: LocalSageMaker, region: str, arn: str, tags: Any) -> None:
    """Keep the tags of a new resource, and one that says that it is local."""
    mark = {"Key": "sagemaker-local", "Value": "true"}
    local.store.put(region, "Tags", arn, {"Tags": [*tags, mark]})


def _tags(local: LocalSageMaker, region: str, arn: str) -> list[dict[str, str]]:
    if (record := local.store.get(region, "Tags", arn)) is None:
        raise invalid(f"There is no resource {arn}.")
    return list(record["Tags"])


def _add_tags(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    with local.store.changed:
        tags = {item["Key"]: item for item in [*_tags(local, region, request["ResourceArn"]), *request["Tags"]]}
        local.store.put(region, "Tags", request["ResourceArn"], {"Tags": list(tags.values())})
    return {"Tags": list(tags.values())}


def _delete_tags(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    with local.store.changed:
        tags = [item for item in _tags(local, region, request["ResourceArn"]) if item["Key"] not in request["TagKeys"]]
        local.store.put(region, "Tags", request["ResourceArn"], {"Tags": tags})
    return {}


def _list_tags(local: LocalSageMaker, region: str, request: dict[str, Any]) -> dict[str, Any]:
    chosen, token = page(_tags(local, region, request["ResourceArn"]), request, "Key", 50)
    return {"Tags": chosen, **({"NextToken": token} if token else {})}


def _of_the_table() -> dict[str, Handler]:
    known = shapes.service_model("sagemaker").operation_names
    found: dict[str, Handler] = {}
    for kind in _KINDS:
        for operation, function in (
            (f"Create{kind.name}", _create),
            (f"Describe{kind.name}", _describe),
            (f"List{kind.name}s", _list),
            (f"Delete{kind.name}", _delete),
            (f"Stop{kind.name}", _stop),
        ):
            if operation in known:
                found[operation] = partial(function, kind)
        if kind.name in _UPDATABLE and f"Update{kind.name}" in known:
            found[f"Update{kind.name}"] = partial(_update, kind)
    return found


OPERATIONS: Final[Mapping[str, Handler]] = {
    **_of_the_table(),
    "AddAssociation": _add_association,
    "AddTags": _add_tags,
    "CreateArtifact": _create_artifact,
    "CreateModelPackage": _create_package,
    "DeleteModelPackage": _delete_package,
    "DeleteModelPackageGroup": _delete_group,
    "DeleteTags": _delete_tags,
    "DescribeModelPackage": lambda local, region, request: dict(_package(local, region, request["ModelPackageName"])),
    "ListAssociations": _list_associations,
    "ListCandidatesForAutoMLJob": _list_candidates,
    "ListModelPackages": _list_packages,
    "ListTags": _list_tags,
    "ListTrainingJobsForHyperParameterTuningJob": _training_jobs_of,
    "UpdateEndpoint": _update_endpoint,
    "UpdateModelPackage": _update_package,
}
"""Handler by operation, for everything but pipelines."""
