"""Python tasks that only call SageMaker."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from sagemaker_provider.translator.native_calls import native_call


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("c = boto3.client('sagemaker')\nc.create_training_job(**x)\nc.describe_training_job()", "create_training_job"),
        ("c = boto3.client('sagemaker')\nc.create_model(**x)\nc.create_endpoint(**y)", None),
        ("c = boto3.client('s3')\nc.create_bucket()", None),
        ("c = boto3.client('sagemaker')\nd = boto3.client('sagemaker')\nc.create_model(**x)", None),
        ("c = boto3.client('sagemaker')\nc.create_model(**x)\ns3.put_object()", None),
        ("c = boto3.client('sagemaker')\nc.create_app()", None),
        ("c.create_model()", None),
    ],
)
def test_calls_that_a_native_step_makes(text: str, call: Any) -> None:
    assert native_call([ast.parse(text)]) == call
