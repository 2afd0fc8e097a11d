"""The command ``assess``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Commands
from dag_files import DIFFERENT, FILES, GOOD, HEAD, NO_DAG, UNKNOWN

DAGS = {
    "dags/different.py": "native with a difference",
    "dags/good.py": "native",
    "dags/syntax.py": "not known",
    "dags/unknown.py": "stays in Airflow",
}


@pytest.fixture
def dags(command: Commands) -> Path:
    folder = command.folder / "dags"
    folder.mkdir()
    for name in DAGS:
        (command.folder / name).write_text(FILES[Path(name).name])
    return folder


def test_every_file_has_a_verdict(command: Commands, dags: Path) -> None:
    found = command("assess", "dags", "--format", "json")
    assert found.code == 1
    data = json.loads(found.out)
    assert {item["file"]: item["verdict"] for item in data["dags"]} == DAGS
    assert data["files"] == len(DAGS)
    unknown = next(item for item in data["dags"] if item["dag"] == "unknown")
    assert [task["verdict"] for task in unknown["tasks"]] == ["stays in Airflow", "stays in Airflow"]
    assert unknown["tasks"][0]["downstream"] == ["work"]
    assert unknown["tasks"][0]["operator"] == "unknown.WeatherOperator"
    assert [(item["code"], item["subject"]) for item in data["fixes"]] == [
        ("SMP101", ""),
        ("SMP201", "unknown.WeatherOperator"),
        ("SMP310", ""),
    ]


def test_a_task_is_native_where_a_plan_puts_it_into_a_pipeline(command: Commands) -> None:
    text = UNKNOWN.replace('{"v": "{{ conn.x }}"}', '{"v": "{{ ds }}"}')
    command.write(mixed=text)
    (dag,) = json.loads(command("assess", "mixed.py", "--format", "json").out)["dags"]
    assert [(task["task"], task["verdict"]) for task in dag["tasks"]] == [
        ("forecast", "stays in Airflow"),
        ("work", "native"),
    ]
    assert dag["verdict"] == "stays in Airflow"


def test_the_files_are_counted_while_they_are_assessed(command: Commands, dags: Path) -> None:
    assert f"{len(DAGS)}/{len(DAGS)} files" in command("assess", "dags").err


def test_the_text_shows_dags_findings_and_what_to_mend(command: Commands, dags: Path) -> None:
    lines = command("assess", "dags").out.splitlines()
    assert [" ".join(line.split()) for line in lines if line.startswith("unknown")] == [
        "unknown dags/unknown.py ✗ stays in Airflow 0 of 2 2 0"
    ]
    assert lines[-3:] == [
        "dags: 4 files",
        "4 DAGs: 1 native, 1 native with a difference, 1 stays in Airflow, 1 not known",
        "5 tasks: 2 native, 1 native with a difference, 2 stay in Airflow",
    ]
    assert "What to mend first" in lines


def test_markdown_shows_names_as_they_are(command: Commands) -> None:
    command.write(odd=HEAD + 'with DAG("a_b", schedule=None):\n    step("_it_")\n')
    found = command("assess", "odd.py", "--format", "markdown")
    assert found.code == 0
    assert "| a\\_b | odd.py | ✓ native | 1 of 1 |  |" in found.out.splitlines()


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_each_form_is_written_whole_and_the_same_each_time(command: Commands, dags: Path, form: str) -> None:
    found = command("assess", "dags", "--format", form, "--output", "report")
    assert (found.code, found.out) == (1, "")
    assert "written: report" in found.err
    written = (command.folder / "report").read_text()
    assert written == command("assess", "dags", "--format", form).out
    assert "WeatherOperator" in written


def test_differences_are_errors_with_strict_only(command: Commands) -> None:
    command.write(different=DIFFERENT, good=GOOD)
    assert command("assess", ".").code == 0
    assert command("assess", ".", "--strict").code == 1
    assert command("assess", "good.py", "--strict").code == 0


def test_a_folder_without_dags(command: Commands) -> None:
    command.write(none=NO_DAG)
    found = command("assess", ".", "--format", "json")
    assert found.code == 1
    assert [item["code"] for item in json.loads(found.out)["findings"]] == ["SMP102"]


def test_one_dag_of_several_files(command: Commands) -> None:
    command.write(unknown=UNKNOWN, good=GOOD)
    found = json.loads(command("assess", ".", "--dag-id", "good_one", "--format", "json").out)
    assert [item["dag"] for item in found["dags"]] == ["good_one"]


def test_secrets_are_not_shown(command: Commands) -> None:
    command.write(
        secret="from airflow.models import Variable\n"
        + HEAD
        + 'with DAG("d", schedule=None):\n    step("of_" + Variable.get("db_password"))\n'
    )
    (command.folder / "values.yaml").write_text("variables: {db_password: hunter2}\n")
    for form in ("text", "json", "markdown", "html"):
        found = command("assess", "secret.py", "--values", "values.yaml", "--format", form)
        assert found.code == 1
        assert "hunter2" not in found.out + found.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing",), "missing: no such file or folder"),
        ((".", "--output", "."), "--output .: not a file"),
        ((".", "--output", "no/such/file"), "--output no/such/file: not a file"),
        ((".", "--values", "missing.yaml"), "missing.yaml: cannot be read"),
        ((".", "--jobs", "0"), "--timeout and --jobs are more than 0"),
    ],
)
def test_what_cannot_be_carried_out(command: Commands, arguments: tuple[str, ...], said: str) -> None:
    command.write(good=GOOD)
    found = command("assess", *arguments)
    assert found.code == 2
    assert said in found.err
    assert found.out == ""
