"""What passes by itself, told by the service's own words."""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import mask_secret
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, NoCredentialsError
from fake_aws import ServiceError
from hypothesis import given
from hypothesis import strategies as st

from sagemaker_provider.definition.step_types import STEP_TYPES, TRAINING_JOB
from sagemaker_provider.hooks.aws import AwsSettings
from sagemaker_provider.hooks.failures import CAUSES, advice, cause_of, judge, passing
from sagemaker_provider.hooks.step import SageMakerStepError, SageMakerStepHook
from sagemaker_provider.local.faults import PRESETS

QUOTA = (
    "The account-level service limit 'ml.p3.2xlarge for training job usage' is {limit} Instances, with current "
    "utilization of {used} Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas to request "
    "an increase for this quota."
)
CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
REST = {
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


def refused(code: str, message: str = "", status: int = 400) -> ClientError:
    """What boto3 raises when the service refuses a call."""
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "CreateTrainingJob")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (refused("ThrottlingException", "Rate exceeded"), "the service throttles calls"),
        (refused("Throttling"), "the service throttles calls"),
        (refused("TooManyRequestsException", status=429), "the service throttles calls"),
        (refused("EC2ThrottledException", status=502), "the service throttles calls"),
        (refused("InternalFailure", status=500), "an internal error of the service"),
        (refused("InternalServerException"), "an internal error of the service"),
        (refused("ServiceUnavailable", status=503), "an internal error of the service"),
        (refused("", status=502), "an internal error of the service"),
        (EndpointConnectionError(endpoint_url="https://x"), "the connection to the service broke"),
        (ConnectTimeoutError(endpoint_url="https://x"), "the connection to the service broke"),
        (
            refused("ResourceLimitExceeded", QUOTA.format(limit=4, used=4, wanted=1)),
            "the quota 'ml.p3.2xlarge for training job usage' is 4 Instances, 4 in use, 1 requested",
        ),
        (refused("ResourceLimitExceeded", "too much"), "a quota is exceeded"),
        (refused("ServiceQuotaExceededException", status=402), "a quota is exceeded"),
        (
            "InternalServerError: We encountered an internal error. Please try again.",
            "an internal error of the service",
        ),
        (CAPACITY, "there is no capacity for the instances"),
        (
            "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error.",
            "there is no capacity for the instances",
        ),
        (
            "EC2 is out of capacity for r5.24xlarge in availability zone us-east-1a.",
            "EC2 has no capacity for r5.24xlarge",
        ),
        ("Throttled from Amazon EC2 while launching cluster", "Amazon EC2 throttles"),
        (
            "The number of vCPUs for instance type m5.xlarge exceeds the EC2 service quota for that type.",
            "the EC2 quota for m5.xlarge is in use",
        ),
        (
            "Job failed as account has reached the service limit on the maximum vCPU it can use concurrently.",
            "the quota of concurrent vCPUs is in use",
        ),
        (
            "Request to service failed. If failure persists after retry, contact customer support.",
            "an internal error of the service",
        ),
    ],
)
def test_passes_by_itself(error: Exception | str, why: str) -> None:
    assert passing(error) == why


@pytest.mark.parametrize(
    "error",
    [
        "AlgorithmError: exit code 1",
        "AlgorithmError: ExecuteUserScriptError: botocore: ThrottlingException: Rate exceeded",
        "AlgorithmError: See job logs. InternalServerError: We encountered an internal error.",
        "ClientError: Data download failed: NoSuchKey",
        "ClientError: CapacityError in my own words",
        "Exit code 137",
        "",
        "The primary container for production variant AllTraffic did not pass the ping health check.",
        "Job failed, please check complete logs. ExitCode: 1. Last few exceptions: Caused by: Throttling",
        refused("ValidationException", "1 validation error detected"),
        refused("AccessDeniedException", "not authorized"),
        refused("ExpiredTokenException", "The security token included in the request is expired"),
        refused("ResourceNotFound", "no such job"),
        refused("ResourceInUse", "Training job names must be unique"),
        NoCredentialsError(),
        ValueError("ThrottlingException: not from the service"),
    ],
)
def test_fails_again(error: Exception | str) -> None:
    assert passing(error) is None


@pytest.mark.parametrize("used", [0, 3])
def test_a_quota_below_the_request_never_passes(used: int) -> None:
    error = refused("ResourceLimitExceeded", QUOTA.format(limit=3, used=used, wanted=4))
    assert passing(error) is None
    assert "4 requested: ask for a higher quota at https://" in advice(error, "us-west-2", "aws")


@pytest.mark.parametrize("preset", ["capacity", "quota", "throttling"])
def test_faults_of_the_local_sagemaker_pass(preset: str) -> None:
    fault = PRESETS[preset]
    assert passing(
        fault["message"]
        if fault["kind"] == "fail"
        else refused(fault.get("code", "Throttling"), fault.get("message", ""))
    )


def test_the_text_of_an_error_says_the_same_as_the_error() -> None:
    error = refused("ResourceLimitExceeded", QUOTA.format(limit=4, used=4, wanted=1))
    assert passing(str(error)) == passing(error)


@given(
    st.sampled_from(["AlgorithmError: ", "ClientError: ", "exit code 1: "]),
    st.text(),
    st.sampled_from([CAPACITY, "Throttling"]),
)
def test_what_user_code_says_never_passes(prefix: str, text: str, cause: str) -> None:
    assert passing(f"{prefix}{text}{cause}") is None


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert passing(text) is None or cause_of(text) is not None


def test_every_cause_can_be_told() -> None:
    for cause in CAUSES:
        assert cause.why.format(**dict.fromkeys(["instance", *cause.pattern.groupindex], "x"))
        assert cause.cure or cause.quota_of is None


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (
            refused("ResourceLimitExceeded", QUOTA.format(limit=4, used=4, wanted=1)),
            ["'ml.p3.2xlarge for training job usage' is 4 Instances", "home/services/sagemaker/quotas"],
        ),
        (
            "Job failed as account has reached the service limit on the maximum vCPU it can use concurrently.",
            ["/emr-serverless/"],
        ),
        (CAPACITY, ["no capacity", "another instance type"]),
    ],
)
def test_says_what_can_be_done(error: Exception | str, parts: list[str]) -> None:
    text = advice(error, "us-west-2", "aws")
    assert all(part in text for part in parts)


@pytest.mark.parametrize("error", ["AlgorithmError: exit code 1", "InternalServerError: We encountered an error", ""])
def test_says_nothing_where_nothing_can_be_done(error: str) -> None:
    assert advice(error, "us-west-2", "aws") == ""


def test_a_refused_call_says_what_can_be_done(aws: Any) -> None:
    aws.sagemaker.errors["CreateTrainingJob"] = [
        ServiceError("ResourceLimitExceeded", QUOTA.format(limit=0, used=0, wanted=1))
    ]
    with pytest.raises(ClientError, match="ask for a higher quota at https://us-west-2") as raised:
        SageMakerStepHook(aws_conn_id=None).create(TRAINING_JOB, {"TrainingJobName": "t", "RoleArn": "x" * 20, **REST})
    assert raised.value.response["Error"]["Code"] == "ResourceLimitExceeded"


class Task(AwsSettings):
    """What an operator gives to hooks; ``told`` is its log."""

    def __init__(self) -> None:
        self.set_aws(aws_conn_id=None)
        self.told: list[str] = []
        self.log = self

    def info(self, text: str, *values: Any) -> None:
        """Log."""
        self.told.append(text % values)


@pytest.fixture
def ended(aws: Any) -> Any:
    """Judge a training job that ended so: ``ended(status, reason, *log)``; gives what the task's log got."""

    def judged(status: str, reason: str = "", *log: str, lines: int = 20) -> list[str]:
        client = aws.client("logs")
        if log:
            client.create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
            names = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": "t/algo-1-1"}
            client.create_log_stream(**names)
            now = int(time.time() * 1000)
            client.put_log_events(**names, logEvents=[{"timestamp": now, "message": line} for line in log])
        task, job = Task(), {"TrainingJobName": "t"}
        description = {
            **job,
            "TrainingJobStatus": status,
            "Environment": {"DB_PASSWORD": "correct-horse", "MODE": "verbose1"},
        }
        description["ResourceConfig"] = {"InstanceType": "ml.p3.2xlarge"}
        if reason:
            description["FailureReason"] = reason
        judge(task, task.aws_hook("sagemaker"), TRAINING_JOB, job, description, lines)
        return task.told

    return judged


def test_a_failure_can_be_acted_on(ended: Any) -> None:
    with pytest.raises(SageMakerStepError) as raised:
        ended("Failed", CAPACITY, "loading", "waiting for instances")
    assert str(raised.value).splitlines() == [
        f"TrainingJob t ended as Failed: {CAPACITY}",
        "There is no capacity for ml.p3.2xlarge: wait, or use another instance type or other Availability Zones",
        "The end of its log:",
        "  loading",
        "  waiting for instances",
        "See https://us-west-2.console.aws.amazon.com/sagemaker/home?region=us-west-2#/jobs/t",
    ]


def test_secrets_are_masked_in_the_failure(ended: Any) -> None:
    mask_secret("known-to-airflow")
    with pytest.raises(SageMakerStepError) as raised:
        ended("Failed", "AlgorithmError: known-to-airflow", "login with correct-horse in verbose1 mode")
    assert "login with *** in verbose1 mode" in str(raised.value)
    assert "known-to-airflow" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_the_end_of_the_log_of_a_success_is_shown(ended: Any) -> None:
    assert ended("Completed", "", "accuracy 0.9", "bye correct-horse") == [
        "The end of its log:\n  accuracy 0.9\n  bye ***"
    ]


def test_no_lines_are_shown_where_none_are_wanted(ended: Any) -> None:
    assert ended("Completed", "", "accuracy 0.9", lines=0) == []


def test_a_stopped_job_is_a_failure(ended: Any) -> None:
    with pytest.raises(SageMakerStepError, match="ended as Stopped"):
        ended("Stopped")


def test_the_failure_of_an_emr_step_names_its_log(aws: Any) -> None:
    details = {"Message": "exit code 1", "LogFile": "s3://logs/j-1/steps/s-1/stderr.gz"}
    description = {"Step": {"Id": "s-1", "Status": {"State": "FAILED", "FailureDetails": details}}}
    step = STEP_TYPES["EMR"].resource
    assert step is not None
    with pytest.raises(SageMakerStepError) as raised:
        judge(Task(), Task().aws_hook("emr"), step, {"ClusterId": "j-1", "StepId": "s-1"}, description, 20)
    assert str(raised.value).splitlines()[1:] == [
        "Its log is s3://logs/j-1/steps/s-1/stderr.gz",
        "See https://us-west-2.console.aws.amazon.com/emr/home?region=us-west-2#/clusterDetails/j-1",
    ]


@pytest.mark.parametrize(
    ("description", "text"),
    [
        (
            {
                "ResourceConfig": {
                    "InstanceGroups": [{"InstanceType": "a"}, {"InstanceType": "b"}, {"InstanceType": "a"}]
                }
            },
            "a, b",
        ),
        ({"ProcessingResources": {"ClusterConfig": {"InstanceType": "p"}}}, "p"),
        ({"TransformResources": {"InstanceType": "t"}}, "t"),
        ({"EndpointName": "e"}, "the instances"),
    ],
)
def test_names_the_instances_that_are_missing(mocker: Any, description: Any, text: str) -> None:
    hook = mocker.Mock(conn_region_name="us-west-2", conn_partition="aws")
    with pytest.raises(SageMakerStepError, match=f"There is no capacity for {text}: wait"):
        judge(
            Task(), hook, TRAINING_JOB, {}, {**description, "TrainingJobStatus": "Failed", "FailureReason": CAPACITY}, 0
        )
