"""Arguments of operators that were removed or renamed."""

from airflow import DAG
from airflow.utils.decorators import apply_defaults
from airflow.utils.trigger_rule import TriggerRule
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

with DAG("provide_context", schedule_interval=None, default_view="graph", orientation="LR") as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        provide_context=True,
        task_concurrency=2,
        trigger_rule=TriggerRule.DUMMY,
        action_if_job_exists="increment",
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
