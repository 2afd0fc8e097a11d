"""A step that runs: its record, its calls, the name of its job."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from sagemaker_provider.definition import RetryPolicy
from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.local.errors import ServiceError
from sagemaker_provider.local.evaluation import StepFailedError, evaluate
from sagemaker_provider.local.pipelines import step_kind

if TYPE_CHECKING:
    from sagemaker_provider.local.executions import Execution, Node

SERVICE_RETRY: Final = RetryPolicy(("Step.SERVICE_FAULT", "Step.THROTTLING"), 1, 2.0, 5)
"""What the service does without a policy is only known to be a retry; this is a policy's default."""
_CALLS: Final = 6


class StepStoppedError(Exception):
    """A step was stopped."""


@dataclass
class Task:
    """A step that runs: its arguments, its record, its name for jobs."""

    execution: Execution
    node: Node

    @property
    def local(self) -> Any:
        """The service."""
        return self.execution.local

    @property
    def step(self) -> Any:
        """The step of the definition."""
        return self.node.step

    def record(self, **members: Any) -> None:
        """Change the record of the step."""
        execution = self.execution
        execution.local.store.change(execution.region, step_kind(execution.arn), self.node.name, **members)

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A call of the SageMaker API; an error fails the step."""
        try:
            return self.local.call(operation, request, self.execution.region)  # type: ignore[no-any-return]
        except ServiceError as error:
            prefix = error.code if error.code in ("ThrottlingException", "ResourceLimitExceeded") else "ClientError"
            raise StepFailedError(f"{prefix}: {error.message}", _cause(error)) from None

    def patiently(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A call that is made again when it was throttled or the service had a fault, as the service does."""
        for attempt in range(_CALLS):
            try:
                return self.call(operation, request)
            except StepFailedError as error:
                if error.cause not in SERVICE_RETRY.exception_type or attempt == _CALLS - 1:
                    raise
                time.sleep(0.1 * 2**attempt)
        raise AssertionError  # pragma: no cover

    def aws(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """A call of another service; an error fails the step."""
        from botocore import xform_name

        client = self.local.client(service, self.execution.region)
        try:
            return getattr(client, xform_name(operation))(**request)  # type: ignore[no-any-return]
        except ClientError as error:
            raise StepFailedError(f"ClientError: {error}") from None
        except Exception as error:  # botocore refuses a request before it is sent
            raise StepFailedError(f"ClientError: {type(error).__name__}: {error}") from None

    def value(self, value: Any, **names: str) -> Any:
        """A value with its expressions evaluated."""
        return evaluate(self.execution, self.node, value, names)

    def name_of_job(self) -> str:
        """The name of the job or model that this attempt makes (Developer Guide, "build-and-manage-access")."""
        identifier = self.execution.record["_id"]
        record = self.execution.step_record(self.node.name)
        assert record is not None
        token, attempt = record["_token"], record["_attempts"] - 1
        resource = STEP_TYPES[self.step.type].resource
        assert resource is not None and resource.name is not None
        given = self.step.arguments.get(resource.name)
        short = STEP_TYPES[self.step.type].prefix_length == 6
        tail = f"{token.lower()}-{attempt}"
        if given is None and not short:
            return f"pipelines-{identifier}-{dashed(self.node.name)[:20].rstrip('-')}-{tail}"
        tail = f"{identifier}-{tail}"
        head = dashed(self.node.name)[:6] if given is None else str(self.value(given))
        longest = (32 if short else 63) - len(tail) - 1
        return f"{head[:longest].rstrip('-')}-{tail}"


def dashed(name: str) -> str:
    """A name of letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def _cause(error: ServiceError) -> str | None:
    if error.code == "ThrottlingException":
        return "Step.THROTTLING"
    if error.code == "ResourceLimitExceeded":
        return "SageMaker.RESOURCE_LIMIT"
    return "Step.SERVICE_FAULT" if error.status >= 500 and error.status != 501 else None
