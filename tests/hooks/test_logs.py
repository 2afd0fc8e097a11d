"""The end of a log: the right streams, few calls, few lines."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sagemaker_provider.definition.logs import LogStreams, log_streams
from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.hooks.aws import AwsSettings
from sagemaker_provider.hooks.logs import last_lines, log_text, read_log, streams_of

GROUP = "/aws/sagemaker/TrainingJobs"


class Task(AwsSettings):
    """What an operator gives to hooks."""

    def __init__(self) -> None:
        self.set_aws(aws_conn_id=None)


@pytest.fixture
def write(aws: Any) -> Any:
    """Write a stream: ``write(group, stream, lines, age)``."""
    client = aws.client("logs")
    now = int(time.time() * 1000)

    def lines(group: str, stream: str, *texts: str, age: int = 0) -> None:
        if not client.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now - 10_000 * age + index, "message": text} for index, text in enumerate(texts)]
        client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    return lines


def read(identifiers: dict[str, Any], description: dict[str, Any], lines: int = 20, service: str = "sagemaker") -> Any:
    """What a person reads."""
    return read_log(Task(), Task().aws_hook(service), identifiers, description, lines)


def test_reads_the_last_lines_of_this_job_only(write: Any) -> None:
    write(GROUP, "job-1/algo-1-1", *[f"line {number}" for number in range(30)])
    write(GROUP, "job-10/algo-1-1", "of another job")
    assert read({"TrainingJobName": "job-1"}, {}, 3) == ["line 27", "line 28", "line 29"]


def test_lines_of_several_hosts_are_in_the_order_of_time(write: Any) -> None:
    write(GROUP, "job/algo-1-1", "first", "last", age=0)
    write(GROUP, "job/algo-2-1", "before", age=1)
    assert read({"TrainingJobName": "job"}, {}) == ["[algo-2-1] before", "[algo-1-1] first", "[algo-1-1] last"]


def test_a_big_cluster_costs_five_calls(write: Any, aws: Any) -> None:
    for host in range(1, 12):
        write(GROUP, f"job/algo-{host}-1", f"host {host}", age=host)
    hook = Task().aws_hook("logs")
    calls: list[str] = []
    hook.conn.meta.events.register("before-call.*.*", lambda model, **_: calls.append(model.name))
    found = last_lines(hook, LogStreams(GROUP, "job/"), 20)
    assert calls == ["DescribeLogStreams", *["GetLogEvents"] * 4]
    assert found == [f"[algo-{host}-1] host {host}" for host in (4, 3, 2, 1)]


def test_no_log_is_no_lines(aws: Any, write: Any) -> None:
    assert read({"TrainingJobName": "job"}, {}) == []
    write(GROUP, "other/algo-1-1", "text")
    assert read({"TrainingJobName": "job"}, {}) == []


def test_no_lines_wanted_is_no_call(mocker: Any) -> None:
    assert read_log(Task(), mocker.Mock(side_effect=AssertionError), {"TrainingJobName": "job"}, {}, 0) == []


def test_a_log_that_cannot_be_read_says_why(aws: Any, mocker: Any) -> None:
    from botocore.exceptions import ClientError

    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}, "DescribeLogStreams")
    mocker.patch("sagemaker_provider.hooks.logs.last_lines", side_effect=refused)
    (line,) = read({"TrainingJobName": "job"}, {})
    assert line.startswith("(the log cannot be read: ")
    assert "not allowed" in line


def test_an_endpoint_has_a_group_of_its_own(write: Any) -> None:
    write("/aws/sagemaker/Endpoints/churn", "AllTraffic/i-1", "ping failed")
    assert read({"EndpointName": "churn"}, {}) == ["ping failed"]


def test_of_a_tuning_job_the_best_training_speaks(write: Any) -> None:
    write(GROUP, "tune-001-a/algo-1-1", "the best")
    write(GROUP, "tune-002-b/algo-1-1", "another")
    description = {"HyperParameterTuningJobName": "tune", "BestTrainingJob": {"TrainingJobName": "tune-001-a"}}
    assert read({"HyperParameterTuningJobName": "tune"}, description) == ["the best"]


def test_of_a_tuning_job_without_a_best_the_last_failed_training_speaks(write: Any, mocker: Any) -> None:
    write(GROUP, "tune-002-b/algo-1-1", "why it failed")
    hook = mocker.Mock()
    hook.call.return_value = {"TrainingJobSummaries": [{"TrainingJobName": "tune-002-b"}]}
    found = read_log(Task(), hook, {"HyperParameterTuningJobName": "tune"}, {"HyperParameterTuningJobName": "tune"}, 20)
    assert found == ["why it failed"]
    assert hook.call.call_args.args[1]["StatusEquals"] == "Failed"


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"enabled": True}, [LogStreams("/aws/emr-serverless", "/applications/a/jobs/j/")]),
        (
            {"enabled": True, "logGroupName": "mine", "logStreamNamePrefix": "team/"},
            [LogStreams("mine", "team/applications/a/jobs/j/")],
        ),
        ({"enabled": False}, []),
        ({}, []),
    ],
)
def test_emr_serverless_logs_where_the_job_says(configuration: dict[str, Any], expected: list[LogStreams]) -> None:
    monitoring = {"monitoringConfiguration": {"cloudWatchLoggingConfiguration": configuration}}
    job = {"applicationId": "a", "jobRunId": "j", "configurationOverrides": monitoring if configuration else {}}
    assert streams_of({"applicationId": "a", "jobRunId": "j"}, {"jobRun": job}) == expected


def test_which_step_types_have_logs() -> None:
    """A new step type needs a decision: a row in the table of logs, or a place here."""
    without = {
        "Model",
        "RegisterModel",
        "EndpointConfig",
        "EMR",  # in S3
        "EMRServerless",  # where the job says
        "Job",  # not documented
    }
    for step_type, row in STEP_TYPES.items():
        if row.resource is not None:
            found = log_streams(dict.fromkeys(row.resource.identifiers, "x"))
            assert (found is None) == (step_type in without), step_type


def test_long_lines_are_cut() -> None:
    text = log_text(["x" * 5000, "short"], 20)
    assert text.splitlines()[0] == "The end of its log:"
    assert len(text) < 1100
    assert log_text(["a", "b"], 1).endswith(":\n  b")
    assert log_text([], 20) == log_text(["a"], 0) == ""
