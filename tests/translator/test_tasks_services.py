"""Tasks of other AWS services: the operator and the generated function make the same requests, with the same results."""

from __future__ import annotations

import json
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
    lambda_function,
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
from airflow.providers.amazon.aws.sensors import s3 as s3_sensors
from airflow.providers.amazon.aws.sensors import step_function as step_function_sensors
from airflow.providers.common.compat.sdk import BaseOperator
from dag_makers import FUNCTION, ROLE, codes, make_dag, messages, step, steps_of
from services_world import World, zipped

from sagemaker_provider.local.service import LocalSettings, local_sagemaker
from sagemaker_provider.translator import Defaults, Settings, TaskStep, convert, translates
from sagemaker_provider.translator.function_code import parts
from sagemaker_provider.translator.function_steps import function_arn
from sagemaker_provider.translator.templates import UntranslatableError

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
    world = World(_local, tmp_path)
    storage = world.client("s3")
    storage.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    fill(world)
    role = world.client("iam").create_role(RoleName="echo", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": zipped({"echo.py": "def handler(event, context):\n    return {'got': event}\n"})}
    world.client("lambda").create_function(
        FunctionName="echo", Runtime="python3.12", Role=role, Handler="echo.handler", Code=code
    )
    return world


def fill(world: World) -> None:
    for key in ("in/a.csv", "in/b.csv", "other"):
        world.client("s3").put_object(Bucket="bucket", Key=key, Body=b"1")


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
    "s3-delete-prefix": (
        lambda: s3.S3DeleteObjectsOperator(task_id="t", bucket="bucket", prefix="in/", from_datetime="2020-01-01"),
        {},
    ),
    "s3-list": (lambda: s3.S3ListOperator(task_id="t", bucket="bucket", prefix="in/", delimiter="/"), {}),
    "s3-key": (
        lambda: s3_sensors.S3KeySensor(task_id="t", bucket_key=["s3://bucket/in/a.csv", "s3://bucket/other"]),
        {},
    ),
    "s3-key-wildcard": (
        lambda: s3_sensors.S3KeySensor(task_id="t", bucket_name="bucket", bucket_key="in/*.csv", wildcard_match=True),
        {},
    ),
    "lambda-invoke": (
        lambda: lambda_function.LambdaInvokeFunctionOperator(
            task_id="t", function_name="echo", payload='{"a": {"b": 1}}', qualifier="$LATEST"
        ),
        {},
    ),
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
            task_id="t",
            sql="select 1",
            database="d",
            workgroup_name="group",
            parameters=[{"name": "a", "value": "1"}],
            poll_interval=1,
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
    fill(world)
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


def test_a_failure_is_that_of_the_step(world: World) -> None:
    make, script = CASES["athena-query"]
    status = {"State": "FAILED", "StateChangeReason": "no such table"}
    world.script = {**script, "athena.GetQueryExecution": [{"QueryExecution": {"Status": status}}]}
    step = world.pipeline(make)
    assert step["StepStatus"] == "Failed"
    assert "no such table" in step["FailureReason"]


def unique(calls: list[Any]) -> list[Any]:
    """How often something is looked at is no matter."""
    return list({json.dumps(call, sort_keys=True): call for call in calls}.values())


# What becomes what, without running it


GIVEN = {"account": "123456789012", "region": "us-west-2"}


def converted(make: Make, **settings: Any) -> Any:
    with make_dag(params={"p": "x"}) as dag:
        make()
    return convert(dag, Settings(defaults=Defaults.from_object({**GIVEN, **settings})))


def lambda_task(**options: Any) -> Any:
    return lambda_function.LambdaInvokeFunctionOperator(**{"task_id": "t", "function_name": "f", **options})


def copy() -> Any:
    return s3.S3CopyObjectOperator(task_id="t", source_bucket_key="s3://a/b", dest_bucket_key="s3://c/d")


def test_airflow_keeps_what_the_setting_says() -> None:
    conversion = converted(copy, services="stay")
    assert "SMP240" in codes(conversion)
    assert conversion.definition is None


@pytest.mark.parametrize("missing", ["account", "region"])
def test_the_literal_names_of_functions_need_account_and_region(missing: str) -> None:
    with make_dag() as dag:
        copy()
    values = {key: value for key, value in GIVEN.items() if key != missing}
    (message,) = messages(convert(dag, Settings(defaults=Defaults.from_object(values))), "SMP241")
    assert message.endswith(f"needs {missing}")


def test_a_setting_of_a_task_goes_before() -> None:
    with make_dag() as dag:
        lambda_task(payload='{"a": 1}')
        lambda_task(task_id="u", payload='{"a": 1}')
    settings = {**GIVEN, "dags": {"work": {"tasks": {"u": {"services": "function"}}}}}
    conversion = convert(dag, Settings(defaults=Defaults.from_object(settings)))
    steps = steps_of(conversion)
    assert steps["t"]["FunctionArn"].endswith(":function:f")
    assert steps["u"]["FunctionArn"].endswith(":function:sagemaker-pipelines-lambda-invoke")
    assert sorted(conversion.assets) == ["functions/lambda-invoke.py", "functions/lambda-invoke.yaml"]


@pytest.mark.parametrize(
    ("name", "options", "arn"),
    [
        ("f", {}, "arn:aws:lambda:us-west-2:123456789012:function:f"),
        ("f", {"qualifier": "2"}, "arn:aws:lambda:us-west-2:123456789012:function:f:2"),
        ("arn:aws:lambda:eu-west-1:111122223333:function:g", {}, "arn:aws:lambda:eu-west-1:111122223333:function:g"),
    ],
)
def test_an_invocation_is_a_lambda_step(name: str, options: Any, arn: str) -> None:
    conversion = converted(
        lambda: lambda_task(function_name=name, payload='{"a": "{{ params.p }}", "n": 1}', **options)
    )
    step = steps_of(conversion)["t"]
    assert (step["Type"], step["FunctionArn"]) == ("Lambda", arn)
    assert step["Arguments"] == {"a": {"Get": "Parameters.p"}, "n": 1}
    assert "SMP720" in codes(conversion)


@pytest.mark.parametrize(
    "options",
    [
        {"payload": '{"a": [1]}'},
        {"payload": "[]"},
        {"payload": "{{ params.p }}"},
        {"invocation_type": "Event"},
        {"client_context": "e30="},
        {"function_name": "{{ params.p }}"},
    ],
)
def test_another_invocation_is_a_function_that_invokes(options: Any) -> None:
    conversion = converted(lambda: lambda_task(**options))
    step = steps_of(conversion)["t"]
    assert step["FunctionArn"].endswith("sagemaker-pipelines-lambda-invoke")
    assert bool(step["OutputParameters"]) is ("invocation_type" not in options)


def test_readers_get_the_outputs() -> None:
    with make_dag() as dag:
        first = glue.GlueJobOperator(task_id="g", job_name="j", script_args={"--day": "{{ ds }}"})
        texts = ["{{ ti.xcom_pull('g') }}", "{{ ti.xcom_pull('g', key='glue_job_run_id') }}"]
        first >> lambda_task(payload=json.dumps({"a": texts[0], "b": texts[1]}))
    steps = steps_of(convert(dag, Settings(defaults=Defaults.from_object(GIVEN))))
    assert steps["g"]["Arguments"]["request/Arguments/--day"] == {"Get": "Parameters.ds"}
    assert steps["t"]["Arguments"] == {
        "a": {"Get": "Steps.g.OutputParameters['return_value']"},
        "b": {"Get": "Steps.g.OutputParameters['glue_job_run_id']"},
    }


def test_a_list_is_no_output() -> None:
    with make_dag() as dag:
        listed = s3.S3ListOperator(task_id="l", bucket="b")
        listed >> lambda_task(payload='{"a": "{{ ti.xcom_pull(\'l\')[0] }}"}')
    assert {"SMP304", "SMP664"} <= set(codes(convert(dag, Settings(defaults=Defaults.from_object(GIVEN)))))


def emr_dag(steps: Any, **options: Any) -> Any:
    with make_dag(params={"c": "j-1"}) as dag:
        add = emr.EmrAddStepsOperator(task_id="add", job_flow_id="{{ params.c }}", steps=steps, **options)
        pull = "{{ task_instance.xcom_pull(task_ids='add', key='return_value')"
        add >> [
            emr_sensors.EmrStepSensor(
                task_id=f"wait{index}", job_flow_id="{{ params.c }}", step_id=f"{pull}[{index}] }}}}"
            )
            for index in range(len(steps))
        ]
    return dag


def test_emr_steps_are_native_and_absorb_their_sensors() -> None:
    conversion = convert(emr_dag([{**STEPS[0], "ActionOnFailure": "CONTINUE"}, STEPS[0]]))
    steps = steps_of(conversion)
    assert [(name, step["Type"], step.get("DependsOn")) for name, step in steps.items()] == [
        ("add--1", "EMR", None),
        ("add", "EMR", ["add--1"]),
    ]
    assert steps["add"]["Arguments"] == {
        "ClusterId": {"Get": "Parameters.c"},
        "StepConfig": {"HadoopJarStep": STEPS[0]["HadoopJarStep"]},
    }
    assert len(messages(conversion, "SMP608")) == len(messages(conversion, "SMP665")) == 2
    assert {"SMP665", "SMP720"} <= set(codes(conversion))


def test_other_emr_steps_are_added_and_waited_for_by_functions() -> None:
    dag = emr_dag([{**STEPS[0], "ActionOnFailure": "TERMINATE_CLUSTER"}])
    conversion = convert(dag, Settings(defaults=Defaults.from_object(GIVEN)))
    steps = steps_of(conversion)
    assert {name: step["Type"] for name, step in steps.items()} == {"add": "Lambda", "wait0": "Callback"}
    assert steps["wait0"]["Arguments"]["job/StepIds/0"] == {"Get": "Steps.add.OutputParameters['return_value_0']"}
    assert "SMP609" not in codes(conversion)


def test_an_emr_serverless_job_is_native_and_absorbs_its_sensor() -> None:
    driver = {"sparkSubmit": {"entryPoint": "s3://b/x.py"}}
    with make_dag() as dag:
        job = emr.EmrServerlessStartJobOperator(
            task_id="job",
            application_id="00f1",
            execution_role_arn=ROLE,
            job_driver=driver,
            config={"executionTimeoutMinutes": 5},
        )
        sensor = emr_sensors.EmrServerlessJobSensor(
            task_id="wait", application_id="00f1", job_run_id="{{ ti.xcom_pull('job') }}"
        )
        job >> sensor >> step("after", config={"id": "{{ ti.xcom_pull('job') }}"})
    steps = steps_of(convert(dag))
    assert list(steps) == ["job", "after"]
    assert steps["job"]["Arguments"] == {
        "ExecutionRoleArn": ROLE,
        "ApplicationId": "00f1",
        "JobConfig": {
            "applicationId": "00f1",
            "executionRoleArn": ROLE,
            "jobDriver": driver,
            "executionTimeoutMinutes": 5,
        },
    }
    assert steps["after"]["Arguments"] == {"id": {"Get": "Steps.job.jobRun.jobRunId"}}


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: glue.GlueJobOperator(task_id="t", job_name="j"), "SMP661"),
        (lambda: glue.GlueJobOperator(task_id="t", job_name="j", script_location="s3://b/x.py"), "SMP662"),
        (lambda: glue.GlueJobOperator(task_id="t", job_name="j", script_location="x.py", s3_bucket="b"), "SMP202"),
        (lambda: glue.GlueJobOperator(task_id="t", job_name="j", update_config=True), "SMP202"),
        (lambda: emr.EmrCreateJobFlowOperator(task_id="t", job_flow_overrides={"Name": "c"}), "SMP662"),
        (copy, "SMP663"),
        (copy, "SMP660"),
        (lambda: s3_sensors.S3KeySensor(task_id="t", bucket_key="s3://b/k"), "SMP722"),
        (lambda: s3_sensors.S3KeySensor(task_id="t", bucket_key="s3://b/k", check_fn=bool), "SMP202"),
        (lambda: s3_sensors.S3KeySensor(task_id="t", bucket_name="b", bucket_key="s3://b/k"), "SMP206"),
        (lambda: s3.S3CopyObjectOperator(task_id="t", source_bucket_key="a", dest_bucket_key="s3://c/d"), "SMP206"),
        (lambda: ecs.EcsRunTaskOperator(task_id="t", cluster="c", task_definition="d", overrides={}, skip_on_exit_code=3), "SMP202"),
        (lambda: redshift_data.RedshiftDataOperator(task_id="t", sql=["a", "b"], workgroup_name="group"), "SMP202"),
        (lambda: emr.EmrAddStepsOperator(task_id="t", job_flow_name="n", steps=STEPS), "SMP202"),
        (lambda: emr.EmrAddStepsOperator(task_id="t", job_flow_id="j-1", steps="steps.json"), "SMP206"),
        (lambda: sns.SnsPublishOperator(task_id="t", target_arn="a", message="m", message_attributes={"b": b"x"}), "SMP206"),
    ],
)  # fmt: skip
def test_what_differs_is_said(make: Make, code: str) -> None:
    assert code in codes(converted(make))


@pytest.mark.parametrize(
    ("overrides", "secret"),
    [
        ({"environment": [{"name": "DB_PASSWORD", "value": "x"}]}, True),
        ({"environment": [{"name": "DB_PASSWORD", "value": "{{ params.p }}"}]}, False),
        ({"environment": [{"name": "DB_NAME", "value": "x"}]}, False),
    ],
)
def test_secrets_of_containers_are_refused(overrides: Any, secret: bool) -> None:
    task = {"task_id": "t", "job_name": "n", "job_definition": "d", "job_queue": "q"}
    conversion = converted(lambda: batch.BatchOperator(**task, container_overrides=overrides))
    assert ("SMP306" in codes(conversion)) is secret
    assert "'x'" not in str([str(item) for item in conversion.findings])


def test_what_comes_of_a_second_message_is_said() -> None:
    tasks = {
        "looked for": lambda: glue.GlueJobOperator(task_id="t", job_name="j"),
        "refused": lambda: glue_crawler.GlueCrawlerRunOperator(task_id="t", crawler_name="c"),
        "a second time": lambda: emr.EmrAddStepsOperator(
            task_id="t",
            job_flow_id="j-1",
            wait_for_completion=True,
            steps=[{**STEPS[0], "ActionOnFailure": "CANCEL_AND_WAIT"}],
        ),
    }
    for text, make in tasks.items():
        (message,) = messages(converted(make), "SMP661")
        assert text in message
    assert "SMP661" not in codes(converted(CASES["athena-query"][0]))


def test_a_deferrable_state_machine_is_waited_for() -> None:
    def start(deferrable: bool) -> Any:
        return step_function.StepFunctionStartExecutionOperator(
            task_id="t",
            state_machine_arn=f"{ARN}stateMachine:m",
            deferrable=deferrable,
            waiter_delay=10,
            waiter_max_attempts=3,
        )

    assert steps_of(converted(lambda: start(False)))["t"]["Type"] == "Lambda"
    found = steps_of(converted(lambda: start(True)))["t"]
    assert (found["Type"], found["Arguments"]["wait/timeout_seconds"]) == ("Callback", 30)


def test_partitions_of_regions() -> None:
    assert function_arn("1", "cn-north-1", "f").startswith("arn:aws-cn:lambda:cn-north-1:")
    assert function_arn("1", "us-gov-west-1", "f").startswith("arn:aws-us-gov:")
    assert function_arn("1", "ap-southeast-2", "f").startswith("arn:aws:")


def test_a_job_reads_an_xcom_that_is_one_value() -> None:
    found: dict[str, Any] = {}

    def read(values: Any) -> Any:
        found["source"] = values.source("g")
        with pytest.raises(UntranslatableError):
            values.source("s")
        return TaskStep("Lambda", {}, {"FunctionArn": FUNCTION, "OutputParameters": ()})

    translates(f"{__name__}.Reader")(lambda task, given: TaskStep("Lambda", {}, build=read))
    with make_dag() as dag:
        (
            glue.GlueJobOperator(task_id="g", job_name="j")
            >> Reader(task_id="r")
            << s3.S3ListOperator(task_id="s", bucket="b")
        )
    convert(dag, Settings(defaults=Defaults.from_object(GIVEN)))
    assert {key: item.path for key, item in found["source"].values.items()} == {
        "": "Steps.g.OutputParameters['return_value']"
    }


class Reader(BaseOperator):
    """A task that reads XComs when it runs."""


@pytest.mark.parametrize(("native", "text"), [(False, True), (True, False)])
def test_what_airflow_renders_to_text_is_text(native: bool, text: bool) -> None:
    with make_dag(params={"n": 5}, render_template_as_native_obj=native) as dag:
        lambda_task(payload='{"n": "{{ params.n }}", "m": "n-{{ params.n }}"}')
    arguments = steps_of(convert(dag, Settings(defaults=Defaults.from_object(GIVEN))))["t"]["Arguments"]
    get = {"Get": "Parameters.n"}
    assert arguments["n"] == ({"Std:Join": {"On": "", "Values": [get]}} if text else get)
    assert arguments["m"] == {"Std:Join": {"On": "", "Values": ["n-", get]}}
