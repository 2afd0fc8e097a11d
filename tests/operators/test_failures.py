"""Steps that do not end in success, in real Airflow: the task fails, and says why."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_aws import ServiceError

from sagemaker_provider.hooks import callback

DAGS = Path(__file__).parents[1] / "dags"

REASONS = {
    "failed": ["TrainingJob failed-", "ended as Failed: AlgorithmError: exit code 1"],
    "stopped": ["ProcessingJob stopped-", "ended as Stopped"],
    "mistyped": ["config.ResourceConfig.InstanceCount: 'many' is not an Integer"],
    "refused": ["ResourceLimitExceeded", "The account-level service limit"],
    "endpoint": ["Endpoint churn ended as Failed", "no capacity"],
    "function": ["'score' is 'high', declared as Float", "'stage' is missing"],
    "callback": ["the worker answered: disk full"],
    "violated": ["1 violation(s) in s3://bucket/check/constraint_violations.json: age: too old"],
    "no_baseline": ["no existing baseline (Constraints, Statistics)"],
    "emr": ["FAILED: the Spark job failed"],
    "uncomparable": ["Equals compares values of one type, not String 'many' with Number 5"],
    "fail": ["above 6.0"],
}


def fail_callback(aws: Any, queue: str, ended: threading.Event) -> None:
    """A worker that cannot do its work."""
    sqs = aws.client("sqs")
    while not ended.is_set():
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", ()):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            callback.fail(json.loads(message["Body"]), "disk full", sqs=sqs)


@pytest.fixture(scope="module", params=["deferrable", "blocking"])
def run(
    request: pytest.FixtureRequest, fresh_aws: Any, airflow: Any, tmp_path_factory: Any, lambda_function: Any
) -> Any:
    """The DAG of failures, run once in each mode: states and errors by task."""
    aws = fresh_aws()
    violations = {"violations": [{"feature_name": "age", "description": "too old"}]}
    aws.put("s3://bucket/check/constraint_violations.json", json.dumps(violations).encode())
    aws.sagemaker.script = {
        "CreateTrainingJob": ["InProgress", "InProgress", "Failed"],
        "CreateEndpoint": ["Creating", "Creating", "Failed"],
    }
    aws.sagemaker.reasons = {"CreateTrainingJob": "AlgorithmError: exit code 1", "CreateEndpoint": "no capacity"}
    aws.sagemaker.named_scripts = {"stopped": ["InProgress", "Stopping", "Stopped"]}
    aws.sagemaker.errors["CreateTransformJob"] = [
        ServiceError("ResourceLimitExceeded", "The account-level service limit is 0 Instances")
    ]
    aws.emr.script = ["PENDING", "RUNNING", "FAILED"]
    queue = aws.client("sqs").create_queue(QueueName="work")["QueueUrl"]
    lambda_function(aws, '{"score": "high"}')
    failures = tmp_path_factory.mktemp("failures") / "failures.jsonl"
    ended = threading.Event()
    worker = threading.Thread(target=fail_callback, args=(aws, queue, ended))
    worker.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAILURES", str(failures))
        try:
            tasks = airflow(DAGS / "failures.py", f"failures_{request.param}")
        finally:
            ended.set()
            worker.join()
    lines = [json.loads(line) for line in failures.read_text().splitlines()]
    return {task.task_id: task for task in tasks}, lines, aws


@pytest.mark.parametrize("task", REASONS)
def test_fails_and_says_why(run: Any, task: str) -> None:
    tasks, lines, _ = run
    assert tasks[task].state == "failed"
    (line,) = [line for line in lines if line["task"] == task]
    for part in REASONS[task]:
        assert part in line["error"]


def test_a_fail_step_is_not_retried(run: Any) -> None:
    assert [line["try"] for line in run[1] if line["task"] == "fail"] == [1]


def test_a_check_that_does_not_fail_tells_its_report(run: Any) -> None:
    tasks, _, _ = run
    assert tasks["tolerated"].state == "success"
    assert tasks["tolerated"].xcom["ViolationReport"] == "s3://bucket/check/constraint_violations.json"


def test_a_first_check_needs_no_baseline_and_registers_its_own(run: Any) -> None:
    result = run[0]["first_run"].xcom
    assert result["BaselineUsedForDriftCheckStatistics"] == result["CalculatedBaselineStatistics"]
    assert "ViolationReport" not in result


def test_a_missing_baseline_costs_no_job(run: Any) -> None:
    requests = [request for name, request in run[2].sagemaker.requests if name == "CreateProcessingJob"]
    assert not [request for request in requests if request["ProcessingJobName"].startswith("no-baseline")]


def test_a_failed_emr_step_ends_its_cluster(run: Any) -> None:
    assert [cluster["state"] for cluster in run[2].emr.clusters.values()] == ["TERMINATED"]
