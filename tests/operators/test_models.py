"""Models and endpoints, call by call."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException
from contexts import context
from fake_aws import ServiceError

from sagemaker_provider.operators import (
    SageMakerEndpointConfigStepOperator,
    SageMakerEndpointStepOperator,
    SageMakerInferenceComponentStepOperator,
    SageMakerRegisterModelStepOperator,
)

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"


def endpoint_config(instances: int) -> SageMakerEndpointConfigStepOperator:
    """An endpoint configuration of a fixed name."""
    variant = {"VariantName": "all", "ModelName": "m", "InitialInstanceCount": instances, "InstanceType": "ml.m5.large"}
    config = {"EndpointConfigName": "fixed", "ProductionVariants": [variant], "Tags": [{"Key": "a", "Value": "b"}]}
    return SageMakerEndpointConfigStepOperator(task_id="c", config=config, aws_conn_id=None)


def test_an_equal_endpoint_configuration_is_taken_up(aws: Any) -> None:
    for _ in range(2):
        assert endpoint_config(1).execute(context("c"))["EndpointConfigName"] == "fixed"
    assert aws.sagemaker.calls["CreateEndpointConfig"] == 1


def test_another_endpoint_configuration_of_the_name_is_not_taken_for_it(aws: Any) -> None:
    endpoint_config(1).execute(context("c"))
    with pytest.raises(
        AirflowException,
        match=r"another endpoint configuration 'fixed': ProductionVariants\[0\].InitialInstanceCount is 1, not 2",
    ):
        endpoint_config(2).execute(context("c"))


def test_an_existing_endpoint_is_updated_and_an_equal_one_left_alone(aws: Any) -> None:
    def run(config: str) -> Any:
        task = SageMakerEndpointStepOperator(
            task_id="e",
            config={"EndpointName": "churn", "EndpointConfigName": config},
            deferrable=False,
            poll_interval=0.01,
            aws_conn_id=None,
        )
        return task.execute(context("e"))

    run("one")
    assert run("two")["EndpointConfigName"] == "two"
    run("two")
    assert (aws.sagemaker.calls["CreateEndpoint"], aws.sagemaker.calls["UpdateEndpoint"]) == (1, 1)


def test_a_package_is_registered_once_until_the_task_is_cleared(aws: Any) -> None:
    def run(try_number: int, max_tries: int) -> int:
        task = SageMakerRegisterModelStepOperator(
            task_id="r", config={"ModelPackageGroupName": "group"}, deferrable=False, aws_conn_id=None
        )
        return int(task.execute(context("r", try_number=try_number, max_tries=max_tries))["ModelPackageVersion"])

    assert [run(1, 1), run(1, 1), run(2, 1), run(3, 2)] == [1, 1, 1, 2]
    assert aws.sagemaker.calls["CreateModelPackageGroup"] == 1


def endpoint(config: str) -> SageMakerEndpointStepOperator:
    """An endpoint of a fixed name."""
    request = {"EndpointName": "churn", "EndpointConfigName": config}
    return SageMakerEndpointStepOperator(
        task_id="e", config=request, deferrable=False, poll_interval=0.01, aws_conn_id=None
    )


def test_an_update_that_is_rolled_back_is_a_failure(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint("one").execute(context("e"))
    answer = aws.sagemaker.answer
    rolled_back = {"EndpointArn": "arn"}
    monkeypatch.setattr(
        aws.sagemaker, "answer", lambda name, body: rolled_back if name == "UpdateEndpoint" else answer(name, body)
    )
    with pytest.raises(AirflowException, match="rolled back, EndpointConfigName is 'one', not 'two'"):
        endpoint("two").execute(context("e"))


def test_an_update_under_way_is_not_asked_for_twice(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.sagemaker.script["CreateEndpoint"] = ["Updating", "Updating", "InService"]
    endpoint("one").start(context("e"))
    describe = aws.sagemaker.describe

    def described(create: str, request: Any) -> Any:
        item = describe(create, request)
        updating = item["EndpointStatus"] == "Updating"
        pending = {"PendingDeploymentSummary": {"EndpointConfigName": "two"}} if updating else {}
        return {**item, "EndpointConfigName": "one" if updating else "two", **pending}

    monkeypatch.setattr(aws.sagemaker, "describe", described)
    assert endpoint("two").execute(context("e"))["EndpointConfigName"] == "two"
    assert "UpdateEndpoint" not in aws.sagemaker.calls


@pytest.mark.parametrize(
    "made", [lambda: endpoint("one"), lambda: endpoint_config(1)], ids=["endpoint", "configuration"]
)
def test_what_a_lost_answer_created_is_taken_up(aws: Any, monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    made().execute(context("e"))
    describe, looks = aws.sagemaker.describe, iter([True])

    def described(create: str, request: Any) -> Any:
        if next(looks, False):
            raise ServiceError("ValidationException", "Could not find it.")
        return describe(create, request)

    monkeypatch.setattr(aws.sagemaker, "describe", described)
    made().execute(context("e"))
    assert [len(items) for items in aws.sagemaker.items.values() if items] == [1]


def local_endpoint(local_sagemaker: Any, *configs: str) -> Any:
    """Make a model and endpoint configurations; gives a task of the endpoint for a configuration."""
    client = local_sagemaker.client("sagemaker")
    client.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "image"})
    variant = {"VariantName": "all", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    for config in configs:
        client.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
    return lambda config: SageMakerEndpointStepOperator(
        task_id="e",
        config={"EndpointName": "churn", "EndpointConfigName": config},
        deferrable=False,
        poll_interval=0.05,
        aws_conn_id=None,
    )


def test_an_endpoint_that_has_failed_is_not_updated_and_its_reason_is_told(local_sagemaker: Any) -> None:
    task = local_endpoint(local_sagemaker, "one")
    local_sagemaker.faults.add("capacity", operation="CreateEndpoint")
    with pytest.raises(AirflowException, match=r"churn has failed .* delete it first: CapacityError"):
        task("one").execute(context("e"))
    assert "UpdateEndpoint" not in [call.operation for call in local_sagemaker.calls]


def test_a_change_of_somebody_else_is_waited_for_and_is_not_taken_for_the_own(local_sagemaker: Any) -> None:
    task = local_endpoint(local_sagemaker, "one", "two", "three")
    client = local_sagemaker.client("sagemaker")
    task("one").execute(context("e"))
    client.update_endpoint(EndpointName="churn", EndpointConfigName="two")
    assert task("three").execute(context("e"))["EndpointConfigName"] == "three"

    component = {
        "InferenceComponentName": "c",
        "EndpointName": "churn",
        "VariantName": "all",
        "Specification": {"ModelName": "m"},
        "RuntimeConfig": {"CopyCount": 1},
    }
    client.create_inference_component(**component)
    own = SageMakerInferenceComponentStepOperator(
        task_id="c",
        config={**component, "RuntimeConfig": {"CopyCount": 2}},
        deferrable=False,
        poll_interval=0.05,
        aws_conn_id=None,
    )
    own.execute(context("c"))
    updates = [call.request for call in local_sagemaker.calls if call.operation == "UpdateInferenceComponent"]
    assert [item["RuntimeConfig"] for item in updates] == [{"CopyCount": 2}]
