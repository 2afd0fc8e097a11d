"""The local SageMaker: 100 trivial processing jobs of one pipeline, ten at once, and memory under 1,000 simulated steps."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/Pipeline"


def job() -> dict[str, Any]:
    return {
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {
                "ImageUri": "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1",
                "ContainerEntrypoint": ["python3", "-c", "pass"],
            },
            "RoleArn": ROLE,
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
            },
        },
    }


def loop() -> list[dict[str, Any]]:
    """A hundred jobs; a definition has at most 50 steps, a loop at most 100 items."""
    body = [{"Name": "job", **job()}]
    arguments = {"IterableItems": list(range(100)), "MaxConcurrency": 50, "ForEachBody": body}
    return [{"Name": "loop", "Type": "ForEach", "Arguments": arguments}]


def run(local: Any, steps: list[dict[str, Any]], executions: int, **limit: Any) -> float:
    """Run executions at once; seconds."""
    sagemaker = local.client("sagemaker")
    definition = json.dumps({"Version": "2020-12-01", "Steps": steps})
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinition=definition, RoleArn=ROLE, **limit)
    started = time.perf_counter()
    arns = [sagemaker.start_pipeline_execution(PipelineName="p")["PipelineExecutionArn"] for _ in range(executions)]
    for arn in arns:
        while (
            status := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        ) == "Executing":
            time.sleep(0.1)
        assert status == "Succeeded", status
    return time.perf_counter() - started


def memory() -> float:
    """Largest memory of this process so far, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(case: str) -> None:
    from sagemaker_provider.local.service import LocalSettings, local_sagemaker

    settings = LocalSettings() if case == "jobs" else LocalSettings(images="simulate-all")
    with local_sagemaker(settings) as local:
        before = memory()
        if case == "jobs":
            seconds = run(local, loop(), 1, ParallelismConfiguration={"MaxParallelExecutionSteps": 10})
            trivial = time.perf_counter()
            for _ in range(100):
                subprocess.run([sys.executable, "-c", "pass"], check=True)
            alone = time.perf_counter() - trivial
            print(
                f"100 processing jobs, 10 at once: {seconds:.1f} s, {seconds / 100 * 1000:.0f} ms each; "
                f"{seconds / alone:.1f} times 100 bare processes one after the other"
            )
        else:
            seconds = run(local, [{"Name": f"s{index}", **job()} for index in range(50)], 20)
            print(
                f"1,000 simulated steps in 20 executions at once: {seconds:.1f} s; "
                f"{memory():.0f} MB, {memory() - before:.0f} MB more than the idle server"
            )


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    for case in ("jobs", "steps"):  # a process each, so that the memory is its own
        subprocess.run([sys.executable, __file__, case], check=True)


if __name__ == "__main__":
    main()
