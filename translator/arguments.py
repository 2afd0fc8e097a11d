"""Findings on the arguments of a step that any type has: roles and secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sagemaker_provider.definition.expressions import Join
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.translator.parameters import holds_secret, looks_secret

_ROLE_KEYS: Final = ("RoleArn", "ExecutionRoleArn", "executionRoleArn")


def role_findings(task: str, value: Any, place: str = "config") -> Iterator[Finding]:
    """Roles that are no ARN."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in _ROLE_KEYS and isinstance(item, str) and not item.startswith("arn:"):
                yield finding("SMP308", f"{item!r} is not the ARN of a role", task=task, place=f"{place}.{key}")
            else:
                yield from role_findings(task, item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from role_findings(task, item, f"{place}[{index}]")


def secret_findings(task: str, value: Any, place: str = "config") -> Iterator[Finding]:
    """Literal values, or parts of values, under names that Airflow masks, or that hold passwords or keys."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            literals = item.values if isinstance(item, Join) else (item,)
            shown = [part for part in literals if isinstance(part, (str, int, float)) and not isinstance(part, bool)]
            if any(isinstance(part, str) and holds_secret(part) for part in shown):
                yield finding("SMP306", f"{key!r} holds a secret", task=task, place=f"{place}.{key}")
            elif any(part != "" and not str(part).startswith(("arn:", "s3://")) for part in shown) and looks_secret(
                str(key)
            ):
                yield finding("SMP306", f"{key!r} has a literal value", task=task, place=f"{place}.{key}")
            else:
                yield from secret_findings(task, item, f"{place}.{key}")
    elif isinstance(value, list):
        if any(isinstance(item, str) and holds_secret(item) for item in value):
            yield finding("SMP306", "an entry holds a secret", task=task, place=place)
        for index, item in enumerate(value):
            yield from secret_findings(task, item, f"{place}[{index}]")
