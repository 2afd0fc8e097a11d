"""Tasks of Airflow itself: empty ones vanish and leave their dependencies."""

from __future__ import annotations

from dag_makers import codes, empty, make_dag, messages, step, steps_of

from sagemaker_provider.translator import convert

try:
    from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
    from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
except ImportError:  # Airflow 2 has them itself
    from airflow.operators.latest_only import LatestOnlyOperator
    from airflow.operators.trigger_dagrun import TriggerDagRunOperator


def test_empty_tasks_vanish_with_a_note() -> None:
    with make_dag() as dag:
        empty("start") >> step("work") >> empty("end")
    conversion = convert(dag)
    assert list(steps_of(conversion)) == ["work"]
    assert codes(conversion, task="start") == codes(conversion, task="end") == ["SMP702"]


def test_what_is_before_an_empty_task_is_before_what_is_after_it() -> None:
    with make_dag() as dag:
        [step("a"), step("b")] >> empty("one") >> empty("two") >> [step("x"), step("y")]
    steps = steps_of(convert(dag))
    assert steps["x"]["DependsOn"] == steps["y"]["DependsOn"] == ["a", "b"]


def test_an_empty_task_leaves_no_redundant_dependency() -> None:
    with make_dag() as dag:
        first, second, third = step("first"), step("second"), step("third")
        first >> second >> third
        first >> empty("aside") >> third
    assert steps_of(convert(dag))["third"]["DependsOn"] == ["second"]


def test_a_dag_of_empty_tasks_is_nothing_to_convert() -> None:
    with make_dag() as dag:
        empty("start") >> empty("end")
    conversion = convert(dag)
    assert conversion.definition is None
    assert codes(conversion) == ["SMP104", "SMP702"]


def test_latest_only_vanishes_and_is_told() -> None:
    with make_dag() as dag:
        step("before") >> LatestOnlyOperator(task_id="latest") >> step("after")
    conversion = convert(dag)
    assert steps_of(conversion)["after"]["DependsOn"] == ["before"]
    assert codes(conversion, task="latest") == ["SMP687"]


def test_tasks_on_other_dags_stay_and_say_why() -> None:
    with make_dag() as dag:
        step("work") >> TriggerDagRunOperator(task_id="start", trigger_dag_id="other")
    conversion = convert(dag)
    assert conversion.definition is None
    assert messages(conversion, "SMP201") == ["TriggerDagRunOperator: it starts a run of another DAG"]
