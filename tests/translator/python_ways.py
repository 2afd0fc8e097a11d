"""DAGs of Python tasks run both ways on one local SageMaker: what their tasks return, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines_client import Pipelines

from sagemaker_provider.translator import Conversion, Settings, convert
from sagemaker_provider.translator.airflow_task import values
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.load import load_dags

DEFAULTS = Defaults(
    {
        "role": "arn:aws:iam::123456789012:role/Jobs",
        "image": "123456789012.dkr.ecr.us-west-2.amazonaws.com/python:3",
        "instance_type": "ml.m5.large",
        "code_location": "s3://bucket/code",
    }
)


@dataclass
class Ended:
    """How a run ended: task -> state, task -> what it returned."""

    states: dict[str, str]
    returned: dict[str, Any]


def converted(file: Path, dag_id: str, **defaults: Any) -> Conversion:
    """The conversion of a DAG of a file."""
    dags, problems = load_dags(file, dag_id)
    assert not problems, problems
    settings = Settings(defaults=Defaults({**DEFAULTS.values, **defaults}))
    conversion: Conversion = convert(dags[0][1], settings)
    return conversion


def in_airflow(airflow: Callable[..., Any], file: Path, dag_id: str, conf: Any = None) -> Ended:
    """Run the DAG in Airflow."""
    tasks = airflow(file, dag_id, conf)
    return Ended(
        {task.task_id: task.state for task in tasks},
        {task.task_id: _plain(task.xcom) for task in tasks if task.state == "success" and task.xcom is not None},
    )


def _plain(value: Any) -> Any:
    """An XCom as Airflow keeps it, as a task reads it."""
    try:
        from airflow.sdk.serde import deserialize
    except ImportError:
        from airflow.serialization.serde import deserialize
    return deserialize(value)


def in_pipeline(local: Any, conversion: Conversion, parameters: dict[str, str] | None = None) -> Ended:
    """Run the pipeline of a conversion, with its files where they belong."""
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    s3 = local.client("s3")
    for path, content in conversion.assets.items():
        s3.put_object(Bucket="bucket", Key=f"code/{path}", Body=content)
    pipelines = Pipelines(local)
    name = conversion.pipeline["PipelineName"]
    pipelines.create(conversion.definition.to_json(), name)
    arn = pipelines.wait(pipelines.start(name, parameters=parameters or {}), 120)
    states, returned = {}, {}
    task_of = {step.name: step.display_name or step.name for step, _ in conversion.definition.all_steps()}
    known = {"Succeeded": "success", "Failed": "failed", "Stopped": "failed"}
    for name, step in pipelines.steps(arn).items():
        if name not in task_of:  # an iteration of a loop
            continue
        states[task_of[name]] = known[step["StepStatus"]]
        if "ProcessingJob" in step["Metadata"] and step["StepStatus"] == "Succeeded":
            job = pipelines.job(arn, name)
            uri = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
            value = from_s3(s3, uri).get("return_value")
            if value is not None:
                returned[task_of[name]] = value
        elif step["StepStatus"] == "Failed":
            returned[task_of[name]] = step.get("FailureReason")
    states |= dict.fromkeys(set(task_of.values()) - set(states), "skipped")
    conditions = {task_of[step.name] for step, _ in conversion.definition.all_steps() if step.type == "Condition"}
    states = {name: state for name, state in states.items() if name not in conditions}
    return Ended(states, returned)


def from_s3(s3: Any, uri: str) -> dict[str, Any]:
    """The XComs that a task left in S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    files = [
        json.loads(s3.get_object(Bucket=bucket, Key=f"{key}/{name}.json")["Body"].read()) for name in ("xcom", "types")
    ]
    found: dict[str, Any] = values.from_json(*files)
    return found
