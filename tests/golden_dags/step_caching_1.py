"""Prepare and train with results kept for twelve hours."""

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import (
    ABALONE_HYPERPARAMETERS,
    BUCKET,
    SKLEARN,
    XGBOOST,
    channel,
    input_from,
    instances,
    output_to,
    run_uri,
    script_job,
    training_job,
    uploaded,
)

from sagemaker_provider.definition import CacheConfig
from sagemaker_provider.operators import SageMakerProcessingStepOperator, SageMakerTrainingStepOperator

PIPELINE = "AbaloneBetaPipelineCaching"

with DAG(
    dag_id="step_caching_1",
    schedule=None,
    params={"ProcessingInstanceCount": 1, "TrainingInstanceType": "ml.m5.xlarge"},
    default_args={"cache": CacheConfig(enabled=True, expire_after="T12H")},
) as dag:
    process = SageMakerProcessingStepOperator(
        task_id="AbaloneProcess",
        config=script_job(
            f"{SKLEARN}:0.23-1-cpu-py3",
            uploaded(PIPELINE, "preprocessing.py"),
            inputs=[
                input_from(
                    f"s3://{BUCKET}/{PIPELINE}/AbaloneProcess/input/abalone-dataset/abalone-dataset.csv",
                    "/opt/ml/processing/input",
                    name="abalone-dataset",
                )
            ],
            outputs=[
                output_to(
                    run_uri(PIPELINE, "{run}", "AbaloneProcess", "output", part),
                    f"/opt/ml/processing/{part}",
                    name=part,
                )
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params['ProcessingInstanceCount'] }}"),
        ),
    )
    data = process.properties.ProcessingOutputConfig.Outputs

    SageMakerTrainingStepOperator(
        task_id="AbaloneTrain",
        config=training_job(
            XGBOOST,
            f"s3://{BUCKET}/AbaloneTrain",
            hyperparameters=ABALONE_HYPERPARAMETERS,
            channels=[channel(part, data[part].S3Output.S3Uri) for part in ("train", "validation")],
            resources=instances(kind="{{ dag_run.conf['TrainingInstanceType'] }}"),
        ),
    )
