"""A data platform DAG: unload from the warehouse, one training job, load the result, start the report's DAG."""

from datetime import datetime

from airflow import DAG
from airflow.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.utils.task_group import TaskGroup
from snowflake_operator import SnowflakeUnloadOperator
from team_config import BUCKET, default_args, xgboost_training

with DAG(
    "warehouse_forecast", default_args=default_args, schedule="@hourly", start_date=datetime(2024, 1, 1), catchup=False
) as dag:
    with TaskGroup("unload") as unload:
        for table in ("prices", "volumes"):
            SnowflakeUnloadOperator(
                task_id=table,
                query=f"select * from {table} where day = '{{{{ ds }}}}'",
                s3_uri=f"s3://{BUCKET}/warehouse/{table}/",
            )
    forecast = SageMakerTrainingOperator(
        task_id="forecast",
        config=xgboost_training("forecast-{{ ts_nodash }}", f"s3://{BUCKET}/warehouse/", f"s3://{BUCKET}/forecast"),
    )
    load = S3ToRedshiftOperator(
        task_id="load",
        schema="public",
        table="forecast",
        s3_bucket=BUCKET,
        s3_key="forecast/latest.csv",
        redshift_conn_id="warehouse",
    )
    report = TriggerDagRunOperator(task_id="report", trigger_dag_id="report")
    unload >> forecast >> load >> report
