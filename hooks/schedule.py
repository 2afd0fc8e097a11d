"""Schedules of EventBridge Scheduler that start a pipeline.

Source of service facts: the Scheduler's API reference and user guide. All functions take a boto3 client ``scheduler``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from sagemaker_provider.definition.model import PipelineDefinition
from sagemaker_provider.definition.parameters import checked, write

GROUP: Final = "default"
"""The group of schedules that every account has."""

MADE: Final = "Starts the pipeline "
"""How the description of every schedule begins that this package makes."""

_NAME_LENGTH: Final = 64

_KEPT: Final = (
    "Description",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "StartDate",
    "EndDate",
    "State",
    "Target",
    "ActionAfterCompletion",
    "KmsKeyArn",
)
"""Members of a schedule that UpdateSchedule sets; one that is left out is reset."""


class ScheduleError(ValueError):
    """A schedule cannot be what is wanted. The message says all that is wrong."""


def request_for(name: str, expression: str, zone: str) -> dict[str, Any]:
    """A request of CreateSchedule for an expression of one's own.

    :param name: of the pipeline.
    :param expression: such as ``cron(0 6 * * ? *)`` or ``rate(1 days)``.
    :param zone: name of a time zone.
    :raises ScheduleError: it is a single time that has passed, or cannot be read.
    """
    request = {
        "Name": schedule_name(name),
        "Description": f"{MADE}{name}"[:512],
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": zone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Target": {},
    }
    try:
        if due(request, datetime.now(timezone.utc)) is None:
            raise ScheduleError(f"{expression} in {zone} has passed")
    except (ValueError, KeyError) as error:  # of an expression or a time zone; KeyError: there is no such zone
        raise error if isinstance(error, ScheduleError) else ScheduleError(f"{expression} in {zone}: {error}") from None
    return request


def schedule_name(pipeline: str, suffix: str = "") -> str:
    """The name of a schedule: the pipeline's, cut where it is too long for a schedule, then with a mark of its own.

    :param suffix: what tells it from further schedules of the pipeline, at most 5 characters.
    """
    if len(pipeline) + len(suffix) > _NAME_LENGTH:
        mark = f"-{sha256(pipeline.encode()).hexdigest()[:8]}"
        pipeline = pipeline[: _NAME_LENGTH - len(suffix) - len(mark)] + mark
    return pipeline + suffix


def due(request: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """A request of CreateSchedule as the Scheduler takes it now.

    The Scheduler refuses dates in the past. A start in the past means nothing for a cron expression; a rate counts from it,
    so it moves to the next time that is due.

    :param request: as the conversion writes it; dates are text in ISO 8601.
    :param now: with a time zone.
    :return: ``None`` where no run is due any more.
    """
    result = dict(request)
    start, end = (_read(result.get(name)) for name in ("StartDate", "EndDate"))
    if match := re.fullmatch(r"at\((.*)\)", result["ScheduleExpression"]):
        zone = ZoneInfo(request.get("ScheduleExpressionTimezone", "UTC"))
        return result if datetime.fromisoformat(match[1]).replace(tzinfo=zone) > now else None
    if end and end <= now:
        return None
    if start and start <= now:
        del result["StartDate"]
        if match := re.fullmatch(r"rate\((\d+) (\w+)\)", result["ScheduleExpression"]):
            rate = timedelta(**{f"{match[2].rstrip('s')}s": int(match[1])})
            passed = (now.timestamp() - start.timestamp()) // rate.total_seconds()
            start += rate * (int(passed) + 1)
            if end and start > end:
                return None
            result["StartDate"] = iso(start)
    return result


def iso(moment: datetime) -> str:
    """A time as the requests have it."""
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _read(text: str | None) -> Any:
    return text and datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)


def put_for(
    client: Any,
    pipeline: Mapping[str, Any],
    requests: Iterable[Mapping[str, Any]],
    *,
    role: str,
    parameters: Mapping[str, Any],
    group: str = GROUP,
) -> dict[str, str]:
    """Make the schedules of a pipeline what they should be; those for which no run is due any more are left out.

    Without any request it is not known what they should be, and those that are there stay.

    :param pipeline: Describe response of the pipeline.
    :param requests: as the conversion writes them, without the ARNs of pipeline and role.
    :param role: ARN of the role with which the Scheduler starts the pipeline.
    :param parameters: values that each start passes; they go before those of the requests.
    :param group: group of schedules.
    :return: see :func:`put`.
    :raises ScheduleError: there is no request; and see :func:`wanted` and :func:`put`.
    """
    requests = list(requests)
    if not requests:
        raise ScheduleError(f"no schedule is known for the pipeline {pipeline['PipelineName']!r}; give an expression")
    complete = wanted(requests, pipeline, role, parameters, datetime.now(timezone.utc))
    return put(client, complete, pipeline["PipelineArn"], group)


def wanted(
    requests: Iterable[Mapping[str, Any]],
    pipeline: Mapping[str, Any],
    role: str,
    parameters: Mapping[str, Any],
    now: datetime,
) -> list[dict[str, Any]]:
    """Complete requests for a pipeline; those are left out for which no run is due any more.

    :param requests: as the conversion writes them, without the ARNs of pipeline and role.
    :param pipeline: Describe response of the pipeline.
    :param role: ARN of the role with which the Scheduler starts the pipeline.
    :param parameters: values that each start passes; they go before those of the requests.
    :param now: with a time zone.
    :raises ScheduleError: the pipeline could not start, because a parameter is missing or does not fit.
    """
    definition = PipelineDefinition.from_json(pipeline["PipelineDefinition"])
    complete = []
    problems: dict[str, None] = {}
    for request in requests:
        target = dict(request["Target"])
        given = {
            item["Name"]: item["Value"]
            for item in target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", ())
        } | {name: write(value) for name, value in parameters.items()}
        problems |= dict.fromkeys(checked(definition, given)[1])
        target |= {
            "Arn": pipeline["PipelineArn"],
            "RoleArn": role,
            "SageMakerPipelineParameters": {
                "PipelineParameterList": [{"Name": name, "Value": value} for name, value in given.items()]
            },
        }
        if (one := due({**request, "Target": target}, now)) is not None:
            complete.append(one)
    if problems:
        raise ScheduleError(f"pipeline {pipeline['PipelineName']!r} could not start: {'; '.join(problems)}")
    return complete


def of_pipeline(client: Any, pipeline_arn: str, group: str = GROUP) -> list[dict[str, Any]]:
    """The schedules of a group that start a pipeline, as GetSchedule describes them, by name."""
    arn = pipeline_arn.lower()  # whether the service writes the name in small letters is not documented
    pages = client.get_paginator("list_schedules").paginate(GroupName=group)
    names = [item["Name"] for page in pages for item in page["Schedules"] if item["Target"]["Arn"].lower() == arn]
    return [_get(client, name, group) for name in sorted(names)]


def put(client: Any, requests: Iterable[Mapping[str, Any]], pipeline_arn: str, group: str = GROUP) -> dict[str, str]:
    """Create or update schedules, and delete the others of the pipeline that this package has made.

    A schedule that was enabled or disabled stays so.

    :param requests: complete ones, see :func:`wanted`.
    :return: name of a schedule -> ``created``, ``updated``, ``unchanged`` or ``deleted``.
    :raises ScheduleError: a name is taken by a schedule of something else; nothing is changed then.
    """
    requests, now = list(requests), datetime.now(timezone.utc)
    present: dict[str, dict[str, Any]] = {item["Name"]: item for item in of_pipeline(client, pipeline_arn, group)}
    taken = [item["Name"] for item in requests if item["Name"] not in present and _exists(client, item["Name"], group)]
    if taken:
        raise ScheduleError(f"there are schedules that start something else, called {', '.join(taken)}")
    done: dict[str, str] = {}
    for request in requests:
        name = request["Name"]
        old = present.pop(name, None)
        if old is None:
            client.create_schedule(**request, GroupName=group)
            done[name] = "created"
            continue
        new = {**request, "State": old["State"]}
        if _comparable(new, now) == _comparable(old, now):
            done[name] = "unchanged"
        else:
            client.update_schedule(**new, GroupName=group)
            done[name] = "updated"
    for name, old in present.items():
        if old.get("Description", "").startswith(MADE):
            client.delete_schedule(Name=name, GroupName=group)
            done[name] = "deleted"
    return done


def switch(client: Any, pipeline_arn: str, state: str, group: str = GROUP) -> list[str]:
    """Enable or disable the schedules of a pipeline.

    :param state: ``ENABLED`` or ``DISABLED``.
    :return: names of those that were changed.
    """
    changed = [item for item in of_pipeline(client, pipeline_arn, group) if item["State"] != state]
    for item in changed:
        kept = {key: item[key] for key in _KEPT if key in item}
        client.update_schedule(**{**kept, "State": state}, Name=item["Name"], GroupName=group)
    return [item["Name"] for item in changed]


def remove(client: Any, pipeline_arn: str, group: str = GROUP) -> list[str]:
    """Delete the schedules of a pipeline; their names."""
    names = [item["Name"] for item in of_pipeline(client, pipeline_arn, group)]
    for name in names:
        client.delete_schedule(Name=name, GroupName=group)
    return names


def _get(client: Any, name: str, group: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get_schedule(Name=name, GroupName=group)
    found.pop("ResponseMetadata", None)
    return found


def _exists(client: Any, name: str, group: str) -> bool:
    try:
        _get(client, name, group)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def _comparable(schedule: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """A schedule from now on, without what the service adds."""
    found: dict[str, Any] = {
        key: iso(value) if isinstance(value, datetime) else value for key, value in schedule.items()
    }
    target = {key: value for key, value in found["Target"].items() if key != "RetryPolicy"}
    ours = {key: value for key, value in found.items() if key in _KEPT[:7]}
    return due({**ours, "Target": target}, now)
