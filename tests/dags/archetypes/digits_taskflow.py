"""Handwritten digits: TaskFlow before and after a training job."""

import json
from datetime import datetime

import boto3
from airflow.decorators import dag, task
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
from team_config import BUCKET, xgboost_training


@dag(
    dag_id="digits_taskflow",
    schedule="@weekly",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    default_args={"owner": "vision", "retries": 2},
)
def digits():
    @task
    def extract(limit: int = 3) -> dict:
        """Make a tiny set of images, label first."""
        s3 = boto3.client("s3")
        lines = [",".join(str(digit * pixel % 7) for pixel in range(1, 5)) for digit in range(limit)]
        s3.put_object(Bucket=BUCKET, Key="digits/train/part-0.csv", Body="\n".join(lines).encode())
        return {"uri": f"s3://{BUCKET}/digits/train", "images": len(lines)}

    @task(multiple_outputs=True)
    def describe(data: dict) -> dict:
        return {"first": data["uri"].split("/")[3], "images": data["images"]}

    @task
    def publish(training: dict, images: int) -> str:
        model = training["Training"]["ModelArtifacts"]["S3ModelArtifacts"]
        card = {"images": images, "archive": model.rsplit("/", 1)[-1]}
        boto3.client("s3").put_object(Bucket=BUCKET, Key="digits/card.json", Body=json.dumps(card).encode())
        return f"{images} images in {model.rsplit('/', 1)[-1]}"

    data = extract(limit=5)
    described = describe(data)
    train = SageMakerTrainingOperator(
        task_id="train",
        config=xgboost_training(
            "digits-{{ ts_nodash }}", "{{ ti.xcom_pull('extract')['uri'] }}", f"s3://{BUCKET}/digits"
        ),
        check_interval=1,
        print_log=False,
    )
    data >> train
    publish(train.output, described["images"])


digits()
