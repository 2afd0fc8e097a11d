"""The AWS settings of a task: which connection, Region and client options it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagemaker_provider.hooks.pipeline import SageMakerPipelineHook
    from sagemaker_provider.hooks.step import SageMakerStepHook


class AwsSettings:
    """The four arguments with which the amazon provider's operators are told how to reach AWS.

    The operators of the amazon provider get them from ``AwsBaseOperator``; that class imports boto3, which takes longer
    to import than all operators of this provider together, so they are repeated here.

    :param aws_conn_id: Airflow connection; ``None`` for boto3's own search for credentials.
    :param region_name: AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param botocore_config: options of ``botocore.config.Config``.
    """

    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: dict[str, Any] | None

    def set_aws(
        self,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        """Take the settings; called by the constructors of operators, sensors and triggers."""
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @property
    def aws_settings(self) -> dict[str, Any]:
        """The settings as keyword arguments of another task, sensor or trigger."""
        return {
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    def aws_hook(self, service: str, **botocore_config: Any) -> SageMakerStepHook:
        """A hook for a service.

        :param service: boto3 client name.
        :param botocore_config: options that go before those of the task.
        """
        from sagemaker_provider.hooks.step import SageMakerStepHook

        return SageMakerStepHook(
            service,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config={**(self.botocore_config or {}), **botocore_config} or None,
        )

    def pipeline_hook(self) -> SageMakerPipelineHook:
        """A hook for pipelines and their executions."""
        from sagemaker_provider.hooks.pipeline import SageMakerPipelineHook

        return SageMakerPipelineHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
        )
