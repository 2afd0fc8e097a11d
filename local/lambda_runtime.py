"""Runs a Lambda function once. A script for the function's own process: the standard library only, Python 3.8 or later.

The request is JSON on standard input: ``event``, ``handler``, ``path`` (folders for imports, the code's own first),
``result`` (file for the answer), ``ready`` (file descriptor closed when the handler is about to start), ``parent`` (process
id of the server), ``seconds`` (the function's time-out) and ``context`` (attributes of the context object). The answer is
JSON: ``payload``, ``failed``, ``memory`` (in MB, or null).
"""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import signal
import sys
import time
import traceback
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

_PR_SET_PDEATHSIG = 1


class _FunctionError(Exception):
    """The function cannot be run, or its answer is none."""

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind, self.stack = kind, stack or []


def main() -> None:
    """Run the function, leave its answer, and end this process at once, whatever threads are left."""
    request = json.loads(sys.stdin.buffer.read())
    _die_with(request["parent"])
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - the function's, to its end
    sys.path[:0] = request["path"]
    request_id = request["context"]["aws_request_id"]
    _log_like_the_service(request_id)
    try:
        handler = _handler(request["handler"])
        started = time.monotonic()
        os.close(request["ready"])
        payload, failed = _marshal(handler(request["event"], _context(request, started))), False
    except Exception as error:
        payload, failed = json.dumps(_report(error, request_id)), True
    unfinished = f"{request['result']}.part"
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump({"payload": payload, "failed": failed, "memory": _memory()}, file)
    os.replace(unfinished, request["result"])
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _memory() -> int | None:
    """The most memory that this process has had, in MB, where the system tells."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            return next((int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM:")), None)
    except OSError:
        return None


def _log_like_the_service(request_id: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    formatter = logging.Formatter(
        f"[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t{request_id}\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)


def _handler(text: str) -> Any:
    module_name, dot, name = text.rpartition(".")
    if not dot:
        raise _FunctionError("Runtime.MalformedHandlerName", f"Bad handler '{text}': it must be module.function")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise _FunctionError(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from error
    except SyntaxError as error:
        raise _FunctionError(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {error}",
            [f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").strip()}\n'],
        ) from error
    if not hasattr(module, name):
        raise _FunctionError("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    return getattr(module, name)


def _context(request: dict[str, Any], started: float) -> SimpleNamespace:
    end = started + request["seconds"]
    return SimpleNamespace(
        **request["context"],
        get_remaining_time_in_millis=lambda: max(0, int((end - time.monotonic()) * 1000)),
        identity=SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None),
        client_context=None,
    )


def _marshal(answer: Any) -> str:
    try:
        return json.dumps(answer, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _FunctionError("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _report(error: Exception, request_id: str) -> dict[str, Any]:
    """The payload for an error; the log gets it too."""
    if isinstance(error, _FunctionError):
        kind, stack = error.kind, error.stack
    else:
        own = os.path.abspath(__file__)
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != own]
        frames = [frame for frame in frames if "importlib" not in frame.filename]
        kind, stack = type(error).__name__, traceback.format_list(frames)
    print(f"[ERROR] {kind}: {error}", *(["Traceback (most recent call last):", *stack] if stack else []), sep="\n")
    return {"errorMessage": str(error), "errorType": kind, "requestId": request_id, "stackTrace": stack}


if __name__ == "__main__":
    main()
