"""Wait for the night's file, clear the old scores, score, and count what came out."""

from datetime import datetime, timedelta

import boto3
from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.s3 import S3DeleteObjectsOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTransformOperator
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerTransformSensor

BUCKET = "ml-team"
SCORES = "scoring/out/{{ ds }}"

default_args = {"owner": "scoring", "retries": 0, "execution_timeout": timedelta(hours=2)}


def count_scores(bucket, prefix):
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return sum(len(page.get("Contents", [])) for page in pages)


with DAG(
    "nightly_scoring",
    default_args=default_args,
    schedule="0 2 * * *",
    start_date=datetime(2024, 1, 1),
    catchup=False,
) as dag:
    wait_for_file = S3KeySensor(
        task_id="wait_for_file",
        bucket_name=BUCKET,
        bucket_key="scoring/in/{{ ds }}/customers.csv",
        poke_interval=1,
        timeout=60 * 60,
    )
    clear = S3DeleteObjectsOperator(task_id="clear_scores", bucket=BUCKET, prefix=SCORES)
    score = SageMakerTransformOperator(
        task_id="score",
        config={
            "TransformJobName": "scores-{{ ts_nodash }}",
            "ModelName": "customer-value",
            "TransformInput": {
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/scoring/in/{{{{ ds }}}}/"}
                },
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/{SCORES}"},
            "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
        },
        wait_for_completion=False,
    )
    wait_for_scores = SageMakerTransformSensor(
        task_id="wait_for_scores", job_name="scores-{{ ts_nodash }}", poke_interval=1
    )
    count = PythonOperator(
        task_id="count_scores", python_callable=count_scores, op_kwargs={"bucket": BUCKET, "prefix": SCORES}
    )
    wait_for_file >> clear >> score >> wait_for_scores >> count
