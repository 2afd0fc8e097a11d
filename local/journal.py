"""What clients asked other services than SageMaker to change, on disk, so that a new server can ask moto again."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sagemaker_provider.local.store import open_database

_READS: Final = re.compile(r"(Get|List|Describe|Head|Batch(Get|Describe)|Query|Scan|Receive|Filter|Test|Assume)")
_SKIPPED: Final = {"sqs": ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")}
"""Messages have receipts that another server does not know; a queue is empty after a restart."""
_METHODS: Final = ("PUT", "POST", "DELETE", "PATCH")


class Journal:
    """Requests in the order in which they were carried out.

    :param file: SQLite database.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._database = open_database(file, "CREATE TABLE IF NOT EXISTS requests (environ TEXT, body BLOB)")

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
        answer: list[Any] = []
        parts = list(application(environ, lambda status, headers, *rest: answer.append((status, headers))))
        status, headers = answer[-1]
        if status.startswith("2"):
            kept = {
                key: value
                for key, value in environ.items()
                if isinstance(value, (str, int)) and key != "wsgi.url_scheme"
            }
            with self._lock:
                self._database.execute(
                    "INSERT INTO requests VALUES (?, ?)", (json.dumps(kept), environ["wsgi.input"].getvalue())
                )
        start(status, headers)
        return parts

    def replay(self, application: Callable[..., Iterable[bytes]]) -> int:
        """Ask moto again for everything; the number of requests."""
        count = 0
        for text, body in self._database.execute("SELECT environ, body FROM requests ORDER BY rowid"):
            environ = {**json.loads(text), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body)}
            environ["wsgi.errors"] = io.StringIO()
            list(application(environ, lambda *answer: None))
            count += 1
        return count

    def close(self) -> None:
        """Close the file."""
        self._database.close()
