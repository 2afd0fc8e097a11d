"""A person approves the newest model package; a task that fails until then waits with retries."""

from datetime import datetime, timedelta

import boto3
from airflow import DAG
from airflow.exceptions import AirflowException
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerRegisterModelVersionOperator,
    SageMakerTrainingOperator,
)
from team_config import BUCKET, XGBOOST, default_args, xgboost_training


def approved(package_arn):
    found = boto3.client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    if found["ModelApprovalStatus"] != "Approved":
        raise AirflowException(f"{package_arn} is {found['ModelApprovalStatus']}")
    return package_arn


with DAG(
    "manual_approval", default_args=default_args, schedule=None, start_date=datetime(2024, 1, 1), catchup=False
) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config=xgboost_training("lstm-{{ ts_nodash }}", f"s3://{BUCKET}/lstm/train", f"s3://{BUCKET}/lstm/models"),
        check_interval=1,
        print_log=False,
    )
    register = SageMakerRegisterModelVersionOperator(
        task_id="register",
        image_uri=XGBOOST,
        model_url="{{ ti.xcom_pull(task_ids='train')['Training']['ModelArtifacts']['S3ModelArtifacts'] }}",
        package_group_name="lstm",
    )
    wait = PythonOperator(
        task_id="wait_for_approval",
        python_callable=approved,
        op_kwargs={"package_arn": "{{ ti.xcom_pull(task_ids='register') }}"},
        retries=60,
        retry_delay=timedelta(minutes=10),
    )
    train >> register >> wait
