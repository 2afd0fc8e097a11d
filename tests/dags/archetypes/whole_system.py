"""As in the Amazon provider's own system test: a task makes every config, the SageMaker tasks read them, a last task cleans up."""

from datetime import datetime

import boto3
from airflow import DAG
from airflow.decorators import task
from airflow.models.baseoperator import chain
from airflow.providers.amazon.aws.operators.s3 import S3CreateBucketOperator, S3DeleteBucketOperator
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerCreateExperimentOperator,
    SageMakerDeleteModelOperator,
    SageMakerModelOperator,
    SageMakerProcessingOperator,
    SageMakerTrainingOperator,
    SageMakerTransformOperator,
)
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerTrainingSensor
from airflow.utils.trigger_rule import TriggerRule
from team_config import ROLE_ARN, SKLEARN, cluster, xgboost_training


@task
def set_up(env_id, role_arn):
    bucket = f"{env_id}-sagemaker"
    model_name = f"{env_id}-knn"
    return {
        "bucket": bucket,
        "role": role_arn,
        "training_job": f"{env_id}-train",
        "processing_config": {
            "ProcessingJobName": f"{env_id}-processing",
            "AppSpecification": {"ImageUri": SKLEARN},
            "ProcessingResources": {"ClusterConfig": cluster()},
            "RoleArn": role_arn,
        },
        "training_config": xgboost_training(f"{env_id}-train", f"s3://{bucket}/in", f"s3://{bucket}/out"),
        "model_config": {"ModelName": model_name, "ExecutionRoleArn": role_arn},
        "transform_config": {"TransformJobName": f"{env_id}-transform", "ModelName": model_name},
        "delete_config": {"ModelName": model_name},
    }


@task(trigger_rule=TriggerRule.ALL_DONE)
def delete_logs(env_id):
    logs = boto3.client("logs")
    for name in ("ProcessingJobs", "TrainingJobs"):
        logs.delete_log_stream(logGroupName=f"/aws/sagemaker/{name}", logStreamName=env_id)


with DAG("whole_system", schedule="@once", start_date=datetime(2024, 1, 1), tags=["example"], catchup=False) as dag:
    setup = set_up("env1", ROLE_ARN)
    create_bucket = S3CreateBucketOperator(task_id="create_bucket", bucket_name=setup["bucket"])
    experiment = SageMakerCreateExperimentOperator(task_id="create_experiment", name="knn")
    preprocess = SageMakerProcessingOperator(task_id="preprocess", config=setup["processing_config"])
    train = SageMakerTrainingOperator(
        task_id="train", config=setup["training_config"], wait_for_completion=False, print_log=False
    )
    await_training = SageMakerTrainingSensor(task_id="await_training", job_name=setup["training_job"])
    model = SageMakerModelOperator(task_id="create_model", config=setup["model_config"])
    transform = SageMakerTransformOperator(task_id="transform", config=setup["transform_config"])
    delete_model = SageMakerDeleteModelOperator(
        task_id="delete_model", config=setup["delete_config"], trigger_rule=TriggerRule.ALL_DONE
    )
    delete_bucket = S3DeleteBucketOperator(
        task_id="delete_bucket", bucket_name=setup["bucket"], force_delete=True, trigger_rule=TriggerRule.ALL_DONE
    )
    chain(
        setup,
        create_bucket,
        experiment,
        preprocess,
        train,
        await_training,
        model,
        transform,
        delete_model,
        delete_bucket,
        delete_logs("env1"),
    )
