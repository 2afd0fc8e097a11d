"""What the commands do. Results go to standard output, what concerns the person to standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import tempfile
import threading
from argparse import Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from sagemaker_provider.definition import DefinitionError, PipelineDefinition
from sagemaker_provider.definition.findings import Finding, Severity, errors, finding, located
from sagemaker_provider.definition.model import EXPERIMENT_OF_THE_PIPELINE

if TYPE_CHECKING:
    from sagemaker_provider.operators.converted import Converted
    from sagemaker_provider.translator.worker import ConvertedDag, Request

DONE, FOUND, USAGE = 0, 1, 2
"""Exit codes: done; errors were found; the command cannot be carried out as it was given."""


def convert(args: Namespace) -> int:
    """``convert``: one definition for each DAG; nothing is written for a DAG with errors."""
    from sagemaker_provider.operators.names import pipeline_name
    from sagemaker_provider.translator.worker import convert_files

    folder = Path(args.output or ".")
    if folder.exists() and not folder.is_dir():
        return usage_error(f"--output {folder}: not a folder")
    try:
        request = replace(conversion_request(args), task_groups=args.task_groups)
    except ValueError as error:
        return usage_error(str(error))
    files = convert_files(request)
    loading = [item for file in files for item in file.findings]
    findings = list(loading)
    report: list[dict[str, Any]] = []
    written: dict[Path, str] = {}
    for source, dag in [(file.file, dag) for file in files for dag in file.dags]:
        found = list(dag.findings)
        target = folder / f"{pipeline_name(dag.dag_id)}.pipeline.json"
        if target in written:
            found.append(
                finding("SMP105", f"{written[target]!r} is written to {target} as well", dag=dag.dag_id, file=source)
            )
        failed = dag.definition is None or fails(found, args.strict)
        if not failed and dag.definition is not None:
            place_of_assets = folder / f"{pipeline_name(dag.dag_id)}.assets"
            deploy = folder / f"{pipeline_name(dag.dag_id)}.deploy.json"
            files_of_dag = {
                **{place_of_assets / name: item for name, item in dag.assets.items()},
                target: f"{dag.definition}\n".encode(),
                deploy: f"{as_converted(dag).deploy_json()}\n".encode(),
            }
            for place, content in files_of_dag.items():
                try:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    write_file(place, content)
                except OSError as error:
                    return usage_error(f"{place}: cannot be written: {error.strerror}")
            _forget(place_of_assets / "code", {name.split("/")[1] for name in dag.assets if name.startswith("code/")})
            written[target] = dag.dag_id
        findings += found
        report.append(
            {
                "dag": dag.dag_id,
                "file": source,
                "output": None if failed else str(target),
                "pipeline": dag.pipeline,
                "schedules": dag.schedules,
                "date_parameters": dag.date_parameters,
                "findings": [item.to_json() for item in found],
            }
        )
        if args.format == "text":
            definition = None if failed or dag.definition is None else PipelineDefinition.from_json(dag.definition)
            _show(dag.dag_id, found, definition, target)
            if failed and dag.definition is not None:
                print("  not written: with --strict, differences count as errors")
            elif not failed and dag.assets:
                print(f"  written: {folder / pipeline_name(dag.dag_id)}.assets, to be uploaded to code_location")
    if args.format == "json":
        print(json.dumps({"dags": report, "findings": [item.to_json() for item in loading]}, indent=2, sort_keys=True))
    else:
        _show("", loading, None, None)
        failed_count = sum(entry["output"] is None for entry in report)
        summary = f"{len(report) - failed_count} of {len(report)} DAGs converted, {len(errors(findings))} errors, {_count(findings, Severity.DIFFERENCE)} differences"
        Console(stderr=True, highlight=False).print(summary)
    return FOUND if fails(findings, args.strict) else DONE


def as_converted(dag: ConvertedDag) -> Converted:
    """A converted DAG without errors as it is deployed."""
    from sagemaker_provider.operators.converted import Converted

    assert dag.definition is not None
    return Converted.of(dag.pipeline, dag.definition, dag.assets, dag.schedules, dag.date_parameters)


def conversion_request(args: Namespace) -> Request:
    """What the options of :data:`sagemaker_provider.cli.CONVERSION` and the path ask for.

    :raises ValueError: a file or folder is missing, or is not of its form.
    """
    from sagemaker_provider.translator import Settings
    from sagemaker_provider.translator.defaults import Defaults, from_yaml
    from sagemaker_provider.translator.inputs import Inputs
    from sagemaker_provider.translator.worker import Request

    path = Path(args.path)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if missing := [name for name in args.folders if not Path(name).is_dir()]:
        raise ValueError(f"--path {missing[0]}: no such folder")
    if args.timeout <= 0 or args.jobs < 1:
        raise ValueError("--timeout and --jobs are more than 0")
    inputs = from_yaml(Inputs, args.values)
    defaults = from_yaml(Defaults, args.defaults)
    experiment = EXPERIMENT_OF_THE_PIPELINE if args.experiment else None
    return Request(
        path,
        args.dag_id,
        folders=tuple(map(Path, args.folders)),
        compat=args.compat,
        inputs=inputs,
        settings=Settings(args.nested_conditions, experiment, inputs.variables, defaults),
        timeout=args.timeout,
        jobs=args.jobs,
    )


def validate(args: Namespace) -> int:
    """``validate``: all findings on each definition."""
    every: list[Finding] = []
    for name in args.path:
        path = Path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            return usage_error(f"{name}: {error.strerror}")
        except UnicodeDecodeError:
            found = [finding("SMP501", "not JSON: the file is not UTF-8 text")]
        else:
            try:
                found = PipelineDefinition.from_json(text).validate()
            except DefinitionError as error:
                found = error.findings
        found = located(found, file=name)
        every += found
        if args.format == "text":
            _show(name, found, None, None)
            if not found:
                Console(highlight=False).print(f"{name}: valid", markup=False)
    if args.format == "json":
        print(json.dumps({"findings": [item.to_json() for item in every]}, indent=2, sort_keys=True))
    return FOUND if fails(every, args.strict) else DONE


def fails(findings: Iterable[Finding], strict: bool) -> bool:
    """Whether findings make a command end with :data:`FOUND`; with ``strict`` differences do too."""
    kinds = (Severity.ERROR, Severity.DIFFERENCE) if strict else (Severity.ERROR,)
    return any(item.severity in kinds for item in findings)


def _count(findings: Iterable[Finding], severity: Severity) -> int:
    return sum(item.severity is severity for item in findings)


def usage_error(problem: str) -> int:
    """Say why the command cannot be carried out, and give its exit code."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(problem, markup=False)
    return USAGE


def given_parameters(texts: Iterable[str]) -> dict[str, str]:
    """Parameters from texts ``NAME=VALUE``.

    :raises ValueError: a text is of another form; names all of them.
    """
    pairs = [text.partition("=") for text in texts]
    if problems := [f"--parameter {name!r} is not NAME=VALUE" for name, equals, _ in pairs if not equals or not name]:
        raise ValueError("; ".join(problems))
    return {name: value for name, _, value in pairs}


def _show(title: str, findings: list[Finding], definition: PipelineDefinition | None, target: Path | None) -> None:
    from sagemaker_provider.report import show

    show(title, findings, definition, target)


def _forget(folder: Path, kept: set[str]) -> None:
    """Remove the code that an earlier conversion wrote and that no step uses any more: folders called after content."""
    for old in folder.glob("?" * 16) if folder.is_dir() else ():
        if old.name not in kept and re.fullmatch("[0-9a-f]{16}", old.name):
            shutil.rmtree(old, ignore_errors=True)


def write_file(target: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    if target.exists() and not target.is_file():  # a device or a pipe is written to, not replaced
        target.write_bytes(content)
        return
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def local(args: Namespace) -> int:
    """``local``: serve until interrupted."""
    from sagemaker_provider.cli import LOCAL_SETTINGS

    try:
        import moto.moto_server.werkzeug_app  # noqa: F401 - it brings flask and werkzeug

        from sagemaker_provider.local.containers import isolation
        from sagemaker_provider.local.endpoint import forget_aws
        from sagemaker_provider.local.faults import from_json as faults_from_json
        from sagemaker_provider.local.service import LocalSettings, local_sagemaker
    except ModuleNotFoundError as error:
        return usage_error(f"{error.name} is not installed: pip install 'airflow-provider-sagemaker-pipelines[local]'")
    values = {name: getattr(args, name) for name in ("data", *LOCAL_SETTINGS)}
    given = {name: value for name, value in values.items() if value is not None and value is not False}
    settings: dict[str, Any] = {
        name: Path(value) if name in ("data", "simulated_outputs") else value for name, value in given.items()
    }
    faults: list[Any] = []
    if args.faults:
        try:
            faults = faults_from_json(json.loads(Path(args.faults).read_text(encoding="utf-8")))
        except OSError as error:
            return usage_error(f"{args.faults}: cannot be read: {error.strerror}")
        except ValueError as error:
            return usage_error(f"{args.faults}: {error}")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    forget_aws(os.environ)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("sagemaker_provider").setLevel(logging.INFO)
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(local_sagemaker(LocalSettings(**settings), args.port))
        except (OSError, OverflowError, ValueError) as error:
            return usage_error(str(error))
        for fault in faults:
            server.faults.add(fault)
        print(f"# Local SageMaker; no AWS account is used. Isolation of jobs: {isolation(server.settings)}.")
        print("# In the shell of the client:")
        for name, value in server.environment.items():
            print(f"export {name}={value}")
        print("unset AWS_PROFILE AWS_SESSION_TOKEN", flush=True)
        stop.wait()
    return DONE
