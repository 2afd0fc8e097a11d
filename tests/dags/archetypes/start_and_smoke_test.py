"""Start a pipeline with boto3, watch it, and ask the endpoint one question."""

import time
from datetime import datetime

import boto3
from airflow.decorators import dag, task
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerStartPipelineOperator


@dag(schedule=None, start_date=datetime(2024, 1, 1), catchup=False)
def start_and_smoke_test():
    start = SageMakerStartPipelineOperator(task_id="start_pipeline", pipeline_name="news", wait_for_completion=True)

    @task
    def smoke_test(endpoint: str = "news-live") -> int:
        runtime = boto3.client("sagemaker-runtime")
        for _ in range(3):
            time.sleep(1)
            answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}", ContentType="application/json")
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    start >> smoke_test()


start_and_smoke_test()
