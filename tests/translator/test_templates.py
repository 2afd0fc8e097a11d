"""Jinja templates become expressions, or a finding says why not."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Param
from dag_makers import codes, make_dag, messages, rewritten, step

from sagemaker_provider.translator import Settings, convert

PARAMS = {
    "name": "x",
    "count": 3,
    "ratio": 0.5,
    "flag": True,
    "a-b": "y",
    "typed": Param(type="integer"),
}


def get(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def join(*values: Any) -> dict[str, Any]:
    return {"Std:Join": {"On": "", "Values": list(values)}}


def output(path: str = "OutputParameters['o']") -> dict[str, str]:
    return {"Get": f"Steps.up.{path}"}


RUN_ID = {"Get": "Execution.PipelineExecutionId"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        # params
        ("{{ params.name }}", get("name")),
        ("{{params['name']}}", get("name")),
        ("{{ params['a-b'] }}", get("a-b")),
        ("{{ params.get('name') }}", get("name")),
        ("{{ params.get('name', 'x') }}", get("name")),
        ("{{ params.get('count', 7) }}", get("count")),
        ("{{ params.count | default(7) }}", get("count")),
        ("{{ dag_run.conf.get('new', 7) }}", get("new")),
        # the type stays when the expression is the whole text
        ("{{ params.count }}", get("count")),
        ("{{ params.flag }}", get("flag")),
        ("{{ 5 }}", 5),
        ("{{ 'text' }}", "text"),
        # text around
        ("s3://b/{{ params.name }}", join("s3://b/", get("name"))),
        ("{{ params.name }}/", join(get("name"), "/")),
        (" {{ params.name }}", join(" ", get("name"))),
        ("{{ params.name }}-{{ params.count }}", join(get("name"), "-", get("count"))),
        ("{{ params.name }}{{ params.name }}", join(get("name"), get("name"))),
        ("v{{ 5 }}", "v5"),
        ("v{{ 1.50 }}{{ true }}", "v1.5True"),
        # concatenation
        ("{{ 's3://b/' ~ params.name }}", join("s3://b/", get("name"))),
        ("{{ params.name ~ '-' ~ 2 }}", join(get("name"), "-2")),
        ("{{ 'a' + params.name + 'b' }}", join("a", get("name"), "b")),
        ("{{ params.count | string }}", join(get("count"))),
        ("{{ ' a ' | trim }}", "a"),
        # XComs
        ("{{ ti.xcom_pull('up')['OutputParameters']['o'] }}", output()),
        ("{{ ti.xcom_pull(task_ids='up').OutputParameters.o }}", output()),
        ("{{ task_instance.xcom_pull(task_ids='up', key='return_value')['OutputParameters']['o'] }}", output()),
        ("{{ ti.xcom_pull('up', none, 'return_value')['OutputParameters']['o'] }}", output()),
        ("v-{{ ti.xcom_pull('up')['OutputParameters']['o'] }}", join("v-", output())),
        # what is known when the DAG is converted
        ("{{ dag.dag_id }}/{{ task.task_id }}", "work/reader"),
        ("{{ ti.dag_id }}{{ ti.task_id }}", "workreader"),
        # no template at all
        ("plain { text }", "plain { text }"),
        ("before{# a comment #}after", "beforeafter"),
        ("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}"),
        # Jinja drops one newline at the end, of any text
        ("line\n", "line"),
        ("line\n\n", "line\n"),
        # only a text that is one expression keeps its type
        ("{{ params.count }}\n", join(get("count"))),
        ("{{ params.count }}{# a comment #}", join(get("count"))),
        ("{{- params.count -}}", join(get("count"))),
        ("{{ params.count ~ '' }}", join(get("count"))),
        ("{{ '' ~ params.count }}", join(get("count"))),
    ],
)
def test_template_with_a_counterpart(template: str, expected: Any) -> None:
    value, conversion = rewritten(template, params=PARAMS)
    assert value == expected, [str(item) for item in conversion.findings]
    assert codes(conversion) == []


@pytest.mark.parametrize(
    "template", ["{{ dag_run.conf['name'] }}", "{{ dag_run.conf.name }}", "{{ dag_run.conf.get('name') }}"]
)
def test_a_value_of_the_conf_is_the_parameter_and_the_difference_is_told(template: str) -> None:
    value, conversion = rewritten(template, params=PARAMS)
    assert value == get("name")
    assert codes(conversion) == ["SMP630"]


@pytest.mark.parametrize(
    ("template", "default"),
    [
        ("{{ var.value.bucket }}", None),
        ("{{ var.value['bucket'] }}", None),
        ("{{ var.value.get('bucket') }}", None),
        ("{{ var.value.get('bucket', 'b') }}", "b"),
        ("{{ var.value.get('bucket', 'b') }}{{ var.value.get('bucket', 'b') }}", "b"),
        ("{{ var.value.get('bucket', 'b') }}{{ var.value.bucket }}", None),
        ("{{ var.value.bucket }}{{ var.value.get('bucket', 'b') }}", None),
    ],
)
def test_a_variable_becomes_a_parameter(template: str, default: str | None) -> None:
    value, conversion = rewritten(template, params=PARAMS)
    assert value == (get("bucket") if template.count("{{") == 1 else join(get("bucket"), get("bucket")))
    (parameter,) = [item for item in conversion.definition.parameters if item.name == "bucket"]
    assert (parameter.type, parameter.default_value) == ("String", default)
    assert codes(conversion) == ["SMP634"]


def test_values_of_variables_become_defaults() -> None:
    with make_dag() as dag:
        step("reader", config={"a": "{{ var.value.bucket }}", "b": "{{ var.value.get('other', 'd') }}"})
    conversion = convert(dag, Settings(variables={"bucket": "b", "other": "o", "unused": "u"}))
    assert {item.name: item.default_value for item in conversion.definition.parameters} == {"bucket": "b", "other": "o"}


@pytest.mark.parametrize(
    ("template", "code", "reason"),
    [
        ("{{ params.name | upper }}", "SMP301", "the filter upper"),
        ("{{ params.name | trim }}", "SMP301", "the filter trim"),
        ("{{ params.typed | default(1) }}", "SMP301", "the filter default"),
        ("{{ ds | replace('-', '') }}", "SMP301", "the filter replace"),
        ("{{ params.count + 1 }}", "SMP301", "arithmetic"),
        ("{{ 'a' + 1 }}", "SMP301", "arithmetic"),
        ("{{ params.count * 2 }}", "SMP301", "arithmetic"),
        ("{{ 'a' if params.flag else 'b' }}", "SMP301", "if-else"),
        ("{{ params.count > 1 }}", "SMP301", "compare"),
        ("{{ params.flag and params.name }}", "SMP301", "and"),
        ("{{ not params.flag }}", "SMP301", "not"),
        ("{{ params.name[0:2] }}", "SMP301", "a part of a value"),
        ("{{ params.name.upper() }}", "SMP301", "params"),
        ("{{ [params.name] }}", "SMP301", "list"),
        ("{% if params.flag %}a{% endif %}", "SMP301", "if blocks"),
        ("{% for x in [1, 2] %}{{ x }}{% endfor %}", "SMP301", "for blocks"),
        ("{% set x = 1 %}{{ x }}", "SMP301", "assign blocks"),
        ("{{ params.name", "SMP301", "no valid template"),
        ("{% endif %}", "SMP301", "no valid template"),
        ("{{ params }}", "SMP301", "params"),
        ("{{ params.name.first }}", "SMP301", "params"),
        ("{{ ds_add }}", "SMP301", "'ds_add' is known to Airflow only"),
        ("{{ macros.ds_add(ds, 1) }}", "SMP301", "call"),
        ("{{ macros.uuid.uuid4() }}", "SMP301", "what is read of 'macros' has no counterpart"),
        ("{{ logical_date.strftime('%Y') }}", "SMP301", "what is read of 'logical_date' has no counterpart"),
        ("{{ var.json.bucket.name }}", "SMP301", "what is read of 'var' has no counterpart"),
        ("{{ var.value.db_password }}", "SMP306", "has the name of a secret"),
        ("{{ var.value.get('x', 1) }}", "SMP305", "is no text"),
        ("{{ var.value.get('x', 'a') }}{{ var.value.get('x', 'b') }}", "SMP301", "'a' in one place and 'b' in another"),
        ("{{ var.value.name }}", "SMP301", "the Variable 'name' and the param 'name' would be one parameter"),
        ("{{ conn.aws.host }}", "SMP301", "what is read of 'conn' has no counterpart"),
        ("{{ prev_ds }}", "SMP301", "'prev_ds' is known to Airflow only"),
        ("{{ ti.try_number }}", "SMP301", "what is read of 'ti' has no counterpart"),
        ("{{ params.missing }}", "SMP302", "no param 'missing'"),
        ("{{ dag_run.conf.get('missing') }}", "SMP302", "no param 'missing'"),
        ("{{ dag_run.conf.get('name', 'other') }}", "SMP301", "'x' in one place and 'other' in another"),
        ("{{ dag_run.conf.get('new', ['a']) }}", "SMP305", "not text, a number or a boolean"),
        ("{{ ti.xcom_pull(task_ids='nobody')['a'] }}", "SMP303", "no task 'nobody'"),
        ("{{ ti.xcom_pull(task_ids='reader')['a'] }}", "SMP303", "not upstream"),
        ("{{ ti.xcom_pull(task_ids='up') }}", "SMP304", "no property"),
        ("{{ ti.xcom_pull(task_ids='up', key='other') }}", "SMP304", "no XCom 'other'"),
        ("{{ ti.xcom_pull(task_ids=['up'])[0] }}", "SMP301", "a list of task_ids gives a list"),
        ("{{ ti.xcom_pull() }}", "SMP301", "name one task"),
        ("{{ ti.xcom_pull(task_ids='up', dag_id='other')['a'] }}", "SMP301", "name one task of this DAG"),
        ("{{ ti.xcom_pull(task_ids='up', include_prior_dates=true)['a'] }}", "SMP301", "name one task of this DAG"),
        ("{{ ti.xcom_pull(task_ids='up').get('a') }}", "SMP301", "methods of a result"),
        ("{{ ti.xcom_pull(task_ids=params.name)['a'] }}", "SMP301", "has no counterpart"),
    ],
)
def test_template_without_a_counterpart_is_refused(template: str, code: str, reason: str) -> None:
    value, conversion = rewritten(template, params=PARAMS)
    assert value is None
    assert codes(conversion, task="reader") == [code]
    assert reason in messages(conversion, code)[0]
    assert conversion.findings[0].place == "config.value"


@pytest.mark.parametrize("name", ["ds", "ds_nodash", "ts", "ts_nodash", "data_interval_start", "logical_date"])
def test_a_date_becomes_a_parameter_that_must_be_given(name: str) -> None:
    value, conversion = rewritten(f"d={{{{ {name} }}}}")
    assert value == join("d=", get(name))
    assert codes(conversion) == ["SMP604"]
    assert conversion.definition is not None
    (parameter,) = conversion.definition.parameters or ()
    assert (parameter.name, parameter.type, parameter.default_value) == (name, "String", None)


@pytest.mark.parametrize("template", ["{{ run_id }}", "{{ dag_run.run_id }}", "{{ ti.run_id }}"])
def test_the_run_id_becomes_the_execution_id(template: str) -> None:
    value, conversion = rewritten(template)
    assert value == RUN_ID
    assert codes(conversion) == ["SMP705"]


@pytest.mark.parametrize("default", ["x", 5, True])
@pytest.mark.parametrize("order", [1, -1])
def test_a_param_named_like_a_date_macro_that_is_used_is_refused(default: Any, order: int) -> None:
    value, conversion = rewritten(["{{ ds }}", "{{ params.ds }}"][::order], params={"ds": default})
    assert value is None
    assert messages(conversion, "SMP301") == ["{{ ds }} and the param 'ds' would be one parameter"]


def test_a_date_does_not_declare_a_param_of_its_name() -> None:
    value, conversion = rewritten(["{{ ds }}", "{{ params.ds }}"])
    assert value is None
    assert "SMP302" in codes(conversion)


@pytest.mark.parametrize(("name", "noted"), [("count", []), ("ratio", ["SMP613"]), ("flag", ["SMP613"])])
def test_numbers_and_booleans_in_text_are_joined_and_floats_and_booleans_reported(name: str, noted: list[str]) -> None:
    value, conversion = rewritten(f"v{{{{ params.{name} }}}}", params=PARAMS)
    assert value == join("v", get(name))
    assert codes(conversion) == noted


def test_every_untranslatable_template_of_a_task_is_reported() -> None:
    value, conversion = rewritten({"a": "{{ params.one }}", "b": ["x", "{{ conn.two }}"]})
    assert value is None
    assert [(item.code, item.place) for item in conversion.findings] == [
        ("SMP302", "config.value.a"),
        ("SMP301", "config.value.b[1]"),
    ]
