"""What the service shows of a step, as the XCom of the task that stands for it."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from botocore.session import get_session

from sagemaker_provider.definition import OutputParameter
from sagemaker_provider.definition.step_types import STEP_METADATA, STEP_TYPES
from sagemaker_provider.operators import (
    SageMakerLambdaStepOperator,
    SageMakerLineageStepOperator,
    SageMakerQualityCheckStepOperator,
    SageMakerTrainingStepOperator,
)
from sagemaker_provider.operators.results import foreign_result, made, metadata_of, own_result

JOB = "arn:aws:sagemaker:us-west-2:123456789012:"
FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function:work"


def test_every_step_type_has_its_metadata_in_the_api() -> None:
    members = get_session().get_service_model("sagemaker").shape_for("PipelineExecutionStepMetadata").members
    assert {STEP_METADATA.get(name, name) for name in STEP_TYPES} <= set(members)


@pytest.mark.parametrize(
    ("kind", "metadata", "expected"),
    [
        ("Processing", {"ProcessingJob": {"Arn": f"{JOB}processing-job/p-1"}}, {"ProcessingJobName": "p-1"}),
        ("Training", {"TrainingJob": {"Arn": f"{JOB}training-job/t-1"}}, {"TrainingJobName": "t-1"}),
        ("Tuning", {"TuningJob": {"Arn": f"{JOB}tuning/h"}}, {"HyperParameterTuningJobName": "h"}),
        ("AutoML", {"AutoMLJob": {"Arn": f"{JOB}automl-job/a"}}, {"AutoMLJobName": "a"}),
        ("Transform", {"TransformJob": {"Arn": f"{JOB}transform-job/t"}}, {"TransformJobName": "t"}),
        ("Model", {"Model": {"Arn": f"{JOB}model/m"}}, {"ModelName": "m"}),
        ("RegisterModel", {"RegisterModel": {"Arn": f"{JOB}model-package/g/1"}}, {"ModelPackageName": f"{JOB}model-package/g/1"}),
        ("Endpoint", {"Endpoint": {"Arn": f"{JOB}endpoint/e"}}, {"EndpointName": "e"}),
        ("QualityCheck", {"QualityCheck": {"CheckJobArn": f"{JOB}processing-job/q"}}, {"ProcessingJobName": "q"}),
        ("EMR", {"EMR": {"ClusterId": "j-1", "StepId": "s-1", "StepName": "x"}}, {"ClusterId": "j-1", "StepId": "s-1"}),
        (
            "EMRServerless",
            {"EMRServerless": {"ApplicationId": "a", "JobRunId": "r"}},
            {"applicationId": "a", "jobRunId": "r"},
        ),
        ("Lambda", {"Lambda": {"Arn": FUNCTION}}, {}),
        ("Training", {}, {}),
    ],
)  # fmt: skip
def test_what_a_step_has_created_is_described_by(kind: str, metadata: Any, expected: Any) -> None:
    assert made(kind, {"Metadata": metadata}) == expected
    assert made(kind, {}) == {}


def test_outputs_have_their_types() -> None:
    outputs = ["a", OutputParameter("n", "Integer")]
    task = SageMakerLambdaStepOperator(task_id="t", function_arn=FUNCTION, outputs=outputs)
    shown = {"OutputParameters": [{"Name": "a", "Value": "x"}, {"Name": "n", "Value": "5"}]}
    assert own_result(task, {}, shown, {}, {}) == {"OutputParameters": {"a": "x", "n": 5}}


def test_a_job_is_described() -> None:
    task = SageMakerTrainingStepOperator(task_id="t", config={})
    described = {"TrainingJobName": "t-1", "TrainingJobStatus": "Completed"}
    assert own_result(task, {}, {"Arn": "..."}, {"TrainingJobName": "t-1"}, described) == described


def test_a_check_has_its_baselines() -> None:
    task = SageMakerQualityCheckStepOperator(task_id="t", config={}, check_type="DATA_QUALITY")
    shown = {
        "CheckType": "DATA_QUALITY",
        "CheckJobArn": "...",
        "CalculatedBaselineStatistics": "s3://b/s",
        "ViolationReport": "s3://b/v",
    }
    result = own_result(task, {}, shown, {"ProcessingJobName": "p"}, {"ProcessingJobName": "p"})
    assert result == {
        "ProcessingJobName": "p",
        "CalculatedBaselineStatistics": "s3://b/s",
        "ViolationReport": "s3://b/v",
    }


def test_lineage_gives_the_entities() -> None:
    task = SageMakerLineageStepOperator(task_id="t", config={})
    shown = {"ActionArns": {"a": "arn"}, "Associations": []}
    assert own_result(task, {}, metadata_of("Lineage", {"Metadata": {"Lineage": shown}}), {}, {}) == shown


def foreign(item: dict[str, Any], metadata: Any = None, description: Any = None, **members: Any) -> Any:
    task: Any = SimpleNamespace(task_id="t", log=logging.getLogger("t"), **members)
    given = {"type": "Training", **item}
    return foreign_result(
        task, {}, given, metadata or {}, description or {}, lambda context: task.choose_branch(context)
    )


def test_other_operators_have_what_theirs_give() -> None:
    described = {"TrainingJobName": "j", "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m"}}
    whole = {"wrapper": "Training", "beside": {}}
    assert foreign({"result": whole}, description=described) == {"Training": described}
    assert foreign({"result": {"path": ["ModelArtifacts", "S3ModelArtifacts"]}}, description=described) == "s3://b/m"
    outputs = {"OutputParameters": [{"Name": "n", "Value": "3"}]}
    item = {"type": "Lambda", "result": {"path": ["OutputParameters", "n"]}, "outputs": [["n", "Integer"]]}
    assert foreign(item, outputs) == 3
    assert foreign({"result": {}}, description=described) is None


def test_a_transform_of_the_amazon_provider_has_its_model_too() -> None:
    asked = []

    def describe(resource: Any, identifiers: Any) -> Any:
        asked.append((resource.describe, identifiers))
        return {"ModelName": "m", "ModelArn": "arn"}

    launch = SimpleNamespace(aws_hook=lambda service: SimpleNamespace(describe=describe))
    item = {"type": "Transform", "result": {"wrapper": "Transform", "beside": {"Model": "ModelName"}}}
    described = {"TransformJobName": "t", "ModelName": "m"}
    expected = {"Transform": described, "Model": {"ModelName": "m", "ModelArn": "arn"}}
    assert foreign(item, description=described, launch=launch) == expected
    assert asked == [("DescribeModel", {"ModelName": "m"})]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_the_step_has_returned_stands_in_the_place_of_the_function(asynchronous: bool) -> None:
    import asyncio

    left = {"return_value": 5, "k": 6}
    converter = SimpleNamespace(read_xcoms=lambda s3, uri: dict(left))
    launch = SimpleNamespace(aws_hook=lambda service: SimpleNamespace(conn=None), converter=converter)
    task: Any = SimpleNamespace(task_id="t", launch=launch, execute_callable=None)
    pushed: dict[str, Any] = {}
    context = {"ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))}
    place = {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "xcom", "S3Output": {"S3Uri": "s3://b/x"}}]}}

    def execute(context: Any) -> Any:
        return asyncio.run(task.aexecute_callable()) if asynchronous else task.execute_callable()

    assert foreign_result(task, context, {"type": "Processing", "result": {"file": "xcom"}}, {}, place, execute) == 5
    assert pushed == {"k": 6}


def test_other_branch_operators_take_the_branch_of_the_step() -> None:
    branches = {"if_task_ids": ["a"], "else_task_ids": ["b"]}
    assert foreign({"type": "Condition"}, {"Outcome": "True"}, **branches) == ["a"]
    assert foreign({"type": "Condition"}, {"Outcome": "False"}, **branches) == ["b"]
    with pytest.raises(AirflowFailException, match="t: the conditions are false and there is no other branch"):
        foreign({"type": "Condition"}, {"Outcome": "False"}, if_task_ids=["a"], else_task_ids=[])
