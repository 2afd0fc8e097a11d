"""Retrain a churn model: prepare, train, evaluate, and register the model if it is good enough.

The same file runs step by step in Airflow and converts to a SageMaker pipeline: ``airflow sagemaker convert churn.py``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.definition import CacheConfig, LessThanOrEqualTo, PropertyFile
from sagemaker_provider.operators import (
    Join,
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerFailStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
    SageMakerTransformStepOperator,
)

BUCKET = "s3://sagemaker-churn"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
SKLEARN = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"


def script(name: str, inputs: dict[str, Any], outputs: dict[str, str]) -> dict[str, Any]:
    """A CreateProcessingJob request that runs a script of the bucket's ``code`` folder."""
    sources = {"code": f"{BUCKET}/code/{name}", **inputs}
    return {
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", f"/opt/ml/processing/code/{name}"],
            "ContainerArguments": ["--date", "{{ ds }}"],
        },
        "RoleArn": ROLE,
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": "{{ params.instances }}",
                "InstanceType": "ml.m5.xlarge",
                "VolumeSizeInGB": 30,
            }
        },
        "ProcessingInputs": [
            {
                "InputName": key,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/{key}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for key, uri in sources.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": key,
                    "S3Output": {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{key}", "S3UploadMode": "EndOfJob"},
                }
                for key, uri in outputs.items()
            ]
        },
    }


with DAG(
    "churn",
    description="Retrain the churn model every week",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={"instances": 1, "data": f"{BUCKET}/raw/customers.csv", "max_error": 6.0},
    default_args={"retries": 1},
) as dag:
    prepare = SageMakerProcessingStepOperator(
        task_id="prepare",
        config=script(
            "prepare.py",
            {"raw": "{{ params.data }}"},
            {"train": f"{BUCKET}/{{{{ ds }}}}/train", "test": f"{BUCKET}/{{{{ ds }}}}/test"},
        ),
        cache=CacheConfig(enabled=True, expire_after="P30D"),
    )
    prepared = prepare.properties.ProcessingOutputConfig.Outputs

    train = SageMakerTrainingStepOperator(
        task_id="train",
        config={
            "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "HyperParameters": {"objective": "binary:logistic", "num_round": 50},
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "ContentType": "text/csv",
                    "DataSource": {
                        "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": prepared["train"].S3Output.S3Uri}
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"{BUCKET}/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
    model_data = train.properties.ModelArtifacts.S3ModelArtifacts

    evaluate = SageMakerProcessingStepOperator(
        task_id="evaluate",
        config=script(
            "evaluate.py",
            {"model": model_data, "test": prepared["test"].S3Output.S3Uri},
            {"evaluation": f"{BUCKET}/evaluation"},
        ),
        property_files=[PropertyFile(name="metrics", output_name="evaluation", path="evaluation.json")],
    )

    good_enough = SageMakerConditionStepOperator(
        task_id="good_enough",
        conditions=LessThanOrEqualTo(JsonGet(evaluate, "metrics", "error.value"), "{{ params.max_error }}"),
        if_task_ids=["register", "create_model"],
        else_task_ids=["too_bad"],
    )

    register = SageMakerRegisterModelStepOperator(
        task_id="register",
        config={
            "ModelPackageGroupName": "churn",
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": [{"Image": XGBOOST, "ModelDataUrl": model_data}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        },
    )
    create_model = SageMakerModelStepOperator(
        task_id="create_model",
        config={"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": XGBOOST, "ModelDataUrl": model_data}},
    )
    score = SageMakerTransformStepOperator(
        task_id="score",
        config={
            "ModelName": create_model.properties.ModelName,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": prepared["test"].S3Output.S3Uri}}
            },
            "TransformOutput": {"S3OutputPath": f"{BUCKET}/scores"},
            "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
        },
    )
    too_bad = SageMakerFailStepOperator(
        task_id="too_bad",
        error_message=Join(" ", ["the error is above", "{{ params.max_error }}"]),
    )

    good_enough >> [register, create_model, too_bad]
