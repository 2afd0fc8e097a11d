"""Bodies of requests, read once however they are sent, and readable again by who is asked next."""

from __future__ import annotations

import io
import json
from typing import Any

from sagemaker_provider.local.errors import ServiceError


def take(environ: dict[str, Any], most: int | None = None) -> bytes:
    """The body of a request, which whoever answers next finds in ``environ`` again.

    :param most: longest body in bytes; ``None`` for any.
    :raises ServiceError: its length is no length, or too much.
    """
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise ServiceError("SerializationException", "Content-Length is not a number") from None
    if length < 0:
        raise ServiceError("SerializationException", "Content-Length is negative")
    if most is not None and length > most:
        raise _too_long(most)
    stream = environ["wsgi.input"]
    chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
    body: bytes = (stream.read() if most is None else stream.read(most + 1)) if chunked else stream.read(length)
    if most is not None and len(body) > most:
        raise _too_long(most)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _too_long(most: int) -> ServiceError:
    return ServiceError("RequestEntityTooLarge", f"a request has at most {most} bytes", status=413)


def json_object(body: bytes) -> dict[str, Any]:
    """The request in a body.

    :raises ServiceError: it is not JSON, or no object.
    """
    try:
        request = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ServiceError("SerializationException", f"the request is not JSON: {error}") from None
    if not isinstance(request, dict):
        raise ServiceError("SerializationException", "a request is a JSON object")
    return request
