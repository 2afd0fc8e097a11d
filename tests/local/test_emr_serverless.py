"""EMR Serverless: real boto3, real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

from sagemaker_provider.local.emr_serverless import emr_serverless
from sagemaker_provider.local.endpoint import LocalEndpoint

ROLE = "arn:aws:iam::123456789012:role/Work"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with LocalEndpoint(services={"emr-serverless": emr_serverless}) as endpoint:
        yield boto3.session.Session().client(
            "emr-serverless",
            region_name="eu-west-1",
            endpoint_url=endpoint.url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )


def application(client: Any, token: str) -> str:
    return str(
        client.create_application(name=token, releaseLabel="emr-7.0.0", type="SPARK", clientToken=token)[
            "applicationId"
        ]
    )


def start(client: Any, where: str, token: str) -> Any:
    found = client.start_job_run(
        applicationId=where,
        executionRoleArn=ROLE,
        clientToken=token,
        name=token,
        jobDriver={"sparkSubmit": {"entryPoint": "s3://bucket/job.py"}},
    )
    del found["ResponseMetadata"]
    return found


def test_a_token_makes_a_repeated_call_harmless(client: Any) -> None:
    one = application(client, "one")
    assert application(client, "one") == one != application(client, "two")
    job = start(client, one, "a")
    assert start(client, one, "a") == job != start(client, one, "b")
    assert len(client.list_job_runs(applicationId=one)["jobRuns"]) == 2


def test_jobs_are_listed_by_when_they_were_made(client: Any) -> None:
    where = application(client, "times")
    start(client, where, "a")
    now = datetime.now(timezone.utc)

    def names(**times: Any) -> list[str]:
        return [run["name"] for run in client.list_job_runs(applicationId=where, **times)["jobRuns"]]

    assert names(createdAtAfter=now - timedelta(minutes=5)) == ["a"]
    assert names(createdAtAfter=now + timedelta(minutes=5)) == []
    assert names(createdAtBefore=now - timedelta(minutes=5)) == []


def test_what_is_no_json_is_refused(client: Any) -> None:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(
        f"{client.meta.endpoint_url}/applications",
        b"{",
        {"Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/emr-serverless/aws4_request"},
        method="POST",
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
