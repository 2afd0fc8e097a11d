"""A number in the environment."""

from airflow import DAG
import os
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

with DAG("number_from_environment", schedule=None) as dag:
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
            "ResourceConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": int(os.environ["INSTANCES"]),
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
