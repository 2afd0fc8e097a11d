"""The environment read while the file loads."""

from airflow import DAG
import os

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

BUCKET = os.environ["ML_BUCKET"]

with DAG("environment", schedule=None) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": "churn",
            "AlgorithmSpecification": {
                "TrainingImage": "111122223333.dkr.ecr.us-west-2.amazonaws.com/work:1",
                "TrainingInputMode": "File",
            },
            "RoleArn": os.environ.get("ML_ROLE_ARN"),
            "OutputDataConfig": {"S3OutputPath": "s3://{}/churn".format(BUCKET)},
            "ResourceConfig": {
                "InstanceType": os.getenv("ML_INSTANCE", "ml.m5.4xlarge"),
                "InstanceCount": 1,
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
