"""IAM policies for all who have to do with a pipeline: its role, those of its jobs, the deployer, the scheduler, workers."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sagemaker_provider.definition.findings import Finding, finding, ordered
from sagemaker_provider.definition.iam import Patterns, Place, Statement, passing, queue_arn, spellings
from sagemaker_provider.definition.model import PipelineDefinition
from sagemaker_provider.definition.permissions import Permissions

_ROLE: Final = re.compile(r"arn:([\w-]+):iam::(\d{12}):role/([\w+=,.@/-]+)")
_LONGEST: Final = 6144
"""Characters of a managed policy, without spaces (IAM User Guide, "IAM and AWS STS quotas")."""

_ON_PIPELINE: Final = (
    "AddTags",
    "CreatePipeline",
    "DeletePipeline",
    "DeleteTags",
    "DescribePipeline",
    "ListPipelineExecutions",
    "ListPipelineVersions",
    "ListTags",
    "StartPipelineExecution",
    "UpdatePipeline",
    "UpdatePipelineVersion",
)
_ON_EXECUTIONS: Final = (
    "DescribePipelineDefinitionForExecution",
    "DescribePipelineExecution",
    "ListPipelineExecutionSteps",
    "ListPipelineParametersForExecution",
    "RetryPipelineExecution",
    "StopPipelineExecution",
    "UpdatePipelineExecution",
)
_DESCRIBING: Final = ("sagemaker:Describe", "elasticmapreduce:DescribeStep", "emr-serverless:GetJobRun")
_ANSWERS: Final = ("SendPipelineExecutionStepFailure", "SendPipelineExecutionStepSuccess")
_QUEUE: Final = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
_NAMED_WHOLE: Final = 61
"""Characters of a pipeline's name that its schedules have whole, with ``-1`` to ``-99`` behind where there are several."""
_CUT: Final = 50
_SCHEDULE: Final = ("CreateSchedule", "DeleteSchedule", "GetSchedule", "UpdateSchedule")


@dataclass(frozen=True)
class Principal:
    """Someone who has to do with a pipeline.

    :param name: ``execution``, ``job-<role>``, ``deployer``, ``scheduler`` or ``callback-worker``.
    :param policy: what they may do, as an IAM policy document.
    :param trust: who takes their role, as a trust policy; ``None`` for those whom the account knows otherwise.
    :param role: ARN of their role, where it is known.
    """

    name: str
    policy: dict[str, Any]
    trust: dict[str, Any] | None = None
    role: str | None = None


@dataclass(frozen=True)
class Account:
    """What a definition does not say.

    :param role: ARN of the role with which the pipeline runs; it says account and partition.
    :param region: AWS Region.
    :param values: values of parameters that starts give; by default those of the definition.
    :param code_location: S3 URI below which the deployer puts files.
    :param scheduler_role: ARN of the role with which a schedule starts the pipeline.
    :raises ValueError: a role is no ARN of a role.
    """

    role: str
    region: str
    values: Mapping[str, str] = field(default_factory=dict)
    code_location: str | None = None
    scheduler_role: str | None = None

    def __post_init__(self) -> None:
        for role in filter(None, (self.role, self.scheduler_role)):
            if not _ROLE.fullmatch(role):
                raise ValueError(f"{role!r} is not the ARN of a role")
        if self.code_location is not None and not self.code_location.startswith("s3://"):
            raise ValueError(f"{self.code_location!r} is not an S3 URI")

    @property
    def place(self) -> Place:
        """Where the pipeline runs."""
        partition, number, _ = _ROLE.findall(self.role)[0]
        return Place(self.region, number, partition)


def policies(definition: PipelineDefinition, name: str, account: Account) -> tuple[list[Principal], list[Finding]]:
    """The policies for a pipeline.

    No action is ``*``, and a resource is only for actions that have none. What the code of jobs and functions calls is
    not in a definition, so it is not in the policies either.

    :param definition: the definition.
    :param name: of the pipeline.
    :return: the principals, and findings on what is not known.
    """
    place = account.place
    known = Patterns(definition, name, place, account.values)
    permissions = Permissions(known, account.role)
    found = []
    titles: Counter[str] = Counter()
    for role, services in permissions.roles.items():
        title = "execution" if role == account.role else f"job-{role.partition(':role/')[2].replace('/', '-')}"
        titles[title] += 1
        title += f"-{titles[title]}" if titles[title] > 1 else ""
        statements = [item for items in services.values() for item in items]
        found.append(Principal(title, _document(statements), _trust(services, place), role))
    looked_at = _looking(permissions.roles[account.role]["sagemaker.amazonaws.com"])
    found.append(Principal("deployer", _document([*_deploying(name, account), *looked_at, *permissions.results()])))
    start = [Statement("Start", ("sagemaker:StartPipelineExecution",), arn) for arn in _pipeline(name, place)]
    scheduler = _trust(["scheduler.amazonaws.com"], place)
    found.append(Principal("scheduler", _document(start), scheduler, account.scheduler_role))
    queues = [known.text(step.members["SqsQueueUrl"]) for step in permissions.steps.values() if step.type == "Callback"]
    if queues:
        found.append(Principal("callback-worker", _document(_answering(name, queues, place))))
    wrong = [
        finding("SMP854", f"the policy of {item.name} has {length:,} characters")
        for item in found
        if (length := _length(item.policy)) > _LONGEST
    ]
    return [item for item in found if item.policy["Statement"]], ordered([*known.findings, *wrong])


def _pipeline(name: str, place: Place) -> list[str]:
    """The ARN of the pipeline, in both spellings."""
    return [place.arn("sagemaker", f"pipeline/{spelling}") for spelling in spellings(name)]


def _deploying(name: str, account: Account) -> Iterator[Statement]:
    """What the commands and operators of this package do with pipelines."""
    place = account.place
    for arn in _pipeline(name, place):
        yield Statement("Pipeline", tuple(f"sagemaker:{action}" for action in _ON_PIPELINE), arn)
        yield Statement("Executions", tuple(f"sagemaker:{action}" for action in _ON_EXECUTIONS), f"{arn}/execution/*")
    yield Statement("Pipelines", ("sagemaker:ListPipelines",), "*")
    yield passing(account.role, "sagemaker.amazonaws.com")
    if account.code_location:
        bucket, _, key = account.code_location.removeprefix("s3://").rstrip("/").partition("/")
        objects = "/".join(filter(None, (bucket, key, "*")))
        yield Statement("Code", ("s3:GetObject", "s3:PutObject"), f"arn:{place.partition}:s3:::{objects}")
        prefix = ("StringLike", "s3:prefix", (objects.partition("/")[2],))
        yield Statement("CodeList", ("s3:ListBucket",), f"arn:{place.partition}:s3:::{bucket}", prefix)
    if account.scheduler_role:
        actions = tuple(f"scheduler:{action}" for action in _SCHEDULE)
        for schedule in (name, f"{name}-?", f"{name}-??") if len(name) <= _NAMED_WHOLE else (f"{name[:_CUT]}*",):
            yield Statement("Schedules", actions, place.arn("scheduler", f"schedule/default/{schedule}"))
        yield Statement("SchedulesList", ("scheduler:ListSchedules",), "*")
        yield passing(account.scheduler_role, "scheduler.amazonaws.com")


def _looking(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Describing what steps made: metrics of a comparison, results of the tasks of a group."""
    for item in statements:
        described = tuple(action for action in item.actions if action.startswith(_DESCRIBING))
        if described:
            yield Statement(f"Describe {item.purpose}", described, item.resource)


def _answering(name: str, queues: Iterable[str], place: Place) -> Iterator[Statement]:
    """What a worker does that takes messages of Callback steps."""
    for queue in queues:
        yield Statement("Queues", tuple(f"sqs:{action}" for action in _QUEUE), queue_arn(queue, place))
    for arn in _pipeline(name, place):
        yield Statement("Answers", tuple(f"sagemaker:{action}" for action in _ANSWERS), f"{arn}/execution/*")


def _trust(services: Iterable[str], place: Place) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": sorted(services)},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": place.account}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _document(statements: Iterable[Statement]) -> dict[str, Any]:
    """A policy document: statements of one purpose together, in order."""
    actions: dict[str, set[str]] = defaultdict(set)
    resources: dict[str, set[str]] = defaultdict(set)
    conditions: dict[str, dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    for item in statements:
        actions[item.purpose].update(item.actions)
        resources[item.purpose].add(item.resource)
        if item.condition:
            operator, key, wanted = item.condition
            conditions[item.purpose][operator, key].update(wanted)
    found = []
    names: Counter[str] = Counter()
    for purpose in sorted(actions):
        name = "".join(part[:1].upper() + part[1:] for part in re.findall(r"[A-Za-z0-9]+", purpose))
        names[name] += 1
        statement: dict[str, Any] = {
            "Sid": name if names[name] == 1 else f"{name}No{names[name]}",
            "Effect": "Allow",
            "Action": sorted(actions[purpose]),
            "Resource": _widest(resources[purpose]),
        }
        for (operator, key), values in sorted(conditions[purpose].items()):
            statement.setdefault("Condition", {}).setdefault(operator, {})[key] = _widest(values)
        found.append(statement)
    return {"Version": "2012-10-17", "Statement": found}


def _widest(patterns: set[str]) -> list[str]:
    """Patterns without those that another one which ends in ``*`` includes."""
    open_ended = {pattern[:-1] for pattern in patterns if pattern.endswith("*") and "*" not in pattern[:-1]}
    return sorted(
        pattern
        for pattern in patterns
        if not any(pattern.startswith(other) and pattern != f"{other}*" for other in open_ended)
    )


def _length(document: Any) -> int:
    return len(json.dumps(document, separators=(",", ":")))
