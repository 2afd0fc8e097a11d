"""Params become parameters of the pipeline."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Param
from dag_makers import codes, make_dag, messages, rewritten, step

from sagemaker_provider.translator import Conversion, convert


def converted(**params: Any) -> Conversion:
    with make_dag(params=params) as dag:
        step("work")
    return convert(dag)


def parameter(**params: Any) -> dict[str, Any]:
    conversion = converted(**params)
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    (found,) = conversion.definition.parameters or ()
    return found.to_json()


@pytest.mark.parametrize(
    ("param", "kind", "default"),
    [
        ("text", "String", "text"),
        ("", "String", ""),
        (7, "Integer", 7),
        (0, "Integer", 0),
        (0.5, "Float", 0.5),
        (True, "Boolean", True),
        (False, "Boolean", False),
        (Param("a", type="string"), "String", "a"),
        (Param(1, type="integer"), "Integer", 1),
        (Param(1, type="number"), "Float", 1),
        (Param(1.5, type=["null", "number"]), "Float", 1.5),
        (Param(True, type="boolean"), "Boolean", True),
        (Param("a", type=["integer", "string"]), "String", "a"),
    ],
)
def test_type_and_default(param: Any, kind: str, default: Any) -> None:
    assert parameter(p=param) == {"Name": "p", "Type": kind, "DefaultValue": default}


@pytest.mark.parametrize(
    ("types", "kind"),
    [(["null", "string"], "String"), (["null", "integer"], "Integer"), (["boolean", "null"], "Boolean")],
)
def test_a_param_without_value_has_the_type_of_its_schema_and_no_default(types: list[str], kind: str) -> None:
    assert parameter(p=Param(None, type=types)) == {"Name": "p", "Type": kind}


def test_description_and_allowed_values_are_kept() -> None:
    found = parameter(p=Param("a", type="string", enum=["a", "b"], description="which one"))
    assert found == {
        "Name": "p",
        "Type": "String",
        "DefaultValue": "a",
        "EnumValues": ["a", "b"],
        "Description": "which one",
    }


def test_allowed_values_of_a_number_are_not_checked_by_a_pipeline() -> None:
    conversion = converted(p=Param(1, type="integer", enum=[1, 2]))
    assert codes(conversion) == ["SMP612"]
    assert "EnumValues" not in conversion.definition.parameters[0].to_json()  # type: ignore[union-attr,index]


@pytest.mark.parametrize(
    "rule",
    [{"minimum": 1}, {"maximum": 9}, {"exclusiveMinimum": 0}, {"multipleOf": 1}, {"const": 3}, {"not": {"const": 4}}],
)
def test_rules_of_the_schema_that_a_pipeline_does_not_check_are_reported(rule: dict[str, Any]) -> None:
    conversion = converted(p=Param(3, type="integer", **rule))
    assert codes(conversion) == ["SMP612"]
    assert next(iter(rule)) in conversion.findings[0].message


UNFIT = [["a"], {"a": 1}, None]


@pytest.mark.parametrize("value", UNFIT)
def test_a_param_that_is_not_scalar_is_left_out_when_nothing_reads_it(value: Any) -> None:
    conversion = converted(p=value)
    assert codes(conversion) == ["SMP703"]
    assert conversion.definition is not None
    assert conversion.definition.parameters == ()


@pytest.mark.parametrize("value", UNFIT)
def test_a_param_that_is_not_scalar_is_refused_when_something_reads_it(value: Any) -> None:
    _, conversion = rewritten("{{ params.p }}", params={"p": value})
    assert codes(conversion) == ["SMP305"]


@pytest.mark.parametrize("dag_params", [{}, {"p": "of the DAG"}])
def test_a_param_of_the_task_itself_is_refused_when_the_task_reads_it(dag_params: dict[str, Any]) -> None:
    with make_dag(params=dag_params) as dag:
        step("work", params={"p": "of the task"}, config={"v": "{{ params.p }}"})
    assert codes(convert(dag)) == ["SMP305"]


def test_a_param_that_the_task_repeats_is_that_of_the_dag() -> None:
    with make_dag(params={"p": "same", "q": 1}) as dag:
        step("work", params={"p": "same"}, config={"v": "{{ params.p }}", "w": "{{ params.q }}"})
    assert codes(convert(dag)) == []


SECRET = "hunter2-and-more"


def said(conversion: Conversion) -> str:
    definition = "" if conversion.definition is None else conversion.definition.to_json()
    return f"{[item.to_json() for item in conversion.findings]}{conversion.pipeline}{definition}"


@pytest.mark.parametrize("name", ["password", "db_password", "api_key", "secret", "access_token"])
def test_the_default_of_a_secret_param_is_refused_and_shown_nowhere(name: str) -> None:
    conversion = converted(**{name: SECRET})
    assert conversion.definition is None
    assert codes(conversion) == ["SMP306"]
    assert SECRET not in said(conversion)


@pytest.mark.parametrize(
    ("params", "more"),
    [({}, []), ({"password": Param(None, type=["null", "string"])}, ["SMP631", "SMP632"])],
)
def test_the_default_of_a_secret_in_a_template_is_shown_nowhere(params: dict[str, Any], more: list[str]) -> None:
    _, conversion = rewritten(f"{{{{ dag_run.conf.get('password', '{SECRET}') }}}}", params=params)
    assert codes(conversion) == ["SMP306", *more]
    assert SECRET not in said(conversion)


def test_a_secret_param_without_default_is_a_parameter_that_people_can_see() -> None:
    value, conversion = rewritten("{{ params.password }}", params={"password": Param(type="string")})
    assert value == {"Get": "Parameters.password"}
    assert codes(conversion) == ["SMP631"]


def test_a_param_that_may_be_null_needs_a_value_at_each_start() -> None:
    value, conversion = rewritten("{{ params.x }}", params={"x": Param(None, type=["null", "string"])})
    assert value == {"Get": "Parameters.x"}
    assert codes(conversion) == ["SMP632"]


@pytest.mark.parametrize("name", ["tokenizer", "max_tokens", "num_new_tokens", "token_count", "tokenizer_path"])
def test_the_tokens_of_text_are_no_secrets(name: str) -> None:
    assert codes(converted(**{name: "512"})) == []


def test_a_secret_number_is_a_secret() -> None:
    assert codes(converted(db_password=1234)) == ["SMP306"]


@pytest.mark.parametrize("key", ["DB_PASSWORD", "api_key", "aws_secret_access_key", "HF_TOKEN", "passphrase"])
def test_a_literal_secret_in_a_config_is_refused_and_shown_nowhere(key: str) -> None:
    with make_dag() as dag:
        step("work", config={key: SECRET})
    conversion = convert(dag)
    assert codes(conversion) == ["SMP306"]
    assert SECRET not in said(conversion)


def test_a_name_with_other_characters_is_changed_everywhere() -> None:
    value, conversion = rewritten("{{ params['learning rate'] }}", params={"learning rate": 0.1})
    assert value == {"Get": "Parameters.learning-rate"}
    assert codes(conversion) == ["SMP617"]
    assert messages(conversion, "SMP617") == ["the param 'learning rate' is called 'learning-rate'"]


def test_two_params_that_would_get_one_name_are_refused() -> None:
    assert "SMP503" in codes(converted(**{"a b": 1, "a.b": 2}))


def test_more_parameters_than_the_service_takes_are_refused() -> None:
    assert codes(converted(**{f"p{index}": index for index in range(201)})) == ["SMP532"]


@pytest.mark.parametrize(
    "value",
    ["postgresql://user:hunter2@host/db", "x AKIAABCDEFGHIJKLMNOP", "Bearer abcdefghijklmnop", "https://hooks.slack.com/services/T0"],
)  # fmt: skip
def test_what_holds_a_secret_goes_nowhere_whatever_its_name(value: str) -> None:
    with make_dag(params={"place": value}) as dag:
        step("t", config={"where": "{{ params.place }}", "direct": value})
    conversion = convert(dag)
    assert conversion.definition is None
    assert codes(conversion) == ["SMP306"]
    assert "hunter2" not in "".join(map(str, conversion.findings))


@pytest.mark.parametrize(
    "value", ["s3://bucket/key", "https://host/a:b@c", "arn:aws:iam::111122223333:role/R", "Bearer of news"]
)
def test_what_only_looks_like_a_url_is_no_secret(value: str) -> None:
    with make_dag(params={"place": value}) as dag:
        step("t", config={"where": "{{ params.place }}", "direct": value})
    assert convert(dag).definition is not None
