"""The EMR operators and sensors of the amazon provider."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final

from sagemaker_provider.definition.findings import finding
from sagemaker_provider.definition.paths import Segment
from sagemaker_provider.translator.function_steps import by_function, classes, listed, poke, refused, wait_for
from sagemaker_provider.translator.registry import (
    RETURN_VALUE,
    Absorbed,
    Given,
    Stays,
    Steps,
    TaskStep,
    Translation,
    XComOf,
    translates,
)
from sagemaker_provider.translator.requests import given, is_text_literal

_ADD_STEPS: Final = classes("operators.emr", "EmrAddStepsOperator") + classes(
    "operators.emr_add_steps", "EmrAddStepsOperator"
)


@translates(*_ADD_STEPS)
def add_steps(task: Any, settings: Given) -> Translation:
    """An EMR step for each of the steps, one after the other; or a function that adds them all."""
    steps = listed(task.steps, "steps")
    found = refused(task, openlineage_inject_parent_job_info="the run has no parent")
    if task.job_flow_id is None:
        found.append(finding("SMP202", "the cluster is given by its name", task=task.task_id, place="job_flow_name"))
    if not steps:
        found.append(finding("SMP206", "there are no steps", task=task.task_id, place="steps"))
    if found:
        return Stays(tuple(found))
    reason = _not_native(steps)
    if settings("services") in ("function", "stay") or reason:
        found += [finding("SMP720", f"no EMR step: {reason}", task=task.task_id)] if reason else []
        request = given(JobFlowId=task.job_flow_id, Steps=steps, ExecutionRoleArn=task.execution_role_arn)
        waits = task.wait_for_completion or task.deferrable
        wait = wait_for(task.waiter_delay, task.waiter_max_attempts) if waits else None
        outputs = ("job_flow_id", *(f"return_value_{index}" for index in range(len(steps))))
        return by_function(task, settings, "emr-steps", request, *found, wait=wait, outputs=outputs)
    found.append(
        finding("SMP720", f"{len(steps)} EMR step{'s' * (len(steps) > 1)}, one after the other", task=task.task_id)
    )
    if len(steps) > 1:
        reason = "a pipeline stops at the first that fails; EMR goes on with CONTINUE"
        found.append(finding("SMP665", reason, task=task.task_id, place="steps"))
    if any("ActionOnFailure" in step for step in steps):
        reason = "ActionOnFailure is left out; what becomes of the cluster when a step fails is not documented"
        found.append(finding("SMP665", reason, task=task.task_id, place="steps"))
    suffixes = [*(str(index + 1) for index in range(len(steps) - 1)), ""]

    def xcom(key: str, segments: tuple[Segment, ...]) -> tuple[Segment, ...] | XComOf | None:
        if key == "job_flow_id" and not segments:
            return ("ClusterId",)
        match segments:
            case (int() as index,) if key == RETURN_VALUE and index < len(suffixes):
                return XComOf(suffixes[index], ("Id",)) if suffixes[index] else ("Id",)
        return None

    made = {}
    for suffix, step in zip(suffixes, steps):
        config = {name: value for name, value in step.items() if name not in ("Name", "ActionOnFailure")}
        arguments = {
            "ClusterId": task.job_flow_id,
            "StepConfig": config,
            **given(ExecutionRoleArn=task.execution_role_arn),
        }
        made[suffix] = TaskStep("EMR", arguments, description=step.get("Name"), xcom=xcom)
    return Steps(made, findings=tuple(found))


def _not_native(steps: Any) -> str:
    """Why steps are no EMR steps of a pipeline; nothing where they are."""
    actions = {step.get("ActionOnFailure", "CONTINUE") for step in steps if isinstance(step, Mapping)}
    if others := sorted(str(action) for action in actions - {"CONTINUE"}):
        return f"whether a step keeps ActionOnFailure={', '.join(others)} is not documented"
    return ""


@translates(*classes("sensors.emr", "EmrStepSensor"), *classes("sensors.emr_step", "EmrStepSensor"))
def step_sensor(task: Any, settings: Given) -> Translation:
    """Absorbed where the step is one of the pipeline; else a function looks at it until it ends."""
    if list(task.target_states) != ["COMPLETED"] or set(task.failed_states) != {"CANCELLED", "FAILED", "INTERRUPTED"}:
        return Stays((finding("SMP202", "other states than the usual", task=task.task_id, place="target_states"),))
    makers = [
        other
        for other in task.get_flat_relatives(upstream=True)
        if any(f"{cls.__module__}.{cls.__qualname__}" in _ADD_STEPS for cls in type(other).__mro__)
    ]
    native = settings("services") in (None, "native") and not any(_not_native(other.steps) for other in makers)
    if makers and native:
        return Absorbed(task.step_id, "EMR")
    job = {"ClusterId": task.job_flow_id, "StepIds": [task.step_id]}
    return by_function(task, settings, "emr-steps", None, job=job, wait=poke(task))


@translates(
    *classes("operators.emr", "EmrCreateJobFlowOperator"),
    *classes("operators.emr_create_job_flow", "EmrCreateJobFlowOperator"),
)
def create_cluster(task: Any, settings: Given) -> Translation:
    """RunJobFlow."""
    request = task.job_flow_overrides
    if is_text_literal(request):
        request = ast.literal_eval(request)
    if not isinstance(request, Mapping):
        raise TypeError(f"job_flow_overrides is an object that is known now, not {type(request).__name__}")
    found = []
    if task.emr_conn_id:
        reason = f"what the connection {task.emr_conn_id!r} adds to the request is not known"
        found.append(finding("SMP662", reason, task=task.task_id, place="emr_conn_id"))
    wait = None
    if getattr(task, "wait_for_completion", False):
        policy = str(getattr(task.wait_policy, "value", task.wait_policy or ""))
        states = ["TERMINATED"] if policy == "wait_for_steps_completion" else ["WAITING", "RUNNING", "TERMINATED"]
        wait = wait_for(task.waiter_delay, task.waiter_max_attempts, stop=True, succeeded=states)
    return by_function(task, settings, "emr-cluster", request, *found, wait=wait, outputs=("return_value",))


@translates(*classes("sensors.emr", "EmrJobFlowSensor"), *classes("sensors.emr_job_flow", "EmrJobFlowSensor"))
def cluster_sensor(task: Any, settings: Given) -> Translation:
    """Looks at a cluster until it has one of the states."""
    states = {"succeeded": list(task.target_states), "failed": list(task.failed_states)}
    job = {"ClusterId": task.job_flow_id}
    return by_function(task, settings, "emr-cluster", None, job=job, wait=poke(task, **states))


@translates(
    *classes("operators.emr", "EmrTerminateJobFlowOperator"),
    *classes("operators.emr_terminate_job_flow", "EmrTerminateJobFlowOperator"),
)
def terminate_cluster(task: Any, settings: Given) -> Translation:
    """TerminateJobFlows."""
    unknown = refused(task, deferrable="the function does not wait for the end of the cluster")
    return by_function(task, settings, "emr-terminate", {"JobFlowIds": [task.job_flow_id]}, *unknown)


@translates(*classes("operators.emr", "EmrServerlessStartJobOperator"))
def serverless_job(task: Any, settings: Given) -> Translation:
    """An EMR Serverless step in an application that exists."""
    found = refused(
        task,
        openlineage_inject_parent_job_info="the run has no parent",
        openlineage_inject_transport_info="the job has no transport",
    )
    if settings("services") in ("function", "stay"):
        return Stays(
            (finding("SMP240", f"services is {settings('services')!r}, no function does it", task=task.task_id),)
        )
    found.append(finding("SMP720", "an EMR Serverless step", task=task.task_id))
    config = {
        "applicationId": task.application_id,
        "executionRoleArn": task.execution_role_arn,
        "jobDriver": task.job_driver,
        **given(name=task.name, configurationOverrides=task.configuration_overrides),
        **task.config,
    }
    return TaskStep(
        type="EMRServerless",
        arguments={
            "ExecutionRoleArn": task.execution_role_arn,
            "ApplicationId": task.application_id,
            "JobConfig": config,
        },
        xcom=lambda key, segments: ("jobRun", "jobRunId") if key == RETURN_VALUE and not segments else None,
        findings=tuple(found),
    )


@translates(*classes("sensors.emr", "EmrServerlessJobSensor"))
def serverless_job_sensor(task: Any, settings: Given) -> Translation:
    """Absorbed by the step of the job."""
    if set(task.target_states) != {"SUCCESS"}:
        return Stays((finding("SMP202", "other states than SUCCESS", task=task.task_id, place="target_states"),))
    return Absorbed(task.job_run_id, "EMRServerless")
