"""Many training jobs waited for at once in a running Airflow: scheduler, triggerer, LocalExecutor, PostgreSQL where it is installed.

The local SageMaker throttles Create and List calls at the rates that AWS publishes or users report. Printed: how the
tasks ended, jobs made, calls a minute while all wait, beside what one Describe for each task and poll would be, and how
long after the end of its job a task left the triggerer. Exit code 1: a task failed, or there are not as many jobs as tasks.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sagemaker_provider.local.service import LocalSettings, local_sagemaker

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from running_airflow import postgresql, running_airflow  # noqa: E402

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
            airflow.trigger("waiting", "run")
            left: dict[str, float] = {}
            waiting: list[tuple[float, int]] = []
            deferred: set[str] = set()
            memory = 0
            deadline = time.time() + 4 * args.job + 20 * args.tasks
            while time.time() < deadline:
                states = {task: item["state"] for (_, task), item in airflow.tasks("waiting").items()}
                now = time.time()
                for task, state in states.items():
                    if state == "deferred":
                        deferred.add(task)
                    elif task in deferred:
                        left.setdefault(task, now)
                if Counter(states.values())["deferred"] == args.tasks:
                    waiting.append((now, len(local.calls) + sum(map(local.faults.hits, throttles))))
                memory = max(memory, _memory(airflow.services["triggerer"].pid))
                if states and all(state in ("success", "failed", "upstream_failed") for state in states.values()):
                    break
                time.sleep(1)
            jobs = local.call("ListTrainingJobs", {"MaxResults": 100})
            ends: dict[str, float] = {}
            while True:
                for job in jobs["TrainingJobSummaries"]:
                    ends[job["TrainingJobName"]] = _seconds(job["TrainingEndTime"])
                if not jobs.get("NextToken"):
                    break
                jobs = local.call("ListTrainingJobs", {"MaxResults": 100, "NextToken": jobs["NextToken"]})
        table = Table("measure", "value", title=f"{args.tasks} tasks wait at once, poll interval {args.poll:g} s")
        table.add_row("ends of tasks", str(dict(Counter(states.values()))))
        table.add_row("jobs made", str(len(ends)))
        if len(waiting) > 1:
            (began, before), (ended, after) = waiting[0], waiting[-1]
            minutes = (ended - began) / 60
            rate, one_each = (after - before) / minutes, args.tasks * 60 / args.poll
            table.add_row("calls a minute while all wait", f"{rate:.1f} (seen for {minutes:.1f} minutes)")
            table.add_row(
                "one Describe for each task and poll", f"{one_each:.0f} a minute, {one_each / rate:.0f} times as many"
            )
        names = {task: next((name for name in ends if name.startswith(_prefix(task))), "") for task in left}
        delays = sorted(left[task] - ends[name] for task, name in names.items() if name)
        if len(delays) > 1:
            table.add_row("detected after the end, median", f"{statistics.median(delays):.1f} s")
            table.add_row("detected after the end, 95th of 100", f"{delays[int(0.95 * len(delays))]:.1f} s")
        table.add_row("memory of the triggerer (all its processes)", f"{memory} MB")
        table.add_row("throttled calls", str({item.operation: local.faults.hits(item) for item in throttles}))
        Console().print(table)
        return 0 if Counter(states.values()) == {"success": args.tasks} and len(ends) == args.tasks else 1


def _prefix(task_id: str) -> str:
    return task_id.replace("_", "-") + "-"


def _seconds(moment: datetime | float | str) -> float:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


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
