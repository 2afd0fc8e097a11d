"""A password in the environment of a job."""

from airflow import DAG
from airflow.models import Variable
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

password = Variable.get("warehouse_password")

with DAG("secret_variable", schedule=None) as dag:
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
            "Environment": {"PASSWORD": password},
        },
    )
