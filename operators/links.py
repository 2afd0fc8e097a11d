"""Links from a task to what it created, in the AWS console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from sagemaker_provider.definition.logs import log_streams
from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.hooks.console import has_page, logs_url, resource_url
from sagemaker_provider.hooks.logs import streams_of


class _AddressLink(BaseOperatorLink):  # type: ignore[misc]
    """A link whose address the running task leaves as XCom, so that it is there while the task waits and after it failed."""

    key: ClassVar[str]

    @property
    def xcom_key(self) -> str:
        """Where Airflow 3 looks for the address."""
        return self.key

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that the task left, or nothing."""
        return XCom.get_value(key=self.key, ti_key=ti_key) or ""


class SageMakerConsoleLink(_AddressLink):
    """Opens the page of the job, model or endpoint in the AWS console."""

    name = "Open in the AWS console"
    key = "sagemaker_console_url"


class SageMakerLogsLink(_AddressLink):
    """Opens the log of the job, endpoint or function in CloudWatch."""

    name = "CloudWatch logs"
    key = "sagemaker_logs_url"


class SageMakerExecutionLink(_AddressLink):
    """Opens the graph of the pipeline execution in SageMaker Studio."""

    name = "Pipeline execution in Studio"
    key = "sagemaker_execution_url"


_NAMED_BY = {"Lambda": ("FunctionName",), "Callback": ("QueueUrl",)}
"""Step type -> members that name what a step works with, for types that create no resource."""


def links_of(step_type: str) -> tuple[BaseOperatorLink, ...]:
    """The links that tasks of a step type have."""
    resource = STEP_TYPES[step_type].resource
    members = tuple(resource.identifiers) if resource else _NAMED_BY.get(step_type, ())
    page = (SageMakerConsoleLink(),) if has_page(members) else ()
    logs = step_type == "EMRServerless" or log_streams(dict.fromkeys(members))
    return (*page, SageMakerLogsLink()) if logs else page


def leave_links(context: Any, members: Mapping[str, Any], region: str, partition: str, config: Any = None) -> None:
    """Leave the addresses of what a task works with, before it waits.

    :param context: Airflow context.
    :param members: members that name it.
    :param region: AWS Region.
    :param partition: AWS partition.
    :param config: rendered config of the step; that of an EMR Serverless job tells where its logs go.
    """
    job = (config or {}).get("JobConfig")
    streams = streams_of(members, {"jobRun": {**job, **members}} if job else {})
    addresses = {
        SageMakerConsoleLink.key: resource_url(members, region, partition),
        SageMakerLogsLink.key: logs_url(streams[0], region, partition) if streams else None,
    }
    for key, address in addresses.items():
        if address:
            context["ti"].xcom_push(key=key, value=address)
