"""The program that runs tasks in a container, as processes with the files of a pack."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_runs import Ran, run_task
from plain_data import DATA

from sagemaker_provider.translator.airflow_task import run, values

OLD = Path.home() / ".pyenv/versions/3.8.18/bin/python"


def ran(tmp_path: Path, code: str, **task: Any) -> Ran:
    """Run a task whose code is given; ``inputs`` and ``variables`` as for :func:`run_task`."""
    options = {key: task.pop(key) for key in ("inputs", "variables", "python") if key in task}
    entry = {} if task.get("kind") == "bash" and "entry" not in task else {"entry": "task"}
    return run_task(tmp_path, {**entry, **task}, {"task_code.py": code.encode()}, **options)


# XComs


@given(DATA)
def test_xcoms_survive_files(value: Any) -> None:
    kinds: list[Any] = []
    try:
        plain = values.to_json({"return_value": value}, [], kinds)
    except TypeError:
        return
    found = values.from_json(json.loads(json.dumps(plain)), json.loads(json.dumps(kinds)))["return_value"]
    assert found == as_airflow_has_it(value)
    assert type(found) is type(value)


def as_airflow_has_it(value: Any) -> Any:
    """Keys of dicts are text in XComs."""
    if isinstance(value, dict):
        return {str(key): as_airflow_has_it(item) for key, item in value.items()}
    return type(value)(map(as_airflow_has_it, value)) if isinstance(value, (list, tuple)) else value


def test_what_native_steps_read_is_plain_json(tmp_path: Path) -> None:
    code = """
import datetime, math
def task():
    return {"when": datetime.date(2026, 1, 2), "pair": (1, 2), "set": {2, 1}, "nan": math.nan, "d": datetime.timedelta(1)}
"""
    found = ran(tmp_path, code)
    assert found.files["xcom.json"]["return_value"] == {
        "when": "2026-01-02", "pair": [1, 2], "set": [1, 2], "nan": None, "d": 86400.0
    }  # fmt: skip
    back = found.xcoms["return_value"]
    assert math.isnan(back.pop("nan"))
    assert back == {"when": datetime.date(2026, 1, 2), "pair": (1, 2), "set": {1, 2}, "d": datetime.timedelta(1)}


def test_numbers_of_numpy_are_numbers() -> None:
    class Float64:
        ndim = 0

        def item(self) -> float:
            return 0.5

    Float64.__module__ = "numpy"
    assert values.to_json([Float64()], [], []) == [0.5]
    assert values.to_json(decimal.Decimal("1.50"), [], []) == "1.50"


def test_results_that_are_no_json_fail_clearly(tmp_path: Path) -> None:
    found = ran(tmp_path, "def task(): return {'model': [object()]}")
    assert found.code == 1
    assert found.message == (
        "TypeError: return_value['model'][0] is a object, which is no JSON: write it to S3 and return where it is"
    )


@pytest.mark.parametrize(
    ("code", "task", "xcoms"),
    [
        ("def task(): return 1", {}, {"return_value": 1}),
        ("def task(): return None", {}, {}),
        ("def task(): return 1", {"do_xcom_push": False}, {}),
        ("def task(): return {'a': 1}", {"multiple_outputs": True}, {"a": 1, "return_value": {"a": 1}}),
        ("def task(ti): ti.xcom_push('k', 2)", {"context": ["ti"]}, {"k": 2}),
        ("def task(ti): ti.xcom_push(key='k', value=2); return ti.xcom_pull('do', key='k')", {"context": ["ti"]}, {"k": 2, "return_value": 2}),
        ("async def task(): return 3", {}, {"return_value": 3}),
    ],
)  # fmt: skip
def test_what_is_pushed(code: str, task: Any, xcoms: Any, tmp_path: Path) -> None:
    assert ran(tmp_path, code, **task).xcoms == xcoms


@pytest.mark.parametrize(
    ("result", "message"),
    [("1", "expected dictionary for multiple_outputs"), ("{1: 2}", "keys must be strings")],
)
def test_multiple_outputs_must_be_dicts(result: str, message: str, tmp_path: Path) -> None:
    assert message in ran(tmp_path, f"def task(): return {result}", multiple_outputs=True).message


def test_xcoms_of_tasks_before(tmp_path: Path) -> None:
    code = """
def task(given, ti):
    return [given, ti.xcom_pull("a"), ti.xcom_pull(task_ids=["a", "b"]), ti.xcom_pull("b", key="k"),
            ti.xcom_pull("b", key="none", default=7), ti.xcom_pull(key="k"), ti.xcom_pull(task_ids="b", key="none")]
"""
    found = ran(
        tmp_path,
        code,
        context=["ti"],
        op_args=[{"$xcom": {"task": "a", "key": "return_value", "path": ["x", 1]}}],
        upstream={"a": {"input": "xcom-1"}, "b": {"input": "xcom-2"}},
        inputs={"xcom-1": {"return_value": {"x": (1, 2)}}, "xcom-2": {"return_value": 5, "k": "v"}},
    )
    assert found.xcoms["return_value"] == [2, {"x": (1, 2)}, [{"x": (1, 2)}, 5], "v", 7, "v", None]


@pytest.mark.parametrize(
    ("pull", "message"),
    [
        ("'c'", "the XComs of 'c' are not here; this task was given those of: a"),
        ("'a', dag_id='other'", "XComs of the DAG 'other' are not here"),
        ("key='none'", "the XCom 'none' is of no tasks: name one in task_ids"),
    ],
)
def test_xcoms_that_are_not_here(pull: str, message: str, tmp_path: Path) -> None:
    found = ran(
        tmp_path,
        f"def task(ti): return ti.xcom_pull({pull})",
        context=["ti"],
        upstream={"a": {"input": "xcom-1"}},
        inputs={"xcom-1": {}},
        retries=3,
        retry_delay=0,
    )
    assert (found.code, found.log.count("Attempt")) == (1, 1)
    assert message in found.message


def test_values_that_come_one_by_one(tmp_path: Path) -> None:
    source = {"values": {"OutputParameters.o": {"$value": {"name": "AIRFLOW_VALUE_1"}}}}
    found = ran(
        tmp_path,
        "def task(ti): return ti.xcom_pull('f')",
        context=["ti"],
        upstream={"f": source},
        variables={"AIRFLOW_VALUE_1": "x"},
    )
    assert found.xcoms["return_value"] == {"OutputParameters": {"o": "x"}}


# Values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"$value": {"name": "A"}}, "7"),
        ({"$value": {"name": "A", "type": "Integer"}}, 7),
        ({"$value": {"name": "A", "type": "Float"}}, 7.0),
        ({"$value": {"name": "B", "type": "Boolean"}}, True),
        ({"$text": {"$value": {"name": "B", "type": "Boolean"}}}, "True"),
        ({"$join": ["a-", {"$value": {"name": "A"}}, "-b"]}, "a-7-b"),
        ({"$native": {"$value": {"name": "A"}}}, 7),
        ({"$native": "a b"}, "a b"),
        ({"$native": {"$value": {"name": "A", "type": "Float"}}}, 7.0),
        ({"$tuple": [1, {"$value": {"name": "A"}}]}, (1, "7")),
        ({"$dict": [[{"$python": "(1, 2)"}, {"$value": {"name": "A"}}]]}, {(1, 2): "7"}),
        ({"$python": "{1, 2}"}, {1, 2}),
        ({"a": [{"b": None}], "$c": 1}, {"a": [{"b": None}], "$c": 1}),
    ],
)
def test_values(value: Any, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "7")
    monkeypatch.setenv("B", "true")
    assert values.decode(value, None) == expected


# The context

DATE_KEYS = ("ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz", "yesterday_ds", "tomorrow_ds_nodash")


def test_the_context(tmp_path: Path) -> None:
    code = f"""
def task(**context):
    ti, run = context["ti"], context["dag_run"]
    return {{
        "dates": [context[key] for key in {DATE_KEYS!r}],
        "parts": [context["logical_date"].year, context["data_interval_end"].isoformat(), run.logical_date.day],
        "ids": [ti.dag_id, ti.task_id, ti.run_id, ti.try_number, ti.map_index, run.run_id, context["run_id"]],
        "names": [context["dag"].dag_id, context["task"].task_id],
        "given": [context["params"], run.conf],
        "macros": [context["macros"].ds_add("2026-01-31", 1), context["macros"].ds_format("2026-01-31", "%Y-%m-%d", "%d")],
        "templates": context["templates_dict"],
    }}
"""
    given = {
        "run_id": {"$value": {"name": "A"}},
        "logical_date": "2026-01-31T12:30:00Z",
        "data_interval_end": "2026-02-01 00:00:00+02:00",
        "params": {"n": 1},
        "conf": {"c": 2},
    }
    keys = [
        *DATE_KEYS,
        "ti",
        "dag_run",
        "logical_date",
        "data_interval_end",
        "run_id",
        "dag",
        "task",
        "params",
        "macros",
    ]
    found = ran(
        tmp_path,
        code,
        given=given,
        context=[*keys, "templates_dict"],
        templates_dict={"x": "y"},
        variables={"A": "execution"},
    )
    assert found.xcoms["return_value"] == {
        "dates": ["2026-01-31", "20260131", "2026-01-31T12:30:00+00:00", "20260131T123000", "20260131T123000+0000", "2026-01-30", "20260201"],
        "parts": [2026, "2026-02-01T00:00:00+02:00", 31],
        "ids": ["work", "do", "execution", 1, -1, "execution", "execution"],
        "names": ["work", "do"],
        "given": [{"n": 1}, {"c": 2}],
        "macros": ["2026-02-01", "31"],
        "templates": {"x": "y"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("from airflow.sdk import get_current_context as g\ndef task(): g()['conn']", "the context has no 'conn' here"),
        ("def task(ti): return ti.log_url", "a task instance has no 'log_url' in a container"),
        ("def task(ti): return ti.run_id", "the run id was not found to be read"),
        ("def task(dag): return dag.tasks", "a container has only dag_id, not 'tasks'"),
        ("def task(ds, ti): pass", "missing 1 required positional argument: 'ds'"),
        ("from airflow.models import Variable\ndef task(): Variable.get('x')", "the Variable 'x' was not found"),
        ("def task(logical_date): logical_date.subtract(days=1)", "name pendulum in the requirements"),
        ("from airflow.hooks.base import BaseHook", "No module named 'airflow.hooks'"),
    ],
)
def test_what_a_container_does_not_have(code: str, message: str, tmp_path: Path) -> None:
    python = str(OLD) if "pendulum" in message and OLD.exists() else sys.executable
    if "pendulum" in message and not OLD.exists():
        pytest.skip("no Python without pendulum")
    given = {"logical_date": "2026-01-01"} if "logical_date" in code else {}
    context = ["ti", "dag", *(["logical_date"] if given else [])]
    found = ran(tmp_path, code, context=context, given=given, python=python)
    assert found.code == 1
    assert message in found.message


def test_variables_and_the_current_context(tmp_path: Path) -> None:
    code = """
def task():
    from airflow.operators.python import get_current_context
    from airflow.models import Variable
    from airflow.exceptions import AirflowException
    return [Variable.get("a"), Variable.get("b", deserialize_json=True, default_var={}), get_current_context()["ti"].task_id]
"""
    task = {"entry": "task", "context": ["ti"], "variables": {"a": "1", "b": '{"c": 2}'}}
    found = run_task(tmp_path, task, {"task_code.py": code.encode()})
    assert found.xcoms["return_value"] == ["1", {"c": 2}, "do"]


def test_arguments_that_are_reserved(tmp_path: Path) -> None:
    found = ran(tmp_path, "def task(ds): pass", context=["ds"], given={"logical_date": "2026-01-01"}, op_args=["x"])
    assert "The key 'ds' in args is a part of kwargs and therefore reserved." in found.message


def test_mapped_tasks(tmp_path: Path) -> None:
    found = ran(
        tmp_path,
        "def task(ti): return [ti.xcom_pull('m'), ti.xcom_pull('m', key='k'), ti.map_index]",
        context=["ti"],
        map_index=3,
        upstream={"m": {"mapped": ["m--0", "m--1"]}, "m--0": {"input": "xcom-1"}, "m--1": {"input": "xcom-2"}},
        inputs={"xcom-1": {"return_value": 1, "k": "v"}, "xcom-2": {"return_value": 2}},
    )
    assert found.xcoms["return_value"] == [[1, 2], ["v"], 3]


@pytest.mark.parametrize("text", ["ti.xcom_pull('o', key='other')", "ti.xcom_pull(key='other')"])
def test_what_a_task_in_airflow_may_have_beside_what_was_given_is_missed(tmp_path: Path, text: str) -> None:
    known = {"o": {"given": {"return_value": 1, "n": 2}}}
    code = f"def task(ti): return ti.xcom_pull('o'), ti.xcom_pull(key='n'), {text}"
    found = ran(tmp_path, code, context=["ti"], upstream=known)
    assert "the XCom 'other' of 'o' is not here; this task was given n, return_value" in found.message


def test_templates_are_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    def render(text: str, native: bool = False) -> Any:
        given = {
            "params": {"n": {"$value": {"name": "A", "type": "Integer"}}},
            "conf": {"c": "d"},
            "variables": {"v": "w"},
            "logical_date": "2026-01-31 00:00:00+00:00",
        }
        inner = {"text": text, "native": native, "given": given, "dag_id": "work", "task_id": "t"}
        upstream = values.Upstream({"a": {"values": {"x.y": "z"}}})
        return values.decode({"$template": inner}, upstream)

    monkeypatch.setenv("A", "7")
    from sagemaker_provider.translator.airflow_task import context  # noqa: F401  (it brings the rendering)

    assert render("{{ params.n * 2 }} {{ dag_run.conf['c'] }} {{ var.value.v }} {{ ds[:4] }}\n") == "14 d w 2026"
    assert (
        render("{{ ti.xcom_pull('a')['x']['y'] | upper }}{{ dag.dag_id }}{{ logical_date | ds_nodash }}")
        == "Zwork20260131"
    )
    assert render("{{ logical_date.subtract(days=1).strftime('%d') }}") == "30"
    assert render("{{ params.n * 2 }}", native=True) == 14
    with pytest.raises(Exception, match="'dict object' has no attribute 'none'"):
        render("{{ params.none }}")


# Attempts

COUNTED = """
import os
def task(**context):
    path = os.environ["COUNT"]
    with open(path, "a") as file:
        file.write("x")
    count = os.path.getsize(path)
"""


@pytest.mark.parametrize(
    ("end", "attempts", "code"),
    [
        ("if count < 3: raise ValueError('again')", 3, 0),
        ("raise ValueError('always')", 4, 1),
        ("import sys; sys.exit(3)", 4, 1),
        ("os._exit(3)", 4, 1),
        ("from airflow.exceptions import AirflowFailException; raise AirflowFailException('no')", 1, 1),
        ("from airflow.exceptions import AirflowSkipException; raise AirflowSkipException('no')", 1, 1),
        ("class AirflowFailException(Exception): pass\n    raise AirflowFailException('of real Airflow')", 1, 1),
    ],
)
def test_retries(end: str, attempts: int, code: int, tmp_path: Path) -> None:
    count = tmp_path / "count"
    found = ran(tmp_path, f"{COUNTED}    {end}", retries=3, retry_delay=0, variables={"COUNT": str(count)})
    assert (len(count.read_text()), found.code) == (attempts, code), found.log


def test_a_task_without_anything_after_it_may_be_skipped(tmp_path: Path) -> None:
    code = "from airflow.exceptions import AirflowSkipException\ndef task(): raise AirflowSkipException('no')"
    assert ran(tmp_path / "a", code, skip="succeed").code == 0
    found = ran(tmp_path / "b", code)
    assert found.message == "the task was skipped, which a pipeline step cannot be: AirflowSkipException: no"


def test_waits_between_attempts() -> None:
    plain = {"retries": 3, "retry_delay": 10}
    assert list(run.delays(plain)) == [10, 10, 10]
    assert list(run.delays({**plain, "retry_multiplier": 2})) == [10, 20, 40]
    assert list(run.delays({**plain, "retry_multiplier": 3, "max_retry_delay": 50})) == [10, 30, 50]
    assert list(run.delays({})) == []


def test_a_timeout_is_of_one_attempt(tmp_path: Path) -> None:
    count = tmp_path / "count"
    code = f"{COUNTED}    if count == 1:\n        import time; time.sleep(60)\n    return count"
    found = ran(tmp_path, code, retries=1, retry_delay=0, execution_timeout=3, variables={"COUNT": str(count)})
    assert found.xcoms == {"return_value": 2}
    found = ran(tmp_path / "b", "import time\ndef task(): time.sleep(60)", execution_timeout=0.5)
    assert found.message == "AirflowTaskTimeout: the attempt ran longer than 0.5 s"


def test_what_a_failed_attempt_wrote_is_gone(tmp_path: Path) -> None:
    code = f"{COUNTED}    if count == 1:\n        context['ti'].xcom_push('k', 1); raise ValueError\n    return count"
    count = {"COUNT": str(tmp_path / "count")}
    found = ran(tmp_path, code, context=["ti"], retries=1, retry_delay=0, variables=count)
    assert found.xcoms == {"return_value": 2}


def test_a_stopped_job_stops_its_task(tmp_path: Path) -> None:
    code = "import time, pathlib\ndef task():\n    pathlib.Path('started').touch(); time.sleep(60)"
    ran(tmp_path, "def task(): pass")  # writes the files
    folder = tmp_path / "processing/input/code"
    (folder / "task_code.py").write_text(code)
    process = subprocess.Popen([sys.executable, folder / "airflow_task/run.py"], cwd=tmp_path)
    for _ in range(600):
        if (tmp_path / "started").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 128 + signal.SIGTERM


# Kinds


def test_branches(tmp_path: Path) -> None:
    task = {
        "kind": "branch",
        "choices": {"a": ["a"], "b": ["b"], "both": ["a", "b"]},
        "decisions": ["a", "b"],
        "exclusive": True,
    }
    found = ran(tmp_path / "1", "def task(): return 'a'", **task)
    assert found.files["decisions.json"] == {"a": True, "b": False}
    assert found.xcoms == {"return_value": "a"}
    assert ran(tmp_path / "2", "def task(): return None", **task).files["decisions.json"] == {"a": False, "b": False}
    assert "chose ['a', 'b']" in ran(tmp_path / "3", "def task(): return ['a', 'b']", **task).message
    assert "Invalid tasks found: ['c']" in ran(tmp_path / "4", "def task(): return 'c'", **task).message
    several = {**task, "exclusive": False}
    found = ran(tmp_path / "5", "def task(): return ('a', 'b')", **several)
    assert found.files["decisions.json"] == {"a": True, "b": True}
    found = ran(tmp_path / "6", "def task(): return None", **task, always=True)
    assert "it chose nothing" in found.message


def test_short_circuits(tmp_path: Path) -> None:
    for number, (result, proceed) in enumerate([("[1]", True), ("0", False), ("None", False)]):
        found = ran(tmp_path / str(number), f"def task(): return {result}", kind="short_circuit", decisions=["proceed"])
        assert found.files["decisions.json"] == {"proceed": proceed}


def test_sensors(tmp_path: Path) -> None:
    count = {"COUNT": str(tmp_path / "count")}
    task = {"kind": "sensor", "poke_interval": 0.05, "timeout": 30}
    assert ran(tmp_path, f"{COUNTED}    return count == 3", variables=count, **task).xcoms == {}
    code = "from airflow.sdk import PokeReturnValue\ndef task(): return PokeReturnValue(True, {'a': 1})"
    assert ran(tmp_path / "b", code, **task).xcoms == {"return_value": {"a": 1}}
    found = ran(tmp_path / "c", "def task(): return False", retries=2, retry_delay=0, **{**task, "timeout": 0.1})
    assert found.message.startswith("AirflowSensorTimeout: Sensor has timed out")
    assert found.log.count("Attempt") == 1
    found = ran(tmp_path / "d", "def task(): return False", **{**task, "timeout": 0.1}, soft_fail=True, skip="succeed")
    assert found.code == 0


def bash(tmp_path: Path, command: Any, **task: Any) -> Ran:
    return ran(tmp_path, "", kind="bash", bash_command=command, **task)


def test_bash(tmp_path: Path) -> None:
    assert bash(tmp_path / "1", "echo one; echo ' two '").xcoms == {"return_value": " two"}
    assert bash(tmp_path / "2", "echo out; echo err >&2").xcoms == {"return_value": "err"}
    assert bash(tmp_path / "3", "true").xcoms == {"return_value": ""}
    found = bash(tmp_path / "4", "exit 3")
    assert found.message == "AirflowException: Bash command failed. The command returned a non-zero exit code 3."
    found = bash(tmp_path / "5", "exit 99", skip_on_exit_code=[99], skip="succeed")
    assert (found.code, found.xcoms) == (0, {})


def test_the_environment_of_bash(tmp_path: Path) -> None:
    command = "echo ${OUTER:-no} ${A:-no} $AIRFLOW_CTX_DAG_ID $AIRFLOW_CTX_TASK_ID $AIRFLOW_CTX_TRY_NUMBER"
    outer = {"OUTER": "outer"}
    assert bash(tmp_path / "1", command, variables=outer).xcoms["return_value"] == "outer no work do 1"
    assert bash(tmp_path / "2", command, variables=outer, env={"A": "a"}).xcoms["return_value"] == "no a work do 1"
    found = bash(tmp_path / "3", command, variables=outer, env={"A": "a"}, append_env=True)
    assert found.xcoms["return_value"] == "outer a work do 1"


def test_the_folder_of_bash(tmp_path: Path) -> None:
    assert bash(tmp_path / "1", "pwd", cwd="/usr").xcoms["return_value"] == "/usr"
    assert "airflowtmp" in bash(tmp_path / "2", "pwd").xcoms["return_value"]
    assert bash(tmp_path / "3", "pwd", cwd="/none").message == "AirflowException: Can not find the cwd: /none"


def test_text_of_bash(tmp_path: Path) -> None:
    found = bash(tmp_path / "1", "printf '\\xe9'", output_encoding="latin-1")
    assert found.xcoms["return_value"] == "é"
    code = "def task(line): return line.split(',')"
    found = ran(tmp_path / "2", code, kind="bash", entry="task", output_processor=True, bash_command="echo a,b")
    assert found.xcoms["return_value"] == ["a", "b"]


def test_functions_that_give_a_command(tmp_path: Path) -> None:
    def given(text: str) -> Ran:
        return ran(tmp_path / str(abs(hash(text))), f"def task(): return {text}", kind="bash", entry="task")

    assert given("'echo x'").xcoms == {"return_value": "x"}
    assert "must be a non-empty string" in given("' '").message
    assert "a template, which only Airflow renders" in given("'echo {{ ds }}'").message


# Environments


def test_virtual_environments(tmp_path: Path) -> None:
    venv = {"requirements": [], "system_site_packages": False}
    found = ran(tmp_path, "import sys\ndef task(): return sys.prefix != sys.base_prefix", venv=venv)
    assert found.xcoms == {"return_value": True}


@pytest.mark.parametrize(
    ("venv", "message"),
    [
        ({"python_version": "3.99"}, "the image has no python3.99"),
        ({"requirements": ["./nothing-here"]}, "-m pip install ended with exit code 1"),
    ],
)
def test_environments_that_cannot_be_made(venv: Any, message: str, tmp_path: Path) -> None:
    found = ran(tmp_path, "", venv={"requirements": [], "system_site_packages": True, **venv})
    assert found.code == 1
    assert message in found.message


def test_requirements_are_installed(tmp_path: Path) -> None:
    wheel = tmp_path / "of_ours-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("of_ours.py", "NAME = 'ours'")
        file.writestr("of_ours-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: of-ours\nVersion: 1\n")
        file.writestr("of_ours-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("of_ours-1.dist-info/RECORD", "")
    venv = {"requirements": [str(wheel)], "system_site_packages": True, "pip_options": ["--no-deps", "--no-index"]}
    found = ran(tmp_path, "def task():\n    import of_ours\n    return of_ours.NAME", venv=venv)
    assert found.xcoms == {"return_value": "ours"}, found.log[-2000:]


def test_exit_codes_that_skip(tmp_path: Path) -> None:
    found = ran(tmp_path, "import sys\ndef task(): sys.exit(7)", skip_on_exit_code=[7], skip="succeed")
    assert found.code == 0


def test_an_environment_of_its_own(tmp_path: Path) -> None:
    code = "import os\ndef task(): return [os.environ.get(name) for name in ('OUTER', 'OWN', 'AIRFLOW_CTX_TASK_ID')]"
    found = ran(tmp_path, code, inherit_env=False, environment={"OWN": "own"}, variables={"OUTER": "outer"})
    assert found.xcoms["return_value"] == [None, "own", "do"]


@pytest.mark.skipif(not OLD.exists(), reason="no Python 3.8")
def test_an_old_python(tmp_path: Path) -> None:
    code = "import sys\ndef task(ds, n): return [sys.version_info[1], ds, n]"
    found = ran(
        tmp_path,
        code,
        context=["ds"],
        given={"logical_date": "2026-01-31 00:00:00+00:00"},
        op_kwargs={"n": {"$python": "(1, 2)"}},
        python=str(OLD),
    )
    assert found.xcoms["return_value"] == [8, "2026-01-31", (1, 2)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives(text: str) -> None:
    kinds: list[Any] = []
    assert values.from_json(values.to_json(text, [], kinds), kinds) == text
