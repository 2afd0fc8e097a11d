"""The endpoint: errors in the service's form, bad input, faults over HTTP, and what outlives the server."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pipelines_client import IMAGE, ROLE, Pipelines, definition, parameter, processing

from sagemaker_provider.local.service import LocalSettings, local_sagemaker


def post(url: str, target: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any], Any]:
    """A request as a client without the service model would send it."""
    scope = (
        "AWS4-HMAC-SHA256 Credential=local/20260101/us-west-2/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
    )
    every = {"X-Amz-Target": target, "Authorization": scope, "Content-Type": "application/x-amz-json-1.1", **headers}
    request = urllib.request.Request(url, data=body, headers=every, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), error.headers


@pytest.mark.parametrize(
    ("target", "body", "code", "part"),
    [
        ("SageMaker.ListPipelines", b"{", "SerializationException", "not JSON"),
        ("SageMaker.ListPipelines", b"\xff", "SerializationException", "not JSON"),
        ("SageMaker.ListPipelines", b"[" * 100_000, "SerializationException", "not JSON"),
        ("SageMaker.ListPipelines", b"[]", "SerializationException", "JSON object"),
        ("SageMaker.ListPipelines", b'{"MaxResults": "many"}', "SerializationException", "'MaxResults' must be an Integer"),
        ("SageMaker.ListPipelines", b'{"MaxResults": 1000}', "ValidationException", "1000 is not between 1 and 100"),
        ("SageMaker.DescribePipeline", b"{}", "ValidationException", "'PipelineName' is required"),
        ("SageMaker.DescribePipeline", b'{"PipelineName": "p", "Other": 1}', "ValidationException", "'Other' is not a member"),
        ("SageMaker.CreatePipeline", b'{"PipelineName": "a_b", "RoleArn": "x"}', "ValidationException", "validation errors detected: Value at 'PipelineName'"),
        ("SageMaker.Nonsense", b"{}", "UnknownOperationException", "no operation"),
        ("SageMaker.ListPipelines", b'{"CreatedAfter": "never"}', "ValidationException", "'never' is no time"),
        ("Other.ListPipelines", b"{}", "UnknownOperationException", "no operation"),
        ("SageMaker.CreateCompilationJobs", b"{}", "UnknownOperationException", "no operation"),
    ],
)  # fmt: skip
def test_bad_requests_are_answered_in_the_form_of_the_service(
    local: Any, target: str, body: bytes, code: str, part: str
) -> None:
    status, answer, headers = post(local.url, target, body)
    assert status == 400
    assert answer["__type"] == code == headers["x-amzn-ErrorType"]
    assert part in answer["message"]
    assert headers["x-amzn-RequestId"]


def test_a_huge_body_is_refused(local: Any) -> None:
    status, answer, _ = post(local.url, "SageMaker.CreatePipeline", b" " * (9 * 1024 * 1024))
    assert status == 413
    assert answer["__type"] == "RequestEntityTooLarge"


def test_a_body_that_cannot_be_read_is_refused_by_other_services_too(local: Any) -> None:
    connection = http.client.HTTPConnection(local.url.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/")
    scope = "AWS4-HMAC-SHA256 Credential=local/20260101/us-west-2/iam/aws4_request, SignedHeaders=host, Signature=0"
    connection.putheader("Authorization", scope)
    connection.putheader("Content-Length", "-1")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


@pytest.mark.parametrize("headers", [{"Transfer-Encoding": "chunked"}, {"Content-Length": "-1"}])
def test_odd_lengths(local: Any, headers: dict[str, str]) -> None:
    """A body in pieces is read; a negative length is refused at once."""
    target = {"X-Amz-Target": "SageMaker.CreateModelPackageGroup", "Content-Type": "application/x-amz-json-1.1"}
    connection = http.client.HTTPConnection(local.url.removeprefix("http://"), timeout=10)
    body = b'{"ModelPackageGroupName": "g"}'
    chunked = "Transfer-Encoding" in headers
    data = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    connection.putrequest("POST", "/")
    for name, value in {**target, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(data)
    answer = connection.getresponse()
    assert (answer.status, b"Arn" in answer.read()) == ((200, True) if chunked else (400, False))
    connection.close()


def test_an_operation_that_is_not_there_says_so(local: Any) -> None:
    status, answer, _ = post(local.url, "SageMaker.ListHubs", b"{}")
    assert (status, answer["__type"]) == (501, "NotImplementedException")


def test_other_operations_and_services_are_those_of_moto(local: Any) -> None:
    sagemaker = local.client("sagemaker")
    sagemaker.create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName="c")
    assert local.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_the_server_is_on_loopback_only(local: Any) -> None:
    port = int(local.url.rpartition(":")[2])
    assert local.url.startswith("http://127.0.0.1:")
    with socket.socket() as other:
        other.settimeout(1)
        own = socket.gethostbyname(socket.gethostname())
        if own.startswith("127."):
            pytest.skip("this machine has no other address")
        assert other.connect_ex((own, port)) != 0


def job(name: str, **members: Any) -> dict[str, Any]:
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["true"]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        },
        **members,
    }


def test_concurrent_creates_of_one_name_make_one_job(local: Any) -> None:
    sagemaker, answers = local.client("sagemaker"), []

    def create() -> None:
        try:
            sagemaker.create_processing_job(**job("one"))
            answers.append("created")
        except ClientError as error:
            answers.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=create) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["ResourceInUse"] * 11 + ["created"]
    assert len(sagemaker.list_processing_jobs()["ProcessingJobSummaries"]) == 1


def test_concurrent_starts_with_one_token_make_one_execution(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("a")))
    arns: list[str] = []
    threads = [
        threading.Thread(target=lambda: arns.append(pipelines.start(ClientRequestToken="t" * 32))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(arns) == 12 and len(set(arns)) == 1


def test_a_lost_response_leaves_the_job_behind(local: Any) -> None:
    local.faults.add("lost-response", operation="CreateProcessingJob")
    client = boto3.client(
        "sagemaker",
        endpoint_url=local.url,
        region_name="us-west-2",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(Exception, match=r"Connection was closed|Connection aborted"):
        client.create_processing_job(**job("one"))
    assert client.describe_processing_job(ProcessingJobName="one")["ProcessingJobName"] == "one"


def test_faults_are_added_over_http(local: Any) -> None:
    url = f"{local.url}/local-sagemaker/faults"
    body = json.dumps({"preset": "throttling", "operation": "ListPipelines", "times": None}).encode()
    urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST")).read()
    assert post(local.url, "SageMaker.ListPipelines", b"{}")[1]["__type"] == "ThrottlingException"
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).read()
    assert post(local.url, "SageMaker.ListPipelines", b"{}")[0] == 200


# Restarts


def test_state_survives_a_restart(tmp_path: Path) -> None:
    settings = LocalSettings(data=tmp_path / "data", images="simulate-all")
    with local_sagemaker(settings) as local:
        local.client("s3").create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        local.client("s3").put_object(Bucket="kept", Key="a b/c", Body=b"\x00\xff" * 1000)
        local.client("s3").put_object(Bucket="kept", Key="gone", Body=b"")
        local.client("s3").delete_object(Bucket="kept", Key="gone")
        queue = local.client("sqs").create_queue(QueueName="work")["QueueUrl"]
        pipelines = Pipelines(local)
        arn = pipelines.run(definition(processing("a"), parameters=[parameter("x", default="1")]))
        before = pipelines.steps(arn)
        token = local.client("sagemaker").start_pipeline_execution(PipelineName="p", ClientRequestToken="t" * 32)
        pipelines.wait(token["PipelineExecutionArn"])
    with local_sagemaker(settings) as local:
        pipelines = Pipelines(local)
        assert pipelines.status(arn) == "Succeeded"
        assert pipelines.steps(arn) == before
        assert pipelines.start(ClientRequestToken="t" * 32) == token["PipelineExecutionArn"]
        body = local.client("s3").get_object(Bucket="kept", Key="a b/c")["Body"].read()
        assert body == b"\x00\xff" * 1000
        keys = [item["Key"] for item in local.client("s3").list_objects_v2(Bucket="kept")["Contents"]]
        assert keys == ["a b/c"]
        assert local.client("sqs").list_queues()["QueueUrls"][0].rpartition("/")[2] == queue.rpartition("/")[2]
        assert "a" in pipelines.statuses(pipelines.run())


SERVER = [sys.executable, "-m", "sagemaker_provider.cli", "local"]


def serve(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    """The command; its process and URL."""
    process = subprocess.Popen([*SERVER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("export AWS_ENDPOINT_URL="):
            return process, line.strip().partition("=")[2]
    raise AssertionError(process.stderr.read() if process.stderr else "")


def client_of(url: str) -> Any:
    return boto3.client(
        "sagemaker", endpoint_url=url, region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x"
    )


def test_a_killed_server_goes_on_where_it_was(tmp_path: Path) -> None:
    """SIGKILL while a job runs: nothing is lost, the job starts again, and the execution ends."""
    flag = tmp_path / "flag"
    script = f"import os, time; [time.sleep(0.05) for _ in iter(lambda: os.path.exists({str(flag)!r}), True)]"
    body = processing("in", entrypoint=["python3", "-c", script])
    loop = {
        "Name": "loop",
        "Type": "ForEach",
        "DependsOn": ["a"],
        "Arguments": {"IterableItems": ["x", "y"], "MaxConcurrency": 2, "ForEachBody": [body]},
    }
    last = processing("c", "b", "loop")
    steps = [processing("a"), processing("b", "a", entrypoint=["python3", "-c", script]), loop, last]
    process, url = serve("--port", "0", "--data", str(tmp_path / "data"))
    sagemaker = client_of(url)
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=definition(*steps), RoleArn=ROLE)
    arn = sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"]

    def statuses() -> dict[str, str]:
        found = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return {step["StepName"]: step["StepStatus"] for step in found}

    def until(step: str, status: str) -> None:
        give_up = time.monotonic() + 30
        while statuses().get(step) != status:
            assert time.monotonic() < give_up, statuses()
            time.sleep(0.05)

    for step in ("b", "in-0", "in-1"):
        until(step, "Executing")
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process, url = serve("--port", "0", "--data", str(tmp_path / "data"))
    try:
        sagemaker = client_of(url)
        running = dict.fromkeys(("b", "loop", "in-0", "in-1"), "Executing")
        assert statuses() == {"a": "Succeeded", **running}
        flag.touch()
        until("c", "Succeeded")
        names = [item["ProcessingJobName"] for item in sagemaker.list_processing_jobs()["ProcessingJobSummaries"]]
        assert len(names) == 5
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
