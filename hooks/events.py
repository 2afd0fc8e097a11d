"""Events that say that something has changed: an EventBridge rule puts them on an SQS queue, which triggers read.

Both are made for a Region of an account by :func:`create`, and removed by :func:`delete`. A connection whose extra names the
queue, ``{"service_config": {"sagemaker": {"events_queue": "airflow-sagemaker-events"}}}``, has its triggers read it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sagemaker_provider.definition.step_types import (
    EXECUTION_STEP_EVENT,
    PIPELINE_EXECUTION,
    STEP_TYPES,
    Event,
    State,
)

DEFAULT_NAME: Final = "airflow-sagemaker-events"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
EXTRA: Final = "events_queue"
"""Member of a connection's ``service_config`` for ``sagemaker`` that names the queue."""
STEPS: Final = "ListPipelineExecutionSteps"
"""What is looked at for the steps of an execution."""

_TAG: Final = {"managed-by": "airflow-provider-sagemaker-pipelines"}
_ATTRIBUTES: Final = {
    "MessageRetentionPeriod": "300",  # seconds: an event of which nobody waits for the resource is of no use later
    "VisibilityTimeout": "5",  # seconds: one that another triggerer waits for is soon there again
    "SqsManagedSseEnabled": "true",
}


class EventsError(Exception):
    """The rule or queue cannot be made or removed; the text says why."""


@dataclass(frozen=True)
class Events:
    """A rule and its queue.

    :param name: of both.
    :param queue_url: ``None`` when there is no queue.
    :param rule_arn: ``None`` when there is no rule.
    :param problems: what keeps events from the queue.
    """

    name: str
    queue_url: str | None = None
    rule_arn: str | None = None
    problems: tuple[str, ...] = ()


def _subjects() -> Iterator[tuple[str, Event]]:
    """(what is looked at, the event that makes it worth while)."""
    rows = {row.resource.describe: row.resource for row in STEP_TYPES.values() if row.resource}
    for describe, resource in {**rows, PIPELINE_EXECUTION.describe: PIPELINE_EXECUTION}.items():
        if resource.event:
            yield describe, resource.event
    assert PIPELINE_EXECUTION.event is not None
    yield STEPS, PIPELINE_EXECUTION.event
    yield STEPS, EXECUTION_STEP_EVENT


def sends(kind: str) -> bool:
    """Whether there are events for what is looked at with a Describe operation or :data:`STEPS`."""
    return any(describe == kind for describe, _ in _subjects())


def subjects_of(event: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """What an event says has changed: (Describe operation or :data:`STEPS`, members of its request).

    :param event: as EventBridge sends it; one of another kind says nothing.
    """
    detail, found = event.get("detail"), []
    for kind, row in _subjects():
        if row.name == event.get("detail-type") and isinstance(detail, Mapping):
            identifiers = {member: detail.get(name) for member, name in row.identifiers.items()}
            if all(isinstance(value, str) for value in identifiers.values()):
                found.append((kind, {member: str(value) for member, value in identifiers.items()}))
    return found


def pattern() -> dict[str, Any]:
    """The rule's event pattern: changes of everything that can be waited for; where it can be told, only to an end."""
    rows = [event for _, event in _subjects()]
    resources = {row.resource.describe: row.resource for row in STEP_TYPES.values() if row.resource}.values()
    ended: dict[str, list[str]] = {}
    for resource in resources:
        if resource.event and resource.event.same_statuses:
            ends = [status for status, state in resource.states.items() if state is not State.RUNNING]
            ended[resource.event.status] = sorted({*ended.get(resource.event.status, ()), *ends})
    return {
        "source": sorted({row.source for row in rows}),
        "detail-type": sorted({row.name for row in rows}),
        "detail": {status: [{"exists": False}, *ends] for status, ends in sorted(ended.items())},
    }


def create(events: Any, sqs: Any, name: str = DEFAULT_NAME) -> Events:
    """Make the rule and the queue; what is there already is set right.

    Only this rule may send to the queue, over TLS.

    :param events: boto3 client of EventBridge.
    :param sqs: boto3 client of SQS.
    :raises EventsError: a rule or queue of this name was made by something else, or none can have the name.
    """
    if not _NAME.fullmatch(name):
        raise EventsError(
            f"{name!r} is no name of both a rule and a queue: 1 to 64 letters, digits, hyphens and underscores"
        )
    _refuse_others(events, sqs, name)
    rule_arn = events.put_rule(
        Name=name,
        Description="Wakes Airflow tasks that wait for SageMaker and EMR",
        EventPattern=json.dumps(pattern()),
        State="ENABLED",
    )["RuleArn"]
    events.tag_resource(ResourceARN=rule_arn, Tags=[{"Key": key, "Value": value} for key, value in _TAG.items()])
    queue_url = _queue_url(sqs, name) or sqs.create_queue(QueueName=name, Attributes=_ATTRIBUTES, tags=_TAG)["QueueUrl"]
    queue_arn = _queue_arn(sqs, queue_url)
    attributes = {**_ATTRIBUTES, "Policy": json.dumps(_policy(queue_arn, rule_arn))}
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=attributes)
    failed = events.put_targets(Rule=name, Targets=[{"Id": name, "Arn": queue_arn}])["FailedEntries"]
    if failed:
        raise EventsError(f"rule {name}: {failed[0].get('ErrorMessage')}")
    return Events(name, queue_url, rule_arn)


def show(events: Any, sqs: Any, name: str = DEFAULT_NAME) -> Events:
    """What there is of a rule and its queue, and what is wrong with them."""
    queue_url, rule = _queue_url(sqs, name), _rule(events, name)
    problems = []
    if queue_url is None:
        problems.append("there is no queue of this name")
    if rule is None:
        problems.append("there is no rule of this name")
    else:
        if rule["State"] != "ENABLED":
            problems.append("the rule is disabled")
        if json.loads(rule.get("EventPattern") or "{}") != pattern():
            problems.append("the rule has another event pattern")
        targets = [target["Arn"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
        if queue_url and _queue_arn(sqs, queue_url) not in targets:
            problems.append("the rule does not send to the queue")
    return Events(name, queue_url, rule["Arn"] if rule else None, tuple(problems))


def delete(events: Any, sqs: Any, name: str = DEFAULT_NAME) -> Events:
    """Remove the rule and the queue, as far as they are there.

    :return: what was removed.
    :raises EventsError: a rule or queue of this name was made by something else; nothing is removed.
    """
    _refuse_others(events, sqs, name)
    queue_url, rule = _queue_url(sqs, name), _rule(events, name)
    if rule is not None:
        targets = [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
        if targets:
            events.remove_targets(Rule=name, Ids=targets)
        events.delete_rule(Name=name)
    if queue_url is not None:
        sqs.delete_queue(QueueUrl=queue_url)
    return Events(name, queue_url, rule["Arn"] if rule else None)


def _policy(queue_arn: str, rule_arn: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TheRuleSends",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
            },
            {
                "Sid": "OnlyOverTLS",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": queue_arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }


def _refuse_others(events: Any, sqs: Any, name: str) -> None:
    rule, queue_url = _rule(events, name), _queue_url(sqs, name)
    tags = []
    if rule is not None:
        found = events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
        tags.append(("rule", {tag["Key"]: tag["Value"] for tag in found}))
    if queue_url is not None:
        tags.append(("queue", sqs.list_queue_tags(QueueUrl=queue_url).get("Tags", {})))
    others = [what for what, found in tags if _TAG.items() - found.items()]
    if others:
        kept = " and ".join(others)
        raise EventsError(f"there is a {kept} named {name} that this provider has not made; choose another --name")


def _rule(events: Any, name: str) -> dict[str, Any] | None:
    try:
        return dict(events.describe_rule(Name=name))
    except events.exceptions.ResourceNotFoundException:
        return None


def _queue_url(sqs: Any, name: str) -> str | None:
    try:
        return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        return None


def _queue_arn(sqs: Any, queue_url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
