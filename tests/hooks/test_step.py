"""The hook, against the endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from fake_aws import ServiceError

from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, STEP_TYPES
from sagemaker_provider.hooks.step import SageMakerStepError, SageMakerStepHook, ended_well

TRAINING = STEP_TYPES["Training"].resource
MODEL = STEP_TYPES["Model"].resource
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"


@pytest.fixture
def hook(aws: Any) -> SageMakerStepHook:
    return SageMakerStepHook("sagemaker", aws_conn_id=None)


def test_create_gives_what_describes_it(hook: Any) -> None:
    identifiers = hook.create(MODEL, {"ModelName": "m", "ExecutionRoleArn": ROLE})
    assert identifiers == {"ModelName": "m"}
    assert hook.describe(MODEL, identifiers)["ExecutionRoleArn"] == ROLE


def test_find_gives_nothing_for_what_is_not_there(hook: Any) -> None:
    assert hook.find(TRAINING, {"TrainingJobName": "no"}) is None


def test_find_does_not_take_another_error_for_absence(hook: Any, aws: Any) -> None:
    aws.sagemaker.errors["DescribeTrainingJob"] = [ServiceError("AccessDeniedException", "not authorized")]
    with pytest.raises(ClientError, match="not authorized"):
        hook.find(TRAINING, {"TrainingJobName": "no"})


def test_a_response_is_json_without_metadata(hook: Any) -> None:
    hook.create(MODEL, {"ModelName": "m", "ExecutionRoleArn": ROLE})
    described = hook.describe(MODEL, {"ModelName": "m"})
    assert isinstance(described["CreationTime"], str)
    assert "ResponseMetadata" not in described


@pytest.mark.parametrize(
    ("resource", "description", "message"),
    [
        (
            TRAINING,
            {"TrainingJobName": "t", "TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: 1"},
            "TrainingJob t ended as Failed: AlgorithmError: 1",
        ),
        (TRAINING, {"TrainingJobName": "t", "TrainingJobStatus": "Stopped"}, "TrainingJob t ended as Stopped"),
        (
            PIPELINE_EXECUTION,
            {"PipelineExecutionArn": "a", "PipelineExecutionStatus": "CompletedWithFailures"},
            "ended as CompletedWithFailures",
        ),
        (PIPELINE_EXECUTION, {"PipelineExecutionArn": "a", "PipelineExecutionStatus": "Stopped"}, "ended as Stopped"),
    ],
)
def test_only_success_is_success(resource: Any, description: Any, message: str) -> None:
    with pytest.raises(SageMakerStepError, match=message):
        ended_well(resource, description)
