"""Which job a try takes up, and which it creates: whatever became of the tries before it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from contexts import Store, context
from fake_aws import ServiceError

from sagemaker_provider.operators import SageMakerTrainingStepOperator

CONFIG = {
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


class TaskInstance:
    """A task instance whose tries run here, with the bookkeeping of Airflow."""

    def __init__(self, aws: Any, retries: int = 1, store: Store | None = None, **options: Any) -> None:
        self.aws, self.store, self.retries, self.options = aws, store, retries, options
        self.max_tries, self.tries = retries, 0

    def run(self) -> str:
        """One try: how it ended."""
        self.tries += 1
        return self.run_again()

    def run_again(self) -> str:
        """The same try once more, as after a message that a queue delivers twice."""
        options = {"deferrable": False, "poll_interval": 0.01, "aws_conn_id": None, **self.options}
        task = SageMakerTrainingStepOperator(task_id="train", config=CONFIG, retries=self.retries, **options)
        try:
            task.execute(self.context())
        except AirflowException as error:
            return str(error).splitlines()[0].rpartition("ended as ")[2]
        return "success"

    def crash(self) -> None:
        """A try whose worker dies once the job is created."""
        self.tries += 1
        SageMakerTrainingStepOperator(
            task_id="train", config=CONFIG, retries=self.retries, deferrable=False, aws_conn_id=None
        ).start(self.context())

    def clear(self) -> None:
        """A person clears the task."""
        self.max_tries = self.tries + self.retries

    def context(self) -> Any:
        """The context of the current try."""
        return context(try_number=self.tries, max_tries=self.max_tries, store=self.store)

    @property
    def jobs(self) -> list[str]:
        """Statuses of the jobs that were created, in order."""
        progress = self.aws.sagemaker.progress
        return [progress["CreateTrainingJob", name][0] for name in self.aws.sagemaker.items["CreateTrainingJob"]]

    def script(self, *statuses: str) -> None:
        """The statuses of jobs created from now on."""
        self.aws.sagemaker.script["CreateTrainingJob"] = list(statuses)

    def ends(self, status: str) -> None:
        """The latest job ends."""
        name = list(self.aws.sagemaker.items["CreateTrainingJob"])[-1]
        self.aws.sagemaker.progress["CreateTrainingJob", name].clear()
        self.aws.sagemaker.progress["CreateTrainingJob", name].append(status)


@pytest.fixture(params=["store", "no store"])
def store(request: pytest.FixtureRequest) -> Store | None:
    """Airflow 3.3 with its task state store, and those before it."""
    return Store() if request.param == "store" else None


def test_a_running_job_is_taken_up_after_a_crash(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    ti.script("InProgress", "InProgress", "InProgress", "Completed")
    ti.crash()
    assert ti.run() == "success"
    assert ti.jobs == ["Completed"]


def test_a_job_that_succeeded_meanwhile_is_taken_up(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    ti.crash()
    ti.ends("Completed")
    assert (ti.run(), ti.jobs) == ("success", ["Completed"])


def test_a_failed_job_is_followed_by_another(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    ti.script("Failed")
    assert ti.run() == "Failed"
    ti.script("Completed")
    assert (ti.run(), ti.jobs) == ("success", ["Failed", "Completed"])


def test_every_retry_after_a_failure_has_its_own_job(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, retries=3, store=store)
    ti.script("Failed")
    assert [ti.run() for _ in range(4)] == ["Failed"] * 4
    assert ti.jobs == ["Failed"] * 4


def test_the_same_try_twice_tells_one_failure(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, retries=2, store=store)
    ti.script("Failed")
    ti.run()
    ti.crash()
    assert ti.run_again() == "Failed"
    assert ti.jobs == ["Failed"] * 2


def test_a_failure_that_no_try_has_told_is_told_first_where_there_is_a_store(aws: Any) -> None:
    ti = TaskInstance(aws, retries=2, store=Store())
    ti.script("InProgress")
    ti.crash()
    ti.ends("Failed")
    assert (ti.run(), ti.jobs) == ("Failed", ["Failed"])
    ti.script("Completed")
    assert (ti.run(), ti.jobs) == ("success", ["Failed", "Completed"])


def test_a_failure_that_may_have_been_told_is_followed_by_another_job_without_a_store(aws: Any) -> None:
    ti = TaskInstance(aws, retries=1)
    ti.script("InProgress")
    ti.crash()
    ti.ends("Failed")
    ti.script("Completed")
    assert (ti.run(), ti.jobs) == ("success", ["Failed", "Completed"])


def test_a_cleared_task_has_exactly_one_new_job(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    ti.run()
    ti.clear()
    ti.crash()
    ti.run()
    assert ti.jobs == ["Completed"] * 2


@pytest.mark.parametrize("retries", [0, 3])
def test_other_retries_in_the_dag_make_no_second_job(aws: Any, store: Any, retries: int) -> None:
    ti = TaskInstance(aws, retries=2, store=store)
    ti.script("InProgress", "InProgress", "InProgress", "InProgress", "Completed")
    ti.crash()
    ti.retries = retries
    assert (ti.run(), ti.jobs) == ("success", ["Completed"])


def test_a_stopped_job_is_followed_by_another(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    ti.script("InProgress")
    ti.crash()
    ti.ends("Stopped")
    ti.script("Completed")
    assert (ti.run(), ti.jobs) == ("success", ["Stopped", "Completed"])


def test_a_new_job_waits_until_the_stopped_one_has_ended(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    ti.script("InProgress", "Stopping", "Stopping", "Stopped")
    ti.crash()
    aws.client("sagemaker").describe_training_job(TrainingJobName=next(iter(aws.sagemaker.items["CreateTrainingJob"])))
    ti.script("Completed")
    assert (ti.run(), ti.jobs) == ("success", ["Stopped", "Completed"])


def test_a_cleared_task_stops_what_still_runs(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    ti.script("InProgress")
    ti.crash()
    ti.clear()
    ti.script("Completed")
    assert (ti.run(), ti.jobs) == ("success", ["Stopped", "Completed"])
    assert aws.sagemaker.calls["StopTrainingJob"] == 1


def test_a_cleared_task_takes_up_what_is_left_running_on_purpose(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store, on_interrupt="leave")
    ti.script("InProgress", "InProgress", "InProgress", "Completed")
    ti.crash()
    ti.clear()
    assert (ti.run(), ti.jobs) == ("success", ["Completed"])


def test_a_job_that_somebody_deleted_is_created_again(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    ti.crash()
    aws.sagemaker.items["CreateTrainingJob"].clear()
    assert (ti.run(), ti.jobs) == ("success", ["Completed"])


def test_a_failure_that_passes_by_itself_is_waited_out(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    aws.sagemaker.errors["CreateTrainingJob"] = [ServiceError("ResourceLimitExceeded", "too many instances")] * 2
    aws.sagemaker.reasons["CreateTrainingJob"] = "CapacityError: Unable to provision requested ML compute capacity."
    ti.script("Failed")
    created: list[str] = []
    original = aws.sagemaker.create

    def create(operation: str, request: Any) -> Any:
        created.append(request["TrainingJobName"])
        ti.script("Failed" if len(created) < 3 else "Completed")
        return original(operation, request)

    aws.sagemaker.create = create
    try:
        assert ti.run() == "success"
    finally:
        del aws.sagemaker.create
    assert [name[-2:] for name in created] == ["-1", "-2", "-3"]
    assert aws.sagemaker.calls["CreateTrainingJob"] == 5


def test_no_longer_than_the_budget(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store, retry_budget=timedelta(seconds=0.2), poll_interval=0.05)
    aws.sagemaker.reasons["CreateTrainingJob"] = "InternalServerError: We encountered an internal error."
    ti.script("Failed")
    assert ti.run() == "Failed: InternalServerError: We encountered an internal error."
    jobs = len(ti.jobs)
    assert jobs > 2
    ti.script("Completed")
    assert ti.run() == "success"
    assert len(ti.jobs) == jobs + 1


def test_without_a_budget_nothing_is_waited_out(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store, retry_budget=timedelta(0))
    aws.sagemaker.reasons["CreateTrainingJob"] = "CapacityError: none"
    ti.script("Failed")
    assert (ti.run(), ti.jobs) == ("Failed: CapacityError: none", ["Failed"])


def test_a_failure_of_user_code_is_not_waited_out(aws: Any, store: Any) -> None:
    ti = TaskInstance(aws, store=store)
    aws.sagemaker.reasons["CreateTrainingJob"] = "AlgorithmError: InternalServerError in the log, exit code: 1"
    ti.script("Failed")
    assert ti.run().startswith("Failed: AlgorithmError")
    assert ti.jobs == ["Failed"]


@pytest.mark.parametrize("options", [{"on_interrupt": "adopt"}, {"retry_budget": 5}, {"retry_budget": -timedelta(1)}])
def test_values_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"train: (on_interrupt|retry_budget) is"):
        SageMakerTrainingStepOperator(task_id="train", **options)
