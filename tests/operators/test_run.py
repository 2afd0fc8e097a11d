"""Every step operator in real Airflow, deferrable and not, over HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sagemaker_provider.hooks import callback
from sagemaker_provider.local.dag_runs import TaskResult

DAGS = Path(__file__).parents[1] / "dags"
STEPS = [
    "prepare",
    "train",
    "evaluate",
    "check",
    "register",
    "tune",
    "model",
    "transform",
    "automl",
    "endpoint_config",
    "endpoint",
    "component",
    "function",
    "callback",
    "data_quality",
    "data_bias",
    "emr_running",
    "emr_own",
    "emr_serverless",
    "notebook",
    "lineage",
    "cleanup",
]


def answer_callbacks(aws: Any, queue: str, ended: threading.Event) -> None:
    """A worker: takes messages from the queue and answers them, not knowing who waits."""
    sqs = aws.client("sqs")
    while not ended.is_set():
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", ()):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            arguments = json.loads(message["Body"])["arguments"]
            callback.succeed(message["Body"], {"rows": int(arguments["score"] * 100)}, sqs=sqs)


@pytest.fixture(scope="module", params=["deferrable", "blocking"])
def run(
    request: pytest.FixtureRequest, fresh_aws: Any, airflow: Any, lambda_function: Any
) -> Iterator[tuple[dict[str, TaskResult], Any]]:
    """The DAG with every step type, run once in each mode."""
    aws = fresh_aws()
    aws.put("s3://bucket/report/metrics.json", b'{"mse": {"value": 5.5}}')
    running = ["InProgress", "InProgress", "Completed"]
    aws.sagemaker.script = {
        **dict.fromkeys(("CreateTrainingJob", "CreateProcessingJob", "CreateTransformJob"), running),
        **dict.fromkeys(("CreateHyperParameterTuningJob", "CreateAutoMLJob", "CreateModelPackage"), running),
        **dict.fromkeys(("CreateEndpoint", "CreateInferenceComponent"), ["Creating", "Creating", "InService"]),
    }
    queue = aws.client("sqs").create_queue(QueueName="work")["QueueUrl"]
    lambda_function(aws, '{"score": 0.25, "stage": "beta", "more": 1}')
    ended = threading.Event()
    worker = threading.Thread(target=answer_callbacks, args=(aws, queue, ended))
    worker.start()
    try:
        tasks = airflow(DAGS / "steps.py", f"steps_{request.param}")
    finally:
        ended.set()
        worker.join()
    yield {task.task_id: task for task in tasks}, aws


def request_of(aws: Any, operation: str, index: int = 0) -> dict[str, Any]:
    """A request that the fake has received."""
    return [request for name, request in aws.sagemaker.requests if name == operation][index]


@pytest.mark.parametrize("task", STEPS)
def test_succeeds(run: Any, task: str) -> None:
    assert run[0][task].state == "success"


def test_the_branch_not_taken_is_skipped(run: Any) -> None:
    assert run[0]["unused"].state == "skipped"
    assert run[0]["check"].xcom == {"Outcome": "True"}


def test_xcom_is_the_describe_response_as_json(run: Any) -> None:
    train = run[0]["train"].xcom
    assert train["TrainingJobStatus"] == "Completed"
    assert re.match(r"\d{4}-\d\d-\d\dT", train["CreationTime"])
    assert json.loads(json.dumps(train)) == train
    assert "ResponseMetadata" not in train


def test_rendered_templates_have_the_types_of_the_request(run: Any) -> None:
    _, aws = run
    cluster = request_of(aws, "CreateProcessingJob")["ProcessingResources"]["ClusterConfig"]
    assert cluster == {"InstanceCount": 2, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
    names = [request["TrainingJobName"] for name, request in aws.sagemaker.requests if name == "CreateTrainingJob"]
    train = next(
        request
        for name, request in aws.sagemaker.requests
        if name == "CreateTrainingJob" and "train-" in request["TrainingJobName"]
    )
    assert train["HyperParameters"] == {"rounds": "2"}
    assert len(set(names)) == 2


def test_references_read_what_the_upstream_step_made(run: Any) -> None:
    tasks, aws = run
    source = request_of(aws, "CreateTrainingJob", _index(aws, "CreateTrainingJob", "TrainingJobName", "train-"))[
        "InputDataConfig"
    ][0]
    output = tasks["prepare"].xcom["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    assert source["DataSource"]["S3DataSource"]["S3Uri"] == output
    assert re.fullmatch(r"s3://bucket/[a-z0-9]{12}/train", output)
    assert request_of(aws, "CreateTransformJob")["ModelName"] == tasks["model"].xcom["ModelName"]


def _index(aws: Any, operation: str, member: str, prefix: str) -> int:
    requests = [request for name, request in aws.sagemaker.requests if name == operation]
    return next(index for index, request in enumerate(requests) if request[member].startswith(prefix))


def test_job_names_have_the_given_prefix(run: Any) -> None:
    assert run[0]["prepare"].xcom["ProcessingJobName"].startswith("churn-prepare-")
    assert run[0]["transform"].xcom["TransformJobName"].startswith("transform-")
    assert len(run[0]["tune"].xcom["HyperParameterTuningJobName"]) <= 32


def test_register_makes_the_missing_group_and_takes_several_containers(run: Any) -> None:
    tasks, aws = run
    package = tasks["register"].xcom
    assert package["ModelPackageGroupName"] in aws.sagemaker.groups
    assert len(package["InferenceSpecification"]["Containers"]) == 2
    assert package["ModelPackageVersion"] == 1


def test_tuning_lists_its_best_trainings(run: Any) -> None:
    tasks, aws = run
    assert tasks["tune"].xcom["TrainingJobSummaries"][0]["TrainingJobName"] == "best-training"
    asked = [request for name, request in aws.sagemaker.requests if name.startswith("ListTrainingJobsForHyper")]
    assert ("FinalObjectiveMetricValue", "Ascending") in [(item["SortBy"], item["SortOrder"]) for item in asked]


def test_lambda_outputs_are_typed_and_others_left_out(run: Any) -> None:
    assert run[0]["function"].xcom == {"OutputParameters": {"score": 0.25, "stage": "beta"}}


def test_callback_gets_the_answer_of_a_worker(run: Any) -> None:
    tasks, aws = run
    assert tasks["callback"].xcom == {"OutputParameters": {"rows": 25}}
    queues = aws.client("sqs").list_queues().get("QueueUrls", [])
    assert [url.rpartition("/")[2] for url in queues] == ["work"]


def test_checks_tell_both_baselines(run: Any) -> None:
    quality = run[0]["data_quality"].xcom
    assert quality["BaselineUsedForDriftCheckStatistics"] == "s3://bucket/baseline/statistics.json"
    assert quality["CalculatedBaselineConstraints"] == "s3://bucket/DATA_QUALITY/constraints.json"
    assert run[0]["data_bias"].xcom["CalculatedBaselineConstraints"] == "s3://bucket/DATA_BIAS/analysis.json"


def test_emr_step_ends_its_own_cluster_only(run: Any) -> None:
    tasks, aws = run
    assert tasks["emr_running"].xcom["ClusterId"] == "j-RUNNING"
    (cluster,) = aws.emr.clusters.values()
    assert cluster["state"] == "TERMINATED"
    assert cluster["request"]["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False
    assert (
        tasks["emr_own"].xcom["Config"]["Args"][1]
        == tasks["prepare"].xcom["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    )


def test_emr_serverless_deletes_its_own_application(run: Any) -> None:
    tasks, aws = run
    job = tasks["emr_serverless"].xcom["jobRun"]
    assert job["state"] == "SUCCESS"
    states = [item["state"] for item in aws.client("emr-serverless").list_applications()["applications"]]
    assert set(states) <= {"TERMINATED"}


def test_notebook_is_a_training_job_with_parameters(run: Any) -> None:
    tasks, aws = run
    request = request_of(aws, "CreateTrainingJob", _index(aws, "CreateTrainingJob", "TrainingJobName", "report-"))
    assert request["HyperParameters"] == {"count": "2"}
    assert request["Environment"]["SM_INPUT_NOTEBOOK_NAME"] == "report.ipynb"


def test_lineage_joins_what_it_made(run: Any) -> None:
    lineage = run[0]["lineage"].xcom
    assert set(lineage["ActionArns"]) == {"retrain"}
    assert lineage["Associations"][0]["DestinationArn"] == lineage["ArtifactArns"]["model"]


def test_cleanup_deletes_the_output_of_the_job(run: Any) -> None:
    assert run[0]["cleanup"].xcom == {"CleanedSteps": [{"StepName": "train", "DeletedObjects": 0}]}
