"""What goes wrong in production, on a local SageMaker: our operators beside those of the amazon provider.

Each case starts a task in a process of its own, as a worker does, lets something happen, and tells what has become of the
task and of what it had started. Deferrable operators of the amazon provider need ``aiobotocore``, which may be in a folder
of its own (``pip install --target FOLDER aiobotocore``): ``--aiobotocore FOLDER``; without it those cells say so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sagemaker_provider.local.service import LocalSageMaker, LocalSettings, local_sagemaker

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
TRAINING = {
    "TrainingJobName": "train",
    "AlgorithmSpecification": {
        "TrainingImage": "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1",
        "TrainingInputMode": "File",
    },
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
}
POLL = 0.2
"""Seconds between two polls; the amazon provider's 60 polls of 30 s take 12 s here."""


# A task, in a process of its own


def operator(side: str, what: str, deferrable: bool) -> Any:
    """An operator that runs a training job, or an execution of the pipeline ``pipeline``."""
    if side == "ours":
        from sagemaker_provider import operators

        if what == "training":
            return operators.SageMakerTrainingStepOperator(
                task_id="task", config=TRAINING, deferrable=deferrable, poll_interval=POLL, retries=1
            )
        return operators.SageMakerPipelineStartOperator(
            task_id="task", pipeline_name="pipeline", deferrable=deferrable, poll_interval=POLL, retries=1
        )
    from airflow.providers.amazon.aws.operators import sagemaker

    if what == "training":
        return sagemaker.SageMakerTrainingOperator(
            task_id="task",
            config=dict(TRAINING),
            deferrable=deferrable,
            check_interval=POLL,
            print_log=False,
            retries=1,
        )
    return sagemaker.SageMakerStartPipelineOperator(
        task_id="task",
        pipeline_name="pipeline",
        wait_for_completion=True,
        deferrable=deferrable,
        check_interval=POLL,
        retries=1,
    )


def run(side: str, what: str, deferrable: bool, try_number: int) -> str:
    """Run a task as Airflow does: ``success``, or why it failed."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from airflow.providers.common.compat.sdk import TaskDeferred
    from contexts import context

    task = operator(side, what, deferrable)
    signal.signal(signal.SIGTERM, lambda *_: (task.on_kill(), os._exit(1)))
    run_context = context("task", try_number=try_number, max_tries=1)
    method, arguments = task.execute, {}
    try:
        while True:
            try:
                method(run_context, **arguments)
                return "success"
            except TaskDeferred as deferred:
                event = asyncio.run(_first(deferred.trigger))
                method = getattr(task, deferred.method_name)
                arguments = {**(deferred.kwargs or {}), "event": event}
    except Exception as error:
        return f"failed: {' '.join(str(error).split()) or type(error).__name__}"[:150]


async def _first(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise RuntimeError("the trigger ended without an event")


# The cases


@dataclass
class Scene:
    """A local SageMaker, and the side whose tasks run there."""

    local: LocalSageMaker
    side: str
    environment: Mapping[str, str]

    def task(self, what: str, deferrable: bool = False, try_number: int = 1) -> subprocess.Popen[str]:
        """Start a task."""
        arguments = json.dumps([self.side, what, deferrable, try_number])
        command = [sys.executable, __file__, "--task", arguments]
        return subprocess.Popen(
            command, env=dict(self.environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self, task: subprocess.Popen[str], seconds: float = 60) -> str:
        """How a task ended; ``goes on`` when it does so after a time."""
        try:
            output, errors = task.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            task.kill()
            task.wait()
            return "goes on"
        found = [line.removeprefix("END ") for line in output.splitlines() if line.startswith("END ")]
        return found[0] if found else f"died: {errors.strip().splitlines()[-1:]}"

    def count(self, operation: str) -> int:
        """How many calls of an operation were accepted."""
        return sum(call.operation == operation for call in list(self.local.calls))

    def until(self, operation: str) -> None:
        """Wait until a call of an operation was accepted."""
        deadline = time.monotonic() + 60
        while not self.count(operation):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {operation}")
            time.sleep(0.02)

    def pipeline(self, *steps: dict[str, Any]) -> None:
        """Make the pipeline."""
        definition = {"Version": "2020-12-01", "Parameters": [], "Steps": list(steps)}
        self.local.client("sagemaker").create_pipeline(
            PipelineName="pipeline",
            PipelineDefinition=json.dumps(definition),
            ClientRequestToken="t" * 32,
            RoleArn=ROLE,
        )

    def executions(self) -> list[dict[str, Any]]:
        """The executions of the pipeline."""
        summaries = self.local.client("sagemaker").list_pipeline_executions(PipelineName="pipeline")
        return summaries["PipelineExecutionSummaries"]  # type: ignore[no-any-return]


def train_step(name: str, *depends: Any) -> dict[str, Any]:
    """A training step."""
    arguments = {key: value for key, value in TRAINING.items() if key != "TrainingJobName"}
    return {
        "Name": name,
        "Type": "Training",
        "Arguments": arguments,
        **({"DependsOn": list(depends)} if depends else {}),
    }


def retry_while_running(scene: Scene) -> str:
    """The worker dies while the job runs; Airflow retries."""
    first = scene.task("training")
    scene.until("CreateTrainingJob")
    time.sleep(2 * POLL)
    first.kill()
    first.wait()
    end = scene.end(scene.task("training", try_number=2))
    return f"{scene.count('CreateTrainingJob')} training job(s), {end}"


def lost_start(scene: Scene) -> str:
    """The worker dies after StartPipelineExecution, before it notes the answer; Airflow retries."""
    scene.pipeline(train_step("train"))
    scene.local.faults.add(kind="latency", operation="DescribePipelineExecution", seconds=5)
    first = scene.task("pipeline")
    scene.until("StartPipelineExecution")
    first.kill()
    first.wait()
    end = scene.end(scene.task("pipeline", try_number=2))
    return f"{len(scene.executions())} execution(s), {end}"


def stopped(scene: Scene) -> str:
    """A person stops the execution."""
    scene.local.faults.add("hang")
    scene.pipeline(train_step("train"))
    task = scene.task("pipeline")
    scene.until("CreateTrainingJob")
    (execution,) = scene.executions()
    scene.local.client("sagemaker").stop_pipeline_execution(
        PipelineExecutionArn=execution["PipelineExecutionArn"], ClientRequestToken="s" * 32
    )
    return scene.end(task)


def completed_with_failures(scene: Scene) -> str:
    """A step fails, another runs because of it: the execution is CompletedWithFailures."""
    scene.local.faults.add(kind="fail", message="AlgorithmError: exit code 1", name="*train*")
    scene.pipeline(train_step("train"), train_step("clean", {"Step": "train", "Trigger": "Failed"}))
    return scene.end(scene.task("pipeline"))


def throttled_once(scene: Scene) -> str:
    """One look at the execution is throttled while the task waits in the triggerer."""
    scene.pipeline(train_step("train"))
    for operation in ("DescribePipelineExecution", "ListPipelineExecutions"):
        scene.local.faults.add(kind="throttling", operation=operation, after=1, times=1)
    return scene.end(scene.task("pipeline", deferrable=True))


def long_job(scene: Scene) -> str:
    """A job takes longer than 60 polls, half an hour by default."""
    scene.local.faults.add("hang")
    end = scene.end(scene.task("training", deferrable=True), 100 * POLL + 10)
    (job,) = scene.local.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    return f"{'waits on' if end == 'goes on' else end}, the job is {job['TrainingJobStatus']}"


def killed(scene: Scene) -> str:
    """A person marks the running task as failed: Airflow ends it with SIGTERM and ``on_kill``."""
    scene.local.faults.add("hang")
    task = scene.task("training")
    scene.until("CreateTrainingJob")
    time.sleep(4 * POLL)
    task.send_signal(signal.SIGTERM)
    scene.end(task)
    time.sleep(1)
    (job,) = scene.local.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    return f"the job is {job['TrainingJobStatus']}"


CASES: tuple[Callable[[Scene], str], ...] = (
    retry_while_running,
    lost_start,
    stopped,
    completed_with_failures,
    throttled_once,
    long_job,
    killed,
)


def main() -> None:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aiobotocore", metavar="FOLDER", help="folder with aiobotocore, for the amazon provider")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        print("END", run(*json.loads(args.task)))
        return
    table = Table("case", "our operators", "the amazon provider's", show_lines=True)
    settings = LocalSettings(images="simulate-all", simulated_seconds=3, stop_seconds=0)
    with local_sagemaker(settings) as local:
        s3 = local.client("s3")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
        for case in CASES:
            cells = []
            for side in ("ours", "amazon"):
                environment = {**os.environ, **local.environment, "AWS_MAX_ATTEMPTS": "1"}
                if side == "amazon" and args.aiobotocore:
                    environment["PYTHONPATH"] = os.pathsep.join([args.aiobotocore, os.environ.get("PYTHONPATH", "")])
                local.reset()
                cells.append(case(Scene(local, side, environment)))
            table.add_row(str(case.__doc__), *cells)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
