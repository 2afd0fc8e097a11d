"""Simulated EMR steps: real boto3, real HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sagemaker_provider.local.emr import EMR
from sagemaker_provider.local.endpoint import LocalEndpoint
from sagemaker_provider.local.faults import Faults
from sagemaker_provider.local.settings import LocalSettings

INSTANCES = {"MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.xlarge", "InstanceCount": 2}


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[SimpleNamespace, Any]]:
    local = SimpleNamespace(settings=LocalSettings(), faults=Faults())
    with LocalEndpoint(services={"elasticmapreduce": EMR(local)}) as endpoint:
        yield (
            local,
            boto3.session.Session().client(
                "emr",
                region_name="eu-west-1",
                endpoint_url=endpoint.url,
                aws_access_key_id="local",
                aws_secret_access_key="local",
            ),
        )


@pytest.fixture
def local(shared: tuple[SimpleNamespace, Any]) -> Iterator[SimpleNamespace]:
    local = shared[0]
    local.settings = LocalSettings()
    yield local
    local.faults.clear()


@pytest.fixture
def emr(shared: tuple[SimpleNamespace, Any], local: SimpleNamespace) -> Any:
    return shared[1]


def slow(local: SimpleNamespace, seconds: float) -> None:
    local.settings = LocalSettings(simulated_seconds=seconds)


def step(name: str, **options: Any) -> dict[str, Any]:
    return {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": {"Jar": "command-runner.jar"}, **options}


def cluster(emr: Any, *steps: dict[str, Any], alive: bool = True) -> str:
    instances = {**INSTANCES, "KeepJobFlowAliveWhenNoSteps": alive, "TerminationProtected": False}
    return str(emr.run_job_flow(Name="c", Instances=instances, Steps=list(steps))["JobFlowId"])


def add(emr: Any, cluster_id: str, *steps: dict[str, Any]) -> list[str]:
    return list(emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=list(steps))["StepIds"])


def states(emr: Any, cluster_id: str) -> dict[str, str]:
    return {item["Name"]: item["Status"]["State"] for item in emr.list_steps(ClusterId=cluster_id)["Steps"]}


def state(emr: Any, cluster_id: str) -> str:
    return str(emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])


def wait(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_steps_end(emr: Any) -> None:
    cluster_id = cluster(emr)
    (step_id,) = add(emr, cluster_id, step("a"))
    found = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
    assert found["Status"]["State"] == "COMPLETED"
    assert found["Status"]["Timeline"]["StartDateTime"] <= found["Status"]["Timeline"]["EndDateTime"]
    assert "FailureDetails" not in found["Status"]
    assert state(emr, cluster_id) == "WAITING"


def test_steps_run_one_after_the_other(emr: Any, local: SimpleNamespace) -> None:
    slow(local, 0.5)
    cluster_id = cluster(emr)
    assert state(emr, cluster_id) == "WAITING"
    add(emr, cluster_id, step("a"), step("b"))
    assert states(emr, cluster_id) == {"a": "RUNNING", "b": "PENDING"}
    assert state(emr, cluster_id) == "RUNNING"
    assert wait(lambda: states(emr, cluster_id) == {"a": "COMPLETED", "b": "RUNNING"})
    assert wait(lambda: states(emr, cluster_id) == {"a": "COMPLETED", "b": "COMPLETED"})
    times = {item["Name"]: item["Status"]["Timeline"] for item in emr.list_steps(ClusterId=cluster_id)["Steps"]}
    assert times["b"]["StartDateTime"] >= times["a"]["EndDateTime"]
    assert 0.4 < (times["b"]["EndDateTime"] - times["b"]["StartDateTime"]).total_seconds() < 0.6


def test_a_cluster_of_its_own_ends_with_its_step(emr: Any, local: SimpleNamespace) -> None:
    slow(local, 2)
    cluster_id = cluster(emr, step("a"), alive=False)
    listed = emr.list_clusters(ClusterStates=["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"])["Clusters"]
    assert cluster_id in [item["Id"] for item in listed]
    (found,) = emr.list_steps(ClusterId=cluster_id)["Steps"]
    assert found["Status"]["State"] == "RUNNING"
    assert wait(lambda: state(emr, cluster_id) == "TERMINATED")
    assert states(emr, cluster_id) == {"a": "COMPLETED"}
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert states(emr, cluster_id) == {"a": "COMPLETED"}


def test_a_failed_step_tells_why(emr: Any, local: SimpleNamespace) -> None:
    local.faults.add(kind="fail", operation="AddJobFlowSteps", name="bad*", message="It broke.")
    cluster_id = cluster(emr)
    _, bad, _ = add(emr, cluster_id, step("good"), step("bad-1"), step("after"))
    assert states(emr, cluster_id) == {"good": "COMPLETED", "bad-1": "FAILED", "after": "COMPLETED"}
    status = emr.describe_step(ClusterId=cluster_id, StepId=bad)["Step"]["Status"]
    assert status["FailureDetails"]["Message"] == "It broke."
    assert state(emr, cluster_id) == "WAITING"


@pytest.mark.parametrize(
    ("action", "rest", "end"),
    [
        ("CONTINUE", "COMPLETED", "WAITING"),
        ("CANCEL_AND_WAIT", "CANCELLED", "WAITING"),
        ("TERMINATE_CLUSTER", "CANCELLED", "TERMINATED_WITH_ERRORS"),
    ],
)
def test_action_on_failure(emr: Any, local: SimpleNamespace, action: str, rest: str, end: str) -> None:
    local.faults.add("internal-error", name="bad")
    cluster_id = cluster(emr, step("bad", ActionOnFailure=action), step("rest"))
    assert states(emr, cluster_id) == {"bad": "FAILED", "rest": rest}
    assert state(emr, cluster_id) == end
    if end != "WAITING":
        emr.terminate_job_flows(JobFlowIds=[cluster_id])
        assert state(emr, cluster_id) == end


def test_a_hanging_step_can_be_cancelled(emr: Any, local: SimpleNamespace) -> None:
    local.faults.add("hang", name="stuck")
    cluster_id = cluster(emr)
    stuck, following = add(emr, cluster_id, step("stuck"), step("following"))
    assert states(emr, cluster_id) == {"stuck": "RUNNING", "following": "PENDING"}
    answer = emr.cancel_steps(ClusterId=cluster_id, StepIds=[stuck, "s-NONE"])["CancelStepsInfoList"]
    assert [(item["StepId"], item["Status"]) for item in answer] == [(stuck, "SUBMITTED"), ("s-NONE", "FAILED")]
    assert states(emr, cluster_id) == {"stuck": "CANCELLED", "following": "COMPLETED"}
    (again,) = emr.cancel_steps(ClusterId=cluster_id, StepIds=[following])["CancelStepsInfoList"]
    assert (again["Status"], again["Reason"]) == ("FAILED", "The step is COMPLETED already.")


def test_termination_cancels_steps(emr: Any, local: SimpleNamespace) -> None:
    local.faults.add("hang")
    cluster_id = cluster(emr, step("a"), step("b"))
    assert states(emr, cluster_id) == {"a": "RUNNING", "b": "PENDING"}
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert states(emr, cluster_id) == {"a": "CANCELLED", "b": "CANCELLED"}
    assert state(emr, cluster_id) == "TERMINATED"


def test_a_fault_counts_each_step_once(emr: Any, local: SimpleNamespace) -> None:
    fault = local.faults.add("internal-error", times=2)
    cluster_id = cluster(emr, *[step(f"s{index}") for index in range(4)])
    states(emr, cluster_id)
    assert list(states(emr, cluster_id).values()).count("FAILED") == local.faults.hits(fault) == 2


def refused(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_what_is_not_there(emr: Any) -> None:
    cluster_id = cluster(emr)
    unknown = ("InvalidRequestException", "Cluster id 'j-NONE' is not valid.")
    assert refused(emr.list_steps, ClusterId="j-NONE") == unknown
    assert refused(emr.describe_step, ClusterId="j-NONE", StepId="s") == unknown
    assert refused(emr.cancel_steps, ClusterId="j-NONE", StepIds=["s"]) == unknown
    assert refused(emr.add_job_flow_steps, JobFlowId="j-NONE", Steps=[step("a")]) == unknown
    assert refused(emr.terminate_job_flows, JobFlowIds=["j-NONE"]) == unknown
    assert refused(emr.describe_step, ClusterId=cluster_id, StepId="s-NONE") == (
        "InvalidRequestException",
        "Step id 's-NONE' is not valid.",
    )


def test_a_terminated_cluster_takes_no_steps(emr: Any) -> None:
    cluster_id = cluster(emr)
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert refused(emr.add_job_flow_steps, JobFlowId=cluster_id, Steps=[step("a")])[0] == "ValidationException"
    assert state(emr, cluster_id) == "TERMINATED"
