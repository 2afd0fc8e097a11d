"""Steps that do not succeed at once, in real Airflow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow import __version__
from fake_aws import ServiceError

AIRFLOW_3 = pytest.mark.skipif(__version__.startswith("2."), reason="a timeout ends dag.test() of Airflow 2.11")
DAGS = Path(__file__).parents[1] / "dags"
REFUSED = ServiceError("ResourceLimitExceeded", "The account-level service limit for instances is exceeded")
REASONS = {"fails-once": "AlgorithmError: exit code 1", "no-capacity-once": "CapacityError: none left"}


class Service:
    """Puts itself before the fake service: refuses calls, and lets the first job of some tasks fail."""

    def __init__(self, fake: Any) -> None:
        self.fake, self.create, self.describe = fake, fake.create, fake.describe
        self.asked: Counter[tuple[str, str]] = Counter()
        """Create calls by task and number of the job."""

    def on_create(self, operation: str, request: dict[str, Any]) -> Any:
        """Refuse, or keep a job."""
        task, _, rest = request["TrainingJobName"].rpartition("-")
        task = task.rpartition("-")[0]
        self.asked[task, rest] += 1
        if task == "refused-for-long" or (task == "refused-twice" and self.asked[task, rest] < 3):
            raise REFUSED
        end = "Failed" if task in REASONS and rest == "1" else "Completed"
        self.fake.script[operation] = ["InProgress"] * 2 + [end] * (task != "late")
        return self.create(operation, request)

    def on_describe(self, operation: str, request: dict[str, Any]) -> Any:
        """Describe a job, with the reason when it failed."""
        item = self.describe(operation, request)
        task = item["TrainingJobName"].rpartition("-")[0].rpartition("-")[0]
        return {**item, "FailureReason": REASONS[task]} if item["TrainingJobStatus"] == "Failed" else item


@pytest.fixture(scope="module", params=["deferrable", "blocking"])
def run(request: pytest.FixtureRequest, fresh_aws: Any, airflow: Any) -> Any:
    """The DAG, run once in each mode: tasks by id, create calls, the service."""
    aws = fresh_aws()
    service = Service(aws.sagemaker)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws.sagemaker, "create", service.on_create)
        patch.setattr(aws.sagemaker, "describe", service.on_describe)
        tasks = airflow(DAGS / "attempts.py", f"attempts_{request.param}")
    return {task.task_id: task for task in tasks}, service.asked, aws


def test_a_failed_job_is_followed_by_another(run: Any) -> None:
    assert run[0]["fails_once"].state == "success"
    assert (run[1]["fails-once", "1"], run[1]["fails-once", "2"]) == (1, 1)


def test_missing_capacity_is_waited_out_without_a_retry_of_the_task(run: Any) -> None:
    assert run[0]["no_capacity_once"].state == "success"
    assert (run[1]["no-capacity-once", "1"], run[1]["no-capacity-once", "2"]) == (1, 1)


def test_a_refused_call_is_made_again(run: Any) -> None:
    assert run[0]["refused_twice"].state == "success"
    assert run[1]["refused-twice", "1"] == 3


@AIRFLOW_3
def test_the_execution_timeout_ends_the_waiting(run: Any) -> None:
    assert run[0]["refused_for_long"].state == "failed"
    assert run[1]["refused-for-long", "1"] >= 1


@AIRFLOW_3
def test_the_execution_timeout_stops_the_job(run: Any) -> None:
    assert run[0]["late"].state == "failed"
    (name,) = (name for name in run[2].sagemaker.items["CreateTrainingJob"] if name.startswith("late-"))
    assert run[2].sagemaker.progress["CreateTrainingJob", name][-1] == "Stopped"


def test_airflow_tells_the_state_of_a_task(run: Any) -> None:
    assert run[0]["state"].xcom in ("running", "scheduled")  # the latter in dag.test() of Airflow 2.11
