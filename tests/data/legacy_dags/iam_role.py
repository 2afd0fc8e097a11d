"""The role is looked up in IAM."""

from airflow import DAG
import boto3
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

iam = boto3.client("iam")
ROLE = iam.get_role(RoleName="Train")["Role"]["Arn"]
account = boto3.client("sts").get_caller_identity()["Account"]

with DAG("iam_role", schedule=None) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": "churn",
            "AlgorithmSpecification": {
                "TrainingImage": f"{account}.dkr.ecr.us-west-2.amazonaws.com/work:1",
                "TrainingInputMode": "File",
            },
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
