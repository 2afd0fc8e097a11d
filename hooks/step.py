"""What the step type table describes, done: create, describe and stop any resource of a step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.common.compat.sdk import AirflowException
from botocore import xform_name
from botocore.exceptions import ClientError

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.step_types import ENDING, Resource, State, state_of
from sagemaker_provider.hooks.failures import advice

MISSING_CODES = ("ResourceNotFound", "ResourceNotFoundException", "InvalidRequestException")
EXISTS_CODES = ("ResourceInUse", "ConflictException")


class SageMakerStepError(AirflowException):  # type: ignore[misc]
    """A step ended otherwise than in success. The message has the status and the service's reason.

    :param message: what is shown.
    :param reason: the service's reason alone; empty when it gives none.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class SageMakerStepHook(AwsBaseHook):  # type: ignore[misc]
    """Creates, describes and stops what steps create.

    :param service: boto3 client name, such as ``sagemaker``, ``emr`` or ``emr-serverless``.
    :param kwargs: see ``AwsBaseHook``: ``aws_conn_id``, ``region_name``, ``verify``, ``config``.
    """

    def __init__(self, service: str = "sagemaker", **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "client_type": service})

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation by its name in the service model.

        :return: the response as JSON: times as ISO 8601 text, without the transport's metadata.
        :raises botocore.exceptions.ClientError: the service refused; the text also says what can be done about a quota.
        """
        try:
            response = getattr(self.conn, xform_name(operation))(**request)
        except ClientError as error:
            if text := advice(error, self.conn_region_name, self.conn_partition):
                error.args = (f"{error}\n{text}",)
            raise
        response.pop("ResponseMetadata", None)
        return json_safe(response)  # type: ignore[no-any-return]

    def pages(self, operation: str, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The entries of a List operation, page by page, as JSON.

        :raises botocore.exceptions.ClientError: the service refused.
        """
        paginator = self.conn.get_paginator(xform_name(operation))
        (entries,) = paginator.result_keys
        for page in paginator.paginate(**request):
            yield from json_safe(entries.search(page) or ())

    def create(self, resource: Resource, request: Mapping[str, Any]) -> dict[str, Any]:
        """Create a resource.

        :return: its identifiers, the members with which it is described.
        """
        response = self.call(resource.create, request)
        known = {**request, **response}
        return {member: paths.look_up(known, paths.parse(path)) for member, path in resource.identifiers.items()}

    def describe(self, resource: Resource, identifiers: Mapping[str, Any]) -> dict[str, Any]:
        """The Describe response of a resource, as JSON."""
        return self.call(resource.describe, identifiers)

    def find(self, resource: Resource, identifiers: Mapping[str, Any]) -> dict[str, Any] | None:
        """The Describe response of a resource, or ``None`` when there is no such resource."""
        try:
            return self.describe(resource, identifiers)
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    def stop(self, resource: Resource, identifiers: Mapping[str, Any]) -> bool:
        """Ask the service to stop a resource.

        :return: whether it is stopping; not, when the resource has no stop operation, has ended already or is not there.
        """
        if resource.stop is None:
            return False
        description = self.find(resource, identifiers)
        state, status = (None, "") if description is None else state_of(resource, description)
        if state is not State.RUNNING or status in ENDING:
            return status in ENDING
        request = dict(identifiers)
        if "StepId" in request:  # EMR cancels lists of steps
            request["StepIds"] = [request.pop("StepId")]
        self.call(resource.stop, request)
        return True

    def wait(self, resource: Resource, identifiers: Mapping[str, Any], poll_interval: float) -> dict[str, Any]:
        """Wait, without giving up, until a resource is no longer running.

        :param poll_interval: seconds between two looks.
        :return: the last Describe response; compare with :func:`ended_well`.
        """
        for description in self.watch(resource, identifiers):
            if state_of(resource, description)[0] is not State.RUNNING:
                return description
            time.sleep(poll_interval)
        raise AssertionError("a watch does not end")  # pragma: no cover

    def watch(self, resource: Resource, identifiers: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Describe a resource again and again, logging each change of its status."""
        last = ""
        while True:
            description = self.describe(resource, identifiers)
            status = state_of(resource, description)[1]
            if status != last:
                self.log.info("%s: %s", label(identifiers), status)
                last = status
            yield description


def json_safe(value: Any) -> Any:
    """A response of boto3 as JSON: times become ISO 8601 text."""
    if isinstance(value, Mapping):
        return {key: json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def label(identifiers: Mapping[str, Any]) -> str:
    """The identifiers of a resource, for people."""
    return " ".join(str(value).rpartition("/")[2] for value in identifiers.values())


def is_missing(error: ClientError) -> bool:
    """Whether an error of a Describe call says that there is no such resource.

    SageMaker answers some of them with ``ValidationException`` and a text.
    """
    code, text = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "").lower()
    says_so = any(part in text for part in ("could not find", "does not exist", "not found", "not exist"))
    return code in ("ResourceNotFound", "ResourceNotFoundException") or (
        code in ("ValidationException", *MISSING_CODES) and says_so
    )


def exists_already(error: ClientError) -> bool:
    """Whether an error of a Create call says that the name is taken."""
    code, text = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "").lower()
    return code in EXISTS_CODES or (
        code == "ValidationException" and any(part in text for part in ("already exist", "already in use", "existing"))
    )


def ended_well(resource: Resource, description: Mapping[str, Any]) -> None:
    """Raise unless a resource ended in success.

    :raises SageMakerStepError: it failed or was stopped; the message has the status and the reason.
    """
    state, status = state_of(resource, description)
    if state is State.SUCCEEDED:
        return
    reason = reason_of(resource, description)
    what = f"{resource.create.removeprefix('Create')} {_name(resource, description)}"
    raise SageMakerStepError(f"{what} ended as {status}{reason and f': {reason}'}", reason)


def reason_of(resource: Resource, description: Mapping[str, Any]) -> str:
    """Why a resource failed, in the service's words; empty when it does not say."""
    for path in resource.reason:
        try:
            reason = paths.look_up(description, paths.parse(path))
        except LookupError:
            continue
        if isinstance(reason, list):
            reason = "; ".join(str(entry["FailureReason"]) for entry in reason if entry.get("FailureReason"))
        if reason:
            return str(reason)
    return ""


def _name(resource: Resource, description: Mapping[str, Any]) -> str:
    return next((str(description[member]) for member in resource.identifiers if member in description), "")
