"""DAGs of Python and Bash tasks give the same in Airflow and as a pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow import __version__ as airflow_version
from python_ways import converted, in_airflow, in_pipeline

from sagemaker_provider.local.service import LocalSettings, local_sagemaker

DAGS = Path(__file__).parent / "python_dags"


@pytest.fixture(scope="module")
def _server() -> Iterator[Any]:
    with local_sagemaker(LocalSettings(max_processes=4)) as local:
        yield local


@pytest.fixture
def local(_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A local SageMaker with a bucket; the environment points at it."""
    for name, value in _server.environment.items():
        monkeypatch.setenv(name, value)
    _server.reset()
    _server.client("s3").create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return _server


def assert_same(local: Any, airflow: Any, file: Path, dag_id: str, conf: dict[str, str] | None = None) -> None:
    """Both ways end alike, and tasks return the same; steps of a task that fails or is skipped return nothing."""
    one = in_airflow(airflow, file, dag_id, conf)
    other = in_pipeline(local, converted(file, dag_id), conf)
    states = {task: state for task, state in other.states.items() if task != "score--model"}  # one task, two steps
    assert states == one.states, other.returned
    assert "failed" not in one.states.values()
    for task in ("choose", "gate"):  # Airflow 3 keeps no XCom of a task that skips others
        if task not in one.returned:
            other.returned.pop(task, None)
    expected = {task: value for task, value in one.returned.items() if task not in ("train", "score")}
    if airflow_version < "3":  # whose XComs have lists for tuples
        other.returned, expected = json.loads(json.dumps([other.returned, expected], default=str))
    assert other.returned == expected


def test_taskflow_around_a_training_and_a_transform(local: Any, airflow: Any) -> None:
    local.client("s3").put_object(Bucket="bucket", Key="in/rows.csv", Body=b"1,2")
    assert_same(local, airflow, DAGS / "flow.py", "flow")


def test_a_virtual_environment(local: Any, airflow: Any) -> None:
    pytest.importorskip("virtualenv" if airflow_version < "3" else "venv")
    assert_same(local, airflow, DAGS / "apart.py", "apart")


@pytest.mark.parametrize(
    ("dag_id", "word"),
    [
        ("one_of", "a"),
        ("one_of", "c"),
        ("one_of", "none"),
        ("two_way", "a"),
        ("two_way", "b"),
        ("several", "x"),
        ("several", "xy"),
        ("several", "z"),
        ("go_on", "yes"),
        ("go_on", "no"),
    ],
)
def test_choices(local: Any, airflow: Any, dag_id: str, word: str) -> None:
    assert_same(local, airflow, DAGS / "choices.py", dag_id, {"word": word})


def test_mapped_tasks_and_sensors(local: Any, airflow: Any) -> None:
    one = in_airflow(airflow, DAGS / "others.py", "others")
    other = in_pipeline(local, converted(DAGS / "others.py", "others"))
    assert set(one.states.values()) == set(other.states.values()) == {"success"}
    assert one.returned["total"] == other.returned["total"] == [10, 7]


def test_a_loop_over_what_a_task_returns(local: Any, airflow: Any) -> None:
    file = DAGS / "loops.py"
    one = in_airflow(airflow, file, "loops")
    conversion = converted(file, "loops")
    assert [item.type for item, _ in conversion.definition.all_steps()] == [
        "Processing",
        "ForEach",
        "Processing",
        "Processing",
    ]
    other = in_pipeline(local, conversion)
    assert one.returned["total"] == other.returned["total"] == {"sum": 645, "values": [2, 41, 602]}
