"""Modules of the first versions of the Amazon provider."""

from datetime import datetime

from airflow import DAG
from airflow.operators.dummy import DummyOperator
from airflow.providers.amazon.aws.operators.sagemaker_training import SageMakerTrainingOperator
from airflow.providers.amazon.aws.sensors.s3_key import S3KeySensor
from airflow.providers.amazon.aws.sensors.sagemaker_training import SageMakerTrainingSensor

with DAG("amazon_paths", schedule_interval="@once", start_date=datetime(2022, 1, 1)):
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
    train >> SageMakerTrainingSensor(task_id="watch", job_name="churn") >> DummyOperator(task_id="end")
