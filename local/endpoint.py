"""An AWS endpoint on this machine: moto's application behind real HTTP, on the loopback interface only."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, TypeAlias

Application: TypeAlias = "Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]"

LOOPBACK: Final = "127.0.0.1"
_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]*/(?P<service>[^/]+)/")


class LocalEndpoint:
    """A running endpoint; use it as a context manager.

    Clients find it by the variables of :attr:`environment`, without any patch.

    :param port: TCP port; 0 for a free one.
    :param services: applications that answer for a service instead of moto, by the name in the request's signature. Each
        is called with the WSGI environment, the start function and moto's application.
    """

    def __init__(self, port: int = 0, services: Mapping[str, Callable[..., Iterable[bytes]]] | None = None) -> None:
        from moto.core.config import default_user_config
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # one line a request helps nobody
        default_user_config["lambda"]["use_docker"] = False
        self._moto: Application = DomainDispatcherApplication(create_backend_app)
        self._services = dict(services or {})
        self._server = make_server(LOOPBACK, port, self._dispatch, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="local-aws-endpoint", daemon=True)

    def _dispatch(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = self._services.get(scope["service"]) if scope else None
        return service(environ, start, self._moto) if service else self._moto(environ, start)

    @property
    def url(self) -> str:
        """Where the endpoint is, such as ``http://127.0.0.1:43210``."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

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
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
