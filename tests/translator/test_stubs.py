"""Stand-ins: what becomes of them, and that they never pass for something known."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.translator.loading import Loading
from sagemaker_provider.translator.settle import CHANGING, _Pairs
from sagemaker_provider.translator.stubs import Stub, Stubs, Unknown, origin


def stubs_here() -> Stubs:
    """Stand-ins for which the code of this file is the user's."""
    return Stubs(Loading((Path(__file__).parent,)))


@pytest.fixture
def stubs() -> Stubs:
    return stubs_here()


@pytest.fixture
def text(stubs: Stubs) -> Any:
    return stubs.text(Unknown("the Variable 'team'", "variable", "team"))


def errors(stubs: Stubs) -> list[str]:
    return [item.code for item in stubs.loading.findings]


def test_everything_asked_of_a_stand_in_is_one(stubs: Stubs) -> None:
    value = stubs.value("library").made("x", size=2)["key"][0].name
    assert origin(value) == "library.made('x', size=2)['key'][0].name"
    assert isinstance(value, Stub)
    assert origin("text") is None
    assert errors(stubs) == []


def test_a_stand_in_in_a_text_is_a_token_that_names_it(stubs: Stubs) -> None:
    value = stubs.value("config").BUCKET
    for made in (f"s3://{value}/x", "s3://%s/x" % value, "s3://{}/x".format(value), "s3://" + value + "/x"):  # noqa: UP031, UP032
        assert stubs.readable(made) == "s3://<config.BUCKET>/x"
    assert stubs.readable(os.path.join(value, "x")) == "<config.BUCKET>/x"
    assert stubs.readable(repr(str(value))) == "'<config.BUCKET>'"


def test_a_text_that_stands_in_is_text(text: Any) -> None:
    assert isinstance(text, str)
    assert "-".join(["a", text]) == f"a-{text}"
    assert origin(text.split(",")) == "the Variable 'team'.split(',')"


@pytest.mark.parametrize(
    "ask",
    [
        bool,
        lambda value: value == "prod",
        lambda value: value != "prod",
        lambda value: value < "prod",
        lambda value: "prod" in value,
        list,
        lambda value: isinstance(3, value),
    ],
)
def test_what_would_decide_is_an_error(stubs: Stubs, ask: Callable[[Any], Any]) -> None:
    if ask in (bool, list):
        {bool: lambda value: not value, list: lambda value: [*value]}[ask](stubs.value("config").ENV)
    else:
        ask(stubs.value("config").ENV)
    assert errors(stubs) == ["SMP110"]


def test_a_comparison_by_a_library_decides_nothing_of_the_file(stubs: Stubs, text: Any) -> None:
    assert {text: 1}[text] == 1
    assert [stubs.value("a")].count("b") == 0 or True
    assert copy.deepcopy({"a": text})["a"] is text


@pytest.mark.parametrize("ask", [int, float, len, range])
def test_what_has_to_be_a_number_ends_the_file(stubs: Stubs, text: Any, ask: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"the Variable 'team'.* known"):
        ask(text)
    with pytest.raises(TypeError, match=r"config\.COUNT.* known"):
        ask(stubs.value("config").COUNT)


def test_a_stand_in_is_an_annotation_a_base_a_decorator_and_a_context(stubs: Stubs) -> None:
    library = stubs.value("library")

    def function(frame: Optional[library.Frame]) -> library.Frame | None: ...  # type: ignore[name-defined,valid-type]  # noqa: UP045

    class Model(library.Model):  # type: ignore[name-defined,misc]
        pass

    assert origin(Model(1).fit) == "library.Model().fit"
    assert origin(library.decorate(function)) is not None
    with library.open("x") as opened:
        assert origin(opened) == "library.open('x')"


def test_a_long_expression_has_a_short_name_of_its_own(stubs: Stubs) -> None:
    one, two = (stubs.value("library").make("x" * 100, number) for number in (1, 2))
    assert one._unknown.name != two._unknown.name
    assert len(one._unknown.name) <= 60


OPERATIONS: dict[str, Callable[[str], Any]] = {
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "swapcase": str.swapcase,
    "reverse": lambda text: text[::-1],
    "half": lambda text: text[: len(text) // 2],
    "tail": lambda text: text[5:],
    "first": lambda text: text[6:7],
    "length": len,
    "hash": hash,
    "encoded": lambda text: text.encode().hex(),
    "ascii": ascii,
    **{f"split {mark}": lambda text, mark=mark: text.split(mark)[-1] for mark in "-_./:,;|=+@& "},
    **{f"second of {mark}": lambda text, mark=mark: [*text.split(mark), ""][1] for mark in "-_./:,;|=+@& "},
    **{f"replace {mark}": lambda text, mark=mark: text.replace(mark, "") for mark in "-_./:,;|=+@& "},
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_text_that_is_cut_or_changed_is_an_error(name: str) -> None:
    stubs, made = stubs_here(), []
    for world in (0, 1):
        stubs.loading.world = world
        made.append(OPERATIONS[name](f"{stubs.value('config').NAME}"))
    pairs = _Pairs(stubs, {})
    settled = pairs.settled(made[0], made[1], ("task", "value"), ())
    assert [item.code for item in pairs.findings] in (["SMP113"], ["SMP111"]) or CHANGING in settled


@settings(max_examples=500, deadline=None)
@given(
    before=st.text(max_size=9),
    real=st.text(max_size=9),
    after=st.text(max_size=9),
    operations=st.lists(st.sampled_from(sorted(OPERATIONS)), max_size=1),
)
def test_what_is_written_is_what_the_real_value_would_give(
    before: str, real: str, after: str, operations: list[str]
) -> None:
    def made(unknown: object) -> Any:
        value: Any = f"{before}{unknown}{after}"
        for name in operations:
            value = OPERATIONS[name](value) if isinstance(value, str) else value
        return value

    stubs = stubs_here()
    worlds = []
    for world in (0, 1):
        stubs.loading.world = world
        worlds.append(made(stubs.value("config").NAME))
    pairs = _Pairs(stubs, {})
    settled = pairs.settled(*worlds, ("task", "value"), ())
    refused = bool(pairs.findings) or CHANGING in str(settled)
    assert refused or settled.replace("{{ params['config_NAME'] }}", real) == made(real)
    assert operations or not refused or {"\ue000", "\ue001"} & {*before, *after}
