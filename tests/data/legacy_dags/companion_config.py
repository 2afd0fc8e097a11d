"""A companion module that is not here."""

from airflow import DAG
import team_config as config
from team_config.names import prefix
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

with DAG("companion_config", schedule=None) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": config.JOB_NAME,
            "AlgorithmSpecification": {"TrainingImage": config.IMAGES["train"], "TrainingInputMode": "File"},
            "RoleArn": config.ROLE_ARN,
            "OutputDataConfig": {"S3OutputPath": f"s3://{config.BUCKET}/{prefix('churn')}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
