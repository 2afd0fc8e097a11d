"""Trigger rules become run conditions, or are refused."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from dag_makers import codes, empty, make_dag, messages, step, steps_of

from sagemaker_provider.translator import convert

try:
    from airflow.sdk import TriggerRule
except ImportError:  # Airflow 2
    from airflow.utils.trigger_rule import TriggerRule

RULES = [rule.value for rule in TriggerRule]


def after(rule: str, upstreams: int) -> DAG:
    with make_dag() as dag:
        [step(f"up{index}") for index in range(upstreams)] >> step("task", trigger_rule=rule)
    return dag


def on(trigger: str, *names: str) -> list[Any]:
    return [{"Step": name, "Trigger": trigger} for name in names]


@pytest.mark.parametrize(
    ("rule", "upstreams", "expected"),
    [
        ("all_success", 2, ["up0", "up1"]),
        ("none_failed", 2, ["up0", "up1"]),
        ("none_failed_min_one_success", 2, ["up0", "up1"]),
        ("one_success", 1, ["up0"]),
        ("all_done", 2, on("Any", "up0", "up1")),
        ("one_done", 1, on("Any", "up0")),
        ("all_failed", 2, on("Failed", "up0", "up1")),
        ("one_failed", 1, on("Failed", "up0")),
    ],
)
def test_rule_with_a_counterpart(rule: str, upstreams: int, expected: list[Any]) -> None:
    conversion = convert(after(rule, upstreams))
    assert steps_of(conversion)["task"]["DependsOn"] == expected
    assert codes(conversion) == (["SMP607"] if isinstance(expected[0], dict) else [])


@pytest.mark.parametrize(
    ("rule", "upstreams"),
    [
        ("one_failed", 2),
        ("one_done", 2),
        ("one_success", 2),
        ("all_skipped", 1),
        ("none_skipped", 1),
        ("always", 1),
        pytest.param(
            "all_done_min_one_success",
            1,
            marks=pytest.mark.skipif(
                "all_done_min_one_success" not in RULES, reason="this version of Airflow has no such rule"
            ),
        ),
    ],
)
def test_rule_without_a_counterpart_is_refused(rule: str, upstreams: int) -> None:
    conversion = convert(after(rule, upstreams))
    assert conversion.definition is None
    assert codes(conversion, task="task") == ["SMP205"]
    assert rule in messages(conversion, "SMP205")[0]


def test_a_rule_without_upstream_has_no_effect() -> None:
    assert codes(convert(after("one_failed", 0))) == []


def through(outer: str, inner: str, upstreams: int = 1) -> DAG:
    """``upstreams`` steps, an empty task with the rule ``outer`` after them, a step with the rule ``inner`` after it."""
    with make_dag() as dag:
        task = step("task", trigger_rule=inner)
        middle = empty("middle", trigger_rule=outer)
        [step(f"up{index}") for index in range(upstreams)] >> middle >> task
    return dag


@pytest.mark.parametrize(
    ("outer", "inner", "upstreams", "expected"),
    [
        ("all_success", "all_success", 2, ["up0", "up1"]),
        ("all_done", "all_success", 2, on("Any", "up0", "up1")),
        ("all_success", "all_done", 2, on("Any", "up0", "up1")),
        ("all_failed", "all_success", 2, on("Failed", "up0", "up1")),
        ("all_success", "all_failed", 1, on("Failed", "up0")),
        ("one_failed", "all_success", 1, on("Failed", "up0")),
        ("all_success", "one_done", 2, ["up0", "up1"]),  # an empty task that could not run has not ended
        ("all_done", "one_done", 1, on("Any", "up0")),
    ],
)
def test_rules_are_combined_through_an_empty_task(outer: str, inner: str, upstreams: int, expected: list[Any]) -> None:
    assert steps_of(convert(through(outer, inner, upstreams)))["task"]["DependsOn"] == expected


@pytest.mark.parametrize(
    ("outer", "inner", "upstreams"),
    [
        ("all_success", "all_failed", 2),  # fails when one of the two fails
        ("all_done", "all_failed", 1),  # an empty task that runs does not fail
        ("all_failed", "all_failed", 1),
        ("all_failed", "all_done", 1),
        ("one_failed", "all_success", 2),
        ("one_success", "all_success", 2),
        ("one_done", "all_success", 2),
        ("always", "all_success", 1),
        ("all_success", "always", 1),
        ("all_success", "all_failed", 0),  # never runs
        ("all_success", "one_failed", 0),
    ],
)
def test_rules_that_do_not_combine_through_an_empty_task_are_refused(outer: str, inner: str, upstreams: int) -> None:
    assert codes(convert(through(outer, inner, upstreams)), task=None)[:1] == ["SMP205"]


def two_ways(outer: str, inner: str) -> DAG:
    """A step before another, directly and through an empty task."""
    with make_dag() as dag:
        up, middle, task = step("up"), empty("middle", trigger_rule=outer), step("task", trigger_rule=inner)
        up >> middle >> task
        up >> task
    return dag


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("all_success", "all_success", ["up"]),
        ("all_done", "all_success", ["up"]),
        ("all_done", "all_done", on("Any", "up")),
    ],
)
def test_two_ways_to_the_same_step_are_one_dependency(outer: str, inner: str, expected: list[Any]) -> None:
    assert steps_of(convert(two_ways(outer, inner)))["task"]["DependsOn"] == expected


def test_two_ways_that_contradict_each_other_are_refused() -> None:
    assert "SMP205" in codes(convert(two_ways("all_failed", "all_success")))


def test_a_condition_passes_on_the_rule_with_which_it_waits() -> None:
    from dag_makers import choice

    with make_dag(params={"c": 1, "d": 1}) as dag:
        inner = choice("d", "x")
        step("up") >> choice("c", "d", trigger_rule="all_done") >> inner >> step("x")
    steps = steps_of(convert(dag))
    assert steps["c"]["DependsOn"] == steps["d"]["DependsOn"] == on("Any", "up")


def test_a_teardown_runs_after_the_work_however_it_ends_and_only_after_the_setup() -> None:
    with make_dag() as dag:
        setup, work, down = step("setup").as_setup(), step("work"), step("down")
        setup >> work >> down.as_teardown(setups=setup)
    conversion = convert(dag)
    assert steps_of(conversion)["down"]["DependsOn"] == ["setup", *on("Any", "work")]
    assert codes(conversion) == ["SMP607", "SMP612"]


@pytest.mark.parametrize("rule", ["none_failed", "none_failed_min_one_success", "all_done"])
def test_a_rule_that_runs_after_what_is_skipped_unless_something_fails_is_refused(rule: str) -> None:
    with make_dag() as dag:
        step("work") >> step("alarm", trigger_rule="one_failed") >> step("note") >> step("last", trigger_rule=rule)
    assert codes(convert(dag), task="last") == ["SMP205"]


@pytest.mark.parametrize("rule", ["all_success", "one_success", "one_done"])
def test_a_rule_that_is_skipped_with_it_is_not(rule: str) -> None:
    with make_dag() as dag:
        step("work") >> step("alarm", trigger_rule="one_failed") >> step("last", trigger_rule=rule)
        step("first", trigger_rule="all_failed") >> step("second", trigger_rule="all_done")  # without upstreams it runs
    assert "SMP205" not in codes(convert(dag))


@pytest.mark.parametrize("rule", ["all_failed", "one_failed", "always", "none_skipped"])
@pytest.mark.parametrize("place", ["branch", "join"])
def test_rules_about_ends_and_failures_are_refused_after_a_branch(rule: str, place: str) -> None:
    from dag_makers import choice

    with make_dag(params={"c": 1}) as dag:
        branches = [step("a"), step("b")]
        choice("c", "a", "b") >> branches
        (branches[0] if place == "branch" else branches) >> step("task", trigger_rule=rule)
    assert codes(convert(dag), task="task") == ["SMP205"]


@pytest.mark.parametrize("place", ["branch", "join"])
def test_what_runs_however_the_others_end_runs_in_both_branches(place: str) -> None:
    from dag_makers import choice

    with make_dag(params={"c": 1}) as dag:
        branches = [step("a"), step("b")]
        choice("c", "a", "b") >> branches
        (branches[0] if place == "branch" else branches) >> step("task", trigger_rule="all_done")
    steps = steps_of(convert(dag))
    assert steps["task"]["DependsOn"] == on("Any", "a")
    assert steps["task-else"].get("DependsOn") == (None if place == "branch" else on("Any", "b"))
    inside = [item["Name"] for item in steps["c"]["Arguments"]["ElseSteps"]]
    assert inside == ["b", "task-else"]


def test_redundant_dependencies_are_left_out_but_not_those_with_a_run_condition() -> None:
    with make_dag() as dag:
        first, second, third = step("first"), step("second"), step("third")
        first >> second >> third
        first >> [third, step("clean", trigger_rule="all_done")]
        third >> dag.get_task("clean")
    steps = steps_of(convert(dag))
    assert steps["third"]["DependsOn"] == ["second"]
    assert steps["clean"]["DependsOn"] == on("Any", "first", "third")
