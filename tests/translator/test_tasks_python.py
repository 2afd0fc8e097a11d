"""Python and Bash tasks as Processing steps."""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, Param, task
from dag_makers import codes, empty, make_dag, messages, step, steps_of
from python_ways import DEFAULTS
from python_ways import converted as of_file

from sagemaker_provider.definition.model import PropertyFile
from sagemaker_provider.operators import JsonGet, SageMakerProcessingStepOperator
from sagemaker_provider.translator import Conversion, Settings, convert
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.python_jobs import PROGRAM

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import (
        BranchPythonOperator,
        ExternalPythonOperator,
        PythonOperator,
        ShortCircuitOperator,
    )
    from airflow.providers.standard.sensors.python import PythonSensor
except ImportError:  # Airflow 2 has them itself
    from airflow.operators.bash import BashOperator
    from airflow.operators.python import (
        BranchPythonOperator,
        ExternalPythonOperator,
        PythonOperator,
        ShortCircuitOperator,
    )
    from airflow.sensors.python import PythonSensor

DAGS = Path(__file__).parent / "python_dags"
log = logging.getLogger(__name__)


def converted(dag: DAG, **defaults: Any) -> Conversion:
    return convert(dag, Settings(defaults=Defaults({**DEFAULTS.values, **defaults})))  # type: ignore[no-any-return]


def task_of(conversion: Conversion, task_id: str = "t") -> Any:
    """The ``task.json`` of a task."""
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    every = [json.loads(content) for path, content in conversion.assets.items() if path.endswith("/task.json")]
    return next(item for item in every if item["task_id"] == task_id)


def nothing(*args: Any, **kwargs: Any) -> Any:
    return 1


def python(function: Any = nothing, task_id: str = "t", **options: Any) -> PythonOperator:
    return PythonOperator(task_id=task_id, python_callable=function, **options)


def only(function: Any = nothing, dag_options: Any = (), **options: Any) -> Conversion:
    """The conversion of a DAG with one Python task."""
    with make_dag(**dict(dag_options)) as dag:
        python(function, **options)
    return converted(dag)


# The step


def test_the_step_and_its_files() -> None:
    conversion = only()
    (path,) = {path.rpartition("/task.json")[0] for path in conversion.assets if path.endswith("task.json")}
    assert path.startswith("code/") and len(path) == len("code/") + 16
    assert set(conversion.assets) == {f"{path}/{name}" for name in ("task.json", "task_code.py", *PROGRAM)}
    place = ["s3://bucket/code", "xcom", {"Get": "Execution.PipelineExecutionId"}, "t", "out"]
    assert steps_of(conversion)["t"] == {
        "Name": "t",
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
            },
            "AppSpecification": {
                "ImageUri": DEFAULTS.values["image"],
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/airflow_task/run.py"],
            },
            "RoleArn": DEFAULTS.values["role"],
            "ProcessingInputs": [
                {
                    "InputName": "code",
                    "S3Input": {
                        "S3Uri": f"s3://bucket/code/{path}",
                        "LocalPath": "/opt/ml/processing/input/code",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "xcom",
                        "S3Output": {
                            "S3Uri": steps_of(conversion)["t"]["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"],
                            "LocalPath": "/opt/ml/processing/output/xcom",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
        "PropertyFiles": [{"PropertyFileName": "xcom", "OutputName": "xcom", "FilePath": "xcom.json"}],
    }  # fmt: skip
    uri = steps_of(conversion)["t"]["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    flat = "/".join(item if isinstance(item, str) else "*" for item in uri["Std:Join"]["Values"])
    assert flat == "/".join(item if isinstance(item, str) else "*" for item in place)
    assert codes(conversion) == []


def test_without_settings_there_are_parameters() -> None:
    with make_dag() as dag:
        python()
    conversion = convert(dag)
    assert conversion.definition is not None
    names = [item.name for item in conversion.definition.parameters]
    assert sorted(names) == ["CodeLocation", "ImageUri", "InstanceType", "RoleArn"]
    uri = steps_of(conversion)["t"]["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"]
    assert uri["Std:Join"]["Values"][0] == {"Get": "Parameters.CodeLocation"}


def test_settings_of_the_task_itself() -> None:
    own = {"image": "other", "volume_size_in_gb": 5, "request": {"NetworkConfig": {"EnableNetworkIsolation": False}}}
    arguments = steps_of(only(executor_config={"sagemaker": own}))["t"]["Arguments"]
    assert arguments["AppSpecification"]["ImageUri"] == "other"
    assert arguments["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 5
    assert arguments["NetworkConfig"] == {"EnableNetworkIsolation": False}
    assert messages(only(executor_config={"sagemaker": {"imgae": "x"}}), "SMP202")[0].startswith(
        "imgae: there are image"
    )


def test_the_address_is_that_of_the_content() -> None:
    one, same, other = only(op_args=[1]), only(op_args=[1]), only(op_args=[2])
    assert one.assets == same.assets
    assert set(one.assets).isdisjoint(other.assets)


def test_the_same_in_every_process() -> None:
    code = (
        "import sys, hashlib; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[1]); from python_ways import converted\n"
        "c = converted(Path(sys.argv[2]), 'flow')\n"
        "print(hashlib.sha256(repr((c.definition.to_json(), sorted(c.assets.items()))).encode()).hexdigest())"
    )
    tests = [str(Path(__file__).parent), str(DAGS / "flow.py")]
    other = subprocess.run(
        [sys.executable, "-c", code, *tests],
        env={
            **os.environ,
            "PYTHONHASHSEED": "1",
            "PYTHONPATH": os.pathsep.join([str(DAGS.parents[1]), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    own = of_file(DAGS / "flow.py", "flow")
    content = repr((own.definition.to_json(), sorted(own.assets.items()))).encode()  # type: ignore[union-attr]
    assert other.stdout.splitlines()[-1] == hashlib.sha256(content).hexdigest()


# Values


def test_constants_go_into_the_file() -> None:
    when = datetime.date(2026, 1, 2)
    conversion = only(op_args=[1, (2, [when])], op_kwargs={"a": {"b": None}, "c": {1: "x"}, "d": {3, 1}})
    found = task_of(conversion)
    assert found["op_args"] == [1, {"$tuple": [2, [{"$python": "__import__('datetime').date(2026, 1, 2)"}]]}]
    assert found["op_kwargs"] == {
        "a": {"b": None},
        "c": {"$dict": [[{"$python": "1"}, "x"]]},
        "d": {"$python": "{1, 3}"},
    }
    assert "Environment" not in steps_of(conversion)["t"]["Arguments"]


def test_templates_come_through_the_environment() -> None:
    params = {"n": 3, "flag": True, "s": "x"}
    options = {"op_kwargs": {"a": "{{ params.n }}", "b": "n={{ params.n }}-{{ params.s }}", "c": "{{ params.flag }}"}}
    conversion = only(dag_options={"params": params}, **options)
    value = {number: {"$value": {"name": f"AIRFLOW_VALUE_{number}"}} for number in (1, 2, 3)}
    value[1]["$value"]["type"], value[3]["$value"]["type"] = "Integer", "Boolean"
    assert task_of(conversion)["op_kwargs"] == {
        "a": {"$text": value[1]},
        "b": {"$text": {"$join": ["n=", value[1], "-", value[2]]}},
        "c": {"$text": value[3]},
    }
    text = {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.n"}]}}
    assert steps_of(conversion)["t"]["Arguments"]["Environment"]["AIRFLOW_VALUE_1"] == text
    assert messages(conversion, "SMP651") == ["3 values go through the environment of the job"]


def test_native_rendering() -> None:
    options = {"params": {"n": 3}, "render_template_as_native_obj": True}
    found = task_of(only(dag_options=options, op_args=["{{ params.n }}", "5", "x"]))["op_args"]
    value = {"$value": {"name": "AIRFLOW_VALUE_1", "type": "Integer"}}
    assert found == [{"$native": value}, {"$native": "5"}, {"$native": "x"}]


def test_xcoms_come_as_files() -> None:
    def read(first: Any, ti: Any) -> Any:
        return ti.xcom_pull(task_ids="second", key="k")

    with make_dag() as dag:
        first, second = python(task_id="first"), python(task_id="second")
        pull = "{{ ti.xcom_pull('second')['x'][0] }}"
        [first, second] >> python(read, op_args=[first.output, pull])
    conversion = converted(dag)
    found = task_of(conversion)
    whole = {"task": "first", "key": "return_value", "path": []}
    part = {"task": "second", "key": "return_value", "path": ["x", 0]}
    assert found["op_args"] == [{"$xcom": whole}, {"$text": {"$xcom": part}}]
    assert found["upstream"] == {"first": {"input": "xcom-1"}, "second": {"input": "xcom-2"}}
    inputs = steps_of(conversion)["t"]["Arguments"]["ProcessingInputs"][1:]
    get = "Steps.first.ProcessingOutputConfig.Outputs['xcom'].S3Output.S3Uri"
    assert inputs[0]["S3Input"]["S3Uri"] == {"Get": get}
    assert [item["S3Input"]["LocalPath"] for item in inputs] == [f"/opt/ml/processing/input/xcom-{n}" for n in (1, 2)]


def test_xcoms_of_steps_are_asked_for() -> None:
    with make_dag() as dag:
        step("before", outputs=["o"]) >> python(lambda ti: ti.xcom_pull("before"))
    found = task_of(converted(dag))["upstream"]["before"]
    assert found == {"values": {"OutputParameters.o": {"$value": {"name": "AIRFLOW_VALUE_1"}}}}


def test_native_steps_read_the_results() -> None:
    with make_dag() as dag:
        python() >> step(
            "after", config={"x": "{{ ti.xcom_pull('t')['a'][1] }}", "y": "{{ ti.xcom_pull('t', key='k') }}"}
        )
    found = steps_of(converted(dag))["after"]["Arguments"]
    file = {"Get": "Steps.t.PropertyFiles.xcom"}
    assert found["x"] == {"Std:JsonGet": {"PropertyFile": file, "Path": "return_value.a[1]"}}
    assert found["y"] == {"Std:JsonGet": {"PropertyFile": file, "Path": "k"}}


def test_only_what_the_code_asks_for_is_given() -> None:
    def asks(ds: Any, params: Any, dag_run: Any, **context: Any) -> Any:
        return [ds, params["n"], dag_run.conf.get("s"), dag_run.conf.get("own", "d"), context["run_id"]]

    conversion = only(asks, dag_options={"params": {"n": 3, "s": "x", "unused": 1}})
    found = task_of(conversion)
    assert found["context"] == ["dag_run", "ds", "params", "run_id"]
    assert {key: sorted(value) if key in ("params", "conf") else None for key, value in found["given"].items()} == {
        "params": ["n"], "conf": ["own", "s"], "run_id": None, "logical_date": None
    }  # fmt: skip
    assert conversion.definition is not None
    defaults = {item.name: item.default_value for item in conversion.definition.parameters}
    assert defaults == {"n": 3, "s": "x", "unused": 1, "logical_date": None, "own": "d"}


def test_variables_are_parameters() -> None:
    def reads() -> Any:
        from airflow.models import Variable

        return Variable.get("bucket", default_var="b"), Variable.get("needed")

    conversion = only(reads)
    assert sorted(task_of(conversion)["variables"]) == ["bucket", "needed"]
    assert conversion.definition is not None
    assert {item.name: item.default_value for item in conversion.definition.parameters} == {
        "bucket": "b",
        "needed": None,
    }


def test_templates_of_a_dict() -> None:
    found = task_of(only(templates_dict={"a": "{{ dag.dag_id }}"}))
    assert found["templates_dict"] == {"a": "work"}
    assert "templates_dict" in found["context"]


def test_retries_and_timeouts() -> None:
    minute = datetime.timedelta(minutes=1)
    conversion = only(
        retries=2,
        retry_delay=minute,
        retry_exponential_backoff=True,
        max_retry_delay=2 * minute,
        execution_timeout=10 * minute,
    )
    found = task_of(conversion)
    assert [found[key] for key in ("retries", "retry_delay", "retry_multiplier", "max_retry_delay")] == [2, 60, 2, 120]
    assert found["execution_timeout"] == 600
    limit = steps_of(conversion)["t"]["Arguments"]["StoppingCondition"]
    assert limit == {"MaxRuntimeInSeconds": 3 * 600 + 60 + 120 + 600}
    assert "SMP601" not in codes(conversion)


# Bash


def bash(command: Any = "true", dag_options: Any = (), **options: Any) -> Conversion:
    with make_dag(**dict(dag_options)) as dag:
        BashOperator(task_id="t", bash_command=command, **options)
    return converted(dag)


def test_bash_commands() -> None:
    found = task_of(
        bash(
            "echo {{ params.s }} $AIRFLOW_CTX_DAG_RUN_ID",
            {"params": {"s": "x"}},
            env={"A": "{{ params.s }}"},
            append_env=True,
            cwd="/tmp",
            output_encoding="latin-1",
            skip_on_exit_code=[3, 2],
            do_xcom_push=False,
        )
    )
    value = {"$value": {"name": "AIRFLOW_VALUE_1"}}
    assert found["bash_command"] == {"$text": {"$join": ["echo ", value, " $AIRFLOW_CTX_DAG_RUN_ID"]}}
    assert found["env"] == {"A": {"$text": value}}
    assert found["environment"] == {"AIRFLOW_CTX_DAG_RUN_ID": {"$text": {"$value": {"name": "AIRFLOW_VALUE_2"}}}}
    expected = {
        "kind": "bash", "append_env": True, "cwd": "/tmp", "output_encoding": "latin-1", "skip_on_exit_code": [2, 3],
        "do_xcom_push": False, "skip": "succeed",
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected


def test_scripts_are_files_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "work.sh").write_text("echo {{ params.s }}\nexit 0\n")
    found = task_of(bash("work.sh", {"params": {"s": "x"}, "template_searchpath": [str(tmp_path)]}))
    assert found["bash_command"]["$text"]["$join"][2] == "\nexit 0"
    assert messages(bash("none.sh"), "SMP225") == ["the template file 'none.sh' is not found"]


def test_output_processors() -> None:
    found = task_of(bash(output_processor=lambda line: line.upper()))
    assert found["output_processor"] is True
    assert found["entry"] == "task_callable"


@pytest.mark.skipif(not hasattr(task, "bash"), reason="this Airflow has no task.bash")
def test_functions_that_give_a_command() -> None:
    with make_dag() as dag:

        @task.bash
        def t(ds: Any = None) -> str:
            return f"echo {ds}"

        t()
    found = task_of(converted(dag))
    assert (found["kind"], found["entry"], found["context"]) == ("bash", "t", ["ds"])


@pytest.mark.parametrize(
    ("command", "secret"),
    [
        ("export DB_PASSWORD=word; run", True),
        ("API_KEY='word' run", True),
        ("DB_PASSWORD=$(aws secretsmanager get-secret-value) run", False),
        ("DB_PASSWORD=$1 TOKEN_FILE=/x run --name=word", False),
        ("DB_PASSWORD='{{ params.x }}' run", False),
    ],
)
def test_secrets_in_commands(command: str, secret: bool) -> None:
    conversion = bash(command, {"params": {"x": "y"}})
    assert ("SMP222" in codes(conversion)) == secret
    assert not any("word" in item.message for item in conversion.findings if item.code == "SMP222")


# Environments


def test_requirements_of_the_settings() -> None:
    with make_dag() as dag:
        python()
    conversion = converted(dag, requirements=["pandas==2.2", "boto3"])
    assert task_of(conversion)["venv"] == {"requirements": ["boto3", "pandas==2.2"], "system_site_packages": True}
    assert messages(conversion, "SMP653") == ["boto3, pandas==2.2"]


def test_airflow_among_the_requirements() -> None:
    def uses_hooks() -> Any:
        from airflow.hooks.base import BaseHook

        return BaseHook

    with make_dag() as dag:
        python(uses_hooks)
    assert codes(converted(dag)) == ["SMP223"]
    conversion = converted(dag, requirements=["apache-airflow==2.11"])
    assert task_of(conversion)["airflow"] is True
    assert codes(conversion) == ["SMP653", "SMP716"]


def virtualenv(**options: Any) -> Conversion:
    pytest.importorskip("airflow.sdk", reason="Airflow 2 needs virtualenv to make such a task")
    with make_dag() as dag:

        @task.virtualenv(**options)
        def t() -> Any:
            return 1

        t()
    return converted(dag)


def test_virtual_environments(tmp_path: Path) -> None:
    conversion = virtualenv(
        requirements=["b", "a"],
        system_site_packages=False,
        pip_install_options=["--no-deps"],
        index_urls=["https://one.example/packages", "https://two.example/packages"],
        python_version="3.11",
        env_vars={"A": "b"},
        inherit_env=False,
        string_args=["x"],
        skip_on_exit_code=9,
    )
    found = task_of(conversion)
    options = [
        "--no-deps",
        "--index-url",
        "https://one.example/packages",
        "--extra-index-url",
        "https://two.example/packages",
    ]
    assert found["venv"] == {
        "requirements": ["a", "b"], "system_site_packages": False, "pip_options": options, "python_version": "3.11"
    }  # fmt: skip
    assert (found["environment"], found["inherit_env"], found["string_args"]) == ({"A": "b"}, False, ["x"])
    assert found["skip_on_exit_code"] == [9]
    assert messages(conversion, "SMP653") == ["a, b"]
    assert messages(conversion, "SMP654") == ["the image must have Python 3.11"]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"index_urls": ["https://user:word@one.example/packages"]}, "SMP222"),
        ({"index_urls_from_connection_ids": ["pypi"]}, "SMP223"),
        ({"requirements": ["{{ params.x }}"]}, "SMP225"),
        ({"requirements": "none.txt"}, "SMP225"),
    ],
)
def test_environments_that_a_container_cannot_make(options: Any, code: str) -> None:
    conversion = virtualenv(**options)
    assert code in codes(conversion)
    assert not any("word" in item.message for item in conversion.findings)


def test_an_interpreter_of_the_workers() -> None:
    with make_dag() as dag:
        ExternalPythonOperator(task_id="t", python="/opt/venv/bin/python", python_callable=lonely)
    assert codes(converted(dag)) == ["SMP654"]


def lonely() -> Any:
    return 1


# Decisions


def conditions_of(conversion: Conversion) -> dict[str, Any]:
    """Condition -> (key it reads, names of the steps of its branches)."""
    return {
        name: (
            item["Arguments"]["Conditions"][-1]["LeftValue"]["Std:JsonGet"]["Path"],
            *([inner["Name"] for inner in item["Arguments"][side]] for side in ("IfSteps", "ElseSteps")),
        )
        for name, item in steps_of(conversion).items()
        if item["Type"] == "Condition"
    }


def branching(function: Any, *after: str) -> Conversion:
    with make_dag() as dag:
        BranchPythonOperator(task_id="t", python_callable=function) >> [python(task_id=name) for name in after]
    return converted(dag)


def test_a_choice_of_two_is_one_condition() -> None:
    conversion = branching(lambda: "a" if log.name else "b", "a", "b")
    assert conditions_of(conversion) == {"t--branch-1": ("a", ["a"], ["b"])}
    found = task_of(conversion)
    assert (found["kind"], found["decisions"], found["exclusive"], found["always"]) == (
        "branch",
        ["a", "b"],
        True,
        True,
    )
    files = steps_of(conversion)["t"]["PropertyFiles"]
    assert [item["FilePath"] for item in files] == ["xcom.json", "decisions.json"]


def test_a_choice_that_is_not_known_may_be_none() -> None:
    conversion = branching(nothing, "a", "b")
    assert {name: sides[1] for name, sides in conditions_of(conversion).items()} == {
        "t--branch-1": ["a"],
        "t--branch-2": ["b"],
    }
    assert task_of(conversion)["always"] is False


def test_a_choice_of_several_is_one_condition_each() -> None:
    conversion = branching(lambda: ["a", "b"], "a", "b")
    assert conditions_of(conversion) == {"t--branch-1": ("a", ["a"], []), "t--branch-2": ("b", ["b"], [])}
    assert task_of(conversion)["exclusive"] is False


def collects() -> Any:
    chosen = {"a"}
    chosen.add("b")
    return chosen


def test_a_choice_in_a_variable_may_be_several() -> None:
    conversion = branching(collects, "a", "b")
    assert conditions_of(conversion) == {"t--branch-1": ("a", ["a"], []), "t--branch-2": ("b", ["b"], [])}
    assert task_of(conversion)["exclusive"] is False


def test_a_choice_of_a_later_task_is_none_of_those_directly_after() -> None:
    with make_dag() as dag:
        branch = BranchPythonOperator(task_id="t", python_callable=lambda: "j" if log.name else "x")
        branch >> [python(task_id="x"), python(task_id="y")] >> python(task_id="j", trigger_rule="none_failed")
    conversion = converted(dag)
    found = task_of(conversion)
    assert (found["choices"]["j"], found["always"]) == ([], False)
    conditions = [item["Arguments"] for item in steps_of(conversion).values() if item["Type"] == "Condition"]
    ways = [[inner["Name"] for inner in item["IfSteps"]] for item in conditions]
    assert ways == [["x", "j"], ["y", "j-else-if"], ["j-else-else"]]


def test_a_choice_with_a_computed_name_may_be_none() -> None:
    found = task_of(branching(lambda: f"{log.name}", "a", "b"))
    assert (found["exclusive"], found["always"]) == (True, False)


def test_what_is_after_a_chosen_task_is_followed_too() -> None:
    with make_dag() as dag:
        branch = BranchPythonOperator(task_id="t", python_callable=lambda: "a")
        branch >> python(task_id="a") >> python(task_id="b")
        branch >> python(task_id="c")
    found = task_of(converted(dag))
    assert found["choices"] == {"a": ["a"], "b": [], "c": ["c"]}


def test_groups_are_one_choice() -> None:
    from airflow.providers.common.compat.sdk import TaskGroup

    with make_dag() as dag:
        branch = BranchPythonOperator(task_id="t", python_callable=lambda: "group" if log.name else "b")
        with TaskGroup("group") as group:
            python(task_id="x")
            python(task_id="y")
        branch >> [group, python(task_id="b")]
    conversion = converted(dag)
    assert conditions_of(conversion) == {"t--branch-1": ("group", ["group-x", "group-y"], ["b"])}
    assert task_of(conversion)["choices"]["group"] == ["group"]


def test_a_branch_with_nothing_after_it() -> None:
    assert list(steps_of(branching(nothing))) == ["t"]


def test_short_circuits() -> None:
    with make_dag() as dag:
        gate = ShortCircuitOperator(task_id="t", python_callable=nothing)
        gate >> python(task_id="a") >> python(task_id="b", trigger_rule="all_done")
    conversion = converted(dag)
    assert conditions_of(conversion) == {"t--proceed": ("proceed", ["a", "b"], [])}
    with make_dag() as dag:
        ShortCircuitOperator(task_id="t", python_callable=nothing)
    assert list(steps_of(converted(dag))) == ["t"]


def test_a_teardown_after_a_short_circuit() -> None:
    with make_dag() as dag:
        gate = ShortCircuitOperator(task_id="t", python_callable=nothing)
        gate >> python(task_id="a") >> python(task_id="b").as_teardown()
    assert messages(converted(dag), "SMP659") == ["b after it"]


def test_sensors() -> None:
    with make_dag() as dag:
        PythonSensor(task_id="t", python_callable=nothing, poke_interval=5, timeout=60, op_args=["{{ dag.dag_id }}"])
    conversion = converted(dag)
    found = task_of(conversion)
    assert (found["kind"], found["poke_interval"], found["timeout"]) == ("sensor", 5, 60)
    assert steps_of(conversion)["t"]["Arguments"]["StoppingCondition"] == {"MaxRuntimeInSeconds": 660}
    with make_dag() as dag:
        PythonSensor(task_id="t", python_callable=nothing, exponential_backoff=True)
    assert messages(converted(dag), "SMP202") == ["the waits between calls do not grow"]


# Findings


def says() -> None:
    """Say something."""
    log.info("hello")


def test_trivial_tasks() -> None:
    with make_dag() as dag:
        empty("before") >> python(says) >> python(task_id="after")
    conversion = converted(dag)
    assert codes(conversion, task="t") == ["SMP717"]
    assert list(steps_of(conversion)) == ["t", "after"]
    conversion = converted(dag, drop_trivial=True)
    assert messages(conversion, "SMP717") == ["it only prints or logs, and is dropped"]
    assert list(steps_of(conversion)) == ["after"]


def trains() -> None:
    import boto3

    client = boto3.client("sagemaker")
    client.create_training_job(TrainingJobName="x")
    client.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="x")


def skips() -> None:
    from airflow.exceptions import AirflowSkipException

    raise AirflowSkipException


def passes_on(**context: Any) -> Any:
    return nothing(context)


def pulls_any(ti: Any, name: str = "a") -> Any:
    return ti.xcom_pull(name)


def all_of_conf(dag_run: Any) -> Any:
    return dict(dag_run.conf)


def all_params(params: Any) -> Any:
    return dict(params)


def reads_connection(conn: Any) -> Any:
    return conn


def computed_variable(name: str) -> Any:
    from airflow.models import Variable

    return Variable.get(name)


def test_a_native_step_is_offered() -> None:
    conversion = only(trains)
    (message,) = messages(conversion, "SMP719")
    assert message.startswith("it calls create_training_job") and "SageMakerTrainingOperator" in message
    assert messages(conversion, "SMP716") == ["boto3"]


WORD = re.compile("x")


def matches() -> bool:
    return bool(WORD.match("x"))


def test_a_statement_that_runs_in_the_container_is_told() -> None:
    (message,) = messages(only(matches), "SMP718")
    assert message.startswith("'WORD' is a")


def test_tasks_that_skip_themselves() -> None:
    assert codes(only(skips)) == []
    assert task_of(only(skips))["skip"] == "succeed"
    with make_dag() as dag:
        python(skips) >> BashOperator(task_id="b", bash_command="true", skip_on_exit_code=7) >> python(task_id="c")
    conversion = converted(dag)
    assert len(messages(conversion, "SMP652")) == 2
    assert "skip" not in task_of(conversion)


@pytest.mark.parametrize(
    ("command", "skips_itself"),
    [("test -f x || exit 99", True), ('exit "$((x ? 99 : 0))"', True), ("exit 1\nseq 99", False), ("exit 199", False)],
)
def test_commands_that_skip_their_task(command: str, skips_itself: bool) -> None:
    with make_dag() as dag:
        BashOperator(task_id="t", bash_command=command) >> python(task_id="b")
    assert ("SMP652" in codes(converted(dag))) is skips_itself


def test_a_context_that_is_passed_on() -> None:
    conversion = only(passes_on, dag_options={"params": {"n": 1}})
    assert "SMP655" in codes(conversion)
    assert {"ti", "ds", "params", "data_interval_end"} <= set(task_of(conversion)["context"])


def test_xcoms_that_are_not_named() -> None:
    with make_dag() as dag:
        python(task_id="a") >> [python(task_id="b"), empty("nothing")] >> python(pulls_any)
        python(task_id="beside")
    conversion = converted(dag)
    assert codes(conversion, task="t") == ["SMP656"]
    assert sorted(task_of(conversion)["upstream"]) == ["a", "b"]


def test_conf_that_is_not_known() -> None:
    conversion = only(all_of_conf, dag_options={"params": {"n": 1}})
    assert "SMP658" in codes(conversion)
    assert sorted(task_of(conversion)["given"]["conf"]) == ["n"]


def test_params_that_are_no_parameters() -> None:
    conversion = only(all_params, dag_options={"params": {"n": Param(1, type="integer"), "l": [1, 2]}})
    assert messages(conversion, "SMP657") == ["the param 'l' is a list, which no parameter can be"]
    assert task_of(conversion)["given"]["params"]["l"] == {"$python": "[1, 2]"}


def test_errors_are_said() -> None:
    with make_dag() as dag:
        file = SageMakerProcessingStepOperator(
            task_id="file", config={}, property_files=[PropertyFile("metrics", "out", "metrics.json")]
        )
        python(op_args=[JsonGet(file, "metrics", "a.b")])
    assert messages(converted(dag), "SMP225") == ["the type of 'a.b' in the file of another step is not known"]
    assert messages(only(reads_connection), "SMP224") == ["it reads 'conn' of the context"]
    assert messages(only(computed_variable), "SMP229") == ["it reads a Variable whose name is computed"]
    assert messages(only(op_args=[object()]), "SMP225") == [
        "op_args[0] is a object, which cannot be written into a file"
    ]
    assert messages(only(op_kwargs={"x": {"{{ ds }}"}}), "SMP225") == ["op_kwargs.x is a set with templates"]
    assert codes(only(op_kwargs={"password": "word"})) == ["SMP222"]
    assert codes(only(op_args=["{{ conn.x.password }}"]))[0] in ("SMP301", "SMP310")
    assert codes(only(templates_dict={"x": "{{ ti.xcom_pull('none') }}"})) == ["SMP303"]
    assert codes(only(lambda ti: ti.xcom_pull("none"))) == ["SMP303"]


def test_too_many_values() -> None:
    with make_dag() as dag:
        python(op_args=[python(task_id=f"t{number}").output for number in range(10)])
    (message,) = messages(converted(dag), "SMP226")
    assert message.startswith("it reads the XComs of 10 tasks as files: t0, t1")
    names = [f"p{number}" for number in range(101)]
    text = "".join(f"{{{{ params.{name} }}}}" for name in names)
    conversion = only(dag_options={"params": dict.fromkeys(names, "x")}, op_args=[text])
    assert "101 values go through the environment" in messages(conversion, "SMP226")


def test_secrets_stay_out() -> None:
    conversion = only(op_kwargs={"config": {"api_key": "word"}})
    assert conversion.definition is None
    assert not any("word" in str(item) for item in conversion.findings)


# Templates that are no expressions


def test_other_templates_are_rendered_in_the_container() -> None:
    text = "{% for x in ti.xcom_pull('before')['rows'] %}{{ x }},{% endfor %}{{ ds[:4] }}{{ params.n * 2 }}{{ var.value.v }}"
    with make_dag(params={"n": 3}) as dag:
        python(task_id="before") >> BashOperator(task_id="t", bash_command=text)
    conversion = converted(dag)
    found = task_of(conversion)
    given = found["bash_command"]["$template"]["given"]
    assert (sorted(given["params"]), sorted(given["variables"]), "logical_date" in given) == (["n"], ["v"], True)
    assert found["venv"] == {"requirements": ["jinja2", "pendulum"], "system_site_packages": True}
    assert found["upstream"] == {"before": {"input": "xcom-1"}}
    assert messages(conversion, "SMP653") == ["jinja2, pendulum, to render templates"]


def test_not_where_they_read_what_a_container_has_not() -> None:
    assert codes(bash("{{ macros.random() * conf.x }}")) == ["SMP301"]
    assert codes(bash("{{ ti.xcom_pull('none')[0] * 2 }}"))[0] in ("SMP301", "SMP303")


# Mapped tasks


def test_each_item_has_a_step_with_results_of_its_own() -> None:
    with make_dag() as dag:
        task_of_item = PythonOperator.partial(task_id="m", python_callable=nothing).expand(op_args=[[1], [2]])
        python(op_args=[task_of_item.output], task_id="t")
    conversion = converted(dag)
    places = {
        json.dumps(item["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"])
        for item in steps_of(conversion).values()
    }
    assert len(places) == 3
    mapped = [json.loads(item) for path, item in conversion.assets.items() if path.endswith("task.json")]
    assert sorted((item["map_index"], item["op_args"]) for item in mapped if "map_index" in item) == [
        (0, [1]),
        (1, [2]),
    ]
    found = task_of(conversion)
    assert found["upstream"]["m"] == {"mapped": ["m--0", "m--1"]}
    assert found["op_args"] == [{"$xcom": {"task": "m", "key": "return_value", "path": []}}]


def test_items_of_a_loop_have_a_type() -> None:
    def looped(items: list[Any]) -> Conversion:
        with make_dag() as dag:

            @task
            def t(x: Any) -> Any:
                return x

            t.expand(x=items)
        return converted(dag, mapped="loop")

    assert task_of(looped([1, 2]))["op_kwargs"] == {"x": {"$value": {"name": "AIRFLOW_VALUE_1", "type": "Integer"}}}
    assert task_of(looped(["a"]))["op_kwargs"] == {"x": {"$value": {"name": "AIRFLOW_VALUE_1"}}}
    assert "SMP225" in codes(looped([1, "a"]))


def test_types_of_properties() -> None:
    with make_dag() as dag:
        step("before") >> python(op_args=["{{ ti.xcom_pull('before')['OutputParameters']['o'] }}"])
    assert task_of(converted(dag))["op_args"] == [{"$text": {"$value": {"name": "AIRFLOW_VALUE_1"}}}]


SPACE: dict[str, Any] = {}
exec("def without_source(): pass", SPACE)
if sys.version_info:
    PATTERN = re.compile("a")


def reads_what_is_made_at_times() -> str:
    return PATTERN.pattern


@pytest.mark.parametrize(
    ("function", "code"), [(SPACE["without_source"], "SMP220"), (reads_what_is_made_at_times, "SMP221")]
)
def test_what_cannot_be_packed_is_an_error_of_the_conversion(function: Any, code: str) -> None:
    conversion = only(function)
    assert conversion.definition is None
    assert code in codes(conversion, task="t")
