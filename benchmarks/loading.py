"""Conversion of many DAG files: time and memory for 200 files, some of them bad, and that every file has an answer.

Prints a row for each number of processes: seconds in all, milliseconds for each file, and how many files were converted and
how many failed. The first row is one file, so it is what the start costs.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sagemaker_provider.translator.worker import Request, convert_files

DAG = """\
from airflow.providers.common.compat.sdk import DAG
from sagemaker_provider.operators import SageMakerLambdaStepOperator

with DAG("dag_{number}", schedule=None):
    before = None
    for index in range(10):
        task = SageMakerLambdaStepOperator(task_id=f"t{{index}}", function_arn="arn:aws:lambda:us-west-2:111122223333:function:f")
        before and before >> task
        before = task
"""
BAD = (
    "import airflow, sys  # dag\nsys.exit(1)\n",
    "import airflow, os  # dag\nos._exit(1)\n",
    "import airflow  # dag\nraise ValueError\n",
    "import airflow, a_module_that_is_missing  # dag\n",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--bad", type=int, default=20, help="every how manieth file is bad (default: 20)")
    arguments = parser.parse_args()
    table = Table("files", "at once", "seconds", "ms per file", "converted", "failed")
    cores = os.cpu_count() or 1
    for files, jobs in [(1, 1), (arguments.files, 1), (arguments.files, cores), (arguments.files, 4 * cores)]:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(files):
                bad = files > 1 and number % arguments.bad == 0
                text = BAD[number // arguments.bad % len(BAD)] if bad else DAG.format(number=number)
                (Path(folder) / f"f{number:04}.py").write_text(text)
            begin = time.perf_counter()
            found = convert_files(Request(Path(folder), jobs=jobs))
            seconds = time.perf_counter() - begin
        converted = sum(dag.definition is not None for file in found for dag in file.dags)
        assert len(found) == files
        table.add_row(
            *(str(files), str(jobs), f"{seconds:.1f}", f"{1000 * seconds / files:.0f}"),
            *(str(converted), str(files - converted)),
        )
    Console().print(table)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    Console().print(f"largest process: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
