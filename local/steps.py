"""The life of a step: its retries, its cached results, its end; loops and experiments."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import string
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.definition import CacheConfig, Get, RetryPolicy, Step, paths
from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.local.errors import ServiceError
from sagemaker_provider.local.evaluation import StepFailedError, down, evaluate
from sagemaker_provider.local.pipelines import step_kind
from sagemaker_provider.local.step_kinds import KINDS
from sagemaker_provider.local.tasks import SERVICE_RETRY, StepStoppedError, Task

if TYPE_CHECKING:
    from sagemaker_provider.local.executions import Execution, Node

_MAX_REASON: Final = 1024
_LETTERS: Final = string.ascii_letters + string.digits
_log = logging.getLogger(__name__)


def carry_out(execution: Execution, node: Node) -> None:
    """Run a step to its end, with its retries. Its record tells how it ended."""
    record = execution.step_record(node.name)
    if record is None:
        record = _begin(execution, node)
    task = Task(execution, node)
    tried: dict[int, int] = {}
    started = time.monotonic()
    while True:
        try:
            if node.step.type not in KINDS:
                raise StepFailedError(f"ClientError: the local SageMaker knows no steps of the type {node.step.type!r}")
            task.record(StepStatus="Executing")
            if hit := _cached(task):
                end(execution, node, "Succeeded", **hit)
                return
            done = KINDS[node.step.type](task)
            end(execution, node, "Succeeded", **done)
            return
        except StepStoppedError:
            end(execution, node, "Stopped")
            return
        except StepFailedError as error:
            wait = None if execution.stops else _next_wait(node, error, tried, time.monotonic() - started)
            if wait is None:
                extra = {"Metadata": {"Fail": {"ErrorMessage": str(error)}}} if node.step.type == "Fail" else {}
                timed_out = {"_timed_out": True} if error.cause == "timeout" else {}
                end(execution, node, "Failed", FailureReason=str(error)[:_MAX_REASON], **extra, **timed_out)
                return
            _log.info("Step %s of %s tries again in %g s: %s", node.name, execution.arn, wait, error)
            if execution.stopping.wait(wait * execution.local.settings.retry_scale) or execution.closed.is_set():
                end(execution, node, "Stopped")
                return
            known = execution.step_record(node.name)
            assert known is not None
            task.record(
                AttemptCount=known["AttemptCount"] + 1,
                _attempts=known["_attempts"] + 1,
                _resource=None,
                _token=_token(),
            )


def _begin(execution: Execution, node: Node) -> dict[str, Any]:
    record: dict[str, Any] = {
        "StepName": node.name,
        "StepStatus": "Starting",
        "StartTime": time.time(),
        "AttemptCount": 1,
        "_type": node.step.type,
        "_order": node.order,
        "_token": _token(),
        "_attempts": execution.record.get("_failures", {}).get(node.name, 0) + 1,
    }
    if node.step.display_name:
        record["StepDisplayName"] = node.step.display_name
    if node.step.description:
        record["StepDescription"] = node.step.description
    if node.loop:
        parent, index, item = node.loop
        text = item if isinstance(item, str) else json.dumps(item)
        record["IterationContext"] = {"ParentStepName": parent, "Index": index, "Item": text[:12_800]}
    execution.local.store.put(execution.region, step_kind(execution.arn), node.name, record)
    return record


def _token() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def end(execution: Execution, node: Node, status: str, **members: Any) -> None:
    """Record how a step ended; not when the server ends, so that the next one goes on with it."""
    if execution.closed.is_set():
        return
    if execution.step_record(node.name) is None:
        _begin(execution, node)
    execution.local.store.change(
        execution.region, step_kind(execution.arn), node.name, StepStatus=status, EndTime=time.time(), **members
    )


def _next_wait(node: Node, error: StepFailedError, tried: dict[int, int], elapsed: float) -> float | None:
    """Seconds to wait before the next attempt; ``None`` when there is none."""
    if error.cause is None:
        return None
    row = STEP_TYPES[node.step.type]
    policies = [item for item in node.step.retry_policies or () if isinstance(item, RetryPolicy)]
    for index, policy in enumerate([*policies, SERVICE_RETRY]):
        if error.cause not in policy.exception_type or error.cause in row.retry_ignored:
            continue
        count = tried[index] = tried.get(index, 0) + 1
        if policy.expire_after_min is not None:
            if elapsed > policy.expire_after_min * 60:
                return None
        elif count > (policy.max_attempts if policy.max_attempts is not None else 5):
            return None
        interval = 1 if policy.interval_seconds is None else policy.interval_seconds
        rate = 2.0 if policy.backoff_rate is None else policy.backoff_rate
        return float(min(interval * rate ** (count - 1), 43_200))
    return None


# Caching


def _cached(task: Task) -> dict[str, Any] | None:
    """The result of an earlier run of the step that can be reused; the key of this one is kept."""
    config, row = task.step.cache_config, STEP_TYPES[task.step.type]
    if not isinstance(config, CacheConfig) or not config.enabled or not row.cache_members or task.node.loop:
        return None
    execution = task.execution
    known = execution.step_record(task.node.name) or {}
    if known.get("_resource"):
        return None
    source = {**task.step.members, **task.step.arguments}
    key = {}
    for path in row.cache_members:
        with contextlib.suppress(LookupError):
            member = paths.look_up(source, paths.parse(path))
            try:
                key[path] = task.value(member)
            except StepFailedError:  # the job's own name, which no other run has
                return None
    digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
    task.record(_cache=digest)
    oldest = time.time() - config.seconds()
    for other in reversed(execution.local.store.records(execution.region, "PipelineExecution")):
        if other["_pipeline"] != execution.record["_pipeline"] or other["PipelineExecutionArn"] == execution.arn:
            continue
        record = execution.local.store.get(execution.region, step_kind(other["PipelineExecutionArn"]), task.node.name)
        if (
            record
            and record["StepStatus"] == "Succeeded"
            and record["_type"] == task.step.type
            and record.get("_cache") == digest
            and record["EndTime"] >= oldest
            and not {"CacheHitResult", "SelectiveExecutionResult"} & set(record)  # no run of its own
        ):
            hit = {"SourcePipelineExecutionArn": other["PipelineExecutionArn"]}
            return {"CacheHitResult": hit, "Metadata": record.get("Metadata", {}), "_properties": record["_properties"]}
    return None


# Loops


def loop_items(execution: Execution, node: Node) -> list[Any]:
    """Begin a ForEach step; its items.

    :raises StepFailedError: they are no list, or an empty one.
    """
    if execution.step_record(node.name) is None:
        _begin(execution, node)
    Task(execution, node).record(StepStatus="Executing")
    items = evaluate(execution, node, node.step.arguments["IterableItems"])
    if isinstance(items, str):
        try:
            items = json.loads(items)
        except ValueError as error:
            raise StepFailedError(f"ClientError: IterableItems is not a JSON list: {error}") from None
    if not isinstance(items, list):
        raise StepFailedError(f"ClientError: IterableItems is not a JSON list, but {type(items).__name__}")
    if not items:
        raise StepFailedError(
            "ClientError: IterableItems is an empty list; what the service does then is not documented"
        )
    return items


def end_loop(execution: Execution, node: Node, items: list[Any], children: list[Node]) -> str:
    """Record how a ForEach step ended; its status."""
    counts = {state: sum(child.state == state for child in children) for state in ("Succeeded", "Failed", "Stopped")}
    cut_short = execution.stops and len(children) > sum(counts.values())
    status = "Failed" if counts["Failed"] else "Stopped" if counts["Stopped"] or cut_short else "Succeeded"
    numbers = {
        "InputItemCount": len(items),
        "TotalStepCount": len(children),
        **{f"{state}StepCount": count for state, count in counts.items()},
    }
    outputs: list[dict[str, Any]] = [{} for _ in items]
    for child in children:
        assert child.loop is not None
        outputs[child.loop[1]][child.step.name] = (execution.step_record(child.name) or {}).get("_properties", {})
    properties = {"Status": status, **numbers, "IterationOutputs": outputs}
    metadata: dict[str, Any] = {"Status": status, **numbers}
    reason = {"FailureReason": "ClientError: one or more iterations failed"} if status == "Failed" else {}
    selector = node.step.arguments.get("Selector")
    if selector and status == "Succeeded":
        try:
            index, body = _selected(selector, outputs)
        except StepFailedError as error:
            status, reason = "Failed", {"FailureReason": str(error)}
        else:
            properties["Selected"] = outputs[index][body]
            metadata["Selector"] = {"StepName": f"{body}-{index}", "Index": index}
    end(execution, node, status, Metadata={"ForEach": metadata}, _properties=properties, **reason)
    return status


def _selected(selector: Mapping[str, Any], outputs: list[dict[str, Any]]) -> tuple[int, str]:
    """The index and the body step that the selector picks."""
    field: Get = selector["Field"]
    body, members = str(field.segments[1]), field.segments[2:]
    values = [down(item[body], members, field.path) for item in outputs]
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise StepFailedError(f"ClientError: the selector compares numbers, but {field.path} gave {values!r}")
    pick = max if selector["Pick"] == "MaxBy" else min
    return values.index(pick(values)), body


# Experiments


def make_experiment(execution: Execution) -> None:
    """Make the experiment and trial that the definition names, unless they exist."""
    config = execution.definition.members.get("PipelineExperimentConfig")
    if not config or "_experiment" in execution.record:
        return
    from sagemaker_provider.local.executions import Node

    names = evaluate(execution, Node("", Step("", "", {}), 0), config)
    for kind, extra in (("Experiment", {}), ("Trial", {"ExperimentName": names["ExperimentName"]})):
        request = {f"{kind}Name": names[f"{kind}Name"], **extra}
        if execution.local.store.get(execution.region, kind, request[f"{kind}Name"]) is None:
            try:
                execution.local.call(f"Create{kind}", request, execution.region)
            except ServiceError as error:
                if execution.local.store.get(execution.region, kind, request[f"{kind}Name"]) is None:
                    raise StepFailedError(f"ClientError: {error.message}") from None  # else another was faster
    execution.local.store.change(execution.region, "PipelineExecution", execution.arn, _experiment=names)
