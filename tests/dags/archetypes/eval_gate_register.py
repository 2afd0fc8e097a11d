"""Train, evaluate in a processing job, register and tell only when the error is low enough."""

import json
from datetime import datetime

import boto3
from airflow import DAG
from airflow.models.param import Param
from airflow.operators.python import PythonOperator, ShortCircuitOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerProcessingOperator, SageMakerTrainingOperator
from team_config import BUCKET, ROLE_ARN, SKLEARN, XGBOOST, cluster, default_args, xgboost_training

MODEL_GROUP = "abalone"
REPORT_URI = f"s3://{BUCKET}/abalone/evaluation"
PROGRAM = "import json; json.dump({'rmse': 2.5}, open('/opt/ml/processing/evaluation/evaluation.json', 'w'))"

eval_config = {
    "ProcessingJobName": "abalone-eval-{{ ts_nodash }}",
    "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", "-c", PROGRAM]},
    "ProcessingInputs": [
        {
            "InputName": "model",
            "S3Input": {
                "S3Uri": "{{ ti.xcom_pull(task_ids='train')['Training']['ModelArtifacts']['S3ModelArtifacts'] }}",
                "LocalPath": "/opt/ml/processing/model",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "evaluation",
                "S3Output": {
                    "S3Uri": REPORT_URI,
                    "LocalPath": "/opt/ml/processing/evaluation",
                    "S3UploadMode": "EndOfJob",
                },
            }
        ]
    },
    "ProcessingResources": {"ClusterConfig": cluster("ml.m5.large", 1, 10)},
    "RoleArn": ROLE_ARN,
}


def good_enough(bucket, key, **context):
    """Whether the error of the new model is below the threshold."""
    report = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    limit = context["params"]["rmse_threshold"]
    print("rmse", report["rmse"], "limit", limit)
    return report["rmse"] < limit


def register(ti, **_):
    client = boto3.client("sagemaker")
    artifact = ti.xcom_pull(task_ids="train")["Training"]["ModelArtifacts"]["S3ModelArtifacts"]
    response = client.create_model_package(
        ModelPackageGroupName=MODEL_GROUP,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": XGBOOST, "ModelDataUrl": artifact}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    return response["ModelPackageArn"]


def announce(package_arn):
    boto3.client("s3").put_object(Bucket=BUCKET, Key="abalone/latest.txt", Body=package_arn.encode())
    return "version " + package_arn.split("/")[-1]


with DAG(
    "eval_gate_register",
    default_args=default_args,
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    params={"rmse_threshold": Param(6.0, type="number")},
) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config=xgboost_training(
            "abalone-{{ ts_nodash }}", f"s3://{BUCKET}/abalone/train", f"s3://{BUCKET}/abalone/models"
        ),
        check_interval=1,
        print_log=False,
    )
    evaluate = SageMakerProcessingOperator(task_id="evaluate", config=eval_config, check_interval=1)
    gate = ShortCircuitOperator(
        task_id="check_rmse",
        python_callable=good_enough,
        op_kwargs={"bucket": BUCKET, "key": "abalone/evaluation/evaluation.json"},
    )
    register_model = PythonOperator(task_id="register_model", python_callable=register)
    tell = PythonOperator(
        task_id="announce",
        python_callable=announce,
        op_args=["{{ ti.xcom_pull(task_ids='register_model') }}"],
    )
    train >> evaluate >> gate >> register_model >> tell
