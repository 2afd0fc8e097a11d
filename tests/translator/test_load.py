"""DAGs from files and folders."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sagemaker_provider.translator.load import load_dags

DAG = 'from airflow.providers.common.compat.sdk import DAG\nwith DAG("{}", schedule=None):\n    pass\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_dags_come_by_file_and_id(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(DAG.format("first"))
    (tmp_path / "a.py").write_text(DAG.format("z") + DAG.format("y"))
    dags, findings = load_dags(tmp_path)
    assert [(str(file), dag.dag_id) for file, dag in dags] == [("a.py", "y"), ("a.py", "z"), ("b.py", "first")]
    assert findings == []


def test_a_folder_is_searched_as_airflow_does(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/in.py").write_text(DAG.format("below"))
    (tmp_path / "ignored").mkdir()
    (tmp_path / "ignored/out.py").write_text(DAG.format("ignored"))
    (tmp_path / ".airflowignore").write_text("ignored/\n")
    (tmp_path / "plain.py").write_text("1 / 0\n")  # holds neither of the words dag and airflow
    dags, findings = load_dags(tmp_path)
    assert [dag.dag_id for _, dag in dags] == ["below"]
    assert findings == []


def test_one_file_is_read_whatever_its_words(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("1 / 0\n")
    dags, findings = load_dags(tmp_path / "plain.py")
    assert dags == []
    assert [(item.code, item.file, item.line, item.message) for item in findings] == [
        ("SMP101", "plain.py", 1, "ZeroDivisionError: division by zero")
    ]


def test_one_dag_id_in_two_files_is_reported(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(DAG.format("same"))
    dags, findings = load_dags(tmp_path)
    assert [str(file) for file, _ in dags] == ["a.py"]
    assert [(item.code, item.file) for item in findings] == [("SMP105", "b.py")]
    assert "same" in findings[0].message


def test_the_error_in_a_module_beside_the_file_names_the_line_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "helper_that_fails.py").write_text("\n\n\nraise RuntimeError('broken helper')\n")
    (tmp_path / "main.py").write_text("# airflow dag\nimport helper_that_fails\n")
    _, findings = load_dags(tmp_path / "main.py")
    assert [(item.line, item.message) for item in findings] == [(2, "RuntimeError: broken helper")]


@pytest.mark.parametrize("end", ["sys.exit(0)", "sys.exit('bye')", "raise SystemExit", "raise BaseException('x')"])
def test_a_file_that_ends_the_process_is_an_error_of_that_file_only(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.py").write_text(f"import sys  # airflow dag\n{end}\n")
    (tmp_path / "b.py").write_text(DAG.format("good"))
    dags, findings = load_dags(tmp_path)
    assert [dag.dag_id for _, dag in dags] == ["good"]
    assert [(item.code, item.file, item.line) for item in findings] == [("SMP101", "a.py", 2)]


def test_logging_is_as_before_afterwards(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(DAG.format("a"))
    before = logging.root.manager.disable
    load_dags(tmp_path)
    assert logging.root.manager.disable == before


def test_what_there_is_no_dag_in(tmp_path: Path) -> None:
    _, findings = load_dags(tmp_path)
    assert [item.code for item in findings] == ["SMP102"]
    (tmp_path / "a.py").write_text(DAG.format("a"))
    _, findings = load_dags(tmp_path, "b")
    assert [item.message for item in findings] == ["there is no DAG 'b'; there are a"]


def test_an_error_of_our_operators_names_the_line_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        "from airflow.providers.common.compat.sdk import DAG\n"
        "from sagemaker_provider.operators import SageMakerTrainingStepOperator\n"
        "with DAG('d', schedule=None):\n"
        "    t = SageMakerTrainingStepOperator(task_id='t', config={})\n"
        "    t.properties.ModelArtifacts.S3ModelArtifact\n"
    )
    _, (found,) = load_dags(tmp_path / "d.py")
    assert (found.code, found.line) == ("SMP101", 5)
    assert "did you mean 'S3ModelArtifacts'?" in found.message


def test_an_unknown_argument_names_the_operator(tmp_path: Path) -> None:
    (tmp_path / "d.py").write_text(
        "from airflow.providers.common.compat.sdk import DAG\n"
        "from sagemaker_provider.operators import SageMakerTrainingStepOperator\n"
        "with DAG('d', schedule=None):\n"
        "    SageMakerTrainingStepOperator(task_id='t', config={}, foo=1)\n"
    )
    _, (found,) = load_dags(tmp_path / "d.py")
    assert found.line == 4
    assert "SageMakerTrainingStepOperator" in found.message
    assert "foo" in found.message


def test_tasks_that_depend_on_each_other_in_a_circle_are_reported(tmp_path: Path) -> None:
    operators = "from sagemaker_provider.operators import SageMakerFailStepOperator as Fail\n"
    body = 'with DAG("d", schedule=None):\n    a, b = (Fail(task_id=name, error_message="") for name in "ab")\n    a >> b >> a\n'
    (tmp_path / "a.py").write_text("from airflow.providers.common.compat.sdk import DAG\n" + operators + body)
    dags, (found,) = load_dags(tmp_path / "a.py")
    assert (dags, found.code, found.file) == ([], "SMP103", "a.py")
