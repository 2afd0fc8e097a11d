"""The commands as real processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dag_files import FILES, GOOD, TWO

BIN = Path(sys.executable).parent
COMMANDS = {
    "airflow-sagemaker": [str(BIN / "airflow-sagemaker")],
    "airflow sagemaker": [str(BIN / "airflow"), "sagemaker"],
}
AIRFLOW_3 = version("apache-airflow").startswith("3.")


class Run(NamedTuple):
    code: int
    out: str
    err: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        """Standard output, which is one JSON document and nothing else."""
        return json.loads(self.out)  # type: ignore[no-any-return]

    @property
    def findings(self) -> list[dict[str, Any]]:
        return [*self.report["findings"], *(item for entry in self.report["dags"] for item in entry["findings"])]


def run(folder: Path, *arguments: str, command: str = "airflow-sagemaker", seed: str = "0") -> Run:
    found = subprocess.run(
        [*COMMANDS[command], *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(found.returncode, found.stdout, found.stderr, folder)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run over a folder of good and bad files."""
    folder = tmp_path_factory.mktemp("everything")
    (folder / "dags").mkdir()
    for name, text in FILES.items():
        (folder / "dags" / name).write_text(text)
    return run(folder, "convert", "dags", "--output", "out/pipelines", "--format", "json")


def test_errors_end_with_1_and_never_with_a_traceback(everything: Run) -> None:
    assert everything.code == 1
    assert "Traceback" not in everything.err + everything.out


def test_all_dags_are_reported_at_once_and_those_without_errors_are_written(everything: Run) -> None:
    outputs = {entry["dag"]: entry["output"] for entry in everything.report["dags"]}
    assert outputs == {
        "different": "out/pipelines/different.pipeline.json",
        "good_one": "out/pipelines/good-one.pipeline.json",
        "noisy": "out/pipelines/noisy.pipeline.json",
        "only_empty": None,
        "same.name": "out/pipelines/same-name.pipeline.json",
        "same_name": None,
        "two_a": "out/pipelines/two-a.pipeline.json",
        "two_b": "out/pipelines/two-b.pipeline.json",
        "unknown": None,
        "without_tasks": None,
    }
    written = files_in(everything.folder / "out")
    stems = [Path(path).name.removesuffix(".pipeline.json") for path in outputs.values() if path]
    assert written == sorted(f"{stem}{end}" for stem in stems for end in (".deploy.json", ".pipeline.json"))


def test_what_is_written_is_a_whole_definition(everything: Run) -> None:
    text = (everything.folder / "out/pipelines/good-one.pipeline.json").read_text()
    assert [step["Name"] for step in json.loads(text)["Steps"]] == ["first", "second"]
    assert text.endswith("}\n")


def test_the_report_holds_what_the_dag_says_about_the_pipeline(everything: Run) -> None:
    (entry,) = [entry for entry in everything.report["dags"] if entry["dag"] == "good_one"]
    assert entry["file"] == "dags/good.py"
    assert entry["pipeline"]["PipelineName"] == "good-one"
    assert entry["pipeline"]["PipelineDescription"] == "Good"


@pytest.mark.parametrize(
    ("file", "code", "dag", "task", "message"),
    [
        ("syntax.py", "SMP101", "", "", "SyntaxError"),
        ("import_error.py", "SMP101", "", "", "No module named 'a_module_that_is_not_there'"),
        ("exits.py", "SMP101", "", "", "SystemExit"),
        ("cycle.py", "SMP103", "", "", "circle"),
        ("unknown.py", "SMP201", "unknown", "forecast", "no translation for unknown.WeatherOperator"),
        ("without_tasks.py", "SMP104", "without_tasks", "", "no tasks"),
        ("only_empty.py", "SMP104", "only_empty", "", "none of the tasks"),
        ("same_name.py", "SMP105", "same_name", "", "'same.name'"),
    ],
)
def test_each_problem_names_its_file_dag_and_task(
    everything: Run, file: str, code: str, dag: str, task: str, message: str
) -> None:
    found = [item for item in everything.findings if item["file"] == f"dags/{file}" and item["severity"] == "error"]
    assert [(item["code"], item["dag"], item["task"]) for item in found] == [(code, dag, task)]
    assert message in found[0]["message"]
    assert found[0]["cure"]


@pytest.mark.parametrize("file", ["syntax.py", "import_error.py", "exits.py"])
def test_a_file_that_does_not_import_says_the_line(everything: Run, file: str) -> None:
    (found,) = [item for item in everything.findings if item["file"] == f"dags/{file}"]
    line = len(FILES[file].splitlines())
    assert found["line"] == line


@pytest.mark.parametrize("text", ["printed", "written", "complained", "logged", "from-a-child"])
def test_what_a_dag_file_prints_is_not_in_the_results(everything: Run, text: str) -> None:
    assert f"{text}\n" not in everything.out
    assert text not in everything.err


def test_the_bytes_do_not_depend_on_the_hash_seed(everything: Run, tmp_path: Path) -> None:
    shutil.copytree(everything.folder / "dags", tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    again = run(tmp_path, "convert", "dags", "--output", "out/pipelines", "--format", "json", seed="12345")
    assert again.out == everything.out
    for path in (everything.folder / "out/pipelines").iterdir():
        assert (tmp_path / "out/pipelines" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_good_file_is_converted_into_the_current_folder_and_shown(command: str, tmp_path: Path) -> None:
    if command == "airflow sagemaker" and not AIRFLOW_3:
        pytest.skip("commands of providers came with Airflow 3")
    (tmp_path / "good.py").write_text(GOOD)
    found = run(tmp_path, "convert", "good.py", command=command)
    assert found.code == 0, found.err
    assert "second  Lambda  after first" in found.out
    assert "written: good-one.pipeline.json" in found.out
    assert "1 of 1 DAGs converted, 0 errors, 0 differences" in found.err
    assert files_in(tmp_path) == ["good-one.deploy.json", "good-one.pipeline.json", "good.py"]


@pytest.mark.skipif(not AIRFLOW_3, reason="commands of providers came with Airflow 3")
def test_airflows_command_prints_json_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(TWO)
    found = run(tmp_path, "convert", "two.py", "--dag-id", "two_b", "--format", "json", command="airflow sagemaker")
    assert [entry["dag"] for entry in found.report["dags"]] == ["two_b"]
    assert found.code == 0
