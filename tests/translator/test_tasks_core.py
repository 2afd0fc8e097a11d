"""Empty tasks vanish and leave their dependencies."""

from __future__ import annotations

from dag_makers import codes, empty, make_dag, step, steps_of

from sagemaker_provider.translator import convert


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
