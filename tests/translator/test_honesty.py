"""DAGs that look translatable and are not, or whose translation has to differ from the obvious one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerModelOperator, SageMakerTrainingOperator
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerTrainingSensor
from dag_makers import ROLE, EmptyOperator, choice, codes, make_dag, step, steps_of

from sagemaker_provider.operators import Join, SageMakerLambdaStepOperator, SageMakerRegisterModelStepOperator
from sagemaker_provider.translator import convert

TRAINING = {
    "TrainingJobName": "train",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


class OtherTraining(SageMakerTrainingOperator):
    """Does something else."""

    def execute(self, context: Any) -> Any:
        return None


class OtherEmpty(EmptyOperator):
    """Does something."""

    def execute(self, context: Any) -> Any:
        return "work"


class OtherLambda(SageMakerLambdaStepOperator):
    """Renders nothing."""

    template_fields = ()


class SameTraining(SageMakerTrainingOperator):
    """Has another name only."""


@pytest.mark.parametrize(
    ("make", "changed"),
    [
        (lambda: OtherTraining(task_id="t", config=TRAINING), "it changes execute of SageMakerTrainingOperator"),
        (lambda: OtherEmpty(task_id="t"), "it changes execute of EmptyOperator"),
        (lambda: OtherLambda(task_id="t", function_arn="f"), "it changes template_fields of SageMakerStepOperator"),
    ],
)
def test_a_subclass_that_behaves_differently_is_not_its_base_class(make: Any, changed: str) -> None:
    with make_dag() as dag:
        make()
    (found,) = convert(dag).findings
    assert (found.code, found.task) == ("SMP201", "t")
    assert changed in found.message


def test_a_subclass_that_changes_nothing_is_its_base_class() -> None:
    with make_dag() as dag:
        SameTraining(task_id="t", config=TRAINING)
    assert steps_of(convert(dag))["t"]["Type"] == "Training"


@pytest.mark.parametrize("rule", ["none_failed", "none_failed_min_one_success"])
@pytest.mark.parametrize("between", [False, True])
def test_what_goes_on_after_a_task_that_success_skips_is_refused(rule: str, between: bool) -> None:
    with make_dag() as dag:
        work, alert, end = step("work"), step("alert", trigger_rule="one_failed"), step("end", trigger_rule=rule)
        work >> alert
        alert >> step("page") >> end if between else alert >> end
        work >> end
    assert [(item.code, item.task) for item in convert(dag).findings if item.code == "SMP205"] == [("SMP205", "end")]


def test_a_sensor_succeeds_only_when_its_job_does() -> None:
    with make_dag() as dag:
        train = SageMakerTrainingOperator(task_id="train", config=TRAINING, wait_for_completion=False)
        sensor = SageMakerTrainingSensor(task_id="wait", job_name="train", trigger_rule="all_done")
        train >> sensor >> step("deploy")
    assert steps_of(convert(dag))["deploy"]["DependsOn"] == ["train"]


def test_a_sensor_behind_a_task_that_tolerates_failure_keeps_the_wait_for_success() -> None:
    with make_dag() as dag:
        train = SageMakerTrainingOperator(task_id="train", config=TRAINING)
        sensor = SageMakerTrainingSensor(task_id="wait", job_name="train")
        train >> step("report", trigger_rule="all_done") >> sensor >> step("deploy")
    assert set(steps_of(convert(dag))["deploy"]["DependsOn"]) == {"report", "train"}


def test_a_param_that_names_a_model_and_other_things_stays_a_param_elsewhere() -> None:
    name = "{{ params.model }}"
    with make_dag(params={"model": "churn"}) as dag:
        model = SageMakerModelOperator(task_id="m", config={"ModelName": name, "ExecutionRoleArn": ROLE})
        model >> SageMakerRegisterModelStepOperator(task_id="r", config={"ModelPackageGroupName": name})
        model >> step("f", config={"model": name, "path": "s3://bucket/{{ params.model }}/x"})
    steps = steps_of(convert(dag))
    assert steps["r"]["Arguments"]["ModelPackageGroupName"] == {"Get": "Parameters.model"}
    assert steps["f"]["Arguments"]["model"] == {"Get": "Parameters.model"}


@pytest.mark.parametrize("spelling", ["s3://bucket/out/job-{{ds_nodash}}", "s3://bucket//out/job-{{  ds_nodash }}"])
def test_the_model_of_a_training_is_found_however_its_path_is_written(spelling: str) -> None:
    with make_dag() as dag:
        train = SageMakerTrainingOperator(task_id="t", config={**TRAINING, "TrainingJobName": "job-{{ ds_nodash }}"})
        data = f"{spelling}/output/model.tar.gz"
        config = {"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "i", "ModelDataUrl": data}}
        train >> SageMakerModelOperator(task_id="m", config=config)
    container = steps_of(convert(dag))["m"]["Arguments"]["PrimaryContainer"]
    assert container["ModelDataUrl"] == {"Get": "Steps.t.ModelArtifacts.S3ModelArtifacts"}


def test_values_in_a_join_are_written_as_airflow_writes_them() -> None:
    with make_dag() as dag:
        task = step("s", config={"text": Join("-", ["a", True, 1e-05, 3])})
    values = steps_of(convert(dag))["s"]["Arguments"]["text"]["Std:Join"]["Values"]
    context = {"task": task, "ti": SimpleNamespace()}
    assert "-".join(values) == task.config["text"].resolve(context) == "a-True-1e-05-3"


@pytest.mark.parametrize(
    "options",
    [{"jinja_environment_kwargs": {"variable_start_string": "[["}}, {"user_defined_filters": {"string": str}}],
)
def test_settings_that_change_templates_are_refused(options: dict[str, Any]) -> None:
    with make_dag(**options) as dag:
        step("s")
    assert codes(convert(dag)) == ["SMP202"]


def test_a_condition_without_else_tells_what_its_failure_cuts_short() -> None:
    from airflow.providers.amazon.aws.operators.sagemaker import SageMakerConditionOperator

    with make_dag(params={"c": 1}) as dag:
        check = SageMakerConditionOperator(
            task_id="c", condition_type="Equals", left_value="{{ params.c }}", right_value=1, if_task_ids="a"
        )
        check >> step("a")
        step("together") >> step("beside")
    assert [(item.task, item.message.split()[0]) for item in convert(dag).findings if item.code == "SMP620"] == [
        ("c", "'beside'")
    ]


def test_a_dag_that_cannot_be_read_is_a_finding(mocker: Any) -> None:
    mocker.patch("sagemaker_provider.translator.graph.read", side_effect=RuntimeError("odd"))
    with make_dag() as dag:
        step("s")
    conversion = convert(dag)
    assert [(item.code, item.message) for item in conversion.findings] == [("SMP106", "RuntimeError: odd")]
    assert conversion.definition is None


def test_a_lifted_condition_whose_outcome_is_read_keeps_its_name() -> None:
    with make_dag(params={"o": 1, "i": 1}) as dag:
        outer, inner = choice("o", "i"), choice("i", (), "x")
        outer >> inner >> step("x", config={"was": inner.properties.Outcome})
    conversion = convert(dag)
    assert conversion.definition is not None, conversion.findings
    assert {"i", "i-else"} <= set(steps_of(conversion))


def test_reading_a_task_that_pushes_no_xcom_is_told() -> None:
    with make_dag() as dag:
        silent = SameTraining(task_id="t", config=TRAINING, do_xcom_push=False)
        silent >> step("reader", config={"value": "{{ ti.xcom_pull('t')['Training']['TrainingJobArn'] }}"})
    found = [item.message for item in convert(dag).findings if item.code == "SMP609"]
    assert found == ["'t' has do_xcom_push=False, so Airflow finds nothing; the pipeline reads its step"]


def test_a_literal_job_name_inside_a_path_is_told() -> None:
    with make_dag() as dag:
        SameTraining(task_id="t", config=TRAINING) >> step("reader", config={"value": "s3://other/train/x"})
    conversion = convert(dag)
    assert steps_of(conversion)["reader"]["Arguments"]["value"] == "s3://other/train/x"
    assert "SMP602" in codes(conversion, task="reader")
