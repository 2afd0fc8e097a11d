"""An AWS endpoint on this machine: moto's application behind real HTTP, on the loopback interface only."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from sagemaker_provider.local.bodies import take
from sagemaker_provider.local.errors import ServiceError

if TYPE_CHECKING:
    from sagemaker_provider.local.journal import Journal

Application: TypeAlias = "Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]"

LOOPBACK: Final = "127.0.0.1"
_log = logging.getLogger(__name__)
_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]*/(?P<service>[^/]+)/")


def forget_aws(environ: MutableMapping[str, str]) -> None:
    """Take every AWS setting out of an environment: each could lead a client to a real account, or to a missing profile."""
    for name in [name for name in environ if name.startswith("AWS_")]:
        del environ[name]


def forget_services() -> None:
    """Empty the services that are moto's, which are one for the whole process."""
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()


class LocalEndpoint:
    """A running endpoint; use it as a context manager.

    Clients find it by the variables of :attr:`environment`, without any patch.

    :param port: TCP port; 0 for a free one.
    :param pages: applications by path, for what is not AWS.
    :param journal: keeps what clients change in moto's services; they are asked for it again at the start.
    :param services: applications that answer for a service instead of moto, by the name in the request's signature. Each
        is called with the WSGI environment, the start function and moto's application.
    """

    def __init__(
        self,
        port: int = 0,
        services: Mapping[str, Callable[..., Iterable[bytes]]] | None = None,
        pages: Mapping[str, Application] | None = None,
        journal: Journal | None = None,
    ) -> None:
        from moto.core.config import default_user_config
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line a request helps nobody
        default_user_config["lambda"]["use_docker"] = False
        self._moto: Application = DomainDispatcherApplication(partial(_backend, create_backend_app))
        self._services, self._pages, self._journal = dict(services or {}), dict(pages or {}), journal
        self._socket = _listening(port)  # werkzeug itself would end the process when the port is taken
        self._port: int = self._socket.getsockname()[1]
        self._server = make_server(LOOPBACK, port, self._dispatch, threaded=True, fd=self._socket.fileno())
        self._thread = threading.Thread(target=self._server.serve_forever, name="local-aws-endpoint", daemon=True)

    def _dispatch(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if not (_is_local(environ.get("HTTP_HOST", "")) and _is_local(_site(environ.get("HTTP_ORIGIN", "")))):
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"this endpoint answers clients of this machine, not web pages\n"]
        if page := self._pages.get(environ["PATH_INFO"]):
            return page(environ, start)
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        unsigned = "sagemaker" if environ.get("HTTP_X_AMZ_TARGET", "").startswith("SageMaker.") else ""
        name = scope["service"] if scope else unsigned
        moto = self._moto if self._journal is None else partial(self._journaled, name)
        service = self._services.get(name)
        try:
            return service(environ, start, moto) if service else moto(environ, start)
        except ServiceError as error:  # a body that cannot be read
            start(f"{error.status} Error", [("Content-Type", "text/plain")])
            return [f"{error.code}: {error.message}\n".encode()]

    def _journaled(self, service: str, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Moto's answer; what it changed is kept."""
        assert self._journal is not None
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._moto(environ, start)
        take(environ)
        if not self._journal.wants(environ, service):
            return self._moto(environ, start)
        return self._journal.carry_out(self._moto, environ, start)

    @property
    def url(self) -> str:
        """Where the endpoint is, such as ``http://127.0.0.1:43210``."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which boto3, Airflow and the AWS CLI use this endpoint, and never a real account."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        }

    def __enter__(self) -> LocalEndpoint:
        if self._journal is not None:
            self._journal.replay(self._moto)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._socket.close()


def _backend(create: Callable[[str], Any], service: str) -> Any:
    """A service of moto, which answers in the service's form when it lacks an operation."""
    app = create(service)
    app.register_error_handler(NotImplementedError, _not_implemented)
    return app


def _not_implemented(error: NotImplementedError) -> tuple[str, int, dict[str, str]]:
    from flask import request

    text = f"moto, which answers for this service on the local endpoint, says: {error or 'not implemented'}"
    _log.warning("%s", text)
    code = "NotImplementedException"
    if "json" in request.headers.get("Content-Type", "") or "X-Amz-Target" in request.headers:
        return json.dumps({"__type": code, "message": text}), 501, {"Content-Type": "application/x-amz-json-1.1"}
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(text)}</Message></Error></ErrorResponse>"
    return body, 501, {"Content-Type": "text/xml"}


def _site(origin: str) -> str:
    return urlsplit(origin).netloc or origin


def _is_local(host: str) -> bool:
    """Whether a host, perhaps with a port, is this machine by name; no host is.

    A web page of another site can send requests to loopback; the browser tells its site in ``Origin``, or, after that site
    has given its name another address, in ``Host``.
    """
    name = re.sub(r":\d*$", "", host)
    return name in ("", "localhost", "[::1]") or name.endswith((LOOPBACK, ".localhost"))


def _listening(port: int) -> socket.socket:
    """A socket on loopback.

    :raises OSError: the port is taken or none.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(f"port {port} on {LOOPBACK}: {error.strerror}") from None
    except OverflowError:
        listener.close()
        raise OSError(f"port {port}: ports are 0 to 65535") from None
    return listener
