"""The endpoint answers on loopback only."""

from __future__ import annotations

import http.client
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sagemaker_provider.local.endpoint import LocalEndpoint


def test_answers_real_clients(aws: Any) -> None:
    aws.put("s3://bucket/key", b"text")
    assert aws.client("s3").get_object(Bucket="bucket", Key="key")["Body"].read() == b"text"


def test_binds_to_loopback_only_and_to_a_free_port() -> None:
    with LocalEndpoint() as one, LocalEndpoint() as two:
        assert one.url != two.url
        assert one._server.server_address[0] == "127.0.0.1"


def test_the_environment_has_no_real_credentials() -> None:
    with LocalEndpoint() as endpoint:
        environment = endpoint.environment
    assert environment["AWS_ENDPOINT_URL"] == endpoint.url
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == environment["AWS_CONFIG_FILE"] == "/dev/null"


@pytest.mark.parametrize(
    ("service", "call", "request_"),
    [
        (
            "iam",
            "get_context_keys_for_principal_policy",
            {"PolicySourceArn": "arn:aws:iam::123456789012:role/somebody"},
        ),
        ("logs", "describe_account_policies", {"policyType": "DATA_PROTECTION_POLICY"}),
    ],
)
def test_what_moto_lacks_is_answered_in_the_services_form(service: str, call: str, request_: dict[str, str]) -> None:
    with LocalEndpoint() as endpoint:
        client = boto3.client(
            service,
            endpoint_url=endpoint.url,
            region_name="us-west-2",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        with pytest.raises(ClientError, match=rf"NotImplementedException.*{call}") as error:
            getattr(client, call)(**request_)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:4580"}, 200),
        ({"Host": "bucket.localhost"}, 200),
        ({"Origin": "http://127.0.0.1:8888"}, 200),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "example.com"}, 403),
    ],
)
def test_web_pages_of_other_sites_are_not_answered(headers: dict[str, str], status: int) -> None:
    with LocalEndpoint() as endpoint:
        connection = http.client.HTTPConnection(endpoint.url.removeprefix("http://"), timeout=10)
        connection.request("OPTIONS" if status == 403 else "GET", "/moto-api/data.json", headers=headers)
        assert connection.getresponse().status == status
        connection.close()
