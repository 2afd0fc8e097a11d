"""One DAG with a group, in real Airflow: as a pipeline and step by step it ends in the same states and with the same XComs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from sagemaker_provider.local.dag_runs import TaskResult
from sagemaker_provider.local.service import LocalSettings, local_sagemaker

DAG = Path(__file__).parents[1] / "dags" / "groups.py"
EXAMPLES = int(os.environ.get("GROUP_EXAMPLES", "1"))
OWN = r"Time|Date|Arn$|Id$|ProcessingJobName|ModelName|S3Uri|^V_"
"""Members of a description that are of one run."""


@pytest.fixture(scope="module")
def _server() -> Iterator[Any]:
    with local_sagemaker(LocalSettings(max_processes=4, start_after_failure=True)) as local:
        yield local


@pytest.fixture
def running(_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A local SageMaker that runs what does not depend on what has failed, as Airflow does; the environment points at it."""
    for name, value in _server.environment.items():
        monkeypatch.setenv(name, value)
    _server.reset()
    _server.client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return _server


def steady(value: Any) -> Any:
    """An XCom without what is of one run."""
    if isinstance(value, dict):
        return {key: steady(item) for key, item in value.items() if not re.search(OWN, key)}
    return [steady(item) for item in value] if isinstance(value, (list, tuple)) else value


def ends(results: list[TaskResult]) -> list[tuple[str, str, str]]:
    """Task, state and XCom of what ended, but for the start of the pipeline."""
    return sorted(
        (item.task_id, item.state, json.dumps(steady(item.xcom), sort_keys=True, default=list))
        for item in results
        if item.task_id != "group.launch"
    )


def both(airflow: Any, file: Path, dag_id: str) -> tuple[list[TaskResult], list[TaskResult]]:
    """The DAG's tasks as a pipeline and step by step."""
    return tuple(airflow(file, dag_id, {"run_as": way}) for way in ("pipeline", "steps"))  # type: ignore[return-value]


def test_tasks_of_many_kinds(running: Any, airflow: Any) -> None:
    one, other = both(airflow, DAG, "groups")
    assert ends(one) == ends(other)
    states = {item.task_id: item.state for item in one}
    assert {name for name, state in states.items() if state == "skipped"} == {
        "group.right",
        "group.never",
        "group.never_after",
    }
    assert set(states.values()) == {"success", "skipped"}
    (after,) = [item.xcom for item in one if item.task_id == "after"]
    assert after[0] == "Completed" and after[1]["sum"] == 3 and after[2:4] == [[2, "x"], [10, 20]]
    calls = [call.operation for call in running.calls]
    assert calls.count("StartPipelineExecution") == 1
    values = written(running, next(item.xcom for item in one if item.task_id == "group.prepare"))
    assert values == "V_DAY=a\nV_TEXT=hello\nV_TYPE=MANUAL\n"


def written(local: Any, xcom: Any) -> str:
    """What a job has written."""
    uri = xcom["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return str(local.client("s3").get_object(Bucket=bucket, Key=f"{key}/values")["Body"].read().decode())


HEAD = """
from airflow.providers.common.compat.sdk import DAG
from sagemaker_provider.definition import Equals
from sagemaker_provider.operators import (
    SageMakerConditionStepOperator, SageMakerPipelineTaskGroup, SageMakerProcessingStepOperator)

def job(name, command="true", value="", **options):
    return SageMakerProcessingStepOperator(task_id=name, poll_interval=0.05, **options, config={
        "AppSpecification": {"ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/work:1",
                             "ContainerEntrypoint": ["sh", "-c", command]},
        "RoleArn": "arn:aws:iam::123456789012:role/Work", "Environment": {"V_VALUE": value},
        "ProcessingResources": {"ClusterConfig": {
            "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}}})

with DAG(NAME, schedule=None, params={"mode": "a", "run_as": "pipeline"}) as dag:
    before = job("before")
    with SageMakerPipelineTaskGroup("group", run_as="{{ params.run_as }}", role="arn:aws:iam::123456789012:role/Work",
                                    poll_interval=0.05) as group:
"""


@st.composite
def groups(draw: st.DrawFn) -> str:
    """The tasks of a group: jobs that read what is before them and may fail, branches, rules."""
    count = draw(st.integers(2, 4))
    failing = draw(st.sets(st.integers(1, count - 1), max_size=1))
    lines = []
    for index in range(count):
        ups = draw(st.lists(st.integers(0, index - 1), unique=True, max_size=2)) if index else []
        reads = draw(st.booleans()) and ups
        source = f"t{ups[0]}" if reads else "before"
        value = f"value={source}.properties.ProcessingJobName" if reads or draw(st.booleans()) else "value='x'"
        rule = (
            ", trigger_rule='all_done'"
            if len(ups) == 1 and not reads and "'x'" in value and draw(st.booleans())
            else ""
        )
        command = "'exit 4'" if index in failing else "'true'"
        lines.append(f"t{index} = job('t{index}', {command}, {value}{rule})")
        lines += [f"t{up} >> t{index}" for up in ups]
    if draw(st.booleans()):
        first, second = draw(st.permutations(["yes", "no"]))
        branches = f"if_task_ids='group.{first}', else_task_ids='group.{second}'"
        equal = "conditions=Equals('{{ params.mode }}', 'a')"
        lines.append(f"choice = SageMakerConditionStepOperator(task_id='choice', {equal}, {branches})")
        lines.append("t0 >> choice >> [job('yes'), job('no')]")
    return "\n".join(f"        {line}" for line in lines)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(1_000_000))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking would run hundreds of DAGs
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(body=groups())
def test_random_groups(running: Any, airflow: Any, tmp_path: Path, numbers: Iterator[int], body: str) -> None:
    dag_id = f"random_group_{next(numbers)}"
    file = tmp_path / f"{dag_id}.py"
    tail = "\n    after = job('after', trigger_rule='none_failed')\n    before >> group >> after\n"
    file.write_text(HEAD.replace("NAME", repr(dag_id)) + body + tail, encoding="utf-8")
    note(body)
    one, other = both(airflow, file, dag_id)
    launch = next(item for item in one if item.task_id == "group.launch")
    assume(launch.state == "success")  # not every DAG can be a pipeline
    assert ends(one) == ends(other)
