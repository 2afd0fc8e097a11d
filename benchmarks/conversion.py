"""Conversion time of chains, fans, and DAGs as teams have them: it should grow linearly with the tasks.

Prints a row for each shape and size: milliseconds in all and for each task (median of the rounds), the ratio of the time for
each task to that of the smallest size of the same run, and the most memory of the process so far. Over 50 tasks the result
is refused, after all of the work. Aim for 1,000 mixed tasks: 5 seconds and 500 MB.
"""

from __future__ import annotations

import argparse
import logging
import resource
import statistics
import time
from datetime import datetime
from typing import Any

import mixed_dag
from rich.console import Console
from rich.table import Table

logging.disable(logging.WARNING)

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"


def config(source: Any) -> dict[str, Any]:
    """A CreateTrainingJob request with a template, a param and a source of data."""
    return {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": {"date": "{{ ds }}", "rounds": "{{ params.rounds }}"},
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}}
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models/{{ ds }}"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def build(shape: str, size: int) -> Any:
    """A DAG: ``chain``, each task reads from the one before; ``fan``, one task, many, one task."""
    from airflow.providers.common.compat.sdk import DAG

    from sagemaker_provider.operators import SageMakerTrainingStepOperator

    with DAG(f"{shape}-{size}", schedule=None, start_date=datetime(2026, 1, 1), params={"rounds": 1}) as dag:
        first = SageMakerTrainingStepOperator(task_id="t0", config=config("s3://bucket/in"))
        last = first
        inner = []
        for number in range(1, size - 1 if shape == "fan" else size):
            before = last if shape == "chain" else first
            task = SageMakerTrainingStepOperator(
                task_id=f"t{number}", config=config(before.properties.ModelArtifacts.S3ModelArtifacts)
            )
            inner.append(task)
            last = task
        if shape == "fan":
            inner >> SageMakerTrainingStepOperator(task_id="last", config=config("s3://bucket/in"))
    return dag


def seconds(function: Any, rounds: int) -> float:
    """Median CPU seconds of a call."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 50, 500, 5000])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    from sagemaker_provider.translator import convert

    convert(build("chain", 3))  # loads the service model
    table = Table("shape", "tasks", "ms", "ms a task", "ratio", "MB")
    shapes = [
        ("mixed", [size for size in args.sizes if size < 5000] + [1000]),
        ("chain", args.sizes),
        ("fan", args.sizes),
    ]
    for shape, sizes in shapes:
        smallest = None
        for size in sizes:
            dag = mixed_dag.build(size) if shape == "mixed" else build(shape, size)
            total = seconds(lambda dag=dag: convert(dag), args.rounds if size < 1000 else 3)
            each = total / size * 1000
            smallest = smallest or each
            table.add_row(
                shape,
                str(size),
                f"{total * 1000:.1f}",
                f"{each:.3f}",
                f"{each / smallest:.2f}",
                f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
