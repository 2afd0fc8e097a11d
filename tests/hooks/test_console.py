"""Addresses in the console, in every partition."""

from __future__ import annotations

import pytest

from sagemaker_provider.definition.logs import LogStreams
from sagemaker_provider.hooks.console import execution_url, logs_url, quotas_url, resource_url


@pytest.mark.parametrize(
    ("partition", "region", "start"),
    [
        ("aws", "us-west-2", "https://us-west-2.console.aws.amazon.com/"),
        ("aws-cn", "cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
        ("aws-us-gov", "us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
    ],
)
def test_every_partition_has_its_console(partition: str, region: str, start: str) -> None:
    assert resource_url({"TrainingJobName": "a/b"}, region, partition) == (
        f"{start}sagemaker/home?region={region}#/jobs/a%2Fb"
    )
    assert logs_url(LogStreams("/aws/sagemaker/TrainingJobs", "a/"), region, partition) == (
        f"{start}cloudwatch/home?region={region}#logsV2:log-groups/log-group/$252Faws$252Fsagemaker$252FTrainingJobs"
        "$3FlogStreamNameFilter$3Da$252F"
    )
    assert quotas_url("sagemaker", region, partition) == f"{start}servicequotas/home/services/sagemaker/quotas"


def test_a_group_without_prefix_has_no_filter() -> None:
    url = logs_url(LogStreams("/aws/sagemaker/Endpoints/churn"), "us-west-2", "aws")
    assert url is not None
    assert url.endswith("log-group/$252Faws$252Fsagemaker$252FEndpoints$252Fchurn")


def test_there_is_no_page_in_an_unknown_partition_and_for_an_unknown_kind() -> None:
    assert resource_url({"TrainingJobName": "a"}, "us-iso-east-1", "aws-iso") is None
    assert resource_url({"ModelPackageName": "a"}, "us-west-2", "aws") is None


def test_an_execution_is_shown_in_studio() -> None:
    arn = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/churn/execution/abc123"
    assert execution_url(arn, "d-1") == (
        "https://studio-d-1.studio.us-west-2.sagemaker.aws/pipelines/view/churn/executions/abc123/graph"
    )
    assert execution_url(arn.replace("arn:aws:", "arn:aws-cn:"), "d-1") is None
