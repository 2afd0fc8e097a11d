"""What is different in the second world."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from dag_makers import make_dag, step
from hypothesis import given
from hypothesis import strategies as st

from sagemaker_provider.definition.findings import finding
from sagemaker_provider.translator.settle import CHANGING, _Pairs, explained, leak, settle


def settled(one: Any, two: Any) -> tuple[Any, list[str]]:
    pairs = _Pairs(None, {})
    value = pairs.settled(one, two, ("task", "config"), ())
    return value, [item.code for item in pairs.findings]


def test_what_is_equal_stays_the_same_object() -> None:
    value = {"a": ["x", 1, {"b": (None, 2.5)}]}
    assert settled(value, {"a": ["x", 1, {"b": (None, 2.5)}]})[0] is value


def test_the_parts_of_a_text_that_differ_are_marked() -> None:
    value, found = settled({"a": "job-21-x"}, {"a": "job-34-x"})
    assert value == {"a": f"job-{{{{ {CHANGING}(0) }}}}-x"}
    assert found == []


@pytest.mark.parametrize(
    ("one", "two"),
    [(1, 2), (1.5, 2.5), ("a", 1), ([1], [1, 2]), ({"a": 1}, {"b": 1}), ([1], (1,)), ({1}, {2}), (True, False)],
)
def test_other_values_that_differ_are_errors(one: Any, two: Any) -> None:
    assert settled([one], [two])[1] == ["SMP111"]


def test_not_a_number_is_not_different() -> None:
    assert settled([float("nan")], [float("nan")])[1] == []


def test_what_holds_itself_is_left_alone() -> None:
    one: dict[str, Any] = {}
    one["self"] = one
    two: dict[str, Any] = {}
    two["self"] = two
    assert settled(one, two) == (one, [])


@given(st.text("ab-", max_size=6), st.text("cd0", min_size=1, max_size=6), st.text("ab-", max_size=6))
def test_equal_parts_have_equal_marks_wherever_they_stand(before: str, name: str, after: str) -> None:
    pairs = _Pairs(None, {})
    other = name.translate(str.maketrans("cd0", "ef1"))
    alone = pairs.settled(name, other, ("", ""), ())
    inside = pairs.settled(f"{before}{name}{after}", f"{before}{other}{after}", ("", ""), ())
    assert inside == f"{before}{alone}{after}"


def dags(**options: Any) -> tuple[Any, Any]:
    made = []
    for world in (0, 1):
        with make_dag(**{key: value[world] for key, value in options.items()}) as dag:
            step("work")
        made.append(dag)
    return made[0], made[1]


@pytest.mark.parametrize(
    ("option", "values", "codes"),
    [
        ("start_date", (datetime(2024, 1, 1), datetime(2024, 1, 2)), ["SMP712"]),
        ("end_date", (datetime(2024, 1, 1), datetime(2024, 1, 2)), ["SMP640"]),
        ("description", ("of today", "of tomorrow"), ["SMP640"]),
        ("dagrun_timeout", (timedelta(1), timedelta(2)), ["SMP640"]),
        ("description", ("same", "same"), []),
    ],
)
def test_settings_of_the_dag_that_differ_are_said(option: str, values: tuple[Any, Any], codes: list[str]) -> None:
    one, two = dags(**{option: values})
    found = settle(one, two, None, {}, {})
    assert [item.code for item in found] == codes


def test_a_dag_with_other_tasks_or_edges_is_an_error() -> None:
    one, two = dags()
    with two:
        step("more")
    assert settle(one, two, None, {}, {})[0].message == "'more' may or may not be there"
    with one:
        step("more") >> one.task_dict["work"]
    assert [item.code for item in settle(one, two, None, {}, {})] == ["SMP112"]
    assert settle(one, None, None, {}, {})[0].code == "SMP112"


def test_params_of_the_values_file_are_the_defaults() -> None:
    one, two = dags(params=({"size": 1, "kept": 2},) * 2)
    settle(one, two, None, {"size": 5, "unknown": 1}, {})
    assert one.params.dump() == {"size": 5, "kept": 2}
    assert one.task_dict["work"].params.dump() == {"size": 5, "kept": 2}


def test_a_param_that_is_different_at_every_load_is_an_error() -> None:
    one, two = dags(params=({"day": "2021"}, {"day": "2034"}))
    assert [(item.code, item.place) for item in settle(one, two, None, {}, {})] == [("SMP111", "params.day")]


def test_marks_are_explained_in_findings() -> None:
    mark = f"{{{{ {CHANGING}(1) }}}}"
    error, left_out, other = explained(
        [finding("SMP301", f"'a{mark}-{mark}' x"), finding("SMP603", f"'b{mark}' is left out"), finding("SMP301", "y")]
    )
    assert (error.code, error.message) == ("SMP111", "'a<different at every load>' x")
    assert (left_out.code, left_out.message) == ("SMP603", "'b<different at every load>' is left out")
    assert (other.code, other.message) == ("SMP301", "y")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("fine", None),
        ("\ue000", "SMP113"),
        ('"\\ue000"', "SMP113"),
        (f"{CHANGING}(1)", "SMP113"),
        ("a hunter2", "SMP306"),
    ],
)
def test_nothing_unknown_or_secret_leaves(text: str, code: str | None) -> None:
    found = leak(text, {"hunter2"})
    assert (found and found.code) == code
