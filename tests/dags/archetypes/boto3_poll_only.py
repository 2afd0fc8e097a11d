"""One callable that only starts a training job and waits: what a native step does."""

import os
import time
from datetime import datetime

import boto3
from airflow import DAG
from airflow.hooks.base import BaseHook
from airflow.models import Variable
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.hooks.s3 import S3Hook

BUCKET = "ml-team"


def train(**context):
    sagemaker = boto3.client("sagemaker")
    job_name = "recsys-" + context["ds_nodash"]
    sagemaker.create_training_job(
        TrainingJobName=job_name,
        AlgorithmSpecification={"TrainingImage": Variable.get("recsys_image"), "TrainingInputMode": "File"},
        RoleArn="arn:aws:iam::123456789012:role/SageMakerExecution",
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/recsys"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
    )
    while sagemaker.describe_training_job(TrainingJobName=job_name)["TrainingJobStatus"] == "InProgress":
        time.sleep(30)


def write_to_database(**context):
    connection = BaseHook.get_connection("recsys_db")
    print("writing to", connection.host, os.environ["HOSTNAME"])


def count(**context):
    return len(S3Hook(aws_conn_id="aws_default").list_keys(BUCKET, prefix="recsys/") or [])


with DAG("boto3_poll_only", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False) as dag:
    train_task = PythonOperator(task_id="train", python_callable=train)
    write_task = PythonOperator(task_id="write_to_database", python_callable=write_to_database)
    count_task = PythonOperator(task_id="count", python_callable=count)
    train_task >> [write_task, count_task]
