"""A running Airflow of a test's own: scheduler, triggerer and what they need, as processes, over SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import airflow

from sagemaker_provider.local.dag_runs import airflow_settings

AIRFLOW_3 = int(airflow.__version__.split(".")[0]) >= 3
SERVICES = (
    (("api-server", "--host", "127.0.0.1", "--port", "{port}"), ("scheduler",), ("dag-processor",), ("triggerer",))
    if AIRFLOW_3
    else (("scheduler",), ("triggerer",))
)


@dataclass
class RunningAirflow:
    """Handle of a running Airflow.

    :param home: its folder.
    :param environment: variables of its processes.
    :param services: name of a service -> its process.
    """

    home: Path
    environment: Mapping[str, str]
    services: dict[str, subprocess.Popen[bytes]]
    _driver: subprocess.Popen[str]

    def call(self, command: str, **arguments: Any) -> Any:
        """Have ``airflow_driver.py`` do something; gives its answer.

        :raises RuntimeError: it could not; the text says why.
        """
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._driver.stdin.flush()
        for line in self._driver.stdout:
            if line.startswith("answer "):
                answer = json.loads(line.removeprefix("answer "))
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                return answer["value"]
        raise RuntimeError("the driver ended")

    def trigger(self, dag_id: str, run_id: str, **conf: Any) -> None:
        """Start a run."""
        self.call("trigger", dag_id=dag_id, run_id=run_id, conf=conf)

    def tasks(self, dag_id: str) -> dict[tuple[str, str], dict[str, Any]]:
        """``(run id, task id)`` -> ``state`` and ``try_number`` of each task of a DAG."""
        return {(item["run_id"], item["task_id"]): item for item in self.call("tasks", dag_id=dag_id)}

    def wait(self, dag_id: str, runs: int, seconds: float) -> dict[tuple[str, str], dict[str, Any]]:
        """Wait until a number of runs of a DAG have ended.

        :raises TimeoutError: some go on after ``seconds``; names their tasks.
        """
        deadline = time.monotonic() + seconds
        while True:
            states = self.call("runs", dag_id=dag_id)
            if sum(state in ("success", "failed") for state in states.values()) >= runs:
                return self.tasks(dag_id)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id}: {list(self.tasks(dag_id).values())}")
            time.sleep(0.5)

    def restart(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a service with a signal, and start it again."""
        process = self.services[name]
        os.killpg(process.pid, number)
        process.wait()
        self.start(name, process.args)

    def start(self, name: str, command: Any) -> None:
        """Start a service; what it says goes to the end of ``<home>/<name>.log``."""
        with (self.home / f"{name}.log").open("ab") as log:
            self.services[name] = subprocess.Popen(
                command, env=dict(self.environment), stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )


@contextlib.contextmanager
def running_airflow(home: Path, dags: Path, database: str | None = None, **settings: str) -> Iterator[RunningAirflow]:
    """Run an Airflow; its output goes to ``<home>/<service>.log``.

    :param home: folder of its own.
    :param dags: folder of DAG files.
    :param database: SQLAlchemy URL of an empty database; by default an SQLite file.
    :param settings: further environment variables.
    """
    port = _free_port()
    environment = {**os.environ, **airflow_settings(home)}
    environment.update(
        {
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_free_port()),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API_AUTH__JWT_SECRET": "0" * 64,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "300",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(dags), os.environ.get("PYTHONPATH", "")])),
            **({"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database} if database else {}),
            **settings,
        }
    )
    (home / "dags").mkdir(parents=True, exist_ok=True)
    migration = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(migration, env=environment, check=True, capture_output=True)
    driver = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("airflow_driver.py"))],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    running = RunningAirflow(home, environment, {}, driver)
    try:
        celery = (("celery", "worker"),) if environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor" else ()
        for command in (*SERVICES, *celery):
            running.start(command[0], [sys.executable, "-m", "airflow", *(item.format(port=port) for item in command)])
        while AIRFLOW_3 and running.services["api-server"].poll() is None and not _serves(port):
            time.sleep(0.2)
        yield running
    finally:
        for process in running.services.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        driver.kill()
        driver.wait()


@contextlib.contextmanager
def postgresql() -> Iterator[str | None]:
    """A PostgreSQL server of a test's own: the SQLAlchemy URL of an empty database, or ``None`` where it is not installed.

    Its programs have to be on the path, and ``psycopg2`` in this Python.
    """
    programs = [shutil.which(program) for program in ("initdb", "pg_ctl", "psql")]
    if not all(programs) or importlib.util.find_spec("psycopg2") is None:
        yield None
        return
    folder, port = Path(tempfile.mkdtemp(prefix="postgresql-")), _free_port()
    data = folder / "data"
    owner: dict[str, Any] = {"cwd": "/"}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        owner.update(user="postgres", group="postgres")
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c max_connections=400 -c fsync=off"
    try:
        subprocess.run(["initdb", "-D", data, "-A", "trust", "-U", "airflow"], check=True, capture_output=True, **owner)
        subprocess.run(
            ["pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"],
            check=True,
            capture_output=True,
            **owner,
        )
        try:
            url = f"postgresql://airflow@127.0.0.1:{port}/postgres"
            subprocess.run(["psql", url, "-qc", "create database airflow"], check=True, capture_output=True)
            yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"
        finally:
            subprocess.run(["pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, capture_output=True, **owner)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def celery_settings(database: str) -> Iterator[dict[str, str]]:
    """Settings with which Airflow uses Celery, over a Redis of a test's own; ``redis-server`` has to be on the path.

    :param database: SQLAlchemy URL of Airflow's database, which keeps Celery's results too.
    """
    port = _free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL
    )
    try:
        while not _serves(port):
            time.sleep(0.1)
        yield {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "8",
        }
    finally:
        server.kill()
        server.wait()


def _serves(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
