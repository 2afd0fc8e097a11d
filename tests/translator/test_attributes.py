"""The attributes of Airflow's objects that code reads, and what a container has of them."""

from __future__ import annotations

import ast
import datetime
import json
import textwrap
from typing import Any

import pytest
from dag_makers import make_dag
from pack_runs import run_task
from python_ways import DEFAULTS

from sagemaker_provider.translator import Settings, convert
from sagemaker_provider.translator.airflow_task import context as contexts
from sagemaker_provider.translator.attributes import attributes
from sagemaker_provider.translator.syntax import Code

try:
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:  # Airflow 2 has it itself
    from airflow.operators.python import PythonOperator


def read(text: str, own: Any = ("ti", "task", "dag", "dag_run")) -> dict[str, set[str]]:
    tree = ast.parse(textwrap.dedent(text))
    function = next(node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Lambda)))
    return attributes([Code(tree)], Code(function), own)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(ti): return ti.start_date, ti.xcom_pull('a')", {"ti": {"start_date", "xcom_pull"}}),
        ("lambda ti: ti.hostname", {"ti": {"hostname"}}),
        ("def f(*, dag_run): return dag_run.run_type", {"dag_run": {"run_type"}}),
        ("def f(**kwargs): return kwargs['task'].retries", {"task": {"retries"}}),
        ("def f(**c): return c.get('dag').tags", {"dag": {"tags"}}),
        ("def f(): return get_current_context()['task'].pool", {"task": {"pool"}}),
        ("def f(): return other(x)['task_instance'].pool", {"ti": {"pool"}}),
        ("def f(**c):\n    own = c['ti']\n    other = own\n    return other.queue", {"ti": {"queue"}}),
        ("def f(ti): return ti.task.dag.tags", {"ti": {"task"}, "task": {"dag"}, "dag": {"tags"}}),
        ("def f(ti): return getattr(ti, 'state', None), hasattr(ti, 'pid')", {"ti": {"state", "pid"}}),
        ("def f(ti): ti.note = 1", {}),
        ("def f(x): return x['task'].name, x['dag'].name", {}),
        ("def f(xs):\n    for task in xs: print(task.name)", {}),
        ("def f(ti): return g\ndef g(task): return task.name", {}),
    ],
)
def test_what_code_reads(text: str, expected: Any) -> None:
    assert read(text) == expected


def test_what_is_given_otherwise_is_not_of_airflow() -> None:
    assert read("def f(task): return task.name", own=()) == {}


def of_the_file(ti: Any, task: Any, dag: Any) -> Any:
    alike = ti.task is task and ti.task.dag is dag
    return [alike, task.retries, task.retry_delay, ti.pool, ti.operator, dag.tags, task.upstream_task_ids, ti.max_tries]


def of_the_run(ti: Any, dag_run: Any) -> Any:
    interval = [dag_run.data_interval_start.isoformat(), ti.dag_run.data_interval_end.isoformat()]
    return [dag_run.logical_date.day, *interval, ti.start_date.tzinfo is not None, bool(ti.hostname)]


def made(function: Any, **options: Any) -> Any:
    with make_dag(tags=["b", "a"]) as dag:
        PythonOperator(task_id="t", python_callable=function, **options)
    return convert(dag, Settings(defaults=DEFAULTS))


def test_what_the_file_says_is_given(tmp_path: Any) -> None:
    conversion = made(of_the_file, retries=2, retry_delay=datetime.timedelta(0), pool="small")
    found = run_task(tmp_path, task_of(conversion), code_of(conversion))
    assert found.xcoms["return_value"] == [
        True, 2, datetime.timedelta(0), "small", "PythonOperator", found.xcoms["return_value"][5], set(), 2
    ]  # fmt: skip
    assert sorted(found.xcoms["return_value"][5]) == ["a", "b"]


def test_what_the_run_knows_is_given(tmp_path: Any) -> None:
    task = task_of(made(of_the_run))
    at = {name: f"2026-01-0{number}T00:00:00+00:00" for number, name in enumerate(task["given"], 1) if name != "conf"}
    found = run_task(tmp_path, {**task, "given": {**task["given"], **at}}, code_of(made(of_the_run)))
    days = {name: value for name, value in at.items() if name != "run_id"}
    expected = [days["data_interval_start"], days["data_interval_end"]]
    assert found.xcoms["return_value"] == [int(days["logical_date"][9]), *expected, True, True]


def task_of(conversion: Any) -> Any:
    assert conversion.definition is not None, conversion.findings
    return next(json.loads(item) for path, item in conversion.assets.items() if path.endswith("/task.json"))


def code_of(conversion: Any) -> dict[str, bytes]:
    return {path.rpartition("/")[2]: item for path, item in conversion.assets.items() if path.endswith("task_code.py")}


@pytest.mark.parametrize(
    ("function", "missing"),
    [
        (lambda dag_run: dag_run.run_type, ["dag_run.run_type"]),
        (lambda dag_run, ti: (dag_run.start_date, ti.log_url), ["dag_run.start_date", "ti.log_url"]),
        (lambda task: task.python_callable, ["task.python_callable"]),
        (lambda task: task.op_kwargs, ["task.op_kwargs"]),
        (lambda dag: (dag.fileloc, dag.get_task("t")), ["dag.fileloc", "dag.get_task"]),
        (lambda ti: ti.get_dagrun(), ["ti.get_dagrun"]),
    ],
)
def test_what_nobody_knows_is_an_error_at_conversion(function: Any, missing: Any) -> None:
    found = [item for item in made(function).findings if item.severity == "error"]
    assert [(item.code, item.message) for item in found] == [("SMP224", f"it reads {name}") for name in missing]


def test_a_secret_of_the_dag_is_no_fact() -> None:
    with make_dag(default_args={"password": "hunter2"}) as dag:
        PythonOperator(task_id="t", python_callable=lambda dag: dag.default_args)
    conversion = convert(dag, Settings(defaults=DEFAULTS))
    assert conversion.definition is None
    assert "hunter2" not in str(conversion)


def test_the_program_has_what_every_container_has() -> None:
    task = {"task_id": "t", "dag_id": "d", "context": ["ti", "task", "dag", "dag_run"]}
    at = "2026-01-01T00:00:00+00:00"
    given = {"run_id": "r", "logical_date": at, **dict.fromkeys(contexts.INTERVAL, at)}
    made = contexts.make_context({**task, "given": given}, None, 1)  # type: ignore[arg-type]
    for kind, names in contexts.ATTRIBUTES.items():
        assert [name for name in names if not hasattr(made[kind], name)] == []
