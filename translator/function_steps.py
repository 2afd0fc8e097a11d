"""Steps whose work a generated function does: at once in a Lambda step, or in a Callback step that waits for its end."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import OutputParameter
from sagemaker_provider.definition.paths import Key, Segment
from sagemaker_provider.translator import functions, templates
from sagemaker_provider.translator.parameters import looks_secret
from sagemaker_provider.translator.registry import AsText, Given, Stays, TaskStep, Translation, XComPath
from sagemaker_provider.translator.requests import JsonText, flat, is_text_literal
from sagemaker_provider.translator.services import KINDS, PREFIX

AMAZON: Final = "airflow.providers.amazon.aws"
LONGEST_SECONDS: Final = 28 * 24 * 3600
"""Longest that a pipeline execution, and so a Callback step, may take."""


def classes(module: str, *names: str) -> tuple[str, ...]:
    """Qualified names of classes of a module of the amazon provider."""
    return tuple(f"{AMAZON}.{module}.{name}" for name in names)


def by_function(
    task: Any,
    settings: Given,
    kind: str,
    request: Mapping[str, Any] | None,
    *findings: Finding,
    job: Mapping[str, Any] | None = None,
    wait: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = (),
) -> Translation:
    """A step that has a generated function do the work.

    :param kind: a key of :data:`~.services.KINDS`.
    :param request: the request that starts the work, with templates still in it.
    :param job: instead of a request, the work that was started already.
    :param wait: how to wait for the end: ``poll_seconds``, ``timeout_seconds``, ``stop``, ``succeeded`` and ``failed``;
        ``None`` to start the work only.
    :param outputs: names of the outputs that the function gives.
    """
    if settings("services") == "stay":
        return Stays((finding("SMP240", f"services is 'stay'; {PREFIX}{kind} could do it", task=task.task_id),))
    account, region = settings("account"), settings("region")
    if missing := [name for name, value in (("account", account), ("region", region)) if not value]:
        reason = f"the ARN of the function {PREFIX}{kind} needs {' and '.join(missing)}"
        return Stays((finding("SMP241", reason, task=task.task_id),))
    about = {"job": job} if request is None else {"request": request}
    about = as_text(task, about)
    members: dict[str, Any] = {"OutputParameters": tuple(OutputParameter(name) for name in outputs)}
    found = [*findings, _how(task, kind, wait), *_secrets(task, request)]
    if wait is None:
        members["FunctionArn"] = function_arn(account, region, f"{PREFIX}{kind}")
    else:
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        members["SqsQueueUrl"] = f"https://sqs.{region}.{domain}/{account}/{PREFIX}{kind}"
        about |= {"wait": {"timeout_seconds": LONGEST_SECONDS, **wait}}
        found += _twice(task, kind, request)
    return TaskStep(
        type="Lambda" if wait is None else "Callback",
        arguments=flat(about),
        members=members,
        xcom=_xcoms(outputs),
        assets=functions.assets(kind),
        findings=tuple(found),
    )


def as_text(task: Any, value: Any) -> Any:
    """A value whose templates give text, as in Airflow, also where the expression is a number or a boolean.

    :param task: the task; a DAG that renders native objects keeps their types.
    """
    if getattr(task.dag, "render_template_as_native_obj", False):
        return value
    if isinstance(value, str) and templates.is_template(value):
        return AsText(value)
    if isinstance(value, JsonText):
        return JsonText(as_text(task, value.value))
    if isinstance(value, Mapping):
        return {key: as_text(task, item) for key, item in value.items()}
    return [as_text(task, item) for item in value] if type(value) in (list, tuple) else value


def _secrets(task: Any, value: Any) -> Iterator[Finding]:
    """Literal values of variables whose names Airflow masks; below other keys, secrets are found like those of any step."""
    if isinstance(value, Mapping):
        if looks_secret(str(value.get("name", ""))) and is_text_literal(value.get("value")):
            yield finding("SMP306", f"{value['name']!r} has a literal value", task=task.task_id)
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets(task, item)


def function_arn(account: str, region: str, name: str) -> str:
    """The ARN of a Lambda function."""
    partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")
    return f"arn:{partition}:lambda:{region}:{account}:function:{name}"


def _how(task: Any, kind: str, wait: Mapping[str, Any] | None) -> Finding:
    how = "a Lambda step" if wait is None else "a Callback step that waits for its end"
    reason = f"pipelines have no step for it, so {PREFIX}{kind} does it for {how}; deploy functions/{kind}.yaml"
    return finding("SMP660", reason, task=task.task_id)


def _twice(task: Any, kind: str, request: Any) -> Iterator[Finding]:
    row = KINDS[kind]
    if request is None or row.token:
        return
    reason = "is looked for before it is started again" if row.find[0] else row.again
    yield finding(
        "SMP661", f"{row.service} has no token: when a message comes twice, the work {reason}", task=task.task_id
    )


def _xcoms(outputs: Sequence[str]) -> XComPath:
    """XComs among the outputs: the key, then members and indexes, make the name."""

    def path(key: str, segments: tuple[Segment, ...]) -> tuple[Segment, ...] | None:
        name = "_".join(map(str, (key, *segments)))
        return ("OutputParameters", Key(name)) if name in outputs else None

    return path


def ignored(task: Any, *names: str) -> Iterator[Finding]:
    """Findings for arguments that are set and only concern Airflow's logs and waiting."""
    for name in names:
        if getattr(task, name, None):
            yield finding("SMP609", f"{name}={getattr(task, name)!r} has no effect", task=task.task_id, place=name)


def refused(task: Any, **reasons: str) -> list[Finding]:
    """Findings for arguments that are set and that the function does not know."""
    return [
        finding("SMP202", reason, task=task.task_id, place=name)
        for name, reason in reasons.items()
        if getattr(task, name, None)
    ]


def wait_for(poll_seconds: Any, attempts: int | None = None, **more: Any) -> dict[str, Any]:
    """How to wait: how long between two looks, and how often before it is too long."""
    limit = {} if attempts is None else {"timeout_seconds": int(attempts * max(poll_seconds, 1))}
    return {"poll_seconds": int(poll_seconds), **limit, **more}


def poke(task: Any, **more: Any) -> dict[str, Any]:
    """How a sensor waits."""
    return wait_for(task.poke_interval, timeout_seconds=int(task.timeout), **more)


def waits(task: Any) -> bool:
    """Whether an operator waits for the end of what it starts."""
    return bool(getattr(task, "wait_for_completion", True) or task.deferrable)


def listed(value: Any, name: str) -> Sequence[Any]:
    """A list that is known now, also where it is written as Python text.

    :raises TypeError: it is not.
    """
    if is_text_literal(value):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            raise ValueError(f"{name} is a file or no Python literal: {value!r}") from None
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} is a list that is known when the DAG is parsed, not {type(value).__name__}")
    return value
