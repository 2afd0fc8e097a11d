"""Templates of a grammar: an expression, once evaluated, is the text that Airflow renders."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cache
from types import SimpleNamespace
from typing import Any

from airflow_context import evaluated, rendered, template_context
from dag_makers import codes, make_dag, step
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.definition.expressions import decode
from sagemaker_provider.definition.findings import errors
from sagemaker_provider.translator import Conversion, Settings, convert
from sagemaker_provider.translator.dates import render_dates

PARAMS = {"text": "t/x", "count": 3, "odd key": "o", "empty": ""}
VARIABLES = {"bucket": "b", "cfg": '{"n": 5, "deep": {"s": "leaf"}}'}
OUTPUT = "from-up"
START = datetime(2026, 1, 31, 4, 5, 6, tzinfo=timezone.utc)
END = START + timedelta(days=1)

KNOWN = (
    "params.text",
    "params['odd key']",
    "params.get('text')",
    "params.empty",
    "var.value.bucket",
    "var.value.get('bucket', 'b')",
    "var.json.cfg.deep.s",
    "ti.xcom_pull(task_ids='up')['OutputParameters']['o']",
    "task_instance.xcom_pull('up', key='return_value').OutputParameters.o",
    "ti.xcom_pull(task_ids=['up'])[0].OutputParameters.o",
)
NUMBERS = ("params.count", "var.json.cfg.n", "logical_date.year", "4", "2 + 3", "-7")
DATES = (
    "ds",
    "ts_nodash | lower",
    "logical_date.strftime('%Y/%m')",
    "(data_interval_end - macros.timedelta(days=60)).strftime('%Y%m')",
    "macros.ds_add(ds, -3)",
    "ds[:4]",
    "data_interval_start | ds_nodash",
    "logical_date",
    "'%s.' % ds",
)
CONSTANTS = (
    "'lit'",
    "dag.dag_id",
    "task.task_id",
    "'A' | lower",
    "'a' if 1 > 2 else 'b'",
    "['x', 'y'] | join('/')",
    "''",
)
REFUSED = (
    "params.text | upper",
    "params.count + 1",
    "params.text[1:]",
    "params.text if params.count else 'x'",
    "params",
)
TEXTS = st.sampled_from(("", "s3://b/", "/", "-", " ", "\n", "{ ", "}%", "{# c #}", "{% raw %}{{ ds }}{% endraw %}"))
ATOMS = st.sampled_from((*KNOWN, *NUMBERS, *DATES, *CONSTANTS))


def put_together(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    return st.one_of(
        two.map(lambda found: f"({found[0]}) ~ ({found[1]})"),
        two.map(lambda found: f"'%s/%s' % (({found[0]}), ({found[1]}))"),
        two.map(lambda found: f"'%s-%s' | format(({found[0]}), ({found[1]}))"),
        two.map(lambda found: f"'{{}}_{{x}}'.format(({found[0]}), x=({found[1]}))"),
        two.map(lambda found: f"[({found[0]}), ({found[1]})] | join('+')"),
        two.map(lambda found: f"({found[0]}) if dag.dag_id == 'work' else ({found[1]})"),
        inner.map(lambda text: f"({text}) | string"),
        inner.map(lambda text: f"'a' + (({text}) | string) + 'b'"),
    )


EXPRESSIONS = st.recursive(ATOMS, put_together, max_leaves=4)
OUTPUTS = EXPRESSIONS.map(lambda text: "{{ " + text + " }}")
BLOCKS = st.one_of(
    OUTPUTS.map(lambda text: "{% if dag.dag_id == 'other' %}no{% else %}" + text + "{% endif %}"),
    EXPRESSIONS.map(lambda text: "{% set x = " + text + " %}{{ x }}/{{ x ~ 'y' }}"),
)
TEMPLATES = st.lists(st.one_of(TEXTS, OUTPUTS, OUTPUTS, BLOCKS), min_size=1, max_size=4).map("".join)


def converted(template: str) -> Conversion:
    with make_dag(params=PARAMS) as dag:
        step("up") >> step("reader", config={"value": template})
    return convert(dag, Settings(variables=VARIABLES))


@cache
def context() -> dict[str, Any]:
    """What Airflow gives a template of the reader, with the Variables and the XCom of the task before it."""
    found = template_context(START, START, END, params=PARAMS)
    xcom = {"OutputParameters": {"o": OUTPUT}}

    def xcom_pull(task_ids: Any, dag_id: str | None = None, key: str = "return_value") -> Any:
        return [xcom] if isinstance(task_ids, list) else xcom

    found["ti"] = found["task_instance"] = SimpleNamespace(xcom_pull=xcom_pull)
    found["var"] = {"value": {"bucket": "b"}, "json": {"cfg": {"n": 5, "deep": {"s": "leaf"}}}}
    return found


def in_a_run(conversion: Conversion) -> Any:
    """The value that the step gets in a run with the parameters that a starter gives."""
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    given_dates = render_dates(
        conversion.date_parameters, logical_date=START, data_interval_start=START, data_interval_end=END
    )
    values = {item.name: item.default_value for item in conversion.definition.parameters} | given_dates
    (reader,) = [item for item, _ in conversion.definition.all_steps() if item.name == "reader"]

    return evaluated(
        decode(reader.to_json()["Arguments"]["value"]),
        lambda get: values[get.name] if get.scope == "Parameters" else OUTPUT,
    )


@given(TEMPLATES)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_an_expression_is_what_airflow_renders(template: str) -> None:
    assert str(in_a_run(converted(template))) == rendered(template, context())


@given(TEMPLATES, st.sampled_from(REFUSED))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_one_part_that_cannot_be_an_expression_refuses_the_template(template: str, part: str) -> None:
    conversion = converted(template + "{{ " + part + " }}")
    assert conversion.definition is None
    assert {item.code for item in errors(conversion.findings)} == {"SMP301"}


@given(TEMPLATES)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_same_template_gives_the_same_parameters(template: str) -> None:
    first, second = converted(template), converted(template)
    assert first.date_parameters == second.date_parameters
    assert codes(first) == codes(second)
    assert first.definition is not None and second.definition is not None
    assert first.definition.to_json() == second.definition.to_json()
