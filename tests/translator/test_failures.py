"""Findings on what a failure keeps from running in the pipeline, and not in Airflow."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from dag_makers import choice, codes, empty, make_dag, messages, step

from sagemaker_provider.translator import Conversion, convert

BESIDE = "may not start after another task has failed on which they do not depend"


def said(conversion: Conversion, code: str) -> dict[str, str]:
    """Task -> message."""
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    return {item.task: item.message for item in conversion.findings if item.code == code}


def test_a_chain_and_a_fan_lose_nothing() -> None:
    with make_dag() as dag:
        step("a") >> step("b") >> [step("c"), step("d")] >> step("e") >> step("f")
    assert codes(convert(dag)) == []


def test_tasks_beside_one_that_may_fail_are_named_once() -> None:
    with make_dag() as dag:
        step("a") >> step("b") >> step("c")
        step("x") >> empty("e") >> step("y")
    (found,) = [item for item in convert(dag).findings if item.code == "SMP638"]
    assert (found.message, found.task) == (f"'b', 'y', 'c' {BESIDE}", "")


def test_steps_that_start_together_wait_for_each_other_where_few_may_run_at_once() -> None:
    with make_dag(max_active_tasks=2) as dag:
        step("a") >> [step("b"), step("c"), step("d")]
    assert messages(convert(dag), "SMP638") == [f"'b', 'c', 'd' {BESIDE}"]


def test_the_other_branch_is_not_beside() -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", "a", "x") >> [step("a"), step("x")]
        dag.get_task("a") >> step("b")
        dag.get_task("x") >> step("y")
    assert messages(convert(dag), "SMP638") == []


def test_a_failure_that_is_waited_for_stops_nothing() -> None:
    with make_dag(params={"check": 1}) as dag:
        step("a") >> choice("check", trigger_rule="all_done")
        step("x") >> step("y")
    assert messages(convert(dag), "SMP638") == [f"'check' {BESIDE}"]  # x stops the check, and a does not stop y


def test_a_failure_is_not_waited_for_by_what_needs_more_than_its_end() -> None:
    with make_dag() as dag:
        [step("a"), step("b")] >> step("alarm", trigger_rule="all_failed")
        step("x") >> step("y")
    assert messages(convert(dag), "SMP638") == [f"'alarm', 'y' {BESIDE}"]


def test_what_waits_for_the_end_of_a_stopped_task_is_named_too() -> None:
    with make_dag() as dag:
        first, alarm = step("first"), step("alarm", trigger_rule="all_failed")
        step("before") >> step("second") >> alarm >> step("after")
        first >> alarm
    (message,) = messages(convert(dag), "SMP638")
    assert message == f"'second', 'alarm', 'after' {BESIDE}"


@pytest.mark.parametrize("rule", ["all_done", "all_failed", "one_failed"])
def test_a_task_after_one_that_could_not_run_is_named_with_those_after_it(rule: str) -> None:
    with make_dag() as dag:
        step("a") >> step("b") >> step("cleanup", trigger_rule=rule) >> empty("e") >> step("report")
    expected = "Airflow runs it also where 'b' cannot run, and then also 'report'"
    assert said(convert(dag), "SMP680") == {"cleanup": expected}


def test_one_done_is_not_run_after_tasks_that_could_not_run() -> None:
    with make_dag() as dag:
        step("a") >> step("b") >> step("next", trigger_rule="one_done")
    assert said(convert(dag), "SMP680") == {}


def test_a_task_after_one_that_always_starts_loses_nothing() -> None:
    with make_dag() as dag:
        [step("a"), step("b")] >> step("cleanup", trigger_rule="all_done")
    assert codes(convert(dag)) == ["SMP607"]


def test_a_task_in_a_branch_is_named_when_the_condition_may_not_be_reached() -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", "a", "b") >> [step("a"), step("b")] >> step("cleanup", trigger_rule="all_done")
    assert said(convert(dag), "SMP680") == {}
    with dag:
        step("before") >> dag.get_task("c")
    assert said(convert(dag), "SMP680") == {
        "cleanup": "Airflow runs it also where 'c' cannot run or 'a' cannot run or 'b' cannot run"
    }


def test_a_condition_that_reads_a_result_may_fail() -> None:
    from sagemaker_provider.definition.conditions import Equals

    with make_dag() as dag:
        value = step("before", trigger_rule="all_done").properties.OutputParameters["o"]
        choice("c", "a", conditions=Equals(value, "x")) >> step("a") >> step("cleanup", trigger_rule="all_done")
    assert said(convert(dag), "SMP680")["cleanup"].startswith("Airflow runs it also where 'c' cannot run")


def test_a_check_without_else_is_a_failure_for_what_runs_after_all() -> None:
    from airflow.providers.amazon.aws.operators.sagemaker import SageMakerConditionOperator

    with make_dag(params={"c": 1}) as dag:
        check = SageMakerConditionOperator(
            task_id="c", condition_type="Equals", left_value="{{ params.c }}", right_value=1, if_task_ids="a"
        )
        check >> step("a") >> step("cleanup", trigger_rule="all_done")
    assert said(convert(dag), "SMP680") == {"cleanup": "Airflow runs it also where 'c' fails or 'a' cannot run"}


def test_one_done_runs_after_a_failure_of_what_it_reads() -> None:
    with make_dag() as dag:
        second = step("b")
        step("a") >> second
        second >> step("c", trigger_rule="one_done", config={"x": second.properties.OutputParameters["o"]})
        read = "{{ ti.xcom_pull('a')['OutputParameters']['o'] }}"  # does not make it wait for 'a'
        second >> step("d", trigger_rule="one_done", config={"x": read})
        second >> step("e", trigger_rule="one_done")
    assert said(convert(dag), "SMP680") == {"c": "Airflow runs it also where 'b' fails"}


def teardown(*work: str) -> DAG:
    with make_dag() as dag:
        last: Any = step("setup").as_setup()
        for name in work:
            last = last >> step(name)
        last >> step("down").as_teardown(setups=dag.get_task("setup"))
    return dag


def test_a_teardown_is_named_when_its_work_has_several_steps() -> None:
    assert said(convert(teardown("one")), "SMP680") == {}
    assert said(convert(teardown("one", "two")), "SMP680") == {"down": "Airflow runs it also where 'two' cannot run"}


def test_many_names_are_cut_short() -> None:
    with make_dag() as dag:
        first = step("first") >> step("second")
        first >> step("all", trigger_rule="all_done") >> [step(f"t{index}") for index in range(45)]
    (message,) = said(convert(dag), "SMP680").values()
    assert message.endswith(", ...")
    assert message.count("'t") == 40


def test_thousands_of_steps() -> None:
    from sagemaker_provider.definition.model import PipelineDefinition, Step
    from sagemaker_provider.translator.failures import Origin, failure_findings
    from sagemaker_provider.translator.graph import read

    with make_dag() as dag:
        tasks = [empty(f"t{index}") for index in range(5000)]
        for index, task in enumerate(tasks[3:], 3):
            tasks[index - 3] >> task
    definition = PipelineDefinition(
        tuple(Step(f"t{n}", "Processing", {}, depends_on=(f"t{n - 3}",) if n > 2 else None) for n in range(5000))
    )
    origins = {f"t{n}": Origin(f"t{n}", f"t{n}", "all_success", False, frozenset()) for n in range(5000)}
    (found,) = failure_findings(definition, origins, read(dag), limited=False)
    assert found.message.startswith("'t3', 't4'")
