"""Findings and the table of rules."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from mutations import naming

from sagemaker_provider.definition.findings import (
    RULES,
    Finding,
    Severity,
    errors,
    finding,
    located,
    ordered,
)

FIND = finding("SMP506", "there is no step 'x'", place="Steps.A.DependsOn")


@pytest.mark.parametrize("code", RULES)
def test_a_rule_has_a_code_of_its_group_and_full_texts(code: str) -> None:
    rule = RULES[code]
    groups = {Severity.ERROR: "123458", Severity.DIFFERENCE: "68", Severity.NOTE: "78"}
    assert re.fullmatch(rf"SMP[{groups[rule.severity]}]\d\d", code)
    assert rule.title and not rule.title.endswith(".")
    assert rule.cause.endswith(".") and rule.cure.endswith(".")
    assert len(rule.title) <= 60


@pytest.mark.parametrize("code", RULES)
def test_a_test_names_the_code(code: str) -> None:
    assert naming(code), "and make test-mutations says whether it notices that the rule is gone"


def test_titles_are_unique() -> None:
    titles = [rule.title for rule in RULES.values()]
    assert len(set(titles)) == len(titles)


def test_a_finding_takes_severity_and_cure_from_its_rule() -> None:
    assert (
        Finding("SMP506", Severity.ERROR, "there is no step 'x'", "Correct the name.", place="Steps.A.DependsOn")
        == FIND
    )


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(KeyError):
        finding("SMP999", "?")


def test_the_text_of_a_finding_goes_from_file_to_place() -> None:
    full = located([FIND], file="dags/a.py", dag="churn", task="train")[0]
    assert str(full) == "SMP506 error: dags/a.py: churn: train: Steps.A.DependsOn: there is no step 'x'"
    assert str(replace(full, line=12)).startswith("SMP506 error: dags/a.py:12: churn: train: ")
    assert str(replace(FIND, line=12)) == str(FIND), "a line without its file says nothing"
    assert str(finding("SMP104", "nothing")) == "SMP104 error: nothing"


def test_located_keeps_what_is_there_and_changes_nothing_in_place() -> None:
    given = [finding("SMP201", "m", task="own"), finding("SMP201", "m")]
    assert [item.task for item in located(given, task="other")] == ["own", "other"]
    assert [item.task for item in given] == ["own", ""]


def test_findings_are_ordered_by_severity_then_as_found_without_repeats() -> None:
    note, difference, first, second = (finding(code, "m") for code in ("SMP701", "SMP601", "SMP523", "SMP501"))
    assert ordered([note, first, difference, first, second, note]) == [first, second, difference, note]
    assert errors([note, first, difference]) == [first]


def test_a_finding_as_json_has_stable_keys() -> None:
    assert json.loads(json.dumps(FIND.to_json())) == {
        "code": "SMP506",
        "severity": "error",
        "message": "there is no step 'x'",
        "cure": "Correct the name.",
        "place": "Steps.A.DependsOn",
        "task": "",
        "dag": "",
        "file": "",
        "line": 0,
    }
