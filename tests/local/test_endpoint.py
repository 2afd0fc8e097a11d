"""The endpoint answers on loopback only."""

from __future__ import annotations

from typing import Any

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
