"""Values of tasks: references, records and types."""

from __future__ import annotations

from typing import Any

import pytest
from dag_makers import IMAGE, ROLE, codes, make_dag, messages, rewritten, step, steps_of

from sagemaker_provider.definition.conditions import LessThan
from sagemaker_provider.definition.model import PropertyFile
from sagemaker_provider.operators import (
    CleanupSource,
    ExecutionVariable,
    Join,
    JsonGet,
    SageMakerCleanupStepOperator,
    SageMakerFailStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerTrainingStepOperator,
)
from sagemaker_provider.translator import Conversion, convert

CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
OUTPUT = {
    "OutputName": "metrics",
    "S3Output": {"S3Uri": "s3://b/m", "LocalPath": "/opt/ml/processing/m", "S3UploadMode": "EndOfJob"},
}
PROCESSING = {
    "AppSpecification": {"ImageUri": IMAGE},
    "ProcessingResources": {"ClusterConfig": CLUSTER},
    "ProcessingOutputConfig": {"Outputs": [OUTPUT]},
    "RoleArn": ROLE,
}
TRAINING = {
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "ResourceConfig": CLUSTER,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "OutputDataConfig": {"S3OutputPath": "s3://b/models"},
    "RoleArn": ROLE,
}


def evaluation() -> SageMakerProcessingStepOperator:
    return SageMakerProcessingStepOperator(
        task_id="evaluate", config=PROCESSING, property_files=[PropertyFile("report", "metrics", "m.json")]
    )


def training(parameters: dict[str, Any], **options: Any) -> Conversion:
    with make_dag(**options) as dag:
        SageMakerTrainingStepOperator(task_id="train", config={**TRAINING, **parameters})
    return convert(dag)


def read(make: Any) -> Any:
    """The value that a reader gets, made from the evaluation before it."""
    with make_dag(params={"p": "x"}) as dag:
        step("reader", config={"v": make(evaluation())})
    return steps_of(convert(dag))["reader"]["Arguments"]["v"]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda up: up.properties.ProcessingJobArn, {"Get": "Steps.evaluate.ProcessingJobArn"}),
        (
            lambda up: up.properties.ProcessingOutputConfig.Outputs["metrics"].S3Output.S3Uri,
            {"Get": "Steps.evaluate.ProcessingOutputConfig.Outputs['metrics'].S3Output.S3Uri"},
        ),
        (
            lambda up: Join("/", ["s3:/", up.properties.ProcessingJobName, "{{ params.p }}"]),
            {
                "Std:Join": {
                    "On": "/",
                    "Values": ["s3:/", {"Get": "Steps.evaluate.ProcessingJobName"}, {"Get": "Parameters.p"}],
                }
            },
        ),
        (
            lambda up: JsonGet(up, "report", "mse.value"),
            {"Std:JsonGet": {"Path": "mse.value", "PropertyFile": {"Get": "Steps.evaluate.PropertyFiles.report"}}},
        ),
        (lambda up: ExecutionVariable("PipelineArn"), {"Get": "Execution.PipelineArn"}),
    ],
)
def test_references_become_expressions(make: Any, expected: Any) -> None:
    assert read(make) == expected


def test_a_file_at_an_uri_is_read_and_its_maker_is_waited_for() -> None:
    with make_dag() as dag:
        uri = evaluation().properties.ProcessingOutputConfig.Outputs["metrics"].S3Output.S3Uri
        step("reader", config={"v": JsonGet(path="mse", s3_uri=Join("/", [uri, "m.json"]))})
    steps = steps_of(convert(dag))
    assert list(steps["reader"]["Arguments"]["v"]) == ["Std:JsonGet"]
    assert "DependsOn" not in steps["reader"]  # the reference is the dependency


def test_a_reference_over_a_distance_is_its_own_dependency() -> None:
    with make_dag() as dag:
        first, middle = step("first"), step("middle")
        last = step("last", config={"v": first.properties.OutputParameters["o"]})
        first >> middle >> last
    assert steps_of(convert(dag))["last"]["DependsOn"] == ["middle"]


def test_a_message_of_a_failure_may_be_an_expression() -> None:
    with make_dag() as dag:
        SageMakerFailStepOperator(
            task_id="stop", error_message=Join(" ", ["bad", JsonGet(evaluation(), "report", "m")])
        )
    assert list(steps_of(convert(dag))["stop"]["Arguments"]["ErrorMessage"]) == ["Std:Join"]


def test_a_cleanup_names_the_step_and_not_the_task() -> None:
    with make_dag() as dag:
        train = SageMakerTrainingStepOperator(task_id="group_train", step_name="Train", config=TRAINING)
        clean = SageMakerCleanupStepOperator(task_id="clean", sources=[CleanupSource(train)])
        train >> clean
    assert steps_of(convert(dag))["clean"]["Arguments"] == {"Resources": {"S3": [{"StepName": "Train"}]}}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: "a"}, object(), b"bytes", {"a"}])
def test_what_is_not_json_is_refused(value: Any) -> None:
    _, conversion = rewritten(value)
    assert conversion.definition is None
    assert codes(conversion) == ["SMP307"]


def test_another_xcom_than_the_result_is_refused() -> None:
    with make_dag() as dag:
        step("reader", config={"v": step("up").output["other"]})
    assert codes(convert(dag)) == ["SMP304"]


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        ("5", "5", []),
        (5, "5", []),
        (0.5, "0.5", []),
        ("{{ params.count }}", {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.count"}]}}, []),
        ("{{ params.ratio }}", {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.ratio"}]}}, ["SMP613"]),
        ("{{ params.flag }}", {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.flag"}]}}, ["SMP613"]),
        ("{{ params.text }}", {"Get": "Parameters.text"}, []),
    ],
)
def test_numbers_become_text_where_the_request_wants_text(value: Any, expected: Any, noted: list[str]) -> None:
    params = {"count": 3, "ratio": 0.5, "flag": True, "text": "t"}
    conversion = training({"HyperParameters": {"h": value}}, params=params)
    assert steps_of(conversion)["train"]["Arguments"]["HyperParameters"]["h"] == expected
    assert codes(conversion) == noted


@pytest.mark.parametrize(
    ("value", "expected", "noted"),
    [
        ("2", 2, []),
        ("{{ params.count }}", {"Get": "Parameters.count"}, []),
        ("{{ params.text }}", {"Get": "Parameters.text"}, ["SMP627"]),
    ],
)
def test_numbers_stay_numbers_where_the_request_wants_them(value: Any, expected: Any, noted: list[str]) -> None:
    conversion = training({"ResourceConfig": {**CLUSTER, "InstanceCount": value}}, params={"count": 3, "text": "t"})
    assert steps_of(conversion)["train"]["Arguments"]["ResourceConfig"]["InstanceCount"] == expected
    assert codes(conversion) == noted


def test_a_value_that_cannot_have_the_type_is_refused_with_its_place() -> None:
    conversion = training({"ResourceConfig": {**CLUSTER, "InstanceCount": "many"}})
    assert conversion.definition is None
    assert [(item.code, item.task, item.place) for item in conversion.findings] == [
        ("SMP523", "train", "Steps.train.Arguments.ResourceConfig.InstanceCount")
    ]


def test_a_condition_on_a_file_of_an_upstream_step() -> None:
    from dag_makers import choice

    with make_dag(params={"limit": 0.5}) as dag:
        test = LessThan(JsonGet(evaluation(), "report", "mse"), "{{ params.limit }}")
        choice("check", "work", conditions=test) >> step("work")
    (condition,) = steps_of(convert(dag))["check"]["Arguments"]["Conditions"]
    assert condition["Type"] == "LessThan"
    assert condition["RightValue"] == {"Get": "Parameters.limit"}
    assert "DependsOn" not in steps_of(convert(dag))["check"]


def test_the_arn_of_a_function_must_be_literal() -> None:
    from sagemaker_provider.operators import SageMakerLambdaStepOperator

    with make_dag(params={"arn": "x"}) as dag:
        SageMakerLambdaStepOperator(task_id="work", function_arn="{{ params.arn }}")
    conversion = convert(dag)
    assert codes(conversion) == ["SMP301"]
    assert messages(conversion, "SMP301") == ["a pipeline takes only literal text here"]


def test_an_entry_of_a_named_list_is_addressed_by_its_name() -> None:
    outputs = [
        {
            "OutputName": name,
            "S3Output": {"S3Uri": f"s3://bucket/{name}", "LocalPath": "/x", "S3UploadMode": "EndOfJob"},
        }
        for name in ("a", "b")
    ]
    path = "['ProcessingOutputConfig']['Outputs'][1]['S3Output']['S3Uri']"
    assert read_of_processing(outputs, path) == {"Get": "Steps.prep.ProcessingOutputConfig.Outputs['b'].S3Output.S3Uri"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a", "['ProcessingOutputConfig']['Outputs']['a']['S3Output']['S3Uri']"),
        ("a", "['ProcessingOutputConfig']['Outputs'][7]['S3Output']['S3Uri']"),
        ("{{ ds }}", "['ProcessingOutputConfig']['Outputs'][0]['S3Output']['S3Uri']"),
    ],
    ids=["by text", "beyond the end", "a name that is a template"],
)
def test_an_entry_that_airflow_or_a_pipeline_cannot_find_is_refused(name: str, path: str) -> None:
    outputs = [
        {"OutputName": name, "S3Output": {"S3Uri": "s3://bucket/a", "LocalPath": "/x", "S3UploadMode": "EndOfJob"}}
    ]
    assert read_of_processing(outputs, path) == "SMP304"


def read_of_processing(outputs: list[dict[str, Any]], path: str) -> Any:
    """What a template that reads the XCom of a processing task becomes, or the code of its finding."""
    from sagemaker_provider.operators import SageMakerProcessingStepOperator

    config = {
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "AppSpecification": {"ImageUri": "image"},
        "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
        "ProcessingOutputConfig": {"Outputs": outputs},
    }
    with make_dag() as dag:
        prep = SageMakerProcessingStepOperator(task_id="prep", config=config)
        prep >> step("reader", config={"value": f"{{{{ ti.xcom_pull(task_ids='prep'){path} }}}}"})
    conversion = convert(dag)
    if conversion.definition is None:
        return next(item.code for item in conversion.findings if item.task == "reader")
    return steps_of(conversion)["reader"]["Arguments"]["value"]


def test_a_number_of_another_step_is_text_where_text_is_wanted() -> None:
    from sagemaker_provider.definition import OutputParameter

    with make_dag() as dag:
        up = step("up", outputs=[OutputParameter("n", "Integer")])
        config = {**TRAINING, "HyperParameters": {"n": up.properties.OutputParameters["n"]}}
        SageMakerTrainingStepOperator(task_id="train", config=config)
    conversion = convert(dag)
    wrapped = {"Std:Join": {"On": "", "Values": [{"Get": "Steps.up.OutputParameters['n']"}]}}
    assert steps_of(conversion)["train"]["Arguments"]["HyperParameters"] == {"n": wrapped}
    assert codes(conversion) == []


def test_a_value_of_a_file_becomes_text_where_text_is_wanted() -> None:
    from airflow.providers.common.compat.sdk import task

    from sagemaker_provider.operators import SageMakerTrainingStepOperator
    from sagemaker_provider.translator import Defaults, Settings

    with make_dag() as dag:

        @task
        def count() -> int:
            return 5

        config = {
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "HyperParameters": {"rounds": count()},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        }
        SageMakerTrainingStepOperator(task_id="train", config=config)
    conversion = convert(dag, Settings(defaults=Defaults({"role": ROLE, "image": "i", "code_location": "s3://b/c"})))
    (value,) = steps_of(conversion)["train"]["Arguments"]["HyperParameters"]["rounds"]["Std:Join"]["Values"]
    assert value["Std:JsonGet"]["Path"] == "return_value"
    assert "SMP613" in codes(conversion, task="train")
