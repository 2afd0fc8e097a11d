"""What the tests of pipelines share: small definitions, and a client that runs them to the end."""

from __future__ import annotations

import json
import time
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/PipelineRole"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"


def definition(*steps: dict[str, Any], parameters: list[dict[str, Any]] = (), **members: Any) -> str:  # type: ignore[assignment]
    """The text of a definition."""
    whole = {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": list(parameters),
        "PipelineExperimentConfig": None,
        "Steps": list(steps),
        **members,
    }
    return json.dumps(whole)


def parameter(name: str, kind: str = "String", default: Any = None, **members: Any) -> dict[str, Any]:
    """A parameter; without a default a value is needed."""
    return {"Name": name, "Type": kind, **({} if default is None else {"DefaultValue": default}), **members}


def processing(name: str, *after: Any, environment: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """A Processing step; ``after`` is its ``DependsOn``."""
    arguments = {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": members.pop("entrypoint", ["true"])},
        "RoleArn": ROLE,
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        },
        **({"Environment": environment} if environment else {}),
        **members.pop("arguments", {}),
    }
    depends = {"DependsOn": list(after)} if after else {}
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **depends, **members}


def outputs(**uris: str) -> dict[str, Any]:
    """Arguments of a Processing step with outputs."""
    return {
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": name,
                    "S3Output": {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3UploadMode": "EndOfJob"},
                }
                for name, uri in uris.items()
            ]
        }
    }


def condition(name: str, left: Any, right: Any, yes: list[Any], no: list[Any], *after: str) -> dict[str, Any]:
    """A Condition step that compares for equality."""
    arguments = {
        "Conditions": [{"Type": "Equals", "LeftValue": left, "RightValue": right}],
        "IfSteps": yes,
        "ElseSteps": no,
    }
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **({"DependsOn": list(after)} if after else {})}


def get(path: str) -> dict[str, str]:
    """A reference."""
    return {"Get": path}


def text(*values: Any, on: str = "") -> dict[str, Any]:
    """A join."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def fail(name: str, message: Any, *after: str) -> dict[str, Any]:
    """A Fail step."""
    return {
        "Name": name,
        "Type": "Fail",
        "Arguments": {"ErrorMessage": message},
        **({"DependsOn": list(after)} if after else {}),
    }


class Pipelines:
    """A client of the pipeline API."""

    def __init__(self, local: Any) -> None:
        self.local, self.sagemaker = local, local.client("sagemaker")

    def create(self, text: str, name: str = "p", **members: Any) -> str:
        """Create a pipeline."""
        return self.sagemaker.create_pipeline(  # type: ignore[no-any-return]
            PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, **members
        )["PipelineArn"]

    def start(self, name: str = "p", **members: Any) -> str:
        """Start an execution."""
        parameters = [{"Name": key, "Value": value} for key, value in members.pop("parameters", {}).items()]
        request = {"PipelineName": name, **({"PipelineParameters": parameters} if parameters else {}), **members}
        return self.sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"]  # type: ignore[no-any-return]

    def run(self, text: str | None = None, name: str = "p", **members: Any) -> str:
        """Create the pipeline if it is new, start it and wait for the end; the execution."""
        if text is not None:
            self.create(text, name)
        return self.wait(self.start(name, **members))

    def wait(self, arn: str, seconds: float = 30) -> str:
        """Wait for the end of an execution."""
        give_up = time.monotonic() + seconds
        while self.status(arn) in ("Executing", "Stopping"):
            assert time.monotonic() < give_up, f"{self.steps(arn)}"
            time.sleep(0.02)
        return arn

    def status(self, arn: str) -> str:
        """The status of an execution."""
        return str(self.describe(arn)["PipelineExecutionStatus"])

    def describe(self, arn: str) -> Any:
        """The description of an execution."""
        return self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)

    def steps(self, arn: str) -> dict[str, Any]:
        """The steps of an execution by name, in the order in which they started."""
        pages = self.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        return {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}

    def statuses(self, arn: str) -> dict[str, str]:
        """The status of each step."""
        return {name: step["StepStatus"] for name, step in self.steps(arn).items()}

    def until(self, arn: str, step: str, status: str, seconds: float = 10) -> Any:
        """Wait until a step has a status."""
        give_up = time.monotonic() + seconds
        while (found := self.steps(arn).get(step, {})).get("StepStatus") != status:
            assert time.monotonic() < give_up, f"{step}: {found}"
            time.sleep(0.02)
        return found

    def job(self, arn: str, step: str) -> Any:
        """The processing job of a step."""
        job = self.steps(arn)[step]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
        return self.sagemaker.describe_processing_job(ProcessingJobName=job)
