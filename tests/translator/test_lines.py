"""The lines where tasks are made: of a call, of a decorated function, or none rather than a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dag_makers import make_dag, step

from sagemaker_provider.definition.findings import finding
from sagemaker_provider.translator import convert
from sagemaker_provider.translator.lines import task_lines, with_lines
from sagemaker_provider.translator.load import load_dags

HEAD = """\
from airflow.providers.common.compat.sdk import DAG, TaskGroup, task
from sagemaker_provider.operators import SageMakerLambdaStepOperator as Step

F = "arn:aws:lambda:us-west-2:111122223333:function:work"
dag = DAG("lines", schedule=None)
"""
FIRST = HEAD.count("\n") + 1


def dag_of(folder: Path, body: str) -> Any:
    file = folder / "lines_dag.py"
    file.write_text(HEAD + body)
    ((_, dag),), found = load_dags(file)
    assert found == []
    return dag


def lines_of(folder: Path, body: str) -> dict[str, int]:
    """The lines of the tasks, from 0 where the body begins."""
    return {task: line - FIRST for task, line in task_lines(dag_of(folder, body)).items()}


def test_the_line_is_that_of_the_call(tmp_path: Path) -> None:
    body = """\
one = Step(task_id="one", function_arn=F, dag=dag)
two = Step(
    function_arn=F,
    dag=dag,
    task_id="two",
)
"""
    assert lines_of(tmp_path, body) == {"one": 0, "two": 1}


def test_groups_are_no_part_of_the_id_that_a_call_gives(tmp_path: Path) -> None:
    body = """\
with dag, TaskGroup("outer"), TaskGroup("inner"):
    Step(task_id="work", function_arn=F)
    with TaskGroup("plain", prefix_group_id=False):
        Step(task_id="bare", function_arn=F)
"""
    assert lines_of(tmp_path, body) == {"outer.inner.work": 1, "bare": 3}


def test_a_repeated_group_has_the_lines_of_the_first(tmp_path: Path) -> None:
    body = """\
def group():
    with TaskGroup("again", add_suffix_on_collision=True):
        Step(task_id="work", function_arn=F)
with dag:
    group()
    group()
"""
    assert lines_of(tmp_path, body) == {"again.work": 2, "again__1.work": 2}


def test_the_line_of_a_decorated_function_is_that_of_its_decorator_however_often_it_is_called(tmp_path: Path) -> None:
    body = """\
with dag:
    @task
    def load(table):
        return table

    load("a") >> load("b") >> load.override(task_id="named")("c")
"""
    assert lines_of(tmp_path, body) == {"load": 1, "load__1": 1, "named": 5}


@pytest.mark.parametrize(
    "expression",
    [
        'f"train_{name}"',
        'f"train_{name:>1}"',
        '"train_" + name',
        '"tr" + "ain_" + name',
        '"train_%s" % name',
        '"train_%(name)s" % {"name": name}',
        '"train_{}".format(name)',
        '"train_{name}".format(name=name)',
    ],
)
def test_an_id_that_is_computed_is_matched_by_its_pattern(tmp_path: Path, expression: str) -> None:
    body = f"""\
for name in ("a", "b"):
    Step(task_id={expression}, function_arn=F, dag=dag)
"""
    assert lines_of(tmp_path, body) == {"train_a": 1, "train_b": 1}


def test_a_constant_id_comes_before_a_pattern(tmp_path: Path) -> None:
    body = """\
for number in range(2):
    Step(task_id=f"train_{number}", function_arn=F, dag=dag)
Step(task_id="train_all", function_arn=F, dag=dag)
"""
    assert lines_of(tmp_path, body) == {"train_0": 1, "train_1": 1, "train_all": 2}


@pytest.mark.parametrize(
    "body",
    [
        # two calls, one of which made it
        'if F:\n    Step(task_id="x", function_arn=F, dag=dag)\nelse:\n    Step(task_id="x", function_arn=F, dag=dag)\n',
        # two patterns
        (
            'n = 1\nif n:\n    Step(task_id=f"x_{n}", function_arn=F, dag=dag)\nelse:\n'
            '    Step(task_id=f"{n}_1", function_arn=F, dag=dag)\n    Step(task_id=f"x{n}", function_arn=F, dag=dag)\n'
        ),
        # any id
        'def make(name):\n    return Step(task_id=name, function_arn=F, dag=dag)\nmake("x")\n',
        # a pattern beside any id
        'n = "x_1"\nStep(task_id=n, function_arn=F, dag=dag)\nif not n:\n    Step(task_id=f"x_{n}", function_arn=F, dag=dag)\n',
        # nothing to see
        'Step(**{"task_id": "x"}, function_arn=F, dag=dag)\n',
    ],
)
def test_a_task_that_more_than_one_line_may_have_made_has_none(tmp_path: Path, body: str) -> None:
    assert lines_of(tmp_path, body) == {}


def test_looking_up_a_task_is_not_making_it(tmp_path: Path) -> None:
    body = """\
Step(task_id="x", function_arn=F, dag=dag)
dag.get_task(task_id="x").retries = 1
"""
    assert lines_of(tmp_path, body) == {"x": 0}


@pytest.mark.parametrize("content", [None, b"not python (", b"\xff\xfe", b"a = '" + b"(" * 500])
def test_a_file_that_cannot_be_read_gives_no_lines(tmp_path: Path, content: bytes | None) -> None:
    dag = make_dag()
    file = tmp_path / "gone.py"
    dag.fileloc = str(file)
    if content is not None:
        file.write_bytes(content)
    assert task_lines(dag) == {}


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    dag = dag_of(tmp_path, 'Step(task_id="x", function_arn=F, dag=dag)\n')
    assert task_lines(dag) == {"x": FIRST}
    file = Path(dag.fileloc)
    file.write_text("# a new first line\n" + file.read_text())
    assert task_lines(dag) == {"x": FIRST + 1}


def test_a_generated_file_with_thousands_of_computed_ids_has_no_lines_for_them(tmp_path: Path) -> None:
    dag = make_dag()
    dag.fileloc = str(tmp_path / "many.py")
    with dag:
        for number in range(300):
            step(f"t_{number}_x")
        step("plain")
    made = "".join(f'Step(task_id=f"t_{number}_{{x}}")\n' for number in range(300))
    Path(dag.fileloc).write_text(made + 'Step(task_id="plain")\n')
    assert task_lines(dag) == {"plain": 301}


def test_findings_of_tasks_get_their_lines(tmp_path: Path) -> None:
    dag = dag_of(tmp_path, 'Step(task_id="x", function_arn=F, retries=2, dag=dag)\n')
    findings = convert(dag).findings
    assert [(item.code, item.task, item.line) for item in findings] == [("SMP601", "x", FIRST)]
    assert [item.line for item in with_lines([finding("SMP104", "nothing")], dag)] == [0]
