"""Links to what a task has created: there while it waits, and read by Airflow's own code."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, TaskDeferred
from contexts import context

from sagemaker_provider import operators
from sagemaker_provider.operators import SageMakerProcessingStepOperator
from sagemaker_provider.operators.links import SageMakerLogsLink, leave_links
from sagemaker_provider.provider_info import get_provider_info

try:
    from airflow.serialization.serialized_objects import DagSerialization as serialization
except ImportError:  # Airflow 2
    from airflow.serialization.serialized_objects import SerializedDAG as serialization

PAGE = "https://us-west-2.console.aws.amazon.com/"
JOB = {
    "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    "AppSpecification": {"ImageUri": "image"},
    "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
}


def left(members: dict[str, Any], config: Any = None) -> dict[str, str]:
    """The addresses that a task leaves, without the console's own."""
    values = context()
    leave_links(values, members, "us-west-2", "aws", config)
    return {key: value.removeprefix(PAGE) for key, value in values["ti"].pushed.items()}


def test_links_are_left_before_the_task_waits(aws: Any) -> None:
    aws.sagemaker.script["CreateProcessingJob"] = ["InProgress"]
    values = context("p")
    with pytest.raises(TaskDeferred):
        SageMakerProcessingStepOperator(task_id="p", config=JOB, aws_conn_id=None).execute(values)
    assert set(values["ti"].pushed) >= {"sagemaker_console_url", "sagemaker_logs_url"}


@pytest.mark.parametrize(
    ("members", "job", "log"),
    [
        ({"TrainingJobName": "t"}, "sagemaker/home?region=us-west-2#/jobs/t", "$252FTrainingJobs$3F"),
        ({"EndpointName": "e"}, "sagemaker/home?region=us-west-2#/endpoints/e", "$252FEndpoints$252Fe"),
        ({"FunctionName": "f"}, "lambda/home?region=us-west-2#/functions/f", "$252Faws$252Flambda$252Ff"),
        ({"AutoMLJobName": "a"}, None, "$252FAutoMLJobs$3F"),
        ({"ClusterId": "j-1", "StepId": "s-1"}, "emr/home?region=us-west-2#/clusterDetails/j-1", None),
        (
            {"QueueUrl": "https://sqs.us-west-2.amazonaws.com/1/q"},
            "sqs/v3/home?region=us-west-2#/queues/https%3A%2F%2Fsqs.us-west-2.amazonaws.com%2F1%2Fq",
            None,
        ),
    ],
)
def test_pages(members: dict[str, Any], job: str | None, log: str | None) -> None:
    found = left(members)
    assert found.get("sagemaker_console_url") == job
    assert log in found["sagemaker_logs_url"] if log else "sagemaker_logs_url" not in found


def test_the_log_of_emr_serverless_is_where_its_config_says() -> None:
    logging = {"cloudWatchLoggingConfiguration": {"enabled": True, "logGroupName": "mine"}}
    config = {"JobConfig": {"configurationOverrides": {"monitoringConfiguration": logging}}}
    url = left({"applicationId": "a", "jobRunId": "j"}, config)["sagemaker_logs_url"]
    assert "log-group/mine$3FlogStreamNameFilter$3D$252Fapplications$252Fa$252Fjobs$252Fj" in url


def test_a_task_says_only_links_that_it_can_have() -> None:
    names = {
        name.removeprefix("SageMaker").removesuffix("StepOperator"): [
            type(link).__name__.removeprefix("SageMaker") for link in getattr(operators, name).operator_extra_links
        ]
        for name in operators.__all__
        if name.endswith("StepOperator")
    }
    assert names["Training"] == ["ConsoleLink", "LogsLink"]
    assert names["AutoML"] == ["LogsLink"]
    assert names["Model"] == ["ConsoleLink"]
    assert names["Lambda"] == ["ConsoleLink", "LogsLink"]
    assert names["Condition"] == names["RegisterModel"] == []


def test_airflow_finds_the_address(mocker: Any) -> None:
    """Airflow 3 reads the XCom itself, under the link's key; Airflow 2 asks the class that the provider registers."""
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        SageMakerProcessingStepOperator(task_id="p", config=JOB)
    links = serialization.from_dict(serialization.to_dict(dag)).get_task("p").operator_extra_links
    found = {link.name: link.xcom_key for link in links}
    assert found == {"Open in the AWS console": "sagemaker_console_url", "CloudWatch logs": "sagemaker_logs_url"}
    get_value = mocker.patch("sagemaker_provider.operators.links.XCom.get_value", return_value="https://x")
    assert SageMakerLogsLink().get_link(None, ti_key=SimpleNamespace()) == "https://x"
    assert get_value.call_args.kwargs["key"] == "sagemaker_logs_url"


def test_the_provider_registers_every_link() -> None:
    registered = {name.rpartition(".")[2] for name in get_provider_info()["extra-links"]}
    used = {
        type(link).__name__
        for name in operators.__all__
        for link in getattr(getattr(operators, name), "operator_extra_links", ())
    }
    assert used <= registered
