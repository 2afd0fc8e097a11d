"""Train a model on scikit-learn's diabetes data, and register it if it is good enough.

The DAG that ``make demo`` runs in both ways. The jobs run the scripts of the folder ``diabetes`` beside this file; before
the first run they have to be in the bucket: ``prepare.py`` and ``evaluate.py`` in ``diabetes/code``, and ``train.py`` in
the archive ``diabetes/code/sourcedir.tar.gz``.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.definition import LessThanOrEqualTo, PropertyFile
from sagemaker_provider.operators import (
    ExecutionVariable,
    Join,
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerFailStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
)

FOLDER = "s3://{{ params.bucket }}/diabetes"
IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
ROLE = "{{ params.role }}"
CLUSTER = {"InstanceCount": 1, "InstanceType": "{{ params.instance_type }}", "VolumeSizeInGB": 10}


def of_this_run(name: str) -> Join:
    """A folder in S3 that no other run writes to."""
    return Join("/", [FOLDER, ExecutionVariable("PipelineExecutionId"), name])


def script(name: str, arguments: list[str], inputs: dict[str, Any], outputs: list[str]) -> dict[str, Any]:
    """A CreateProcessingJob request that runs a script of the bucket's ``code`` folder."""
    sources = {"code": f"{FOLDER}/code/{name}", **inputs}
    return {
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", f"/opt/ml/processing/code/{name}"],
            "ContainerArguments": ["--folder", "/opt/ml/processing", *arguments],
        },
        "RoleArn": ROLE,
        "ProcessingResources": {"ClusterConfig": CLUSTER},
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
                    "S3Output": {
                        "S3Uri": of_this_run(key),
                        "LocalPath": f"/opt/ml/processing/{key}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for key in outputs
            ]
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


with DAG(
    "diabetes",
    description="Train, evaluate and register a model of the progression of diabetes",
    schedule=None,
    params={
        "bucket": "sagemaker-diabetes",
        "role": "arn:aws:iam::123456789012:role/SageMakerRole",
        "instance_type": "ml.m5.large",
        "seed": 7,
        "alpha": "0.1",
        "max_mse": 3500.0,
    },
    default_args={"poll_interval": 1},  # seconds; on this data a job is short
) as dag:
    prepare = SageMakerProcessingStepOperator(
        task_id="prepare",
        config=script("prepare.py", ["--seed", "{{ params.seed }}"], {}, ["train", "test"]),
    )
    prepared = prepare.properties.ProcessingOutputConfig.Outputs

    train = SageMakerTrainingStepOperator(
        task_id="train",
        config={
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "validation:mse", "Regex": "validation:mse=([0-9.]+)"}],
            },
            "RoleArn": ROLE,
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"{FOLDER}/code/sourcedir.tar.gz",
                "alpha": "{{ params.alpha }}",
            },
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "ContentType": "text/csv",
                    "DataSource": {
                        "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": prepared["train"].S3Output.S3Uri}
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": of_this_run("models")},
            "ResourceConfig": CLUSTER,
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        },
    )
    model_data = train.properties.ModelArtifacts.S3ModelArtifacts

    evaluate = SageMakerProcessingStepOperator(
        task_id="evaluate",
        config=script(
            "evaluate.py", [], {"model": model_data, "test": prepared["test"].S3Output.S3Uri}, ["evaluation"]
        ),
        property_files=[PropertyFile(name="metrics", output_name="evaluation", path="evaluation.json")],
    )
    evaluation = evaluate.properties.ProcessingOutputConfig.Outputs["evaluation"]

    good_enough = SageMakerConditionStepOperator(
        task_id="good_enough",
        conditions=LessThanOrEqualTo(
            JsonGet(evaluate, "metrics", "regression_metrics.mse.value"), "{{ params.max_mse }}"
        ),
        if_task_ids=["register", "create_model"],
        else_task_ids=["too_bad"],
    )

    container = {
        "Image": IMAGE,
        "ModelDataUrl": model_data,
        "Environment": {"SAGEMAKER_PROGRAM": "train.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    }
    register = SageMakerRegisterModelStepOperator(
        task_id="register",
        config={
            "ModelPackageGroupName": "diabetes",
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            "ModelMetrics": {
                "ModelQuality": {
                    "Statistics": {
                        "ContentType": "application/json",
                        "S3Uri": Join("/", [evaluation.S3Output.S3Uri, "evaluation.json"]),
                    }
                }
            },
        },
    )
    create_model = SageMakerModelStepOperator(
        task_id="create_model", config={"ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    )
    too_bad = SageMakerFailStepOperator(
        task_id="too_bad", error_message="the mean squared error of the model is above the limit"
    )

    good_enough >> [register, create_model, too_bad]
