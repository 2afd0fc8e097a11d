"""What a DAG and its tasks say about running, and what of it a pipeline knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.operators.names import pipeline_name
from sagemaker_provider.translator.registry import TaskStep
from sagemaker_provider.translator.schedule import schedules, shown_schedule

DAG_ID_TAG: Final = "airflow:dag_id"
"""Tag of a pipeline that holds the DAG id as it was before it became a pipeline name."""

_RUNTIME: Final = {
    "Processing": ("StoppingCondition", "MaxRuntimeInSeconds"),
    "Training": ("StoppingCondition", "MaxRuntimeInSeconds"),
    "QualityCheck": ("StoppingCondition", "MaxRuntimeInSeconds"),
    "ClarifyCheck": ("StoppingCondition", "MaxRuntimeInSeconds"),
    "Tuning": ("HyperParameterTuningJobConfig", "ResourceLimits", "MaxRuntimeInSeconds"),
}
"""Where the longest run time of a job stands in its arguments."""

_CALLBACKS: Final = (
    "on_failure_callback",
    "on_success_callback",
    "on_retry_callback",
    "on_execute_callback",
    "on_skipped_callback",
)


def pipeline_request(dag: Any) -> tuple[dict[str, Any], list[Finding]]:
    """The members of a CreatePipeline request that come from the DAG, and findings."""
    name = pipeline_name(dag.dag_id)
    findings = [finding("SMP701", f"the pipeline is called {name!r}")] if name != dag.dag_id else []
    request: dict[str, Any] = {"PipelineName": name}
    if text := (dag.description or dag.doc_md):
        request["PipelineDescription"] = str(text)[: limits.DESCRIPTION]
    request["Tags"] = [{"Key": DAG_ID_TAG, "Value": dag.dag_id}]
    request["Tags"] += [{"Key": f"airflow:tag:{tag}"[:128], "Value": ""} for tag in sorted(dag.tags or ())]
    if dag.max_active_tasks != _configured("max_active_tasks_per_dag"):
        request["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": dag.max_active_tasks}
    return request, findings


def _configured(name: str) -> int:
    """What Airflow takes where a DAG says nothing."""
    from airflow.providers.common.compat.sdk import conf

    return int(conf.getint("core", name, fallback=16))


def dag_findings(dag: Any) -> list[Finding]:
    """Settings of the DAG that a definition does not carry."""
    found = schedules(dag)[1]
    if dag.catchup and shown_schedule(dag):
        found.append(finding("SMP612", "catchup: a pipeline starts no missed runs", place="catchup"))
    if dag.max_active_runs != _configured("max_active_runs_per_dag"):
        reason = f"max_active_runs={dag.max_active_runs}: a pipeline runs as often at once as it is started"
        found.append(finding("SMP612", reason, place="max_active_runs"))
    for name in ("fail_fast", "fail_stop"):
        if getattr(dag, name, False) is True:
            found.append(finding("SMP612", "steps that run go on when another fails", place=name))
    for name in ("on_failure_callback", "on_success_callback", "sla_miss_callback"):
        if getattr(dag, name, None):
            found.append(finding("SMP612", "a pipeline calls nothing", place=name))
    if getattr(dag, "jinja_environment_kwargs", None):
        found.append(finding("SMP202", "it changes what a template is", place="jinja_environment_kwargs"))
    if changed := {"string", "trim", "default", "d"} & set(getattr(dag, "user_defined_filters", None) or ()):
        found.append(finding("SMP202", f"it changes {', '.join(sorted(changed))}", place="user_defined_filters"))
    if getattr(dag, "render_template_as_native_obj", False):
        found.append(
            finding("SMP633", "text that looks like a number becomes one", place="render_template_as_native_obj")
        )
    if getattr(dag, "dagrun_timeout", None):
        found.append(
            finding("SMP610", "a pipeline execution ends after 28 days and has no other limit", place="dagrun_timeout")
        )
    return found


def task_findings(task: Any, step: TaskStep | None) -> list[Finding]:
    """Settings of a task that its step does not carry.

    :param step: ``None`` for a task that becomes no step.
    """
    found: list[Finding] = []

    def note(code: str, message: str, place: str) -> None:
        found.append(finding(code, message, task=task.task_id, place=place))

    for name in _CALLBACKS:
        if getattr(task, name, None):
            note("SMP612", "a pipeline calls nothing", name)
    for name in ("pre_execute", "post_execute"):
        if getattr(task, f"_{name}_hook", None):
            note("SMP202", "a pipeline calls no Python function around a step", name)
    for name in (
        "depends_on_past",
        "wait_for_downstream",
        "inlets",
        "outlets",
        "sla",
        "email",
        "max_active_tis_per_dag",
        "max_active_tis_per_dagrun",
        "soft_fail",
        "never_fail",
    ):
        if getattr(task, name, None):
            note("SMP612", f"{name} has no counterpart", name)
    if step is None:
        return found
    if task.retries and step.type not in ("Condition", "Fail"):
        note("SMP601", f"retries={task.retries}", "retries")
    for name, default in (("pool", "default_pool"), ("priority_weight", 1), ("queue", "default")):
        if (value := getattr(task, name, default)) not in (default, None):
            note("SMP615", f"{name}={value!r}", name)
    for name, usual in (("aws_conn_id", "aws_default"), ("region_name", None)):
        if (value := getattr(task, name, usual)) not in (usual, None):
            note("SMP616", f"{name}={value!r}", name)
    if (limit := getattr(task, "max_ingestion_time", None)) not in (None, 36_000):  # the default of endpoints
        note("SMP610", f"max_ingestion_time={limit} s: a pipeline waits as long as the job runs", "max_ingestion_time")
    if getattr(task, "is_teardown", False) and not getattr(task, "on_failure_fail_dagrun", False):
        note(
            "SMP612",
            "a failing teardown leaves a DAG run successful; a failing step fails the execution",
            "is_teardown",
        )
    if getattr(task, "action_if_job_exists", None) == "fail":
        note("SMP609", "action_if_job_exists='fail': the service makes a new name for each job", "action_if_job_exists")
    if getattr(task, "wait_for_completion", True) is False:
        note(
            "SMP609",
            "wait_for_completion=False: a step always waits, so what follows starts later",
            "wait_for_completion",
        )
    return found


def runtime_limit(task: Any, step: TaskStep) -> tuple[TaskStep, list[Finding]]:
    """The task's timeout as the job's longest run time."""
    if not (timeout := task.execution_timeout):
        return step, []
    seconds = int(timeout.total_seconds())
    path = _RUNTIME.get(step.type)
    if path is None:
        return step, [
            finding(
                "SMP610",
                f"a {step.type} step has no limit for execution_timeout={seconds} s",
                task=task.task_id,
                place="execution_timeout",
            )
        ]
    current: Any = step.arguments
    for member in path:
        if current is not None and not isinstance(current, Mapping):
            break
        current = current.get(member) if current is not None else None
    if current is not None:
        return step, [
            finding(
                "SMP610",
                f"the job's own limit {current!r} is kept, not execution_timeout={seconds} s",
                task=task.task_id,
                place="execution_timeout",
            )
        ]
    note = finding(
        "SMP610",
        f"execution_timeout={seconds} s becomes {'.'.join(path)}, which counts only the job's run time",
        task=task.task_id,
        place="execution_timeout",
    )
    return replace(step, arguments=_with(step.arguments, path, seconds)), [note]


def _with(value: Mapping[str, Any], path: tuple[str, ...], leaf: Any) -> dict[str, Any]:
    first, *rest = path
    return {**value, first: _with(value.get(first) or {}, tuple(rest), leaf) if rest else leaf}
