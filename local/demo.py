"""``make demo``: an example DAG trains a real model step by step in Airflow, then as a pipeline; both are compared.

Nothing of AWS and no Docker is needed: the jobs and the pipeline run in a local SageMaker.
"""

from __future__ import annotations

import argparse
import difflib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from sagemaker_provider.definition.shapes import request_shape
from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, STEP_TYPES, Resource, State, state_of
from sagemaker_provider.local.dag_runs import airflow_settings, migrate, run_dag
from sagemaker_provider.local.endpoint import forget_aws
from sagemaker_provider.local.service import LocalSageMaker, local_sagemaker

DAG_ID = "diabetes"
BUCKET = "sagemaker-diabetes"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
EXAMPLES = Path(__file__).parents[1] / "example_dags"
_STYLES = {"success": "green", "skipped": "dim", "failed": "bold red", "upstream_failed": "red"}
_STYLES |= {"Succeeded": "green", "Failed": "bold red", "Stopped": "red"}


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True)
class Job:
    """What a step has created: its name, the request that made it, with generated names replaced, and its description."""

    name: str
    request: str
    description: Mapping[str, Any]


def main() -> int:
    """Run the demo; exit code 1 when something did not work."""
    parser = argparse.ArgumentParser(description="Run an example DAG step by step and as a pipeline, and compare")
    parser.add_argument(
        "--home", type=Path, default=Path(".demo"), help="folder of the demo's Airflow (default: .demo)"
    )
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        return _run(args.run)
    forget_aws(os.environ)
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

    def run(self) -> int:
        """Everything; the exit code."""
        started = time.monotonic()
        (self.home / "dags").mkdir(parents=True, exist_ok=True)
        try:
            with local_sagemaker() as local, ThreadPoolExecutor(1) as background:
                database = None if (self.home / "airflow.db").exists() else background.submit(migrate, self.home)
                self.environment = {**os.environ, **local.environment, **airflow_settings(self.home)}
                self.sagemaker, self.s3 = local.client("sagemaker"), local.client("s3")
                self.title("1. A local SageMaker")
                self.upload(local)
                self.title(f"2. The DAG {DAG_ID!r} becomes a pipeline definition")
                definition = self.convert()
                self.types = _types(json.loads(definition)["Steps"])
                made = {step: STEP_TYPES[kind].resource for step, kind in self.types.items()}
                self.resources = {step: resource for step, resource in made.items() if resource}
                self.title("3. The DAG runs step by step in Airflow")
                self.prepare_airflow(database)
                by_step = self.run_steps()
                self.title("4. The pipeline runs")
                by_pipeline = self.run_pipeline(definition)
                self.title("5. The requests and the model of both")
                self.compare(by_step, by_pipeline)
        except (DemoError, ClientError) as error:
            self.console.print(f"\n[bold red]The demo failed:[/] {escape(str(error))}")
            return 1
        self.console.print(f"   {time.monotonic() - started:.0f} seconds in all")
        return 0

    def title(self, text: str) -> None:
        """A heading."""
        self.console.print(f"\n[bold]{text}[/bold]")

    def upload(self, local: LocalSageMaker) -> None:
        """Put the scripts of the jobs where the DAG expects them."""
        self.console.print(f"   {local.url}: jobs and pipelines run on this machine, without AWS and Docker")
        region = self.s3.meta.region_name
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
        scripts = EXAMPLES / DAG_ID
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz", dereference=True) as tar:
            tar.add(scripts / "train.py", "train.py")
        code = {name: (scripts / name).read_bytes() for name in ("prepare.py", "evaluate.py")}
        for name, body in {**code, "sourcedir.tar.gz": archive.getvalue()}.items():
            self.s3.put_object(Bucket=BUCKET, Key=f"{DAG_ID}/code/{name}", Body=body)
        self.console.print(f"   the scripts of the jobs are in s3://{BUCKET}/{DAG_ID}/code of its S3")

    def convert(self) -> str:
        """Convert with the command that users have; the definition."""
        file, command = EXAMPLES / f"{DAG_ID}.py", [sys.executable, "-m", "sagemaker_provider.cli", "convert"]
        self.console.print(f"   $ airflow-sagemaker convert example_dags/{file.name} --output {self.home.name}\n")
        command += [str(file), "--output", str(self.home)]
        if subprocess.run(command, env=self.environment, check=False).returncode:
            raise DemoError("the DAG does not convert")
        return (self.home / f"{DAG_ID}.pipeline.json").read_text(encoding="utf-8")

    def prepare_airflow(self, database: Future[None] | None) -> None:
        """An Airflow of its own: home folder, SQLite, the DAG."""
        shutil.copy(EXAMPLES / f"{DAG_ID}.py", self.home / "dags")
        if database is not None:
            with self.console.status("   making Airflow's database, once ..."):
                try:
                    database.result()
                except subprocess.CalledProcessError as error:
                    raise DemoError(f"Airflow could not make its database:\n{error.stderr}") from None
        self.console.print(f"   Airflow's home: {self.home}")

    def run_steps(self) -> dict[str, Job]:
        """Run the DAG in a process with Airflow, show each task as it ends; what the tasks created."""
        results, log_file = self.home / "results.json", self.home / "demo.log"
        results.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sagemaker_provider.local.demo", "--run", str(results)]
        with log_file.open("w", encoding="utf-8") as log:
            known = self.latest_run()
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)
            shown: set[str] = set()
            with self.console.status("   starting Airflow ...") as status:
                while process.poll() is None:
                    states = {} if self.latest_run() == known else self.states()
                    for task, state in states.items():
                        if state in _STYLES and task not in shown:
                            shown.add(task)
                            self.show(task, state)
                    running = [task for task, state in states.items() if state in ("running", "deferred")]
                    status.update(f"   {', '.join(running)} ..." if running else "   waiting for Airflow ...")
                    time.sleep(0.2)
        if process.returncode or not results.exists():
            raise DemoError(f"Airflow ended with exit code {process.returncode}; see {log_file}")
        tasks = json.loads(results.read_text(encoding="utf-8"))
        if any(task["state"] not in ("success", "skipped") for task in tasks):
            failed = [task["task_id"] for task in tasks if task["state"] == "failed"]
            raise DemoError(f"in Airflow {', '.join(failed) or 'a task'} failed; see {log_file}")
        arns = {}
        for task in tasks:
            resource = self.resources.get(task["task_id"])
            if resource and task["state"] == "success":
                arns[task["task_id"]] = task["xcom"][f"{resource.create.removeprefix('Create')}Arn"]
        prepared = self.describe("prepare", arns["prepare"])[1]["ProcessingOutputConfig"]["Outputs"][0]
        return self.jobs(arns, prepared["S3Output"]["S3Uri"].split("/")[4])

    def show(self, step: str, state: str, reason: str = "") -> None:
        """A step that has ended."""
        self.console.print(
            f"   [{_STYLES[state]}]{state:<9}[/] {step:<12} {self.types[step]:<13} {escape(reason)}".rstrip()
        )

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

    def run_pipeline(self, definition: str) -> dict[str, Job]:
        """Create the pipeline, start it, show each step as it ends; what the steps created."""
        self.sagemaker.create_pipeline(PipelineName=DAG_ID, PipelineDefinition=definition, RoleArn=ROLE)
        arn = self.sagemaker.start_pipeline_execution(PipelineName=DAG_ID)["PipelineExecutionArn"]
        self.console.print(f"   {arn}")
        shown: set[str] = set()
        state = State.RUNNING
        with self.console.status("   running ..."):
            while state is State.RUNNING:
                time.sleep(0.2)
                execution = self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
                state, status = state_of(PIPELINE_EXECUTION, execution)
                pages = self.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
                steps = pages.build_full_result()["PipelineExecutionSteps"]
                ended = [step for step in steps if step["StepStatus"] in _STYLES and step["StepName"] not in shown]
                for step in sorted(ended, key=lambda step: step["EndTime"]):
                    shown.add(step["StepName"])
                    self.show(step["StepName"], step["StepStatus"], step.get("FailureReason", ""))
        if state is not State.SUCCEEDED:
            raise DemoError(f"the pipeline ended as {status}: {execution.get('FailureReason', 'no reason given')}")
        arns = {step["StepName"]: made["Arn"] for step in steps for made in step["Metadata"].values() if "Arn" in made}
        return self.jobs(arns, arn.rpartition("/")[2])

    def describe(self, step: str, arn: str) -> tuple[str, dict[str, Any]]:
        """The name of what a step created, and its Describe response."""
        resource = self.resources[step]
        ((member, path),) = resource.identifiers.items()
        name = arn.rpartition(":")[2].partition("/")[2]
        describe = getattr(self.sagemaker, xform_name(resource.describe))
        return name, describe(**{member: arn if path.endswith("Arn") else name})

    def jobs(self, arns: Mapping[str, str], execution_id: str) -> dict[str, Job]:
        """What the steps of one way created, in comparable form."""
        described = {step: self.describe(step, arn) for step, arn in arns.items()}
        generated = {name: f"<{step}>" for step, (name, _) in described.items()} | {execution_id: "<execution>"}
        return {
            step: Job(name, request_of(self.resources[step], description, generated), description)
            for step, (name, description) in described.items()
        }

    def compare(self, by_step: Mapping[str, Job], by_pipeline: Mapping[str, Job]) -> None:
        """Show the jobs and the metrics of both ways; :class:`DemoError` where they differ."""
        found = differences(by_step, by_pipeline)
        table = Table("step", *(Column(way, overflow="fold") for way in ("step by step", "pipeline")), "same request")
        for step in self.resources:
            names = [way[step].name if step in way else "" for way in (by_step, by_pipeline)]
            table.add_row(step, *names, _yes(step not in found))
        self.console.print(table)
        if found:
            raise DemoError("\n".join(["the requests differ", *found.values()]))
        metrics, of_pipeline = self.metrics(by_step), self.metrics(by_pipeline)
        table = Table("mean squared error", "step by step", "pipeline", "same")
        for name, value in metrics.items():
            table.add_row(name, f"{value:.4f}", f"{of_pipeline[name]:.4f}", _yes(value == of_pipeline[name]))
        self.console.print(table)
        if metrics != of_pipeline:
            raise DemoError(f"the metrics differ: {metrics} and {of_pipeline}")

    def metrics(self, jobs: Mapping[str, Job]) -> dict[str, float]:
        """The metrics of the model, as the training job and the model registry have them."""
        (validation,) = jobs["train"].description["FinalMetricDataList"]
        report = jobs["register"].description["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
        bucket, _, key = report.removeprefix("s3://").partition("/")
        evaluation = json.load(self.s3.get_object(Bucket=bucket, Key=key)["Body"])
        return {"validation": validation["Value"], "test": evaluation["regression_metrics"]["mse"]["value"]}


def differences(by_step: Mapping[str, Job], by_pipeline: Mapping[str, Job]) -> dict[str, str]:
    """Steps whose requests are not the same in both ways, or that ran in one way only, with what differs."""
    found = {}
    for step in dict.fromkeys([*by_step, *by_pipeline]):
        one, other = (way[step].request.splitlines() if step in way else [] for way in (by_step, by_pipeline))
        if one != other:
            lines = difflib.unified_diff(one, other, f"{step} step by step", f"{step} in the pipeline", lineterm="")
            found[step] = "\n".join(lines)
    return found


def _yes(same: bool) -> str:
    return "[green]yes[/]" if same else "[bold red]no[/]"


def request_of(resource: Resource, description: Mapping[str, Any], generated: Mapping[str, str]) -> str:
    """What of a description was in the create request, as JSON; generated names are replaced."""
    members = set(request_shape(resource.service, resource.create).members) - {resource.name}
    text = json.dumps({key: description[key] for key in members & description.keys()}, indent=1, sort_keys=True)
    names = "|".join(map(re.escape, sorted(generated, key=len, reverse=True)))
    return re.sub(rf"(?<![\w-])({names})(?![\w-])", lambda match: generated[match[0]], text)


def _types(steps: list[dict[str, Any]]) -> dict[str, str]:
    """Type of each step, those in branches included."""
    found = {}
    for step in steps:
        found[step["Name"]] = step["Type"]
        for branch in ("IfSteps", "ElseSteps"):
            found |= _types(step["Arguments"].get(branch, []))
    return found


if __name__ == "__main__":
    sys.exit(main())
