"""DAGs whose steps fail in every way; each failure is written to the file that FAILURES names."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.definition import Equals, OutputParameter
from sagemaker_provider.operators import (
    Join,
    SageMakerCallbackStepOperator,
    SageMakerConditionStepOperator,
    SageMakerEMRStepOperator,
    SageMakerEndpointStepOperator,
    SageMakerFailStepOperator,
    SageMakerLambdaStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerQualityCheckStepOperator,
    SageMakerTrainingStepOperator,
    SageMakerTransformStepOperator,
)

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"
QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/work"
FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function:work"
CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}


def record(context: dict) -> None:
    """Write down why a task failed."""
    line = {"task": context["ti"].task_id, "error": str(context["exception"]), "try": context["ti"].try_number}
    with open(os.environ["FAILURES"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def training(instances: object) -> dict:
    """A CreateTrainingJob request."""
    return {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": instances, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def processing() -> dict:
    """A CreateProcessingJob request."""
    output = {"S3Uri": "s3://bucket/check", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "AppSpecification": {"ImageUri": IMAGE},
        "RoleArn": ROLE,
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "result", "S3Output": output}]},
    }


def build(dag_id: str, deferrable: bool) -> DAG:
    """A DAG of steps that fail."""
    defaults = {"deferrable": deferrable, "poll_interval": 0.05, "on_failure_callback": record, "retries": 0}
    with DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1),
        params={"text": "many", "limit": 6.0},
        default_args=defaults,
    ) as dag:
        SageMakerTrainingStepOperator(task_id="failed", config=training(1))
        SageMakerProcessingStepOperator(task_id="stopped", config=processing())
        SageMakerTrainingStepOperator(task_id="mistyped", config=training("{{ params.text }}"))
        SageMakerTransformStepOperator(
            task_id="refused",
            retry_budget=timedelta(0),
            config={
                "ModelName": "model",
                "TransformInput": {
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/in"}}
                },
                "TransformOutput": {"S3OutputPath": "s3://bucket/out"},
                "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
            },
        )
        SageMakerEndpointStepOperator(
            task_id="endpoint", config={"EndpointName": "churn", "EndpointConfigName": "config"}
        )
        SageMakerLambdaStepOperator(
            task_id="function", function_arn=FUNCTION, outputs=[OutputParameter("score", "Float"), "stage"]
        )
        SageMakerCallbackStepOperator(task_id="callback", queue_url=QUEUE)
        for task_id, fail in (("violated", True), ("tolerated", False)):
            SageMakerQualityCheckStepOperator(
                task_id=task_id,
                check_type="DATA_QUALITY",
                config=processing(),
                fail_on_violation=fail,
                supplied_baseline_statistics="s3://bucket/statistics.json",
                supplied_baseline_constraints="s3://bucket/constraints.json",
            )
        SageMakerQualityCheckStepOperator(task_id="no_baseline", check_type="DATA_QUALITY", config=processing())
        SageMakerQualityCheckStepOperator(
            task_id="first_run",
            check_type="MODEL_QUALITY",
            config=processing(),
            skip_check=True,
            register_new_baseline=True,
        )
        SageMakerEMRStepOperator(
            task_id="emr",
            config={
                "StepConfig": {"HadoopJarStep": {"Jar": "command-runner.jar"}},
                "ClusterConfig": {"ReleaseLabel": "emr-7.0.0", "Instances": {"InstanceGroups": []}},
            },
        )
        SageMakerConditionStepOperator(
            task_id="uncomparable", conditions=Equals("{{ params.text }}", 5), if_task_ids="fail"
        )
        SageMakerFailStepOperator(
            task_id="fail", error_message=Join(" ", ["above", "{{ params.limit }}"]), retries=3, trigger_rule="all_done"
        )
        dag.get_task("uncomparable") >> dag.get_task("fail")
    return dag


deferrable_dag = build("failures_deferrable", deferrable=True)
blocking_dag = build("failures_blocking", deferrable=False)
