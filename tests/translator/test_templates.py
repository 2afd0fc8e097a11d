"""Jinja templates become expressions, or a finding says why not."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Param, TaskGroup
from dag_makers import codes, empty, make_dag, messages, rewritten, step, steps_of

from sagemaker_provider.translator import Conversion, Settings, convert

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
        ("{{ '%s/%s-%%' % (params.name, 5) }}", join(get("name"), "/5-%")),
        ("{{ '%s!' % params.name }}", join(get("name"), "!")),
        ("{{ '%s/%s' | format(params.name, params.count) }}", join(get("name"), "/", get("count"))),
        ("{{ '{}/{}'.format(params.name, params.count) }}", join(get("name"), "/", get("count"))),
        ("{{ '{1}{0}{{}}{a}'.format('x', params.name, a=params.count) }}", join(get("name"), "x{}", get("count"))),
        ("{{ ['s3:/', params.name, 'a'] | join('/') }}", join("s3://", get("name"), "/a")),
        ("{{ '/'.join(['s3:/', params.name]) }}", join("s3://", get("name"))),
        ("{{ [params.name, 1] | join }}", join(get("name"), "1")),
        ("{{ 'a' ~ (params.name ~ 'b') }}", join("a", get("name"), "b")),
        # what needs no run
        ("{{ 'A' | lower }}-{{ 'b'.upper() }}", "a-B"),
        ("{{ 2 + 3 * 4 }}", 14),
        ("{{ 'x' if 1 > 2 else 'y' }}", "y"),
        ("{{ params.name if dag.dag_id == 'work' else missing }}", get("name")),
        ("{{ dag.dag_id | replace('o', '0') }}", "w0rk"),
        ("{% if true %}{{ params.name }}{% else %}b{% endif %}c", join(get("name"), "c")),
        ("{% if false %}a{% elif task.task_id == 'reader' %}b{% else %}c{% endif %}", "b"),
        ("{% if false %}a{% endif %}", ""),
        ("{% set x = params.name %}{{ x }}/{{ x ~ 'y' }}", join(get("name"), "/", get("name"), "y")),
        ("{% set x = 1 %}{% set y = x + 1 %}{{ y }}", "2"),
        ("{{ (macros.datetime(2026, 1, 31) - macros.timedelta(days=31)).strftime('%Y') }}", "2025"),
        # XComs
        ("{{ ti.xcom_pull(task_ids=['up'])[0]['OutputParameters']['o'] }}", output()),
        ("{{ ti.xcom_pull('up', include_prior_dates=false)['OutputParameters']['o'] }}", output()),
        (
            "{{ task_instance.xcom_pull(task_ids='up', dag_id='work', key='return_value').OutputParameters.o }}",
            output(),
        ),
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


@pytest.mark.parametrize(
    ("path", "name", "kind", "default"),
    [
        ("cfg.bucket", "cfg_bucket", "String", "b"),
        ("cfg['deep'].n", "cfg_deep_n", "Integer", 5),
        ("cfg.list[1]", "cfg_list_1", "Float", 0.5),
        ("cfg.on", "cfg_on", "Boolean", True),
        ("number", "number", "Integer", 7),
    ],
)
def test_one_value_of_a_variable_in_json_form_becomes_a_parameter(
    path: str, name: str, kind: str, default: Any
) -> None:
    values = {"cfg": '{"bucket": "b", "deep": {"n": 5}, "list": [1, 0.5], "on": true}', "number": "7"}
    with make_dag() as dag:
        step("reader", config={"a": f"{{{{ var.json.{path} }}}}", "b": f"{{{{ var.json.{path} }}}}"})
    conversion = convert(dag, Settings(variables=values))
    (parameter,) = conversion.definition.parameters
    assert (parameter.name, parameter.type, parameter.default_value) == (name, kind, default)
    assert codes(conversion) == ["SMP634"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("cfg.other", "SMP311"),
        ("cfg.bucket.x", "SMP311"),
        ("cfg", "SMP305"),
        ("text", "SMP311"),
        ("cfg.none", "SMP305"),
    ],
)
def test_a_variable_in_json_form_without_the_value_is_refused(path: str, code: str) -> None:
    with make_dag() as dag:
        step("reader", config={"a": f"{{{{ var.json.{path} }}}}"})
    variables = {"cfg": '{"bucket": "b", "none": null}', "text": "no JSON"}
    assert codes(convert(dag, Settings(variables=variables))) == [code]


def test_a_secret_of_a_variable_in_json_form_is_refused_and_shown_nowhere() -> None:
    with make_dag() as dag:
        step("reader", config={"a": "{{ var.json.db.password }}"})
    conversion = convert(dag, Settings(variables={"db": '{"password": "hunter2"}'}))
    assert codes(conversion) == ["SMP306"]
    assert "hunter2" not in str([item.to_json() for item in conversion.findings])


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("{ ds }", ["{ ds }"]),
        ("s3://b/{ds_nodash}/{ ts_nodash | lower }", ["{ds_nodash}", "{ ts_nodash | lower }"]),
        ("{ execution_date.strftime('%Y') }", ["{ execution_date.strftime('%Y') }"]),
        ("{ params.x }", ["{ params.x }"]),
        ("{ti.xcom_pull(task_ids='a')['b']}", ["{ti.xcom_pull(task_ids='a')['b']}"]),
        ("{ var.value.x }{ run_id }", ["{ var.value.x }", "{ run_id }"]),
        ("{ text }", []),
        ("{}", []),
        ('{"ds": 1}', []),
        ("{ dsx }", []),
        ("${ds}", []),
        ("{ params }", []),
        ("{{ ds }}", []),
    ],
)
def test_what_is_left_of_a_template_in_an_f_string_is_told(text: str, parts: list[str]) -> None:
    value, conversion = rewritten(text)
    assert value == (get("ds") if text == "{{ ds }}" else text)
    assert messages(conversion, "SMP645") == [f"{part!r} in {text!r} is text, in Airflow too" for part in parts]


def test_a_pull_without_task_ids_reads_the_one_task_that_has_the_key() -> None:
    value, conversion = rewritten("{{ ti.xcom_pull(key='return_value')['OutputParameters']['o'] }}")
    assert value == output()
    assert messages(conversion, "SMP646") == ["the XCom 'return_value' is read of 'up'"]


def test_a_pull_without_task_ids_is_refused_where_two_tasks_may_be_meant() -> None:
    with make_dag() as dag:
        [step("a"), step("b")] >> step("reader", config={"v": "{{ ti.xcom_pull()['OutputParameters']['o'] }}"})
        step("beside")
    assert "2 of them have it" in messages(convert(dag), "SMP304")[0]


def grouped(text: str, *groups: str) -> Conversion:
    with make_dag() as dag:
        makers = []
        for name in groups:
            with TaskGroup(name):
                makers.append(step("up"))
        makers >> step("reader", config={"v": text})
    return convert(dag)


@pytest.mark.parametrize(("task_id", "noted"), [("g.up", []), ("up", ["SMP647"])])
def test_a_task_of_a_group_is_found_with_and_without_the_group(task_id: str, noted: list[str]) -> None:
    conversion = grouped(f"{{{{ ti.xcom_pull('{task_id}')['OutputParameters']['o'] }}}}", "g")
    assert steps_of(conversion)["reader"]["Arguments"]["v"] == {"Get": "Steps.g-up.OutputParameters['o']"}
    assert codes(conversion, task="reader") == noted


def test_a_task_of_one_of_two_groups_is_not_guessed() -> None:
    conversion = grouped("{{ ti.xcom_pull('up')['OutputParameters']['o'] }}", "g", "h")
    assert codes(conversion, task="reader") == ["SMP303"]


def test_a_task_that_becomes_no_step_is_not_taken_for_one_of_a_group() -> None:
    with make_dag() as dag:
        with TaskGroup("g"):
            up = step("up")
        [up, empty("up")] >> step("reader", config={"v": "{{ ti.xcom_pull('up')['OutputParameters']['o'] }}"})
    assert codes(convert(dag), task="reader") == ["SMP304"]


def test_the_output_of_a_task_in_an_f_string_is_a_pull() -> None:
    with make_dag() as dag:
        up = step("up")
        text = str(up.output).strip("{} ")
        up >> step("reader", config={"v": f"{{{{ {text}['OutputParameters']['o'] }}}}/x"})
    assert steps_of(convert(dag))["reader"]["Arguments"]["v"] == join(output(), "/x")


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
        ("{{ params.name | default('y', true) }}", "SMP301", "the filter default"),
        ("{{ params.name | default('y', boolean=true) }}", "SMP301", "the filter default"),
        ("{{ params.name | replace('-', '') }}", "SMP301", "the filter replace"),
        ("{{ params.name | string | upper }}", "SMP301", "the filter upper"),
        ("{{ ds | nonsense }}", "SMP301", "the filter nonsense"),
        ("{{ ds | random }}", "SMP301", "the filter random"),
        ("{{ ds.year }}", "SMP301", "it has no value"),
        ("{{ ds.split('-') }}", "SMP301", "it gives a list"),
        ("{{ ds + 1 }}", "SMP301", "can only concatenate str"),
        ("{{ logical_date ~ '' if 0 }}", "SMP301", "it has no value"),
        ("{{ params.count + 1 }}", "SMP301", "arithmetic"),
        ("{{ 'a' + 1 }}", "SMP301", "can only concatenate str"),
        ("{{ 1 / 0 }}", "SMP301", "division by zero"),
        ("{{ [1, 2] }}", "SMP301", "a list has no counterpart"),
        ("{{ 2 ** 9 }}", "SMP301", "arithmetic"),
        ("{{ 'a' * 9 }}", "SMP301", "arithmetic"),
        ("{{ '%1000000d' % 1 }}", "SMP301", "arithmetic"),
        ("{{ '%d' % params.count }}", "SMP301", "arithmetic"),
        ("{{ '%s' % (params.count, 1) }}", "SMP301", "arithmetic"),
        ("{{ '{:>5}'.format(params.name) }}", "SMP301", "a call"),
        ("{{ '{}{}'.format(params.name) }}", "SMP301", "a call"),
        ("{{ '{'.format(params.name) }}", "SMP301", "a call"),
        ("{{ params.name + params.name }}", "SMP301", "arithmetic"),
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
        ("{% if ds %}a{% endif %}", "SMP301", "if blocks"),
        ("{% set a, b = 1, 2 %}{{ a }}", "SMP301", "assign blocks"),
        ("{% set x %}a{% endset %}{{ x }}", "SMP301", "assignblock blocks"),
        ("{% set x = params.flag %}{% if x %}a{% endif %}", "SMP301", "if blocks"),
        ("{{ params.name", "SMP301", "no valid template"),
        ("{% endif %}", "SMP301", "no valid template"),
        ("{{ params }}", "SMP301", "params"),
        ("{{ params.name.first }}", "SMP301", "params"),
        ("{{ my_macro(1) }}", "SMP301", "'my_macro' is known to Airflow only"),
        ("{{ ds_add }}", "SMP301", "'ds_add' is known to Airflow only"),
        ("{{ macros.ds_add(ds, params.count) }}", "SMP301", "a call"),
        ("{{ macros.datetime.now() }}", "SMP301", "what is read of 'macros'"),
        ("{{ logical_date.now() }}", "SMP301", "what is read of 'logical_date'"),
        ("{{ macros.random() }}", "SMP301", "what is read of 'macros'"),
        ("{{ macros.uuid.uuid4() }}", "SMP301", "what is read of 'macros' has no counterpart"),
        ("{{ logical_date.strftime }}", "SMP301", "what is read of 'logical_date' has no counterpart"),
        ("{{ var.json.bucket.name }}", "SMP311", "the value of the Variable 'bucket' is not known"),
        ("{{ var.json.api_key }}", "SMP306", "has the name of a secret"),
        ("{{ var.value.db_password }}", "SMP306", "has the name of a secret"),
        ("{{ var.value.get('x', 1) }}", "SMP305", "is no text"),
        ("{{ var.value.get('x', 'a') }}{{ var.value.get('x', 'b') }}", "SMP301", "'a' in one place and 'b' in another"),
        ("{{ var.value.name }}", "SMP301", "var.value.name and a param would be one parameter 'name'"),
        ("{{ conn.aws.host }}", "SMP310", "connections hold secrets"),
        ("{{ prev_start_date_success }}", "SMP301", "'prev_start_date_success' is known to Airflow only"),
        ("{{ ti.try_number }}", "SMP301", "what is read of 'ti' has no counterpart"),
        ("{{ params.missing }}", "SMP302", "no param 'missing'"),
        ("{{ dag_run.conf.get('missing') }}", "SMP302", "no param 'missing'"),
        ("{{ dag_run.conf.get('name', 'other') }}", "SMP301", "'x' in one place and 'other' in another"),
        ("{{ dag_run.conf.get('new', ['a']) }}", "SMP305", "not text, a number or a boolean"),
        ("{{ ti.xcom_pull(task_ids='nobody')['a'] }}", "SMP303", "no task 'nobody'"),
        ("{{ ti.xcom_pull(task_ids='reader')['a'] }}", "SMP303", "not upstream"),
        ("{{ ti.xcom_pull(task_ids='up') }}", "SMP304", "no property"),
        ("{{ ti.xcom_pull(task_ids='up', key='other') }}", "SMP304", "no XCom 'other'"),
        ("{{ ti.xcom_pull(task_ids=['up']) }}", "SMP301", "a list of task_ids gives a list"),
        ("{{ ti.xcom_pull(task_ids=['up', 'b'])[0] }}", "SMP301", "a list of task_ids gives a list"),
        ("{{ ti.xcom_pull(task_ids=1) }}", "SMP301", "name one task"),
        ("{{ ti.xcom_pull(key='k') }}", "SMP304", "may be of any task before; none of them has it"),
        (
            "{{ ti.xcom_pull(task_ids='up', dag_id='other')['a'] }}",
            "SMP301",
            "dag_id: only the XCom of a task of this DAG",
        ),
        ("{{ ti.xcom_pull(task_ids='up', include_prior_dates=true)['a'] }}", "SMP301", "include_prior_dates: only"),
        ("{{ ti.xcom_pull(task_ids='up', map_indexes=0)['a'] }}", "SMP301", "map_indexes: only"),
        ("{{ ti.xcom_pull(task_ids='up', default='a') }}", "SMP301", "default: only"),
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
    assert messages(conversion, "SMP301") == ["ds and a param would be one parameter 'ds'"]


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
        ("SMP310", "config.value.b[1]"),
    ]
