"""The whole of a conversion."""

from __future__ import annotations

import pytest
from dag_makers import choice, codes, empty, make_dag, step, steps_of

from sagemaker_provider.definition.model import CacheConfig, RetryPolicy
from sagemaker_provider.translator import Settings, convert


def test_a_step_has_what_its_task_says_about_it() -> None:
    from sagemaker_provider.operators import SageMakerTrainingStepOperator

    policy = RetryPolicy(("Step.SERVICE_FAULT",), max_attempts=3)
    with make_dag() as dag:
        SageMakerTrainingStepOperator(
            task_id="train",
            config={"RoleArn": "arn:aws:iam::111122223333:role/r", "OutputDataConfig": {"S3OutputPath": "s3://b/m"}},
            step_name="Train",
            display_name="Train it",
            description="Monthly",
            cache=CacheConfig(True, "P30D"),
            retry_policies=[policy],
        )
    found = steps_of(convert(dag))["Train"]
    assert found["DisplayName"] == "Train it"
    assert found["Description"] == "Monthly"
    assert found["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}
    assert found["RetryPolicies"] == [policy.to_json()]


def test_steps_stand_in_the_order_in_which_tasks_were_defined_where_nothing_else_decides() -> None:
    with make_dag() as dag:
        for name in ("c", "a", "b"):
            step(name)
    assert list(steps_of(convert(dag))) == ["c", "a", "b"]


def test_an_error_means_that_there_is_no_definition() -> None:
    with make_dag() as dag:
        step("first", step_name="same") >> step("second") >> step("third", step_name="same")
    conversion = convert(dag)
    assert "SMP503" in codes(conversion)
    assert conversion.definition is None
    assert conversion.pipeline["PipelineName"] == "work"


def test_the_result_unpacks_into_definition_and_findings() -> None:
    with make_dag() as dag:
        step("one", retries=1)
    definition, findings = convert(dag)
    assert [item.name for item in definition.steps] == ["one"]
    assert [item.code for item in findings] == ["SMP601"]


def test_more_steps_than_a_pipeline_takes_are_refused() -> None:
    with make_dag() as dag:
        for index in range(51):
            step(f"s{index}")
    conversion = convert(dag)
    assert codes(conversion) == ["SMP504"]
    assert conversion.definition is None


def test_duplicated_tails_are_counted() -> None:
    with make_dag(params={"c": 1}) as dag:
        last = step("join", trigger_rule="none_failed_min_one_success")
        choice("c", "a", "b") >> [step("a"), step("b")] >> last
        for index in range(24):
            last = last >> step(f"s{index}")
    assert "SMP504" in codes(convert(dag))


def test_a_failure_is_no_dependency() -> None:
    from sagemaker_provider.operators import SageMakerFailStepOperator

    with make_dag() as dag:
        SageMakerFailStepOperator(task_id="stop", error_message="no") >> step("after")
    assert codes(convert(dag)) == ["SMP515"]


def test_steps_that_a_fail_step_cuts_short_are_named() -> None:
    from sagemaker_provider.operators import SageMakerFailStepOperator

    with make_dag(params={"c": 1}) as dag:
        (
            step("before")
            >> choice("c", "good", "bad")
            >> [step("good"), SageMakerFailStepOperator(task_id="bad", error_message="no")]
        )
        step("together") >> step("beside")
    found = [item for item in convert(dag).findings if item.code == "SMP620"]
    assert [(item.task, item.message) for item in found] == [("bad", "'beside' may not have started by then")]


def test_findings_of_the_validation_name_the_task() -> None:
    with make_dag() as dag:
        step("group_work", step_name="Work", config={"nested": {"a": 1}})
    assert [(item.code, item.task) for item in convert(dag).findings] == [("SMP523", "group_work")]


@pytest.mark.parametrize("experiment", [None, {"ExperimentName": "e", "TrialName": "t"}])
def test_the_experiment_is_that_of_the_settings(experiment: dict[str, str] | None) -> None:
    with make_dag() as dag:
        step("work")
    definition = convert(dag, Settings(experiment_config=experiment)).definition
    assert definition is not None
    assert definition.members["PipelineExperimentConfig"] == experiment


def test_a_wide_fan_of_many_layers_converts_in_linear_time() -> None:
    with make_dag() as dag:
        before = [empty("start")]
        for layer in range(4):
            tasks = [step(f"s{layer}_{index}") for index in range(12)]
            join = empty(f"join{layer}")
            for first in before:
                first >> tasks
            tasks >> join
            before = [join]
    steps = steps_of(convert(dag))
    assert len(steps) == 48
    assert all(len(steps[f"s3_{index}"]["DependsOn"]) == 12 for index in range(12))
