"""Retry policies and caching of several kinds of steps."""

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import BUCKET, ROLE, instances

from sagemaker_provider.definition import CacheConfig, RetryPolicy
from sagemaker_provider.operators import (
    SageMakerCallbackStepOperator,
    SageMakerEMRStepOperator,
    SageMakerLambdaStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerTrainingStepOperator,
    SageMakerTransformStepOperator,
)

IMAGES = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
MONTH = CacheConfig(enabled=True, expire_after="P30D")

faults = RetryPolicy(("Step.SERVICE_FAULT", "Step.THROTTLING"), interval_seconds=10, backoff_rate=1.5, max_attempts=5)
throttling = RetryPolicy(("Step.THROTTLING",), interval_seconds=1, backoff_rate=2.0, expire_after_min=30)
job_errors = RetryPolicy(
    ("SageMaker.RESOURCE_LIMIT", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"),
    interval_seconds=0,
    backoff_rate=0.0,
    max_attempts=20,
)
capacity = RetryPolicy(("SageMaker.CAPACITY_ERROR",), interval_seconds=1, backoff_rate=2.0, expire_after_min=14400)

with DAG(dag_id="retry_and_cache", schedule=None) as dag:
    SageMakerTrainingStepOperator(
        task_id="Train",
        cache=MONTH,
        retry_policies=[faults, throttling, job_errors, capacity],
        config={
            "AlgorithmSpecification": {"TrainingImage": f"{IMAGES}/t:1", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/t-job"},
            "ResourceConfig": instances(kind="ml.m5.large"),
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "RoleArn": ROLE,
        },
    )
    SageMakerProcessingStepOperator(
        task_id="Proc",
        retry_policies=[faults, capacity],
        config={
            "AppSpecification": {"ImageUri": f"{IMAGES}/p:1"},
            "ProcessingResources": {"ClusterConfig": instances(kind="ml.m5.large")},
            "RoleArn": ROLE,
        },
    )
    SageMakerTransformStepOperator(
        task_id="Trans",
        cache=CacheConfig(enabled=True),
        retry_policies=[job_errors, capacity],
        config={
            "ModelName": "m",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in"}}
            },
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/t"},
            "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
        },
    )
    SageMakerLambdaStepOperator(
        task_id="Lam",
        function_arn="arn:aws:lambda:us-west-2:123456789012:function:f",
        cache=CacheConfig(enabled=True, expire_after="PT1H"),
    )
    SageMakerCallbackStepOperator(
        task_id="Cb", queue_url="https://sqs.us-west-2.amazonaws.com/123456789012/q", cache=MONTH
    )
    SageMakerEMRStepOperator(
        task_id="Emr",
        display_name="Emr",
        description="d",
        cache=MONTH,
        config={"ClusterId": "j-1", "StepConfig": {"HadoopJarStep": {"Jar": "s3://b/x.jar"}}},
    )
