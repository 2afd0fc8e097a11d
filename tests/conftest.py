"""What the tests share: an AWS endpoint on loopback, and an Airflow of their own."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="sagemaker-provider-tests-"))
os.environ.update(
    {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(HOME / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }
)
sys.path.insert(0, str(Path(__file__).parent))

import shutil  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from typing import Any  # noqa: E402

import boto3  # noqa: E402
import pytest  # noqa: E402
from fake_aws import FakeEMR, FakeSageMaker  # noqa: E402

from sagemaker_provider.local.endpoint import LocalEndpoint  # noqa: E402

SHARED = Path(__file__).parents[2] / "shared"
"""Reference material that lies beside a checkout of the project, where there is any."""
DATA = Path(__file__).parent / "data"


def pytest_sessionfinish() -> None:
    """Remove the Airflow of this run."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The definitions made by AWS's SDK."""
    if not (SHARED / "golden").is_dir():
        pytest.skip("the golden definitions are not beside this checkout (../shared/golden)")
    return SHARED / "golden"


class Aws:
    """The endpoint with its fakes."""

    def __init__(self, endpoint: LocalEndpoint, sagemaker: FakeSageMaker, emr: FakeEMR) -> None:
        self.endpoint, self.sagemaker, self.emr = endpoint, sagemaker, emr

    def client(self, service: str) -> Any:
        """A boto3 client of the endpoint."""
        return boto3.client(service)

    def put(self, uri: str, body: bytes) -> None:
        """Put an object into S3, making the bucket when it is missing."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        client = self.client("s3")
        if bucket not in [item["Name"] for item in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        client.put_object(Bucket=bucket, Key=key, Body=body)


@pytest.fixture(scope="session")
def _aws() -> Iterator[Aws]:
    sagemaker, emr = FakeSageMaker(), FakeEMR()
    with LocalEndpoint(services={"sagemaker": sagemaker, "elasticmapreduce": emr}) as endpoint:
        os.environ.update(endpoint.environment)
        yield Aws(endpoint, sagemaker, emr)


@pytest.fixture
def aws(_aws: Aws) -> Aws:
    """A fresh AWS endpoint; the environment of the tests points at it."""
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{_aws.endpoint.url}/moto-api/reset", method="POST")).read()
    _aws.sagemaker.reset()
    _aws.emr.reset()
    return _aws
