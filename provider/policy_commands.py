"""The command ``policy``."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from sagemaker_provider.commands import DONE, FOUND, fails, given_parameters, usage_error, write_file
from sagemaker_provider.report import console, show, table

if TYPE_CHECKING:
    from sagemaker_provider.definition.findings import Finding
    from sagemaker_provider.definition.policy import Principal


def policy(args: Namespace) -> int:
    """``policy``: what everybody who has to do with pipelines may do; no call is made."""
    from sagemaker_provider.definition import DefinitionError, PipelineDefinition
    from sagemaker_provider.definition.findings import errors, located
    from sagemaker_provider.definition.policy import Account, policies
    from sagemaker_provider.operators.converted import read_converted

    region = args.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    problems, values = [], {}
    try:
        values = given_parameters(args.parameter)
    except ValueError as error:
        problems.append(str(error))
    if not region:
        problems.append("--region is missing, and AWS_REGION is not set")
    folder = Path(args.output) if args.output else None
    if folder is not None and folder.exists() and not folder.is_dir():
        problems.append(f"--output {folder}: not a folder")
    if problems:
        return usage_error("\n".join(problems))
    found: list[tuple[str, list[Principal], list[Finding]]] = []
    for path in args.path:
        try:
            converted = read_converted(Path(path))
            definition = PipelineDefinition.from_json(converted.definition)
            role = args.role or converted.request.get("RoleArn")
            if role is None:
                raise ValueError(f"{path}: it does not say the role of the pipeline; give --role")
            unknown = sorted(set(values) - {getattr(item, "name", None) for item in definition.parameters or ()})
            if unknown:
                raise ValueError(f"{path}: there is no parameter {', '.join(map(repr, unknown))}")
            account = Account(role, str(region), values, args.code_location, args.scheduler_role)
        except DefinitionError as error:
            show(path, located(error.findings, file=path), None, None)
            return FOUND
        except ValueError as error:
            return usage_error(str(error))
        if wrong := errors(definition.validate()):
            show(path, located(wrong, file=path), None, None)
            return FOUND
        if converted.name in [name for name, _, _ in found]:
            return usage_error(f"there are several pipelines called {converted.name!r}; nothing is written")
        principals, findings = policies(definition, converted.name, account)
        found.append((converted.name, principals, located(findings, file=path)))
    if folder is not None:
        try:
            written = _write(found, folder)
        except OSError as error:
            return usage_error(f"{folder}: cannot be written: {error.strerror}")
    if args.format == "json":
        print(json.dumps({"pipelines": [_as_json(*item) for item in found]}, indent=2, sort_keys=True))
    else:
        for name, principals, findings in found:
            _show(name, principals)
            show(name, findings, None, None)
        for place in written if folder is not None else ():
            console().print(Text(f"written: {place}"))
    return FOUND if fails([item for _, _, findings in found for item in findings], args.strict) else DONE


def _write(found: Sequence[tuple[str, list[Principal], Any]], folder: Path) -> list[Path]:
    """Write a file for each policy and each trust policy."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, principals, _ in found:
        for item in principals:
            for kind, document in (("policy", item.policy), ("trust", item.trust)):
                if document is not None:
                    written.append(folder / f"{name}.{item.name}.{kind}.json")
                    write_file(written[-1], f"{json.dumps(document, indent=2)}\n".encode())
    return written


def _as_json(name: str, principals: list[Principal], findings: list[Finding]) -> dict[str, Any]:
    members = [
        {"name": item.name, "role": item.role, "policy": item.policy, "trust": item.trust} for item in principals
    ]
    return {"pipeline": name, "principals": members, "findings": [item.to_json() for item in findings]}


def _show(name: str, principals: list[Principal]) -> None:
    for item in principals:
        console().print(Text(f"{name}: {item.name}{f' ({item.role})' if item.role else ''}", style="bold"))
        rows = [
            (f"  {statement['Sid']}", "\n".join(statement["Action"]), "\n".join(statement["Resource"]))
            for statement in item.policy["Statement"]
        ]
        console().print(table(("  statement", "actions", "resources"), rows))
