"""Pipelines of AWS's own examples: every one is accepted, and runs to its end with simulated jobs."""

from __future__ import annotations

import io
import json
import re
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from permissions import action_of, denied
from pipelines_client import ROLE, Pipelines
from shared_files import SHARED

from sagemaker_provider.definition import JsonGet, PipelineDefinition, Step, paths
from sagemaker_provider.definition.expressions import walk
from sagemaker_provider.definition.policy import Account, policies
from sagemaker_provider.local.executions import nodes_of
from sagemaker_provider.local.tasks import Task

TRAINING_OF_TUNING = re.compile(r"-\d{3}-[0-9a-f]{8}$")
"""Names of trainings that the service itself makes for a tuning job."""
EXAMPLES = sorted((SHARED / "golden" / "examples").glob("*.json"))


def function(local: Any, step: Step) -> None:
    """Make the function of a Lambda step; it answers with what the step declares."""
    answer = {output.name: "1" for output in step.output_parameters or ()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code.py", f"def run(event, context):\n    return {answer!r}\n")
    name = step.members["FunctionArn"].rpartition(":")[2]
    role = local.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    local.client("lambda").create_function(
        FunctionName=name, Runtime="python3.12", Role=role, Handler="code.run", Code={"ZipFile": packed.getvalue()}
    )


def worker(local: Any, step: Step) -> None:
    """Make the queue of a Callback step, and answer its first message."""
    queue = local.client("sqs").create_queue(QueueName=step.members["SqsQueueUrl"].rpartition("/")[2])["QueueUrl"]
    outputs = [{"Name": output.name, "Value": "s3://bucket/answer"} for output in step.output_parameters or ()]

    def answer() -> None:
        while True:
            for message in local.client("sqs").receive_message(QueueUrl=queue).get("Messages", ()):
                token = json.loads(message["Body"])["token"]
                local.client("sagemaker").send_pipeline_execution_step_success(
                    CallbackToken=token, OutputParameters=outputs
                )
                return
            time.sleep(0.02)

    threading.Thread(target=answer, daemon=True).start()


def property_files(definition: PipelineDefinition, folder: Path) -> None:
    """Write what the pipeline will read from property files, as outputs of simulated jobs."""
    steps = [step for step, _ in definition.all_steps()]
    declared = {(step.name, file.name): file for step in steps for file in step.property_files or ()}
    documents: dict[Path, dict[str, Any]] = {}
    for step in steps:
        for _, expression in walk([dict(step.arguments)]):
            if isinstance(expression, JsonGet) and expression.property_file:
                file = declared[expression.property_file.name, str(expression.property_file.members[-1])]
                place = documents.setdefault(folder / file.output_name / file.path, {})
                *outer, last = map(str, paths.parse(expression.path))
                for key in outer:
                    place = place.setdefault(key, {})
                place[last] = 0.5
    for file_, document in documents.items():
        file_.parent.mkdir(parents=True, exist_ok=True)
        file_.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def other_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The calls of pipelines to services other than SageMaker, as (IAM action, request)."""
    calls = []
    real = Task.aws

    def aws(task: Task, service: str, operation: str, request: Any) -> Any:
        calls.append((action_of(service, operation), dict(request)))
        return real(task, service, operation, request)

    monkeypatch.setattr(Task, "aws", aws)
    return calls


def value(name: str, kind: str) -> str:
    """A value for a parameter without a default."""
    return {"String": "s3://bucket/value", "Boolean": "true"}.get(kind, "1")


@pytest.mark.parametrize("file", EXAMPLES or [None], ids=lambda file: file.stem if file else "absent")
def test_an_example_of_aws_runs_to_its_end(
    pipelines: Pipelines, with_settings: Any, tmp_path: Path, golden: Path, other_calls: Any, file: Path
) -> None:
    local, text = pipelines.local, file.read_text(encoding="utf-8")
    if cluster := re.search(r"j-[A-Z0-9]{5,}", text):  # the one it runs on
        instances = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
        identifier = local.client("emr").run_job_flow(Name="c", Instances=instances)["JobFlowId"]
        text = text.replace(cluster[0], identifier)
    definition = PipelineDefinition.from_json(text)
    property_files(definition, tmp_path)
    with_settings(simulated_outputs=tmp_path, create_model_package_groups=True)
    for bucket in sorted({"bucket", *re.findall(r"s3://([a-z0-9.-]+)", text)} - {"bucket"}):
        local.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    for step, _ in definition.all_steps():
        if step.type == "Lambda":
            function(local, step)
        elif step.type == "Callback":
            worker(local, step)
    parameters = {
        item.name: value(item.name, item.type) for item in definition.parameters or () if item.default_value is None
    }
    first_run = ("Skip", "Register")  # there is no earlier baseline
    parameters |= {
        item.name: "true"
        for item in definition.parameters or ()
        if item.type == "Boolean" and any(word.lower() in item.name.lower() for word in first_run)
    }
    arn = pipelines.run(text, parameters=parameters)
    assert pipelines.status(arn) == "Succeeded", {
        name: step.get("FailureReason") for name, step in pipelines.steps(arn).items()
    }
    reached = set(pipelines.statuses(arn))
    for node in nodes_of(definition):  # what did not run is in another branch, or waits for what is
        assert node.name in reached or node.branch or any(name not in reached for name, _ in node.needs), node.name
    name = pipelines.local.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineArn"]
    account = Account(ROLE, "us-west-2", parameters)
    principals, _ = policies(definition, name.rpartition("/")[2], account)
    calls = [
        *other_calls,
        *(
            (action_of("sagemaker", call.operation), call.request)
            for call in local.calls
            if not TRAINING_OF_TUNING.search(call.request.get("TrainingJobName", ""))
        ),
    ]
    assert denied(principals, calls) == []
