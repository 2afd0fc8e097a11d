"""What stands for a job's container: a folder with the layout of ``/opt/ml``, an environment, a process."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

from sagemaker_provider.local import launch, transfers
from sagemaker_provider.local.settings import LocalSettings

ML: Final = launch.ML
Isolation = Literal["namespace", "paths", "docker"]

_ML_PATH: Final = re.compile(r"(?<![\w.-])/opt/ml(?![\w.-])")
_LAUNCHER: Final = (sys.executable, "-I", "-S", launch.__file__)
_LONGEST_LINE: Final = 200_000
_LOG_PIECE: Final = 4 * 1024 * 1024
_SCRIPT_RUNNERS: Final = re.compile(r"(python[\d.]*|bash|sh|dash)")
_SYSTEM_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_log = logging.getLogger(__name__)


@functools.cache
def namespaces_work() -> bool:
    """Whether this system lets us give a process a ``/opt/ml`` of its own; tried once."""
    if not sys.platform.startswith("linux"):
        return False
    with tempfile.TemporaryDirectory(prefix="local-sagemaker-probe-") as folder:
        Path(folder, "probe").touch()
        command = [sys.executable, "-I", "-S", "-c", f"import os; os.stat('{ML}/probe')"]
        read, write = os.pipe()
        try:
            done = subprocess.run(
                [*_LAUNCHER, str(os.getpid()), str(write), folder, "/", *command],
                pass_fds=(write,),
                env={"PATH": _SYSTEM_PATH},
                capture_output=True,
                check=False,
            )
        finally:
            os.close(read)
            os.close(write)
        if done.returncode != 0:
            _log.info("Jobs run with rewritten paths: %s", done.stderr.decode(errors="replace").strip())
        return done.returncode == 0


def check_settings(settings: LocalSettings) -> None:
    """See whether jobs can run with these settings on this system.

    :raises ValueError: they cannot.
    """
    if not os.access(python_of(settings), os.X_OK):
        raise ValueError(f"settings: there is no Python {settings.python!r}")
    if settings.isolation == "namespace" and not namespaces_work():
        raise ValueError(
            "settings: isolation 'namespace': this system lets no process have a mount namespace of its own"
        )
    if settings.isolation == "docker" and shutil.which("docker") is None:
        raise ValueError("settings: isolation 'docker': there is no program 'docker'")


def isolation(settings: LocalSettings) -> Isolation:
    """How jobs get their ``/opt/ml`` with these settings on this system."""
    if settings.isolation == "auto":
        return "namespace" if namespaces_work() else "paths"
    return settings.isolation


def python_of(settings: LocalSettings) -> str:
    """Absolute path of the Python that runs jobs."""
    return os.path.abspath(shutil.which(settings.python) or settings.python)


def search_path(settings: LocalSettings, work: Path) -> str:
    """``PATH`` of jobs: ``python`` and ``python3`` are the Python of the settings.

    :param work: where a folder with these two is made when the Python's own folder has not both.
    """
    python = Path(python_of(settings))
    folder = python.parent
    names = ("python", "python3")
    if all((folder / name).exists() and os.path.samefile(folder / name, python) for name in names):
        return f"{folder}:{_SYSTEM_PATH}"
    scripts = work / "bin"  # scripts, no links: a virtual environment is found by the name that it is started by
    if not scripts.exists():
        scripts.mkdir(parents=True)
        for name in names:
            (scripts / name).write_text(f"#!/bin/sh\nexec '{python}' \"$@\"\n", encoding="utf-8")
            (scripts / name).chmod(0o755)
    return f"{scripts}:{folder}:{_SYSTEM_PATH}"


def environment(settings: LocalSettings, work: Path, url: str, region: str) -> dict[str, str]:
    """What every process that runs user code finds in its environment; nothing is taken from the server's.

    boto3 in it reaches the local endpoint.

    :param work: the server's folder.
    :param url: the endpoint.
    """
    return {
        "PATH": search_path(settings, work),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def is_inside(path: str) -> bool:
    """Whether a container's path is ``/opt/ml`` or below."""
    normal = os.path.normpath(path)
    return normal == ML or normal.startswith(f"{ML}/")


def cannot_run(command: Sequence[str], settings: LocalSettings) -> str | None:
    """Why a command cannot run on this machine, or ``None``: what is in an image only is not here."""
    program = command[0]
    if not is_inside(program):
        if os.path.isabs(program):
            found = os.access(program, os.X_OK)
        else:
            path = f"{Path(python_of(settings)).parent}:{_SYSTEM_PATH}"
            found = program in ("python", "python3") or shutil.which(program, path=path) is not None
        if not found:
            return f"the program {program!r} is not on this machine"
    if _SCRIPT_RUNNERS.fullmatch(PurePosixPath(program).name) and len(command) > 1:
        script = command[1]
        if os.path.isabs(script) and not is_inside(script) and not os.path.exists(script):
            return f"the script {script!r} is not on this machine"
    return None


class Container:
    """A job's folder and process.

    :param settings: of the local SageMaker.
    :param folder: the job's folder; made here.
    :param image: what runs with ``docker``.

    ``ml`` is the folder that the job sees as ``/opt/ml``.
    """

    def __init__(self, settings: LocalSettings, folder: Path, image: str = "") -> None:
        self.isolation: Isolation = isolation(settings)
        self._settings, self._image = settings, image
        self.folder, self.ml, self._log = folder, folder / "ml", folder / "log"
        if folder.exists():  # of a server that was killed
            shutil.rmtree(folder)
        for name in ("ml", "home", "tmp"):
            (folder / name).mkdir(parents=True)
        self._log.touch()
        self._read = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._killed = False
        self._status = -1
        self.exit_code: int | None = None

    # Files

    def path(self, inside: str) -> Path:
        """Where a path of the container is on this machine.

        :raises JobError: it is not below ``/opt/ml``.
        """
        if not is_inside(inside):
            raise transfers.JobError(f"ClientError: {inside!r} is not below {ML}; nothing else of a container is here")
        return self.ml / os.path.relpath(os.path.normpath(inside), ML)

    def make(self, *inside: str) -> None:
        """Make folders of the container."""
        for path in inside:
            self.path(path).mkdir(parents=True, exist_ok=True)

    def seen(self, text: str) -> str:
        """A text as the job is to see it: with ``paths``, names of ``/opt/ml`` become those of the job's folder."""
        return _ML_PATH.sub(lambda _: str(self.ml), text) if self.isolation == "paths" else text

    def write(self, inside: str, value: Any) -> None:
        """Write a file of configuration as JSON."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.seen(json.dumps(value)), encoding="utf-8")

    def text(self, inside: str, length: int) -> str:
        """The first characters of a file that the job may have written; empty if it has not."""
        path = self.path(inside)
        if not path.is_file():
            return ""
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(length).strip()

    def outputs(self, folder: Path) -> Iterator[tuple[Path, Path]]:
        """(File, where its content is) of all files below a folder; links lead where they led in the container."""
        for file in transfers.files(folder):
            content = file
            if file.is_symlink() and is_inside(target := os.readlink(file)):
                content = self.path(target)
            if content.is_file():
                yield file, content

    # The process

    def start(self, command: Sequence[str], variables: Mapping[str, str], directory: str | None = None) -> None:
        """Start the job's command.

        :param command: entry point and arguments, with the container's paths.
        :param variables: its whole environment; ``HOME`` and ``TMPDIR`` are added.
        :param directory: where it starts; by default its home.
        """
        host = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}
        seen = {name: self.seen(value) for name, value in variables.items()}
        where = str(self.folder / "home")
        if directory is not None:
            where = directory if self.isolation == "namespace" else str(self.path(directory))
        self._launch([self.seen(item) for item in command], {**host, **seen}, where)

    def start_image(
        self, entrypoint: Sequence[str], arguments: Sequence[str], variables: Mapping[str, str], port: int | None = None
    ) -> None:
        """Start the job's image with Docker.

        :param entrypoint: in place of the image's own; empty keeps that.
        :param port: on loopback, to which the container's 8080 is published; by default it shares the network of this
            machine, so that it reaches the local endpoint.
        """
        network = ["--network", "host"] if port is None else ["--publish", f"127.0.0.1:{port}:8080"]
        options = ["--rm", "--name", self._docker_name, *network, "--volume", f"{self.ml}:{ML}"]
        for name, value in variables.items():
            if name != "PATH":  # the image has its own
                options += ["--env", f"{name}={value}"]
        if entrypoint:
            options += ["--entrypoint", entrypoint[0]]
        command = ["docker", "run", *options, self._image, *entrypoint[1:], *arguments]
        needed = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")  # of the client, not of the job
        self._launch(command, {name: os.environ[name] for name in needed if name in os.environ}, str(self.folder))

    @property
    def _docker_name(self) -> str:
        return f"local-sagemaker-{self.folder.name}"

    def _launch(self, command: list[str], variables: dict[str, str], directory: str) -> None:
        ml = str(self.ml) if self.isolation == "namespace" else ""
        self._status, status = os.pipe()
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*_LAUNCHER, str(os.getpid()), str(status), ml, directory, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=variables,
                    pass_fds=(status,),
                    start_new_session=True,
                )
        finally:
            os.close(status)

    @property
    def running(self) -> bool:
        """Whether its process has not ended."""
        return self._process is not None and self.exit_code is None

    def wait(self, seconds: float) -> int | None:
        """Wait for the end of the process. For one thread only.

        :param seconds: no longer than this.
        :return: its exit code, as a shell gives it; ``None`` while it runs.
        """
        if self._process is None or self.exit_code is not None:
            return self.exit_code
        end = select.poll()  # select() takes no descriptors above 1023
        end.register(self._status, select.POLLIN)
        if not end.poll(max(0.0, seconds) * 1000):
            return None
        self._signal_group(signal.SIGKILL)  # what is left of it
        with self._lock:
            os.close(self._status)
            code = self._process.wait()
            self.exit_code = 128 - code if code < 0 else code
        return self.exit_code

    def terminate(self) -> None:
        """Ask the process and its children to end (SIGTERM)."""
        self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """End the process and all that it started; call again if that does not help."""
        if self._killed or self._process is None:
            self._signal_group(signal.SIGKILL)
            return
        self._killed = True
        if self.isolation == "docker":
            subprocess.run(["docker", "kill", self._docker_name], capture_output=True, check=False)  # noqa: S607
        with self._lock:
            if self.exit_code is None:
                self._process.send_signal(signal.SIGUSR2)

    def _signal_group(self, number: int) -> None:
        with self._lock:
            if self._process is not None and self.exit_code is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, number)

    def new_log(self) -> list[str]:
        """Lines that the process wrote since the last call; the last one when it is complete, or the process has ended."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            piece = file.read(_LOG_PIECE)
        complete = piece.rfind(b"\n") + 1
        is_last = self.exit_code is not None and len(piece) < _LOG_PIECE
        if not is_last and (complete or len(piece) < _LONGEST_LINE):
            piece = piece[:complete]
        self._read += len(piece)
        lines = piece.decode(errors="replace").splitlines()
        return [line[at : at + _LONGEST_LINE] for line in lines for at in range(0, len(line) or 1, _LONGEST_LINE)]

    def log_end(self, length: int) -> str:
        """The last characters of what the process wrote."""
        with self._log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - length))
            return file.read().decode(errors="replace")

    def remove(self) -> None:
        """Remove the folder, also what the job made unreadable. The process has ended."""
        if self.isolation == "docker" and os.getuid() != 0:  # the image's root owns what it wrote
            owner = f"{os.getuid()}:{os.getgid()}"
            volume = ["--volume", f"{self.ml}:{ML}", "--entrypoint", "chown"]
            command = ["docker", "run", "--rm", *volume, self._image, "-R", owner, ML]
            subprocess.run(command, capture_output=True, check=False)
        try:
            shutil.rmtree(self.folder)
        except PermissionError:
            for parent, folders, _ in os.walk(self.folder):
                for path in (os.path.join(parent, name) for name in folders):
                    if not os.path.islink(path):
                        os.chmod(path, 0o700)
            shutil.rmtree(self.folder)
