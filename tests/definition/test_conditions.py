"""The eight conditions: JSON both ways, truth tables, strict types."""

from __future__ import annotations

from typing import Any

import pytest

from sagemaker_provider.definition.conditions import (
    CONDITIONS,
    ConditionTypeError,
    Equals,
    GreaterThan,
    GreaterThanOrEqualTo,
    In,
    LessThan,
    LessThanOrEqualTo,
    Not,
    Or,
    decode_condition,
    holds,
)
from sagemaker_provider.definition.expressions import Get, encode

P = Get("Parameters.P")
YES, NO = Equals(1, 1), Equals(1, 2)
ORDERS = (GreaterThan, GreaterThanOrEqualTo, LessThan, LessThanOrEqualTo)


def test_the_language_has_eight_conditions() -> None:
    assert sorted(CONDITIONS) == sorted(
        ["Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo", "In", "Not", "Or"]
    )


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        *((cls(P, 5), {"Type": cls.__name__, "LeftValue": {"Get": "Parameters.P"}, "RightValue": 5}) for cls in (Equals, *ORDERS)),
        (In(P, ["a", P]), {"Type": "In", "QueryValue": {"Get": "Parameters.P"}, "Values": ["a", {"Get": "Parameters.P"}]}),
        (Not(YES), {"Type": "Not", "Condition": {"Type": "Equals", "LeftValue": 1, "RightValue": 1}}),
        (Or([YES, Not(Or([]))]), {"Type": "Or", "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}, {"Type": "Not", "Condition": {"Type": "Or", "Conditions": []}}]}),
    ],
)  # fmt: skip
def test_a_condition_is_written_and_read_again(condition: Any, written: dict[str, Any]) -> None:
    assert condition.to_json() == written
    assert decode_condition(written) == condition


@pytest.mark.parametrize(
    "value",
    [
        {"Type": "And", "Conditions": []},
        {"Type": ["Equals"], "LeftValue": 1, "RightValue": 2},
        {"Type": "Equals", "LeftValue": 1},
        {"Type": "Equals", "LeftValue": 1, "RightValue": 2, "More": 3},
        {"Type": "In", "QueryValue": 1, "Values": {"Get": "Parameters.P"}},
        {"Type": "Or", "Conditions": {"Type": "Equals", "LeftValue": 1, "RightValue": 1}},
        {"Type": "Not", "Expression": {"Type": "Equals", "LeftValue": 1, "RightValue": 1}},
        {"LeftValue": 1, "RightValue": 1},
        [],
        None,
        "True",
    ],
    ids=str,
)
def test_what_has_not_the_form_of_a_condition_stays_as_it_is(value: Any) -> None:
    assert encode(decode_condition(value)) == value
    assert not isinstance(decode_condition(value), tuple(CONDITIONS.values()))


def test_conditions_of_different_types_are_never_equal() -> None:
    assert Equals(1, 2) != GreaterThan(1, 2)
    assert len({cls(1, 2) for cls in (Equals, *ORDERS)}) == 5


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        (Equals("a", "a"), True),
        (Equals("a", "A"), False),
        (Equals("", ""), True),
        (Equals(1, 1.0), True),
        (Equals(1, 2), False),
        (Equals(True, True), True),
        (Equals(True, False), False),
        *((GreaterThan(*pair), truth) for pair, truth in (((2, 1), True), ((1, 1), False), ((1, 2), False))),
        *((GreaterThanOrEqualTo(*pair), truth) for pair, truth in (((2, 1), True), ((1, 1.0), True), ((1, 2), False))),
        *((LessThan(*pair), truth) for pair, truth in (((2, 1), False), ((1, 1), False), ((1, 2.5), True))),
        *((LessThanOrEqualTo(*pair), truth) for pair, truth in (((2, 1), False), ((1, 1), True), ((-1, 2), True))),
        (In("a", ["b", "a"]), True),
        (In("a", ["b"]), False),
        (In("a", []), False),
        (In(1, [1.0]), True),
        (In("1", [1]), False),
        (In(1, [True]), False),
        (In(True, [1, "True"]), False),
        (Not(YES), False),
        (Not(NO), True),
        (Not(Not(YES)), True),
        (Or([NO, NO]), False),
        (Or([NO, YES]), True),
        (Or([YES, YES]), True),
        (Or([]), False),
        (Not(Or([Not(YES), Not(YES)])), True),
    ],
    ids=str,
)
def test_truth(condition: Any, truth: bool) -> None:
    assert holds(condition) is truth


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Equals("1", 1), "condition: Equals compares values of one type, not String '1' with Number 1"),
        (Equals(True, 1), "condition: Equals compares values of one type, not Boolean True with Number 1"),
        (Equals(False, 0.0), "condition: Equals compares values of one type, not Boolean False with Number 0.0"),
        (Equals("True", True), "condition: Equals compares values of one type, not String 'True' with Boolean True"),
        *((cls("2", "1"), f"condition: {cls.__name__} compares numbers only, not String '2' with String '1'") for cls in ORDERS),
        *((cls(True, 0), f"condition: {cls.__name__} compares numbers only, not Boolean True with Number 0") for cls in ORDERS),
        (LessThan(1, "2"), "condition: LessThan compares numbers only, not Number 1 with String '2'"),
        (Equals(None, 1), "condition: Equals compares strings, numbers and booleans, but an operand is None"),
        (Equals([1], [1]), "condition: Equals compares strings, numbers and booleans, but an operand is [1]"),
        (Equals(P, 1), "condition: Equals compares strings, numbers and booleans, but an operand is Get(path='Parameters.P')"),
        (In({}, [1]), "condition: In compares strings, numbers and booleans, but an operand is {}"),
        (In("a", ["a", None]), "condition: In compares strings, numbers and booleans, but an operand is None"),
        (Not(Equals("1", 1)), "condition.Condition: Equals compares values of one type, not String '1' with Number 1"),
        (Or([YES, Not(GreaterThan("a", 1))]), "condition.Conditions[1].Condition: GreaterThan compares numbers only, not String 'a' with Number 1"),
        (Or([YES, {"Type": "And"}]), "condition.Conditions[1]: {'Type': 'And'} is not a condition"),
        ("yes", "condition: 'yes' is not a condition"),
    ],
)  # fmt: skip
def test_operands_that_cannot_be_compared_are_an_error_that_names_their_place(condition: Any, message: str) -> None:
    with pytest.raises(ConditionTypeError) as caught:
        holds(condition)
    assert str(caught.value) == message


def test_the_place_of_a_condition_is_the_one_given() -> None:
    with pytest.raises(ConditionTypeError, match=r"^Conditions\[3\]\.Condition: "):
        holds(Not(Equals(1, "1")), "Conditions[3]")


def test_every_condition_of_an_or_is_evaluated_so_that_a_wrong_one_never_hides() -> None:
    with pytest.raises(ConditionTypeError):
        holds(Or([YES, Equals(1, "1")]))


def test_substitute_replaces_references_in_operands() -> None:
    condition = Or([Not(In(P, ["a", P])), Equals(P, 1)])
    assert condition.substitute(lambda get: 1) == Or([Not(In(1, ["a", 1])), Equals(1, 1)])
