"""Waiting for many jobs in one process, with calls refused above the service's rates: calls, delays, memory.

Two hundred triggers, the same with one Describe call for each job and interval, and a thousand triggers. The
service's rates: two List calls a second; five Describe calls a second, the published rate of DescribeEndpoint, because there
is none for jobs.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from statistics import quantiles
from typing import Any

RATES = {"List*": 2.0, "Describe*": 5.0}


def job(number: int) -> dict[str, Any]:
    return {
        "TrainingJobName": f"job-{number}",
        "AlgorithmSpecification": {
            "TrainingImage": "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1",
            "TrainingInputMode": "File",
        },
        "RoleArn": "arn:aws:iam::123456789012:role/Job",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }


async def wait_together(number: int, interval: float) -> None:
    """Wait as a deferred task does."""
    from sagemaker_provider.triggers.step import SageMakerStepTrigger

    identifiers = {"TrainingJobName": f"job-{number}"}
    async for event in SageMakerStepTrigger(kind="Training", identifiers=identifiers, poll_interval=interval).run():
        assert "error" not in event.payload, event.payload


async def wait_alone(number: int, interval: float) -> None:
    """Wait with a Describe call of one's own at each interval."""
    import boto3
    from botocore.exceptions import ClientError

    client = clients.setdefault("sagemaker", boto3.client("sagemaker"))
    while True:
        try:
            answer = await asyncio.to_thread(client.describe_training_job, TrainingJobName=f"job-{number}")
            if answer["TrainingJobStatus"] not in ("InProgress", "Stopping"):
                return
        except ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException":
                raise
        await asyncio.sleep(interval)


clients: dict[str, Any] = {}


def child(how: str, count: int, interval: float) -> None:
    """Wait for all jobs; a line for each end, and the memory at last."""

    async def one(number: int) -> None:
        await {"together": wait_together, "alone": wait_alone}[how](number, interval)
        print(json.dumps({"job": number, "at": time.time()}), flush=True)

    async def everything() -> None:
        await asyncio.gather(*(one(number) for number in range(count)))

    asyncio.run(everything())
    print(json.dumps({"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


def measure(how: str, count: int, interval: float, still: float, ending: float) -> None:
    """Print what it costs to wait for jobs that run for a while, and then end one after the other.

    :param interval: seconds between two looks.
    :param still: seconds in which no job ends.
    :param ending: seconds from the first end to the last.
    """
    from sagemaker_provider.local.service import LocalSettings, local_sagemaker

    with ExitStack() as stack:
        local = stack.enter_context(local_sagemaker(LocalSettings(images="simulate-all")))
        local.faults.add("hang", times=None)
        for number in range(count):
            local.call("CreateTrainingJob", job(number))
        limits = [
            local.faults.add("throttling", operation=operation, per_second=rate, times=None)
            for operation, rate in RATES.items()
        ]
        made = [0]
        check = local.faults.check

        def counted(operation: str, name: str) -> None:
            made[0] += operation.startswith(("List", "Describe"))
            check(operation, name)

        local.faults.check = counted  # type: ignore[method-assign]
        command = [sys.executable, __file__, how, str(count), str(interval)]
        environment = {**os.environ, **local.environment}
        output = stack.enter_context(tempfile.TemporaryFile("w+"))  # a pipe that nobody reads would stop the child
        with subprocess.Popen(command, stdout=output, text=True, env=environment):
            time.sleep(still / 2)  # the first look at everything is not part of the steady state
            before, began = made[0], time.time()
            time.sleep(still / 2)
            calm = max(1, made[0] - before) / (time.time() - began) * 60
            for number in range(count):
                time.sleep(ending / count)
                local.call("StopTrainingJob", {"TrainingJobName": f"job-{number}"})
            ended = {
                number: local.store.wait("us-west-2", "TrainingJob", f"job-{number}", stopped)["TrainingEndTime"]  # type: ignore[index]
                for number in range(count)
            }
        output.seek(0)
        lines = [json.loads(line) for line in output if line.startswith('{"')]  # others are Airflow's log
        refused = sum(local.faults.hits(limit) for limit in limits)
    delays = [line["at"] - ended[line["job"]] for line in lines if "job" in line]
    assert len(delays) == count, f"{len(delays)} of {count} were told the end"
    alone = count * 60 / interval
    print(
        f"{count} waiting {how}, every {interval:g} s: {calm:.0f} calls a minute, {alone / calm:.1f} times fewer than one "
        f"Describe each; {made[0]} calls in all, {refused} refused; delay p50 {quantiles(delays, n=20)[9]:.1f} s, "
        f"p95 {quantiles(delays, n=20)[18]:.1f} s, at most {max(delays):.1f} s; {lines[-1]['memory']:.0f} MB"
    )


def stopped(record: dict[str, Any]) -> bool:
    return record["TrainingJobStatus"] == "Stopped"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    else:
        measure("together", 200, 30, still=240, ending=240)
        measure("alone", 200, 30, still=120, ending=120)
        measure("together", 1000, 30, still=240, ending=600)
