"""Prepare and train, then delete what the training has left in S3."""

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import BUCKET, ROLE, instances, output_to, script_job, uploaded

from sagemaker_provider.operators import (
    CleanupSource,
    SageMakerCleanupStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerTrainingStepOperator,
)

IMAGES = "123456789012.dkr.ecr.us-west-2.amazonaws.com"

with DAG(dag_id="cleanup_training", schedule=None) as dag:
    prepare = SageMakerProcessingStepOperator(
        task_id="Prep",
        config=script_job(
            f"{IMAGES}/prep:1",
            uploaded("CleanupTraining", "prep.py"),
            outputs=[output_to(f"s3://{BUCKET}/prep/train", "/opt/ml/processing/train", name="train")],
            cluster=instances(kind="ml.m5.large"),
        ),
    )
    train = SageMakerTrainingStepOperator(
        task_id="Train",
        config={
            "AlgorithmSpecification": {"TrainingImage": f"{IMAGES}/train:1", "TrainingInputMode": "File"},
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "InputMode": "File",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri,
                        }
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/train-job"},
            "ResourceConfig": instances(kind="ml.m5.large"),
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "RoleArn": ROLE,
        },
    )
    SageMakerCleanupStepOperator(task_id="Tidy", sources=[CleanupSource(train)])
