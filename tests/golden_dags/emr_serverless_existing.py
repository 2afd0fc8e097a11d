"""Run a Spark job on an EMR Serverless application that exists."""

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import BUCKET

from sagemaker_provider.definition import CacheConfig, RetryPolicy
from sagemaker_provider.operators import ExecutionVariable, Join, SageMakerEMRServerlessStepOperator

JOB_ROLE = "arn:aws:iam::123456789012:role/EMRServerlessExecutionRole"

with DAG(
    dag_id="emr_serverless_existing",
    schedule=None,
    params={"AppId": "00fabcdef", "Script": f"s3://{BUCKET}/job.py"},
) as dag:
    SageMakerEMRServerlessStepOperator(
        task_id="spark_job",
        step_name="Spark",
        display_name="Spark",
        description="run on an application that exists",
        cache=CacheConfig(enabled=True, expire_after="T12H"),
        retry_policies=[
            RetryPolicy(("Step.SERVICE_FAULT",), interval_seconds=1, backoff_rate=2.0, max_attempts=2),
        ],
        config={
            "ApplicationId": "{{ params.AppId }}",
            "ExecutionRoleArn": JOB_ROLE,
            "JobConfig": {
                "applicationId": "{{ params.AppId }}",
                "executionRoleArn": JOB_ROLE,
                "name": "nightly",
                "executionTimeoutMinutes": 60,
                "jobDriver": {
                    "sparkSubmit": {
                        "entryPoint": "{{ params.Script }}",
                        "entryPointArguments": [
                            "--out",
                            Join("/", ["s3:/", BUCKET, ExecutionVariable("PipelineExecutionId")]),
                        ],
                        "sparkSubmitParameters": "--conf spark.executor.cores=1",
                    }
                },
                "configurationOverrides": {
                    "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": f"s3://{BUCKET}/logs/"}}
                },
                "tags": {"team": "ml"},
            },
        },
    )
