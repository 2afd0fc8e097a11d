"""List calls of every kind, over HTTP, show what Describe calls show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest

from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, STEP_TYPES, Resource, state_of
from sagemaker_provider.triggers import listing
from sagemaker_provider.triggers.calls import Calls

REGION = "us-west-2"
ARN = f"arn:aws:sagemaker:{REGION}:123456789012"
KINDS = {
    row.resource.describe: row.resource
    for row in STEP_TYPES.values()
    if row.resource and row.resource.listing and row.resource.service == "sagemaker"
}
STATUSES = {"Endpoint": ("Creating", "InService"), "InferenceComponent": ("Creating", "InService")}
SETTINGS = {"aws_conn_id": None, "region_name": REGION}


def records(local: Any, kind: str) -> list[dict[str, Any]]:
    """Three resources of a kind, one of which has ended, as the local SageMaker keeps them; their Describe requests."""
    running, ended = STATUSES.get(kind, ("InProgress", "Completed"))
    requests: list[dict[str, Any]] = []
    config = {"EndpointConfigName": "c", "ProductionVariants": []}
    local.store.put(REGION, "EndpointConfig", "c", config)
    for number in range(3):
        name = f"{ARN}:model-package/group/{number + 1}" if kind == "ModelPackage" else f"one-{number}"
        record = {
            f"{kind}Name": name,
            f"{kind}Arn": name if kind == "ModelPackage" else f"{ARN}:{kind.lower()}/{name}",
            f"{kind}Status": ended if number == 1 else running,
            "CreationTime": time.time() + number,
            "LastModifiedTime": time.time() + number,
            **({"ModelPackageGroupName": "group", "ModelPackageVersion": number + 1} if kind == "ModelPackage" else {}),
            **({"JobCategory": "AgentRFT"} if kind == "Job" else {}),
            **(config if kind == "Endpoint" else {}),
        }
        local.store.put(REGION, kind, name, record)
        requests.append({f"{kind}Name": name, **({"JobCategory": "AgentRFT"} if kind == "Job" else {})})
    return requests


def compare(resource: Resource, requests: list[dict[str, Any]], pages: int = 5) -> None:
    """Both ways to see a status give the same."""

    async def scenario() -> None:
        calls = Calls(SETTINGS)

        async def ask(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
            return await calls.call(resource.service, operation, request)

        rows = resource.listing
        assert rows is not None
        (scope,) = {listing.scope_of(rows, request) for request in requests}
        assert scope is not None
        entries = await listing.found(ask, resource, dict(scope), requests, pages)
        described = {
            listing.key_of(rows, request): state_of(resource, await ask(resource.describe, request))[1]
            for request in requests
        }
        if rows.running:
            described = {key: status for key, status in described.items() if resource.states[status].value == "running"}
        assert {key: entries.statuses.get(key) for key in described} == described
        if rows.modified:
            assert entries.until is not None
            later = await listing.changed(ask, resource, dict(scope), entries.until, pages)
            assert later.complete
            assert later.statuses == entries.statuses

    asyncio.run(scenario())


@pytest.mark.parametrize("describe", KINDS)
def test_a_list_shows_what_describe_shows(local_sagemaker: Any, describe: str) -> None:
    compare(KINDS[describe], records(local_sagemaker, describe.removeprefix("Describe")))


def test_executions_are_listed_by_their_pipeline(local_sagemaker: Any) -> None:
    client = local_sagemaker.client("sagemaker")
    text = '{"Version": "2020-12-01", "Steps": [{"Name": "f", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}'
    client.create_pipeline(PipelineName="Churn", PipelineDefinition=text, RoleArn="arn:aws:iam::123456789012:role/Pipe")
    starts = [client.start_pipeline_execution(PipelineName="Churn") for _ in range(3)]
    for start in starts:
        while client.describe_pipeline_execution(**only_arn(start))["PipelineExecutionStatus"] == "Executing":
            time.sleep(0.05)
    compare(PIPELINE_EXECUTION, [only_arn(start) for start in starts])


def only_arn(start: Mapping[str, Any]) -> dict[str, Any]:
    return {"PipelineExecutionArn": start["PipelineExecutionArn"]}


def test_steps_of_a_cluster_are_listed_by_ten(local_sagemaker: Any) -> None:
    emr = local_sagemaker.client("emr")
    instances = {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.xlarge", "InstanceCount": 2}
    cluster = emr.run_job_flow(
        Name="c", Instances={**instances, "KeepJobFlowAliveWhenNoSteps": True}, JobFlowRole="r", ServiceRole="r"
    )["JobFlowId"]
    local_sagemaker.faults.add("hang", operation="AddJobFlowSteps", times=None)
    steps = [{"Name": f"s{number}", "HadoopJarStep": {"Jar": "x.jar"}} for number in range(12)]
    ids = emr.add_job_flow_steps(JobFlowId=cluster, Steps=steps)["StepIds"]
    resource = STEP_TYPES["EMR"].resource
    assert resource is not None
    compare(resource, [{"ClusterId": cluster, "StepId": each} for each in ids], pages=1)


def test_job_runs_are_listed_by_their_application(local_sagemaker: Any) -> None:
    client = local_sagemaker.client("emr-serverless")
    application = client.create_application(releaseLabel="emr-7.0.0", type="SPARK")["applicationId"]
    role = "arn:aws:iam::123456789012:role/EMR"
    runs = [client.start_job_run(applicationId=application, executionRoleArn=role) for _ in range(3)]
    resource = STEP_TYPES["EMRServerless"].resource
    assert resource is not None
    compare(resource, [{"applicationId": application, "jobRunId": run["jobRunId"]} for run in runs])


@pytest.mark.parametrize("name", ["my-package", "arn:aws:sagemaker:us-west-2:123456789012:model-package/alone"])
def test_a_package_without_a_group_is_not_listed(name: str) -> None:
    rows = KINDS["DescribeModelPackage"].listing
    assert rows is not None
    assert listing.scope_of(rows, {"ModelPackageName": name}) is None
