"""Champion and challenger score the same day; a task compares them and raises the alarm when they differ much."""

import json
from datetime import datetime

import boto3
from airflow.decorators import dag, task, task_group
from airflow.operators.empty import EmptyOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTransformOperator
from team_config import BUCKET


def transform(variant):
    """The transform of one of the two models."""
    return SageMakerTransformOperator(
        task_id=f"score_{variant}",
        config={
            "TransformJobName": f"clv-{variant}-{{{{ ts_nodash }}}}",
            "ModelName": f"clv-{variant}",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/clv/in/"}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/clv/{variant}/"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
        check_interval=1,
    )


@dag(schedule=None, start_date=datetime(2024, 1, 1), catchup=False, params={"tolerance": 0.25})
def shadow_test():
    @task_group
    def score():
        transform("champion")
        transform("challenger")

    @task
    def statistics(variant: str) -> dict:
        s3 = boto3.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"clv/{variant}/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        size = sum(len(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().splitlines()) for key in keys)
        return {"variant": variant, "files": len(keys), "lines": size}

    @task
    def compare(one: dict, other: dict, params: dict) -> dict:
        change = abs(one["lines"] - other["lines"]) / max(one["lines"], 1)
        found = {"change": change, "alarm": change > params["tolerance"]}
        boto3.client("s3").put_object(Bucket=BUCKET, Key="clv/shadow.json", Body=json.dumps(found).encode())
        return found

    @task.branch
    def alarm_or_not(found: dict) -> str:
        return "raise_alarm" if found["alarm"] else "all_is_well"

    @task
    def raise_alarm(found: dict):
        boto3.client("sns").publish(
            TopicArn="arn:aws:sns:us-west-2:123456789012:ml-team", Message=json.dumps(found), Subject="Shadow test"
        )

    scored = score()
    champion = statistics.override(task_id="champion_statistics")("champion")
    challenger = statistics.override(task_id="challenger_statistics")("challenger")
    scored >> [champion, challenger]
    compared = compare(champion, challenger)
    choice = alarm_or_not(compared)
    choice >> [raise_alarm(compared), EmptyOperator(task_id="all_is_well")]


shadow_test()
