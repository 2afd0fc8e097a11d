"""Serves a model over HTTP by the inference contract of SageMaker; a script of its own, standard library only.

    python serving.py PORT_FILE MODEL_DIR CODE_DIR SCRIPT

The script has ``model_fn``, and may have ``input_fn``, ``predict_fn`` and ``output_fn``, or ``transform_fn`` in place of these
three. Defaults read and write JSON, CSV and NPY, and call the model's ``predict``. The port is written to ``PORT_FILE`` when the
model is loaded.

Source: docs of the SageMaker Python SDK and github.com/aws/sagemaker-inference-toolkit.
"""

from __future__ import annotations

import csv
import importlib
import importlib.util
import io
import json
import os
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"


class UnsupportedType(Exception):  # noqa: N818 - says what it is
    """A content type that nobody here reads or writes; ``status`` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def decode(body: Any, content_type: str) -> Any:
    """Read a payload: an array where there is numpy, else lists."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON:
        return as_array(json.loads(body))
    if kind == CSV:
        rows = [[number(item) for item in row] for row in csv.reader(io.StringIO(as_text(body))) if row]
        return as_array(rows)
    if kind == NPY:
        return importlib.import_module("numpy").load(io.BytesIO(body), allow_pickle=False)
    raise UnsupportedType(415, f"content type {content_type!r} is not supported by the default input_fn")


def encode(value: Any, accept: str) -> str | bytes:
    """Write a prediction."""
    kind = accept.partition(";")[0].strip().lower()
    if kind == JSON:
        return json.dumps(as_lists(value))
    if kind == CSV:
        rows = as_lists(value)
        rows = rows if isinstance(rows, (list, tuple)) else [rows]
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows(
            row if isinstance(row, (list, tuple)) else [row] for row in rows
        )
        return buffer.getvalue()
    if kind == NPY:
        numpy = importlib.import_module("numpy")
        array = io.BytesIO()
        numpy.save(array, numpy.asarray(value))
        return array.getvalue()
    raise UnsupportedType(406, f"accept type {accept!r} is not supported by the default output_fn")


def as_text(body: Any) -> Any:
    """Bytes or text as text."""
    return body.decode("utf-8") if isinstance(body, (bytes, bytearray)) else body


def number(text: str) -> float | str:
    """A number, where the text is one."""
    try:
        return float(text)
    except ValueError:
        return text


def as_array(value: Any) -> Any:
    """Lists as a numpy array, where there is numpy and they are one."""
    try:
        return importlib.import_module("numpy").array(value)
    except (ImportError, ValueError):
        return value


def as_lists(value: Any) -> Any:
    """Arrays and the like as lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def load(code_dir: str, script: str) -> Any:
    """Import the user's script."""
    sys.path.insert(0, code_dir)
    name = os.path.splitext(os.path.basename(script))[0]
    spec = importlib.util.spec_from_file_location(name, os.path.join(code_dir, script))
    if spec is None or spec.loader is None:
        raise ImportError(f"{script} is no Python script")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Model:
    """A loaded model with its handlers."""

    def __init__(self, module: Any, model_dir: str) -> None:
        if not hasattr(module, "model_fn"):
            raise AttributeError(f"{module.__name__} has no model_fn")
        self.module = module
        self.model = module.model_fn(model_dir)

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """(Body, content type) of the answer to a payload."""
        module = self.module
        data = body if content_type in (NPY, "application/octet-stream") or not is_text(body) else as_text(body)
        if hasattr(module, "transform_fn"):
            result = module.transform_fn(self.model, data, content_type, accept)
        else:
            given = getattr(module, "input_fn", decode)(data, content_type)
            predicted = getattr(module, "predict_fn", predict)(given, self.model)
            result = getattr(module, "output_fn", encode)(predicted, accept)
        if isinstance(result, tuple) and len(result) == 2:
            result, accept = result
        return (bytes(result) if isinstance(result, (bytes, bytearray)) else str(result).encode("utf-8")), str(accept)


def is_text(body: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def predict(data: Any, model: Any) -> Any:
    """The default ``predict_fn``."""
    return model.predict(data) if hasattr(model, "predict") else model(data)


def handler(model: Model) -> type[BaseHTTPRequestHandler]:
    """The HTTP handler of a model."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(200 if self.path == "/ping" else 404, b"", "text/plain")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != "/invocations":
                self.reply(404, b"", "text/plain")
                return
            content_type = self.headers.get("Content-Type") or JSON
            accept = self.headers.get("Accept")
            if not accept or accept == "*/*":
                accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
            try:
                answer, kind = model.answer(body, content_type, accept)
            except UnsupportedType as error:
                self.reply(error.status, str(error).encode(), "text/plain")
            except Exception as error:
                traceback.print_exc()
                text = f"{type(error).__name__}: {error}"
                self.reply(500, text.encode("utf-8", "replace"), "text/plain")
            else:
                self.reply(200, answer, kind)

        def reply(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """One line a request helps nobody."""

    return Handler


def main(arguments: list[str]) -> None:
    """Load the model and serve it until the process is ended."""
    port_file, model_dir, code_dir, script = arguments
    del sys.path[0]  # this file's folder; its modules are not the user's
    model = Model(load(code_dir, script), model_dir)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(model))
    with open(port_file + ".new", "w", encoding="ascii") as file:
        file.write(str(server.server_port))
    os.replace(port_file + ".new", port_file)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
