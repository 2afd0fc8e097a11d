"""Import time of our operators over ``airflow.sdk``, beside that of the amazon provider's SageMaker operators.

Each import runs in a fresh process, interleaved, with a byte-code cache of its own, which the first round fills.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

from rich.console import Console
from rich.table import Table

BASE = "airflow.providers.common.compat.sdk"
MODULES = {
    "sagemaker_provider.operators.jobs": "our Processing, Training, Tuning, AutoML, Transform",
    "sagemaker_provider.operators": "all of our operators",
    "airflow.providers.amazon.aws.operators.sagemaker": "the amazon provider's SageMaker operators",
    "boto3": "boto3 alone",
}
CODE = """
import time
import {base} as base
base.BaseOperator, base.DAG
start = time.process_time()
import {module} as module
[getattr(module, name) for name in getattr(module, "__all__", ())]
print(time.process_time() - start)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    times: dict[str, list[float]] = {module: [] for module in MODULES}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for round_number in range(args.rounds + 1):
            for module in MODULES:
                command = [sys.executable, "-c", CODE.format(base=BASE, module=module)]
                output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
                if round_number:
                    times[module].append(float(output.split()[-1]))
    amazon = statistics.median(times["airflow.providers.amazon.aws.operators.sagemaker"])
    table = Table("import", "what", "CPU ms over the SDK (median)", "of the amazon provider's")
    for module, what in MODULES.items():
        median = statistics.median(times[module])
        table.add_row(module, what, f"{median * 1000:.0f}", f"{median / amazon:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
