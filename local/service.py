"""The local SageMaker: the API of the service on loopback, with jobs and pipelines that really run.

    with local_sagemaker() as local:
        local.client("sagemaker").create_training_job(...)

Every other AWS service on the same endpoint is moto's.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import shutil
import socket
import tempfile
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from sagemaker_provider.definition import shapes
from sagemaker_provider.local import events
from sagemaker_provider.local.bodies import json_object, take
from sagemaker_provider.local.endpoint import LocalEndpoint, forget_services
from sagemaker_provider.local.errors import ServiceError, invalid
from sagemaker_provider.local.faults import Faults, control, resource_name
from sagemaker_provider.local.settings import LocalSettings
from sagemaker_provider.local.store import Store

__all__ = ["LocalSageMaker", "LocalSettings", "local_sagemaker"]

Handler: TypeAlias = "Callable[[LocalSageMaker, str, dict[str, Any]], dict[str, Any]]"
"""Answers an operation: (local SageMaker, Region, request) -> response; raises ``ServiceError``."""

ACCOUNT: Final = "123456789012"
REGION: Final = "us-west-2"
MAX_BODY: Final = 8 * 1024 * 1024
"""Longest request in bytes; a definition has at most 1,048,576 characters."""

_INSTANCE_TYPE = re.compile(r"InstanceTypes?(\[\d+\])?$")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
_UNKNOWN_TO_MOTO: Final = ("Search", "CreateAutoMLJobV2", "DescribeAutoMLJobV2")
"""Operations that moto has, but which would have to know the resources that are kept here."""
_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/")
_log = logging.getLogger(__name__)


class Call(NamedTuple):
    """A call of the SageMaker API that was accepted."""

    operation: str
    request: dict[str, Any]
    region: str


class LocalSageMaker:
    """The service. Make it with :func:`local_sagemaker`.

    :param settings: see :class:`~sagemaker_provider.local.settings.LocalSettings`.

    ``faults`` makes calls and jobs fail on demand; ``calls`` are the latest 10,000 calls that were accepted, those of
    pipelines too; ``store`` is what it knows; ``url`` is where its endpoint is; ``environment`` are the variables with which
    boto3, Airflow, the AWS CLI and the SageMaker SDK use it.
    """

    def __init__(self, settings: LocalSettings) -> None:
        from sagemaker_provider.local.executions import Executions
        from sagemaker_provider.local.jobs import Jobs
        from sagemaker_provider.local.lambdas import Lambdas

        self.settings = settings
        self.faults = Faults()
        self.url = ""
        self.environment: Mapping[str, str] = {}
        if settings.data is None:
            self.work = Path(tempfile.mkdtemp(prefix="local-sagemaker-"))
        else:
            self.work = settings.data / "work"
            self.work.mkdir(parents=True, exist_ok=True)
        file = settings.data / "sagemaker.sqlite" if settings.data else None
        self.store = Store(file, listener=partial(events.send, ACCOUNT))
        self.jobs = Jobs(self)
        self.lambdas = Lambdas(self)
        self.executions = Executions(self)
        self.calls: deque[Call] = deque(maxlen=10_000)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    # For everything that runs here

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of this endpoint; made once, safe for many threads."""
        with self._lock:
            if (service, region) not in self._clients:
                import boto3
                import botocore.session
                from botocore.config import Config

                unconfigured = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
                session = boto3.session.Session(botocore_session=unconfigured)
                self._clients[service, region] = session.client(  # type: ignore[call-overload]
                    service,
                    region_name=region,
                    endpoint_url=self.url,
                    aws_access_key_id="local",
                    aws_secret_access_key="local",  # noqa: S106 - not a secret
                    config=Config(max_pool_connections=64, s3={"addressing_style": "path"}),
                )
            return self._clients[service, region]

    def arn(self, region: str, resource: str) -> str:
        """The ARN of a SageMaker resource, such as ``training-job/mine``."""
        return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{resource}"

    def call(self, operation: str, request: Mapping[str, Any], region: str = REGION) -> dict[str, Any]:
        """A call of the SageMaker API.

        :param operation: its name, such as ``CreateTrainingJob``.
        :param request: the request, as JSON.
        :raises ServiceError: the service refuses; the reasons are all in the message.
        """
        request = dict(without_nulls(request))
        name = resource_name(operation, request)
        self.faults.check(operation, name)
        handler = _operations().get(operation)
        if handler is None:
            raise ServiceError(
                "NotImplementedException", f"{operation} is not implemented by the local SageMaker", status=501
            )
        validate(operation, request)
        response = handler(self, region, request)
        self.calls.append(Call(operation, request, region))
        output = shapes.service_model("sagemaker").operation_model(operation).output_shape
        return _modelled(response, output) if output else {}

    def reset(self) -> None:
        """Forget every resource and fault, those of the other services too, and stop all jobs."""
        self.executions.close()
        self.jobs.close()
        self.lambdas.close()
        self.faults.clear()
        self.calls.clear()
        self.store.clear()
        forget_services()
        self.jobs.open()
        self.executions.open()

    def stop(self) -> None:
        """Stop all jobs and executions. With ``settings.data``, those that ran start again with the next server."""
        self.executions.close()
        self.jobs.close()
        self.lambdas.close()

    def close(self) -> None:
        """Let go of what is held."""
        self.stop()
        self.store.close()
        for client in self._clients.values():
            client.close()
        if self.settings.data is None:
            shutil.rmtree(self.work, ignore_errors=True)

    # HTTP

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any], moto: Any) -> Iterable[bytes]:
        """Answer a request signed for SageMaker."""
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if not target:  # SageMaker Runtime and others have the same signature, and paths instead of targets
            return moto(environ, start)  # type: ignore[no-any-return]
        request_id = str(uuid.uuid4())
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        region = scope["region"] if scope else REGION
        operation = target.partition(".")[2]
        other = None
        try:
            body = take(environ, MAX_BODY)
            if not _REGION.fullmatch(region):
                raise ServiceError("InvalidSignatureException", f"there is no Region {region!r}", status=403)
            if operation not in shapes.service_model("sagemaker").operation_names or not target.startswith(
                "SageMaker."
            ):
                raise ServiceError("UnknownOperationException", f"SageMaker has no operation {target!r}")
            if operation not in _operations() and _in_moto(operation):
                return moto(environ, start)  # type: ignore[no-any-return]
            request = json_object(body)
            answer, status = self.call(operation, request, region), 200
            name = resource_name(operation, request)
            other = self.faults.other_answer(operation, name)
            if self.faults.loses_response(operation, name):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        except ServiceError as error:
            answer, status = {"__type": error.code, "message": error.message}, error.status
        except Exception as error:
            _log.exception("The local SageMaker failed in %s", operation)
            answer, status = {"__type": "InternalFailure", "message": f"{type(error).__name__}: {error}"}, 500
        text = (json.dumps(answer) if other is None else other).encode()
        headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("Content-Length", str(len(text))),
            ("x-amzn-RequestId", request_id),
            ("x-local-sagemaker", "true"),
        ]
        if status != 200:
            headers.append(("x-amzn-ErrorType", str(answer["__type"])))
        start(f"{status} {'OK' if status == 200 else 'Error'}", headers)
        return [text]


@contextlib.contextmanager
def local_sagemaker(settings: LocalSettings | None = None, port: int = 0) -> Iterator[LocalSageMaker]:
    """A local SageMaker on loopback, for the time of a ``with`` block.

    :param settings: how jobs run; by default in memory, and what cannot run is simulated.
        The other AWS services are one for the whole process: they are empty afterwards, but for what ``settings.data`` keeps.
    :param port: TCP port; 0 for a free one.
    :raises OSError: the port is taken, or the folder of the state cannot be used.
    :raises ValueError: the settings cannot work on this machine.
    """
    settings = settings or LocalSettings()
    if not isinstance(settings, LocalSettings):
        raise TypeError(f"settings are LocalSettings(...), not {type(settings).__name__}")
    with contextlib.ExitStack() as stack:
        if settings.data is not None:
            settings.data.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_alone(settings.data))
        yield from _serve(settings, port)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other servers from a folder; the system lets go of it when this process ends, however it ends.

    :raises OSError: another server uses it.
    """
    import fcntl

    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"{folder} is in use by another local SageMaker") from None
        yield


def _serve(settings: LocalSettings, port: int) -> Iterator[LocalSageMaker]:
    from sagemaker_provider.local import resources
    from sagemaker_provider.local.emr import EMR
    from sagemaker_provider.local.emr_serverless import emr_serverless
    from sagemaker_provider.local.iam import iam
    from sagemaker_provider.local.journal import Journal

    journal = Journal(settings.data / "services.sqlite") if settings.data else None
    local = LocalSageMaker(settings)
    services: dict[str, Any] = {
        "sagemaker": local,
        "lambda": local.lambdas,
        "elasticmapreduce": EMR(local),
        "emr-serverless": emr_serverless,
        "iam": iam,
    }
    pages = {"/local-sagemaker/faults": lambda environ, start: control(local.faults, environ, start)}
    forget_services()
    try:
        with LocalEndpoint(port, services=services, pages=pages, journal=journal) as endpoint:
            local.url, local.environment = endpoint.url, endpoint.environment
            resources.resume(local)
            local.jobs.resume()
            local.executions.resume()
            try:
                yield local
            finally:  # what is asked for until the endpoint is closed is kept, and goes on with the next server
                local.stop()
    finally:
        local.close()
        if journal is not None:
            journal.close()


def validate(operation: str, request: Mapping[str, Any]) -> None:
    """Compare a request with the service model, as the service does.

    :raises ServiceError: all differences, in the service's words.
    """
    shape = shapes.request_shape("sagemaker", operation)
    if shape is None:
        return
    optional = frozenset(
        {"ClientRequestToken"}
    )  # any client but botocore may leave it out; then there is no repetition
    problems = [
        found
        for found in shapes.mismatches(request, shape, optional=optional)
        if not (found.kind == "model" and _INSTANCE_TYPE.search(found.place))  # the service knows newer ones
    ]
    if not problems:
        return
    code = "SerializationException" if all(found.kind == "type" for found in problems) else "ValidationException"
    texts = "; ".join(f"Value at '{found.place}' {found.message}" for found in problems)
    errors = "1 validation error" if len(problems) == 1 else f"{len(problems)} validation errors"
    raise ServiceError(code, f"{errors} detected: {texts}")


def without_nulls(value: Any) -> Any:
    """A request without null members, which mean nothing to the service."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def _modelled(value: Any, shape: Any) -> Any:
    """A response with the members of the service model only."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {key: _modelled(item, shape.members[key]) for key, item in value.items() if key in shape.members}
    if shape.type_name == "list" and isinstance(value, list):
        return [_modelled(item, shape.member) for item in value]
    return value


def once(
    operation: str, carry_out: Handler, local: LocalSageMaker, region: str, request: dict[str, Any]
) -> dict[str, Any]:
    """Carry out a call, or give the response of the same call with the same token before.

    :raises ServiceError: the token was used with another request.
    """
    token = request.get("ClientRequestToken") or request.get("ClientToken")
    with local.store.transaction():
        if not token:
            return carry_out(local, region, request)
        key = f"{operation}/{token}"
        if known := local.store.get(region, "Token", key):
            if known["request"] != request:
                raise invalid(f"{operation}: the token {token!r} was used before with another request")
            return dict(known["response"])
        response = carry_out(local, region, request)
        local.store.put(region, "Token", key, {"request": request, "response": response, "_name": key})
        return response


@cache
def _operations() -> Mapping[str, Handler]:
    from sagemaker_provider.local import pipelines, resources

    return {**resources.OPERATIONS, **pipelines.OPERATIONS}


def _in_moto(operation: str) -> bool:
    from botocore import xform_name
    from moto.sagemaker.responses import SageMakerResponse

    return operation not in _UNKNOWN_TO_MOTO and hasattr(SageMakerResponse, xform_name(operation))
