"""Templates as trees: one canonical text for each meaning, and what can be computed without a run."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes

from sagemaker_provider.translator import dates, jinja

DAY = datetime(2026, 1, 31, 5, 6, 7, tzinfo=timezone.utc)
NAMES = frozenset({"a", "b", "c"})
VALUES: dict[str, Any] = {"a": "x-y", "b": 3, "c": {"k": "v", "l": [1, 2], "odd key": "o"}}


def tree(text: str) -> nodes.Node:
    (output,) = jinja.parse("{{ " + text + " }}").body
    return output.nodes[0]  # type: ignore[attr-defined]


def rendered(text: str) -> str:
    return jinja.environment().from_string(text).render(VALUES)


CONSTANTS = st.one_of(
    st.integers(-99, 99).map(str),
    st.sampled_from(["'t'", '"it\'s"', "'a/b'", "true", "none", "1.5", "''", "'ä\\n'"]),
)
ATOMS = st.one_of(CONSTANTS, st.sampled_from(["a", "b", "c.k", "c['k']", "c['odd key']", "c.l[1]", "a[1:]", "a[:2]"]))


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from(["~", "and", "or", "==", "!="]), inner).map(lambda found: " ".join(found))
    return st.one_of(
        pairs,
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, inner, inner).map(lambda found: f"({found[0]} if {found[1]} else {found[2]})"),
        st.tuples(inner, inner).map(lambda found: f"[{found[0]}, {found[1]}] | join('-')"),
        st.tuples(inner, inner).map(lambda found: f"('%s+%s' % ({found[0]}, {found[1]}))"),
        st.tuples(inner, inner).map(lambda found: f"'{{}}={{x}}'.format({found[0]}, x={found[1]})"),
        inner.map(lambda text: f"({text}) | string | upper"),
        inner.map(lambda text: f"({text} is string)"),
        inner.map(lambda text: f"{{'q': {text}}}['q']"),
    )


EXPRESSIONS = st.recursive(ATOMS, compound, max_leaves=4)
TEXTS = st.sampled_from(["", "x", " s3://b//c/", "-", "\n", "{", "}", "%", "{% raw %}{{ a }}{% endraw %}", "{# c #}"])
TEMPLATES = st.lists(st.one_of(TEXTS, EXPRESSIONS.map(lambda text: "{{ " + text + " }}")), min_size=1, max_size=4)


@given(EXPRESSIONS)
@settings(max_examples=250, deadline=None, derandomize=True)
def test_the_source_of_an_expression_means_the_same_and_is_its_own_source(text: str) -> None:
    found = jinja.source(tree(text))
    assert rendered("{{ " + found + " }}") == rendered("{{ " + text + " }}")
    assert jinja.source(tree(found)) == found


@given(TEMPLATES.map("".join))
@settings(max_examples=250, deadline=None, derandomize=True)
def test_the_canonical_form_of_a_template_renders_to_the_same(text: str) -> None:
    try:
        jinja.parse(text)
    except jinja.jinja2.TemplateSyntaxError:
        assert jinja.canonical(text) == text
        return
    assert rendered(jinja.canonical(text)) == rendered(text)


@given(EXPRESSIONS)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_what_is_closed_has_the_value_that_is_rendered(text: str) -> None:
    node = tree(text)
    if jinja.closed(node, NAMES):
        assert str(jinja.compute(jinja.source(node), VALUES)) == rendered("{{ " + text + " }}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{{ds}}", "{{ ds }}"),
        ("{{ params['x'] }}", '{{ params["x"] }}'),
        ("{{ params['x'] }}", "{{ params.x }}"),
        ("{{ 'a' ~ ds ~ 'b' }}", "a{{ ds }}b"),
        ("{{ 'a' + ds + 'b' }}", "a{{ ds }}b"),
        ("{{ '%s/%s' % ('a', ds) }}", "a/{{ ds }}"),
        ("{{ 'a{}'.format(ds) }}", "a{{ ds }}"),
        ("{{ ['a', ds] | join('/') }}", "a/{{ ds }}"),
        ("{{ '/'.join(['a', ds]) }}", "a/{{ ds }}"),
        ("{{ execution_date }}", "{{ dag_run.logical_date }}"),
        ("{{ task_instance.run_id }}", "{{ dag_run.run_id }}"),
        ("{{ 'x' }}{{ 5 }}", "x5"),
        ("{{ (ds) | lower() }}", "{{ ds|lower }}"),
    ],
)
def test_templates_of_one_meaning_are_equal(one: str, other: str) -> None:
    assert jinja.canonical(one) == jinja.canonical(other)


@pytest.mark.parametrize(
    "text", ["plain", "{ ds }", "{{", "{% if x %}{{ a }}{% endif %}", "{{{ ds }}", "{% raw %}{{ a }}{% endraw %}"]
)
def test_what_has_no_canonical_form_stays(text: str) -> None:
    assert jinja.canonical(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "macros.datetime.now()",
        "macros.datetime.utcnow()",
        "macros.random()",
        "macros.uuid.uuid4()",
        "macros.time.time()",
        "logical_date.now()",
        "logical_date['now']()",
        "logical_date.diff_for_humans()",
        "logical_date.astimezone()",
        "ds.upper",
        "ds['upper']",
        "macros.ds_add",
        "[ds] | random",
        "ds | map('upper')",
        "other",
        "ds ~ other",
        "range(9)",
        "cycler(1)",
        "ds.__class__",
        "'x' * 10",
        "9 ** 9",
        "2000000",
        "'%999d' % 1",
        "'a'.zfill(1000000)",
        "'{:>999}'.format(1)",
        "ds * 3",
    ],
)
def test_what_looks_at_a_clock_at_chance_or_fills_the_memory_is_not_closed(text: str) -> None:
    assert not jinja.closed(tree(text), dates.NAMES)


@pytest.mark.parametrize("text", ["1 / 0", "missing", "'a'.b", "'a' + 1", "'a' | nonsense", "["])
def test_an_expression_without_a_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Error|it has no value"):
        jinja.compute(text, {})


def test_an_expression_that_is_too_long_is_not_tried() -> None:
    text = "'" + "a" * 60 + "'" + ".replace('a', 'aaaaaaaaaaaaaaaaaaaa')" * 5
    with pytest.raises(ValueError, match="more than 200 characters"):
        jinja.compute(text, {})


def test_names_are_replaced_in_a_copy() -> None:
    found = tree("a.b ~ a['b'] ~ a.c ~ b")
    other = jinja.replaced(found, {"a.b": nodes.Const(1), "b": nodes.Const(2)})
    assert jinja.source(other) == "1 ~ 1 ~ a.c ~ 2"
    assert jinja.source(found) == "a.b ~ a.b ~ a.c ~ b"
