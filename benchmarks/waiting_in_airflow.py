"""Many training jobs waited for at once in a running Airflow: scheduler, triggerer, LocalExecutor, PostgreSQL where it is installed.

The local SageMaker throttles Create and List calls at the rates that AWS publishes or users report. Printed: how the
tasks ended, jobs made, calls a minute while all wait, beside what one Describe for each task and poll would be, and how
long after the end of its job a task left the triggerer. Exit code 1: a task failed, or there are not as many jobs as tasks.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sagemaker_provider.local.service import LocalSageMaker, LocalSettings, local_sagemaker

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from running_airflow import RunningAirflow, postgresql, running_airflow  # noqa: E402

RATES = {"CreateTrainingJob": 1.0, "ListTrainingJobs": 2.0, "DescribeTrainingJob": 20.0}
"""Calls a second. Create: the Developer Guide; List: reports of users; Describe: not published, our guess."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--poll", type=float, default=30, help="poll interval in seconds")
    parser.add_argument("--job", type=float, default=600, help="how long a job takes, in seconds")
    parser.add_argument("--at-once", type=int, default=8, help="worker processes")
    args = parser.parse_args()
    logging.getLogger("sagemaker_provider.local").setLevel(logging.WARNING)
    settings = LocalSettings(images="simulate-all", simulated_seconds=args.job)
    with tempfile.TemporaryDirectory() as folder, postgresql() as database, local_sagemaker(settings) as local:
        throttles = [
            local.faults.add("throttling", operation=operation, per_second=rate, times=None)
            for operation, rate in RATES.items()
        ]
        local.client("s3").create_bucket(
            Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": local.client("s3").meta.region_name}
        )
        variables = {
            **local.environment,
            "WAITING_TASKS": str(args.tasks),
            "WAITING_POLL_SECONDS": str(args.poll),
            "AIRFLOW__CORE__PARALLELISM": str(args.at_once),
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(args.tasks),
        }
        with running_airflow(Path(folder), ROOT / "benchmarks" / "waiting_dags", database, **variables) as airflow:
            seen = watch(airflow, args.tasks, lambda: len(local.calls) + sum(map(local.faults.hits, throttles)))
            for task in seen.failed:
                print(task, *(log.read_text()[-3000:] for log in Path(folder, "logs").rglob(f"task_id={task}/*.log")))
                for name in airflow.services:
                    lines = Path(folder, f"{name}.log").read_text(errors="replace").splitlines()
                    print(
                        *(f"{name}: {line[:1000]}" for line in lines if f"{task} " in line or f"{task}'" in line),
                        sep="\n",
                    )
        throttled = {item.operation: local.faults.hits(item) for item in throttles}
        local.faults.clear()
        ends = {job["TrainingJobName"]: job["TrainingEndTime"].timestamp() for job in _jobs(local)}
    table = Table("measure", "value", title=f"{args.tasks} tasks wait at once, poll interval {args.poll:g} s")
    for row in rows(seen, ends, args.tasks * 60 / args.poll):
        table.add_row(*row)
    table.add_row("throttled calls", str(throttled))
    Console().print(table)
    return 0 if seen.states == {"success": args.tasks} and len(ends) == args.tasks else 1


@dataclass
class Seen:
    """What happened.

    :param states: state -> how many tasks ended in it.
    :param failed: the tasks that failed.
    :param left: task -> when it left the triggerer, in seconds since 1970.
    :param calls: time and number of calls so far, while all tasks waited.
    :param memory: most memory of the triggerer's processes, in MB.
    """

    states: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    left: dict[str, float] = field(default_factory=dict)
    calls: list[tuple[float, int]] = field(default_factory=list)
    memory: int = 0


def watch(airflow: RunningAirflow, tasks: int, calls: Callable[[], int]) -> Seen:
    """Run the DAG, and look every second until all tasks have ended."""
    airflow.trigger("waiting", "run")
    seen, deferred = Seen(), set()
    while not seen.states or set(seen.states) - {"success", "failed", "upstream_failed"}:
        time.sleep(1)
        states = {task: str(item["state"]) for (_, task), item in airflow.tasks("waiting").items()}
        seen.states, now = Counter(states.values()), time.time()
        seen.failed = [task for task, state in states.items() if state == "failed"]
        deferred |= {task for task, state in states.items() if state == "deferred"}
        for task in deferred - seen.left.keys():
            if states[task] != "deferred":
                seen.left[task] = now
        if seen.states["deferred"] == tasks:
            seen.calls.append((now, calls()))
        seen.memory = max(seen.memory, _memory(airflow.services["triggerer"].pid))
    return seen


def rows(seen: Seen, ends: Mapping[str, float], one_each: float) -> Iterator[tuple[str, str]]:
    """The measures.

    :param ends: job -> when it ended, in seconds since 1970.
    :param one_each: calls a minute if each task made one at each poll.
    """
    yield "ends of tasks", str(dict(seen.states))
    yield "jobs made", str(len(ends))
    if len(seen.calls) > 1:
        (began, before), (ended, after) = seen.calls[0], seen.calls[-1]
        minutes = (ended - began) / 60
        rate = (after - before) / minutes
        yield "calls a minute while all wait", f"{rate:.1f} (seen for {minutes:.1f} minutes)"
        yield (
            "one Describe for each task and poll",
            f"{one_each:.0f} a minute, {one_each / max(rate, 0.1):.0f} times as many",
        )
    delays = sorted(
        when - end
        for task, when in seen.left.items()
        for name, end in ends.items()
        if name.startswith(f"{task.replace('_', '-')}-")
    )
    if len(delays) > 1:
        yield "seen after the end, median", f"{statistics.median(delays):.1f} s"
        yield "seen after the end, 95th of 100", f"{delays[int(0.95 * len(delays))]:.1f} s"
    yield "memory of the triggerer, all its processes", f"{seen.memory} MB"


def _jobs(local: LocalSageMaker) -> list[dict[str, Any]]:
    pages = local.client("sagemaker").get_paginator("list_training_jobs").paginate()
    return [job for page in pages for job in page["TrainingJobSummaries"]]


def _memory(group: int) -> int:
    """Proportional memory of the processes of a process group, in MB; Linux only."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group or int(fields[3]) == group:
                rollup = status.with_name("smaps_rollup").read_text()
                total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total // 1024


if __name__ == "__main__":
    sys.exit(main())
