"""Jobs run: each as a process of this machine, or simulated where there is nothing to run.

A record goes from ``InProgress`` to ``Completed``, ``Failed`` or ``Stopped``; ``_mode`` in it is ``process`` or ``simulated``.
"""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from botocore.exceptions import ClientError

from sagemaker_provider.definition.logs import LogStreams, log_streams
from sagemaker_provider.local import runners, simulation, transforms, tuning
from sagemaker_provider.local.containers import Container, check_settings
from sagemaker_provider.local.logs import LogStream
from sagemaker_provider.local.transfers import JobError

if TYPE_CHECKING:
    from sagemaker_provider.local.service import LocalSageMaker
    from sagemaker_provider.local.store import Record


Outcome: TypeAlias = "tuple[str, dict[str, Any]]"
"""Status in which a job ended, and further members of its record."""

_REASON_LENGTH: Final = 1024
_LOG_SECONDS: Final = 0.5
_WRITE_SECONDS: Final = 1.0
_KILL_AGAIN_SECONDS: Final = 5.0
_SIMULATORS: Final = 4
_log = logging.getLogger(__name__)


class StoppedError(Exception):
    """The job was stopped before its process ran."""


@dataclass(frozen=True)
class Kind:
    """What the record of a kind of job is made of.

    :param carry_out: runs a job; ``None``: it is always simulated.
    :param start: member with the time of its start.
    :param end: member with the time of its end.
    :param secondary: member with its secondary status.
    """

    carry_out: Callable[[Run], Outcome] | None
    end: str
    start: str | None = None
    secondary: str | None = None


KINDS: Final[Mapping[str, Kind]] = {
    "ProcessingJob": Kind(runners.processing, "ProcessingEndTime", "ProcessingStartTime"),
    "TrainingJob": Kind(runners.training, "TrainingEndTime", "TrainingStartTime", "SecondaryStatus"),
    "TransformJob": Kind(transforms.transform, "TransformEndTime", "TransformStartTime"),
    "HyperParameterTuningJob": Kind(tuning.tune, "HyperParameterTuningEndTime"),
    "AutoMLJob": Kind(None, "EndTime", secondary="AutoMLJobSecondaryStatus"),
    "Job": Kind(None, "EndTime", secondary="SecondaryStatus"),
}
_TRANSITIONS: Final = ("TrainingJob", "Job")
"""Kinds whose record has ``SecondaryStatusTransitions``."""


class Run:
    """A job from its start to its end.

    ``stop_reason`` says why it is to end before its time: ``stop``, ``max runtime`` or ``close`` (of the server).
    """

    def __init__(self, local: LocalSageMaker, region: str, kind: str, name: str) -> None:
        self.local, self.region, self.kind, self.name = local, region, kind, name
        self.stop_reason: str | None = None
        self.metrics: dict[str, tuple[float, float]] = {}
        self.simulated = False
        self.hosts = 1
        self.why_simulated: str | None = None
        self._containers: list[Container] = []
        self._running: Container | None = None
        self._kill_at = math.inf
        self._lock = threading.Lock()
        self._claimed = False
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        self._stream: LogStream | None = None
        self._pending: list[str] = []
        self._write_at = time.monotonic() + _WRITE_SECONDS

    @property
    def settings(self) -> Any:
        """The server's settings."""
        return self.local.settings

    @property
    def record(self) -> Record:
        """The job's record as it is now."""
        record = self.local.store.get(self.region, self.kind, self.name)
        if record is None:
            raise StoppedError
        return record

    @property
    def s3(self) -> Any:
        """Client of S3."""
        return self.local.client("s3", self.region)

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return str(self.record[f"{self.kind}Arn"])

    def claim(self) -> bool:
        """Take the job on; only the first who asks may carry it out, or end it."""
        with self._lock:
            claimed, self._claimed = self._claimed, True
            return not claimed

    def end(self, reason: str) -> None:
        """End the job before its time; its process gets SIGTERM, and SIGKILL when it goes on for too long."""
        with self._lock:
            if self.stop_reason is None or reason == "close":
                self.stop_reason = reason
            running = self._running
            if math.isinf(self._kill_at):
                self._kill_at = time.monotonic() + self.settings.stop_seconds
        if running is not None:
            if reason == "close":
                running.kill()
            else:
                running.terminate()

    # For those who carry it out

    def container(self, image: str) -> Container:
        """A new container in a folder of the job."""
        folder = self.local.work / "jobs" / f"{self.region}-{self.kind}-{self.name}"
        made = Container(self.settings, folder, image)
        self._containers.append(made)
        return made

    def change(self, **members: Any) -> None:
        """Change the record."""
        if self.stop_reason != "close":
            self.local.store.change(self.region, self.kind, self.name, **members)

    def phase(self, secondary: str, message: str) -> None:
        """Give the job its next secondary status.

        :raises StoppedError: it is to stop.
        """
        self.check_stop()
        with self.local.store.changed:
            self.change(SecondaryStatus=secondary, **transitions(self.record, secondary, message))

    def check_stop(self) -> None:
        """Go no further when the job is to stop.

        :raises StoppedError: it is.
        """
        if self.stop_reason is not None:
            raise StoppedError

    def watch(self, definitions: Iterable[Mapping[str, str]]) -> None:
        """Read metrics from the log from now on."""
        for item in definitions:
            try:
                self._patterns.append((item["Name"], re.compile(item["Regex"])))
            except re.error as error:
                raise JobError(f"ClientError: the regular expression of metric {item['Name']!r}: {error}") from error

    @property
    def streams(self) -> LogStreams | None:
        """Where the job writes its log; of a tuning job only its trainings do."""
        found = log_streams({f"{self.kind}Name": self.name})
        return found if found and found.prefix.endswith("/") else None

    def log(self, *lines: str) -> None:
        """Write to the job's log stream, and read metrics from what is written."""
        streams = self.streams
        if streams is None:
            return
        now = time.time()
        for line in lines:
            for name, pattern in self._patterns:
                for found in pattern.finditer(line):
                    try:
                        self.metrics[name] = (float(found.group(1) if pattern.groups else found.group()), now)
                    except (ValueError, TypeError):
                        continue
        if self._stream is None:
            client = self.local.client("logs", self.region)
            self._stream = LogStream(client, streams.group, f"{streams.prefix}algo-1-{int(now)}")
            for host in range(2, self.hosts + 1):  # log viewers wait for a stream of every host
                other = LogStream(client, streams.group, f"{streams.prefix}algo-{host}-{int(now)}")
                other.write(["local SageMaker: the job runs on one host, algo-1"])
        try:
            self._stream.write(lines)
        except ClientError:  # as in the service, a job does not fail because its log group was deleted
            self._stream = None
            _log.warning("The log of %s %s was not written", self.kind, self.name, exc_info=True)

    def start(self, container: Container, start: Callable[[], None]) -> None:
        """Start the process of a container.

        :raises StoppedError: the job is to stop.
        """
        with self._lock:
            if self.stop_reason is not None:
                raise StoppedError
            start()
            self._running = container

    def watch_over(self, container: Container, max_seconds: float, *header: str) -> int:
        """Wait for the end of a process, and bring its output to the log.

        :param max_seconds: it is ended when it runs longer.
        :param header: first lines of the log.
        :return: its exit code.
        """
        last = time.monotonic() + max_seconds
        self._pending += header
        while (code := container.wait(min(_LOG_SECONDS, last - time.monotonic()))) is None:
            if time.monotonic() >= last:
                last = math.inf
                self._pending.append(f"local SageMaker: the job ran longer than MaxRuntimeInSeconds ({max_seconds:g})")
                self.end("max runtime")
            self.attend(container)
        self._running = None
        self.last_log(container)
        return code

    def attend(self, container: Container) -> None:
        """What a running process needs now and then: its output to the log, and an end when it had time to end itself."""
        if time.monotonic() >= self._kill_at:
            self._kill_at = time.monotonic() + _KILL_AGAIN_SECONDS
            container.kill()
        self._pending += container.new_log()
        if time.monotonic() >= self._write_at:
            self._write_at = time.monotonic() + _WRITE_SECONDS
            self._flush()

    def last_log(self, container: Container) -> None:
        """Bring the rest of the output to the log."""
        while lines := container.new_log():
            self._pending += lines
        self._flush()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if pending and self.stop_reason != "close":
            self.log(*pending)

    def carry_out(self) -> Outcome:
        """Run the job, or simulate it."""
        kind = KINDS[self.kind]
        start = {kind.start: time.time()} if kind.start else {}
        if start:
            self.change(**start)
        if self.simulated:
            self.log(f"local SageMaker: this job is simulated, no code runs: {self.why_simulated}")
            return simulation.simulate(self)
        assert kind.carry_out is not None
        return kind.carry_out(self)

    def clean_up(self) -> None:
        """End what still runs, and remove what the job had on disk."""
        for container in self._containers:
            while container.running:
                container.kill()
                container.wait(_KILL_AGAIN_SECONDS)
            self.last_log(container)
            container.remove()


class Jobs:
    """The jobs of a local SageMaker.

    :param local: the service.
    :raises ValueError: its settings do not work on this system.
    """

    def __init__(self, local: LocalSageMaker) -> None:
        check_settings(local.settings)
        self.local = local
        self._lock = threading.Lock()
        self.open()

    def open(self) -> None:
        """Take jobs, again after :meth:`close`."""
        self._runs: dict[tuple[str, str, str], Run] = {}
        self._threads: list[threading.Thread] = []
        self._timers: list[threading.Timer] = []
        self._processes = ThreadPoolExecutor(self.local.settings.max_processes, "local-sagemaker-job")
        self._simulators = ThreadPoolExecutor(_SIMULATORS, "local-sagemaker-simulator")
        self._closed = False

    def start(self, region: str, kind: str, name: str) -> None:
        """Start a job whose record is ``InProgress``; returns at once.

        :param kind: one of :data:`KINDS`.
        """
        run = Run(self.local, region, kind, name)
        fault = self.local.faults.for_job(_operation(kind, run.record), name)
        run.why_simulated = simulation.why(run)
        run.simulated = run.why_simulated is not None
        first: dict[str, Any] = {"_mode": "simulated" if run.simulated else "process"}
        if kind in _TRANSITIONS:
            step = {"Status": "Starting", "StartTime": time.time(), "StatusMessage": "Starting the job on this machine"}
            first.update(SecondaryStatus="Starting", SecondaryStatusTransitions=[step])
        run.change(**first)
        if run.simulated:
            _log.info("%s %s is simulated, no code runs: %s", kind, name, run.why_simulated)
        with self._lock:
            if self._closed:
                return
            self._runs[region, kind, name] = run
            if run.record[f"{kind}Status"] != "InProgress":  # stopped before it was started
                del self._runs[region, kind, name]
            elif fault is not None and fault.kind == "hang":
                pass
            elif fault is not None:
                self._simulators.submit(self._fail, run, str(fault.message))
            elif kind == "HyperParameterTuningJob":  # waits for other jobs, so it must not take a place of theirs
                thread = threading.Thread(target=self._work, args=(run,), name=f"tuning-{name}", daemon=True)
                self._threads = [item for item in self._threads if item.is_alive()] + [thread]
                thread.start()
            elif not run.simulated:
                self._processes.submit(self._work, run)
            elif self.local.settings.simulated_seconds <= 0:
                self._simulators.submit(self._work, run)
            else:
                timer = threading.Timer(self.local.settings.simulated_seconds, self._simulate_now, (run,))
                timer.daemon = True
                self._timers = [item for item in self._timers if item.is_alive()] + [timer]
                timer.start()

    def stop(self, region: str, kind: str, name: str) -> None:
        """Stop a job: ``Stopping``, then ``Stopped`` when its process has ended. Nothing happens to an ended one."""
        secondary = KINDS[kind].secondary
        with self.local.store.changed:
            record = self.local.store.get(region, kind, name)
            if record is None or record[f"{kind}Status"] not in ("InProgress", "Stopping"):
                return
            members: dict[str, Any] = {secondary: "Stopping"} if secondary else {}
            if kind in _TRANSITIONS:
                members.update(transitions(record, "Stopping", "Stopping on request"))
            if record[f"{kind}Status"] == "InProgress":
                self.local.store.change(region, kind, name, **{f"{kind}Status": "Stopping"}, **members)
        with self._lock:
            run = self._runs.get((region, kind, name))
        if run is None:
            run = Run(self.local, region, kind, name)
        run.end("stop")
        if run.claim():  # nobody has begun with it
            self._finish(run, "Stopped", {})

    def resume(self) -> None:
        """After a restart: start every job again that had not ended; those that were being stopped are stopped."""
        for kind in KINDS:
            for region, name in self.local.store.places(kind):
                status = (self.local.store.get(region, kind, name) or {}).get(f"{kind}Status")
                if status == "InProgress":
                    self.start(region, kind, name)
                elif status == "Stopping":
                    self._finish(Run(self.local, region, kind, name), "Stopped", {})

    def close(self) -> None:
        """Kill all processes; records stay as they are."""
        with self._lock:
            self._closed = True
            runs = list(self._runs.values())
        for timer in self._timers:
            timer.cancel()
        for run in runs:
            run.end("close")
        self._processes.shutdown(wait=True, cancel_futures=True)
        self._simulators.shutdown(wait=True, cancel_futures=True)
        with self.local.store.changed:
            self.local.store.changed.notify_all()  # for tuning jobs, which wait for changes
        for thread in self._threads:
            thread.join()
        self._runs.clear()

    def _simulate_now(self, run: Run) -> None:
        with self._lock:
            if not self._closed:
                self._simulators.submit(self._work, run)

    def _fail(self, run: Run, reason: str) -> None:
        if run.claim():
            self._finish(run, "Failed", {"FailureReason": reason})

    def _work(self, run: Run) -> None:
        if run.stop_reason == "close" or not run.claim():
            return
        status = "Failed"
        members: dict[str, Any] = {}
        try:
            status, members = run.carry_out()
        except StoppedError:
            status = "Stopped"
        except JobError as error:
            status = "Stopped" if run.stop_reason == "stop" else "Failed"
            members = {"FailureReason": str(error)}
        except Exception as error:
            if run.stop_reason != "close":
                _log.exception("The local SageMaker failed in %s %s", run.kind, run.name)
            members = {"FailureReason": f"InternalServerError: {type(error).__name__}: {error}"}
        try:
            run.clean_up()
        except OSError:
            _log.exception("The folder of %s %s cannot be removed", run.kind, run.name)
        self._finish(run, status, members)

    def _finish(self, run: Run, status: str, members: Mapping[str, Any]) -> None:
        kind, now = KINDS[run.kind], time.time()
        with self.local.store.changed:
            record = self.local.store.get(run.region, run.kind, run.name)
            if record is None or run.stop_reason == "close":
                return
            last: dict[str, Any] = {f"{run.kind}Status": status, kind.end: now, **members}
            if "FailureReason" in last:
                last["FailureReason"] = last["FailureReason"][:_REASON_LENGTH]
            if kind.secondary:
                last.setdefault(kind.secondary, status)
            if run.kind in _TRANSITIONS:
                message = last.get("FailureReason") or _how(run, status)
                last.update(transitions(record, last["SecondaryStatus"], message, ended=now))
            if run.kind == "TrainingJob" and kind.start in record:
                seconds = math.ceil(now - record[kind.start])
                last.update(TrainingTimeInSeconds=seconds, BillableTimeInSeconds=seconds)
            self.local.store.change(run.region, run.kind, run.name, **last)
        if status == "Failed":
            where = f"; log group {run.streams.group}, stream {run.streams.prefix}algo-1-..." if run.streams else ""
            _log.info("%s %s failed: %s%s", run.kind, run.name, last.get("FailureReason", ""), where)
        with self._lock:
            self._runs.pop((run.region, run.kind, run.name), None)


def _how(run: Run, status: str) -> str:
    if run.simulated:
        return f"{status}; local SageMaker: simulated, no code ran"
    return f"{status}; local SageMaker: ran on this machine"


def _operation(kind: str, record: Mapping[str, Any]) -> str:
    return "CreateAutoMLJobV2" if kind == "AutoMLJob" and "AutoMLProblemTypeConfig" in record else f"Create{kind}"


def transitions(
    record: Mapping[str, Any], status: str, message: str, ended: float | None = None
) -> dict[str, list[dict[str, Any]]]:
    """``SecondaryStatusTransitions`` with a further one; the one before ends.

    :param ended: time of the end, when it is the last one.
    """
    now = time.time() if ended is None else ended
    steps = [dict(item) for item in record.get("SecondaryStatusTransitions", ())]
    if steps:
        steps[-1].setdefault("EndTime", now)
    step = {"Status": status, "StartTime": now, "StatusMessage": message}
    return {"SecondaryStatusTransitions": [*steps, {**step, "EndTime": now} if ended is not None else step]}
