"""``make demo``: an example DAG becomes a pipeline definition, and runs step by step, without AWS and without Docker.

The AWS endpoint is moto's server on loopback. It keeps what is created and finishes every job at once; it runs no code.
So the demo puts the file that the evaluation would have written into the local S3 itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sagemaker_provider.local.dag_runs import airflow_settings, migrate, run_dag
from sagemaker_provider.local.endpoint import LocalEndpoint

DAG_ID = "churn"
BUCKET = "sagemaker-churn"
_STYLES = {"success": "green", "skipped": "dim", "failed": "bold red", "upstream_failed": "red"}


def main() -> int:
    """Run the demo; exit code 1 when something did not work."""
    parser = argparse.ArgumentParser(description="Convert an example DAG and run it step by step on a local endpoint")
    parser.add_argument(
        "--home", type=Path, default=Path(".demo"), help="folder of the demo's Airflow (default: .demo)"
    )
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        return _run(args.run)
    return _Demo(args.home.resolve()).run()


def _run(results: Path) -> int:
    """In the process with Airflow: run the DAG, leave the results in a file."""
    file = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / f"{DAG_ID}.py"
    tasks = run_dag(file, DAG_ID)
    results.write_text(json.dumps([vars(task) for task in tasks], default=str), encoding="utf-8")
    return 0


class _Demo:
    """The demo, step by step, in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.console = Console(highlight=False, soft_wrap=True)
        self.example = Path(__file__).parents[1] / "example_dags" / f"{DAG_ID}.py"

    def run(self) -> int:
        """Everything; the exit code."""
        started = time.monotonic()
        with LocalEndpoint() as endpoint:
            self.environment = {**os.environ, **endpoint.environment, **airflow_settings(self.home)}
            self.title("1. An AWS endpoint on this machine")
            self.console.print(f"   {endpoint.url} (moto; no AWS account, no Docker; jobs end at once and run no code)")
            self.seed(endpoint)
            self.title(f"2. The DAG {DAG_ID!r} becomes a pipeline definition")
            if not self.convert():
                return 1
            self.title("3. The same DAG runs step by step in Airflow")
            self.prepare_airflow()
            tasks = self.run_steps()
        self.title("4. What ran")
        self.table(tasks)
        good = bool(tasks) and all(task["state"] in ("success", "skipped") for task in tasks)
        self.console.print(f"   {time.monotonic() - started:.0f} seconds in all; Airflow's log: {self.log}")
        return 0 if good else 1

    def title(self, text: str) -> None:
        """A heading."""
        self.console.print(f"\n[bold]{text}[/bold]")

    def seed(self, endpoint: LocalEndpoint) -> None:
        """Make the bucket, and in it what the evaluation script would write."""
        import boto3

        options: dict[str, Any] = {
            "endpoint_url": endpoint.url,
            "region_name": endpoint.environment["AWS_DEFAULT_REGION"],
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
        }
        s3 = boto3.client("s3", **options)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": options["region_name"]})
        s3.put_object(Bucket=BUCKET, Key="evaluation/evaluation.json", Body=b'{"error": {"value": 4.2}}')

    def convert(self) -> bool:
        """Convert with the command that users have."""
        command = [
            sys.executable,
            "-m",
            "sagemaker_provider.cli",
            "convert",
            str(self.example),
            "--output",
            str(self.home),
        ]
        self.console.print(
            f"   $ airflow-sagemaker convert example_dags/{self.example.name} --output {self.home.name}\n"
        )
        return subprocess.run(command, env=self.environment, check=False).returncode == 0

    def prepare_airflow(self) -> None:
        """An Airflow of its own, once: home folder, SQLite, the DAG."""
        (self.home / "dags").mkdir(parents=True, exist_ok=True)
        shutil.copy(self.example, self.home / "dags" / f"{DAG_ID}.py")
        if not (self.home / "airflow.db").exists():
            with self.console.status("   making Airflow's database, about ten seconds, once ..."):
                migrate(self.home)
        self.console.print(f"   Airflow's home: {self.home}")

    def run_steps(self) -> list[dict[str, Any]]:
        """Run the DAG in a process with Airflow; show each task as it ends."""
        results, self.log = self.home / "results.json", self.home / "demo.log"
        results.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sagemaker_provider.local.demo", "--run", str(results)]
        with self.log.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
            shown: set[str] = set()
            known = self.latest_run()
            with self.console.status("   starting Airflow, some ten seconds ...") as status:
                while process.poll() is None:
                    states = {} if self.latest_run() == known else self.states()
                    for task, state in states.items():
                        if state in _STYLES and task not in shown:
                            shown.add(task)
                            self.console.print(f"   [{_STYLES[state]}]{state:<8}[/] {task}")
                    running = [task for task, state in states.items() if state in ("running", "deferred")]
                    status.update(f"   {', '.join(running)} ..." if running else "   waiting for Airflow ...")
                    time.sleep(0.2)
        if process.returncode or not results.exists():
            self.console.print(f"   [red]Airflow ended with exit code {process.returncode}; see {self.log}[/red]")
            return []
        return json.loads(results.read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    def latest_run(self) -> str | None:
        """The id of the newest DAG run in Airflow's database."""
        rows = self.query("SELECT run_id FROM dag_run ORDER BY id DESC LIMIT 1")
        return str(rows[0][0]) if rows else None

    def states(self) -> dict[str, str]:
        """Task states of the newest DAG run."""
        return dict(
            self.query("SELECT task_id, state FROM task_instance WHERE run_id = ? ORDER BY end_date", self.latest_run())
        )

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of Airflow's database; nothing while it is being written."""
        connection = sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True)
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            connection.close()

    def table(self, tasks: list[dict[str, Any]]) -> None:
        """Task, step type, job name, state and seconds."""
        definition = json.loads((self.home / f"{DAG_ID}.pipeline.json").read_text(encoding="utf-8"))
        types = dict(_types(definition["Steps"]))
        table = Table("task", "step type", "job name", "state", "seconds", title=None)
        table.columns[-1].justify = "right"
        for task in tasks:
            state = f"[{_STYLES.get(task['state'], 'bold')}]{task['state']}[/]"
            table.add_row(
                task["task_id"],
                types.get(task["task_id"], ""),
                _job_name(task["xcom"]),
                state,
                f"{task['seconds']:.1f}",
            )
        self.console.print(table)


def _types(steps: list[dict[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for step in steps:
        found.append((step.get("DisplayName", step["Name"]), step["Type"]))
        for key in ("IfSteps", "ElseSteps", "ForEachBody"):
            found += _types(step["Arguments"].get(key, []))
    return found


def _job_name(xcom: Any) -> str:
    members = ("ProcessingJobName", "TrainingJobName", "TransformJobName", "ModelPackageArn", "ModelName")
    return (
        next((str(xcom[key]).rpartition(":")[2] for key in members if key in xcom), "")
        if isinstance(xcom, dict)
        else ""
    )


if __name__ == "__main__":
    sys.exit(main())
