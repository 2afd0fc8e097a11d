"""Step names are valid, unique and predictable."""

from __future__ import annotations

import re

import pytest
from dag_makers import codes, make_dag, messages, step, steps_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.definition import limits
from sagemaker_provider.translator import convert
from sagemaker_provider.translator.branches import EVERYWHERE, SIDES
from sagemaker_provider.translator.names import another_name, clean, step_names

IDS = st.text("ab.-_é ", min_size=1, max_size=90)
WORLDS = st.lists(
    st.frozensets(st.tuples(st.sampled_from("cdefghij"), st.sampled_from(SIDES)), max_size=8),
    min_size=1,
    max_size=3,
    unique=True,
)


@pytest.mark.parametrize(
    ("task_id", "name"), [("train", "train"), ("group.train", "group-train"), ("a_b-C9", "a_b-C9"), ("é", "-")]
)
def test_clean_changes_what_a_name_cannot_hold(task_id: str, name: str) -> None:
    assert clean(task_id) == name


def test_long_ids_stay_different() -> None:
    first, second = clean("x" * 80 + "1"), clean("x" * 80 + "2")
    assert first != second
    assert len(first) == limits.STEP_NAME_LENGTH
    assert first.startswith("x" * 55)


@given(st.dictionaries(IDS, st.tuples(st.none() | st.just("chosen"), WORLDS), max_size=8))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_names_are_valid_and_unique(tasks: dict[str, tuple[str | None, list[frozenset[tuple[str, str]]]]]) -> None:
    given_names: dict[str, str | None] = {}
    for task, (name, _) in tasks.items():
        given_names[task] = name if name not in given_names.values() else None
    names, findings = step_names(given_names, {task: worlds for task, (_, worlds) in tasks.items()}, list(tasks))
    assert len(names) == sum(len(worlds) for _, worlds in tasks.values())
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(limits.STEP_NAME, name) for name in names.values())
    renamed = {task for task, (_, worlds) in tasks.items() if not given_names[task] and names[task, worlds[0]] != task}
    assert {item.task for item in findings} == renamed


def test_a_task_keeps_its_name_when_another_would_be_renamed_to_it() -> None:
    order = ["a.b", "a-b"]
    names, findings = step_names(dict.fromkeys(order), dict.fromkeys(order, [EVERYWHERE]), order)
    assert names == {("a.b", EVERYWHERE): "a-b-2", ("a-b", EVERYWHERE): "a-b"}
    assert [item.task for item in findings] == ["a.b"]


def test_a_copy_is_named_after_its_branches() -> None:
    worlds = [frozenset({("c", "IfSteps")}), frozenset({("c", "ElseSteps"), ("d", "IfSteps")})]
    names, _ = step_names({"join": None}, {"join": worlds}, ["join"])
    assert list(names.values()) == ["join", "join-else-if"]


def test_a_second_name_fits_and_is_free() -> None:
    long = "x" * limits.STEP_NAME_LENGTH
    assert another_name("check", "else", {"check-else"}) == "check-else-2"
    assert another_name(long, "else", ()) == "x" * 59 + "-else"


def test_a_chosen_name_stays_and_the_task_id_is_shown() -> None:
    with make_dag() as dag:
        step("extract", step_name="Extract-1") >> step("group_load", display_name="Load")
    conversion = convert(dag)
    steps = steps_of(conversion)
    assert steps["Extract-1"]["DisplayName"] == "extract"
    assert steps["group_load"]["DisplayName"] == "Load"
    assert codes(conversion) == []


def test_two_tasks_that_choose_one_name_are_refused() -> None:
    with make_dag() as dag:
        step("a", step_name="same") >> step("b", step_name="same")
    assert "SMP503" in codes(convert(dag))


def test_tasks_in_groups_are_renamed_and_say_so() -> None:
    from airflow.providers.common.compat.sdk import TaskGroup

    with make_dag() as dag, TaskGroup("etl"):
        step("load")
    conversion = convert(dag)
    assert steps_of(conversion)["etl-load"]["DisplayName"] == "etl.load"
    assert messages(conversion, "SMP701") == ["the step of 'etl.load' is called 'etl-load'"]
