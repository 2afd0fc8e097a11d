"""Retrain, deploy the new model, smoke-test the endpoint and roll back when anything went wrong."""

from datetime import datetime

import boto3
from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerEndpointConfigOperator,
    SageMakerEndpointOperator,
    SageMakerModelOperator,
    SageMakerTrainingOperator,
)
from team_config import BUCKET, ROLE_ARN, XGBOOST, default_args, xgboost_training

NAME = "retrain-{{ ds_nodash }}"
ENDPOINT = "retrain-live"


def smoke_test(endpoint):
    runtime = boto3.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body="1,2,3")
    return answer["Body"].read().decode()


def roll_back(endpoint):
    sagemaker = boto3.client("sagemaker")
    configs = sagemaker.list_endpoint_configs(SortBy="CreationTime", MaxResults=2)["EndpointConfigs"]
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configs[-1]["EndpointConfigName"])


with DAG(
    "eval_gate_rollback",
    default_args=default_args,
    schedule="@weekly",
    start_date=datetime(2024, 1, 1),
    catchup=False,
) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config=xgboost_training(NAME, f"s3://{BUCKET}/retrain/train", f"s3://{BUCKET}/retrain/models"),
        check_interval=1,
    )
    model = SageMakerModelOperator(
        task_id="model",
        config={
            "ModelName": NAME,
            "PrimaryContainer": {
                "Image": XGBOOST,
                "ModelDataUrl": f"s3://{BUCKET}/retrain/models/{NAME}/output/model.tar.gz",
            },
            "ExecutionRoleArn": ROLE_ARN,
        },
    )
    endpoint_config = SageMakerEndpointConfigOperator(
        task_id="endpoint_config",
        config={
            "EndpointConfigName": NAME,
            "ProductionVariants": [
                {"VariantName": "v1", "ModelName": NAME, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
            ],
        },
    )
    deploy = SageMakerEndpointOperator(
        task_id="deploy", operation="update", config={"EndpointName": ENDPOINT, "EndpointConfigName": NAME}
    )
    smoke = PythonOperator(task_id="smoke_test", python_callable=smoke_test, op_args=[ENDPOINT])
    undo = PythonOperator(task_id="roll_back", python_callable=roll_back, op_args=[ENDPOINT], trigger_rule="one_failed")
    train >> model >> endpoint_config >> deploy >> smoke
    [deploy, smoke] >> undo
