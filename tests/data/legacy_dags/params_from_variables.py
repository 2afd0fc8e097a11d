"""Variables and the environment are the defaults of params."""

import os

from airflow import DAG
from airflow.models import Variable
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

PARAMS = {"bucket": Variable.get("ml_bucket"), "instance": os.getenv("ML_INSTANCE", "ml.m5.large"), "rounds": 3}

with DAG("params_from_variables", schedule=None, params=PARAMS):
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": "churn",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::111122223333:role/Train",
            "HyperParameters": {"rounds": "{{ params.rounds }}"},
            "OutputDataConfig": {"S3OutputPath": "s3://{{ params.bucket }}/out"},
            "ResourceConfig": {"InstanceType": "{{ params.instance }}", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
