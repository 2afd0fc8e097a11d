"""For each type of step that is waited for, two DAGs of one task: one waits in the triggerer, one in the worker."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from crash_points import counting

from sagemaker_provider import operators

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"
RUN = [{"Key": "run", "Value": "{{ run_id }}"}]
JOB = {
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
    },
    "AppSpecification": {"ImageUri": IMAGE},
    "RoleArn": ROLE,
    "Tags": RUN,
}
RESULT = {"S3Uri": "s3://bucket/result", "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
CHECK = {**JOB, "ProcessingOutputConfig": {"Outputs": [{"OutputName": "result", "S3Output": RESULT}]}}
S3 = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data"}}
TRAINING = {
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "InputDataConfig": [{"ChannelName": "train", "DataSource": S3}],
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "processing": ("SageMakerProcessingStepOperator", {"config": JOB}),
    "training": ("SageMakerTrainingStepOperator", {"config": {**TRAINING, "Tags": RUN}}),
    "tuning": (
        "SageMakerTuningStepOperator",
        {
            "config": {
                "HyperParameterTuningJobConfig": {
                    "Strategy": "Random",
                    "ResourceLimits": {"MaxNumberOfTrainingJobs": 1, "MaxParallelTrainingJobs": 1},
                    "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "mse"},
                },
                "TrainingJobDefinition": TRAINING,
                "Tags": RUN,
            }
        },
    ),
    "automl": (
        "SageMakerAutoMLStepOperator",
        {
            "config": {
                "InputDataConfig": [{"DataSource": S3, "TargetAttributeName": "y"}],
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/automl"},
                "AutoMLJobConfig": {"Mode": "ENSEMBLING"},
                "RoleArn": ROLE,
                "Tags": RUN,
            }
        },
    ),
    "transform": (
        "SageMakerTransformStepOperator",
        {
            "config": {
                "ModelName": "model",
                "TransformInput": {"DataSource": S3},
                "TransformOutput": {"S3OutputPath": "s3://bucket/scores"},
                "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
                "Tags": RUN,
            }
        },
    ),
    "register": (
        "SageMakerRegisterModelStepOperator",
        {
            "config": {
                "ModelPackageGroupName": "group",
                "InferenceSpecification": {
                    "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/data/model.tar.gz"}],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
                "CustomerMetadataProperties": {"run": "{{ run_id }}"},
            }
        },
    ),
    "endpoint": (
        "SageMakerEndpointStepOperator",
        {"config": {"EndpointName": "{{ run_id }}", "EndpointConfigName": "config", "Tags": RUN}},
    ),
    "component": (
        "SageMakerInferenceComponentStepOperator",
        {
            "config": {
                "InferenceComponentName": "{{ run_id }}",
                "EndpointName": "endpoint",
                "VariantName": "all",
                "Specification": {"ModelName": "model"},
                "RuntimeConfig": {"CopyCount": 1},
                "Tags": RUN,
            }
        },
    ),
    "quality_check": (
        "SageMakerQualityCheckStepOperator",
        {"check_type": "DATA_QUALITY", "config": CHECK, "skip_check": True, "register_new_baseline": True},
    ),
    "clarify_check": (
        "SageMakerClarifyCheckStepOperator",
        {"check_type": "DATA_BIAS", "config": CHECK, "skip_check": True, "register_new_baseline": True},
    ),
    "notebook": (
        "SageMakerNotebookJobStepOperator",
        {
            "image_uri": IMAGE,
            "kernel_name": "python3",
            "input_notebook": "report.ipynb",
            "input_s3_uri": "s3://bucket/notebooks",
            "output_s3_uri": "s3://bucket/notebook-out",
            "role_arn": ROLE,
            "environment": {"RUN": "{{ run_id }}"},
        },
    ),
    "emr": (
        "SageMakerEMRStepOperator",
        {
            "config": {
                "ClusterId": "{{ params.cluster }}",
                "StepConfig": {"HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["{{ run_id }}"]}},
            }
        },
    ),
    "emr_serverless": (
        "SageMakerEMRServerlessStepOperator",
        {
            "config": {
                "ExecutionRoleArn": ROLE,
                "ApplicationId": "{{ params.application }}",
                "JobConfig": {"jobDriver": {"sparkSubmit": {"entryPoint": "s3://bucket/{{ run_id }}.py"}}},
            }
        },
    ),
}

for kind, (operator, arguments) in TASKS.items():
    for mode in ("deferrable", "blocking"):
        with DAG(
            f"{kind}_{mode}",
            schedule=None,
            start_date=datetime(2026, 1, 1),
            max_active_runs=200,
            params={"kill": 0, "cluster": "", "application": ""},
            default_args={
                "deferrable": mode == "deferrable",
                "poll_interval": 0.5,
                "retries": 6,  # Airflow fails a try whose deferral is over before it has heard of it
                "retry_delay": timedelta(0),
            },
        ) as dag:
            getattr(operators, operator)(
                task_id="step", pre_execute=counting(Path(os.environ["CRASH_FOLDER"])), **arguments
            )
        globals()[dag.dag_id] = dag
