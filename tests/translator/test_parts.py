"""A part of a DAG as a pipeline that a task in Airflow starts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Param
from dag_makers import choice, codes, make_dag, messages, step, steps_of

from sagemaker_provider.definition import OutputParameter
from sagemaker_provider.operators import Join, SageMakerProcessingStepOperator
from sagemaker_provider.translator import Conversion, Settings, convert
from sagemaker_provider.translator.defaults import Defaults


def read(value: Any, *, known: Any = None, **options: Any) -> tuple[Any, Conversion]:
    """What a value becomes in a task of the pipeline, after a task ``up`` of it and a task ``out`` outside."""
    with make_dag(**options) as dag:
        out = step("out", outputs=["text", OutputParameter("count", "Integer")])
        up, reader = step("up"), step("reader", config={"value": value(out) if callable(value) else value})
        out >> up >> reader
    conversion = convert(dag, task_ids=["up", "reader"], value=known)
    return conversion.definition and steps_of(conversion)["reader"]["Arguments"]["value"], conversion


def test_what_a_task_outside_returns_is_a_parameter() -> None:
    value, conversion = read("{{ ti.xcom_pull(task_ids='out')['OutputParameters']['text'] }}")
    assert value == {"Get": "Parameters.out_OutputParameters_text"}
    pull = "{{ ti.xcom_pull(task_ids='out', key='return_value')['OutputParameters']['text'] }}"
    assert conversion.run_values == {"out_OutputParameters_text": pull}
    assert messages(conversion, "SMP820") == [f"{pull!r} becomes the parameter 'out_OutputParameters_text'"]
    assert "SMP820" in codes(conversion, task="reader")
    assert set(steps_of(conversion)) == {"up", "reader"}
    assert "DependsOn" not in steps_of(conversion)["up"]


def test_a_reference_to_a_task_outside_keeps_its_type() -> None:
    value, conversion = read(lambda out: Join("/", ["n", out.properties.OutputParameters["count"]]))
    assert value["Std:Join"]["Values"][1] == {"Get": "Parameters.out_OutputParameters_count"}
    assert conversion.definition is not None
    (parameter,) = conversion.definition.parameters or ()
    assert parameter.type == "Integer"
    assert repr(conversion.run_values[parameter.name]) == "out.properties.OutputParameters['count']"


@pytest.mark.parametrize(("known", "kind"), [("5", "String"), (5, "Integer"), (0.5, "Float"), (True, "Boolean")])
def test_the_type_is_that_of_the_value_of_the_run(known: Any, kind: str) -> None:
    _, conversion = read("{{ ti.xcom_pull(task_ids='out') }}", known=lambda source: known)
    assert conversion.definition is not None
    assert [item.type for item in conversion.definition.parameters or ()] == [kind]


def test_a_list_is_no_parameter() -> None:
    _, conversion = read("{{ ti.xcom_pull(task_ids='out') }}", known=lambda source: [1])
    assert codes(conversion, task="reader") == ["SMP305"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ dag_run.run_type | upper }}",
        "{{ params.a * 2 }}",
        "{{ var.json.settings.instance }}",
        "{{ ti.xcom_pull('out')['OutputParameters']['text'] | lower }}",
    ],
)
def test_what_only_airflow_renders_is_a_parameter(template: str) -> None:
    value, conversion = read(template, params={"a": 1})
    assert value == {"Get": "Parameters.reader_config_value"}
    assert conversion.run_values == {"reader_config_value": template}


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{{ ti.xcom_pull('up')['OutputParameters']['o'] | lower }}", "SMP301"),
        ("{{ ti.xcom_pull('out') ~ ti.try_number }}", "SMP301"),
        ("{{ conn.aws.password }}", "SMP310"),
        ("{{ var.value.password }}", "SMP306"),
        ("{{ var.json.settings.password }}", "SMP306"),
        ("{{ task.owner }}", "SMP301"),
        ("{{ var.value.db_password | upper }}", "SMP306"),
        ("{{ params['api_key'] | lower }}", "SMP306"),
        ("{{ ti.xcom_pull('out')['token'] }}", "SMP306"),
        ("{{ macros.uuid.uuid4() }}", "SMP301"),
        ("{{ macros.datetime.now() }}", "SMP301"),
        ("{{ logical_date.now().isoformat() }}", "SMP301"),
        ("{{ [1, 2] | random }}", "SMP301"),
        ("{{ macros['random']() }}", "SMP301"),
        ("{{ macros['datetime']['now']() }}", "SMP301"),
        ("{{ (macros.datetime | attr('utcnow'))() }}", "SMP301"),
        ("{{ macros.mine.today_for(ds) }}", "SMP301"),
    ],
)
def test_what_is_of_one_task_or_secret_is_refused(template: str, code: str) -> None:
    _, conversion = read(template)
    assert conversion.definition is None
    assert [item.code for item in conversion.findings if item.severity == "error"] == [code]


def test_a_secret_of_a_task_outside_is_refused() -> None:
    from sagemaker_provider.definition import PropertyFile
    from sagemaker_provider.operators import JsonGet

    with make_dag() as dag:
        out = SageMakerProcessingStepOperator(task_id="out", property_files=[PropertyFile("r", "o", "r.json")])
        step("work", config={"value": JsonGet(out, "r", "db.password")})
    assert codes(convert(dag, task_ids=["work"]), task="work") == ["SMP306"]


def test_one_template_in_two_places_is_one_parameter() -> None:
    with make_dag() as dag:
        step("one", config={"value": "{{ dag_run.run_type | upper }}"})
        step("two", config={"value": "{{ dag_run.run_type | upper }}"})
    conversion = convert(dag, task_ids=["one", "two"])
    assert [item["Arguments"]["value"] for item in steps_of(conversion).values()] == [
        {"Get": "Parameters.one_config_value"}
    ] * 2
    assert [(item.task, item.place) for item in conversion.findings if item.code == "SMP820"] == [
        ("one", "config.value"),
        ("two", "config.value"),
    ]


def test_the_run_id_is_airflows() -> None:
    value, conversion = read("runs/{{ run_id }}")
    assert value == {"Std:Join": {"On": "", "Values": ["runs/", {"Get": "Parameters.run_id"}]}}
    assert conversion.run_values == {"run_id": "{{ run_id }}"}
    assert "SMP705" not in codes(conversion)


def test_values_of_the_run_are_named_for_every_parameter() -> None:
    with make_dag(params={"a": 1, "never read": Param(None, type=["null", "string"])}) as dag:
        step("work", config={"a": "{{ params.a }}", "d": "{{ ds }}", "c": "{{ dag_run.conf.get('c', 'x') }}"})
        step("other")
    conversion = convert(dag, task_ids=["work"])
    assert conversion.run_values == {
        "a": "{{ params['a'] }}",
        "c": "{{ (dag_run.conf or {}).get('c', 'x') }}",
        "ds": "{{ ds }}",
    }
    assert not conversion.schedules
    assert not {"SMP632", "SMP703"} & set(codes(conversion))


def test_a_number_is_wanted_where_the_request_wants_one() -> None:
    with make_dag() as dag:
        step("out")
        cluster = {"InstanceCount": "{{ ti.xcom_pull('out') }}", "InstanceType": "{{ ti.xcom_pull('out') }}"}
        config = {
            "ProcessingResources": {"ClusterConfig": {**cluster, "VolumeSizeInGB": 1}},
            "AppSpecification": {"ImageUri": "image"},
            "RoleArn": "arn:aws:iam::111122223333:role/Work",
        }
        SageMakerProcessingStepOperator(task_id="work", config=config)
    conversion = convert(dag, task_ids=["work"])
    found = steps_of(conversion)["work"]["Arguments"]["ProcessingResources"]["ClusterConfig"]
    assert found["InstanceCount"] == {"Get": "Parameters.out_Integer"}
    assert found["InstanceType"] == {"Get": "Parameters.out"}
    assert conversion.run_values["out"] == conversion.run_values["out_Integer"]
    told = [item.message.rpartition(" ")[2] for item in conversion.findings if item.code == "SMP820"]
    assert told == ["'out'", "'out_Integer'"]


def test_a_property_file_of_a_task_outside_is_read_in_airflow() -> None:
    from sagemaker_provider.definition import PropertyFile
    from sagemaker_provider.operators import JsonGet

    with make_dag() as dag:
        out = SageMakerProcessingStepOperator(task_id="out", property_files=[PropertyFile("r", "o", "r.json")])
        step("work", config={"value": JsonGet(out, "r", "a.b")})
    conversion = convert(dag, task_ids=["work"])
    assert steps_of(conversion)["work"]["Arguments"] == {"value": {"Get": "Parameters.out_r_a_b"}}


def test_python_tasks_get_what_tasks_outside_return_as_json() -> None:
    from airflow.providers.common.compat.sdk import task

    @task(multiple_outputs=False)
    def first() -> dict[str, Any]:
        return {"n": 5}

    @task
    def work(value: Any) -> int:
        return int(value["n"])

    with make_dag() as dag:
        work(first())
    defaults = Defaults({"role": "arn:aws:iam::111122223333:role/Work", "image": "image", "code_location": "s3://b/c"})
    conversion = convert(dag, Settings(defaults=defaults), task_ids=["work"])
    assert conversion.run_values == {"first_json": "{{ ti.xcom_pull(task_ids='first') | tojson }}"}
    environment = steps_of(conversion)["work"]["Arguments"]["Environment"]
    assert {"Get": "Parameters.first_json"} in environment.values()


PYTHON = Defaults({"role": "arn:aws:iam::111122223333:role/Work", "image": "image", "code_location": "s3://b/c"})


def program_of(conversion: Conversion) -> dict[str, Any]:
    """What the program in the container is told about its task."""
    (text,) = (content for path, content in conversion.assets.items() if path.endswith("/task.json"))
    found: dict[str, Any] = json.loads(text)
    return found


def test_python_tasks_get_the_xcoms_of_tasks_outside_by_their_keys() -> None:
    from airflow.providers.common.compat.sdk import task

    @task
    def work(ti: Any = None) -> Any:
        return ti.xcom_pull(task_ids="out", key="n"), ti.xcom_pull("out")

    with make_dag() as dag:
        step("out") >> work()
    conversion = convert(dag, Settings(defaults=PYTHON), task_ids=["work"])
    assert conversion.run_values == {
        "out_json": "{{ ti.xcom_pull(task_ids='out') | tojson }}",
        "out_n_json": "{{ ti.xcom_pull(task_ids='out', key='n') | tojson }}",
    }
    assert set(program_of(conversion)["upstream"]["out"]["given"]) == {"return_value", "n"}


def test_a_computed_key_of_a_task_outside_is_refused() -> None:
    from airflow.providers.common.compat.sdk import task

    @task
    def work(ti: Any = None) -> Any:
        return [ti.xcom_pull(task_ids="out", key=str(number)) for number in range(3)]

    with make_dag() as dag:
        step("out") >> work()
    conversion = convert(dag, Settings(defaults=PYTHON), task_ids=["work"])
    assert [item.code for item in conversion.findings if item.severity == "error"] == ["SMP304"]


def test_a_mapped_task_outside_gives_a_list() -> None:
    from airflow.providers.common.compat.sdk import task

    @task
    def one(x: int) -> int:
        return x

    @task
    def work(values: Any) -> int:
        return sum(values)

    with make_dag() as dag:
        work(one.expand(x=[1]))
    conversion = convert(dag, Settings(defaults=PYTHON), task_ids=["work"])
    assert conversion.run_values == {"one_json": "{{ ti.xcom_pull(task_ids=['one']) | list | tojson }}"}


def test_what_the_dag_file_says_of_a_task_is_that_of_the_whole_dag() -> None:
    from airflow.providers.common.compat.sdk import task

    @task(retries=2)
    def work(ti: Any = None) -> Any:
        task = ti.task
        return task.retries, task.upstream_task_ids, ti.try_number

    with make_dag() as dag:
        step("out") >> work()
    conversion = convert(dag, Settings(defaults=PYTHON), task_ids=["work"])
    facts = program_of(conversion)["facts"]["task"]
    assert facts == {"retries": {"$python": "2"}, "upstream_task_ids": {"$python": "{'out'}"}}
    assert messages(conversion, "SMP824") == ["it reads ti.try_number"]


def test_a_rule_at_the_border_is_refused() -> None:
    with make_dag() as dag:
        step("out") >> step("work", trigger_rule="all_done")
    conversion = convert(dag, task_ids=["work"])
    assert codes(conversion) == ["SMP821"]
    assert messages(conversion, "SMP821") == ["the rule all_done with out before it, which stays in Airflow"]


def test_a_branch_that_leads_out_is_refused() -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", "a", "out") >> [step("a"), step("out")]
    assert "SMP822" in codes(convert(dag, task_ids=["c", "a"]))
    assert not codes(convert(dag, task_ids=["c", "a", "out"])) or "SMP822" not in codes(convert(dag))


def test_the_dag_stays_as_it_is() -> None:
    with make_dag() as dag:
        a, b = step("a", retries=2), step("b")
        a >> b
    convert(dag, task_ids=["a"])
    assert set(dag.task_dict) == {"a", "b"}
    assert a.downstream_task_ids == {"b"} and a.retries == 2 and a.dag is dag


def test_the_steps_of_each_task_are_told() -> None:
    with make_dag(params={"c": 1}) as dag:
        tail = step("tail", trigger_rule="none_failed_min_one_success")
        choice("c", "a", "b") >> [step("a"), step("b")] >> tail
    found = convert(dag, task_ids=["c", "a", "b", "tail"]).tasks
    assert {task: [(item.names, item.type, item.suffix) for item in items] for task, items in found.items()} == {
        "c": [(("c",), "Condition", "")],
        "a": [(("a",), "Lambda", "")],
        "b": [(("b",), "Lambda", "")],
        "tail": [(("tail", "tail-else"), "Lambda", "")],
    }
