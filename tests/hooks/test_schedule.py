"""Schedules of a pipeline, on a local SageMaker."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import boto3
import pytest
from pipelines_client import Pipelines, definition, parameter, processing

from sagemaker_provider.hooks.schedule import (
    MADE,
    ScheduleError,
    due,
    of_pipeline,
    put,
    put_for,
    remove,
    request_for,
    schedule_name,
    switch,
    wanted,
)

ROLE = "arn:aws:iam::123456789012:role/Scheduler"
DAILY = {**request_for("p", "cron(0 6 * * ? *)", "Europe/Berlin"), "Description": f"{MADE}of p"}


@pytest.fixture
def pipelines(local_sagemaker: Any) -> Pipelines:
    return Pipelines(local_sagemaker)


@pytest.fixture
def client(local_sagemaker: Any) -> Any:
    return boto3.client("scheduler")


@pytest.fixture
def pipeline(pipelines: Pipelines) -> dict[str, Any]:
    parameters = [parameter("day"), parameter("count", "Integer", 1)]
    pipelines.create(definition(processing("a"), parameters=parameters))
    return dict(pipelines.sagemaker.describe_pipeline(PipelineName="p"))


def apply(client: Any, pipeline: Any, *requests: dict[str, Any], **parameters: Any) -> dict[str, str]:
    return put_for(client, pipeline, requests, role=ROLE, parameters={"day": "x", **parameters})


def test_schedules_are_created_once_and_updated_when_they_differ(client: Any, pipeline: Any) -> None:
    assert apply(client, pipeline, DAILY) == {"p": "created"}
    assert apply(client, pipeline, DAILY) == {"p": "unchanged"}
    assert apply(client, pipeline, DAILY, count=2) == {"p": "updated"}
    (found,) = of_pipeline(client, pipeline["PipelineArn"])
    assert (found["ScheduleExpression"], found["ScheduleExpressionTimezone"]) == ("cron(0 6 * * ? *)", "Europe/Berlin")
    assert found["Target"] == {
        "Arn": pipeline["PipelineArn"],
        "RoleArn": ROLE,
        "SageMakerPipelineParameters": {
            "PipelineParameterList": [{"Name": "day", "Value": "x"}, {"Name": "count", "Value": "2"}]
        },
    } | ({"RetryPolicy": found["Target"]["RetryPolicy"]} if "RetryPolicy" in found["Target"] else {})


def test_an_execution_starts_with_what_a_schedule_passes(client: Any, pipeline: Any, pipelines: Pipelines) -> None:
    apply(client, pipeline, DAILY, count=2)
    target = of_pipeline(client, pipeline["PipelineArn"])[0]["Target"]
    passed = target["SageMakerPipelineParameters"]["PipelineParameterList"]
    arn = pipelines.start(target["Arn"].rpartition("/")[2], parameters={item["Name"]: item["Value"] for item in passed})
    assert pipelines.status(pipelines.wait(arn)) == "Succeeded"


def test_what_a_conversion_no_longer_wants_goes_and_the_rest_stays(client: Any, pipeline: Any) -> None:
    by_hand = {**request_for("by-hand", "rate(1 days)", "UTC"), "Description": "of a person"}
    apply(client, pipeline, by_hand)
    apply(client, pipeline, {**DAILY, "Name": "p-1"}, {**DAILY, "Name": "p-2"})
    assert apply(client, pipeline, {**DAILY, "Name": "p-1"}) == {"p-1": "unchanged", "p-2": "deleted"}
    assert [item["Name"] for item in of_pipeline(client, pipeline["PipelineArn"])] == ["by-hand", "p-1"]


def test_an_expression_of_ones_own_takes_the_place_of_those_of_the_dag_and_goes_with_them(
    client: Any, pipeline: Any
) -> None:
    of_dag = [{**DAILY, "Name": "p-1"}, {**DAILY, "Name": "p-2"}]
    apply(client, pipeline, *of_dag)
    own = request_for("p", "rate(1 days)", "UTC")
    assert apply(client, pipeline, own) == {"p": "created", "p-1": "deleted", "p-2": "deleted"}
    assert apply(client, pipeline, *of_dag) == {"p": "deleted", "p-1": "created", "p-2": "created"}


def test_without_any_request_nothing_is_changed(client: Any, pipeline: Any) -> None:
    apply(client, pipeline, DAILY)
    with pytest.raises(ScheduleError, match="no schedule is known for the pipeline 'p'; give an expression"):
        apply(client, pipeline)
    assert len(of_pipeline(client, pipeline["PipelineArn"])) == 1


@pytest.mark.parametrize(
    ("expression", "zone", "said"),
    [
        ("at(2020-01-01T00:00:00)", "UTC", "has passed"),
        ("at(tomorrow)", "UTC", "Invalid isoformat string"),
        ("at(2099-01-01T00:00:00)", "Europe/Nowhere", "Nowhere"),
    ],
)
def test_an_expression_that_starts_nothing_is_refused(expression: str, zone: str, said: str) -> None:
    with pytest.raises(ScheduleError, match=said):
        request_for("p", expression, zone)


def test_a_single_time_is_one_of_its_time_zone() -> None:
    now = datetime(2026, 11, 24, 9, tzinfo=timezone.utc)  # one in the morning in Los Angeles
    request = {"ScheduleExpression": "at(2026-11-24T06:00:00)", "ScheduleExpressionTimezone": "America/Los_Angeles"}
    assert due(request, now) == request
    assert due({**request, "ScheduleExpressionTimezone": "Europe/Berlin"}, now) is None


def test_long_names_are_cut_with_a_mark_of_their_own() -> None:
    names = {schedule_name(f"{'p' * 70}{number}", suffix) for number in range(3) for suffix in ("", "-1", "-12")}
    assert len(names) == 9 and max(map(len, names)) == 64
    assert all(name.startswith("p" * 50) for name in names)
    assert schedule_name("p", "-1") == "p-1"


def test_a_disabled_schedule_stays_disabled(client: Any, pipeline: Any) -> None:
    apply(client, pipeline, DAILY)
    assert switch(client, pipeline["PipelineArn"], "DISABLED") == ["p"]
    assert switch(client, pipeline["PipelineArn"], "DISABLED") == []
    assert apply(client, pipeline, {**DAILY, "ScheduleExpression": "rate(2 days)"}) == {"p": "updated"}
    (found,) = of_pipeline(client, pipeline["PipelineArn"])
    assert (found["State"], found["ScheduleExpression"]) == ("DISABLED", "rate(2 days)")
    assert found["Description"] == f"{MADE}of p" and found["Target"]["RoleArn"] == ROLE


def test_the_schedule_of_something_else_is_not_touched(client: Any, pipeline: Any) -> None:
    other = {**DAILY, "Target": {"Arn": f"{pipeline['PipelineArn']}-other", "RoleArn": ROLE}}
    client.create_schedule(**other)
    with pytest.raises(ScheduleError, match="start something else, called p"):
        apply(client, pipeline, {**DAILY, "Name": "q"}, DAILY)
    assert of_pipeline(client, pipeline["PipelineArn"]) == []
    assert remove(client, pipeline["PipelineArn"]) == []


def test_a_pipeline_that_could_not_start_is_not_scheduled(client: Any, pipeline: Any) -> None:
    with pytest.raises(ScheduleError, match="'p' could not start: parameter 'day' needs a value"):
        put_for(client, pipeline, [DAILY], role=ROLE, parameters={})
    with pytest.raises(ScheduleError, match="'count' has the type Integer"):
        apply(client, pipeline, DAILY, count="many")
    assert of_pipeline(client, pipeline["PipelineArn"]) == []


def test_a_rate_of_one_in_the_plural_or_not() -> None:
    now = datetime(2026, 6, 1, 12, 30, tzinfo=timezone.utc)
    for unit in ("hour", "hours"):
        request = {"ScheduleExpression": f"rate(1 {unit})", "StartDate": "2026-06-01T00:00:00Z"}
        assert due(request, now)["StartDate"] == "2026-06-01T13:00:00Z"


def test_a_rate_that_goes_on_is_not_updated(client: Any, pipeline: Any) -> None:
    request = {**DAILY, "ScheduleExpression": "rate(1 minutes)", "StartDate": "2020-01-01T00:00:30Z"}
    arn = pipeline["PipelineArn"]
    first = wanted([request], pipeline, ROLE, {"day": "x"}, datetime(2026, 1, 1, tzinfo=timezone.utc))
    assert first[0]["StartDate"] == "2026-01-01T00:00:30Z"
    put(client, first, arn)
    assert put(client, wanted([request], pipeline, ROLE, {"day": "x"}, datetime.now(timezone.utc)), arn) == {
        "p": "unchanged"
    }


def test_what_is_not_due_any_more_is_left_out(client: Any, pipeline: Any) -> None:
    assert apply(client, pipeline, {**DAILY, "EndDate": "2020-01-01T00:00:00Z"}) == {}


def test_schedules_are_removed(client: Any, pipeline: Any) -> None:
    apply(client, pipeline, DAILY)
    assert remove(client, pipeline["PipelineArn"]) == ["p"]
    assert of_pipeline(client, pipeline["PipelineArn"]) == []
