"""Steps that succeed, and some that fail and print a secret; each failure is written to the file that FAILURES names."""

from __future__ import annotations

import json
import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.operators import (
    SageMakerLambdaStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
)

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"


def record(context: dict) -> None:
    """Write down why a task failed."""
    with open(os.environ["FAILURES"], "a", encoding="utf-8") as file:
        file.write(json.dumps({"task": context["ti"].task_id, "error": str(context["exception"])}) + "\n")


def processing(code: str) -> dict:
    """A CreateProcessingJob request that runs a shell command."""
    read = {"S3Uri": "s3://bucket/in/", "LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix"}
    write = {"S3Uri": "s3://bucket/out", "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", code]},
        "Environment": {"DB_PASSWORD": "correct-horse-battery"},
        "RoleArn": ROLE,
        "ProcessingInputs": [{"InputName": "in", "S3Input": {**read, "S3InputMode": "File"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": write}]},
    }


with DAG(
    "telling",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={"poll_interval": 0.2, "on_failure_callback": record, "retries": 0},
):
    SageMakerProcessingStepOperator(task_id="works", config=processing("echo read 3 rows; echo with $DB_PASSWORD"))
    SageMakerProcessingStepOperator(task_id="fails", config=processing("echo cannot use $DB_PASSWORD; exit 3"))
    SageMakerLambdaStepOperator(
        task_id="asks", function_arn="arn:aws:lambda:us-west-2:123456789012:function:ask", config={"what": "rows"}
    )
    SageMakerModelStepOperator(
        task_id="model",
        config={
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://bucket/model.tar.gz"},
        },
    )
