"""References, at parse time and at run time."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.definition import Equals, OutputParameter, PropertyFile
from sagemaker_provider.operators import (
    ExecutionVariable,
    Join,
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerFailStepOperator,
    SageMakerLambdaStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerTrainingStepOperator,
)

DESCRIBED = {
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "a", "S3Output": {"S3Uri": "s3://bucket/a"}}]},
    "ExitMessage": "done",
}


@pytest.fixture
def dag() -> DAG:
    with DAG("d") as dag:
        SageMakerProcessingStepOperator(
            task_id="prep", config={}, property_files=[PropertyFile("m", "a", "m.json")], aws_conn_id=None
        )
        SageMakerLambdaStepOperator(task_id="f", function_arn="f", outputs=[OutputParameter("x")])
        SageMakerFailStepOperator(task_id="fail", error_message="")
    return dag


def context(task: Any, xcoms: dict[str, Any]) -> dict[str, Any]:
    """A context whose upstream XComs are given."""
    ti = SimpleNamespace(
        dag_id="d",
        run_id="r",
        task_id=task.task_id,
        map_index=-1,
        try_number=1,
        xcom_pull=lambda task_ids: xcoms.get(task_ids),
    )
    return {"ti": ti, "task": task, "params": {"n": 3}}


def test_a_reference_makes_the_dependency(dag: Any) -> None:
    with dag:
        task = SageMakerTrainingStepOperator(
            task_id="t", config={"a": [{"b": dag.get_task("prep").properties.ExitMessage}]}
        )
    assert task.upstream_task_ids == {"prep"}


@pytest.mark.parametrize(
    "value",
    [
        lambda dag: Join("/", ["x", dag.get_task("prep").properties.ExitMessage]),
        lambda dag: JsonGet(dag.get_task("prep"), "m", "a.b"),
        lambda dag: JsonGet(s3_uri=Join("/", [dag.get_task("prep").properties.ExitMessage]), path="a"),
    ],
    ids=["join", "property file", "s3"],
)
def test_what_holds_a_reference_makes_the_dependency(dag: Any, value: Any) -> None:
    with dag:
        task = SageMakerConditionStepOperator(task_id="c", conditions=Equals(value(dag), 1))
    assert task.upstream_task_ids == {"prep"}


@pytest.mark.parametrize(
    ("task", "path", "hint"),
    [
        ("prep", lambda p: p.ExitMesage, "did you mean 'ExitMessage'"),
        ("prep", lambda p: p.ProcessingOutputConfig.Outputs["a"].S3Output.Uri, "did you mean 'S3Uri'"),
        ("prep", lambda p: p.ExitMessage.Text, "nothing is below it"),
        ("f", lambda p: p.OutputParameters["y"], "declares no output 'y'; it declares x"),
        ("f", lambda p: p.Result, "only OutputParameters"),
    ],
)
def test_a_wrong_path_fails_at_once_with_the_nearest_names(dag: Any, task: str, path: Any, hint: str) -> None:
    with pytest.raises(AttributeError, match=hint):
        path(dag.get_task(task).properties)


def test_a_step_without_properties_says_so(dag: Any) -> None:
    with pytest.raises(AttributeError, match="a Fail step has no properties"):
        dag.get_task("fail").properties  # noqa: B018


def test_an_undeclared_property_file_is_refused(dag: Any) -> None:
    with pytest.raises(ValueError, match="has no property file 'x'; it has m"):
        JsonGet(dag.get_task("prep"), "x", "a")


def test_a_reference_in_an_f_string_is_refused_with_the_way_out(dag: Any) -> None:
    with pytest.raises(TypeError, match="join it with text by Join"):
        f"{dag.get_task('prep').properties.ExitMessage}/x"


def test_resolves_members_and_named_entries(dag: Any) -> None:
    prep = dag.get_task("prep")
    values = context(dag.get_task("f"), {"prep": DESCRIBED})
    assert prep.properties.ProcessingOutputConfig.Outputs["a"].S3Output.S3Uri.resolve(values) == "s3://bucket/a"
    text = Join("/", [prep.properties.ExitMessage, "{{ params.n }}", 4, Join("-", ["x", "y"])])
    assert text.resolve(values) == "done/3/4/x-y"


@pytest.mark.parametrize(
    ("xcoms", "message"),
    [
        ({}, "left no result to read ExitMessage from"),
        ({"prep": {"A": 1}}, "no 'ExitMessage' in the document, which holds A"),
    ],
)
def test_a_value_that_is_not_there_is_an_error(dag: Any, xcoms: Any, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        dag.get_task("prep").properties.ExitMessage.resolve(context(dag.get_task("f"), xcoms))


def test_json_is_read_from_the_output_of_the_step(dag: Any, aws: Any) -> None:
    aws.put("s3://bucket/a/m.json", b'{"a": [{"b": 1.5}]}')
    values = context(dag.get_task("f"), {"prep": DESCRIBED})
    assert JsonGet(dag.get_task("prep"), "m", "a[0].b").resolve(values) == 1.5
    with pytest.raises(LookupError, match=r"s3://bucket/a/m.json: no 'c' in a\[0\], which holds b"):
        JsonGet(dag.get_task("prep"), "m", "a[0].c").resolve(values)


def test_execution_variables_without_a_value_say_so(dag: Any) -> None:
    values = context(dag.get_task("f"), {})
    assert ExecutionVariable("PipelineName").resolve(values) == "d"
    with pytest.raises(LookupError, match="only in a pipeline"):
        ExecutionVariable("PipelineExecutionArn").resolve(values)
    with pytest.raises(ValueError, match="no execution variable 'Nope'"):
        ExecutionVariable("Nope")


def test_references_can_be_copied(dag: Any) -> None:
    reference = dag.get_task("prep").properties.ExitMessage
    assert repr(copy.copy(reference)) == "prep.properties.ExitMessage"
    assert "prep.properties.ExitMessage" in str(Join("", [reference]))
    with pytest.raises(TypeError, match="cannot be looped over"):
        list(reference)
    assert pickle.dumps(ExecutionVariable("PipelineName"))
