"""Runs the command of a job; a script of its own that needs nothing but a Python from 3.8 on.

    python -I -S launch.py PARENT STATUS ML DIRECTORY COMMAND ...

``PARENT`` is the process id of the server: when the server is gone, everything that the command started is killed.
``STATUS`` is a file descriptor that is open as long as this process lives. ``ML`` is the folder that the command sees as
``/opt/ml``, in a mount namespace of its own that nobody else sees; empty for none. ``DIRECTORY`` is where it starts.

SIGTERM is left to the command; SIGUSR2 kills it and all that it started. The exit code is the command's, 128 + number for a
signal. Nothing that the command started outlives it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from typing import Any

ML = "/opt/ml"
CANNOT_RUN, NOT_FOUND, NO_NAMESPACE = 126, 127, 125

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform.startswith("linux")


def main(arguments: list[str]) -> int:
    """Run a command; the exit code."""
    parent, status, ml, directory = int(arguments[0]), int(arguments[1]), arguments[2], arguments[3]
    command = arguments[4:]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.set_inheritable(status, False)
    libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None
    if ml:
        try:
            enter_namespace(libc, ml)
        except OSError as error:
            print(f"no private mount namespace: {error}", file=sys.stderr)
            return NO_NAMESPACE
    killing: list[bool] = []

    def kill(*_: Any) -> None:
        killing.append(True)
        kill_children(child)

    child: int | None = None
    signal.signal(signal.SIGUSR2, kill)
    if libc:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGUSR2)  # after the namespace: new credentials clear it
    if os.getppid() != parent:
        return 128 + signal.SIGKILL
    child = os.fork()
    if child == 0:
        run(libc, command, directory)
    if killing:  # between the signal's handler and the fork
        kill_children(child)
    code = wait_for(child, killing)
    kill_rest()
    return code


def run(libc: Any, command: list[str], directory: str) -> None:
    """Become the command; does not return."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        if libc:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.chdir(directory)
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN)


def wait_for(child: int, killing: list[bool]) -> int:
    """Wait for the command, reaping all that became ours; its exit code."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if killing:
            kill_children(child)


def kill_rest() -> None:
    """Kill and reap what the command left behind; what loses its parent becomes our child."""
    while True:
        kill_children(None)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def kill_children(child: int | None) -> None:
    """Send SIGKILL to our children."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            children = [int(pid) for pid in file.read().split()]
    except OSError:  # not on this system: what is known, and its group
        children = [child] if child else []
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def enter_namespace(libc: Any, ml: str) -> None:
    """Make a folder appear at /opt/ml for this process and its children only.

    :raises OSError: the system does not allow it.
    """
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWNS) != 0:
        check(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS), "unshare")
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {uid} 1")
        write("/proc/self/gid_map", f"{gid} {gid} 1")
    mount(libc, "none", "/", None, _MS_REC | _MS_PRIVATE)
    source = os.open(ml, os.O_PATH | os.O_DIRECTORY)
    if not os.path.isdir(ML):
        make_place(libc)
    mount(libc, f"/proc/self/fd/{source}", ML, None, _MS_BIND | _MS_REC)
    os.close(source)


def make_place(libc: Any) -> None:
    """Give /opt the entry ``ml`` without touching the machine's: a new /opt in memory, with all entries of the old one."""
    folder = os.path.realpath("/opt")
    names = os.listdir(folder)
    old = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    mount(libc, "tmpfs", folder, "tmpfs", 0, "mode=755")
    for name in names:
        source, target = f"/proc/self/fd/{old}/{name}", os.path.join(folder, name)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
            continue
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            write(target, "")
        mount(libc, source, target, None, _MS_BIND | _MS_REC)
    os.close(old)
    os.mkdir(ML)


def mount(libc: Any, source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """The system call of that name."""
    encoded = [item.encode() if item is not None else None for item in (source, target, kind, options)]
    check(libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]), target)


def check(result: int, what: str) -> None:
    """Raise the error of a system call that failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def write(path: str, text: str) -> None:
    """Write a text to a file."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
