"""Lambda functions run in processes: real boto3, real HTTP."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sagemaker_provider.local.endpoint import LocalEndpoint
from sagemaker_provider.local.lambdas import Lambdas
from sagemaker_provider.local.settings import LocalSettings

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/local"


class Local:
    """What functions need of the local SageMaker, over a real endpoint."""

    def __init__(self, work: Path) -> None:
        self.settings, self.work, self.url = LocalSettings(), work, ""
        self.lambdas = Lambdas(self)  # type: ignore[arg-type]

        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = REGION) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.session.Session().client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service, region]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    local = Local(tmp_path_factory.mktemp("work"))
    with LocalEndpoint(services={"lambda": local.lambdas}) as endpoint:
        local.url = endpoint.url
        yield local


@pytest.fixture
def local(shared: Local) -> Iterator[Local]:
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
    shared.client("iam").create_role(RoleName="local", AssumeRolePolicyDocument="{}")
    yield shared
    shared.lambdas.close()


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def create(local: Local) -> Callable[..., str]:
    def made(code: str | dict[str, str] | bytes, name: str = "f", **options: Any) -> str:
        files = {"app.py": code} if isinstance(code, str) else code
        request = {
            "FunctionName": name,
            "Role": ROLE,
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Code": {"ZipFile": files if isinstance(files, bytes) else zipped(files)},
            **options,
        }
        return str(local.client("lambda").create_function(**request)["FunctionArn"])

    return made


def invoke(local: Local, payload: Any = None, name: str = "f", **options: Any) -> tuple[Any, dict[str, Any]]:
    response = local.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload), **options)
    content = response["Payload"].read()
    return json.loads(content) if content else None, response


def log_of(local: Local, name: str = "f") -> list[str]:
    events = local.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


def test_the_code_runs(local: Local, create: Callable[..., str]) -> None:
    create("def handler(event, context):\n    return {'sum': sum(event['numbers']), 'text': 'ä'}")
    answer, response = invoke(local, {"numbers": [1, 2.5]})
    assert answer == {"sum": 3.5, "text": "ä"}
    assert response["StatusCode"] == 200
    assert response["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in response


def test_nested_modules_and_their_neighbours(local: Local, create: Callable[..., str]) -> None:
    files = {"pack/__init__.py": "", "pack/mod.py": "import near\ndef run(e, c): return near.X", "near.py": "X = 7"}
    create(files, Handler="pack/mod.run")
    assert invoke(local)[0] == 7
    create(files, "g", Handler="pack.mod.run")
    assert invoke(local, name="g")[0] == 7


@pytest.mark.parametrize(
    "name", ["f", "arn:aws:lambda:eu-west-1:123456789012:function:f", "123456789012:function:f", "f:$LATEST"]
)
def test_every_form_of_the_name(local: Local, create: Callable[..., str], name: str) -> None:
    create("def handler(event, context): return 'here'")
    assert invoke(local, name=name)[0] == "here"


def test_versions_and_aliases(local: Local, create: Callable[..., str]) -> None:
    create("def handler(event, context): return 'one'")
    client = local.client("lambda")
    version = client.publish_version(FunctionName="f")["Version"]
    client.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    client.update_function_code(
        FunctionName="f", ZipFile=zipped({"app.py": "def handler(event, context): return context.function_version"})
    )
    assert invoke(local)[0] == "$LATEST"
    answer, response = invoke(local, Qualifier="live")
    assert (answer, response["ExecutedVersion"]) == ("one", version)
    assert invoke(local, name=f"f:{version}")[0] == "one"


def test_code_from_s3(local: Local, create: Callable[..., str]) -> None:
    s3 = local.client("s3")
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="code", Key="f.zip", Body=zipped({"app.py": "def handler(event, context): return event"}))
    create("", Code={"S3Bucket": "code", "S3Key": "f.zip"})
    assert invoke(local, [1])[0] == [1]


def test_layers(local: Local, create: Callable[..., str]) -> None:
    layer = local.client("lambda").publish_layer_version(
        LayerName="l", Content={"ZipFile": zipped({"python/shared.py": "X = 'layer'"})}
    )
    create("import shared\ndef handler(event, context): return shared.X", Layers=[layer["LayerVersionArn"]])
    assert invoke(local)[0] == "layer"


def test_the_context(local: Local, create: Callable[..., str]) -> None:
    arn = create(
        "def handler(event, context):\n"
        "    names = [n for n in dir(context) if not n.startswith('_') and isinstance(getattr(context, n), str)]\n"
        "    return {**{n: getattr(context, n) for n in names}, 'left': context.get_remaining_time_in_millis()}",
        MemorySize=256,
        Timeout=20,
    )
    answer, response = invoke(local)
    assert 15_000 < answer.pop("left") <= 20_000
    stream = answer.pop("log_stream_name")
    assert answer == {
        "function_name": "f",
        "function_version": "$LATEST",
        "invoked_function_arn": arn,
        "memory_limit_in_mb": "256",
        "aws_request_id": response["ResponseMetadata"]["RequestId"],
        "log_group_name": "/aws/lambda/f",
    }
    streams = local.client("logs").describe_log_streams(logGroupName="/aws/lambda/f")["logStreams"]
    assert [item["logStreamName"] for item in streams] == [stream]


def test_the_environment_is_the_function_s(
    local: Local, create: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    create(
        "import os\ndef handler(event, context):\n    open(os.environ['TMPDIR'] + '/f', 'w').close()\n"
        "    return {**os.environ, 'cwd': os.getcwd()}",
        Environment={"Variables": {"MINE": "1", "AWS_REGION": "elsewhere"}},
    )
    answer = invoke(local)[0]
    assert "SECRET_OF_THE_SERVER" not in answer
    assert "AWS_SESSION_TOKEN" not in answer
    expected = {
        "MINE": "1",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "_HANDLER": "app.handler",
        "AWS_ENDPOINT_URL": local.url,
        "AWS_ACCESS_KEY_ID": "local",
        "cwd": answer["LAMBDA_TASK_ROOT"],
    }
    assert {key: answer.get(key) for key in expected} == expected
    assert answer["HOME"] == answer["TMPDIR"]
    assert not Path(answer["TMPDIR"]).exists()


def test_a_function_reaches_the_endpoint(local: Local, create: Callable[..., str]) -> None:
    create(
        "import boto3\ndef handler(event, context): return boto3.client('sqs').create_queue(QueueName='q')['QueueUrl']"
    )
    assert invoke(local)[0] == local.client("sqs").get_queue_url(QueueName="q")["QueueUrl"]


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("def handler(e, c): raise KeyError('no')", "KeyError", "'no'"),
        ("import nothing_like_it", "Runtime.ImportModuleError", "Unable to import module 'app': No module named"),
        ("raise OSError('early')", "OSError", "early"),
        ("def handler(e, c):", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("def handler(e, c): return {1, 2}", "Runtime.MarshalError", "Unable to marshal response: Object of type set"),
        ("def handler(e, c): exit(3)", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("import os\ndef handler(e, c): os.abort()", "Runtime.ExitError", "Runtime exited with error: signal: Aborted"),
        ("def handler(e, c): exit(0)", "Runtime.ExitError", "Runtime exited without providing a reason"),
        (
            "def handler(e, c): return 'x' * 7_000_000",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded",
        ),
    ],
)
def test_errors(local: Local, create: Callable[..., str], code: str, kind: str, message: str) -> None:
    create(code)
    answer, response = invoke(local)
    assert response["StatusCode"] == 200
    assert response["FunctionError"] == "Unhandled"
    assert answer["errorType"] == kind
    assert message in answer["errorMessage"]


def test_the_stack_trace_is_that_of_the_function(local: Local, create: Callable[..., str]) -> None:
    create("def inner():\n    return 1 / 0\n\ndef handler(event, context):\n    return inner()\n")
    answer, response = invoke(local)
    assert answer["requestId"] == response["ResponseMetadata"]["RequestId"]
    assert len(answer["stackTrace"]) == 2
    assert 'app.py", line 5, in handler\n    return inner()\n' in answer["stackTrace"][0]
    assert 'app.py", line 2, in inner\n    return 1 / 0\n' in answer["stackTrace"][1]


def test_numbers_of_dynamodb_are_numbers(local: Local, create: Callable[..., str]) -> None:
    create("from decimal import Decimal\ndef handler(event, context): return Decimal('1.5')")
    assert invoke(local)[0] == 1.5


def test_the_time_out_kills_the_function_and_its_children(
    local: Local, create: Callable[..., str], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    create(
        "import os, subprocess, time\ndef handler(event, context):\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        f"    open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n    time.sleep(60)",
        Timeout=1,
    )
    started = time.monotonic()
    answer, response = invoke(local)
    assert 1 <= time.monotonic() - started < 10
    request_id = response["ResponseMetadata"]["RequestId"]
    assert response["FunctionError"] == "Unhandled"
    assert answer == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    assert len(pids.read_text().split()) == 2
    assert gone(pids)


def gone(pids: Path) -> bool:
    """Whether the processes end within five seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if not any(alive(int(pid)) for pid in pids.read_text().split()):
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_imports_do_not_count_towards_the_time_out(local: Local, create: Callable[..., str]) -> None:
    create("import time\ntime.sleep(1.2)\ndef handler(event, context): return 'in time'", Timeout=1)
    assert invoke(local)[0] == "in time"


def test_logs(local: Local, create: Callable[..., str]) -> None:
    create(
        "import logging, sys\ndef handler(event, context):\n    print('printed')\n"
        "    logging.getLogger('x').warning('warned')\n    print('to stderr', file=sys.stderr)\n    raise ValueError('bad')"
    )
    _, response = invoke(local, LogType="Tail")
    request_id = response["ResponseMetadata"]["RequestId"]
    lines = log_of(local)
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert lines[1] == "printed"
    assert lines[2].startswith("[WARNING]\t")
    assert lines[2].endswith(f"Z\t{request_id}\twarned")
    assert lines[3:5] == ["to stderr", "[ERROR] ValueError: bad"]
    assert lines[-2] == f"END RequestId: {request_id}"
    assert lines[-1].startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    tail = base64.b64decode(response["LogResult"]).decode()
    assert "printed\n" in tail
    assert tail.endswith(lines[-1] + "\n")
    assert "LogResult" not in invoke(local)[1]


def test_events_run_later(local: Local, create: Callable[..., str], tmp_path: Path) -> None:
    create(f"def handler(event, context): open({str(tmp_path / 'ran')!r}, 'w').write(event['x'])")
    response = local.client("lambda").invoke(FunctionName="f", InvocationType="Event", Payload=b'{"x": "yes"}')
    assert response["StatusCode"] == 202
    assert response["Payload"].read() == b""
    end = time.monotonic() + 10
    while time.monotonic() < end and not (tmp_path / "ran").exists():
        time.sleep(0.02)
    assert (tmp_path / "ran").read_text() == "yes"


def test_a_dry_run_runs_nothing(local: Local, create: Callable[..., str], tmp_path: Path) -> None:
    create(f"def handler(event, context): open({str(tmp_path / 'ran')!r}, 'w')")
    assert local.client("lambda").invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("none", "RequestResponse", "ResourceNotFoundException"),
        ("none", "DryRun", "ResourceNotFoundException"),
        ("f:9", "RequestResponse", "ResourceNotFoundException"),
        ("arn:aws:lambda:us-east-1:123456789012:function:f", "Event", "ResourceNotFoundException"),
    ],
)
def test_missing_functions(local: Local, create: Callable[..., str], name: str, kind: str, code: str) -> None:
    create("def handler(event, context): return 1")
    with pytest.raises(ClientError) as caught:
        local.client("lambda").invoke(FunctionName=name, InvocationType=kind)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize(
    ("payload", "code"), [(b"{", "InvalidRequestContentException"), (b"1" * 6_300_000, "RequestTooLargeException")]
)
def test_bad_payloads(local: Local, create: Callable[..., str], payload: bytes, code: str) -> None:
    create("def handler(event, context): return 1")
    with pytest.raises(ClientError) as caught:
        local.client("lambda").invoke(FunctionName="f", Payload=payload)
    assert caught.value.response["Error"]["Code"] == code


def test_no_payload_is_an_empty_event(local: Local, create: Callable[..., str]) -> None:
    create("def handler(event, context): return event")
    assert json.loads(local.client("lambda").invoke(FunctionName="f")["Payload"].read()) == {}


def test_what_cannot_run_is_moto_s(local: Local, create: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    create({"index.js": ""}, "node", Runtime="nodejs20.x", Handler="index.handler")
    create(b"no zip", "broken")
    for name, reason in (("node", "its runtime is nodejs20.x, not Python"), ("broken", "its code is no zip file")):
        answer, response = invoke(local, {"echo": 1}, name=name)
        assert (answer, response["StatusCode"]) == ({"echo": 1}, 200)
        assert f"The function {name} is simulated: {reason}" in caplog.text
    assert local.lambdas.invoke(REGION, "node", {"echo": 2}, 5) == ({"echo": 2}, None)


def test_other_calls_are_moto_s(local: Local, create: Callable[..., str]) -> None:
    create("")
    assert [item["FunctionName"] for item in local.client("lambda").list_functions()["Functions"]] == ["f"]


def test_the_pipeline_s_way_in(local: Local, create: Callable[..., str]) -> None:
    arn = create("def handler(event, context): return {'got': event['x'] / 2}")
    assert local.lambdas.invoke(REGION, arn, {"x": 3}, 10) == ({"got": 1.5}, None)
    assert local.lambdas.invoke(REGION, arn, {"x": "3"}, 10)[1] == (
        "TypeError: unsupported operand type(s) for /: 'str' and 'int'"
    )
    answer, error = local.lambdas.invoke(REGION, arn + "x", {}, 10)
    assert answer is None
    assert str(error).startswith("ResourceNotFoundException: Function not found: ")
    assert "not reachable" in str(local.lambdas.invoke("us-east-1", arn, {}, 10)[1])


def test_the_pipeline_does_not_wait_longer_than_it_wants(
    local: Local, create: Callable[..., str], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    code = (
        f"import os, time\ndef handler(e, c):\n    open({str(pids)!r}, 'w').write(str(os.getpid()))\n    time.sleep(60)"
    )
    arn = create(code, Timeout=60)
    started = time.monotonic()
    answer, error = local.lambdas.invoke(REGION, arn, {}, 1.0)
    assert time.monotonic() - started < 10
    assert answer is None
    assert "Task timed out after 1.00 seconds" in str(error)
    assert gone(pids)


def test_a_function_dies_with_the_server(local: Local, create: Callable[..., str], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    runtime = Path(sys.modules[Lambdas.__module__].__file__ or "").with_name("lambda_runtime.py")
    (tmp_path / "app.py").write_text(
        f"import os, time\ndef handler(e, c):\n    open({str(pids)!r}, 'w').write(str(os.getpid()))\n    time.sleep(60)"
    )
    server = (
        "import json, os, subprocess, sys, time\n"
        "ready, write = os.pipe()\n"
        "request = {'event': 1, 'handler': 'app.handler', 'path': [sys.argv[2]], 'result': '/dev/null', 'ready': write,\n"
        "           'parent': os.getpid(), 'seconds': 60, 'context': {'aws_request_id': 'r'}}\n"
        "child = subprocess.Popen([sys.executable, '-I', sys.argv[1]], stdin=subprocess.PIPE, pass_fds=[write])\n"
        "child.stdin.write(json.dumps(request).encode()); child.stdin.close(); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", server, str(runtime), str(tmp_path)])
    end = time.monotonic() + 10
    while time.monotonic() < end and not (pids.exists() and pids.read_text()):
        time.sleep(0.02)
    assert alive(int(pids.read_text()))
    process.kill()
    process.wait()
    assert gone(pids)


def test_closing_kills_what_runs(local: Local, create: Callable[..., str], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    create(
        f"import os, time\ndef handler(e, c):\n    open({str(pids)!r}, 'w').write(str(os.getpid()))\n    time.sleep(60)",
        Timeout=60,
    )
    local.client("lambda").invoke(FunctionName="f", InvocationType="Event")
    end = time.monotonic() + 10
    while time.monotonic() < end and not (pids.exists() and pids.read_text()):
        time.sleep(0.02)
    local.lambdas.close()
    assert gone(pids)
    assert os.getpid() != int(pids.read_text())
