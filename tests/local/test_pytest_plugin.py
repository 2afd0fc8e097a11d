"""The fixtures for users, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sagemaker_provider.local.pytest_plugin import read_settings

PLUGIN = "sagemaker_provider.local.pytest_plugin"
TESTS = """
import os

import boto3
import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/local"


@pytest.mark.parametrize("time", [1, 2])
def test_a_test_sees_nothing_of_another(local_sagemaker, time):
    client = boto3.client("sagemaker")
    client.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})
    boto3.client("sqs").create_queue(QueueName="q")
    assert [item["ModelName"] for item in local_sagemaker.client("sagemaker").list_models()["Models"]] == ["m"]
    assert len(boto3.client("sqs").list_queues()["QueueUrls"]) == 1
    assert local_sagemaker.faults.list() == ()
    local_sagemaker.faults.add("quota", operation="CreateModel", times=None)
    with pytest.raises(ClientError, match="ResourceLimitExceeded"):
        client.create_model(ModelName="n", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})


def test_the_environment_leads_here_only(local_sagemaker):
    assert os.environ["AWS_ENDPOINT_URL"] == local_sagemaker.url
    assert os.environ["AWS_ACCESS_KEY_ID"] == "local"
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"} & set(os.environ)


def test_without_it_nothing_is_changed():
    assert os.environ["AWS_PROFILE"] == "real"
    assert "AWS_ENDPOINT_URL" not in os.environ


def test_settings(local_sagemaker):
    assert local_sagemaker.settings.images == "refuse"
    assert local_sagemaker.settings.simulated_seconds == 0.25
"""


def run(folder: Path, ini: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_user.py").write_text(TESTS)
    (folder / "pytest.ini").write_text(f"[pytest]\nlocal_sagemaker =\n{ini}")
    (folder / "aws").write_text("[profile real]\nregion = us-east-1\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "AWS_PROFILE": "real",
        "AWS_CONFIG_FILE": str(folder / "aws"),
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-q", str(folder)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, check=False, text=True, timeout=120
    )


def test_the_fixture(tmp_path: Path) -> None:
    done = run(tmp_path, "    images = refuse\n    simulated_seconds = 0.25\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_wrong_settings_are_an_error(tmp_path: Path) -> None:
    done = run(tmp_path, "    images = what\n")
    assert done.returncode != 0
    assert "images = what is not Literal['simulate', 'refuse', 'simulate-all']" in done.stdout + done.stderr


def test_settings_are_read_by_their_types() -> None:
    lines = [
        "data = /data",
        "max_processes=3",
        "retry_scale = 0",
        "nested_conditions = true",
        "python = /usr/bin/python3",
    ]
    assert read_settings(lines) == {
        "data": Path("/data"),
        "max_processes": 3,
        "retry_scale": 0.0,
        "nested_conditions": True,
        "python": "/usr/bin/python3",
    }


def test_all_wrong_settings_are_named() -> None:
    with pytest.raises(ValueError, match="is not") as caught:
        read_settings(["no_such = 1", "max_processes = many", "isolation"])
    for part in ("'no_such = 1' is not name = value", "max_processes = many is not int", "'isolation' is not name"):
        assert part in str(caught.value)


def test_the_plugin_is_light() -> None:
    code = f"import sys, {PLUGIN}; print([m for m in ('moto', 'boto3', 'botocore', 'airflow', 'werkzeug') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
