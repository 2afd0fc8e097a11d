"""A processing job measures drift; retrain when there is some, score with the newest model either way."""

import json
from datetime import datetime

import boto3
from airflow.decorators import dag, task
from airflow.operators.empty import EmptyOperator
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerModelOperator,
    SageMakerProcessingOperator,
    SageMakerTrainingOperator,
    SageMakerTransformOperator,
)
from team_config import BUCKET, ROLE_ARN, SKLEARN, XGBOOST, cluster, xgboost_training

DRIFT_KEY = "telco/drift/drift.json"
PROGRAM = (
    "import csv, json; rows = list(csv.reader(open('/opt/ml/processing/input/data/day.csv'))); "
    "mean = sum(float(row[0]) for row in rows) / len(rows); "
    "json.dump({'score': abs(mean - 1)}, open('/opt/ml/processing/drift/drift.json', 'w'))"
)


@dag(
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    default_args={"owner": "telco"},
    max_active_runs=1,
)
def drift_gated_retrain():
    detect = SageMakerProcessingOperator(
        task_id="detect_drift",
        config={
            "ProcessingJobName": "telco-drift-{{ ts_nodash }}",
            "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", "-c", PROGRAM]},
            "ProcessingInputs": [
                {
                    "InputName": "data",
                    "S3Input": {
                        "S3Uri": f"s3://{BUCKET}/telco/in/",
                        "LocalPath": "/opt/ml/processing/input/data",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "drift",
                        "S3Output": {
                            "S3Uri": f"s3://{BUCKET}/telco/drift",
                            "LocalPath": "/opt/ml/processing/drift",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "ProcessingResources": {"ClusterConfig": cluster("ml.m5.large", 1, 10)},
            "RoleArn": ROLE_ARN,
        },
        check_interval=1,
    )

    @task.branch
    def decide(threshold: float = 0.5):
        body = boto3.client("s3").get_object(Bucket=BUCKET, Key=DRIFT_KEY)["Body"].read()
        if json.loads(body)["score"] > threshold:
            return "retrain"
        return "reuse"

    retrain = SageMakerTrainingOperator(
        task_id="retrain",
        config=xgboost_training("telco-{{ ts_nodash }}", f"s3://{BUCKET}/telco/in/", f"s3://{BUCKET}/telco/models"),
        check_interval=1,
        print_log=False,
    )
    promote = SageMakerModelOperator(
        task_id="promote",
        config={
            "ModelName": "telco-new",
            "PrimaryContainer": {
                "Image": XGBOOST,
                "ModelDataUrl": f"s3://{BUCKET}/telco/models/telco-{{{{ ts_nodash }}}}/output/model.tar.gz",
            },
            "ExecutionRoleArn": ROLE_ARN,
        },
    )
    reuse = EmptyOperator(task_id="reuse")
    score = SageMakerTransformOperator(
        task_id="score",
        trigger_rule="none_failed_min_one_success",
        config={
            "TransformJobName": "telco-score-{{ ts_nodash }}",
            "ModelName": "telco-live",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/telco/in/"}},
                "ContentType": "text/csv",
            },
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/telco/scores"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
        check_interval=1,
    )

    detect >> decide() >> [retrain, reuse]
    retrain >> promote >> score
    reuse >> score


drift_gated_retrain()
