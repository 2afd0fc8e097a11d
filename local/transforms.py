"""Batch transform: a model is served by a process, and every object of the input goes through it."""

from __future__ import annotations

import gzip
import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.local import runnable, runners, serving, toolkit, transfers
from sagemaker_provider.local.containers import Container
from sagemaker_provider.local.transfers import JobError, join

if TYPE_CHECKING:
    from sagemaker_provider.local.jobs import Outcome, Run

_MEGABYTE: Final = 1024 * 1024
_START_SECONDS: Final = 600.0
_SHOWN: Final = 500
"""Characters of a model's error that a failure reason shows."""


def transform(run: Run) -> Outcome:
    """Run a Transform job."""
    record = run.record
    model = run.local.store.get(run.region, "Model", record["ModelName"])
    parts = runnable.model_containers(run.local, run.region, model or {})
    if not parts:
        raise JobError(f"ClientError: the model {record['ModelName']!r} does not exist or has no container")
    container = run.container(parts[0].get("Image", ""))
    source = record["TransformInput"]["DataSource"]["S3DataSource"]
    inputs = transfers.objects(run.s3, source)
    fetch_model(run, container, parts[0])
    port = _serve(run, container, parts[0], record)
    for bucket, key, name in inputs:
        data = transfers.read(run.s3, f"s3://{bucket}/{key}")
        answers = [
            _invoke(run, container, port, part, record, f"s3://{bucket}/{key}") for part in payloads(data, record)
        ]
        transfers.put(
            run.s3, join(record["TransformOutput"]["S3OutputPath"], f"{name}.out"), assembled(answers, record)
        )
    run.check_stop()
    return "Completed", {}


def fetch_model(run: Run, container: Container, part: Mapping[str, Any]) -> None:
    """Bring a model's data to ``/opt/ml/model``."""
    target = container.path(toolkit.MODEL)
    target.mkdir(parents=True, exist_ok=True)
    source = part.get("ModelDataSource", {}).get("S3DataSource", {})
    uri = part.get("ModelDataUrl") or source.get("S3Uri")
    if not uri:
        return
    if source and source.get("CompressionType") != "Gzip":
        transfers.download(run.s3, {"S3Uri": uri}, target)
        return
    archive = container.folder / "model.tar.gz"
    transfers.fetch(run.s3, *transfers.location(uri), archive)
    transfers.unpack(archive, target)
    archive.unlink()


def _serve(run: Run, container: Container, part: Mapping[str, Any], record: Mapping[str, Any]) -> int:
    """Start the model's process; its port."""
    own = {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(record.get("MaxPayloadInMB", 6)),
        "SAGEMAKER_BATCH_STRATEGY": record.get("BatchStrategy", "MultiRecord"),
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(record.get("MaxConcurrentTransforms", 1)),
    }
    given = {**part.get("Environment", {}), **record.get("Environment", {})}
    variables = runners.environment_of(run, {"Environment": given}, **own)
    file = container.folder / "home" / "port"
    if container.isolation == "docker":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        command = ["serve"]
        run.start(container, lambda: container.start_image([], command, variables, port))
        file.write_text(str(port), encoding="ascii")
    else:
        script, code = toolkit.program({}, given)
        folder = code.removeprefix("file://") or f"{toolkit.MODEL}/code"
        if code.startswith("s3://") or folder.endswith((".tar.gz", ".tgz")):
            runners.fetch_code(run, container, code)
            folder = toolkit.CODE
        command = ["python", serving.__file__, str(file), toolkit.MODEL, folder, script]
        variables["PYTHONPATH"] = ":".join(filter(None, (folder, given.get("PYTHONPATH"))))
        run.start(container, lambda: container.start(command, variables, toolkit.MODEL))
    run.log(runners.header(container, record["TransformResources"].get("InstanceCount", 1), command))
    last = time.monotonic() + _START_SECONDS
    while not (file.exists() and (text := file.read_text(encoding="ascii")) and _is_ready(int(text))):
        if container.wait(0.02) is not None:
            _fail(run, container, f"the model's process ended with exit code {container.exit_code}")
        if time.monotonic() > last:
            _fail(run, container, f"the model did not answer to pings for {_START_SECONDS:g} s")
        run.attend(container)
    return int(text)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _fail(run: Run, container: Container, what: str) -> None:
    run.last_log(container)
    run.check_stop()
    lines = container.log_end(8192).rstrip().splitlines()
    raise JobError(f"AlgorithmError: {what}: {lines[-1] if lines else 'see job logs for more information'}")


def _invoke(run: Run, container: Container, port: int, body: bytes, record: Mapping[str, Any], what: str) -> bytes:
    """The model's answer to a payload."""
    run.check_stop()
    run.attend(container)
    headers = {"Content-Length": str(len(body))}
    if kind := record["TransformInput"].get("ContentType"):
        headers["Content-Type"] = kind
    if accept := record["TransformOutput"].get("Accept"):
        headers["Accept"] = accept
    seconds = record.get("ModelClientConfig", {}).get("InvocationsTimeoutInSeconds", 600)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        run.check_stop()
        raise JobError(f"AlgorithmError: {what}: the model did not answer: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        text = answer.decode(errors="replace")[:_SHOWN]
        kind = "ClientError" if response.status < http.client.INTERNAL_SERVER_ERROR else "AlgorithmError"
        raise JobError(f"{kind}: {what}: the model answered with status {response.status}: {text}")
    return answer


def payloads(data: bytes, record: Mapping[str, Any]) -> Iterator[bytes]:
    """What is sent to the model for an object: all of it, its lines, or as many lines at once as fit.

    :raises JobError: a payload would be larger than ``MaxPayloadInMB``.
    """
    source = record["TransformInput"]
    if source.get("CompressionType") == "Gzip":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise JobError(f"ClientError: an input object is not compressed with gzip: {error}") from error
    most = record.get("MaxPayloadInMB", 6) * _MEGABYTE or max(1, len(data))
    by_line = source.get("SplitType") == "Line"
    single = record.get("BatchStrategy", "MultiRecord") == "SingleRecord"
    batch = bytearray()
    for part in data.splitlines(keepends=True) if by_line else [data] if data else []:
        if len(part) > most:
            raise JobError(f"ClientError: a record has {len(part)} bytes, MaxPayloadInMB allows {most}")
        if batch and (single or len(batch) + len(part) > most):
            yield bytes(batch)
            batch.clear()
        batch += part
    if batch:
        yield bytes(batch)


def assembled(answers: list[bytes], record: Mapping[str, Any]) -> bytes:
    """The output object of an input object."""
    if record["TransformOutput"].get("AssembleWith") == "Line":
        answers = [answer if answer.endswith(b"\n") else answer + b"\n" for answer in answers]
    return b"".join(answers)
