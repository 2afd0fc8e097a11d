"""Cleanup steps: what of S3 belongs to a step, so that nothing else is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def outputs_of(description: Mapping[str, Any]) -> list[str]:
    """The S3 URIs below which a Training, Transform or Processing job has written.

    :param description: its Describe response.
    """
    if "TrainingJobName" in description:
        return [f"{description['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{description['TrainingJobName']}/"]
    if "TransformOutput" in description:
        return [description["TransformOutput"]["S3OutputPath"]]
    outputs = description.get("ProcessingOutputConfig", {}).get("Outputs", ())
    return [item["S3Output"]["S3Uri"] for item in outputs if "S3Output" in item]


def outside(uris: list[str], outputs: list[str]) -> list[str]:
    """Those of the S3 URIs that are not below one of the outputs."""
    return [uri for uri in uris if not any(_within(uri, output) for output in outputs)]


def _within(uri: str, output: str) -> bool:
    folder = output.rstrip("/")
    return uri == output or uri.rstrip("/") == folder or uri.startswith(f"{folder}/")
