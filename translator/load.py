"""DAGs from files, without Airflow's database."""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.translator.loading import shown

_DEPTH = "AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH"


def load_dags(
    path: Path, dag_id: str | None = None, *, folders: Iterable[Path] = ()
) -> tuple[list[tuple[Path, Any]], list[Finding]]:
    """Import the DAGs of a file or folder into this process, as Airflow's DAG processor does.

    :param path: a Python file, or a folder, which is searched with its ``.airflowignore``.
    :param dag_id: only this DAG.
    :param folders: further folders with modules that DAG files import.
    :return: (file, DAG) by file and DAG id, and findings on files that do not import.
    """
    with _quiet(), _importable(path if path.is_dir() else path.parent, folders):
        bag = dag_bag_class()(dag_folder=str(path.resolve()), safe_mode=path.is_dir())
    findings = [_import_error(file, text) for file, text in sorted(bag.import_errors.items())]
    dags = [(Path(shown(dag.fileloc)), dag) for dag in bag.dags.values() if dag_id in (None, dag.dag_id)]
    if not dags and (dag_id is not None or not findings):
        reason = (
            f"there is no DAG {dag_id!r}; there are {', '.join(sorted(bag.dags)) or 'none'}"
            if dag_id
            else "there is no DAG"
        )
        findings.append(finding("SMP102", reason, file=str(path)))
    return sorted(dags, key=lambda item: (str(item[0]), item[1].dag_id)), findings


@cache
def dag_bag_class() -> Any:
    """Airflow's ``DagBag``; one that no file can end, with ``sys.exit()`` or otherwise."""
    try:
        from airflow.dag_processing.dagbag import DagBag

        return DagBag
    except ImportError:  # Airflow before 3.2
        from airflow.models import dagbag

    class Bag(dagbag.DagBag):  # type: ignore[name-defined,misc]
        """As later versions of Airflow have it."""

        def __init__(self, **options: Any) -> None:
            super().__init__(include_examples=False, **options)

        def _load_modules_from_file(self, filepath: str, safe_mode: bool) -> Any:
            try:
                return super()._load_modules_from_file(filepath, safe_mode)
            except KeyboardInterrupt:
                raise
            except BaseException:
                self.import_errors[filepath] = traceback.format_exc()
                return []

    return Bag


def _import_error(file: str, text: str) -> Finding:
    """The exception at the end of the traceback, and the line of the file where it happened."""
    lines = text.strip().splitlines()
    frames = [index for index, line in enumerate(lines) if line.startswith("  File ")]
    after = [line for line in lines[frames[-1] + 1 if frames else 0 :] if not line.startswith("    ")]
    reason = " ".join(part.strip() for part in after or lines[-1:]) or "it does not import"
    places = [line for line in lines if line.strip().startswith(f'File "{file}"')]
    line = int(places[-1].split("line ")[1].split(",")[0]) if places and "line " in places[-1] else 0
    code = "SMP101"
    if "AirflowDagCycleException" in reason or "Cycle detected" in reason:
        code, reason = "SMP103", reason.partition(": ")[2] or reason
    elif "AirflowDagDuplicatedIdException" in reason:
        code, reason = "SMP105", reason.partition(": ")[2] or reason
    return replace(finding(code, reason, file=shown(file)), line=line)


@contextmanager
def _importable(folder: Path, others: Iterable[Path]) -> Iterator[None]:
    """Let DAG files import what they can in Airflow, and undo what they change of this process.

    That is the modules beside them and, below the DAGs folder of the configuration, those of that folder. Tracebacks are
    long enough to reach the line of the file.
    """
    from airflow.providers.common.compat.sdk import conf

    known, here, depth = list(sys.path), Path.cwd(), os.environ.get(_DEPTH)
    own, dags = folder.resolve(), Path(conf.get("core", "dags_folder")).resolve()
    sys.path[:0] = [str(own), *([str(dags)] if dags in own.parents else []), *(str(item.resolve()) for item in others)]
    os.environ[_DEPTH] = "50"
    try:
        yield
    finally:
        sys.path[:] = known
        os.chdir(here)
        os.environ.pop(_DEPTH)
        os.environ.update({_DEPTH: depth} if depth else {})


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what DAG files and Airflow print while importing away from the results."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), _no_output_of_processes():
            yield
    finally:
        logging.disable(level)


@contextmanager
def _no_output_of_processes() -> Iterator[None]:
    """Keep what processes started meanwhile, and libraries in C, write to standard output away too."""
    saved = os.dup(1)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 1)
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
