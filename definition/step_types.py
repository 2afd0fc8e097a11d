"""The step type table: one row for each type of step, and one for pipeline executions.

The compiler, the validator, the hooks, triggers, sensors and operators read what they need to know about a step type
here and nowhere else.

Sources: names of operations, members and states are those of the service models in botocore; events those of the
Developer Guide's page "automating-sagemaker-with-eventbridge", and of EMR's and EMR Serverless's pages on EventBridge; which members the service
names itself, prefix lengths, caching and retries come from the Amazon SageMaker AI Developer Guide (pages
"build-and-manage-access", "pipelines-caching", "pipelines-retry-policy") and the SageMaker Python SDK.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Final


class State(str, Enum):
    """What a status of the service means for a person who waits."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


RUNNING, SUCCEEDED, FAILED, STOPPED = State.RUNNING, State.SUCCEEDED, State.FAILED, State.STOPPED
ENDING: Final = frozenset(("Stopping", "CANCEL_PENDING", "CANCELLING"))
"""Running statuses of what was stopped and goes on until it has ended."""


@dataclass(frozen=True)
class Listing:
    """A List operation that shows many resources of a kind in one call.

    :param operation: its name.
    :param entries: member of the response that holds one entry for each resource.
    :param identifiers: Describe request member -> path in an entry.
    :param status: path of the status in an entry.
    :param scope: request member -> (Describe request member, pattern with one group that it must match); resources that
        differ in these need calls of their own.
    :param request: further members of the request; where it can be sorted, the newest come first.
    :param modified: whether it takes ``LastModifiedTimeAfter`` and its entries have ``LastModifiedTime``.
    :param running: request member that takes the statuses to list.
    :param ids: (request member that takes the wanted ones, Describe request member, how many it takes).
    :param final: whether what is listed as ended never runs again; otherwise a List may show an end from before.
    :param paging: member of request and response with which the next page is asked for.
    """

    operation: str
    entries: str
    identifiers: Mapping[str, str]
    status: str
    scope: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    modified: bool = False
    running: str = ""
    ids: tuple[str, str, int] | None = None
    final: bool = True
    paging: str = "NextToken"


@dataclass(frozen=True)
class Event:
    """The EventBridge event that says that the status of a resource has changed.

    :param name: its ``detail-type``.
    :param identifiers: Describe request member -> member of the event's ``detail``.
    :param status: member of the ``detail`` with the new status.
    :param source: service that sends it.
    :param same_statuses: whether the status is written as in the Describe response, and all of them are sent.
    """

    name: str
    identifiers: Mapping[str, str]
    status: str
    source: str = "aws.sagemaker"
    same_statuses: bool = True


@dataclass(frozen=True)
class Resource:
    """Something the service creates, describes and, mostly, takes time over.

    :param service: boto3 client name.
    :param create: operation that creates it.
    :param name: member of the create request that names it; ``None`` when the service alone names it.
    :param describe: operation that describes it.
    :param identifiers: Describe request member -> path in the create request or response (the response first).
    :param states: status of the service -> :class:`State`; empty when it is complete once created.
    :param status: path of the status in the Describe response.
    :param reason: paths of the failure reason in the Describe response, the most telling first.
    :param stop: operation that stops it, called with ``identifiers``.
    :param update: operation that changes an existing one, for types that create or update.
    :param result: path in the Describe response under which the properties are, if not the whole.
    :param listing: how many of them are looked at in one call; ``None`` when each has to be described.
    :param event: what says that its status has changed; ``None`` when nothing does.
    """

    service: str
    create: str
    name: str | None
    describe: str
    identifiers: Mapping[str, str]
    states: Mapping[str, State] = field(default_factory=dict)
    status: str = ""
    reason: tuple[str, ...] = ("FailureReason",)
    stop: str | None = None
    update: str | None = None
    result: str = ""
    listing: Listing | None = None
    event: Event | None = None

    @property
    def waitable(self) -> bool:
        """Whether it has to be waited for after it was created."""
        return bool(self.states)


@dataclass(frozen=True, eq=False)
class StepType:
    """A type of step; a row is equal to itself only, so look-ups by it can be kept.

    :param name: the ``Type`` in a definition.
    :param resource: what the step creates; ``None`` for steps with arguments of their own.
    :param shape: (service, operation) whose request ``Arguments`` follow; ``None`` for arguments of their own form.
    :param auto_named: the service names the resource; a name in ``Arguments`` is taken as a prefix.
    :param prefix_length: longest such prefix, in characters.
    :param removed: paths in ``Arguments`` that the service refuses or ignores, so the AWS SDK removes them too.
    :param properties: (service, shape) of the properties; ``None`` when only ``extra_properties`` exist.
    :param extra_properties: properties beyond that shape: name -> shape name, or a scalar type.
    :param required_keys: keys the step needs beside ``Name``, ``Type`` and ``Arguments``.
    :param optional_keys: further keys it may have beside the common ones.
    :param cacheable: ``documented``, ``sdk`` (accepted by the AWS SDK, effect not documented) or ``no``.
    :param cache_members: keys of the step and paths in ``Arguments`` that an earlier run must agree in to be reused.
    :param retry: exception types that its retry policies may name.
    :param retry_documented: whether the Developer Guide lists the type as retryable.
    :param retry_ignored: exception types that the service accepts and ignores for this type.
    :param in_loop: allowed in a ForEach body.
    """

    name: str
    resource: Resource | None = None
    shape: tuple[str, str] | None = None
    auto_named: bool = False
    prefix_length: int | None = None
    removed: tuple[str, ...] = ()
    properties: tuple[str, str] | None = None
    extra_properties: Mapping[str, str] = field(default_factory=dict)
    required_keys: tuple[str, ...] = ()
    optional_keys: tuple[str, ...] = ()
    cacheable: str = "no"
    cache_members: tuple[str, ...] = ()
    retry: tuple[str, ...] = ()
    retry_documented: bool = False
    retry_ignored: tuple[str, ...] = ()
    in_loop: bool = True

    @property
    def keys(self) -> frozenset[str]:
        """Every key a step of this type may have."""
        cache = () if self.cacheable == "no" else ("CacheConfig",)
        retry = ("RetryPolicies",) if self.retry else ()
        return frozenset((*COMMON_KEYS, *self.required_keys, *self.optional_keys, *cache, *retry))


COMMON_KEYS: Final = ("Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description")
SERVICE_RETRIES: Final = ("Step.SERVICE_FAULT", "Step.THROTTLING")
JOB_RETRIES: Final = (
    *SERVICE_RETRIES,
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)
TRIGGERS: Final = ("Completed", "Failed", "Stopped", "Any")
"""Run conditions of a dependency; ``Completed`` is written as the plain step name."""

_JOB_STATES: Final = {
    "InProgress": RUNNING,
    "Stopping": RUNNING,
    "Completed": SUCCEEDED,
    "Failed": FAILED,
    "Stopped": STOPPED,
}
_DELETION: Final = {"Deleting": STOPPED, "DeleteFailed": STOPPED}
_NEWEST_FIRST: Final = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 100}


def _listing(kind: str, entries: str = "", **members: Any) -> Listing:
    return Listing(
        operation=f"List{kind}s",
        entries=entries or f"{kind}Summaries",
        identifiers={f"{kind}Name": f"{kind}Name"},
        status=f"{kind}Status",
        request=_NEWEST_FIRST,
        modified=True,
        **members,
    )


def _job(kind: str, *, event: str = "", deletion: Mapping[str, State] = MappingProxyType({})) -> Resource:
    return Resource(
        service="sagemaker",
        create=f"Create{kind}",
        name=f"{kind}Name",
        describe=f"Describe{kind}",
        identifiers={f"{kind}Name": f"{kind}Name"},
        status=f"{kind}Status",
        states={**_JOB_STATES, **deletion},
        reason=("FailureReason", "ExitMessage"),
        stop=f"Stop{kind}",
        listing=_listing(kind),
        event=Event(event, {f"{kind}Name": f"{kind}Name"}, f"{kind}Status") if event else None,
    )


PROCESSING_JOB: Final = _job("ProcessingJob", event="SageMaker Processing Job State Change")
TRAINING_JOB: Final = _job("TrainingJob", event="SageMaker Training Job State Change", deletion={"Deleting": STOPPED})

PIPELINE_EXECUTION: Final = Resource(
    service="sagemaker",
    create="StartPipelineExecution",
    name=None,
    describe="DescribePipelineExecution",
    identifiers={"PipelineExecutionArn": "PipelineExecutionArn"},
    status="PipelineExecutionStatus",
    states={
        "Executing": RUNNING,
        "Stopping": RUNNING,
        "Succeeded": SUCCEEDED,
        "CompletedWithFailures": FAILED,
        "Failed": FAILED,
        "Stopped": STOPPED,
    },
    stop="StopPipelineExecution",
    listing=Listing(
        operation="ListPipelineExecutions",
        entries="PipelineExecutionSummaries",
        identifiers={"PipelineExecutionArn": "PipelineExecutionArn"},
        status="PipelineExecutionStatus",
        scope={"PipelineName": ("PipelineExecutionArn", r"(.+:pipeline/[^/]+)/execution/.+")},
        request=_NEWEST_FIRST,
        final=False,
    ),
    event=Event(
        "SageMaker Model Building Pipeline Execution Status Change",
        {"PipelineExecutionArn": "pipelineExecutionArn"},
        "currentPipelineExecutionStatus",
        same_statuses=False,  # the guide's list lacks CompletedWithFailures
    ),
)
"""An execution of a pipeline. ``CompletedWithFailures`` means that a step failed and another ran because of it."""

EXECUTION_STEP_STATES: Final[Mapping[str, State]] = MappingProxyType(
    {
        "Starting": RUNNING,
        "Executing": RUNNING,
        "Stopping": RUNNING,
        "Stopped": STOPPED,
        "Failed": FAILED,
        "Succeeded": SUCCEEDED,
    }
)
"""Status of a step in the ListPipelineExecutionSteps response -> state."""
EXECUTION_STEP_EVENT: Final = Event(
    "SageMaker Model Building Pipeline Execution Step Status Change",
    {"PipelineExecutionArn": "pipelineExecutionArn"},
    "currentStepStatus",
    same_statuses=False,
)

EMR_CLUSTER: Final = Resource(
    service="emr",
    create="RunJobFlow",
    name="Name",
    describe="DescribeCluster",
    identifiers={"ClusterId": "JobFlowId"},
    status="Cluster.Status.State",
    states={
        "STARTING": RUNNING,
        "BOOTSTRAPPING": RUNNING,
        "RUNNING": SUCCEEDED,
        "WAITING": SUCCEEDED,
        "TERMINATING": STOPPED,
        "TERMINATED": STOPPED,
        "TERMINATED_WITH_ERRORS": FAILED,
    },
    reason=("Cluster.Status.StateChangeReason.Message",),
)
"""A cluster made for an EMR step; it is there once it can take steps."""

EMR_SERVERLESS_APPLICATION: Final = Resource(
    service="emr-serverless",
    create="CreateApplication",
    name="name",
    describe="GetApplication",
    identifiers={"applicationId": "applicationId"},
    status="application.state",
    states={
        "CREATING": RUNNING,
        "CREATED": SUCCEEDED,
        "STARTING": SUCCEEDED,
        "STARTED": SUCCEEDED,
        "STOPPING": STOPPED,
        "STOPPED": SUCCEEDED,
        "TERMINATED": STOPPED,
    },
    reason=("application.stateDetails",),
    result="application",
)
"""An application made for an EMR Serverless step; a created or stopped one starts by itself with its first job."""

_CHECK_KEYS: Final = (
    "ModelPackageGroupName",
    "SkipCheck",
    "FailOnViolation",
    "RegisterNewBaseline",
    "SuppliedBaselineConstraints",
)
_CHECK_MEMBERS: Final = (
    "AppSpecification",
    "Environment",
    "ProcessingInputs",
    "SkipCheck",
    "RegisterNewBaseline",
    "ModelPackageGroupName",
)
_CONSTRAINTS: Final = {"CalculatedBaselineConstraints": "String", "BaselineUsedForDriftCheckConstraints": "String"}
_STATISTICS: Final = {"CalculatedBaselineStatistics": "String", "BaselineUsedForDriftCheckStatistics": "String"}
_COUNTS: Final = ("InputItemCount", "TotalStepCount", "SucceededStepCount", "FailedStepCount", "StoppedStepCount")

_ROWS: Final = (
    StepType(
        "Processing",
        PROCESSING_JOB,
        shape=("sagemaker", "CreateProcessingJob"),
        auto_named=True,
        prefix_length=38,
        removed=("ExperimentConfig.ExperimentName", "ExperimentConfig.TrialName"),
        properties=("sagemaker", "DescribeProcessingJobResponse"),
        optional_keys=("PropertyFiles",),
        cacheable="documented",
        cache_members=(
            "AppSpecification",
            "Environment",
            "ProcessingInputs",
        ),
        retry=JOB_RETRIES,
        retry_documented=True,
    ),
    StepType(
        "Training",
        TRAINING_JOB,
        shape=("sagemaker", "CreateTrainingJob"),
        auto_named=True,
        prefix_length=38,
        removed=("ExperimentConfig.ExperimentName", "ExperimentConfig.TrialName", "HyperParameters.sagemaker_job_name"),
        properties=("sagemaker", "DescribeTrainingJobResponse"),
        cacheable="documented",
        cache_members=(
            "AlgorithmSpecification",
            "CheckpointConfig",
            "DebugHookConfig",
            "DebugRuleConfigurations",
            "Environment",
            "HyperParameters",
            "InputDataConfig",
        ),
        retry=JOB_RETRIES,
        retry_documented=True,
    ),
    StepType(
        "Tuning",
        _job("HyperParameterTuningJob", event="SageMaker HyperParameter Tuning Job State Change", deletion=_DELETION),
        shape=("sagemaker", "CreateHyperParameterTuningJob"),
        auto_named=True,
        prefix_length=6,
        properties=("sagemaker", "DescribeHyperParameterTuningJobResponse"),
        extra_properties={"TrainingJobSummaries": "HyperParameterTrainingJobSummaries"},
        cacheable="documented",
        cache_members=(
            "HyperParameterTuningJobConfig",
            "TrainingJobDefinition.AlgorithmSpecification",
            "TrainingJobDefinition.HyperParameterRanges",
            "TrainingJobDefinition.InputDataConfig",
            "TrainingJobDefinition.StaticHyperParameters",
            "TrainingJobDefinition.TuningObjective",
            "TrainingJobDefinitions",
        ),
        retry=JOB_RETRIES,
        retry_documented=True,
        retry_ignored=("SageMaker.JOB_INTERNAL_ERROR",),
    ),
    StepType(
        "AutoML",
        _job("AutoMLJob"),
        shape=("sagemaker", "CreateAutoMLJob"),
        auto_named=True,
        prefix_length=6,
        removed=("ModelDeployConfig", "GenerateCandidateDefinitionsOnly"),
        properties=("sagemaker", "DescribeAutoMLJobResponse"),
        extra_properties={
            "BestCandidateProperties.ModelInsightsJsonReportPath": "String",
            "BestCandidateProperties.ExplainabilityJsonReportPath": "String",
        },
        cacheable="documented",
        cache_members=(
            "AutoMLJobConfig.CompletionCriteria",
            "AutoMLJobConfig.CandidateGenerationConfig",
            "AutoMLJobConfig.DataSplitConfig",
            "AutoMLJobConfig.Mode",
            "AutoMLJobObjective",
            "InputDataConfig",
            "ProblemType",
        ),
        retry=JOB_RETRIES,
        retry_documented=True,
        retry_ignored=("SageMaker.JOB_INTERNAL_ERROR",),
    ),
    StepType(
        "Transform",
        _job("TransformJob", event="SageMaker Transform Job State Change"),
        shape=("sagemaker", "CreateTransformJob"),
        auto_named=True,
        prefix_length=38,
        removed=("ExperimentConfig.ExperimentName", "ExperimentConfig.TrialName"),
        properties=("sagemaker", "DescribeTransformJobResponse"),
        cacheable="documented",
        cache_members=(
            "DataProcessing",
            "Environment",
            "ModelName",
            "TransformInput",
        ),
        retry=JOB_RETRIES,
        retry_documented=True,
    ),
    StepType(
        "Model",
        Resource("sagemaker", "CreateModel", "ModelName", "DescribeModel", {"ModelName": "ModelName"}),
        shape=("sagemaker", "CreateModel"),
        auto_named=True,
        prefix_length=38,
        properties=("sagemaker", "DescribeModelOutput"),
        retry=SERVICE_RETRIES,
        retry_documented=True,
    ),
    StepType(
        "RegisterModel",
        Resource(
            "sagemaker",
            "CreateModelPackage",
            "ModelPackageName",
            "DescribeModelPackage",
            {"ModelPackageName": "ModelPackageArn"},
            status="ModelPackageStatus",
            states={
                "Pending": RUNNING,
                "InProgress": RUNNING,
                "Completed": SUCCEEDED,
                "Failed": FAILED,
                "Deleting": STOPPED,
            },
            reason=("ModelPackageStatusDetails.ValidationStatuses", "ModelPackageStatusDetails.ImageScanStatuses"),
            listing=Listing(
                operation="ListModelPackages",
                entries="ModelPackageSummaryList",
                identifiers={"ModelPackageName": "ModelPackageArn"},
                status="ModelPackageStatus",
                scope={"ModelPackageGroupName": ("ModelPackageName", r".+:model-package/([^/]+)/\d+")},
                request=_NEWEST_FIRST,
            ),
            event=Event(
                "SageMaker Model Package State Change", {"ModelPackageName": "ModelPackageArn"}, "ModelPackageStatus"
            ),
        ),
        shape=("sagemaker", "CreateModelPackage"),
        auto_named=True,
        prefix_length=38,
        removed=("CertifyForMarketplace",),
        properties=("sagemaker", "DescribeModelPackageOutput"),
        retry=SERVICE_RETRIES,
        retry_documented=True,
    ),
    StepType(
        "EndpointConfig",
        Resource(
            "sagemaker",
            "CreateEndpointConfig",
            "EndpointConfigName",
            "DescribeEndpointConfig",
            {"EndpointConfigName": "EndpointConfigName"},
        ),
        shape=("sagemaker", "CreateEndpointConfig"),
        properties=("sagemaker", "DescribeEndpointConfigOutput"),
        cacheable="sdk",
        retry=JOB_RETRIES,
    ),
    StepType(
        "Endpoint",
        Resource(
            "sagemaker",
            "CreateEndpoint",
            "EndpointName",
            "DescribeEndpoint",
            {"EndpointName": "EndpointName"},
            status="EndpointStatus",
            states={
                "Creating": RUNNING,
                "Updating": RUNNING,
                "SystemUpdating": RUNNING,
                "RollingBack": RUNNING,
                "InService": SUCCEEDED,
                "Failed": FAILED,
                "UpdateRollbackFailed": FAILED,
                "OutOfService": FAILED,
                "Deleting": STOPPED,
            },
            update="UpdateEndpoint",
            listing=_listing("Endpoint", "Endpoints", final=False),
            event=Event(
                "SageMaker Endpoint State Change",
                {"EndpointName": "EndpointName"},
                "EndpointStatus",
                same_statuses=False,
            ),
        ),
        shape=("sagemaker", "CreateEndpoint"),
        properties=("sagemaker", "DescribeEndpointOutput"),
        cacheable="sdk",
    ),
    StepType(
        "InferenceComponent",
        Resource(
            "sagemaker",
            "CreateInferenceComponent",
            "InferenceComponentName",
            "DescribeInferenceComponent",
            {"InferenceComponentName": "InferenceComponentName"},
            status="InferenceComponentStatus",
            states={
                "Creating": RUNNING,
                "Updating": RUNNING,
                "InService": SUCCEEDED,
                "Failed": FAILED,
                "Deleting": STOPPED,
            },
            update="UpdateInferenceComponent",
            listing=_listing("InferenceComponent", "InferenceComponents", final=False),
        ),
        shape=("sagemaker", "CreateInferenceComponent"),
        properties=("sagemaker", "DescribeInferenceComponentOutput"),
    ),
    StepType(
        "QualityCheck",
        PROCESSING_JOB,
        shape=("sagemaker", "CreateProcessingJob"),
        auto_named=True,
        prefix_length=38,
        extra_properties={**_CONSTRAINTS, **_STATISTICS},
        required_keys=("CheckType",),
        optional_keys=(*_CHECK_KEYS, "SuppliedBaselineStatistics"),
        cacheable="documented",
        cache_members=(*_CHECK_MEMBERS, "SuppliedBaselineConstraints", "SuppliedBaselineStatistics"),
    ),
    StepType(
        "ClarifyCheck",
        PROCESSING_JOB,
        shape=("sagemaker", "CreateProcessingJob"),
        auto_named=True,
        prefix_length=38,
        extra_properties=_CONSTRAINTS,
        required_keys=("CheckType",),
        optional_keys=(*_CHECK_KEYS, "ModelName"),
        cacheable="documented",
        cache_members=(*_CHECK_MEMBERS, "SuppliedBaselineConstraints"),
    ),
    StepType(
        "Lambda",
        required_keys=("FunctionArn",),
        optional_keys=("OutputParameters",),
        cacheable="sdk",
    ),
    StepType(
        "Callback",
        required_keys=("SqsQueueUrl",),
        optional_keys=("OutputParameters",),
        cacheable="sdk",
    ),
    StepType(
        "EMR",
        Resource(
            "emr",
            "AddJobFlowSteps",
            None,
            "DescribeStep",
            {"ClusterId": "JobFlowId", "StepId": "StepIds[0]"},
            status="Step.Status.State",
            states={
                "PENDING": RUNNING,
                "RUNNING": RUNNING,
                "CANCEL_PENDING": RUNNING,
                "COMPLETED": SUCCEEDED,
                "FAILED": FAILED,
                "INTERRUPTED": FAILED,
                "CANCELLED": STOPPED,
            },
            reason=(
                "Step.Status.FailureDetails.Message",
                "Step.Status.FailureDetails.Reason",
                "Step.Status.StateChangeReason.Message",
            ),
            stop="CancelSteps",
            result="Step",
            listing=Listing(
                operation="ListSteps",
                entries="Steps",
                identifiers={"StepId": "Id"},
                status="Status.State",
                scope={"ClusterId": ("ClusterId", "(.+)")},
                ids=("StepIds", "StepId", 10),
                paging="Marker",
            ),
            event=Event(
                "EMR Step Status Change",
                {"ClusterId": "clusterId", "StepId": "stepId"},
                "state",
                source="aws.emr",
            ),
        ),
        properties=("emr", "Step"),
        extra_properties={"ClusterId": "String"},
        cacheable="documented",
        cache_members=(
            "ClusterId",
            "StepConfig",
        ),
        retry=SERVICE_RETRIES,
    ),
    StepType(
        "EMRServerless",
        Resource(
            "emr-serverless",
            "StartJobRun",
            "name",
            "GetJobRun",
            {"applicationId": "applicationId", "jobRunId": "jobRunId"},
            status="jobRun.state",
            states={
                "SUBMITTED": RUNNING,
                "PENDING": RUNNING,
                "SCHEDULED": RUNNING,
                "QUEUED": RUNNING,
                "RUNNING": RUNNING,
                "CANCELLING": RUNNING,
                "SUCCESS": SUCCEEDED,
                "FAILED": FAILED,
                "CANCELLED": STOPPED,
            },
            reason=("jobRun.stateDetails",),
            stop="CancelJobRun",
            listing=Listing(
                operation="ListJobRuns",
                entries="jobRuns",
                identifiers={"jobRunId": "id"},
                status="state",
                scope={"applicationId": ("applicationId", "(.+)")},
                request={"maxResults": 50},
                running="states",
                paging="nextToken",
            ),
            event=Event(
                "EMR Serverless Job Run State Change",
                {"applicationId": "applicationId", "jobRunId": "jobRunId"},
                "state",
                source="aws.emr-serverless",
            ),
        ),
        properties=("emr-serverless", "GetJobRunResponse"),
        cacheable="sdk",
        retry=JOB_RETRIES,
    ),
    StepType("Condition", extra_properties={"Outcome": "String"}, in_loop=False),
    StepType("Fail", in_loop=False),
    StepType(
        "ForEach",
        extra_properties={
            "Status": "String",
            **dict.fromkeys(_COUNTS, "Integer"),
            "IterationOutputs": "Any",
            "Selected": "Any",
        },
        in_loop=False,
    ),
    StepType(
        "Lineage",
        extra_properties={"ActionArns": "Any", "ArtifactArns": "Any", "ContextArns": "Any", "Associations": "Any"},
    ),
    StepType("Cleanup"),
    StepType(
        "Job",
        Resource(
            "sagemaker",
            "CreateJob",
            "JobName",
            "DescribeJob",
            {"JobName": "JobName", "JobCategory": "JobCategory"},
            status="JobStatus",
            states={**_JOB_STATES, **_DELETION},
            stop="StopJob",
            listing=_listing("Job", scope={"JobCategory": ("JobCategory", "(.+)")}),
        ),
        shape=("sagemaker", "CreateJob"),
        auto_named=True,
        properties=("sagemaker", "DescribeJobResponse"),
        extra_properties={"JobConfigDocument": "Any"},
        cacheable="sdk",
        retry=JOB_RETRIES,
    ),
)

STEP_TYPES: Final[Mapping[str, StepType]] = MappingProxyType({row.name: row for row in _ROWS})
"""Step type by its ``Type`` in a definition."""

STEP_METADATA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Processing": "ProcessingJob",
        "Training": "TrainingJob",
        "Transform": "TransformJob",
        "Tuning": "TuningJob",
        "AutoML": "AutoMLJob",
    }
)
"""Step type -> member of PipelineExecutionStepMetadata, where it is not called like the type."""

ENTRY_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"ProcessingOutputs": "OutputName", "ProcessingInputs": "InputName", "FinalMetricDataList": "MetricName"}
)
"""Lists whose entries properties address by name (``Outputs['train']``): shape name -> naming member."""

BRANCHES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"Condition": ("IfSteps", "ElseSteps"), "ForEach": ("ForEachBody",)}
)
"""Step types that hold further steps, and the arguments that hold them."""


def state_of(resource: Resource, description: Mapping[str, Any]) -> tuple[State, str]:
    """The state and the service's own status text in a Describe response.

    :raises ValueError: the response has no status, or one this table does not know.
    """
    from sagemaker_provider.definition import paths

    try:
        status = str(paths.look_up(description, paths.parse(resource.status)))
    except LookupError as error:
        raise ValueError(f"the {resource.describe} response has no status: {error}") from None
    if status not in resource.states:
        raise ValueError(
            f"unknown status {status!r} in the {resource.describe} response; known are {', '.join(resource.states)}"
        )
    return resource.states[status], status
