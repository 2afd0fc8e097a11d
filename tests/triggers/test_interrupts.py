"""Whether a task that is told to end goes on elsewhere."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from sagemaker_provider.triggers import interrupts


@pytest.mark.parametrize(
    ("state", "try_number", "expected"),
    [
        ("running", 1, True),
        ("queued", 1, True),
        ("running", 2, False),  # no try follows
        ("deferred", 1, True),
        ("deferred", 2, True),  # its process is about to end, and the triggerer waits
        ("failed", 1, False),
        ("success", 1, False),
        ("restarting", 1, False),
        (None, 1, False),
    ],
)
def test_what_follows(mocker: Any, state: str | None, try_number: int, expected: bool) -> None:
    mocker.patch.object(interrupts, "current_state", return_value=state)
    assert interrupts.goes_on(SimpleNamespace(try_number=try_number, max_tries=1)) is expected


def test_nothing_follows_a_timeout(mocker: Any) -> None:
    mocker.patch.object(interrupts, "current_state", return_value="running")
    try:
        raise AirflowTaskTimeout
    except AirflowTaskTimeout:
        assert not interrupts.goes_on(SimpleNamespace(try_number=1, max_tries=3))


@pytest.mark.parametrize(
    ("error", "try_number", "deferred", "expected"),
    [
        (RuntimeError, 1, False, False),  # a person's kill is assumed
        (RuntimeError, 1, True, True),
        (EOFError, 1, False, True),  # the supervisor has gone, so it was no person's
        (BrokenPipeError, 1, False, True),
        (EOFError, 2, False, False),  # no try follows
        (EOFError, 2, True, True),
    ],
)
def test_airflow_does_not_answer(
    mocker: Any, error: type[Exception], try_number: int, deferred: bool, expected: bool
) -> None:
    mocker.patch.object(interrupts, "current_state", side_effect=error)
    ti = SimpleNamespace(try_number=try_number, max_tries=1)
    assert interrupts.goes_on(ti, deferred=deferred) is expected


@pytest.mark.parametrize("deferred", [False, True])
def test_airflow_answers_too_late(mocker: Any, deferred: bool) -> None:
    mocker.patch.object(interrupts, "_PATIENCE_SECONDS", 0.05)
    mocker.patch.object(interrupts, "current_state", side_effect=lambda ti: time.sleep(1))
    assert interrupts.goes_on(SimpleNamespace(try_number=1, max_tries=3), deferred=deferred) is deferred
