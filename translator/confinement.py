"""What DAG code may not do while it loads: no network, no processes, no writing, no more memory than a limit.

This keeps mistakes and habits of DAG files from doing harm. It is no sandbox: code that means to can get around it, for
example with ``ctypes``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

MEMORY: Final = 4 * 2**30
"""Bytes of address space that loading and converting one file may take beyond what Airflow takes."""
_LARGEST_FILE: Final = 2**30

_NETWORK: Final = frozenset(
    f"socket.{name}"
    for name in ("connect", "bind", "sendto", "sendmsg", "getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo")
)
_PROCESSES: Final = frozenset(
    (
        *("subprocess.Popen", "pty.spawn", "os.system", "os.exec", "os.fork", "os.forkpty"),
        *("os.posix_spawn", "os.spawn", "os.kill", "os.killpg"),
    )
)
_WRITES: Final = frozenset(
    f"os.{name}"
    for name in ("remove", "rename", "mkdir", "rmdir", "link", "symlink", "truncate", "chmod", "chown", "utime")
)
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class RefusedError(PermissionError):
    """DAG code did something at import that a conversion does not allow."""


def confine(temporary: Path, refused: Callable[[str], None]) -> None:
    """Restrict this process for the rest of its life.

    :param temporary: the only folder in which files may be written.
    :param refused: is told what was tried, as the end of a sentence that begins with "the file".
    """
    _limit_memory()
    sys.addaudithook(_hook(os.path.realpath(temporary), refused))


def _hook(temporary: str, refused: Callable[[str], None]) -> Callable[[str, tuple[Any, ...]], None]:
    """The audit hook; what it needs is in its closure, where DAG code does not find it by accident."""
    network, processes, writes, writing = _NETWORK, _PROCESSES, _WRITES, _WRITING
    realpath, join, exists, fsdecode = os.path.realpath, os.path.join, os.path.exists, os.fsdecode
    separator, devnull, error = os.sep, os.devnull, RefusedError
    busy: list[int] = []

    def inside(path: Any, folder: Any = -1) -> bool:
        if isinstance(path, int) or path is None:
            return True  # what is open already
        text = fsdecode(path)
        if isinstance(folder, int) and folder != -1:
            text = join(f"/proc/self/fd/{folder}", text)
        found = realpath(text)
        return found in (devnull, temporary) or found.startswith(temporary + separator)

    def refuse(what: str) -> None:
        refused(what)
        raise error(f"not allowed while a DAG file is converted: the file {what}")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if busy:
            return
        if event in network:
            refuse(f"uses the network ({event})")
        elif event in processes:
            refuse(f"starts or ends a process ({event})")
        elif event == "sqlite3.connect":
            if arguments[0] not in (":memory:", ""):
                refuse("opens a database")
        elif event == "open" or event in writes:
            busy.append(1)  # looking at paths causes events of its own
            try:
                first, last = {"os.rename": (0, 2), "os.link": (0, 2), "os.symlink": (1, 2)}.get(event, (0, 1))
                paths = arguments[first:last]
                if event == "open":
                    mode, flags = arguments[1:]
                    changes = any(letter in (mode or "") for letter in "wax+") or (flags or 0) & writing
                    allowed = not changes or inside(paths[0])
                else:
                    folder = -1 if event == "os.truncate" else arguments[-1]
                    fails = event == "os.mkdir" and exists(paths[0])  # by itself, which libraries expect
                    allowed = fails or all(inside(path, folder) for path in paths)
            finally:
                busy.pop()
            if not allowed:
                refuse(f"writes {', '.join(map(fsdecode, paths))}")

    return hook


def _limit_memory() -> None:
    """Limit address space, size of files and core dumps, where the system can."""
    try:
        import resource
    except ImportError:  # no POSIX system
        return
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    except (OSError, ValueError):  # this system has no /proc, or does not limit it
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
