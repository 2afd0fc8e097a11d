"""A whole DAG, or a definition, as one task, on a local SageMaker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from contexts import context as airflow_context
from pipelines_client import ROLE, definition, parameter, processing

from sagemaker_provider.hooks.step import SageMakerStepError
from sagemaker_provider.operators import SageMakerPipelineDagOperator

CHILD = """
from airflow.providers.common.compat.sdk import DAG
from sagemaker_provider.operators import SageMakerProcessingStepOperator

with DAG("child", schedule=None, params={"code": "0"}):
    SageMakerProcessingStepOperator(task_id="work", config={
        "AppSpecification": {"ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/work:1",
                             "ContainerEntrypoint": ["sh", "-c", "exit $CODE"]},
        "Environment": {"CODE": "{{ params.code }}", "DAY": "{{ ds }}"}, "RoleArn": "ROLE",
        "ProcessingResources": {"ClusterConfig": {
            "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}}})
""".replace("ROLE", ROLE)


def operator(folder: Path, **options: Any) -> SageMakerPipelineDagOperator:
    with DAG("parent", schedule=None) as dag:
        task = SageMakerPipelineDagOperator(
            task_id="child", deferrable=False, poll_interval=0.05, aws_conn_id=None, role=ROLE, **options
        )
    dag.fileloc = str(folder / "parent.py")
    return task


def run(task: SageMakerPipelineDagOperator, **options: Any) -> dict[str, Any]:
    context = {**airflow_context("child", **options), "ds": "2026-01-31", "task": task}
    return dict(task.execute(context))


def parameters(execution: str) -> dict[str, str]:
    found = boto3.client("sagemaker").list_pipeline_parameters_for_execution(PipelineExecutionArn=execution)
    return {item["Name"]: item["Value"] for item in found["PipelineParameters"]}


def test_a_dag_file_is_deployed_once_and_run(local_sagemaker: Any, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    ended = run(operator(tmp_path, file="child.py"))
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert parameters(ended["PipelineExecutionArn"]) == {"code": "0", "ds": "2026-01-31"}
    again = run(operator(tmp_path, file="child.py", dag_id="child", parameters={"ds": "2026-02-01"}), run_id="other")
    assert parameters(again["PipelineExecutionArn"]) == {"code": "0", "ds": "2026-02-01"}
    calls = [call.operation for call in local_sagemaker.calls]
    assert (calls.count("CreatePipeline"), calls.count("UpdatePipeline")) == (1, 0)
    assert calls.count("StartPipelineExecution") == 2


def test_a_failed_step_fails_the_task(local_sagemaker: Any, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    with pytest.raises(SageMakerStepError, match=r"ended as Failed .*work Failed"):
        run(operator(tmp_path, file="child.py", parameters={"code": "3"}))


def test_a_definition_runs_as_well(local_sagemaker: Any, tmp_path: Path) -> None:
    text = definition(processing("work"), parameters=[parameter("a", default="x")])
    (tmp_path / "other.pipeline.json").write_text(text)
    ended = run(operator(tmp_path, file="other.pipeline.json", parameters='{"a": "y"}'))
    assert ended["PipelineArn"].endswith(":pipeline/other")
    assert parameters(ended["PipelineExecutionArn"]) == {"a": "y"}


def test_what_is_no_pipeline_says_so(local_sagemaker: Any, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD.replace("{{ ds }}", "{{ task.owner }}"))
    with pytest.raises(
        AirflowFailException, match=r"child\.py cannot be a pipeline: SMP301 error: .*child: work: config"
    ):
        run(operator(tmp_path, file="child.py"))
    two = CHILD + CHILD.replace('"child"', '"second"')
    (tmp_path / "child.py").write_text(two)
    with pytest.raises(AirflowFailException, match=r"child\.py has the DAGs child, second: give dag_id"):
        run(operator(tmp_path, file="child.py"))
    with pytest.raises(AirflowFailException, match="cannot be read"):
        run(operator(tmp_path, file="none.pipeline.json"))
    assert "StartPipelineExecution" not in {call.operation for call in local_sagemaker.calls}
