"""The workshop's churn DAG: pre-process, train, deploy; names are made of the run's time."""

from datetime import datetime

import boto3
from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerEndpointOperator, SageMakerTrainingOperator
from team_config import BUCKET, ROLE_ARN, XGBOOST, default_args, xgboost_training

JOB_NAME = "mwaa-churn-{{ ts_nodash }}"
OUTPUT = f"s3://{BUCKET}/mwaa-churn/output"

train_config = xgboost_training(JOB_NAME, f"s3://{BUCKET}/mwaa-churn/train", OUTPUT, eta=0.2, max_depth=4)

deploy_config = {
    "Model": {
        "ModelName": JOB_NAME,
        "PrimaryContainer": {"Image": XGBOOST, "ModelDataUrl": f"{OUTPUT}/{JOB_NAME}/output/model.tar.gz"},
        "ExecutionRoleArn": ROLE_ARN,
    },
    "EndpointConfig": {
        "EndpointConfigName": JOB_NAME,
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "ModelName": JOB_NAME,
                "InitialInstanceCount": "1",
                "InstanceType": "ml.m4.xlarge",
            }
        ],
    },
    "Endpoint": {"EndpointName": "churn-live", "EndpointConfigName": JOB_NAME},
}


def preprocess():
    s3 = boto3.client("s3")
    body = s3.get_object(Bucket=BUCKET, Key="churn/raw/export.csv")["Body"].read()
    lines = body.decode().splitlines()[1:]
    s3.put_object(Bucket=BUCKET, Key="mwaa-churn/train/train.csv", Body="\n".join(lines).encode())


with DAG(
    "churn_to_endpoint",
    default_args=default_args,
    schedule=None,
    start_date=datetime(2024, 1, 1),
) as dag:
    preprocess_task = PythonOperator(task_id="preprocess", python_callable=preprocess)
    train_task = SageMakerTrainingOperator(
        task_id="train", config=train_config, wait_for_completion=True, check_interval=1, print_log=False
    )
    deploy_task = SageMakerEndpointOperator(
        task_id="deploy", config=deploy_config, wait_for_completion=True, check_interval=1, operation="create"
    )
    preprocess_task.set_downstream(train_task)
    train_task.set_downstream(deploy_task)
