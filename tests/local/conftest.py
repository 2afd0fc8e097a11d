"""A local SageMaker whose jobs are all simulated, for the tests of the API and of pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pipelines_client import Pipelines

from sagemaker_provider.local.service import LocalSettings, local_sagemaker


@pytest.fixture(scope="session")
def _simulating() -> Iterator[Any]:
    with local_sagemaker(LocalSettings(images="simulate-all", retry_scale=0.01)) as local:
        yield local


@pytest.fixture
def local(_simulating: Any) -> Any:
    """A fresh local SageMaker; no code runs."""
    _simulating.reset()
    _simulating.client("s3").create_bucket(
        Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    return _simulating


@pytest.fixture
def sagemaker(local: Any) -> Any:
    """Its boto3 client."""
    return local.client("sagemaker")


@pytest.fixture
def pipelines(local: Any) -> Pipelines:
    """Its pipelines."""
    return Pipelines(local)


@pytest.fixture
def with_settings(monkeypatch: pytest.MonkeyPatch, local: Any) -> Any:
    """Change settings of the local SageMaker for a test."""
    from dataclasses import replace

    def change(**settings: Any) -> None:
        monkeypatch.setattr(local, "settings", replace(local.settings, **settings))

    return change
