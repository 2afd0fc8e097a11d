"""Honest HTTP fakes for what moto lacks: jobs that take time, fail or stop, and calls it does not know.

A fake answers over real HTTP, to real clients. Resources are kept as the service keeps them: created once by name, then
described with the members of the create request, an ARN, times and a status that follows a script.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict, deque
from typing import Any

from sagemaker_provider.definition.shapes import service_model
from sagemaker_provider.definition.step_types import STEP_TYPES

ACCOUNT = "arn:aws:sagemaker:us-west-2:123456789012"
EXTRA = {
    "CreateTrainingJob": lambda request: {
        "ModelArtifacts": {
            "S3ModelArtifacts": f"{request['OutputDataConfig']['S3OutputPath']}/{request['TrainingJobName']}/output/model.tar.gz"
        },
        "SecondaryStatus": "Completed",
    },
    "CreateHyperParameterTuningJob": lambda request: {
        "TrainingJobStatusCounters": {"Completed": 1},
        "ObjectiveStatusCounters": {"Succeeded": 1},
    },
    "CreateAutoMLJob": lambda request: {
        "AutoMLJobSecondaryStatus": "Completed",
        "BestCandidate": {
            "CandidateName": "best",
            "ObjectiveStatus": "Succeeded",
            "CandidateSteps": [],
            "CandidateStatus": "Completed",
            "CreationTime": time.time(),
            "LastModifiedTime": time.time(),
            "CandidateProperties": {
                "CandidateArtifactLocations": {
                    "Explainability": "s3://bucket/explain",
                    "ModelInsights": "s3://bucket/insights",
                }
            },
        },
    },
}


class ServiceError(Exception):
    """An error answer of the service."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class FakeSageMaker:
    """SageMaker's JSON API for the resources of the step type table; everything else goes to moto.

    ``script["CreateTrainingJob"]`` holds the statuses that following Describe calls give, the last one for ever;
    ``named_scripts["prefix"]`` the same for names that start so; ``errors["DescribeTrainingJob"]`` errors that the next calls give; ``calls`` counts calls by operation, and
    ``requests`` keeps them.
    """

    def __init__(self) -> None:
        self.reset()
        self.resources = {
            row.resource.create: row.resource
            for row in STEP_TYPES.values()
            if row.resource and row.resource.service == "sagemaker"
        }
        self.model = service_model("sagemaker")

    def reset(self) -> None:
        """Forget everything."""
        self.items: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.script: dict[str, list[str]] = {}
        self.named_scripts: dict[str, list[str]] = {}
        self.reasons: dict[str, str] = {}
        self.progress: dict[tuple[str, str], deque[str]] = {}
        self.errors: dict[str, list[ServiceError]] = defaultdict(list)
        self.calls: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.groups: set[str] = set()

    def __call__(self, environ: dict[str, Any], start: Any, moto: Any) -> Any:
        """Answer a request."""
        operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        request = json.loads(body or b"{}")
        self.calls[operation] += 1
        self.requests.append((operation, request))
        try:
            if self.errors[operation]:
                raise self.errors[operation].pop(0)
            answer = self.answer(operation, request)
        except ServiceError as error:
            text = json.dumps({"__type": error.code, "message": error.message}).encode()
            start(
                f"{error.status} Error",
                [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", error.code)],
            )
            return [text]
        start("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps(answer).encode()]

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """The response to a call."""
        if handler := getattr(self, f"on_{operation}", None):
            return handler(request)
        for create, resource in self.resources.items():
            if operation == create:
                return self.create(create, request)
            if operation == resource.describe:
                return self.describe(create, request)
            if operation in (resource.stop, resource.update):
                name = self.name(create, request)
                if name not in self.items[create]:
                    raise ServiceError("ValidationException", f"Could not find {name}.")
                self.progress[create, name] = deque(
                    ["Stopping", "Stopped"] if operation == resource.stop else self.script.get(operation, ["InService"])
                )
                self.items[create][name].update(request)
                arn = f"{create.removeprefix('Create')}Arn"
                return {arn: self.items[create][name][arn]} if operation == resource.update else {}
        raise ServiceError("UnknownOperationException", f"{operation} is not faked")

    def name(self, create: str, request: dict[str, Any]) -> str:
        """The key of a resource."""
        resource = self.resources[create]
        if create == "CreateModelPackage":
            return str(request["ModelPackageName"])
        return str(request[resource.name])

    def create(self, create: str, request: dict[str, Any]) -> dict[str, Any]:
        """Keep a resource."""
        kind = create.removeprefix("Create")
        if create == "CreateModelPackage":
            group = request["ModelPackageGroupName"]
            if group not in self.groups:
                raise ServiceError("ValidationException", f"Model Package Group {group} does not exist.")
            for item in self.items[create].values():
                if request.get("ClientToken") and item.get("ClientToken") == request["ClientToken"]:
                    return {"ModelPackageArn": item["ModelPackageArn"]}
            version = sum(item["ModelPackageGroupName"] == group for item in self.items[create].values()) + 1
            name = f"{ACCOUNT}:model-package/{group.lower()}/{version}"
            request = {**request, "ModelPackageVersion": version, "ModelPackageName": name}
            arn = name
        else:
            name = self.name(create, request)
            if name in self.items[create]:
                raise ServiceError(
                    "ResourceInUse",
                    f"{kind} names must be unique within an AWS account and region, {name} already exists.",
                )
            arn = f"{ACCOUNT}:{kind.lower()}/{name}"
        self.items[create][name] = {**request, f"{kind}Arn": arn, **EXTRA.get(create, lambda request: {})(request)}
        named = next((script for prefix, script in self.named_scripts.items() if name.startswith(prefix)), None)
        self.progress[create, name] = deque(named or self.script.get(create, [self.success(create)]))
        return {f"{kind}Arn": arn}

    def success(self, create: str) -> str:
        """The status that means success."""
        states = self.resources[create].states
        return next((status for status, state in states.items() if state.value == "succeeded"), "")

    def describe(self, create: str, request: dict[str, Any]) -> dict[str, Any]:
        """Describe a resource; each call goes one step on in its script."""
        resource, name = self.resources[create], str(next(iter(request.values())))
        if name not in self.items[create]:
            raise ServiceError("ValidationException", f"Could not find {create.removeprefix('Create')} {name}.")
        item = dict(self.items[create][name])
        if resource.status:
            progress = self.progress[create, name]
            item[resource.status] = progress.popleft() if len(progress) > 1 else progress[0]
            if create in self.reasons:
                item["FailureReason"] = self.reasons[create]
        now = time.time()
        members = self.model.operation_model(resource.describe).output_shape.members
        item.update({key: now for key in ("CreationTime", "LastModifiedTime") if key in members})
        return {key: value for key, value in item.items() if key in members}

    # What has no row of its own

    def on_CreateModelPackageGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        self.groups.add(request["ModelPackageGroupName"])
        return {"ModelPackageGroupArn": f"{ACCOUNT}:model-package-group/{request['ModelPackageGroupName']}"}

    def on_DescribeModelPackageGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request["ModelPackageGroupName"]
        if name not in self.groups:
            raise ServiceError("ValidationException", f"ModelPackageGroup {name} does not exist.")
        return {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": "arn",
            "CreationTime": time.time(),
            "CreatedBy": {},
            "ModelPackageGroupStatus": "Completed",
        }

    def on_ListModelPackages(self, request: dict[str, Any]) -> dict[str, Any]:
        found = [
            item
            for item in self.items["CreateModelPackage"].values()
            if item["ModelPackageGroupName"] == request["ModelPackageGroupName"]
            and item.get("ModelApprovalStatus") == request["ModelApprovalStatus"]
        ]
        summaries = [
            {"ModelPackageArn": item["ModelPackageArn"], "CreationTime": time.time(), "ModelPackageStatus": "Completed"}
            for item in reversed(found)
        ]
        return {"ModelPackageSummaryList": summaries[: request.get("MaxResults", 10)]}

    def on_ListTrainingJobsForHyperParameterTuningJob(self, request: dict[str, Any]) -> dict[str, Any]:
        summary = {
            "TrainingJobName": "best-training",
            "TrainingJobArn": "arn",
            "CreationTime": time.time(),
            "TrainingJobStatus": "Completed",
            "TunedHyperParameters": {},
        }
        return {"TrainingJobSummaries": [summary]}

    def on_CreateAction(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["ActionName"] in self.items["CreateAction"]:
            raise ServiceError("ValidationException", f"Action {request['ActionName']} already exists.")
        self.items["CreateAction"][request["ActionName"]] = request
        return {"ActionArn": f"{ACCOUNT}:action/{request['ActionName']}"}

    def on_DescribeAction(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"ActionName": request["ActionName"], "ActionArn": f"{ACCOUNT}:action/{request['ActionName']}"}

    def on_CreateArtifact(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"ArtifactArn": f"{ACCOUNT}:artifact/{len(self.requests)}"}

    def on_CreateContext(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"ContextArn": f"{ACCOUNT}:context/{request['ContextName']}"}

    def on_AddAssociation(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"SourceArn": request["SourceArn"], "DestinationArn": request["DestinationArn"]}

    def on_DescribePipelineExecution(self, request: dict[str, Any]) -> dict[str, Any]:
        statuses = self.script.setdefault("StartPipelineExecution", ["Succeeded"])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return {"PipelineExecutionArn": request["PipelineExecutionArn"], "PipelineExecutionStatus": status}


class FakeEMR:
    """EMR's JSON API for steps that take time; a step goes on with each DescribeStep."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.clusters: dict[str, dict[str, Any]] = {}
        self.steps: dict[str, dict[str, Any]] = {}
        self.script = ["PENDING", "RUNNING", "COMPLETED"]
        self.calls: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start: Any, moto: Any) -> Any:
        """Answer a request."""
        operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.calls[operation] += 1
        answer = getattr(self, f"on_{operation}")(json.loads(body or b"{}"))
        start("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps(answer).encode()]

    def add(self, cluster: str, step: dict[str, Any]) -> str:
        """Keep a step."""
        identifier = f"s-{len(self.steps) + 1:013d}"
        self.steps[identifier] = {
            "cluster": cluster,
            "Name": step["Name"],
            "Config": step["HadoopJarStep"],
            "progress": deque(self.script),
        }
        return identifier

    def on_RunJobFlow(self, request: dict[str, Any]) -> dict[str, Any]:
        cluster = f"j-{len(self.clusters) + 1:013d}"
        self.clusters[cluster] = {"Name": request["Name"], "state": "STARTING", "request": request}
        for step in request.get("Steps", ()):
            self.add(cluster, step)
        return {"JobFlowId": cluster}

    def on_ListClusters(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "Clusters": [
                {"Id": key, "Name": item["Name"]}
                for key, item in self.clusters.items()
                if item["state"] in request.get("ClusterStates", (item["state"],))
            ]
        }

    def on_AddJobFlowSteps(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"StepIds": [self.add(request["JobFlowId"], step) for step in request["Steps"]]}

    def on_ListSteps(self, request: dict[str, Any]) -> dict[str, Any]:
        return {
            "Steps": [
                {"Id": key, "Name": item["Name"]}
                for key, item in self.steps.items()
                if item["cluster"] == request["ClusterId"]
            ]
        }

    def on_DescribeStep(self, request: dict[str, Any]) -> dict[str, Any]:
        item = self.steps[request["StepId"]]
        state = item["progress"].popleft() if len(item["progress"]) > 1 else item["progress"][0]
        status: dict[str, Any] = {"State": state}
        if state == "FAILED":
            status["FailureDetails"] = {"Reason": "Unknown Error.", "Message": "the Spark job failed"}
        return {"Step": {"Id": request["StepId"], "Name": item["Name"], "Config": item["Config"], "Status": status}}

    def on_CancelSteps(self, request: dict[str, Any]) -> dict[str, Any]:
        for identifier in request["StepIds"]:
            self.steps[identifier]["progress"] = deque(["CANCELLED"])
        return {"CancelStepsInfoList": []}

    def on_TerminateJobFlows(self, request: dict[str, Any]) -> dict[str, Any]:
        for cluster in request["JobFlowIds"]:
            self.clusters[cluster]["state"] = "TERMINATED"
        return {}
