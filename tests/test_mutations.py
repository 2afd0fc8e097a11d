"""The check of the tests themselves: it notices a rule that is gone, and a code that no test names."""

from __future__ import annotations

from pathlib import Path

import mutations
import pytest


def test_a_rule_that_is_gone_makes_a_test_fail() -> None:
    assert mutations.noticed("SMP678")


def test_a_rule_whose_tests_pass_without_it_is_not_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_blind.py").write_text('CODE = "SMP678"\n\n\ndef test_nothing() -> None:\n    assert CODE\n')
    monkeypatch.setattr(mutations, "naming", lambda code: [tmp_path / "test_blind.py"])
    assert not mutations.noticed("SMP678")


def test_a_code_that_no_test_names_is_not_noticed() -> None:
    assert mutations.naming("SMP" + "998") == []
    assert not mutations.noticed("SMP" + "998")


def test_tests_that_cannot_run_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "naming", lambda code: [tmp_path / "test_missing.py"])
    with pytest.raises(RuntimeError, match="pytest ended with 4"):
        mutations.noticed("SMP678")
