"""Fragments of requests that the golden DAGs share: the company's defaults, as a team keeps them beside its DAGs.

They hold nothing but fixed settings; parameters and references are given by the DAGs.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sagemaker_provider.operators import ExecutionVariable, Join

BUCKET = "sagemaker-us-west-2-123456789012"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
SKLEARN = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn"
XGBOOST = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3"
ABALONE_HYPERPARAMETERS = {
    "objective": "reg:linear",
    "num_round": 50,
    "max_depth": 5,
    "eta": 0.2,
    "gamma": 4,
    "min_child_weight": 6,
    "subsample": 0.7,
}


def uploaded(pipeline: str, script: str) -> str:
    """S3 URI of a script that was uploaded under a hash."""
    return f"s3://{BUCKET}/{pipeline}/code/{hashlib.sha256(script.encode()).hexdigest()}/{script}"


def run_uri(*parts: str) -> Join:
    """S3 URI below the bucket with ``{run}`` as the part that each execution has for itself."""
    return Join(
        "/", ["s3:/", BUCKET, *(ExecutionVariable("PipelineExecutionId") if p == "{run}" else p for p in parts)]
    )


def input_from(uri: Any, local_path: str, *, name: str) -> dict[str, Any]:
    """An input of a processing job."""
    return {
        "InputName": name,
        "AppManaged": False,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": local_path,
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
            "S3CompressionType": "None",
        },
    }


def output_to(uri: Any, local_path: str, *, name: str) -> dict[str, Any]:
    """An output of a processing job."""
    return {
        "OutputName": name,
        "AppManaged": False,
        "S3Output": {"S3Uri": uri, "LocalPath": local_path, "S3UploadMode": "EndOfJob"},
    }


def instances(count: Any = 1, kind: Any = "ml.m5.xlarge", volume_gb: int = 30) -> dict[str, Any]:
    """The machines of a job."""
    return {"InstanceCount": count, "InstanceType": kind, "VolumeSizeInGB": volume_gb}


def script_job(
    image: str,
    script_uri: str,
    *,
    arguments: list[Any] | None = None,
    inputs: list[dict[str, Any]] | None = None,
    outputs: list[dict[str, Any]] | None = None,
    cluster: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """CreateProcessingJob request that runs a Python script."""
    folder = "/opt/ml/processing/input/code"
    application = {"ImageUri": image, "ContainerEntrypoint": ["python3", f"{folder}/{script_uri.rpartition('/')[2]}"]}
    request = {
        "AppSpecification": {**application, "ContainerArguments": arguments} if arguments else application,
        "ProcessingInputs": [*(inputs or []), input_from(script_uri, folder, name="code")],
        "ProcessingResources": {"ClusterConfig": cluster or instances()},
        "RoleArn": ROLE,
    }
    return {**request, "ProcessingOutputConfig": {"Outputs": outputs}} if outputs else request


def channel(name: str, uri: Any, content_type: str = "text/csv", spread: str = "FullyReplicated") -> dict[str, Any]:
    """An input channel of a training job."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": spread}
    return {"ChannelName": name, "ContentType": content_type, "DataSource": {"S3DataSource": source}}


def training_job(
    image: str,
    output_uri: str,
    *,
    hyperparameters: dict[str, Any],
    channels: list[dict[str, Any]],
    resources: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """CreateTrainingJob request, with debugger and profiler set as the AWS SDK sets them."""
    return {
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "HyperParameters": hyperparameters,
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": output_uri},
        "ResourceConfig": resources or instances(),
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "DebugHookConfig": {"S3OutputPath": output_uri, "CollectionConfigurations": []},
        "ProfilerConfig": {"S3OutputPath": output_uri, "DisableProfiler": False},
        "RoleArn": ROLE,
    }


def container(image: Any, model_uri: Any, environment: dict[str, Any] | None = None) -> dict[str, Any]:
    """A container with a model."""
    return {"Image": image, "ModelDataUrl": model_uri, "Environment": environment or {}}


def model(primary: dict[str, Any]) -> dict[str, Any]:
    """CreateModel request."""
    return {"PrimaryContainer": primary, "ExecutionRoleArn": ROLE}


def json_file(uri: Any) -> dict[str, Any]:
    """A metrics source."""
    return {"ContentType": "application/json", "S3Uri": uri}


def package(
    group: Any,
    served: dict[str, Any],
    *,
    approval: Any,
    realtime: list[Any],
    transform: list[Any] | None,
    content_type: str = "text/csv",
    quality_uri: Any = None,
) -> dict[str, Any]:
    """CreateModelPackage request for one container.

    :param quality_uri: S3 URI of the evaluation report.
    """
    specification: dict[str, Any] = {
        "Containers": [served],
        "SupportedContentTypes": [content_type],
        "SupportedResponseMIMETypes": [content_type],
        "SupportedRealtimeInferenceInstanceTypes": realtime,
    }
    if transform:
        specification["SupportedTransformInstanceTypes"] = transform
    request = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": approval,
        "InferenceSpecification": specification,
        "SkipModelValidation": "None",
    }
    if quality_uri is not None:
        quality = {"Statistics": json_file(quality_uri)}
        request["ModelMetrics"] = {"ModelQuality": quality, "Bias": {}, "Explainability": {}}
    return request
