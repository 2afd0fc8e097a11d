"""The commands ``plan`` and ``split``."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree

from sagemaker_provider.commands import DONE, FOUND, conversion_request, usage_error, write_file
from sagemaker_provider.definition.findings import Finding, Severity, errors, finding
from sagemaker_provider.report import STYLES, console, gathered, show
from sagemaker_provider.translator.defaults import Defaults, beside
from sagemaker_provider.translator.planning import Plan


def plan(args: Namespace) -> int:
    """``plan``: the pipelines of each DAG and what stays in Airflow; nothing is written."""
    from sagemaker_provider.translator.worker import convert_files

    try:
        request = conversion_request(args)
    except ValueError as error:
        return usage_error(str(error))
    files = convert_files(replace(request, plan=True))
    loading = [item for file in files for item in file.findings]
    made = [(file.file, dag.dag_id, dag.plan) for file in files for dag in file.dags if dag.plan is not None]
    if args.format == "json":
        dags = [{"dag": dag_id, "file": file, **as_json(item)} for file, dag_id, item in made]
        print(json.dumps({"dags": dags, "findings": _told(loading)}, indent=2, sort_keys=True))
    else:
        for _, dag_id, item in made:
            console().print(tree(dag_id, item))
            show("", list(item.findings), None, None)
        show("", loading, None, None)
    wrong = [*loading, *(finding for _, _, item in made for finding in item.findings)]
    return FOUND if errors(wrong) else DONE


def split(args: Namespace) -> int:
    """``split``: the DAG file with a task group for each pipeline; written only if its DAGs are the same."""
    from sagemaker_provider.translator.split import GROUP, CannotSplitError, Split, rewritten
    from sagemaker_provider.translator.worker import convert_files

    try:
        request = conversion_request(args)
        source = request.path.read_bytes().decode("utf-8")
    except (ValueError, OSError) as error:
        return usage_error(str(error))
    target = Path(args.output)
    if target.is_dir() or not target.parent.is_dir():
        return usage_error(f"--output {target}: not a file in a folder that is there")
    (file,) = convert_files(replace(request, plan=True))
    defaults = (
        request.settings.defaults if errors(file.findings) else beside(request.path).over(request.settings.defaults)
    )
    found = [*file.findings, *(item for dag in file.dags if dag.plan for item in dag.plan.findings)]
    splits = [
        Split(dag.plan.regions, dag.made, _arguments(dag.dag_id, defaults))
        for dag in file.dags
        if dag.plan and dag.plan.regions
    ]
    if GROUP in source:
        found.append(
            finding("SMP847", f"it has a {GROUP} already; split the file from which it was made", file=file.file)
        )
    elif not splits and not errors(found):
        found.append(finding("SMP847", "no task can be in a pipeline; plan says why", file=file.file))
    text = ""
    if not errors(found):
        try:
            text = rewritten(source, splits)
            compared = convert_files(replace(request, compared=(rewritten(source, splits, "steps"), text)))
            found += [item for each in compared for item in each.findings]
        except CannotSplitError as error:
            found += [replace(finding("SMP847", reason, file=file.file), line=line) for line, reason in error.problems]
        except ModuleNotFoundError as error:
            return usage_error(
                f"{error.name} is not installed: pip install 'airflow-provider-sagemaker-pipelines[split]'"
            )
    if not errors(found):
        try:
            write_file(target, text.encode())
        except OSError as error:
            return usage_error(f"{target}: cannot be written: {error.strerror}")
    if args.format == "json":
        groups = [
            {"dag": dag.dag_id, "groups": [item.name for item in dag.plan.regions]} for dag in file.dags if dag.plan
        ]
        output = None if errors(found) else str(target)
        print(json.dumps({"dags": groups, "output": output, "findings": _told(found)}, indent=2, sort_keys=True))
    else:
        show("", found, None, None)
        if not errors(found):
            console().print(Text(f"written: {target}"))
    return FOUND if errors(found) else DONE


def _arguments(dag_id: str, defaults: Defaults) -> dict[str, Any]:
    """The arguments of the task groups of a DAG: its conversion settings, without those about planning."""

    def without(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
        return {key: value for key, value in values.items() if key not in ("native", *names)}

    own = {**defaults.values, **defaults.dags.get(dag_id, {})}
    tasks = {
        task: without(values) for (dag, task), values in defaults.tasks.items() if dag == dag_id and without(values)
    }
    settings = {**without(own, "role"), **({"dags": {dag_id: {"tasks": tasks}}} if tasks else {})}
    return {**({"role": own["role"]} if "role" in own else {}), **({"settings": settings} if settings else {})}


def as_json(made: Plan) -> dict[str, Any]:
    """A plan with stable keys."""
    return {
        "regions": [{**vars(region), "findings": _told(region.findings)} for region in made.regions],
        "stays": [{"task": task, "findings": _told(reasons)} for task, reasons in made.stays.items()],
        "findings": _told(made.findings),
    }


def tree(dag_id: str, made: Plan) -> Tree:
    """A plan for people: each pipeline with its tasks and what differs in it, then what stays and why."""
    native = sum(len(region.tasks) for region in made.regions)
    every = native + len(made.stays)
    root = Tree(
        Text.assemble((dag_id, "bold"), f"  {native} of {every} tasks in {_count(len(made.regions), 'pipeline')}")
    )
    for region in made.regions:
        after = f"  after {', '.join(region.after)}" if region.after else ""
        node = root.add(
            Text.assemble((region.name, "bold"), (f"  {_count(region.steps, 'step')}", "cyan"), (after, "dim"))
        )
        node.add(Text(", ".join(region.tasks)))
        for code in dict.fromkeys(item.code for item in region.findings if item.severity is not Severity.NOTE):
            for line in gathered([_unlocated(item) for item in region.findings if item.code == code]):
                node.add(Text(f"{code} {line}", style=STYLES[Severity.DIFFERENCE]))
    if made.stays:
        node = root.add(Text("stays in Airflow", style="italic"))
        for task, reasons in made.stays.items():
            why = "; ".join(f"{item.code} {item.place and f'{item.place}: '}{item.message}" for item in reasons)
            node.add(Text.assemble((task, "bold"), (f"  {why}" if why else "", "dim")))
    return root


def _unlocated(item: Finding) -> Finding:
    """A finding without what the tree says already."""
    return replace(item, file="", dag="", line=0)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _told(findings: Any) -> list[dict[str, Any]]:
    return [item.to_json() for item in findings]
