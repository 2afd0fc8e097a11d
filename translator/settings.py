"""What a DAG and its tasks say about running, and what of it a pipeline knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from typing import Any, Final, NamedTuple

from jinja2 import StrictUndefined

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.operators.names import pipeline_name
from sagemaker_provider.translator import jinja
from sagemaker_provider.translator.events import STEP_EVENT, execution_ended, shown
from sagemaker_provider.translator.registry import TaskStep
from sagemaker_provider.translator.schedule import shown_schedule

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

_STEP_RULE: Final = f"the nearest is an EventBridge rule on events {STEP_EVENT!r} of this step"
_COUNTING: Final = "the nearest is to start the pipeline by a Lambda function that looks at its executions first"
_LINEAGE: Final = "a pipeline reports no assets; the nearest is an EventBridge rule on the end of the execution"
_FAIR: Final = "a pipeline starts every step that can start"
_NO_WORKER: Final = "a step runs in a job of its own, not on a worker of Airflow"


class _Told(NamedTuple):
    """What is told about an argument where it is set.

    :param code: code of the finding.
    :param reason: what differs and what is nearest.
    :param usual: values, or names of their classes, that mean nothing, as empty ones do.
    """

    code: str
    reason: str
    usual: tuple[Any, ...] = ()


DAG_ARGUMENTS: Final = {
    "max_consecutive_failed_dag_runs": _Told("SMP612", f"no number of failures pauses a schedule; {_COUNTING}"),
    "allowed_run_types": _Told("SMP612", "anybody who may start the pipeline may; the nearest are IAM policies"),
    "deadline": _Told("SMP610", "a pipeline warns of no deadline; the nearest is a CloudWatch alarm on its executions"),
    "sla_miss_callback": _Told("SMP610", "a pipeline warns of no lateness; the nearest is a CloudWatch alarm"),
    "fail_fast": _Told("SMP612", "steps that run go on when another fails"),
    "fail_stop": _Told("SMP612", "steps that run go on when another fails"),
    "jinja_environment_kwargs": _Told("SMP202", "it changes what a template is"),
    "template_searchpath": _Told("SMP633", "files of templates are read by Airflow only; write the text itself"),
    "render_template_as_native_obj": _Told("SMP633", "text that looks like a number becomes one"),
    "dagrun_timeout": _Told("SMP610", "a pipeline execution ends after 28 days and has no other limit"),
}
"""Arguments of a DAG that a definition does not carry, beside those that :func:`dag_findings` looks at one by one."""

TASK_ARGUMENTS: Final = {
    "depends_on_past": _Told("SMP612", f"an execution knows nothing of the one before; {_COUNTING}"),
    "wait_for_downstream": _Told("SMP612", f"an execution knows nothing of the one before; {_COUNTING}"),
    "max_active_tis_per_dag": _Told("SMP612", f"executions know nothing of each other; {_COUNTING}"),
    "max_active_tis_per_dagrun": _Told(
        "SMP612", "the nearest is max_active_tasks, which becomes ParallelismConfiguration"
    ),
    "sla": _Told("SMP610", "a pipeline warns of no lateness; the nearest is a CloudWatch alarm on its executions"),
    "inlets": _Told("SMP677", _LINEAGE),
    "outlets": _Told("SMP677", _LINEAGE),
    "on_failure_callback": _Told(
        "SMP679", f"{_STEP_RULE} with currentStepStatus Failed, or a step that runs on failure"
    ),
    "on_success_callback": _Told("SMP679", f"{_STEP_RULE} with currentStepStatus Succeeded"),
    "on_execute_callback": _Told("SMP679", f"{_STEP_RULE} with currentStepStatus Executing"),
    "on_retry_callback": _Told("SMP679", "a pipeline retries without telling"),
    "on_skipped_callback": _Told("SMP679", "a step that is not reached has no event"),
    "soft_fail": _Told("SMP612", "a step that fails is not skipped"),
    "never_fail": _Told("SMP612", "a step that fails is not skipped"),
    "render_template_as_native_obj": _Told("SMP633", "text that looks like a number becomes one"),
}
"""Arguments of every task that a pipeline does not carry, beside those that :func:`task_findings` looks at one by one."""

STEP_ARGUMENTS: Final = {
    "pool": _Told("SMP615", _FAIR, ("default_pool",)),
    "pool_slots": _Told("SMP615", _FAIR, (1,)),
    "priority_weight": _Told("SMP615", _FAIR, (1,)),
    "weight_rule": _Told("SMP615", _FAIR, ("downstream", "_DownstreamPriorityWeightStrategy")),
    "queue": _Told("SMP615", _NO_WORKER, ("default",)),
    "executor": _Told("SMP615", _NO_WORKER),
    "executor_config": _Told("SMP615", _NO_WORKER),
    "run_as_user": _Told("SMP615", _NO_WORKER),
    "resources": _Told("SMP615", _NO_WORKER),
    "aws_conn_id": _Told("SMP616", "the pipeline runs with its role", ("aws_default",)),
    "region_name": _Told("SMP616", "the pipeline runs in its Region"),
}
"""Arguments of tasks that become steps, likewise."""

ELSEWHERE: Final = {
    "the pipeline's name, description and tags": ("dag_id", "description", "doc_md", "tags"),
    "its parallelism": ("max_active_tasks", "concurrency"),
    "its schedule": (
        *("schedule", "schedule_interval", "timetable", "start_date", "end_date", "catchup", "is_paused_upon_creation"),
    ),
    "its parameters": ("params",),
    "the templates that use them": ("user_defined_macros",),
    "dag_findings": (
        *(
            "max_active_runs",
            "on_success_callback",
            "on_failure_callback",
            "user_defined_filters",
            "template_undefined",
        ),
    ),
    "the arguments of tasks": ("default_args", "kwargs"),
    "the graph": ("task_id", "dag", "task_group", "trigger_rule"),
    "task_findings": ("email", "email_on_retry", "email_on_failure", "pre_execute", "post_execute", "task_concurrency"),
    "retries": ("retries", "retry_delay", "retry_exponential_backoff", "max_retry_delay", "retry_policy"),
    "runtime_limit": ("execution_timeout",),
    "depends_on_past": ("ignore_first_depends_on_past", "wait_for_past_depends_before_skipping"),
    "the translators of Python tasks": ("multiple_outputs",),
}
"""Where the other arguments of DAGs and tasks are read."""

NO_EFFECT: Final = {
    "shown by Airflow only": (
        *("default_view", "orientation", "owner_links", "dag_display_name", "task_display_name", "owner", "doc"),
        *("doc_json", "doc_yaml", "doc_rst", "map_index_template"),
    ),
    "who may see the DAG in Airflow; IAM policies say who may use a pipeline": ("access_control",),
    "how Airflow finds DAGs and their versions": (
        *("full_filepath", "auto_register", "disable_bundle_versioning", "rerun_with_latest_version"),
    ),
    "how Airflow writes its logs": ("logger_name",),
    "whether a task may be run inside another, which is none of the DAG's": ("allow_nested_operators",),
    "what other tasks may read; the properties of a step can always be read": ("do_xcom_push",),
}
"""Arguments that change nothing about what runs, by the reason."""


def pipeline_request(dag: Any, role: Any = None) -> tuple[dict[str, Any], list[Finding]]:
    """The members of a CreatePipeline request that come from the DAG, and findings.

    :param role: the setting ``role`` of the DAG: the pipeline runs with the role that its jobs have, if that is an ARN.
    """
    name = pipeline_name(dag.dag_id)
    findings = [finding("SMP701", f"the pipeline is called {name!r}")] if name != dag.dag_id else []
    request: dict[str, Any] = {"PipelineName": name}
    if text := (dag.description or dag.doc_md):
        request["PipelineDescription"] = " ".join(str(text).split())[: limits.DESCRIPTION]  # the API takes one line
    if str(role).startswith("arn:"):
        request["RoleArn"] = str(role)
    request["Tags"] = [{"Key": DAG_ID_TAG, "Value": _tag_text(dag.dag_id)}]
    keys = sorted({_tag_text(f"airflow:tag:{tag}")[:128] for tag in dag.tags or ()})
    request["Tags"] += [{"Key": key, "Value": ""} for key in keys]
    if dag.max_active_tasks != _configured("max_active_tasks_per_dag"):
        request["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": dag.max_active_tasks}
    return request, findings


def _tag_text(text: str) -> str:
    """A text with the characters that the API takes in tags: letters, digits, spaces and ``_.:/=+-@``."""
    return re.sub(r"[^\w\s.:/=+\-@]", "_", text)


def _configured(name: str) -> int:
    """What Airflow takes where a DAG says nothing."""
    from airflow.providers.common.compat.sdk import conf

    return int(conf.getint("core", name, fallback=16))


def dag_findings(dag: Any) -> list[Finding]:
    """Settings of the DAG that neither a definition nor a schedule carries."""
    found: list[Finding] = []
    if dag.catchup and shown_schedule(dag):
        found.append(finding("SMP612", "catchup: a pipeline starts no missed runs", place="catchup"))
    if dag.max_active_runs != _configured("max_active_runs_per_dag"):
        reason = (
            f"max_active_runs={dag.max_active_runs}: a pipeline runs as often at once as it is started; {_COUNTING}"
        )
        found.append(finding("SMP612", reason, place="max_active_runs"))
    for name, status in (("on_failure_callback", "Failed"), ("on_success_callback", "Succeeded")):
        if getattr(dag, name, None):
            pattern = shown(execution_ended(dag.dag_id, status))
            found.append(finding("SMP679", f"the nearest is a rule with the pattern {pattern}", place=name))
    if changed := jinja.FILTERS & set(getattr(dag, "user_defined_filters", None) or ()):
        found.append(finding("SMP202", f"it changes {', '.join(sorted(changed))}", place="user_defined_filters"))
    if dag.template_undefined is not StrictUndefined:
        found.append(finding("SMP633", "it changes what an unknown name becomes", place="template_undefined"))
    return [*found, *_told(dag, DAG_ARGUMENTS), *_own_dates(dag)]


def _told(item: Any, table: Mapping[str, _Told], **where: str) -> Iterator[Finding]:
    """Findings about the arguments of a DAG or task that are set; their values are shown where they are short."""
    for name, (code, reason, usual) in table.items():
        value = _argument(item, name)
        value = value.value if isinstance(value, Enum) else value
        if not value or value in usual or type(value).__name__ in usual:
            continue
        text = f"{name}={value!r}" if type(value) in (int, str, bool) else name
        yield finding(code, f"{text}: {reason}", place=name, **where)


def _argument(item: Any, name: str, default: Any = None) -> Any:
    """An argument of a DAG or task; a mapped task keeps those of its operator in a table."""
    value = getattr(item, name, None)
    return getattr(item, "partial_kwargs", {}).get(name, default) if value is None else value


def _own_dates(dag: Any) -> Iterator[Finding]:
    """Tasks that start later or end earlier than the DAG: they run in some of its runs only."""
    for name, pick in (("start_date", min), ("end_date", max)):
        dates = {task.task_id: date for task in dag.tasks if (date := getattr(task, name))}
        usual = getattr(dag, name) or (pick(dates.values()) if len(dates) == len(dag.tasks) > 0 else None)
        for task_id, date in dates.items():
            if date != usual:
                reason = f"{name}={date.isoformat()}: a step is part of every execution"
                yield finding("SMP612", reason, task=task_id, place=name)


def task_findings(task: Any, step: TaskStep | None) -> list[Finding]:
    """Settings of a task that its step does not carry.

    :param step: ``None`` for a task that becomes no step.
    """
    found: list[Finding] = []

    def note(code: str, message: str, place: str) -> None:
        found.append(finding(code, message, task=task.task_id, place=place))

    found += _told(task, TASK_ARGUMENTS, task=task.task_id)
    for name in ("pre_execute", "post_execute"):
        if getattr(task, f"_{name}_hook", None) or getattr(task, "partial_kwargs", {}).get(name):
            note("SMP202", "a pipeline calls no Python function around a step", name)
    if _argument(task, "email") and any(_argument(task, f"email_on_{event}", True) for event in ("failure", "retry")):
        note("SMP679", f"{_STEP_RULE} with currentStepStatus Failed and an SNS topic as target", "email")
    if step is None:
        return found
    not_carried = {name: told for name, told in STEP_ARGUMENTS.items() if name not in step.carries}
    found += _told(task, not_carried, task=task.task_id)
    retried = task.retries and "retries" not in step.carries
    if (retried or _argument(task, "retry_policy")) and step.type not in ("Condition", "Fail"):
        note("SMP601", _retries(task), "retries")
    if (limit := _argument(task, "max_ingestion_time")) not in (None, 36_000):  # the default of endpoints
        note("SMP610", f"max_ingestion_time={limit} s: a pipeline waits as long as the job runs", "max_ingestion_time")
    if getattr(task, "is_teardown", False) and not getattr(task, "on_failure_fail_dagrun", False):
        note(
            "SMP612",
            "a failing teardown leaves a DAG run successful; a failing step fails the execution",
            "is_teardown",
        )
    if _argument(task, "action_if_job_exists") == "fail":
        note("SMP609", "action_if_job_exists='fail': the service makes a new name for each job", "action_if_job_exists")
    if _argument(task, "wait_for_completion", True) is False and step.type != "Lambda":
        note(
            "SMP609",
            "wait_for_completion=False: a step always waits, so what follows starts later",
            "wait_for_completion",
        )
    return found


def _retries(task: Any) -> str:
    parts, delay = [f"retries={task.retries}"], _argument(task, "retry_delay")
    if delay not in (None, 300, timedelta(minutes=5)):
        parts.append(f"retry_delay={delay}")
    parts += [
        name for name in ("retry_exponential_backoff", "max_retry_delay", "retry_policy") if _argument(task, name)
    ]
    return ", ".join(parts)


def runtime_limit(task: Any, step: TaskStep) -> tuple[TaskStep, list[Finding]]:
    """The task's timeout as the job's longest run time."""
    if "execution_timeout" in step.carries or not (timeout := task.execution_timeout):
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
