"""The commands in this process: every option and every way to be wrong."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Commands
from dag_files import DIFFERENT, FILES, GOOD, NESTED, NO_DAG, SAME_NAME, TWO, UNKNOWN, VARIABLE

from sagemaker_provider.commands import write_file


def test_one_of_several_dags(command: Commands) -> None:
    command.write(two=TWO)
    assert command("convert", "two.py", "--dag-id", "two_b").code == 0
    assert command.files == ["two-b.pipeline.json"]


def test_what_is_no_part_of_a_definition_lies_beside_it(command: Commands) -> None:
    command.write(good=GOOD)
    (command.folder / "defaults.yaml").write_text("role: arn:aws:iam::123456789012:role/SageMaker")
    assert command("convert", "good.py", "--defaults", "defaults.yaml").code == 0
    told = json.loads((command.folder / "good-one.deploy.json").read_text())
    assert told["pipeline"]["PipelineName"] == "good-one"
    assert told["pipeline"]["RoleArn"] == "arn:aws:iam::123456789012:role/SageMaker"
    assert {"Key": "airflow:dag_id", "Value": "good_one"} in told["pipeline"]["Tags"]
    assert (told["schedules"], told["date_parameters"]) == ([], {})


def test_an_unknown_dag_id_names_those_there_are(command: Commands) -> None:
    command.write(two=TWO)
    found = command("convert", "two.py", "--dag-id", "three")
    assert found.code == 1
    assert "there is no DAG 'three'; there are two_a, two_b" in found.out
    assert command.files == []


def test_a_file_without_a_dag(command: Commands) -> None:
    command.write(none=NO_DAG)
    found = command("convert", "none.py", "--format", "json")
    assert found.code == 1
    (finding,) = json.loads(found.out)["findings"]
    assert (finding["code"], finding["file"]) == ("SMP102", "none.py")


def test_a_file_that_is_not_python(command: Commands) -> None:
    (command.folder / "notes.txt").write_text("no DAG here")
    found = command("convert", "notes.txt")
    assert found.code == 1
    assert "SMP101" in found.out or "SMP102" in found.out  # Airflow 2 tries to import it


def test_differences_fail_only_in_strict_mode(command: Commands) -> None:
    command.write(different=DIFFERENT)
    strict = command("convert", "different.py", "--strict")
    assert (strict.code, command.files) == (1, [])
    assert "0 of 1 DAGs converted, 0 errors, 2 differences" in strict.err
    plain = command("convert", "different.py")
    assert (plain.code, command.files) == (0, ["different.pipeline.json"])
    assert "SMP601" in plain.out and "SMP611" in plain.out


def test_nested_conditions_are_lifted_or_kept(command: Commands) -> None:
    command.write(nested=NESTED)
    assert command("convert", "nested.py").code == 0
    assert [step["Name"] for step in command.definition("nested")["Steps"]] == ["outer", "inner"]
    assert command("convert", "nested.py", "--nested-conditions", "keep").code == 0
    assert [step["Name"] for step in command.definition("nested")["Steps"]] == ["outer"]


def test_an_experiment_is_made_only_when_asked_for(command: Commands) -> None:
    command.write(good=GOOD)
    command("convert", "good.py")
    assert command.definition("good-one")["PipelineExperimentConfig"] is None
    command("convert", "good.py", "--experiment")
    assert command.definition("good-one")["PipelineExperimentConfig"] == {
        "ExperimentName": {"Get": "Execution.PipelineName"},
        "TrialName": {"Get": "Execution.PipelineExecutionId"},
    }


def test_the_same_input_gives_the_same_bytes(command: Commands) -> None:
    command.write(nested=NESTED)
    command("convert", "nested.py", "--output", "one")
    command("convert", "nested.py", "--output", "two")
    assert (command.folder / "one/nested.pipeline.json").read_bytes() == (
        command.folder / "two/nested.pipeline.json"
    ).read_bytes()


def test_code_of_tasks_is_written_beside_the_definition_and_old_code_removed(command: Commands) -> None:
    defaults = "role: arn:aws:iam::111122223333:role/R\nimage: i\ncode_location: s3://b/code\n"
    Path("defaults.yaml").write_text(defaults)

    def packs(value: int) -> list[str]:
        Path("py.py").write_text(
            "from airflow.providers.common.compat.sdk import DAG, task\n"
            'with DAG("py", schedule=None):\n    @task\n    def work():\n'
            f"        return {value}\n    work()\n"
        )
        result = command("convert", "py.py", "--defaults", "defaults.yaml")
        assert result.code == 0, result.out
        assert "written: py.assets, to be uploaded to code_location" in result.out
        return sorted(item.name for item in Path("py.assets/code").iterdir())

    first = packs(1)
    Path("py.assets/code/mine").mkdir()
    assert packs(1) == [*first, "mine"]
    second = packs(2)
    assert len(second) == 2
    assert "mine" in second
    assert first[0] not in second


def test_errors_name_dag_and_task_and_leave_earlier_files_alone(command: Commands) -> None:
    command.write(unknown=UNKNOWN)
    (command.folder / "unknown.pipeline.json").write_text("as it was")
    found = command("convert", "unknown.py")
    assert found.code == 1
    assert "unknown.py:16: unknown: forecast: no translation for" in found.out
    assert (command.folder / "unknown.pipeline.json").read_text() == "as it was"
    assert command.files == ["unknown.pipeline.json"]


def test_two_dags_with_one_pipeline_name(command: Commands) -> None:
    command.write(same=SAME_NAME)
    found = command("convert", "same.py")
    assert found.code == 1
    assert "'same.name' is written to same-name.pipeline.json as well" in found.out
    assert command.definition("same-name")["Steps"]


@pytest.mark.parametrize("output", ["good.py", "good.py/below"])
def test_an_output_that_is_no_folder(command: Commands, output: str) -> None:
    command.write(good=GOOD)
    found = command("convert", "good.py", "--output", output)
    assert (found.code, found.out) == (2, "")
    assert output in found.err
    assert command.files == []


def test_an_output_that_cannot_be_written_leaves_nothing_behind(command: Commands) -> None:
    command.write(good=GOOD)
    (command.folder / "good-one.pipeline.json").mkdir()
    found = command("convert", "good.py")
    assert found.code == 2
    assert "good-one.pipeline.json: cannot be written" in found.err
    assert command.files == []


def test_a_missing_path(command: Commands) -> None:
    found = command("convert", "nowhere.py")
    assert (found.code, found.out, found.err) == (2, "", "nowhere.py: no such file or folder\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["convert"],
        ["convert", "a.py", "--format", "xml"],
        ["convert", "a.py", "--nested-conditions", "drop"],
        ["mend"],
    ],
)
def test_a_command_that_is_not_understood(command: Commands, arguments: list[str]) -> None:
    assert command(*arguments).code == 2


def test_modules_beside_a_dag_file_are_found_and_the_path_is_put_back(command: Commands) -> None:
    import sys

    before = list(sys.path)
    command.write(
        good=GOOD.replace('"second"', "NAME").replace("def step", "from names_of_steps import NAME\ndef step")
    )
    command.write(names_of_steps='NAME = "from_the_module"\n')
    assert command("convert", "good.py").code == 0
    assert sys.path == before
    assert "names_of_steps" not in sys.modules
    assert command.definition("good-one")["Steps"][1]["Name"] == "from_the_module"


def test_a_dag_file_cannot_change_where_the_result_is_written(command: Commands) -> None:
    command.write(noisy=FILES["noisy.py"])
    assert command("convert", "noisy.py", "--output", "out").code == 0
    assert (command.folder / "out/noisy.pipeline.json").exists()


# validate

VALID = '{"Version": "2020-12-01", "Steps": [{"Name": "f", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}'
UNKNOWN_TYPE = VALID.replace('"Fail"', '"Filed"')
INVALID = VALID.replace('"f"', '"not a name"')


@pytest.mark.parametrize(
    ("text", "options", "code", "codes"),
    [
        (VALID, [], 0, []),
        (UNKNOWN_TYPE, [], 0, ["SMP621"]),
        (UNKNOWN_TYPE, ["--strict"], 1, ["SMP621"]),
        (INVALID, [], 1, ["SMP502"]),
        ("{", [], 1, ["SMP501"]),
        ("[]", [], 1, ["SMP501"]),
        ("", [], 1, ["SMP501"]),
    ],
)
def test_validate(command: Commands, text: str, options: list[str], code: int, codes: list[str]) -> None:
    (command.folder / "p.json").write_text(text)
    shown = command("validate", "p.json", *options)
    found = command("validate", "p.json", "--format", "json", *options)
    assert shown.code == found.code == code
    items = json.loads(found.out)["findings"]
    assert [item["code"] for item in items] == codes
    assert all(item["file"] == "p.json" for item in items)
    assert ("p.json: valid" in shown.out) == (codes == [])
    assert all(name in shown.out for name in codes)


def test_validate_reads_all_files(command: Commands) -> None:
    (command.folder / "a.json").write_text(INVALID)
    (command.folder / "b.json").write_bytes(b"\xff\xfe")
    found = command("validate", "a.json", "b.json", "--format", "json")
    assert [(item["file"], item["code"]) for item in json.loads(found.out)["findings"]] == [
        ("a.json", "SMP502"),
        ("b.json", "SMP501"),
    ]


@pytest.mark.parametrize("name", ["nowhere.json", "."])
def test_validate_of_what_is_no_file(command: Commands, name: str) -> None:
    found = command("validate", name)
    assert (found.code, found.out) == (2, "")
    assert name in found.err


# values of Variables


def test_values_of_variables_become_defaults(command: Commands) -> None:
    command.write(good=VARIABLE)
    (command.folder / "values.yaml").write_text("variables:\n  bucket: mine\n  count: 3\n")
    assert command("convert", "good.py", "--values", "values.yaml").code == 0
    (parameter,) = command.definition("variable")["Parameters"]
    assert parameter["DefaultValue"] == "mine"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("variables: [a]", "variables has no names and values"),
        ("other: {}", "a values file has the keys variables, env, connections, params"),
        (
            "variables: {a: [1], b: true, c: x}",
            "the value of 'a' in variables is [1], not a text or a number; the value of 'b' in variables is True",
        ),
        ("a: [", "is not YAML"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_values_file_that_is_none_is_refused(command: Commands, text: str | None, part: str) -> None:
    command.write(good=GOOD)
    if text is not None:
        (command.folder / "values.yaml").write_text(text)
    outcome = command("convert", "good.py", "--values", "values.yaml")
    assert outcome.code == 2
    assert f"values.yaml: {part}" in outcome.err
    assert not list(command.folder.glob("*.json"))


def test_conversion_settings_that_are_wrong_are_refused(command: Commands) -> None:
    command.write(good=GOOD)
    (command.folder / "defaults.yaml").write_text("colour: blue\n")
    outcome = command("convert", "good.py", "--defaults", "defaults.yaml")
    assert outcome.code == 2
    assert "defaults.yaml: colour is no setting" in outcome.err


# how files are loaded


def test_a_dag_of_airflow_1_needs_compat(command: Commands) -> None:
    legacy = "from airflow.operators.dummy_operator import DummyOperator\nimport library_that_is_missing\n" + GOOD
    command.write(legacy=legacy)
    assert command("convert", "legacy.py").code == 1
    assert command("convert", "legacy.py", "--compat").code == 0


def test_companion_modules_come_from_the_folders_named(command: Commands) -> None:
    (command.folder / "shared").mkdir()
    (command.folder / "shared" / "names_elsewhere.py").write_text('NAME = "elsewhere"\n')
    command.write(
        good=GOOD.replace('"second"', "NAME").replace("def step", "from names_elsewhere import NAME\ndef step")
    )
    assert command("convert", "good.py", "--path", "shared").code == 0
    assert command.definition("good-one")["Steps"][1]["Name"] == "elsewhere"


def test_a_file_that_takes_too_long_is_an_error(command: Commands) -> None:
    command.write(endless="import airflow  # dag\nwhile True: pass\n")
    found = command("convert", "endless.py", "--timeout", "2")
    assert found.code == 1
    assert "longer than 2 s" in found.out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--path", "nowhere"), "--path nowhere: no such folder"),
        (("--timeout", "0"), "--timeout and --jobs are more than 0"),
        (("--jobs", "0"), "--timeout and --jobs are more than 0"),
    ],
)
def test_options_of_loading_that_make_no_sense_are_refused(
    command: Commands, arguments: tuple[str, ...], part: str
) -> None:
    command.write(good=GOOD)
    found = command("convert", "good.py", *arguments)
    assert (found.code, found.err) == (2, f"{part}\n")


# local


@pytest.fixture
def own_process_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the command changes in its process comes back: variables and signal handlers."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.setenv(name, os.environ[name])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--port", "70000"), ["port 70000: ports are 0 to 65535"]),
        (("--faults", "none.json"), ["none.json: cannot be read: No such file"]),
        (("--faults", "text.txt"), ["text.txt: "]),
        (("--faults", "bad.json"), ["bad.json: ", "[0] ", "unknown preset 'nonsense'", "[1] ", "must be an object"]),
        (("--data", "text.txt"), ["data is a folder, which text.txt is not"]),
        (("--data", "broken"), ["sagemaker.sqlite cannot be used: file is not a database"]),
        (
            ("--simulated-outputs", "none", "--retry-scale", "-1"),
            ["simulated_outputs is a folder", "retry_scale is at least 0"],
        ),
        (("--python", "none/python"), ["none/python"]),
        (("--max-processes", "0"), ["max_processes is at least 1, not 0"]),
    ],
)
@pytest.mark.usefixtures("own_process_state")
def test_a_local_sagemaker_that_cannot_start_says_why(
    command: Commands, arguments: tuple[str, ...], parts: list[str]
) -> None:
    (command.folder / "text.txt").write_text("text")
    (command.folder / "bad.json").write_text('[{"preset": "nonsense"}, 1]')
    (command.folder / "broken").mkdir()
    (command.folder / "broken" / "sagemaker.sqlite").write_text("no database, but long enough to be one" * 100)
    outcome = command("local", "--port", "0", *arguments)
    assert outcome.code == 2
    assert all(part in outcome.err for part in parts), outcome.err
    assert outcome.out == ""


@pytest.mark.usefixtures("own_process_state")
def test_a_port_or_a_folder_in_use_is_named(command: Commands) -> None:
    from sagemaker_provider.local.service import LocalSettings, local_sagemaker

    with local_sagemaker(LocalSettings(data=command.folder / "data")) as local:
        port = local.url.rpartition(":")[2]
        assert f"port {port} on 127.0.0.1: Address already in use" in command("local", "--port", port).err
        outcome = command("local", "--port", "0", "--data", "data")
        assert outcome.code == 2
        assert "data is in use by another local SageMaker" in outcome.err


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_file(pipe, b"report")
    assert os.read(reader, 100) == b"report"
    assert pipe.is_fifo()
    os.close(reader)
