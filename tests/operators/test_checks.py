"""Baselines of check steps, call by call."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from contexts import context

from sagemaker_provider.operators import SageMakerClarifyCheckStepOperator, SageMakerQualityCheckStepOperator

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
OUTPUT = {"S3Uri": "s3://bucket/check", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
CONFIG = {
    "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
    "AppSpecification": {"ImageUri": "image"},
    "RoleArn": ROLE,
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "result", "S3Output": OUTPUT}]},
}


def source(name: str) -> dict[str, str]:
    """A file of a baseline."""
    return {"ContentType": "application/json", "S3Uri": f"s3://registry/{name}.json"}


BASELINES = {
    "ModelDataQuality": {"Constraints": source("data-constraints"), "Statistics": source("data-statistics")},
    "ModelQuality": {"Constraints": source("model-constraints"), "Statistics": source("model-statistics")},
    "Bias": {"PreTrainingConstraints": source("pre"), "PostTrainingConstraints": source("post")},
    "Explainability": {"Constraints": source("explain")},
}


@pytest.fixture
def registry(aws: Any) -> Any:
    """A group with an approved package that has baselines, and a newer one that is not approved."""
    aws.put("s3://bucket/other", b"")
    aws.sagemaker.groups.add("group")
    package = {"ModelPackageGroupName": "group", "DriftCheckBaselines": BASELINES}
    aws.sagemaker.create("CreateModelPackage", {**package, "ModelApprovalStatus": "Approved"})
    aws.sagemaker.create("CreateModelPackage", {"ModelPackageGroupName": "group", "ModelApprovalStatus": "Rejected"})
    return aws


def check(kind: str, **options: Any) -> Any:
    """The result of a check."""
    cls = SageMakerQualityCheckStepOperator if kind.endswith("QUALITY") else SageMakerClarifyCheckStepOperator
    model = {"model_name": "m"} if kind in ("MODEL_BIAS", "MODEL_EXPLAINABILITY") else {}
    task = cls(task_id="k", check_type=kind, config=CONFIG, deferrable=False, aws_conn_id=None, **model, **options)
    return task.execute(context("k"))


@pytest.mark.parametrize(
    ("kind", "constraints", "statistics"),
    [
        ("DATA_QUALITY", "data-constraints", "data-statistics"),
        ("MODEL_QUALITY", "model-constraints", "model-statistics"),
        ("DATA_BIAS", "pre", None),
        ("MODEL_BIAS", "post", None),
        ("MODEL_EXPLAINABILITY", "explain", None),
    ],
)
def test_the_existing_baseline_is_that_of_the_latest_approved_package(
    registry: Any, kind: str, constraints: str, statistics: str | None
) -> None:
    result = check(kind, model_package_group_name="group")
    assert result["BaselineUsedForDriftCheckConstraints"] == f"s3://registry/{constraints}.json"
    assert result.get("BaselineUsedForDriftCheckStatistics") == (statistics and f"s3://registry/{statistics}.json")


def test_a_supplied_baseline_goes_before_that_of_the_group(registry: Any) -> None:
    result = check("DATA_QUALITY", model_package_group_name="group", supplied_baseline_constraints="s3://own/c.json")
    assert result["BaselineUsedForDriftCheckConstraints"] == "s3://own/c.json"
    assert result["BaselineUsedForDriftCheckStatistics"] == "s3://registry/data-statistics.json"


@pytest.mark.parametrize(
    ("skip", "register", "used"),
    [
        (False, False, "s3://registry/data-constraints.json"),
        (False, True, "s3://bucket/check/constraints.json"),
        (True, False, "s3://registry/data-constraints.json"),
        (True, True, "s3://bucket/check/constraints.json"),
        ("false", "true", "s3://bucket/check/constraints.json"),
    ],
)
def test_which_baseline_later_steps_read(registry: Any, skip: Any, register: Any, used: str) -> None:
    result = check("DATA_QUALITY", model_package_group_name="group", skip_check=skip, register_new_baseline=register)
    assert result["BaselineUsedForDriftCheckConstraints"] == used
    assert result["CalculatedBaselineConstraints"] == "s3://bucket/check/constraints.json"
    assert ("ViolationReport" in result) is (str(skip).lower() != "true")


def test_a_group_without_an_approved_package_gives_no_baseline(aws: Any) -> None:
    aws.sagemaker.groups.add("group")
    with pytest.raises(AirflowException, match=r"no existing baseline \(Constraints\)"):
        check("DATA_BIAS", model_package_group_name="group")
    assert "CreateProcessingJob" not in aws.sagemaker.calls


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"check_type": "QUALITY"}, "check_type is one of"),
        ({"check_type": "DATA_BIAS", "model_name": "m"}, "model_name goes with"),
        ({"check_type": "MODEL_BIAS"}, "model_name goes with"),
    ],
)
def test_wrong_arguments_fail_when_the_dag_is_parsed(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SageMakerClarifyCheckStepOperator(task_id="k", config=CONFIG, **options)
