"""Run dbt in a container on SageMaker and leave its results in S3."""

from datetime import datetime

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerProcessingOperator
from team_config import ACCOUNT, BUCKET, REGION, ROLE_ARN, cluster, default_args

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/dbt-fraud:latest"

with DAG(
    "dbt_in_processing",
    default_args=default_args,
    schedule="0 5 * * 1",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    max_active_runs=1,
) as dag:
    start = EmptyOperator(task_id="start")
    end = EmptyOperator(task_id="end")

    run_dbt = SageMakerProcessingOperator(
        task_id="run_dbt",
        config={
            "ProcessingJobName": "dbt-fraud-{{ ds_nodash }}",
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["dbt", "build"],
                "ContainerArguments": ["--vars", '{"run_date": "{{ ds }}"}'],
            },
            "Environment": {"DBT_TARGET": "prod", "RUN_DATE": "{{ ds }}"},
            "ProcessingResources": {"ClusterConfig": cluster("ml.t3.large", 1, 10)},
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "target",
                        "S3Output": {
                            "S3Uri": f"s3://{BUCKET}/dbt/{{{{ ds }}}}",
                            "LocalPath": "/opt/ml/processing/output",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
            "RoleArn": ROLE_ARN,
        },
        check_interval=1,
    )

    start >> run_dbt >> end
