"""Jobs that find each other by paths and names that are written down twice, as most DAGs have it."""

import os
from datetime import datetime

import boto3
from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerModelOperator,
    SageMakerProcessingOperator,
    SageMakerTrainingOperator,
    SageMakerTransformOperator,
)
from team_config import BUCKET, ROLE_ARN, SKLEARN, XGBOOST, cluster, default_args, s3_input

PREPARED = f"s3://{BUCKET}/products/{{{{ params.stage }}}}/{{{{ ds }}}}"
SCORES = f"s3://{BUCKET}/products/scores/{{{{ ds }}}}/"
JOB_NAME = "prod2vec-{{ ds_nodash }}"
SPLIT = (
    "import os; p = '/opt/ml/processing/'; test, train = open(p + 'input/raw/all.csv').read().split(); "
    "[(os.makedirs(p + 'output/' + d), open(p + f'output/{d}/rows.csv', 'w').write(t)) "
    "for d, t in (('train', train), ('test', test))]"
)


def collect(bucket, prefix):
    """The names of the files with scores."""
    found = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return [os.path.basename(item["Key"]) for item in found]


with DAG(
    "paths_by_hand",
    default_args=default_args,
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    params={"stage": "dev"},
) as dag:
    split = SageMakerProcessingOperator(
        task_id="split",
        config={
            "ProcessingJobName": "prod2vec-split-{{ ts_nodash }}",
            "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", "-c", SPLIT]},
            "ProcessingInputs": [
                {
                    "InputName": "raw",
                    "S3Input": {
                        "S3Uri": f"s3://{BUCKET}/products/raw",
                        "LocalPath": "/opt/ml/processing/input/raw",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "prepared",
                        "S3Output": {
                            "S3Uri": PREPARED,
                            "LocalPath": "/opt/ml/processing/output",
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
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": JOB_NAME,
            "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            "InputDataConfig": [s3_input(os.path.join(PREPARED, "train"))],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/products/models"},
            "ResourceConfig": cluster(),
            "RoleArn": ROLE_ARN,
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        check_interval=1,
        print_log=False,
    )
    model = SageMakerModelOperator(
        task_id="model",
        config={
            "ModelName": JOB_NAME,
            "PrimaryContainer": {
                "Image": XGBOOST,
                "ModelDataUrl": f"s3://{BUCKET}/products/models/{JOB_NAME}/output/model.tar.gz",
            },
            "ExecutionRoleArn": ROLE_ARN,
        },
    )
    score = SageMakerTransformOperator(
        task_id="score",
        config={
            "TransformJobName": JOB_NAME,
            "ModelName": JOB_NAME,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": PREPARED + "/test/"}},
                "ContentType": "text/csv",
            },
            "TransformOutput": {"S3OutputPath": SCORES},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
        check_interval=1,
    )
    collect_scores = PythonOperator(
        task_id="collect",
        python_callable=collect,
        op_kwargs={"bucket": BUCKET, "prefix": "products/scores/{{ ds }}/"},
    )
    split >> train >> model >> score >> collect_scores
