"""Start the SageMaker pipeline that data scientists made, and wait for it."""

from datetime import datetime

from airflow import DAG
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerStartPipelineOperator
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerPipelineSensor

with DAG("start_house_price", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False) as dag:
    start = SageMakerStartPipelineOperator(
        task_id="start_pipeline", pipeline_name="house-price", pipeline_params={"Day": "{{ ds }}"}
    )
    wait = SageMakerPipelineSensor(task_id="wait_for_pipeline", pipeline_exec_arn=start.output)
    start >> wait
