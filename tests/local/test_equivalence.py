"""The product's promise: a DAG run step by step and its pipeline make the same requests and end with the same results."""

from __future__ import annotations

import io
import json
import os
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st
from two_ways import Way, as_pipeline, step_by_step

from sagemaker_provider.hooks import callback
from sagemaker_provider.local.service import LocalSettings, local_sagemaker
from sagemaker_provider.translator import convert
from sagemaker_provider.translator.dates import render_dates
from sagemaker_provider.translator.load import load_dags

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "example_dags"


@pytest.fixture(scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    outputs = tmp_path_factory.mktemp("outputs")
    for name, file, content in (
        ("report", "metrics.json", {"mse": {"value": 5.5}}),
        ("evaluation", "evaluation.json", {"error": {"value": 4.2}}),
    ):
        (outputs / name).mkdir()
        (outputs / name / file).write_text(json.dumps(content), encoding="utf-8")
    with local_sagemaker(LocalSettings(simulated_outputs=outputs, max_processes=4)) as local:
        yield local


@pytest.fixture
def running(_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A local SageMaker that runs what can run; the environment points at it."""
    for name, value in _server.environment.items():
        monkeypatch.setenv(name, value)
    fresh(_server)
    return _server


def fresh(local: Any) -> None:
    """Forget everything."""
    local.reset()
    for bucket in ("bucket", "sagemaker-churn"):
        local.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})


def assert_equal(one: Way, other: Way) -> None:
    """Same tasks, same requests, same results."""
    assert other.states == {task: state for task, state in one.states.items() if task in other.states}
    assert one.requests() == other.requests()
    ours, theirs = one.descriptions(), other.descriptions()
    for task, members in theirs.items():
        assert {key: ours[task].get(key) for key in members} == members, task


def test_the_churn_example(running: Any, airflow: Any, tmp_path: Path) -> None:
    file, text = tmp_path / "churn.py", (EXAMPLES / "churn.py").read_text(encoding="utf-8")
    file.write_text(text.replace("default_args={", 'default_args={"poll_interval": 0.5, '), encoding="utf-8")
    assert file.read_text(encoding="utf-8") != text
    s3 = running.client("s3")
    for script in ("prepare", "evaluate"):
        s3.put_object(Bucket="sagemaker-churn", Key=f"code/{script}.py", Body=SCRIPTS[script].encode())
    s3.put_object(Bucket="sagemaker-churn", Key="raw/customers.csv", Body=b"a,b\n1,2\n")
    one = step_by_step(running, airflow, file, "churn")
    assert set(one.states.values()) == {"success", "skipped"}, one.states
    date = next(job for job in (result["AppSpecification"]["ContainerArguments"] for task, result in one.results.items() if task == "prepare"))[1]  # fmt: skip
    other = as_pipeline(running, file, "churn", {"ds": date})
    assert other is not None
    assert_equal(one, other)
    assert len(one.calls) == 6


SCRIPTS = {
    "prepare": "import shutil\n"
    "for name in ('train', 'test'):\n"
    "    shutil.copy('/opt/ml/processing/raw/customers.csv', f'/opt/ml/processing/{name}/{name}.csv')\n",
    "evaluate": "import json, pathlib\n"
    "pathlib.Path('/opt/ml/processing/evaluation/evaluation.json').write_text(json.dumps({'error': {'value': 4.2}}))\n",
}


def test_jobs_that_are_linked_by_text_only(running: Any, airflow: Any) -> None:
    file = TESTS / "dags" / "linked.py"
    running.client("s3").put_object(Bucket="bucket", Key="data", Body=b"a,b\n1,2\n")
    one = step_by_step(running, airflow, file, "linked")
    assert set(one.states.values()) == {"success"}, one.states
    moment = datetime.fromisoformat(one.results["prepare"]["Environment"]["TS"])
    conversion = convert(load_dags(file, "linked")[0][0][1])
    assert len([item for item in conversion.findings if item.code == "SMP706"]) == 2
    run = {"logical_date": moment, "data_interval_start": moment, "data_interval_end": moment}
    other = as_pipeline(running, file, "linked", render_dates(conversion.date_parameters, **run))
    assert other is not None
    assert_equal(one, other)
    assert len(one.calls) == 4


def test_a_dag_with_every_step_type(running: Any, airflow: Any, tmp_path: Path) -> None:
    clients = {service: running.client(service) for service in ("sqs", "iam", "lambda", "emr")}
    queue = clients["sqs"].create_queue(QueueName="work")["QueueUrl"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("work.py", "def run(event, context):\n    return {'score': 0.25, 'stage': event['count']}\n")
    role = clients["iam"].create_role(RoleName="lambda", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    clients["lambda"].create_function(
        FunctionName="work", Runtime="python3.12", Role=role, Handler="work.run", Code={"ZipFile": packed.getvalue()}
    )
    instances = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
    cluster = clients["emr"].run_job_flow(Name="c", Instances=instances)["JobFlowId"]
    file = tmp_path / "every_step.py"
    file.write_text(
        (TESTS / "dags" / "steps.py")
        .read_text(encoding="utf-8")
        .replace("j-RUNNING", cluster)
        .replace("steps_", "steps-")
    )
    ended = threading.Event()
    worker = threading.Thread(target=answer_callbacks, args=(clients["sqs"], running.client("sagemaker"), queue, ended))
    worker.start()
    try:
        running.client("sagemaker").create_model_package_group(ModelPackageGroupName="steps-deferrable-group")
        one = step_by_step(running, airflow, file, "steps-deferrable")
        assert set(one.states.values()) == {"success", "skipped"}, one.states
        forget_names(running)
        other = as_pipeline(running, file, "steps-deferrable")
    finally:
        ended.set()
        worker.join()
    assert other is not None
    assert_equal(one, other)
    assert len(one.results) > 20


def forget_names(local: Any) -> None:
    """Delete what has a fixed name, as a second run of the DAG in Airflow would find it."""
    for kind in ("InferenceComponent", "Endpoint", "Action", "Context"):
        for record in local.store.records("us-west-2", kind):
            local.store.remove("us-west-2", kind, record[f"{kind}Name"])
    group = local.store.get("us-west-2", "ModelPackageGroup", "steps-deferrable-group")
    local.store.put("us-west-2", "ModelPackageGroup", "steps-deferrable-group", {**group, "_versions": 0})
    for record in local.store.records("us-west-2", "ModelPackage"):
        local.store.remove("us-west-2", "ModelPackage", record["ModelPackageArn"])


def answer_callbacks(sqs: Any, sagemaker: Any, queue: str, ended: threading.Event) -> None:
    while not ended.is_set():
        for message in sqs.receive_message(QueueUrl=queue).get("Messages", ()):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            arguments = json.loads(message["Body"])["arguments"]
            callback.succeed(message["Body"], {"rows": int(arguments["score"] * 100)}, sqs=sqs, sagemaker=sagemaker)
        time.sleep(0.05)


# Random DAGs of jobs that really run

HEAD = """
from airflow.providers.common.compat.sdk import DAG
from sagemaker_provider.definition import Equals
from sagemaker_provider.operators import (
    ExecutionVariable, Join, SageMakerConditionStepOperator, SageMakerProcessingStepOperator)

def job(name, values):
    output = {"OutputName": "out", "S3Output": {
        "S3Uri": Join("/", ["s3://bucket", ExecutionVariable("PipelineExecutionId"), name]),
        "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}}
    return SageMakerProcessingStepOperator(task_id=name, deferrable=False, poll_interval=0.05, config={
        "AppSpecification": {"ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/work:1",
                             "ContainerEntrypoint": ["sh", "-c", "env | grep ^V_ | sort > $OUT/values"]},
        "RoleArn": "arn:aws:iam::123456789012:role/Work", "Environment": {"OUT": "/opt/ml/processing/out", **values},
        "ProcessingResources": {"ClusterConfig": {
            "InstanceCount": "{{ params.count }}", "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}},
        "ProcessingOutputConfig": {"Outputs": [output]}})

with DAG(NAME, schedule=None, params={"count": 1, "mode": "a", "other": "b"}) as dag:
"""

VALUES = (
    "{up}.properties.ProcessingJobName",
    "{up}.properties.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri",
    "Join('-', ['x', {up}.properties.ProcessingJobStatus, '{{{{ params.mode }}}}'])",
)


@st.composite
def dag_files(draw: st.DrawFn) -> str:
    """Lines of a DAG: jobs that read parameters and jobs before them, chained, with branches."""
    count = draw(st.integers(2, 5))
    lines, free = [], []
    for index in range(count):
        name = f"t{index}"
        ups = draw(st.lists(st.sampled_from(free), unique=True, max_size=2)) if free else []
        values = {"V_MODE": "'{{ params.mode }}'", "V_ID": "ExecutionVariable('PipelineExecutionId')"}
        edges = []
        for number, up in enumerate(ups):
            if draw(st.booleans()):
                values[f"V_{number}"] = draw(st.sampled_from(VALUES)).format(up=up)
            else:
                edges.append(f"{up} >> {name}")
        body = ", ".join(f"{key!r}: {value}" for key, value in values.items())
        lines += [f"{name} = job({name!r}, {{{body}}})", *edges]
        free.append(name)
    if draw(st.booleans()) and count >= 3:
        yes, no = "t1", "t2"
        left = draw(st.sampled_from(["{{ params.mode }}", "{{ params.other }}"]))
        lines.append(
            f"choice = SageMakerConditionStepOperator(task_id='choice', conditions=Equals({left!r}, 'a'), "
            f"if_task_ids={yes!r}, else_task_ids={no!r})"
        )
        lines += [f"t0 >> choice >> [{yes}, {no}]"]
    return "\n".join(f"    {line}" for line in lines)


EXAMPLES_OF_HYPOTHESIS = int(os.environ.get("EQUIVALENCE_EXAMPLES", "5"))


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(1_000_000))


@settings(
    max_examples=EXAMPLES_OF_HYPOTHESIS,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # shrinking would run hundreds of DAGs
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(body=dag_files())
def test_random_dags(running: Any, airflow: Any, tmp_path: Path, numbers: Iterator[int], body: str) -> None:
    fresh(running)
    dag_id = f"random_{next(numbers)}"
    file = tmp_path / f"{dag_id}.py"
    file.write_text(HEAD.replace("NAME", repr(dag_id)) + body + "\n", encoding="utf-8")
    note(body)
    other = as_pipeline(running, file, dag_id)
    assume(other is not None)
    assert other is not None
    one = step_by_step(running, airflow, file, dag_id)
    assert_equal(one, other)
    assert contents(running, one) == contents(running, other)
    for way in (one, other):
        in_order(running, way, body)


def contents(local: Any, way: Way) -> dict[str, str]:
    """What the jobs of one way have written."""
    found = {}
    for task, result in way.results.items():
        for output in result.get("ProcessingOutputConfig", {}).get("Outputs", ()):
            bucket, _, key = output["S3Output"]["S3Uri"].removeprefix("s3://").partition("/")
            body = local.client("s3").get_object(Bucket=bucket, Key=f"{key}/values")["Body"].read().decode()
            names = {**way.names, key.partition("/")[0]: "<execution>"}
            pattern = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
            found[task] = re.sub(pattern, lambda match, names=names: names[match[0]], body)  # type: ignore[misc]
    return found


def in_order(local: Any, way: Way, body: str) -> None:
    """A job begins after those before it have ended."""
    jobs = {
        task: local.client("sagemaker").describe_processing_job(ProcessingJobName=result["ProcessingJobName"])
        for task, result in way.results.items()
        if "ProcessingJobName" in result
    }
    pairs = set(re.findall(r"(t\d) >> (t\d)", body))
    pairs |= {
        (up, task) for task, line in re.findall(r"(t\d) = job\((.*)", body) for up in re.findall(r"(t\d)\.prop", line)
    }
    for up, down in pairs:
        if up in jobs and down in jobs:
            assert jobs[up]["ProcessingEndTime"] <= jobs[down]["CreationTime"]
