"""As many tasks as there are years."""

from airflow import DAG
from datetime import datetime
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

with DAG("clock_decides", schedule=None) as dag:
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
    for year in range(2020, datetime.utcnow().year + 1):
        SageMakerTrainingOperator(task_id=f"train_{year}", config=train.config)
