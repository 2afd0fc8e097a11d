"""``assess`` of many DAG files as teams have them: the archetypes of the tests and old ones, again and again under other ids.

Prints a row for each number of files: seconds in all, milliseconds for each file and their ratio to the first row, what became
of the DAGs, and for the page its seconds and its size. Aim: 500 files in less than two minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sagemaker_provider.assessment_page import page
from sagemaker_provider.translator.assessment import assess
from sagemaker_provider.translator.worker import Request, convert_files

TESTS = Path(__file__).parents[1] / "tests"
MODELS = sorted((TESTS / "dags" / "archetypes").glob("*.py")) + sorted((TESTS / "data" / "legacy_dags").glob("*.py"))
MODULES = TESTS / "dags" / "archetypes"
"""Modules that the archetypes import."""


def write(folder: Path, files: int) -> None:
    """Write so many DAG files."""
    for number, model in enumerate(islice(cycle(MODELS), files)):
        text = model.read_text(encoding="utf-8").replace(f'"{model.stem}"', f'"{model.stem}_{number}"')
        (folder / f"{model.stem}_{number}.py").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[len(MODELS), 500])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    table = Table("files", "at once", "seconds", "ms per file", "ratio", "verdicts", "page: seconds", "MB")
    smallest = None
    for files in arguments.files:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), files)
            begin = time.perf_counter()
            request = Request(Path(folder), folders=(MODULES,), compat=True, jobs=arguments.jobs, assess=True)
            found = assess(convert_files(request))
            seconds = time.perf_counter() - begin
            text = page(found, folder)
        each = seconds / found.files
        smallest = smallest or each
        verdicts = Counter(dag.verdict.value for dag in found.dags)
        table.add_row(
            *(str(found.files), str(arguments.jobs), f"{seconds:.1f}", f"{1000 * each:.0f}", f"{each / smallest:.2f}"),
            ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())),
            *(f"{time.perf_counter() - begin - seconds:.1f}", f"{len(text.encode()) / 1e6:.1f}"),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
