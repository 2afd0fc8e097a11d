"""Data as source text."""

from __future__ import annotations

import datetime
import decimal
import math
import os
import subprocess
import sys
import uuid
from typing import Any

import pytest
from hypothesis import given
from plain_data import DATA

from sagemaker_provider.translator.literals import NoLiteralError, literal


@given(DATA)
def test_the_text_gives_the_value_again(value: Any) -> None:
    found = eval(literal(value), {})
    assert found == value
    assert repr(type(found)) == repr(type(value))


def test_numbers_that_are_none() -> None:
    assert math.isnan(eval(literal(math.nan)))
    assert eval(literal([math.inf, -math.inf])) == [math.inf, -math.inf]


@pytest.mark.parametrize("value", [-0j, complex(0.0, -0.0), complex(-0.0, 0.0), complex(math.inf, -1), -0.0])
def test_zeros_keep_their_signs(value: complex) -> None:
    assert repr(eval(literal(value), {})) == repr(value)


def itself() -> list[Any]:
    value: list[Any] = []
    value.append([value])
    return value


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "a object is no plain data"),
        ([print], "a builtin_function_or_method is no plain data"),
        (itself(), "it holds itself"),
        ([10**10_000], "ValueError"),
        (datetime.time(1, tzinfo=datetime.timezone.utc), "a time is no plain data"),
    ],
)
def test_what_has_none(value: Any, reason: str) -> None:
    with pytest.raises(NoLiteralError, match=reason):
        literal(value)


def test_nesting_without_end() -> None:
    with pytest.raises(NoLiteralError, match="RecursionError"):
        literal(deep())


def test_sets_have_one_order_in_every_process() -> None:
    code = "from sagemaker_provider.translator.literals import literal; print(literal({'a', 'b', ('c', 1), 2, None}))"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout == literal({"a", "b", ("c", 1), 2, None}) + "\n"
    assert literal({"a", "b", ("c", 1), 2, None}) == "{'a', 'b', ('c', 1), 2, None}"


def test_ids() -> None:
    assert literal(uuid.UUID(int=1)).startswith("__import__('uuid').UUID(")
    assert literal(decimal.Decimal("1.0")) == "__import__('decimal').Decimal('1.0')"
