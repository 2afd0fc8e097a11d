"""Libraries of the workers that are not installed here, used in functions only."""

from airflow import DAG
from typing import Optional

import library_of_tables as tables
from library_of_runs import log_metric, set_tracking_uri
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

set_tracking_uri("http://runs.example.com")


def score(frame: Optional[tables.DataFrame]) -> None:
    log_metric("rows", len(frame))


with DAG("missing_modules", schedule=None) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": "churn",
            "AlgorithmSpecification": {
                "TrainingImage": "111122223333.dkr.ecr.us-west-2.amazonaws.com/work:1",
                "TrainingInputMode": "File",
            },
            "RoleArn": "arn:aws:iam::111122223333:role/Train",
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
