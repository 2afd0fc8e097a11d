"""What the steps of a definition are allowed to do: IAM statements for the pipeline's role and for those of its jobs.

Actions follow from the step type table. Resources are as narrow as the definition says; what only a run knows is ``*`` within
a resource, and what only a start gives is the default of the parameter, or a placeholder that allows nothing.

Sources: Service Authorization Reference for resources of actions; Amazon SageMaker AI Developer Guide, "build-and-manage-access"
and "build-and-manage-steps-types" for what a pipeline's role does, "sagemaker-roles" for what jobs do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sagemaker_provider.definition.expressions import Get, Join, JsonGet, walk
from sagemaker_provider.definition.findings import finding
from sagemaker_provider.definition.iam import (
    Patterns,
    Statement,
    is_placeholder,
    leaves,
    passing,
    queue_arn,
    spellings,
    steps_of,
)
from sagemaker_provider.definition.model import Step
from sagemaker_provider.definition.step_types import STEP_TYPES, Resource, StepType

_KINDS: Final = {
    "Processing": "processing-job",
    "QualityCheck": "processing-job",
    "ClarifyCheck": "processing-job",
    "Training": "training-job",
    "Tuning": "hyper-parameter-tuning-job",
    "AutoML": "automl-job",
    "Transform": "transform-job",
    "Model": "model",
    "RegisterModel": "model-package",
    "EndpointConfig": "endpoint-config",
    "Endpoint": "endpoint",
    "InferenceComponent": "inference-component",
    "Job": "job/*",
}
"""Step type -> how the ARN of what it makes begins, after ``arn:...:``."""

_ALSO: Final = {"Tuning": ("ListTrainingJobsForHyperParameterTuningJob",)}
"""Step type -> actions on what it makes beside those of the table."""

_RULES: Final = (
    "SageMakerPipelineExecutionEMRStepStatusUpdateRule",
    "SageMakerPipelineExecutionEMRClusterStatusRule",
    "SageMakerPipelineExecutionEMRClusterStatusUpdateRule",
)
"""EventBridge rules by which a pipeline hears of EMR; the guide and the managed policy spell one differently."""

_IMAGE: Final = re.compile(r"(\d{12}|\*)\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+|\*)\.[a-z.]+/([^:@]+)")
_IMAGES: Final = frozenset(["Image", "ImageUri", "TrainingImage"])
_WRITTEN: Final = re.compile(
    r"S3OutputPath$|S3FailurePath$|OutputS3Uri$|DestinationS3Uri$|S3Output\.S3Uri$|CheckpointConfig\.S3Uri$|logUri$"
)
"""Members that are S3 locations which are written."""
_DATA: Final = re.compile(r"S3|Uri|Url|Path|Constraints|Statistics|Artifacts")
"""Properties that are S3 locations."""

_OUTPUT: Final = re.compile(r"OutputDataConfig\.S3OutputPath$|TransformOutput\.S3OutputPath$|S3Output\.S3Uri$")
"""Members below which a Cleanup step deletes."""
_KEY: Final = ("CreateGrant", "Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey")

_LOGGING: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")
_WRITING: Final = ("s3:AbortMultipartUpload", "s3:PutObject")
_NETWORK: Final = (
    "CreateNetworkInterface",
    "CreateNetworkInterfacePermission",
    "DeleteNetworkInterface",
    "DeleteNetworkInterfacePermission",
)
_NETWORKS: Final = (
    "DescribeDhcpOptions",
    "DescribeNetworkInterfaces",
    "DescribeSecurityGroups",
    "DescribeSubnets",
    "DescribeVpcs",
)
_PASSED_TO: Final = {"EMR": "elasticmapreduce.amazonaws.com", "EMRServerless": "emr-serverless.amazonaws.com"}
_ROLE_WANTED: Final = frozenset(
    ["Processing", "QualityCheck", "ClarifyCheck", "Training", "Tuning", "AutoML", "Model", "RegisterModel", "Job"]
)
_UNPASSED: Final = frozenset(["RegisterModel", "Transform", "EndpointConfig"])
"""Step types that work with a role without naming it in their request: the pipeline's, or that of the model."""
_DEEPEST: Final = 8
"""Through how many steps a property is followed to the request that it repeats."""
_SAGEMAKER: Final = "sagemaker.amazonaws.com"


@dataclass
class Permissions:
    """What each role of a pipeline may do.

    :param known: the values of the definition.
    :param role: ARN of the role with which the pipeline runs.
    """

    known: Patterns
    role: str

    @cached_property
    def steps(self) -> dict[str, Step]:
        """Every step, those in branches and loops too."""
        return {step.name: step for step, _ in self.known.definition.all_steps()}

    @cached_property
    def _items(self) -> dict[str, list[Any]]:
        """Steps in a loop over a literal list -> its items."""
        found: dict[str, list[Any]] = {}
        for step, enclosing in self.known.definition.all_steps():
            loops = [outer for outer, _ in enclosing if outer.type == "ForEach"]
            items = loops[-1].arguments.get("IterableItems") if loops else None
            if isinstance(items, (list, tuple)):
                found[step.name] = list(items)
        return found

    def _values(self, step: Step, value: Any) -> list[Any]:
        """What a value of a step may be, with items of loops and members of other steps' requests put in their places."""
        items = self._items.get(step.name)
        in_loop = items is not None and any(
            isinstance(item, Get) and item.scope == "ForEach" for _, item in walk([value])
        )
        return [self._resolved(value, item) for item in (items or () if in_loop else (None,))]

    def _resolved(self, value: Any, item: Any, depth: int = 0) -> Any:
        if isinstance(value, Join):
            return Join(value.on, tuple(self._resolved(part, item, depth) for part in value.values))
        if not isinstance(value, Get):
            return value
        if value.path == "ForEach.CurrentItem" and item is not None:
            return item
        found = self._repeated(value) if value.scope == "Steps" and depth < _DEEPEST else None
        return value if found is None else self._resolved(found, None, depth + 1)

    def _repeated(self, value: Get) -> Any:
        """The member of a step's request that a property repeats; ``None`` where it is none. Names are the service's."""
        step = self.steps.get(value.name)
        if step is None or not value.members or str(value.members[-1]).endswith("Name"):
            return None
        found: Any = step.arguments
        for segment in value.members:
            if isinstance(found, Mapping):
                found = found.get(segment)
            elif isinstance(found, (list, tuple)) and isinstance(segment, int):
                found = found[segment] if segment < len(found) else None
            elif isinstance(found, (list, tuple)):
                entries = [entry for entry in found if isinstance(entry, Mapping)]
                named = [entry for entry in entries if segment in (entry.get("OutputName"), entry.get("InputName"))]
                found = named[0] if len(named) == 1 else None
            else:
                return None
        return found if isinstance(found, (str, Get, Join)) else None

    @cached_property
    def roles(self) -> dict[str, dict[str, list[Statement]]]:
        """ARN of a role -> service that takes it -> what it may do for it; the pipeline's own role is the first."""
        found: dict[str, dict[str, list[Statement]]] = {self.role: {_SAGEMAKER: list(self._experiments())}}
        own = found[self.role][_SAGEMAKER]
        for step in self.steps.values():
            own += self._step(step)
            service = _PASSED_TO.get(step.type, _SAGEMAKER)
            for role in sorted(self._roles(step)):
                if step.type not in _UNPASSED:
                    own.append(passing(role, service))
                if step.type != "EMR":
                    found.setdefault(role, {}).setdefault(service, []).extend(self._job(step, service))
        return found

    def results(self) -> Iterator[Statement]:
        """Reading the files in which steps leave results: those of a task group's tasks become XComs."""
        for step in self.steps.values():
            named = {getattr(item, "output_name", None) for item in step.property_files or ()}
            outputs = (step.arguments.get("ProcessingOutputConfig") or {}).get("Outputs", ()) if named else ()
            for output in outputs:
                for value in self._values(step, output.get("S3Output", {}).get("S3Uri")):
                    uri = self.known.location("S3Uri", value) if output.get("OutputName") in named else None
                    if uri:
                        yield Statement("Results", ("s3:GetObject",), self.known.objects(uri, folder=True))

    # What the pipeline's role does

    def _step(self, step: Step) -> Iterator[Statement]:
        row = STEP_TYPES.get(step.type)
        resource = row.resource if row else None
        if row and resource and resource.service == "sagemaker":
            yield from self._made(step, row, resource)
        special = {
            "Lambda": self._lambda,
            "Callback": self._callback,
            "EMR": self._emr,
            "EMRServerless": self._emr_serverless,
            "Lineage": self._lineage,
            "Cleanup": self._cleanup,
        }
        if step.type in special:
            yield from special[step.type](step)
        for _, expression in walk(step.own_arguments()):
            if isinstance(expression, JsonGet):
                yield from self._file(step, expression)

    def _made(self, step: Step, row: StepType, resource: Resource) -> Iterator[Statement]:
        """Creating, describing, changing and stopping what a step makes."""
        named = self._named(step, row, resource)
        purpose = f"{step.type}Steps"
        operations = [
            resource.create,
            resource.describe,
            resource.stop,
            resource.update,
            "AddTags",
            *_ALSO.get(step.type, ()),
        ]
        actions = tuple(f"sagemaker:{operation}" for operation in operations if operation)
        for name in named:
            yield Statement(purpose, actions, self.known.place.arn("sagemaker", f"{_KINDS[step.type]}/{name}"))
        if step.type == "AutoML":
            yield Statement("AutoMLCandidates", ("sagemaker:ListCandidatesForAutoMLJob",), "*")
            self.known.findings.append(
                finding("SMP853", "an AutoML job makes jobs and models with its role", place=f"Steps.{step.name}")
            )
        if step.type in ("Endpoint", "InferenceComponent"):
            other, kind = (
                ("EndpointConfigName", "endpoint-config") if step.type == "Endpoint" else ("EndpointName", "endpoint")
            )
            changing = tuple(
                f"sagemaker:{operation}"
                for operation in (resource.create, resource.update if other == "EndpointConfigName" else None)
                if operation
            )
            for name in spellings(self.known.text(step.arguments.get(other))):
                yield Statement(f"{step.type}Needs", changing, self.known.place.arn("sagemaker", f"{kind}/{name}"))
        if group := step.arguments.get("ModelPackageGroupName", step.members.get("ModelPackageGroupName")):
            for name in spellings(self.known.text(group).rpartition("/")[2]):
                actions = (
                    "sagemaker:DescribeModelPackageGroup",
                    "sagemaker:CreateModelPackageGroup",
                    "sagemaker:AddTags",
                )
                if step.type == "RegisterModel":
                    yield Statement(
                        "ModelPackageGroups", actions, self.known.place.arn("sagemaker", f"model-package-group/{name}")
                    )
                else:
                    yield Statement(
                        "Baselines",
                        ("sagemaker:ListModelPackages", "sagemaker:DescribeModelPackage"),
                        self.known.place.arn("sagemaker", f"model-package/{name}/*"),
                    )
        if any("DatasetDefinition." in place for place, _ in leaves(step.arguments)):
            said = "an input is a query of Athena or Redshift, which the job makes with its role"
            self.known.findings.append(finding("SMP853", said, place=f"Steps.{step.name}"))
        if step.type == "ClarifyCheck" and step.members.get("ModelName"):
            self.known.findings.append(
                finding(
                    "SMP853",
                    "the check makes an endpoint of the model with the role of its job",
                    place=f"Steps.{step.name}",
                )
            )

    def _named(self, step: Step, row: StepType, resource: Resource) -> list[str]:
        """The names that the service gives to what a step makes."""
        if step.type == "RegisterModel":
            group = step.arguments.get("ModelPackageGroupName")
            if group is not None:
                return [f"{name}/*" for name in spellings(self.known.text(group).rpartition("/")[2])]
        given = step.arguments.get(resource.name or "")
        if not row.auto_named:
            return spellings(self.known.text(given))
        if given is not None:
            return [f"{name}-*" for name in spellings(self.known.text(given))]
        return [
            "pipelines-*" if row.prefix_length == 38 else "*"
        ]  # others have shorter names, of a form nobody documents

    def _lambda(self, step: Step) -> Iterator[Statement]:
        arn = self.known.arn(step.members.get("FunctionArn"), "lambda", "function:{}")
        yield Statement("LambdaSteps", ("lambda:InvokeFunction",), arn)

    def _callback(self, step: Step) -> Iterator[Statement]:
        yield Statement(
            "CallbackSteps",
            ("sqs:SendMessage",),
            queue_arn(self.known.text(step.members.get("SqsQueueUrl")), self.known.place),
        )

    def _emr(self, step: Step) -> Iterator[Statement]:
        cluster = "*" if "ClusterConfig" in step.arguments else self.known.text(step.arguments.get("ClusterId"))
        actions = ["AddJobFlowSteps", "CancelSteps", "DescribeCluster", "DescribeStep", "ListSteps"]
        if "ClusterConfig" in step.arguments:
            actions.append("TerminateJobFlows")
            yield Statement("EMRClusters", ("elasticmapreduce:RunJobFlow",), "*")
        arn = self.known.place.arn("elasticmapreduce", f"cluster/{cluster}")
        yield Statement(
            f"EMRSteps{'OnNewClusters' * (cluster == '*')}",
            tuple(f"elasticmapreduce:{action}" for action in actions),
            arn,
        )
        yield from self._rules("rule/" + rule for rule in _RULES)
        config = step.arguments.get("ClusterConfig")
        for member, service in (
            ("ServiceRole", "elasticmapreduce.amazonaws.com"),
            ("JobFlowRole", "ec2.amazonaws.com"),
            ("AutoScalingRole", "application-autoscaling.amazonaws.com"),
        ):
            if isinstance(config, Mapping) and config.get(member) is not None:
                role = self.known.arn(config[member], "iam", "role/{}").replace(":instance-profile/", ":role/")
                yield passing(role, service)

    def _emr_serverless(self, step: Step) -> Iterator[Statement]:
        new = "ApplicationConfig" in step.arguments
        application = f"/applications/{'*' if new else self.known.text(step.arguments.get('ApplicationId'))}"
        arn = self.known.place.arn("emr-serverless", application)
        if new:
            yield Statement("EMRServerlessApplications", ("emr-serverless:CreateApplication",), "*")
            actions = ("DeleteApplication", "GetApplication", "StartApplication", "StopApplication")
            yield Statement(
                "EMRServerlessNewApplications", tuple(f"emr-serverless:{action}" for action in actions), arn
            )
        yield Statement("EMRServerlessStarts", ("emr-serverless:StartJobRun",), arn)
        yield Statement(
            "EMRServerlessJobs", ("emr-serverless:CancelJobRun", "emr-serverless:GetJobRun"), f"{arn}/jobruns/*"
        )
        yield from self._rules(["rule/SageMakerPipelineExecutionEMRServerless*"])

    def _rules(self, names: Iterable[str]) -> Iterator[Statement]:
        for name in names:
            actions = ("events:DescribeRule", "events:PutRule", "events:PutTargets")
            yield Statement("EMREvents", actions, self.known.place.arn("events", name))

    def _lineage(self, step: Step) -> Iterator[Statement]:
        made = {
            "Actions": ("CreateAction", "action"),
            "Artifacts": ("CreateArtifact", "artifact"),
            "Contexts": ("CreateContext", "context"),
        }
        for member, (operation, kind) in made.items():
            if step.arguments.get(member):
                yield Statement(
                    f"Lineage{member}",
                    (f"sagemaker:{operation}", "sagemaker:AddTags"),
                    self.known.place.arn("sagemaker", f"{kind}/*"),
                )
        if step.arguments.get("Associations"):
            for kind in ("action", "artifact", "context", "experiment-trial-component"):
                yield Statement(
                    "LineageAssociations", ("sagemaker:AddAssociation",), self.known.place.arn("sagemaker", f"{kind}/*")
                )

    def _cleanup(self, step: Step) -> Iterator[Statement]:
        for source in step.arguments["Resources"]["S3"]:
            for _, uri in leaves(source.get("S3Uris") or [None]):
                for known in self._values(step, uri):
                    named = self.known.location("S3Uris", known)
                    if named is not None:
                        objects = [self.known.objects(named) if named.endswith("/") else self.known.object(named)]
                    else:
                        outputs = self._written(source["StepName"], _OUTPUT)
                        objects = [self.known.objects(at, folder=True) for at in outputs]
                    for arn in objects:
                        yield Statement("CleanupSteps", ("s3:DeleteObject",), arn)

    def _file(self, step: Step, value: JsonGet) -> Iterator[Statement]:
        """Reading the file of a ``JsonGet``."""
        for known in self._values(step, value.property_file or value.s3_uri):
            named = self.known.location("S3Uri", known) if value.s3_uri is not None else None
            writers = steps_of(value.property_file or value.s3_uri)
            locations = [named] if named else [at for other in writers for at in self._written(other)]
            if not locations:
                self.known.unknown("S3Uri", known, step.name)
            for location in locations:
                yield Statement("JsonFiles", ("s3:GetObject",), self.known.objects(location, folder=not named))
            yield from self._keys_of(writers)

    def _keys_of(self, steps: Iterable[str]) -> Iterator[Statement]:
        """Reading what steps have encrypted."""
        for name in steps:
            for place, value in leaves(self.steps[name].arguments if name in self.steps else {}):
                if place.endswith("KmsKeyId") and "Output" in place:
                    yield self._key(self.known.text(value), "KeyOfInput", ("Decrypt", "DescribeKey"))

    def _experiments(self) -> Iterator[Statement]:
        config = self.known.definition.members.get("PipelineExperimentConfig")
        if not isinstance(config, Mapping):
            return
        for kind, member in (
            ("experiment", "ExperimentName"),
            ("experiment-trial", "TrialName"),
            ("experiment-trial-component", None),
        ):
            operation = {"experiment": "Experiment", "experiment-trial": "Trial"}.get(kind, "TrialComponent")
            actions = [f"Create{operation}", f"Describe{operation}", "AddTags"]
            for name in spellings(self.known.text(config.get(member))) if member else ["*"]:
                arn = self.known.place.arn("sagemaker", f"{kind}/{name}")
                yield Statement(f"{operation}s", tuple(f"sagemaker:{action}" for action in actions), arn)
                if kind == "experiment":
                    yield Statement("TrialsOfExperiments", ("sagemaker:CreateTrial",), arn)
                else:
                    yield Statement("Associations", ("sagemaker:AssociateTrialComponent",), arn)

    # What the roles of jobs do

    def _roles(self, step: Step) -> set[str]:
        """The roles that a step hands on: the pipeline's own where a request wants one and names none."""
        found = set()
        for place, value in leaves(step.arguments):
            if place.rpartition(".")[2].lower() in ("rolearn", "executionrolearn") and value is not None:
                for known in self._values(step, value):
                    if self.known.text(known) == "*":
                        self.known.unknown(place, value, step.name)
                    else:
                        found.add(self.known.arn(known, "iam", "role/{}"))
        if step.type in ("Transform", "EndpointConfig"):
            names = [value for place, value in leaves(step.arguments) if place.endswith("ModelName")]
            makers = [self.steps[name] for name in steps_of(names) if name in self.steps]
            roles = {role for maker in makers for role in self._roles(maker)}
            return roles or ({self.role} if step.type == "Transform" else set())
        return found or ({self.role} if step.type in _ROLE_WANTED else set())

    def _job(self, step: Step, service: str) -> Iterator[Statement]:
        """What a job or model does with its role, whatever its code does beside."""
        for place, value in leaves(
            {**step.arguments, **{key: item for key, item in step.members.items() if key.startswith("Supplied")}}
        ):
            member = place.rpartition(".")[2]
            if member in _IMAGES and "*" in (image := self.known.text(value)):
                self.known.findings.append(
                    finding("SMP855", f"{place} is {image!r}", place=f"Steps.{step.name}.Arguments.{place}")
                )
            elif member in _IMAGES and (arn := self._repository(image)):
                actions = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
                yield Statement("Images", actions, arn)
                yield Statement("ImageLogin", ("ecr:GetAuthorizationToken",), "*")
            elif member.endswith("KmsKeyId") or member == "encryptionKeyArn":
                yield self._key(self.known.text(value))
            elif member in ("Subnets", "SecurityGroupIds"):
                kind = "subnet" if member == "Subnets" else "security-group"
                yield Statement(
                    "Network",
                    tuple(f"ec2:{action}" for action in _NETWORK),
                    self.known.place.arn("ec2", f"{kind}/{self.known.text(value)}"),
                )
                yield Statement(
                    "Network",
                    tuple(f"ec2:{action}" for action in _NETWORK),
                    self.known.place.arn("ec2", "network-interface/*"),
                )
                yield Statement("Networks", tuple(f"ec2:{action}" for action in _NETWORKS), "*")
            yield from self._data(step, place, value)
        monitoring = [place for place, _ in leaves(step.arguments) if "cloudWatchLoggingConfiguration" in place]
        if monitoring:
            group = next((value for place, value in leaves(step.arguments) if place.endswith(".logGroupName")), None)
            name = self.known.text(group) if group is not None else "/aws/emr-serverless"
            yield Statement("Logs", _LOGGING, self.known.place.arn("logs", f"log-group:{name}*"))
            yield Statement("LogGroups", ("logs:DescribeLogGroups",), "*")
        if service == _SAGEMAKER and step.type != "EndpointConfig":
            yield Statement("Logs", _LOGGING, self.known.place.arn("logs", "log-group:/aws/sagemaker/*"))
            yield Statement(
                "Metrics",
                ("cloudwatch:PutMetricData",),
                "*",
                ("StringLike", "cloudwatch:namespace", ("/aws/sagemaker/*", "aws/sagemaker/*")),
            )

    def _repository(self, image: str) -> str | None:
        """The ARN of the repository of an image; ``None`` where it is in no registry of AWS."""
        if is_placeholder(image):
            return self.known.place.arn("ecr", f"repository/{image}")
        if found := _IMAGE.match(image):
            return self.known.place.arn("ecr", f"repository/{found[3]}", region=found[2], account=found[1])
        return None

    def _data(self, step: Step, place: str, value: Any) -> Iterator[Statement]:
        """Reading and writing S3."""
        written = _WRITTEN.search(place) is not None
        known = [(item, self.known.location(place, item)) for item in self._values(step, value)]
        writers = [] if written else steps_of(value, _DATA)
        for item, uri in known:
            others = [at for name in steps_of(item, _DATA) for at in self._written(name)]
            if uri is None and not others:
                self.known.unknown(place, item, step.name)
            yield from self._at(place, [uri] if uri else others, written=written, folder=written or not uri)
        yield from self._keys_of(writers)

    def _at(self, place: str, uris: Iterable[str], *, written: bool, folder: bool) -> Iterator[Statement]:
        for uri in uris:
            objects = self.known.objects(uri, folder=folder)
            if written:
                yield Statement("WriteData", _WRITING, objects)
            if not written or "CheckpointConfig" in place:
                bucket, _, key = objects.partition(":::")[2].partition("/")
                yield Statement("ReadData", ("s3:GetObject",), objects)
                condition = ("StringLike", "s3:prefix", (key,))
                yield Statement(f"List {bucket}", ("s3:ListBucket",), objects.partition("/")[0], condition)

    def _written(self, name: str, places: re.Pattern[str] = _WRITTEN, depth: int = 0) -> list[str]:
        """The S3 locations below which a step writes."""
        found: list[str] = []
        for place, value in leaves(self.steps[name].arguments) if name in self.steps and depth < _DEEPEST else ():
            for item in self._values(self.steps[name], value) if places.search(place) else ():
                uri = self.known.location(place, item)
                others = [] if uri else steps_of(item)
                found += [uri] if uri else [at for other in others for at in self._written(other, places, depth + 1)]
        return list(dict.fromkeys(found))

    def _key(self, key: str, purpose: str = "Key", actions: Iterable[str] = _KEY) -> Statement:
        alias = key[key.index("alias/") :] if "alias/" in key else ""
        _, _, _, region, account, *_ = key.split(":") if key.startswith("arn:") else [None] * 5
        arn = (
            key
            if key.startswith("arn:") and not alias
            else self.known.place.arn("kms", f"key/{'*' if alias else key}", region=region, account=account)
        )
        return Statement(
            f"{purpose} {alias}",
            tuple(f"kms:{action}" for action in actions),
            arn,
            ("ForAnyValue:StringEquals", "kms:ResourceAliases", (alias,)) if alias else None,
        )
