"""A DAG run both ways on one local SageMaker, and what the two ways have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipelines_client import Pipelines

from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.operators.names import execution_id
from sagemaker_provider.translator import convert
from sagemaker_provider.translator.load import load_dags

CREATES = {
    *(row.resource.create for row in STEP_TYPES.values() if row.resource and row.resource.service == "sagemaker"),
    "CreateAction",
    "CreateArtifact",
    "CreateContext",
    "AddAssociation",
}
NAMED = {
    key: row.resource.create.removeprefix("Create")
    for row in STEP_TYPES.values()
    if row.resource and row.resource.service == "sagemaker"
    for key in row.resource.identifiers
}
VOLATILE = re.compile(r"(Time|Date|Arn|InSeconds|Id)$|^arn$|At$")
"""Members of a description that differ from run to run."""
GENERATED = (
    (r"artifact/[0-9a-f]{32}", "artifact/<artifact>"),
    (r"[\w-]+-(\d{3})-[0-9a-f]{8}\b", r"<training \1>"),
    (r'"[\w-]+-simulated"', '"<candidate>"'),
)
"""Names that are made by the service: of artifacts, of the trainings of a tuning job, of a candidate."""


@dataclass
class Way:
    """One way of running a DAG.

    :param states: task -> ``success``, ``failed`` or ``skipped``.
    :param results: task -> the description of what it made.
    :param calls: the create calls, in their order.
    """

    states: dict[str, str]
    results: dict[str, dict[str, Any]]
    calls: list[tuple[str, dict[str, Any]]]
    execution: str = ""
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {
            task: [key for key, kind in NAMED.items() if f"{kind}Arn" in result]
            for task, result in self.results.items()
        }
        for task, result in sorted(
            self.results.items(), key=lambda item: len(own[item[0]])
        ):  # a component names its endpoint too
            for key in own[task]:
                if isinstance(name := result.get(key), str):
                    self.names.setdefault(name, f"<{task}>")
            for key in ("applicationId", "jobRunId", "name"):  # of EMR Serverless
                if key in result.get("jobRun", {}):
                    self.names.setdefault(result["jobRun"][key], f"<{task}>")
            if "ActionOnFailure" in result:  # a step of EMR
                self.names.setdefault(result["Name"], f"<{task}>")
        if self.execution:
            self.names[self.execution] = "<execution>"

    def plain(self, value: Any) -> str:
        """JSON text with generated names replaced."""
        text = json.dumps(value, sort_keys=True, default=str)
        for pattern, name in GENERATED:
            text = re.sub(pattern, name, text)
        if not self.names:
            return text
        names = "|".join(map(re.escape, sorted(self.names, key=len, reverse=True)))
        return re.sub(rf"(?<![\w-])({names})(?![\w-])", lambda match: self.names[match[0]], text)

    def requests(self) -> list[tuple[str, str]]:
        """The create requests, without what only tells one call from another, in an order of their own."""
        own = ("ClientToken", "ClientRequestToken", "Tags")
        found = []
        for operation, request in self.calls:
            kept = {key: value for key, value in request.items() if key not in own}
            found.append((operation, self.plain(kept)))
        return sorted(found)

    def descriptions(self) -> dict[str, dict[str, str]]:
        """What each task made, member by member, without times and ARNs."""
        return {
            task: {key: self.plain(item) for key, item in _steady(result).items()}
            for task, result in sorted(self.results.items())
        }


OWN = (
    *("SecondaryStatusTransitions", "Timestamp", "Timeline", "DeletedObjects", "ModelPackageVersion"),
    "name",  # of a job run of EMR Serverless, which an operator gives to find it again
)


def _steady(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _steady(item) for key, item in value.items() if not VOLATILE.search(key) and key not in OWN}
    return [_steady(item) for item in value] if isinstance(value, list) else value


def step_by_step(
    local: Any, airflow: Callable[..., Any], file: Path, dag_id: str, conf: dict[str, Any] | None = None
) -> Way:
    """Run the DAG in Airflow; the environment must point at the local SageMaker."""
    before = len(local.calls)
    tasks = airflow(file, dag_id, conf)
    calls = [(call.operation, call.request) for call in list(local.calls)[before:] if call.operation in CREATES]
    states = {task.task_id: task.state for task in tasks}
    results = {task.task_id: task.xcom for task in tasks if task.state == "success" and isinstance(task.xcom, dict)}
    run = SimpleNamespace(dag_id=dag_id, run_id=tasks[0].run_id)
    return Way(states, results, calls, execution_id({"ti": run}))


def as_pipeline(local: Any, file: Path, dag_id: str, conf: dict[str, Any] | None = None) -> Way | None:
    """Convert the DAG and run the pipeline; ``None`` when it does not convert."""
    dags, problems = load_dags(file, dag_id)
    assert not problems, problems
    conversion = convert(dags[0][1])
    if conversion.definition is None:
        return None
    pipelines = Pipelines(local)
    name = conversion.pipeline["PipelineName"]
    before = len(local.calls)
    arn = pipelines.run(
        conversion.definition.to_json(), name, parameters={key: str(value) for key, value in (conf or {}).items()}
    )
    calls = [(call.operation, call.request) for call in list(local.calls)[before:] if call.operation in CREATES]
    task_of = {step.name: step.display_name or step.name for step, _ in conversion.definition.all_steps()}
    states, results, names = {}, {}, {}
    for step in pipelines.steps(arn):
        record = local.store.get("us-west-2", f"Step of {arn}", step)
        task = task_of[step]
        states[task] = {"Succeeded": "success", "Failed": "failed", "Stopped": "failed"}[record["StepStatus"]]
        names |= dict.fromkeys((record.get("_resource") or {}).values(), f"<{task}>")
        if record.get("_properties"):
            results[task] = record["_properties"]
    states |= dict.fromkeys(set(task_of.values()) - set(states), "skipped")
    return Way(states, results, calls, arn.rpartition("/")[2], names)
