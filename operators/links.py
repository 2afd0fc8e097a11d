"""Links from a task to what it created, in the AWS console."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from sagemaker_provider.definition.step_types import STEP_TYPES

LINK_KEY: Final = "sagemaker_console_url"
"""XCom key under which a running task leaves the address."""

_DOMAINS: Final = {"aws": "aws.amazon.com", "aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}
_PAGES: Final = {
    "ProcessingJobName": "sagemaker/home?region={region}#/processing-jobs/{name}",
    "TrainingJobName": "sagemaker/home?region={region}#/jobs/{name}",
    "HyperParameterTuningJobName": "sagemaker/home?region={region}#/hyper-tuning-jobs/{name}",
    "TransformJobName": "sagemaker/home?region={region}#/transform-jobs/{name}",
    "ModelName": "sagemaker/home?region={region}#/models/{name}",
    "EndpointConfigName": "sagemaker/home?region={region}#/endpointConfig/{name}",
    "EndpointName": "sagemaker/home?region={region}#/endpoints/{name}",
    "ClusterId": "emr/home?region={region}#/clusterDetails/{name}",
}


def has_page(step_type: str) -> bool:
    """Whether the console has a page for what steps of a type create."""
    resource = STEP_TYPES[step_type].resource
    return resource is not None and not _PAGES.keys().isdisjoint(resource.identifiers)


def console_url(identifiers: dict[str, Any], region: str, partition: str) -> str | None:
    """The console page of a resource, or ``None`` where there is none for its kind.

    :param identifiers: members with which it is described.
    :param region: AWS Region.
    :param partition: AWS partition, ``aws``, ``aws-cn`` or ``aws-us-gov``.
    """
    for member, value in identifiers.items():
        if member in _PAGES and partition in _DOMAINS:
            page = _PAGES[member].format(region=region, name=quote(str(value), safe=""))
            return f"https://{region}.console.{_DOMAINS[partition]}/{page}"
    return None


class SageMakerConsoleLink(BaseOperatorLink):  # type: ignore[misc]
    """Opens the page of the job, model or endpoint in the AWS console."""

    name = "Open in the AWS console"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that the task left, or nothing."""
        return XCom.get_value(key=LINK_KEY, ti_key=ti_key) or ""
