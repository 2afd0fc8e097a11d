"""Lambda functions that really run: a function that moto keeps runs in a process of its own when it is invoked."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import logging
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.local.bodies import json_object, take
from sagemaker_provider.local.errors import ServiceError
from sagemaker_provider.local.logs import LogStream

if TYPE_CHECKING:
    from sagemaker_provider.local.service import LocalSageMaker

_CREATE: Final = re.compile(r"/2015-03-31/functions/?")
_RUNTIME: Final = Path(__file__).with_name("lambda_runtime.py")
_INIT_SECONDS: Final = 10.0
"""Time for imports, which does not count towards the function's time-out."""
_LARGEST_PAYLOAD: Final = 6 * 1024 * 1024
_LOG_TAIL: Final = 4096

_PATH = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations/?")
_NAME = re.compile(
    r"(arn:[\w-]+:lambda:(?P<region>[\w-]+):)?(\d{12}:)?(function:)?(?P<name>[\w-]+)(:(?P<qualifier>\$LATEST|[\w-]+))?"
)
_REGION = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Answer:
    """What an invocation gave. ``log``: its log as text."""

    request_id: str
    version: str
    payload: bytes
    failed: bool
    log: str


class Lambdas:
    """The Invoke call of Lambda; all other calls are moto's.

    A function runs with ``settings.python``, whatever the version in its ``Runtime``; its memory is not limited, and every
    invocation starts anew. Functions whose code is no zip for Python are moto's too, which gives the payload back.
    """

    def __init__(self, local: LocalSageMaker) -> None:
        self._local = local
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._events = threading.BoundedSemaphore(local.settings.max_processes)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any], moto: Any) -> Iterable[bytes]:
        """Answer a request signed for Lambda."""
        path = _PATH.fullmatch(environ["PATH_INFO"])
        if environ["REQUEST_METHOD"] == "POST" and _CREATE.fullmatch(environ["PATH_INFO"]):
            self._make_role(environ)
        if path is None or environ["REQUEST_METHOD"] != "POST":
            return moto(environ, start)  # type: ignore[no-any-return]
        scope = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
        try:
            function = _function(scope["region"] if scope else "us-east-1", path["name"], _qualifier(environ))
            if reason := _cannot_run(function):
                _log.warning("The function %s is simulated: %s", function.function_name, reason)
                return moto(environ, start)  # type: ignore[no-any-return]
            return self._invoked(function, environ, start)
        except ServiceError as error:
            body = json.dumps({"Type": "User", "Message": error.message}).encode()
            headers = [("x-amzn-ErrorType", error.code), ("x-amzn-RequestId", str(uuid.uuid4()))]
            return _respond(start, f"{error.status} Error", body, headers)

    def _make_role(self, environ: dict[str, Any]) -> None:
        """Make the role of a new function, which moto looks up; nothing is forbidden here."""
        try:
            role = str(json_object(take(environ))["Role"]).rpartition("/")[2]
        except (ServiceError, KeyError):
            return  # moto says what is wrong with it
        iam = self._local.client("iam", "us-east-1")
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}")

    def _invoked(self, function: Any, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = _body(environ)
        kind = environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
        if kind not in ("RequestResponse", "Event", "DryRun"):
            raise ServiceError("InvalidParameterValueException", f"InvocationType {kind!r} is not known")
        version = ("X-Amz-Executed-Version", str(function.version))
        if kind == "DryRun":
            return _respond(start, "204 No Content", b"", [("X-Amzn-RequestId", str(uuid.uuid4())), version])
        event = _event(body)
        if kind == "Event":
            request_id = str(uuid.uuid4())
            threading.Thread(target=self._run_queued, args=(function, event, request_id), daemon=True).start()
            return _respond(start, "202 Accepted", b"", [("X-Amzn-RequestId", request_id)])
        answer = self._run(function, event)
        headers = [("X-Amzn-RequestId", answer.request_id), version]
        if answer.failed:
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        if environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
            tail = base64.b64encode(answer.log.encode()[-_LOG_TAIL:]).decode()
            headers.append(("X-Amz-Log-Result", tail))
        return _respond(start, "200 OK", answer.payload, headers)

    def invoke(
        self, region: str, function_arn: str, payload: Mapping[str, Any], timeout: float
    ) -> tuple[Any, str | None]:
        """Invoke a function and wait for its answer.

        :param region: Region of the caller; a function elsewhere is not found, as in the service.
        :param function_arn: ARN or name of the function.
        :param payload: the event.
        :param timeout: seconds to wait. After them this is an error, and the function is killed; the service lets it go on.
        :return: the decoded answer, and the error as text, or ``None`` when there is none.
        """
        try:
            function = _function(region, function_arn, None)
        except ServiceError as error:
            return None, f"{error.code}: {error.message}"
        if _cannot_run(function):
            response = self._local.client("lambda", region).invoke(
                FunctionName=function_arn, Payload=json.dumps(payload).encode()
            )
            content, failed = response["Payload"].read(), "FunctionError" in response
        else:
            answer = self._run(function, payload, timeout=timeout)
            content, failed = answer.payload, answer.failed
        value = _decoded(content)
        if not failed:
            return value, None
        known = value if isinstance(value, dict) else {}
        return None, f"{known.get('errorType', 'Unhandled')}: {known.get('errorMessage', value)}"

    def close(self) -> None:
        """Kill the functions that run."""
        with self._lock:
            running = list(self._running)
        for process in running:
            _kill(process)

    def _run_queued(self, function: Any, event: Any, request_id: str) -> None:
        with self._events:
            try:
                self._run(function, event, request_id)
            except Exception:
                _log.exception("The function %s, invoked as event, was not run", function.function_name)

    def _run(self, function: Any, event: Any, request_id: str | None = None, timeout: float = float("inf")) -> _Answer:
        """Run a function once, write its log.

        :param timeout: seconds after which it is killed, if its own time-out does not come first.
        """
        request_id = request_id or str(uuid.uuid4())
        stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{function.version}]{uuid.uuid4().hex}"
        home = self._local.work / "functions" / "runs" / request_id
        (home / "tmp").mkdir(parents=True)
        try:
            code = [self._unpacked(function.code_sha_256, function.code_bytes), *self._layers(function)]
            request = {
                "event": event,
                "handler": function.handler,
                "path": [str(folder) for folder in code],
                "result": str(home / "result.json"),
                "parent": os.getpid(),
                "seconds": function.timeout,
                "context": {
                    "function_name": function.function_name,
                    "function_version": str(function.version),
                    "invoked_function_arn": function.function_arn,
                    "memory_limit_in_mb": str(function.memory_size),
                    "aws_request_id": request_id,
                    "log_group_name": function.logs_group_name,
                    "log_stream_name": stream,
                },
            }
            environment = self._environment(function, code[0], home / "tmp", stream)
            return self._carried_out(function, request, environment, home, timeout)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _carried_out(
        self, function: Any, request: dict[str, Any], environment: dict[str, str], home: Path, timeout: float
    ) -> _Answer:
        context = request["context"]
        request_id = context["aws_request_id"]
        begun = time.monotonic()
        with (home / "log").open("wb") as output:
            process, ready = self._started(request, environment, output)
        try:
            poll = select.poll()
            poll.register(ready)
            poll.poll(min(_INIT_SECONDS, timeout) * 1000)
            started = time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, min(function.timeout, timeout - (started - begun))))
            timed_out = process.poll() is None
            ended = time.monotonic()
        finally:
            os.close(ready)
            _kill(process)
            with self._lock:
                self._running.discard(process)
        result: dict[str, Any] = {"failed": True}
        if timed_out:
            own = ended - started >= function.timeout
            result["payload"] = _timed_out(request_id, function.timeout if own else timeout)
        elif (home / "result.json").exists():
            result = json.loads((home / "result.json").read_text(encoding="utf-8"))
        else:
            result["payload"] = _exited(request_id, process.returncode)
        payload = result["payload"].encode()
        if len(payload) > _LARGEST_PAYLOAD:
            result["failed"], payload = True, _too_large()
        log = _log_lines(
            (home / "log").read_text(encoding="utf-8", errors="replace"),
            context,
            duration=(ended - started) * 1000,
            init=(started - begun) * 1000,
            memory=result.get("memory") or function.memory_size,
            timed_out=timed_out,
        )
        logs = self._local.client("logs", function.region)
        LogStream(logs, context["log_group_name"], context["log_stream_name"]).write(log)
        return _Answer(request_id, str(function.version), payload, result["failed"], "\n".join(log) + "\n")

    def _started(
        self, request: dict[str, Any], environment: dict[str, str], output: Any
    ) -> tuple[subprocess.Popen[bytes], int]:
        """The process and the descriptor that becomes readable when its handler starts, or when it ends."""
        ready, write = os.pipe()
        try:
            process = subprocess.Popen(
                [self._local.settings.python, "-I", "-u", str(_RUNTIME)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=request["path"][0],
                env=environment,
                pass_fds=[write],
                start_new_session=True,
            )
        except BaseException:
            os.close(ready)
            raise
        finally:
            os.close(write)
        with self._lock:
            self._running.add(process)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once; what it left is looked at when it has ended
            process.stdin.write(json.dumps({**request, "ready": write}).encode())
            process.stdin.close()
        return process, ready

    def _environment(self, function: Any, code: Path, folder: Path, stream: str) -> dict[str, str]:
        """The function's variables and those of the service, nothing of this process but where libraries are."""
        libraries = os.environ.get("LD_LIBRARY_PATH")
        return {
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            **({"LD_LIBRARY_PATH": libraries} if libraries else {}),
            "PATH": f"{Path(self._local.settings.python).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            **{str(key): str(value) for key, value in function.environment_vars.items()},
            "_HANDLER": str(function.handler),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": str(code),
            "LAMBDA_RUNTIME_DIR": str(_RUNTIME.parent),
            "AWS_ENDPOINT_URL": self._local.url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _layers(self, function: Any) -> list[Path]:
        """The folders for imports of a function's layers."""
        backend = _backend(function.region)
        layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
        return [self._unpacked(layer.code_sha_256, layer.code_bytes) / "python" for layer in layers if layer]

    def _unpacked(self, digest: str, content: bytes) -> Path:
        """The folder with the content of a zip; unpacked once."""
        folder: Path = self._local.work / "functions" / re.sub(r"\W", "_", digest)
        with self._lock:
            if folder.exists():
                return folder
            unfinished = folder.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.infolist():
                    path = archive.extract(member, unfinished)
                    if mode := (member.external_attr >> 16) & 0o777:
                        os.chmod(path, mode | (0o700 if member.is_dir() else 0o600))
            unfinished.mkdir(parents=True, exist_ok=True)
            unfinished.rename(folder)
            return folder


def _backend(region: str) -> Any:
    from moto.awslambda.utils import get_backend
    from moto.core import DEFAULT_ACCOUNT_ID

    return get_backend(DEFAULT_ACCOUNT_ID, region)


def _function(region: str, name: str, qualifier: str | None) -> Any:
    """The function that moto keeps.

    :param name: name, ARN or partial ARN, with or without qualifier.
    :raises ServiceError: there is none.
    """
    from moto.awslambda.exceptions import LambdaClientError

    parts = _NAME.fullmatch(name)
    if parts is None:
        raise ServiceError("InvalidParameterValueException", f"{name!r} is no name or ARN of a function")
    if parts["region"] and parts["region"] != region:
        message = f"Functions from '{parts['region']}' are not reachable in this region ('{region}')"
        raise ServiceError("ResourceNotFoundException", message, status=404)
    if parts["qualifier"] and qualifier and parts["qualifier"] != qualifier:
        message = "The derived qualifier from the function name does not match the specified qualifier."
        raise ServiceError("InvalidParameterValueException", message)
    try:
        return _backend(region).get_function(parts["name"], parts["qualifier"] or qualifier)
    except LambdaClientError as error:
        raise ServiceError(error.error_type, str(error.message), status=error.code) from error


def _cannot_run(function: Any) -> str | None:
    """Why a function cannot run here, or nothing."""
    if function.package_type != "Zip":
        return "its code is an image"
    if not str(function.run_time).startswith("python"):
        return f"its runtime is {function.run_time}, not Python"
    if not zipfile.is_zipfile(io.BytesIO(getattr(function, "code_bytes", b""))):
        return "its code is no zip file"
    return None


def _qualifier(environ: Mapping[str, Any]) -> str | None:
    from urllib.parse import parse_qs

    return next(iter(parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier", ())), None)


def _body(environ: dict[str, Any]) -> bytes:
    try:
        return take(environ, _LARGEST_PAYLOAD)
    except ServiceError as error:
        message = f"Request must be smaller than {_LARGEST_PAYLOAD} bytes for the InvokeFunction operation"
        raise (ServiceError("RequestTooLargeException", message, 413) if error.status == 413 else error) from None


def _event(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        message = f"Could not parse request body into json: {error}"
        raise ServiceError("InvalidRequestContentException", message) from error


def _decoded(content: bytes) -> Any:
    text = content.decode(errors="replace")
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all that it started, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _error(kind: str, message: str) -> str:
    return json.dumps({"errorType": kind, "errorMessage": message})


def _timed_out(request_id: str, seconds: float) -> str:
    return _error("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds")


def _exited(request_id: str, code: int) -> str:
    reason = "exited without providing a reason"
    if code:
        status = f"exit status {code}" if code > 0 else f"signal: {signal.strsignal(-code)}"
        reason = f"exited with error: {status}"
    return _error("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime {reason}")


def _too_large() -> bytes:
    message = f"Response payload size exceeded maximum allowed payload size ({_LARGEST_PAYLOAD} bytes)."
    return _error("Function.ResponseSizeTooLarge", message).encode()


def _log_lines(
    text: str, context: Mapping[str, Any], *, duration: float, init: float, memory: int, timed_out: bool
) -> list[str]:
    """The log of an invocation as the service writes it; times in milliseconds."""
    request_id = context["aws_request_id"]
    ended = [f"{request_id} Task timed out after {duration / 1000:.2f} seconds"] if timed_out else []
    report = (
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration:.2f} ms",
        f"Billed Duration: {int(duration) + 1} ms",
        f"Memory Size: {context['memory_limit_in_mb']} MB",
        f"Max Memory Used: {memory} MB",
        f"Init Duration: {init:.2f} ms",
    )
    start = f"START RequestId: {request_id} Version: {context['function_version']}"
    return [start, *text.splitlines(), *ended, f"END RequestId: {request_id}", "\t".join(report)]


def _respond(start: Callable[..., Any], status: str, body: bytes, headers: list[tuple[str, str]]) -> Iterable[bytes]:
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
    return [body]
