"""EventBridge events of changed statuses, as the service sends them, to the rules that moto keeps."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

from sagemaker_provider.definition.step_types import EXECUTION_STEP_EVENT, PIPELINE_EXECUTION, STEP_TYPES, Event
from sagemaker_provider.local.store import Record

_STEP: Final = "Step of "
"""How the kinds begin under which steps are kept; the rest is the execution's ARN."""
_EVENTS: Final[Mapping[str, Event]] = {
    row.describe.removeprefix("Describe"): row.event
    for row in (*(step.resource for step in STEP_TYPES.values()), PIPELINE_EXECUTION)
    if row is not None and row.event is not None
}
"""Kind of a record -> the event of its status."""


def send(account: str, region: str, kind: str, old: Record | None, new: Record) -> None:
    """Send the event of a changed record, if its status is another.

    :param account: whose event bus takes it.
    :param kind: kind of the record in the store.
    :param old: the record before, if there was one.
    """
    rules = sys.modules.get("moto.events.models")  # long to load; before it is loaded there is no rule
    event = EXECUTION_STEP_EVENT if kind.startswith(_STEP) else _EVENTS.get(kind)
    if rules is None or event is None:
        return
    member = "StepStatus" if kind.startswith(_STEP) else f"{kind}Status"
    before, now = (old or {}).get(member), new.get(member)
    if now is None or now == before:
        return
    message = {"Source": event.source, "DetailType": event.name, "Detail": json.dumps(_detail(kind, before, now, new))}
    rules.events_backends[account][region].put_events([message])


def _detail(kind: str, before: Any, now: str, record: Record) -> dict[str, Any]:
    if kind == "Endpoint":
        status = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", now).upper()  # IN_SERVICE for InService
        return {"EndpointName": record["EndpointName"], "EndpointArn": record["EndpointArn"], "EndpointStatus": status}
    if kind == "PipelineExecution":
        return {
            "pipelineArn": record["PipelineArn"],
            "pipelineExecutionArn": record["PipelineExecutionArn"],
            "pipelineExecutionDisplayName": record["PipelineExecutionDisplayName"],
            "previousPipelineExecutionStatus": before,
            "currentPipelineExecutionStatus": now,
        }
    if kind.startswith(_STEP):
        execution = kind.removeprefix(_STEP)
        return {
            "pipelineArn": execution.partition("/execution/")[0],
            "pipelineExecutionArn": execution,
            "stepName": record["StepName"],
            "stepType": record["_type"],
            "previousStepStatus": before,
            "currentStepStatus": now,
            **({"failureReason": record["FailureReason"]} if "FailureReason" in record else {}),
        }
    return {member: value for member, value in record.items() if not member.startswith("_")}
