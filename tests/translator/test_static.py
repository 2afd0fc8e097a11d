"""What the syntax of a DAG file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagemaker_provider.translator.static import guarded_lines, outline

HEAD = """\
from airflow import DAG
from airflow.operators.python_operator import PythonOperator
import airflow.operators.bash as bash

with DAG("churn", schedule_interval="@daily") as dag:
    a = PythonOperator(task_id="a", python_callable=print)
    b = bash.BashOperator(task_id="b", bash_command="true")
    c, d = PythonOperator(task_id="c"), PythonOperator(task_id="d")
    c = PythonOperator(task_id="c")
    d = PythonOperator(task_id="d")
"""


@pytest.mark.parametrize(
    ("line", "edges"),
    [
        ("a >> b >> c", ["ab", "bc"]),
        ("c << b << a", ["bc", "ab"]),
        ("a >> [b, c] >> d", ["ab", "ac", "bd", "cd"]),
        ("[a, b] >> c", ["ac", "bc"]),
        ("a.set_downstream([b, c])", ["ab", "ac"]),
        ("a.set_upstream(b)", ["ba"]),
        ("chain(a, [b, c], d)", ["ab", "ac", "bd", "cd"]),
        ("chain([a, b], [c, d])", ["ac", "bd"]),
        ("a >> PythonOperator(task_id='e')", ["ae"]),
    ],
)
def test_edges(line: str, edges: list[str]) -> None:
    found = outline(f"{HEAD}    {line}\n")
    assert found is not None
    assert sorted(one + two for one, two in found.edges) == sorted(edges)


def test_tasks_dag_and_schedule() -> None:
    found = outline(HEAD)
    assert found is not None
    assert found.dag_ids == ("churn",)
    assert found.schedules == ("'@daily'",)
    assert found.tasks == {
        "a": "airflow.operators.python_operator.PythonOperator",
        "b": "airflow.operators.bash.BashOperator",
        "c": "airflow.operators.python_operator.PythonOperator",
        "d": "airflow.operators.python_operator.PythonOperator",
    }
    assert found.lines["b"] == 7
    assert str(found) == "4 tasks (1 BashOperator, 3 PythonOperator)"


def test_functions_with_decorators() -> None:
    found = outline(
        "@dag(dag_id='flow', schedule=None)\ndef flow():\n"
        "    @task\n    def one(): ...\n"
        "    @task.virtualenv(task_id='second')\n    def two(x): ...\n"
        "    first = one()\n    two(x=first['a'])\nflow()\n"
    )
    assert found is not None
    assert found.dag_ids == ("flow",)
    assert found.tasks == {"one": "@task", "second": "@task.virtualenv"}
    assert found.edges == (("one", "second"),)


def test_one_line_that_is_not_python_is_left_out() -> None:
    found = outline(HEAD + "    region = {{ region }\n    a >> b\n")
    assert found is not None
    assert found.edges == (("a", "b"),)


@pytest.mark.parametrize("source", ["def broken(:\n" * 2, "\0", "(" * 1000 + "\n" + ")" * 999, "-" * 1_000_000 + "1"])
def test_what_is_not_python_has_no_outline(source: str) -> None:
    assert outline(source) is None


def test_a_file_without_tasks() -> None:
    assert str(outline("x = 1\n")) == "no task"


def test_imports_that_may_fail_are_found_by_line(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        "import a\ntry:\n    import b\n    import c\nexcept ImportError:\n    import d\n"
        "try:\n    import e\nexcept ValueError:\n    pass\ntry:\n    import f\nexcept:\n    pass\n"
    )
    assert guarded_lines(str(tmp_path / "d.py")) == {3, 4, 12}
    assert guarded_lines(str(tmp_path / "missing.py")) == frozenset()
