"""A DAG file and the split one in a real Airflow, on the local SageMaker: the same ends, and values across the borders.

``SPLIT_RUNS=all`` runs it; it takes half a minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Commands

from sagemaker_provider.local.service import LocalSettings, local_sagemaker

pytestmark = pytest.mark.skipif(os.environ.get("SPLIT_RUNS") != "all", reason="SPLIT_RUNS=all runs it")

MIXED = '''\
"""Jobs with a task between them that only Airflow can do."""

from airflow.providers.common.compat.sdk import DAG, BaseOperator
from sagemaker_provider.operators import SageMakerProcessingStepOperator

IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/work:1"


class Ask(BaseOperator):
    """Says what it was told, and one word more."""

    template_fields = ("words",)

    def __init__(self, words, **options):
        super().__init__(**options)
        self.words = words

    def execute(self, context):
        return f"{self.words} yes"


def job(name, script, **environment):
    return SageMakerProcessingStepOperator(
        task_id=name,
        poll_interval=0.1,
        config={
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", script]},
            "RoleArn": "arn:aws:iam::123456789012:role/Work",
            "Environment": environment,
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
            },
        },
    )


with DAG("asked", schedule=None):
    first = job("first", "true", WORD="well")
    ask = Ask(task_id="ask", words="{{ ti.xcom_pull(task_ids='first')['Environment']['WORD'] }}")
    second = job("second", 'test "$WORD" = "well yes"', WORD="{{ ti.xcom_pull(task_ids='ask') }}")
    fails = job("fails", "exit 3")
    last = Ask(task_id="last", words="last", trigger_rule="all_done")
    first >> ask >> [second, fails] >> last
'''


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with local_sagemaker(LocalSettings(max_processes=4, start_after_failure=True)) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_a_split_dag_ends_as_the_dag_that_it_was(local: Any, command: Commands, airflow: Any, tmp_path: Path) -> None:
    command.write(asked=MIXED)
    (command.folder / "asked.sagemaker.yaml").write_text("role: arn:aws:iam::123456789012:role/Work")
    found = command("split", "asked.py", "-o", "new.py")
    assert found.code == 0, found.out
    (command.folder / "new.py").write_text(
        (command.folder / "new.py")
        .read_text()
        .replace('"asked"', '"asked_split"')
        .replace("prefix_group_id=False", "prefix_group_id=False, poll_interval=0.2")
    )
    steps = {item.task_id: item for item in airflow(command.folder / "asked.py", "asked")}
    split = {item.task_id: item for item in airflow(command.folder / "new.py", "asked_split")}
    assert {task: split[task].state for task in steps} == {task: item.state for task, item in steps.items()}
    assert {task: item.state for task, item in steps.items()} == {
        "first": "success",
        "ask": "success",
        "second": "success",
        "fails": "failed",
        "last": "success",
    }
    assert (split["ask"].xcom, split["last"].xcom) == (steps["ask"].xcom, "last yes")
    assert {task for task in split if task not in steps} == {"first_pipeline.launch", "second_pipeline.launch"}
    named = [item["PipelineName"] for item in local.client("sagemaker").list_pipelines()["PipelineSummaries"]]
    assert sorted(named) == ["asked-split-first-pipeline", "asked-split-second-pipeline"]
