"""The role stands in the extra of a connection."""

from airflow import DAG
from airflow.hooks.base_hook import BaseHook
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

role = BaseHook.get_connection("aws_ml").extra_dejson.get("role_arn")

with DAG("connection_role", schedule=None) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": "churn",
            "AlgorithmSpecification": {
                "TrainingImage": "111122223333.dkr.ecr.us-west-2.amazonaws.com/work:1",
                "TrainingInputMode": "File",
            },
            "RoleArn": role,
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
