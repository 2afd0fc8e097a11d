"""Tasks of other AWS services: the operator and the generated function make the same requests, with the same results."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.amazon.aws.operators import (
    athena,
    batch,
    ecs,
    emr,
    eventbridge,
    glue,
    glue_crawler,
    redshift_data,
    s3,
    sns,
    sqs,
    step_function,
)
from airflow.providers.amazon.aws.sensors import athena as athena_sensors
from airflow.providers.amazon.aws.sensors import batch as batch_sensors
from airflow.providers.amazon.aws.sensors import emr as emr_sensors
from airflow.providers.amazon.aws.sensors import glue as glue_sensors
from airflow.providers.amazon.aws.sensors import glue_crawler as glue_crawler_sensors
from airflow.providers.amazon.aws.sensors import step_function as step_function_sensors
from services_world import World

from sagemaker_provider.local.service import LocalSettings, local_sagemaker
from sagemaker_provider.translator.function_code import parts

Make = Callable[[], Any]


@pytest.fixture(scope="module")
def _local() -> Iterator[Any]:
    with local_sagemaker(LocalSettings(images="simulate-all", retry_scale=0.01)) as local:
        yield local


@pytest.fixture
def world(_local: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in _local.environment.items():
        monkeypatch.setenv(name, value)
    _local.reset()
    urllib.request.urlopen(urllib.request.Request(f"{_local.url}/moto-api/reset", method="POST")).read()
    world = World(_local, tmp_path)
    s3 = world.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    for key in ("in/a.csv", "in/b.csv", "other"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"1")
    return world


RUN = {"JobRun": {"Id": "jr_1", "JobRunState": "SUCCEEDED"}}
QUERY = {"QueryExecution": {"Status": {"State": "SUCCEEDED"}}}
TASK = {"lastStatus": "STOPPED", "containers": [{"name": "c", "lastStatus": "STOPPED", "exitCode": 0}]}
CLUSTER = {"Cluster": {"Status": {"State": "TERMINATED"}, "LogUri": "s3://bucket/logs"}}
STEPS = [{"Name": "s", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["a"]}}]
ARN = "arn:aws:states:us-west-2:123456789012:"

CASES: dict[str, tuple[Make, dict[str, Any]]] = {
    "s3-copy": (
        lambda: s3.S3CopyObjectOperator(
            task_id="t",
            source_bucket_key="s3://bucket/in/a.csv",
            dest_bucket_key="copy/a.csv",
            dest_bucket_name="bucket",
        ),
        {},
    ),
    "s3-delete": (lambda: s3.S3DeleteObjectsOperator(task_id="t", bucket="bucket", keys=["in/a.csv", "other"]), {}),
    "s3-delete-one": (lambda: s3.S3DeleteObjectsOperator(task_id="t", bucket="bucket", keys="in/a.csv"), {}),
    "s3-create": (
        lambda: s3.S3CreateObjectOperator(
            task_id="t", s3_key="s3://bucket/new", data="text", replace=True, encrypt=True
        ),
        {},
    ),
    "sns-publish": (
        lambda: sns.SnsPublishOperator(
            task_id="t",
            target_arn="arn:aws:sns:us-west-2:123456789012:topic",
            message='a "b"',
            subject="s",
            message_attributes={"n": 1, "l": ["a"], "s": "x"},
        ),
        {"sns.Publish": [{"MessageId": "m1"}]},
    ),
    "sqs-send": (
        lambda: sqs.SqsPublishOperator(
            task_id="t",
            sqs_queue="https://sqs.us-west-2.amazonaws.com/123456789012/q",
            message_content="hello",
            delay_seconds=1,
            message_attributes={"a": {"DataType": "String", "StringValue": "x"}},
        ),
        {"sqs.SendMessage": [{"MessageId": "m1", "MD5OfMessageBody": "5d4"}]},
    ),
    "events-put": (
        lambda: eventbridge.EventBridgePutEventsOperator(
            task_id="t", entries=[{"Source": "s", "DetailType": "d", "Detail": '{"a/b": [1]}', "Resources": ["x"]}]
        ),
        {"events.PutEvents": [{"FailedEntryCount": 0, "Entries": [{"EventId": "e1"}]}]},
    ),
    "glue-job": (
        lambda: glue.GlueJobOperator(
            task_id="t", job_name="j", script_args={"--in/out": "x"}, run_job_kwargs={"NumberOfWorkers": 2}
        ),
        {
            "glue.GetJob": [{"Job": {"Name": "j"}}],
            "glue.StartJobRun": [{"JobRunId": "jr_1"}],
            "glue.GetJobRun": [RUN],
        },
    ),
    "glue-job-started": (
        lambda: glue.GlueJobOperator(task_id="t", job_name="j", wait_for_completion=False),
        {"glue.GetJob": [{"Job": {"Name": "j"}}], "glue.StartJobRun": [{"JobRunId": "jr_1"}]},
    ),
    "glue-job-sensor": (
        lambda: glue_sensors.GlueJobSensor(task_id="t", job_name="j", run_id="jr_1", poke_interval=0),
        {"glue.GetJobRun": [{"JobRun": {"JobRunState": "RUNNING"}}, RUN]},
    ),
    "glue-crawler": (
        lambda: glue_crawler.GlueCrawlerRunOperator(task_id="t", crawler_name="c", poll_interval=0),
        {
            "glue.StartCrawler": [{}],
            "glue.GetCrawlerMetrics": [
                {
                    "CrawlerMetricsList": [
                        {
                            "LastRuntimeSeconds": 1,
                            "MedianRuntimeSeconds": 1,
                            "TablesCreated": 0,
                            "TablesUpdated": 0,
                            "TablesDeleted": 0,
                        }
                    ]
                }
            ],
            "glue.GetCrawler": [{"Crawler": {"State": "READY", "LastCrawl": {"Status": "SUCCEEDED"}}}],
        },
    ),
    "glue-crawler-sensor": (
        lambda: glue_crawler_sensors.GlueCrawlerSensor(task_id="t", crawler_name="c", poke_interval=0),
        {
            "glue.GetCrawler": [
                {"Crawler": {"State": "RUNNING"}},
                {"Crawler": {"State": "READY", "LastCrawl": {"Status": "SUCCEEDED"}}},
            ]
        },
    ),
    "athena-query": (
        lambda: athena.AthenaOperator(
            task_id="t", query="select 'x'", database="d", output_location="s3://bucket/out", sleep_time=0
        ),
        {"athena.StartQueryExecution": [{"QueryExecutionId": "q1"}], "athena.GetQueryExecution": [QUERY]},
    ),
    "athena-sensor": (
        lambda: athena_sensors.AthenaSensor(task_id="t", query_execution_id="q1", sleep_time=0),
        {"athena.GetQueryExecution": [QUERY]},
    ),
    "batch-job": (
        lambda: batch.BatchOperator(
            task_id="t",
            job_name="n",
            job_definition="d",
            job_queue="q",
            container_overrides={"command": ["a", "b"], "environment": [{"name": "X", "value": "1"}]},
            retry_strategy={"attempts": 2},
            submit_job_timeout=60,
            poll_interval=0,
        ),
        {
            "batch.SubmitJob": [{"jobId": "b1", "jobName": "n"}],
            "batch.DescribeJobs": [
                {"jobs": [{"jobId": "b1", "status": "SUCCEEDED", "jobDefinition": "d", "jobQueue": "q"}]}
            ],
        },
    ),
    "batch-sensor": (
        lambda: batch_sensors.BatchSensor(task_id="t", job_id="b1", poke_interval=0),
        {
            "batch.DescribeJobs": [
                {"jobs": [{"jobId": "b1", "status": "RUNNABLE"}]},
                {"jobs": [{"jobId": "b1", "status": "SUCCEEDED"}]},
            ]
        },
    ),
    "ecs-task": (
        lambda: ecs.EcsRunTaskOperator(
            task_id="t",
            cluster="c",
            task_definition="d",
            launch_type="FARGATE",
            overrides={"containerOverrides": [{"name": "c", "command": ["x"]}]},
            network_configuration={"awsvpcConfiguration": {"subnets": ["s1"], "securityGroups": []}},
            tags={"k": "v"},
            waiter_delay=1,
        ),
        {
            "ecs.RunTask": [{"tasks": [{"taskArn": "arn:t/1"}], "failures": []}],
            "ecs.DescribeTasks": [{"tasks": [TASK], "failures": []}],
        },
    ),
    "step-functions": (
        lambda: step_function.StepFunctionStartExecutionOperator(
            task_id="t",
            state_machine_arn=f"{ARN}stateMachine:m",
            name="n",
            state_machine_input={"a": [1, {"b": None}], "c": {}},
        ),
        {"stepfunctions.StartExecution": [{"executionArn": f"{ARN}execution:m:n"}]},
    ),
    "step-functions-sensor": (
        lambda: step_function_sensors.StepFunctionExecutionSensor(
            task_id="t", execution_arn=f"{ARN}execution:m:n", poke_interval=0
        ),
        {"stepfunctions.DescribeExecution": [{"status": "RUNNING"}, {"status": "SUCCEEDED"}]},
    ),
    "redshift-statement": (
        lambda: redshift_data.RedshiftDataOperator(
            task_id="t", sql="select 1", database="d", workgroup_name="group", parameters=[{"name": "a", "value": "1"}]
        ),
        {
            "redshift-data.ExecuteStatement": [{"Id": "s1"}],
            "redshift-data.DescribeStatement": [{"Id": "s1", "Status": "FINISHED"}],
        },
    ),
    "emr-cluster": (
        lambda: emr.EmrCreateJobFlowOperator(
            task_id="t",
            emr_conn_id=None,
            job_flow_overrides={"Name": "c", "Instances": {"InstanceGroups": [], "KeepJobFlowAliveWhenNoSteps": False}},
        ),
        {"emr.RunJobFlow": [{"JobFlowId": "j-1"}], "emr.DescribeCluster": [CLUSTER]},
    ),
    "emr-cluster-sensor": (
        lambda: emr_sensors.EmrJobFlowSensor(task_id="t", job_flow_id="j-1", poke_interval=0),
        {"emr.DescribeCluster": [{"Cluster": {"Status": {"State": "RUNNING"}, "LogUri": "s3://bucket/logs"}}, CLUSTER]},
    ),
    "emr-terminate": (
        lambda: emr.EmrTerminateJobFlowOperator(task_id="t", job_flow_id="j-1"),
        {"emr.TerminateJobFlows": [{}], "emr.DescribeCluster": [CLUSTER]},
    ),
    "emr-steps": (
        lambda: emr.EmrAddStepsOperator(
            task_id="t", job_flow_id="j-1", steps=[{**STEPS[0], "ActionOnFailure": "TERMINATE_CLUSTER"}, STEPS[0]]
        ),
        {"emr.AddJobFlowSteps": [{"StepIds": ["s-1", "s-2"]}], "emr.DescribeCluster": [CLUSTER]},
    ),
}
"""Name -> a task, and the answers of the services that the local SageMaker does not have."""

ONLY_AIRFLOW = {
    "glue-job": ("glue.GetJob",),  # it would make a missing job
    "glue-job-started": ("glue.GetJob",),
    "glue-crawler": ("glue.GetCrawlerMetrics",),  # for its log
    "emr-cluster": ("emr.DescribeCluster",),  # for links in Airflow's pages
    "emr-terminate": ("emr.DescribeCluster",),
    "emr-steps": ("emr.DescribeCluster",),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_requests_and_results(world: World, name: str) -> None:
    make, world.script = CASES[name]
    xcoms = world.airflow(make)
    expected = [call for call in world.calls if call[0] not in ONLY_AIRFLOW.get(name, ())]
    step = world.pipeline(make)
    assert step["StepStatus"] == "Succeeded", step
    assert unique(world.calls) == unique(expected)
    assert expected
    (metadata,) = step["Metadata"].values()
    outputs = {item["Name"]: item["Value"] for item in metadata["OutputParameters"]}
    known = dict(parts("", xcoms))
    assert outputs == {key: known[key] for key in outputs}
    (made,) = world.conversion.definition.steps
    assert {item.name for item in made.output_parameters} == set(outputs)


def unique(calls: list[Any]) -> list[Any]:
    """How often something is looked at is no matter."""
    return list({json.dumps(call, sort_keys=True): call for call in calls}.values())
