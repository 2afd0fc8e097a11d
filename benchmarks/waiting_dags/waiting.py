"""As many training jobs at once as the environment says."""

from __future__ import annotations

import os
from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.operators import SageMakerTrainingStepOperator

COUNT = int(os.environ.get("WAITING_TASKS", "200"))
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"

with DAG(
    "waiting",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    max_active_tasks=COUNT,
    default_args={"poll_interval": float(os.environ.get("WAITING_POLL_SECONDS", "30"))},
) as dag:
    for number in range(COUNT):
        SageMakerTrainingStepOperator(
            task_id=f"train_{number}",
            config={
                "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
                "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
                "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
                "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
            },
        )
