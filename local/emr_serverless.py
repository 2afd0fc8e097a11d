"""What moto's EMR Serverless lacks: a token makes a repeated call harmless, and jobs know when they were made.

API reference, StartJobRun and CreateApplication: ``clientToken``, "The client idempotency token of the job run to start. Its
value must be unique for each request."
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from sagemaker_provider.local.bodies import json_object, take
from sagemaker_provider.local.errors import ServiceError

_CREATING: Final = re.compile(r"/applications(?:/(?P<application>[^/]+)/jobruns)?/?")
_LOCK: Final = threading.RLock()


def emr_serverless(environ: dict[str, Any], start: Callable[..., Any], moto: Any) -> Iterable[bytes]:
    """Answer a request signed for EMR Serverless."""
    match = _CREATING.fullmatch(environ["PATH_INFO"])
    if environ["REQUEST_METHOD"] != "POST" or match is None:
        return moto(environ, start)  # type: ignore[no-any-return]
    try:
        token = json_object(take(environ)).get("clientToken")
    except ServiceError as error:
        return _respond(start, error.status, {"__type": error.code, "message": error.message})
    with _LOCK:
        before = _made(match["application"])
        if known := next((item for item in before if token and item.client_token == token), None):
            ids = {"applicationId": match["application"], "jobRunId": known.id} if match["application"] else {}
            return _respond(start, 200, {"applicationId": known.id, "name": known.name, "arn": known.arn, **ids})
        answer: Iterable[bytes] = moto(environ, start)
        for item in _made(match["application"]):
            if item not in before:
                _date(item)
        return answer


def _made(application: str | None) -> list[Any]:
    """The job runs of an application, or the applications, of every Region."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.emrserverless.models import emrserverless_backends

    backends = list(emrserverless_backends[DEFAULT_ACCOUNT_ID].values())
    if application is None:
        return [item for backend in backends for item in backend.applications.values()]
    return [item for backend in backends for item in backend.job_runs.get(application, ())]


def _date(item: Any) -> None:
    """Moto says that everything was made at midnight."""
    from moto.core.utils import utcnow

    item.created_at = item.updated_at = utcnow()


def _respond(start: Callable[..., Any], status: int, answer: Any) -> Iterable[bytes]:
    text = json.dumps(answer).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    start(f"{status} {'OK' if status == 200 else 'Error'}", headers)
    return [text]
