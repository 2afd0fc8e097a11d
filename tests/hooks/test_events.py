"""The rule and the queue of events: made, shown, removed; and events understood. Real clients, moto's services."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.hooks import events

ARN = "arn:aws:sagemaker:us-west-2:123456789012"


def clients(local: Any) -> tuple[Any, Any]:
    return local.client("events"), local.client("sqs")


def test_created_shown_and_deleted_and_each_twice(local_sagemaker: Any) -> None:
    both = clients(local_sagemaker)
    assert events.show(*both).problems == ("there is no queue of this name", "there is no rule of this name")
    made = events.create(*both)
    assert events.create(*both) == made == events.show(*both)
    assert events.delete(*both) == made
    assert events.delete(*both) == events.Events(made.name)
    assert both[0].list_rules()["Rules"] == []
    assert "QueueUrls" not in both[1].list_queues()


@pytest.mark.parametrize("name", ["my.events", "", "x" * 65])
def test_a_name_that_one_of_them_cannot_have(local_sagemaker: Any, name: str) -> None:
    both = clients(local_sagemaker)
    with pytest.raises(events.EventsError, match="is no name of both"):
        events.create(*both, name)
    assert both[0].list_rules()["Rules"] == []


def test_only_the_rule_may_send(local_sagemaker: Any) -> None:
    both = clients(local_sagemaker)
    made = events.create(*both, "mine")
    attributes = both[1].get_queue_attributes(QueueUrl=made.queue_url, AttributeNames=["All"])["Attributes"]
    (allow,) = [each for each in json.loads(attributes["Policy"])["Statement"] if each["Effect"] == "Allow"]
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Action"] == "sqs:SendMessage"
    assert allow["Resource"] == attributes["QueueArn"]
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": made.rule_arn}}
    assert attributes["SqsManagedSseEnabled"] == "true"


@pytest.mark.parametrize("what", ["rule", "queue"])
def test_what_others_have_made_is_left_alone(local_sagemaker: Any, what: str) -> None:
    both = clients(local_sagemaker)
    if what == "rule":
        both[0].put_rule(Name="taken", ScheduleExpression="rate(1 day)")
    else:
        both[1].create_queue(QueueName="taken")
    for call in (events.create, events.delete):
        with pytest.raises(events.EventsError, match=f"a {what} named taken that this provider has not made"):
            call(*both, "taken")
    assert len(both[0].list_rules()["Rules"]) + len(both[1].list_queues().get("QueueUrls", ())) == 1


def test_what_is_wrong_is_shown_and_set_right(local_sagemaker: Any) -> None:
    both = clients(local_sagemaker)
    events.create(*both, "mine")
    both[0].put_rule(Name="mine", EventPattern='{"source": ["aws.s3"]}', State="DISABLED")
    both[0].remove_targets(Rule="mine", Ids=["mine"])
    assert events.show(*both, "mine").problems == (
        "the rule is disabled",
        "the rule has another event pattern",
        "the rule does not send to the queue",
    )
    events.create(*both, "mine")
    assert events.show(*both, "mine").problems == ()


def test_the_pattern_is_short_enough() -> None:
    assert len(json.dumps(events.pattern())) <= 2048  # EventBridge's limit


def test_events_name_what_has_changed() -> None:
    execution = f"{ARN}:pipeline/p/execution/abc"
    assert events.subjects_of(
        {"detail-type": "SageMaker Training Job State Change", "detail": {"TrainingJobName": "t", "Tags": {}}}
    ) == [("DescribeTrainingJob", {"TrainingJobName": "t"})]
    assert events.subjects_of(
        {
            "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
            "detail": {"pipelineExecutionArn": execution},
        }
    ) == [
        ("DescribePipelineExecution", {"PipelineExecutionArn": execution}),
        (events.STEPS, {"PipelineExecutionArn": execution}),
    ]
    assert events.subjects_of(
        {"detail-type": "EMR Step Status Change", "detail": {"clusterId": "j-1", "stepId": "s-1", "state": "FAILED"}}
    ) == [("DescribeStep", {"ClusterId": "j-1", "StepId": "s-1"})]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"detail-type": "SageMaker Training Job State Change"},
        {"detail-type": "SageMaker Training Job State Change", "detail": []},
        {"detail-type": "SageMaker Training Job State Change", "detail": {"TrainingJobName": 3}},
        {"detail-type": "Object Created", "detail": {"TrainingJobName": "t"}},
    ],
)
def test_other_events_name_nothing(event: dict[str, Any]) -> None:
    assert events.subjects_of(event) == []


def test_identifiers_of_events_are_those_of_describe_calls() -> None:
    for row in STEP_TYPES.values():
        if row.resource and row.resource.event:
            assert set(row.resource.event.identifiers) == set(row.resource.identifiers)
    assert events.sends("DescribeTrainingJob")
    assert not events.sends("DescribeAutoMLJob")
