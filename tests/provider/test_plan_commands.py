"""The command ``plan``, and settings beside DAG files."""

from __future__ import annotations

import json

from command_line import Commands
from dag_files import GOOD, HEAD

MIXED = (
    HEAD
    + "from airflow.providers.common.compat.sdk import BaseOperator\n"
    + "class Work(BaseOperator):\n    def execute(self, context): pass\n\n"
    + 'with DAG("mixed", schedule=None):\n'
    + '    step("a", retries=1) >> Work(task_id="b") >> step("c") >> step("d")\n'
)
SPLITTABLE = MIXED.partition("    step(")[0] + (
    '    a = step("a")\n    b = Work(task_id="b")\n    c = step("c")\n    d = step("d")\n    a >> b >> c >> d\n'
)


def test_a_plan_shows_the_pipelines_and_why_tasks_stay(command: Commands) -> None:
    command.write(mixed=MIXED)
    found = command("plan", "mixed.py")
    assert (found.code, command.files) == (0, [])
    assert found.out.splitlines()[0] == "mixed  3 of 4 tasks in 2 pipelines"
    assert "c_pipeline  2 steps  after b" in found.out
    assert "b  SMP201 no translation for mixed.Work" in found.out


def test_a_plan_as_json(command: Commands) -> None:
    command.write(mixed=MIXED)
    told = json.loads(command("plan", "mixed.py", "--format", "json").out)
    (dag,) = told["dags"]
    assert [(item["name"], item["tasks"], item["steps"], item["after"]) for item in dag["regions"]] == [
        ("a_pipeline", ["a"], 1, []),
        ("c_pipeline", ["c", "d"], 2, ["b"]),
    ]
    ((task, line),) = [(item["task"], item["findings"][0]["line"]) for item in dag["stays"]]
    assert (task, line > 0, dag["file"], told["findings"]) == ("b", True, "mixed.py", [])


def test_settings_beside_a_file_move_one_task_at_a_time(command: Commands) -> None:
    command.write(good=GOOD)
    beside = command.folder / "good.sagemaker.yaml"
    for text, planned, code in (
        ("dags: {good_one: {tasks: {first: {native: false}}}}", "1 of 2 tasks in 1 pipeline", 1),
        ("dags: {good_one: {native: false, tasks: {second: {native: true}}}}", "1 of 2 tasks in 1 pipeline", 1),
        ("dags: {good_one: {tasks: {first: {native: true}}}}", "2 of 2 tasks in 1 pipeline", 0),
    ):
        beside.write_text(text)
        found = command("plan", "good.py")
        assert (found.code, found.out.splitlines()[0]) == (0, f"good_one  {planned}")
        assert command("convert", "good.py", "--output", "out").code == code


def test_settings_beside_a_file_go_before_those_of_the_command(command: Commands) -> None:
    command.write(good=GOOD)
    (command.folder / "defaults.yaml").write_text("dags: {good_one: {native: false}}")
    assert "0 of 2 tasks" in command("plan", "good.py", "--defaults", "defaults.yaml").out
    (command.folder / "good.sagemaker.yaml").write_text("dags: {good_one: {native: true}}")
    assert "2 of 2 tasks" in command("plan", "good.py", "--defaults", "defaults.yaml").out


def test_wrong_names_in_settings_beside_a_file_are_errors_with_the_nearest(command: Commands) -> None:
    command.write(good=GOOD)
    beside = command.folder / "good.sagemaker.yaml"
    for text, said in (
        ("dags: {good_on: {}}", "there is no DAG 'good_on'; did you mean 'good_one'?"),
        (
            "dags: {good_one: {tasks: {frist: {native: true}}}}",
            "there is no task 'frist' in 'good_one'; did you mean 'first'?",
        ),
        (
            "dags: {good_one: {tasks: {first: {natif: true}}}}",
            "good.sagemaker.yaml: dags.good_one.tasks.first.natif is no setting",
        ),
        ("a: [", "good.sagemaker.yaml: is not YAML"),
    ):
        beside.write_text(text)
        found = command("plan", "good.py")
        assert (found.code, "SMP846" in found.out, said in found.out) == (1, True, True), found.out
        assert (command("convert", "good.py").code, command.files) == (1, ["good.sagemaker.yaml"])


def test_a_file_that_does_not_load_is_an_error(command: Commands) -> None:
    command.write(wrong="from airflow import DAG, nothing_of_the_kind\n", good=GOOD)
    found = command("plan", ".")
    assert (found.code, "SMP101" in found.out, "good_one  2 of 2 tasks in 1 pipeline" in found.out) == (1, True, True)
    assert command("plan", "missing.py").code == 2


def test_a_split_file_has_a_task_group_for_each_pipeline(command: Commands) -> None:
    command.write(mixed=SPLITTABLE)
    (command.folder / "mixed.sagemaker.yaml").write_text(
        "role: arn:aws:iam::111122223333:role/R\ndags: {mixed: {region: eu-west-1, tasks: {d: {native: false}}}}"
    )
    found = command("split", "mixed.py", "-o", "new.py")
    assert (found.code, found.out) == (0, "written: new.py\n")
    text = (command.folder / "new.py").read_text()
    settings = 'role="arn:aws:iam::111122223333:role/R", settings={"region": "eu-west-1"}'
    for name in ("a_pipeline", "c_pipeline"):
        assert (
            f'with SageMakerPipelineTaskGroup("{name}", run_as="pipeline", prefix_group_id=False, {settings}):' in text
        )
    assert '\n    d = step("d")\n' in text
    again = command("split", "new.py", "-o", "newer.py", "--format", "json")
    assert (again.code, [item["code"] for item in json.loads(again.out)["findings"]]) == (1, ["SMP847"])
    assert not (command.folder / "newer.py").exists()


def test_a_file_that_cannot_be_split_is_not_written(command: Commands) -> None:
    command.write(mixed=MIXED, stays=SPLITTABLE.replace("= step(", "= Work(task_id="))
    found = command("split", "mixed.py", "-o", "new.py")
    assert (
        found.code,
        f"mixed.py:{MIXED.count(chr(10))}" in found.out,
        "one statement makes tasks of several places" in found.out,
    ) == (
        1,
        True,
        True,
    )
    assert "no task can be in a pipeline" in command("split", "stays.py", "-o", "new.py").out
    assert not (command.folder / "new.py").exists()
    assert command("split", "mixed.py", "-o", "missing/new.py").code == 2
    assert command("split", ".", "-o", "new.py").code == 2


def test_a_split_file_whose_dag_would_be_another_is_not_written(command: Commands) -> None:
    counting = SPLITTABLE.replace(
        "with DAG",
        "def numbered():\n    global number\n    number += 1\n    return str(number)\n\nnumber = 0\nwith DAG",
    )
    counting = counting.replace('step("a")', 'step("a", config={"n": numbered()})').replace(
        'task_id="b"', 'task_id="b", doc=numbered()'
    )
    counting = counting.replace('step("c")', 'step("c", config={"n": numbered()})').replace(
        "a >> b >> c >> d", "[a, c] >> b >> d"
    )
    command.write(counting=counting)
    found = command("split", "counting.py", "-o", "new.py")
    assert (found.code, "SMP848" in found.out, "mixed: c: config" in found.out) == (1, True, True), found.out
    assert not (command.folder / "new.py").exists()
