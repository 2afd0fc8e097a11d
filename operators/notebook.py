"""The notebook job: a training job that runs a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sagemaker_provider.operators.base import SageMakerStepOperator

CHANNEL = "sagemaker_headless_execution_pipelinestep"
"""Channel in which the notebook image looks for the notebook (SageMaker Python SDK, notebook_job_step.py)."""


class SageMakerNotebookJobStepOperator(SageMakerStepOperator):
    """Runs a Jupyter notebook as a job. On the wire it is a Training step, as the AWS SDK writes it.

    :param image_uri: image with the kernel, such as one of SageMaker Distribution.
    :param kernel_name: kernel, such as ``python3``.
    :param input_notebook: file name of the notebook.
    :param input_s3_uri: S3 prefix with the notebook and the files it needs, uploaded beforehand.
    :param output_s3_uri: S3 prefix for the executed notebook.
    :param role_arn: role of the job.
    :param instance_type: instance type.
    :param parameters: values for the notebook's cell tagged ``parameters``; text, or written as text.
    :param job_name: prefix of the job's name; by default the notebook's name.
    :param environment: further environment variables.
    :param volume_size_gb: size of the volume in GB.
    :param max_runtime_seconds: longest run time in seconds.
    :param max_retry_attempts: attempts of the service after internal errors.
    :param config: further members of the CreateTrainingJob request, such as ``VpcConfig``; they go before.
    """

    step_type = "Training"
    template_fields: Sequence[str] = (
        "image_uri",
        "input_s3_uri",
        "output_s3_uri",
        "role_arn",
        "instance_type",
        "parameters",
        "environment",
        *SageMakerStepOperator.template_fields,
    )

    def __init__(
        self,
        *,
        image_uri: Any,
        kernel_name: str,
        input_notebook: str,
        input_s3_uri: Any,
        output_s3_uri: Any,
        role_arn: Any,
        instance_type: Any = "ml.m5.large",
        parameters: dict[str, Any] | None = None,
        job_name: str | None = None,
        environment: dict[str, Any] | None = None,
        volume_size_gb: int = 30,
        max_runtime_seconds: int = 172_800,
        max_retry_attempts: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_uri = image_uri
        self.kernel_name = kernel_name
        self.input_notebook = input_notebook
        self.input_s3_uri = input_s3_uri
        self.output_s3_uri = output_s3_uri
        self.role_arn = role_arn
        self.instance_type = instance_type
        self.parameters = parameters or {}
        self.job_name = job_name
        self.environment = environment or {}
        self.volume_size_gb = volume_size_gb
        self.max_runtime_seconds = max_runtime_seconds
        self.max_retry_attempts = max_retry_attempts

    def step_arguments(self) -> dict[str, Any]:
        """The CreateTrainingJob request that runs the notebook."""
        name = self.job_name or "".join(
            c if c.isalnum() else "-" for c in self.input_notebook.rpartition(".")[0] or self.input_notebook
        ).strip("-")
        tags = {
            "sagemaker:name": name,
            "sagemaker:notebook-name": self.input_notebook,
            "sagemaker:notebook-job-origin": "PIPELINE_STEP",
            "sagemaker:is-studio-archived": "false",
        }
        environment = {
            "SM_JOB_DEF_VERSION": "1.0",
            "SM_ENV_NAME": "sagemaker-default-env",
            "SM_SKIP_EFS_SIMULATION": "true",
            "SM_EXECUTION_INPUT_PATH": f"/opt/ml/input/data/{CHANNEL}",
            "SM_KERNEL_NAME": self.kernel_name,
            "SM_INPUT_NOTEBOOK_NAME": self.input_notebook,
            "SM_OUTPUT_NOTEBOOK_NAME": f"{name}.ipynb",
        }
        source = {"S3DataType": "S3Prefix", "S3Uri": self.input_s3_uri, "S3DataDistributionType": "FullyReplicated"}
        arguments: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": self.role_arn,
            "RetryStrategy": {"MaximumRetryAttempts": self.max_retry_attempts},
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime_seconds},
            "EnableInterContainerTrafficEncryption": True,
            "AlgorithmSpecification": {
                "TrainingImage": self.image_uri,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["amazon_sagemaker_scheduler"],
            },
            "InputDataConfig": [{"ChannelName": CHANNEL, "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": self.output_s3_uri},
            "ResourceConfig": {
                "VolumeSizeInGB": self.volume_size_gb,
                "InstanceCount": 1,
                "InstanceType": self.instance_type,
            },
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            "Environment": {**environment, **self.environment},
        }
        if self.parameters:
            arguments["HyperParameters"] = self.parameters
        return {**arguments, **self.config}
