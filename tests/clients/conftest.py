"""Clients that AWS wrote, on a local SageMaker that runs as a process of its own.

They know of it by the environment only. Their way out of this machine is a proxy that refuses and remembers.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import WaiterError

ROOT = Path(__file__).parents[2]
CODE = Path(__file__).with_name("code")
SERVER_PYTHON = os.environ.get("LOCAL_SAGEMAKER_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
"""The Python that has the local SageMaker; the clients have one of their own, which runs the jobs too."""
BUCKET = "sagemaker-clients"
SDK_CONFIG = f"""
SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session:
        DefaultS3Bucket: {BUCKET}
"""
"""The SDK asks STS at its real address for the account of its default bucket, and reports its use, unless it is told."""


class _Exit(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Remember where a client wants to go, and hang up."""
        _asked.append(self.rfile.readline().decode(errors="replace").strip())


_asked: list[str] = []
_open = contextlib.ExitStack()


@contextlib.contextmanager
def no_way_out() -> Iterator[None]:
    """No credentials of anyone, and no proxy but ours."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        del os.environ[name]
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Exit) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        os.environ.update(HTTP_PROXY=address, HTTPS_PROXY=address, NO_PROXY="127.0.0.1,localhost")
        yield
        proxy.shutdown()


@contextlib.contextmanager
def local_sagemaker(folder: Path) -> Iterator[None]:
    """A local SageMaker as a process; the environment is what it prints for its clients."""
    log, config = folder / "server.log", folder / "sdk.yaml"
    config.write_text(SDK_CONFIG, encoding="utf-8")
    command = [SERVER_PYTHON, "-m", "sagemaker_provider.cli", "local", "--port", "0", "--python", sys.executable]
    with log.open("w") as file:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True, cwd=folder)
    try:
        for line in server.stdout or ():
            if found := re.fullmatch(r"export (\w+)=(.*)\n", line):
                os.environ[found[1]] = found[2]
            if line.startswith("export AIRFLOW_CONN_AWS_DEFAULT"):
                break
        assert server.poll() is None, log.read_text()
        os.environ.update(
            SAGEMAKER_USER_CONFIG_OVERRIDE=str(config),
            AWS_MAX_ATTEMPTS="1",
            AWS_PAGER="",
            SAGEMAKER_VALIDATE_ROLE="false",
        )
        yield
    finally:
        server.terminate()
        server.wait(60)
    assert server.returncode == 0, log.read_text()
    assert "The local SageMaker failed" not in log.read_text(), log.read_text()


def pytest_sessionstart() -> None:
    """Before any test file is imported: the SDK makes clients when it is."""
    _open.enter_context(no_way_out())
    folder = _open.enter_context(tempfile.TemporaryDirectory())
    _open.enter_context(local_sagemaker(Path(folder)))


def pytest_sessionfinish() -> None:
    """Stop the server."""
    _open.close()


@pytest.fixture(scope="session", autouse=True)
def local_only() -> Iterator[None]:
    """No client tried to reach anything else."""
    yield
    assert _asked == []


@pytest.fixture(scope="session")
def role() -> str:
    """A role that exists."""
    made = boto3.client("iam").create_role(RoleName="clients", AssumeRolePolicyDocument="{}")
    return str(made["Role"]["Arn"])


@pytest.fixture(scope="session")
def bucket() -> str:
    """The bucket of all tests."""
    boto3.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_DEFAULT_REGION"]}
    )
    return BUCKET


@pytest.fixture(scope="session")
def read(bucket: str) -> Callable[[str], bytes]:
    """Read an object by its ``s3://`` address."""

    def get(uri: str) -> bytes:
        name, _, key = uri.removeprefix("s3://").partition("/")
        body: Any = boto3.client("s3").get_object(Bucket=name, Key=key)["Body"]
        return bytes(body.read())

    return get


@pytest.fixture
def deployed(role: str, tmp_path: Path) -> str:
    """The name of a pipeline that ``deploy`` created, with a parameter ``day``."""
    arguments = {
        "AppSpecification": {"ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"},
        "Environment": {"DAY": {"Get": "Parameters.day"}},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "RoleArn": role,
    }
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "day", "Type": "String"}],
        "Steps": [{"Name": "work", "Type": "Processing", "Arguments": arguments}],
    }
    file = tmp_path / "deployed-by-us.pipeline.json"
    file.write_text(json.dumps(definition), encoding="utf-8")
    command = [SERVER_PYTHON, "-m", "sagemaker_provider.cli", "deploy", str(file), "--role", role]
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return "deployed-by-us"


def succeed(execution: Any) -> dict[str, Any]:
    """Wait for an execution of the SDK to succeed; its steps by name."""
    with contextlib.suppress(WaiterError):
        execution.wait(delay=1, max_attempts=120)
    steps = {step["StepName"]: step for step in execution.list_steps()}
    assert {name: step["FailureReason"] for name, step in steps.items() if "FailureReason" in step} == {}
    assert execution.describe()["PipelineExecutionStatus"] == "Succeeded"
    return steps
