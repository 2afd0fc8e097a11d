"""What a group of tasks becomes, and what is left for the tasks that mirror their steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dag_makers import ROLE, choice, empty, make_dag, step

from sagemaker_provider.cli import main
from sagemaker_provider.operators import SageMakerPipelineTaskGroup
from sagemaker_provider.translator import Settings
from sagemaker_provider.translator.groups import convert_group, pipelines_of_groups

FILE = Path(__file__).parents[1] / "dags" / "groups.py"


def launch_of(dag: Any) -> Any:
    return dag.get_task("g.launch")


def test_the_steps_of_each_task_are_left() -> None:
    with make_dag(params={"c": 1}) as dag, SageMakerPipelineTaskGroup("g", role=ROLE):
        tail = step("tail", trigger_rule="none_failed_min_one_success")
        choice("c", "g.a", "g.b") >> [step("a"), step("b")] >> tail
        empty("nothing")
    found = convert_group(launch_of(dag))
    assert found.converted is not None
    assert (found.converted.name, found.converted.request["Tags"][0]["Value"]) == ("work-g", "work")
    assert found.tasks == {
        "g.c": [{"names": ["g-c"], "type": "Condition", "suffix": ""}],
        "g.a": [{"names": ["g-a"], "type": "Lambda", "suffix": ""}],
        "g.b": [{"names": ["g-b"], "type": "Lambda", "suffix": ""}],
        "g.tail": [{"names": ["g-tail", "g-tail-else"], "type": "Lambda", "suffix": ""}],
    }
    json.dumps(found.tasks)


def test_a_condition_that_is_always_the_same_is_decided() -> None:
    from sagemaker_provider.definition import Equals

    with make_dag() as dag, SageMakerPipelineTaskGroup("g", role=ROLE):
        choice("c", "g.a", "g.b", conditions=Equals(1, 2)) >> [step("a"), step("b")]
    tasks = convert_group(launch_of(dag)).tasks
    assert tasks["g.c"] == [{"names": [], "type": "Condition", "suffix": "", "outcome": "False"}]
    assert "g.a" not in tasks


def test_an_error_leaves_nothing() -> None:
    with make_dag() as dag, SageMakerPipelineTaskGroup("g"):
        step("a", config={"x": "{{ task.owner }}"})
    found = convert_group(launch_of(dag))
    assert (found.converted, found.tasks, found.findings[0].code) == (None, {}, "SMP301")


def test_settings_of_the_group_go_before_those_for_all() -> None:
    from sagemaker_provider.translator.defaults import Defaults

    with make_dag() as dag, SageMakerPipelineTaskGroup("g", role=ROLE, pipeline_name="my_pipeline"):
        step("a")
    found = pipelines_of_groups(dag)
    assert list(found) == ["my-pipeline"]
    conversion = found["my-pipeline"](dag, Settings(defaults=Defaults({"account": "111122223333"})))
    assert conversion.pipeline["PipelineName"] == "my-pipeline"


def test_the_command_shows_the_definition_for_review(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(FILE), "--task-groups", "--output", str(tmp_path), "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0, report
    assert [item["dag"] for item in report["dags"]] == ["groups-group"]
    definition = json.loads((tmp_path / "groups-group.pipeline.json").read_text())
    assert {item["Name"] for item in definition["Parameters"]} >= {"before_text", "before_json", "way"}


def test_a_file_without_such_groups_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(FILE.with_name("linked.py")), "--task-groups", "--output", str(tmp_path)])
    assert ended.value.code == 1
    assert "no task group runs as a pipeline" in capsys.readouterr().out
