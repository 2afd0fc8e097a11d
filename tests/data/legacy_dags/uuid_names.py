"""Job names with a uuid and with the time, read again by name."""

import time
from datetime import datetime
from uuid import uuid4

from airflow import DAG
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerModelOperator, SageMakerTrainingOperator

job = f"churn-{datetime.now():%Y%m%d%H%M%S}-{uuid4().hex[:8]}"
model = "churn-model-" + time.strftime("%Y-%m-%d", time.gmtime())

with DAG("uuid_names", schedule=None):
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": job,
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
    create = SageMakerModelOperator(
        task_id="create",
        config={
            "ModelName": model,
            "PrimaryContainer": {
                "Image": "111122223333.dkr.ecr.us-west-2.amazonaws.com/work:1",
                "ModelDataUrl": f"s3://bucket/out/{job}/output/model.tar.gz",
            },
            "ExecutionRoleArn": "arn:aws:iam::111122223333:role/Train",
        },
    )
    train >> create
