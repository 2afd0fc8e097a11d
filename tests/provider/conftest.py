"""Makes the helpers of this folder importable, and runs commands in folders of their own."""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command_line import Commands


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Run a command in a folder of its own: ``command("convert", "dag.py")``."""
    monkeypatch.chdir(tmp_path)
    return Commands(tmp_path, capfd)


@cache
def _client(url: str) -> Any:
    return boto3.client("sagemaker")


@pytest.fixture
def here(command: Commands, local_sagemaker: Any, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Run commands on a local SageMaker, with one client for all of them: to make one takes half a second."""
    from sagemaker_provider.hooks.pipeline import SageMakerPipelineHook

    monkeypatch.setattr(SageMakerPipelineHook, "conn", property(lambda hook: _client(local_sagemaker.url)))
    return command
