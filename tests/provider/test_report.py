"""Findings as text for people."""

from __future__ import annotations

from typing import Any

import pytest

from sagemaker_provider.definition.findings import finding, located
from sagemaker_provider.report import gathered, show


def said(code: str, *pairs: tuple[str, str], place: str = "p") -> list[Any]:
    """Findings on (task, message)."""
    return located([finding(code, message, task=task, place=place) for task, message in pairs], dag="d")


def test_what_is_said_of_several_tasks_is_one_line() -> None:
    found = said("SMP679", ("a", "a rule"), ("b", "a rule"), ("a", "another"), ("c", "a rule"))
    assert list(gathered(found)) == ["d: a, b, c: p: a rule", "d: a: p: another"]


def test_of_much_the_first_is_shown_and_the_others_are_counted() -> None:
    found = said("SMP651", *((f"t{number}", f"{number} values") for number in range(6)), ("t4", "9 values"))
    *first, rest = gathered(found)
    assert first == [f"d: t{number}: p: {number} values" for number in range(3)]
    assert rest == "... and 4 more of t3, t4, t5; --format json shows all"


def test_four_lines_are_shown() -> None:
    found = said("SMP701", *((f"t{number}", f"message {number}") for number in range(4)))
    assert [line.rpartition(" ")[2] for line in gathered(found)] == ["0", "1", "2", "3"]


def test_places_that_differ_are_left_out_of_what_they_have_in_common() -> None:
    found = [*said("SMP613", ("a", "a float"), place="x"), *said("SMP613", ("a", "a float"), place="y")]
    assert list(gathered(found)) == ["d: a: a float"]


def test_every_error_is_shown() -> None:
    found = said("SMP301", *((f"t{number}", "no expression") for number in range(9)))
    assert list(gathered(found)) == [f"d: t{number}: p: no expression" for number in range(9)]


def test_the_report_gathers_by_code(capsys: pytest.CaptureFixture[str]) -> None:
    show("d", said("SMP679", ("a", "a rule"), ("b", "a rule")), None, None)
    assert "SMP679 difference" in (out := capsys.readouterr().out)
    assert "d: a, b: p: a rule" in out
