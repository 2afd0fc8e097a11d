"""What clients asked other services than SageMaker to change, on disk, so that a new server can ask moto again."""

from __future__ import annotations

import io
import json
import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sagemaker_provider.local.store import open_database

_log = logging.getLogger(__name__)
_READS: Final = re.compile(r"(Get|List|Describe|Head|Batch(Get|Describe)|Query|Scan|Receive|Filter|Test|Assume)")
_SKIPPED: Final = {
    "sqs": ("SendMessage", "DeleteMessage", "ChangeMessageVisibility"),
    "sns": ("Publish",),
    "events": ("PutEvents",),
}
"""Messages have receipts that another server does not know; a queue is empty after a restart."""
_SESSION: Final = "HTTP_X_AMZ_SECURITY_TOKEN"
_SECRETS: Final = re.compile(r"(Credential=|Signature=)[^/,\s]+")
_SHOWN: Final = ("REQUEST_METHOD", "PATH_INFO")
_METHODS: Final = ("PUT", "POST", "DELETE", "PATCH")


class Journal:
    """Requests in the order in which they were carried out.

    :param file: SQLite database.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._database = open_database(
            file, "CREATE TABLE IF NOT EXISTS requests (environ TEXT, body BLOB, seed INTEGER, upload TEXT)"
        )

    def wants(self, environ: Mapping[str, Any], service: str) -> bool:
        """Whether a request may change something that should outlive the server."""
        if environ["REQUEST_METHOD"] not in _METHODS or environ["PATH_INFO"].startswith(("/moto-api", "/local-")):
            return False
        operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
        if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded") and not operation:
            body = environ["wsgi.input"].getvalue().decode(errors="replace")
            operation = next(iter(re.findall(r"(?:^|&)Action=(\w+)", body)), "")
        return not _READS.match(operation) and not operation.startswith(_SKIPPED.get(service, ("-",)))

    def carry_out(
        self, application: Callable[..., Iterable[bytes]], environ: dict[str, Any], start: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Let moto answer, and keep the request if it succeeded, before the client hears of it."""
        kept = {name: value for name, value in environ.items() if isinstance(value, (str, int)) and name != _SESSION}
        if authorization := environ.get("HTTP_AUTHORIZATION"):  # moto needs its scope; the key is not ours to keep
            kept["HTTP_AUTHORIZATION"] = _SECRETS.sub(r"\1local", authorization)
        body = environ["wsgi.input"].getvalue()
        seed = secrets.randbits(62)
        with self._lock:  # one after the other, as they will be asked for again
            status, headers, parts = _ask(application, environ, seed)
            if status.startswith("2"):
                row = (json.dumps(kept), body, seed, _upload(environ, parts))
                self._database.execute("INSERT INTO requests VALUES (?, ?, ?, ?)", row)
        start(status, headers)
        return parts

    def replay(self, application: Callable[..., Iterable[bytes]]) -> None:
        """Ask moto again for everything. What it refuses now is logged and left out."""
        from moto.moto_api._internal.models import moto_api_backend

        moto_api_backend.reset()  # what an earlier server of this process has left would be in the way
        uploads: dict[str, str] = {}
        rows = self._database.execute("SELECT environ, body, seed, upload FROM requests ORDER BY rowid")
        for text, body, seed, upload in rows:
            environ = {**json.loads(text), "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO()}
            for old, new in uploads.items():
                environ["QUERY_STRING"] = environ["QUERY_STRING"].replace(old, new)
            status, _, parts = _ask(application, environ, seed)
            if not status.startswith("2"):
                answer = b"".join(parts)[:200].decode(errors="replace")
                _log.warning("After the restart: %s %s: %s %s", *map(environ.get, _SHOWN), status, answer)
            elif upload:
                uploads[upload] = _upload(environ, parts) or upload
        _empty_queues()

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _ask(
    application: Callable[..., Iterable[bytes]], environ: dict[str, Any], seed: int
) -> tuple[str, list[tuple[str, str]], list[bytes]]:
    """An application's answer: status, headers, body.

    :param seed: for the ids that moto makes up, so that they are the same when it is asked again.
    """
    from moto.moto_api._internal import mock_random

    mock_random.seed(seed)
    answer: list[Any] = []
    try:
        parts = list(application(environ, lambda status, headers, *rest: answer.append((status, headers))))
    except Exception as error:
        _log.exception("moto failed in %s %s", *map(environ.get, _SHOWN))
        return "500 Error", [("Content-Type", "text/plain")], [f"{type(error).__name__}: {error}".encode()]
    return (*answer[-1], parts)


def _upload(environ: Mapping[str, Any], parts: list[bytes]) -> str | None:
    """The id that S3 has made up for a multipart upload, when the request began one."""
    if environ.get("QUERY_STRING", "").partition("=")[0] != "uploads":
        return None
    found = re.search(rb"<UploadId>(.*?)</UploadId>", b"".join(parts))
    return found[1].decode() if found else None


def _empty_queues() -> None:
    """Take from the queues what buckets and topics have put there while everything was asked for again."""
    from moto.backends import get_backend

    for account in get_backend("sqs").values():
        for backend in account.values():
            for name in list(backend.queues):
                backend.purge_queue(name)
