"""Dates as parameters: what they are called, and that their values are those that Airflow renders."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow_context import rendered, template_context
from dag_makers import codes, make_dag, messages, rewritten, step
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.translator import convert, dates
from sagemaker_provider.translator.dates import render_dates

try:
    import airflow.sdk  # noqa: F401

    AIRFLOW_3 = True
except ImportError:
    AIRFLOW_3 = False

EVERYWHERE = {
    "ds": "ds",
    "ds_nodash": "ds_nodash",
    "ts": "ts",
    "ts_nodash": "ts_nodash",
    "ts_nodash_with_tz": "ts_nodash_with_tz",
    "logical_date": "logical_date",
    "data_interval_start": "data_interval_start",
    "data_interval_end": "data_interval_end",
    "dag_run.logical_date": "logical_date",
    "logical_date.strftime('%Y-%m-%d-%H-%M-%S')": "logical_date_Y-m-d-H-M-S",
    "logical_date.isoformat()": "logical_date_isoformat",
    "logical_date.format('YYYY_MM')": "logical_date_YYYY_MM",
    "data_interval_start.year": "data_interval_start_year",
    "data_interval_end.add(days=2)": "data_interval_end_plus_2_days",
    "data_interval_end.subtract(months=1).strftime('%Y/%m')": "data_interval_end_minus_1_months_Y_m",
    "(data_interval_end - macros.timedelta(days=60)).strftime('%Y%m')": "data_interval_end_minus_60_days_Ym",
    '(logical_date + macros.timedelta(1)).strftime("%d")': "logical_date_plus_1_days_d",
    "(logical_date - macros.dateutil.relativedelta.relativedelta(months=2)).date()": "logical_date_minus_2_months_date",
    "logical_date.start_of('month').strftime('%Y%m%d')": "logical_date_start_of_month_Ymd",
    "logical_date.in_timezone('Europe/Berlin').strftime('%H')": "logical_date_in_timezone_Europe_Berlin_H",
    "macros.ds_add(ds, -7)": "ds_minus_7_days",
    "macros.ds_add(ds, 1)": "ds_plus_1_days",
    "macros.ds_format(ds, '%Y-%m-%d', '%Y/%m/%d')": "ds_Y_m_d",
    "macros.datetime.strptime(ds, '%Y-%m-%d').strftime('%j')": "datetime_strptime_ds_Y-m-d_j",
    "ts_nodash | lower": "ts_nodash_lower",
    "data_interval_end | ds": "data_interval_end_ds",
    "data_interval_end | ds_nodash": "data_interval_end_ds_nodash",
    "logical_date.add(days=1) | ts": "logical_date_plus_1_days_ts",
    "logical_date | ts_nodash": "logical_date_ts_nodash",
    "logical_date | ts_nodash_with_tz": "logical_date_ts_nodash_with_tz",
    "ds | replace('-', '')": "ds_replace",
    "ds.replace('-', '/')": "ds_replace",
    "ds[:4]": "ds_4",
    "ds[5:7]": "ds_5_7",
    "ds.split('-')[0]": "ds_split_0",
    "'first' if logical_date.day == 1 else 'other'": "first_if_logical_date_day_1_else_other",
    "logical_date.month + 1": "logical_date_month_plus_1",
    "'{:%Y}'.format(logical_date)": "Y_logical_date",
}
"""Expression -> the name of its parameter."""
OLD = {
    "execution_date": "logical_date",
    "execution_date.strftime('%Y')": "logical_date_Y",
    "ti.execution_date": "logical_date",
    "yesterday_ds": "yesterday_ds",
    "tomorrow_ds_nodash": "tomorrow_ds_nodash",
    "prev_ds": "prev_ds",
    "next_ds_nodash": "next_ds_nodash",
    "next_execution_date.isoformat()": "next_execution_date_isoformat",
}
"""The same for what Airflow 3 does not have."""
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(timezone.utc))


def parameters(*expressions: str) -> tuple[dict[str, str], Any]:
    """The date parameters that templates of expressions become."""
    with make_dag() as dag:
        step("reader", config={f"v{index}": f"{{{{ {text} }}}}" for index, text in enumerate(expressions)})
    conversion = convert(dag)
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    return conversion.date_parameters, conversion


@pytest.mark.parametrize(("expression", "name"), (EVERYWHERE | OLD).items())
def test_a_form_is_a_string_parameter_with_a_name_that_can_be_read(expression: str, name: str) -> None:
    forms, conversion = parameters(expression)
    assert list(forms) == [name]
    (parameter,) = conversion.definition.parameters
    assert (parameter.name, parameter.type, parameter.default_value) == (name, "String", None)
    (message,) = messages(conversion, "SMP604")
    assert message.startswith(f"{forms[name]} becomes the parameter {name!r}: {parameter.description}")


@given(MOMENTS, st.timedeltas(timedelta(), timedelta(days=40)), st.timedeltas(timedelta(), timedelta(days=40)))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_form_has_the_value_that_airflow_renders(moment: datetime, before: timedelta, after: timedelta) -> None:
    expressions = EVERYWHERE if AIRFLOW_3 else EVERYWHERE | OLD
    forms = {text: next(iter(parameters(text)[0].values())) for text in expressions}
    run = {"logical_date": moment, "data_interval_start": moment - before, "data_interval_end": moment + after}
    others = {"prev_logical_date": moment, "next_logical_date": moment}  # those of a manual run
    context = template_context(moment, moment - before, moment + after)
    values = render_dates(forms, **run, **others)
    assert values == {text: rendered(f"{{{{ {text} }}}}", context) for text in expressions}


MOVES = st.sampled_from(
    (
        *("{}.add(days=3)", "{}.subtract(months=1, days=2)", "({} - macros.timedelta(hours=30))", "{}.replace(day=1)"),
        *("({} + macros.dateutil.relativedelta.relativedelta(years=1))", "{}.start_of('week')", "{}.end_of('month')"),
        *("{}.in_timezone('Asia/Tokyo')", "({} if logical_date.month > 6 else logical_date)", "{}.naive()"),
    )
)
WRITINGS = st.sampled_from(
    (
        *(
            "{}",
            "{}.strftime('%Y-%m-%dT%H')",
            "{} | ds",
            "{} | ts_nodash",
            "{}.isoformat()",
            "{}.year",
            "{}.day_of_year",
        ),
        *(
            "{}.format('DD/MM/YYYY')",
            "({} | ts)[:13]",
            "({} | ds_nodash | replace('0', 'o') | upper)",
            "'%02d' % {}.month",
        ),
        *(
            "macros.ds_add({} | ds, 5)",
            "macros.ds_format({} | ds, '%Y-%m-%d', '%j')",
            "{}.timestamp() | int",
            "{}.weekday()",
        ),
    )
)
COMPOSED = st.tuples(
    st.sampled_from(("logical_date", "data_interval_start", "data_interval_end")), st.lists(MOVES, max_size=2), WRITINGS
)


@given(COMPOSED, MOMENTS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_composed_form_has_the_value_that_airflow_renders(parts: Any, moment: datetime) -> None:
    text, moves, writing = parts
    for move in [*moves, writing]:
        text = move.replace("{}", text)
    forms, conversion = parameters(text)
    run = {"logical_date": moment, "data_interval_start": moment, "data_interval_end": moment + timedelta(days=1)}
    expected = rendered(f"{{{{ {text} }}}}", template_context(*run.values()))
    assert list(render_dates(forms, **run).values()) == [expected]
    assert conversion.definition.parameters[0].name in forms


def test_equal_forms_are_one_parameter_however_they_are_written() -> None:
    forms, _ = parameters("ts_nodash|lower", "ts_nodash | lower", "( ts_nodash )|lower()")
    assert forms == {"ts_nodash_lower": "{{ ts_nodash | lower }}"}


def test_different_forms_of_one_name_are_two_parameters() -> None:
    forms, _ = parameters("ds | replace('-', '')", "ds | replace('-', '/')")
    assert forms == {
        "ds_replace": "{{ ds | replace('-', '') }}",
        "ds_replace-f3102fda": "{{ ds | replace('-', '/') }}",
    }


def test_a_long_form_has_a_name_that_the_service_takes() -> None:
    forms, conversion = parameters("'" + "x" * 90 + "' if logical_date.day == 1 else ds")
    assert [len(name) for name in forms] == [64]
    assert conversion.definition.parameters[0].name in forms


def test_texts_are_put_together_of_the_dates_in_them() -> None:
    value, conversion = rewritten("{{ 's3://b/' ~ ds ~ '/' + ts_nodash }}{{ '%s-%s' % (ds_nodash, 5) }}")
    names = [part["Get"] for part in value["Std:Join"]["Values"] if isinstance(part, dict)]
    assert names == ["Parameters.ds", "Parameters.ts_nodash", "Parameters.ds_nodash"]
    assert codes(conversion) == ["SMP604"]


@pytest.mark.parametrize("name", ["execution_date", "yesterday_ds", "next_ds_nodash", "prev_execution_date"])
def test_a_macro_that_airflow_3_does_not_have_is_told(name: str) -> None:
    _, conversion = parameters(name)
    assert messages(conversion, "SMP713") == [f"'{{{{ {name} }}}}' reads {name}"]


def test_a_date_that_is_not_given_is_refused_by_its_name() -> None:
    day = datetime(2026, 1, 31, tzinfo=timezone.utc)
    with pytest.raises(ValueError, match=r"the parameter 'p', \{\{ prev_ds \}\}: it has no value"):
        render_dates({"p": "{{ prev_ds }}"}, logical_date=day, data_interval_start=day, data_interval_end=day)


@pytest.mark.parametrize(
    "template",
    ["{{ macros.uuid.os.getcwd() }}", "{{ ds }}{{ ds }}", "{{ ds }} {% if 1 %}{% endif %}", "{{", "{{ params.x }}"],
)
def test_a_template_that_reads_more_than_dates_is_not_rendered(template: str) -> None:
    day = datetime(2026, 1, 31, tzinfo=timezone.utc)
    with pytest.raises(ValueError, match="the parameter 'p'"):
        render_dates({"p": template}, logical_date=day, data_interval_start=day, data_interval_end=day)


def test_times_are_those_of_utc() -> None:
    day = datetime(2026, 1, 31, 23, tzinfo=timezone(timedelta(hours=-5)))
    values = render_dates({"p": "{{ ts }}"}, logical_date=day, data_interval_start=day, data_interval_end=day)
    assert values == {"p": "2026-02-01T04:00:00+00:00"}


def test_a_value_that_no_parameter_may_have_is_refused() -> None:
    form = "ds" + ".replace('0', '000000000000')" * 5
    with pytest.raises(ValueError, match="more than 1024 characters, the longest value of a parameter"):
        dates.example(form)


@pytest.mark.parametrize("form", ["ds.split('-')", "logical_date - logical_date", "ds.strptime", "ds +", "none"])
def test_a_form_without_a_value_of_use_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match=r"it gives a|it has no value|Error"):
        dates.example(form)
