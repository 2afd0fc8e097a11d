"""Addresses of pages in the AWS console and in SageMaker Studio.

Sources: the links of the amazon provider for domains, EMR, CloudWatch and SageMaker's transform jobs; addresses that users
of SageMaker report for the other pages, also in China and GovCloud; ZenML for Studio. The console documents none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from sagemaker_provider.definition.logs import LogStreams

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
    "applicationId": "emr/home?region={region}#/serverless",
    "FunctionName": "lambda/home?region={region}#/functions/{name}",
    "QueueUrl": "sqs/v3/home?region={region}#/queues/{name}",
}
"""Member that names a resource -> its page. Model packages, Autopilot jobs and inference components have none outside Studio."""


def has_page(members: Iterable[str]) -> bool:
    """Whether the console has a page for resources that these members name."""
    return not _PAGES.keys().isdisjoint(members)


def resource_url(identifiers: Mapping[str, Any], region: str, partition: str) -> str | None:
    """The page of a resource, or ``None`` where there is none for its kind.

    :param identifiers: members with which it is described.
    :param region: AWS Region.
    :param partition: AWS partition: ``aws``, ``aws-cn`` or ``aws-us-gov``; there are no pages for others.
    """
    for member, value in identifiers.items():
        if page := _PAGES.get(member):
            return _page(page.format(region=region, name=quote(str(value), safe="")), region, partition)
    return None


def logs_url(streams: LogStreams, region: str, partition: str) -> str | None:
    """The page of log streams in CloudWatch Logs."""
    page = f"cloudwatch/home?region={region}#logsV2:log-groups/log-group/{_escaped(streams.group)}"
    if streams.prefix:
        page += f"$3FlogStreamNameFilter$3D{_escaped(streams.prefix)}"
    return _page(page, region, partition)


def quotas_url(service: str, region: str, partition: str) -> str | None:
    """The page on which a person asks for a higher quota of a service."""
    return _page(f"servicequotas/home/services/{service}/quotas", region, partition)


def execution_url(execution_arn: str, studio_domain: str) -> str | None:
    """The graph of a pipeline execution in SageMaker Studio; ``None`` outside the partition ``aws``.

    :param execution_arn: ARN of the execution.
    :param studio_domain: id of a Studio domain, such as ``d-abc123``.
    """
    _, partition, _, region, _, resource = execution_arn.split(":", 5)
    if partition != "aws":
        return None
    _, pipeline, _, execution = resource.split("/")
    return (
        f"https://studio-{studio_domain}.studio.{region}.sagemaker.aws/pipelines/view/{pipeline}"
        f"/executions/{execution}/graph"
    )


def _page(page: str, region: str, partition: str) -> str | None:
    domain = _DOMAINS.get(partition)
    return f"https://{region}.console.{domain}/{page}" if domain else None


def _escaped(text: str) -> str:
    """Text in the fragment of an address of CloudWatch: escaped twice, with ``$`` instead of ``%``."""
    return quote(quote(text, safe=""), safe="").replace("%", "$")
