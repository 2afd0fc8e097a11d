"""Train, make the model, configure and create the endpoint, and wait for it with a sensor."""

from datetime import datetime

from airflow import DAG
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerEndpointConfigOperator,
    SageMakerEndpointOperator,
    SageMakerModelOperator,
    SageMakerTrainingOperator,
)
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerEndpointSensor
from team_config import BUCKET, ROLE_NAME, SKLEARN, default_args, xgboost_training

MODEL_NAME = "condor-model-{{ ds_nodash }}"
CONFIG_NAME = "condor-config-{{ ds_nodash }}"
ENDPOINT_NAME = "condor-{{ ds_nodash }}"

with DAG(
    "model_to_endpoint",
    default_args=default_args,
    schedule="30 4 * * *",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config=xgboost_training(
            "condor-{{ ts_nodash }}", f"s3://{BUCKET}/condor/train", f"s3://{BUCKET}/condor/models"
        ),
        check_interval=1,
        print_log=False,
    )
    model = SageMakerModelOperator(
        task_id="create_model",
        config={
            "ModelName": MODEL_NAME,
            "PrimaryContainer": {
                "Image": SKLEARN,
                "ModelDataUrl": (
                    "{{ task_instance.xcom_pull(task_ids='train')['Training']['ModelArtifacts']['S3ModelArtifacts'] }}"
                ),
            },
            "ExecutionRoleArn": ROLE_NAME,
        },
    )
    endpoint_config = SageMakerEndpointConfigOperator(
        task_id="create_endpoint_config",
        config={
            "EndpointConfigName": CONFIG_NAME,
            "ProductionVariants": [
                {
                    "VariantName": "main",
                    "ModelName": MODEL_NAME,
                    "InstanceType": "ml.t2.medium",
                    "InitialInstanceCount": 1,
                    "InitialVariantWeight": 1.0,
                }
            ],
        },
    )
    endpoint = SageMakerEndpointOperator(
        task_id="create_endpoint",
        config={"EndpointName": ENDPOINT_NAME, "EndpointConfigName": CONFIG_NAME},
        wait_for_completion=False,
    )
    wait = SageMakerEndpointSensor(task_id="wait_for_endpoint", endpoint_name=ENDPOINT_NAME, poke_interval=1)

    train >> model >> endpoint_config >> endpoint >> wait
