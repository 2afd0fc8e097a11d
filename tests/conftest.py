"""What the tests share: an AWS endpoint on loopback, and an Airflow of their own."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from sagemaker_provider.local.dag_runs import TaskResult, airflow_settings, migrate, run_dag

HOME = Path(tempfile.mkdtemp(prefix="sagemaker-provider-tests-"))
os.environ.update(airflow_settings(HOME))
sys.path.insert(0, str(Path(__file__).parent))

import fcntl  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import urllib.request  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from typing import Any  # noqa: E402

import boto3  # noqa: E402
import pytest  # noqa: E402
from fake_aws import FakeEMR, FakeSageMaker  # noqa: E402
from shared_files import SHARED  # noqa: E402

from sagemaker_provider.local.endpoint import LocalEndpoint  # noqa: E402

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


def _reset(aws: Aws) -> Aws:
    urllib.request.urlopen(urllib.request.Request(f"{aws.endpoint.url}/moto-api/reset", method="POST")).read()
    aws.sagemaker.reset()
    aws.emr.reset()
    return aws


@pytest.fixture
def aws(_aws: Aws) -> Aws:
    """A fresh AWS endpoint; the environment of the tests points at it."""
    return _reset(_aws)


@pytest.fixture(scope="session")
def fresh_aws(_aws: Aws) -> Callable[[], Aws]:
    """For fixtures of a wider scope: call it for a fresh AWS endpoint."""
    return lambda: _reset(_aws)


def _migrated(shared: Path) -> Path:
    """The metadata database that one of the processes of a test run makes for all of them to copy."""
    with (shared / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home := shared / "airflow").exists():
            migrate(made := Path(tempfile.mkdtemp(dir=shared)))
            made.rename(home)
    return home / "airflow.db"


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of this process's Airflow: a migrated database, and an empty folder ``dags``."""
    own = tmp_path_factory.getbasetemp()
    shutil.copy(_migrated(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own), HOME / "airflow.db")
    (HOME / "dags").mkdir(exist_ok=True)
    return HOME


@pytest.fixture(scope="session")
def airflow(airflow_home: Path) -> Callable[..., list[TaskResult]]:
    """Run a DAG of a file in real Airflow: ``airflow(file, dag_id, conf)`` gives how its tasks ended.

    The folder has no other file then, since each run of Airflow's ``dag.test()`` loads all that are there.
    """

    def run(file: Path, dag_id: str, conf: dict[str, Any] | None = None) -> list[TaskResult]:
        copy = airflow_home / "dags" / file.name
        for other in copy.parent.glob("*.py"):
            if other != copy:
                other.unlink()
        if not copy.exists() or copy.read_bytes() != file.read_bytes():
            shutil.copy(file, copy)
        return run_dag(copy, dag_id, conf)

    return run


@pytest.fixture(scope="session")
def lambda_function() -> Callable[[Aws, str], None]:
    """Make the Lambda function ``work``; it answers with the given text."""

    def make(aws: Aws, answer: str) -> None:
        body = json.dumps({"results": [answer], "region": "us-west-2"}).encode()
        url = f"{aws.endpoint.url}/moto-api/static/lambda-simple/response"
        urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST")).read()
        role = aws.client("iam").create_role(RoleName="lambda", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        aws.client("lambda").create_function(
            FunctionName="work", Runtime="python3.12", Role=role, Handler="work.handler", Code={"ZipFile": b"-"}
        )

    return make
