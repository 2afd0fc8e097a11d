"""The AWS command line (version 1, which package indexes have), with its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import CODE

AWS = str(Path(sys.executable).with_name("aws"))
PROCESSING = {
    "AppSpecification": {
        "ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/python:3",
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/prepare.py"],
    },
    "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
}


def aws(*arguments: str, code: int = 0) -> str:
    """Run the command line; what it printed, of an error what it said."""
    done = subprocess.run([AWS, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr or done.stdout
    return done.stderr if code else done.stdout


def sagemaker(*arguments: str) -> Any:
    """What a call of SageMaker answers."""
    text = aws("sagemaker", *arguments)
    return json.loads(text) if text else None


def until(ended: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + 60
    while not ended():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.fixture(scope="module")
def processing(bucket, role) -> dict[str, Any]:
    """Request of a Processing job."""
    aws("s3", "cp", str(CODE / "prepare.py"), f"s3://{bucket}/cli/code/prepare.py")
    source = {
        "S3Uri": f"s3://{bucket}/cli/code/prepare.py",
        "LocalPath": "/opt/ml/processing/input/code",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    target = {
        "S3Uri": f"s3://{bucket}/cli/points",
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "EndOfJob",
    }
    return {
        **PROCESSING,
        "AppSpecification": {**PROCESSING["AppSpecification"], "ContainerArguments": ["--rows", "4"]},
        "RoleArn": role,
        "ProcessingInputs": [{"InputName": "code", "S3Input": source}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "points", "S3Output": target}]},
    }


def test_processing_job(bucket, processing, tmp_path):
    name = "cli-prepare"
    created = sagemaker(
        "create-processing-job", "--cli-input-json", json.dumps({"ProcessingJobName": name, **processing}),
        "--tags", "Key=team,Value=a",
    )  # fmt: skip
    sagemaker("wait", "processing-job-completed-or-stopped", "--processing-job-name", name)
    described = sagemaker("describe-processing-job", "--processing-job-name", name)
    assert described["ProcessingJobStatus"] == "Completed"
    assert described["ProcessingJobArn"] == created["ProcessingJobArn"]
    assert {"Key": "team", "Value": "a"} in sagemaker("list-tags", "--resource-arn", created["ProcessingJobArn"])[
        "Tags"
    ]
    assert aws("s3", "ls", f"s3://{bucket}/cli/points/").split()[2:] == ["21", "points.csv"]
    aws("s3", "cp", f"s3://{bucket}/cli/points/points.csv", str(tmp_path))
    assert (tmp_path / "points.csv").read_text().split() == ["1,3", "2,6", "3,9", "4,12"]


def test_log(bucket, processing):
    name = "cli-log"
    sagemaker("create-processing-job", "--processing-job-name", name, "--cli-input-json", json.dumps(processing))
    sagemaker("wait", "processing-job-completed-or-stopped", "--processing-job-name", name)
    group = "/aws/sagemaker/ProcessingJobs"
    streams = aws(
        "logs", "describe-log-streams", "--log-group-name", group, "--log-stream-name-prefix", f"{name}/",
        "--query", "logStreams[].logStreamName", "--output", "text",
    ).split()  # fmt: skip
    assert [stream.startswith(f"{name}/algo-1-") for stream in streams] == [True]
    events = json.loads(aws("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", streams[0]))
    assert "prepared 4 points" in [event["message"] for event in events["events"]]
    filtered = aws("logs", "filter-log-events", "--log-group-name", group, "--log-stream-name-prefix", name)
    assert "prepared 4 points" in filtered


def test_pipeline(bucket, processing, role, tmp_path):
    rows = {"Get": "Parameters.Rows"}
    arguments = {
        **processing,
        "AppSpecification": {**processing["AppSpecification"], "ContainerArguments": ["--rows", rows]},
    }
    more = {"Type": "Equals", "LeftValue": rows, "RightValue": "0"}
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Rows", "Type": "String", "DefaultValue": "5"}],
        "Steps": [
            {"Name": "Prepare", "Type": "Processing", "Arguments": arguments},
            {
                "Name": "Check",
                "Type": "Condition",
                "DependsOn": ["Prepare"],
                "Arguments": {
                    "Conditions": [more],
                    "IfSteps": [{"Name": "Empty", "Type": "Fail", "Arguments": {"ErrorMessage": "no rows"}}],
                    "ElseSteps": [],
                },
            },
        ],
    }
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(definition))
    arn = sagemaker(
        "create-pipeline", "--pipeline-name", "cli", "--pipeline-definition", f"file://{file}", "--role-arn", role
    )["PipelineArn"]
    assert sagemaker("describe-pipeline", "--pipeline-name", "cli")["PipelineArn"] == arn
    outcomes = {}
    for value in ("6", "0"):
        execution = sagemaker(
            "start-pipeline-execution", "--pipeline-name", "cli", "--pipeline-parameters", f"Name=Rows,Value={value}"
        )["PipelineExecutionArn"]
        describe = ("describe-pipeline-execution", "--pipeline-execution-arn", execution)
        until(lambda: sagemaker(*describe)["PipelineExecutionStatus"] != "Executing")  # noqa: B023
        steps = sagemaker(
            "list-pipeline-execution-steps", "--pipeline-execution-arn", execution, "--sort-order", "Ascending"
        )
        outcomes[value] = (
            sagemaker(*describe)["PipelineExecutionStatus"],
            [(step["StepName"], step["StepStatus"]) for step in steps["PipelineExecutionSteps"]],
        )
    assert outcomes == {
        "6": ("Succeeded", [("Prepare", "Succeeded"), ("Check", "Succeeded")]),
        "0": ("Failed", [("Prepare", "Succeeded"), ("Check", "Succeeded"), ("Empty", "Failed")]),
    }
    counted = aws(
        "sagemaker", "list-pipeline-executions", "--pipeline-name", "cli", "--page-size", "1",
        "--query", "length(PipelineExecutionSummaries)", "--output", "text",
    )  # fmt: skip
    assert counted.split() == ["1", "1"]
    sagemaker("delete-pipeline", "--pipeline-name", "cli")
    assert sagemaker("list-pipelines", "--pipeline-name-prefix", "cli")["PipelineSummaries"] == []


def test_errors(processing, role):
    missing = aws("sagemaker", "describe-processing-job", "--processing-job-name", "cli-none", code=255)
    assert "An error occurred (ValidationException) when calling the DescribeProcessingJob operation" in missing
    gone = aws("sagemaker", "describe-pipeline", "--pipeline-name", "cli-none", code=255)
    assert "An error occurred (ResourceNotFound) when calling the DescribePipeline operation" in gone
    wrong = aws(
        "sagemaker", "create-pipeline", "--pipeline-name", "cli-none", "--pipeline-definition", "{", "--role-arn", role,
        code=255,
    )  # fmt: skip
    assert "An error occurred (ValidationException) when calling the CreatePipeline operation" in wrong

    failing = {
        **processing,
        "AppSpecification": {**PROCESSING["AppSpecification"], "ContainerArguments": ["--rows", "x"]},
    }
    sagemaker("create-processing-job", "--processing-job-name", "cli-fails", "--cli-input-json", json.dumps(failing))
    waited = aws(
        "sagemaker", "wait", "processing-job-completed-or-stopped", "--processing-job-name", "cli-fails", code=255
    )
    assert "Waiter encountered a terminal failure state" in waited
    again = aws(
        "sagemaker", "create-processing-job", "--processing-job-name", "cli-fails", "--cli-input-json", json.dumps(failing),
        code=255,
    )  # fmt: skip
    assert "An error occurred (ResourceInUse) when calling the CreateProcessingJob operation" in again
