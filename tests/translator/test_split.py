"""Splitting DAG files: what is moved where, what cannot be, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dag_makers import make_dag, step

from sagemaker_provider.translator import Settings
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.load import load_dags
from sagemaker_provider.translator.planning import plan
from sagemaker_provider.translator.split import CannotSplitError, Split, differences, instead_of, recorded, rewritten

HEAD = '''\
"""A DAG."""
from airflow.providers.common.compat.sdk import DAG, BaseOperator, TaskGroup, dag, task
from sagemaker_provider.operators import SageMakerLambdaStepOperator

class Work(BaseOperator):
    def execute(self, context): ...

def step(task_id, **options):
    return SageMakerLambdaStepOperator(task_id=task_id, function_arn="arn:aws:lambda:us-west-2:111122223333:function:f", **options)

'''
MIXED = """\
with DAG("mixed", schedule=None):
    a = step("a")  # the first
    b = Work(task_id="b")
    # two
    # lines
    c = step("c")
    a >> b
    c >> b
"""


class Files:
    """Splits DAG files of a folder, and loads them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "dags.py"

    def dags(self, source: str) -> dict[str, Any]:
        with instead_of(str(self.file), source):
            loaded, problems = load_dags(self.file)
        assert not problems, problems
        return {item.dag_id: item for _, item in loaded}

    def split(self, text: str, *, run_as: str = "pipeline", stay: tuple[str, ...] = (), **arguments: Any) -> str:
        """The body of a split DAG file, in which some tasks stay; its DAGs have been compared."""
        source = HEAD + text
        self.file.write_text(source)
        with recorded(str(self.file)) as made:
            before = self.dags(source)
        settings = Settings(
            defaults=Defaults(tasks={(name, item): {"native": False} for name in before for item in stay})
        )
        splits = [
            Split(regions, made[name], arguments)
            for name, item in before.items()
            if (regions := plan(item, settings).regions)
        ]
        after = self.dags(rewritten(source, splits, "steps"))
        again = self.dags(source)
        assert [differences(before[name], after[name], again[name]) for name in before] == [[]] * len(before)
        found = rewritten(source, splits, run_as)
        piped = self.dags(found)
        for split, name in zip(splits, [name for name in before if plan(before[name], settings).regions]):
            groups = piped[name].task_group.get_task_group_dict()
            for region in split.regions:
                assert {item.task_id for item in groups[region.name].iter_tasks()} - set(region.tasks) == {
                    f"{region.name}.launch"
                }
        head = HEAD.replace("import SageMakerLambda", "import SageMakerPipelineTaskGroup, SageMakerLambda")
        return found.removeprefix(head)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A folder for DAG files."""
    return Files(tmp_path.resolve())


def test_statements_of_a_region_come_together_with_their_comments(files: Files) -> None:
    assert files.split(MIXED) == (
        """\
with DAG("mixed", schedule=None):
    with SageMakerPipelineTaskGroup("a_pipeline", run_as="pipeline", prefix_group_id=False):
        a = step("a")  # the first
        # two
        # lines
        c = step("c")
    b = Work(task_id="b")
    a >> b
    c >> b
"""
    )


def test_loops_and_functions_that_make_tasks_of_one_region_are_moved_whole(files: Files) -> None:
    text = """\
def chain(names):
    last = None
    for name in names:
        made = step(name)
        last and last >> made
        last = made
    return last

with DAG("mixed", schedule=None):
    last = chain(["a", "b"])
    stay = Work(task_id="s")
    for name in ("c", "d"):
        last >> step(name) >> stay
"""
    found = files.split(text)
    assert '    stay = Work(task_id="s")\n' in found
    assert '        last = chain(["a", "b"])\n' in found.partition("prefix_group_id=False):\n")[2]


def test_what_a_moved_statement_needs_is_before_it(files: Files) -> None:
    text = """\
with DAG("mixed", schedule=None):
    a = step("a")
    config = {"x": "1"}
    b = step("b", config=config)
    s = Work(task_id="s")
"""
    found = files.split(text)
    assert found.index("config = {") < found.index("with SageMakerPipelineTaskGroup")


def test_regions_around_a_task_that_stays_are_two_groups(files: Files) -> None:
    text = 'with DAG("mixed", schedule=None):\n    a = step("a")\n    b = Work(task_id="b")\n    c = step("c")\n    a >> b >> c\n'
    found = files.split(text)
    assert found.count("with SageMakerPipelineTaskGroup(") == 2
    assert found.index('"a_pipeline"') < found.index("b = Work") < found.index('"c_pipeline"')


def test_a_function_that_is_a_dag(files: Files) -> None:
    text = """\
@dag(schedule=None)
def mixed():
    a = step("a")
    a >> Work(task_id="b")

mixed()
"""
    assert (
        '    with SageMakerPipelineTaskGroup("a_pipeline", run_as="pipeline", prefix_group_id=False):\n        a = '
        in files.split(text)
    )


def test_a_dag_in_a_variable(files: Files) -> None:
    text = 'flow = DAG("mixed", schedule=None)\na = step("a", dag=flow)\nb = Work(task_id="b", dag=flow)\na >> b\n'
    assert "prefix_group_id=False, dag=flow):\n    a = step" in files.split(text)


def test_several_dags_of_a_file(files: Files) -> None:
    text = MIXED + MIXED.replace('"mixed"', '"other"')
    assert files.split(text).count("with SageMakerPipelineTaskGroup(") == 2


def test_a_task_group_is_moved_whole(files: Files) -> None:
    text = """\
with DAG("mixed", schedule=None):
    with TaskGroup("g"):
        a = step("a")
        b = step("b")
    s = Work(task_id="s")
    a >> b >> s
"""
    assert '):\n        with TaskGroup("g"):\n            a = step("a")\n' in files.split(text)


def test_settings_are_arguments_of_the_groups(files: Files) -> None:
    arguments = {
        "role": "arn:aws:iam::111122223333:role/é",
        "settings": {"instance_type": "ml.m5.large", "drop_trivial": True},
    }
    assert (
        'role="arn:aws:iam::111122223333:role/é", settings={"instance_type": "ml.m5.large", "drop_trivial": True}):'
        in files.split(MIXED, **arguments)
    )


def test_results_of_decorated_tasks_keep_their_names(files: Files) -> None:
    text = """\
with DAG("mixed", schedule=None):
    @task
    def extract():
        return {"x": "1"}
    given = extract()
    a = step("a", config={"x": given})
    s = Work(task_id="s")
    b = step("b", config={"x": given})
    a >> s
"""
    found = files.split(text, stay=("extract",))
    assert found.index("given = extract()") < found.index("with SageMakerPipelineTaskGroup")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (
            'with DAG("mixed", schedule=None):\n    step("a") >> Work(task_id="b")\n',
            2,
            "one statement makes tasks of several places (Airflow: b; a_pipeline: a); give each a statement",
        ),
        (
            'with DAG("mixed", schedule=None):\n    with TaskGroup("g"):\n        step("a")\n        Work(task_id="b")\n    step("c")\n',
            2,
            "one statement makes tasks of several places (Airflow: g.b; a_pipeline: g.a)",
        ),
        (
            """\
with DAG("mixed", schedule=None):
    made = []
    made.append(step("a"))
    made.append(Work(task_id="b"))
    made.append(step("c"))
    made[0] >> made[1]
    made[2] >> made[1]
""",
            4,
            "it has to stay between the tasks of a_pipeline; move it, or them",
        ),
    ],
)
def test_what_cannot_be_moved_is_said(files: Files, text: str, line: int, reason: str) -> None:
    with pytest.raises(CannotSplitError) as error:
        files.split(text)
    ((found, said), *_) = error.value.problems
    assert (found - HEAD.count("\n"), reason in said) == (line, True), said


def test_everything_that_is_different_is_told() -> None:
    def made(**options: Any) -> Any:
        with make_dag(params={"x": options.pop("param", 1)}) as dag:
            first = step("a", **options)
            if options.get("config") != {"x": "3"}:
                first >> step("b")
        return dag

    assert differences(made(), made()) == []
    assert "DAG: params is different" in differences(made(), made(param=2))
    assert any(item.startswith("a: config") for item in differences(made(), made(config={"x": "2"})))
    said = differences(made(), made(config={"x": "3"}))
    assert {"task 'b' is missing", "a: downstream_task_ids is different"} <= set(said)
    assert differences(made(), made(config={"x": "2"}), made(config={"x": "2"})) == []
