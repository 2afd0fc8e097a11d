"""The commands that make a pipeline what it should be: deploy, diff, delete, and versions to see what was."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.text import Text
from rich.tree import Tree

from sagemaker_provider.aws import calls_aws, pipeline_hook
from sagemaker_provider.commands import DONE, FOUND, as_converted, conversion_request, fails, usage_error
from sagemaker_provider.definition.findings import Severity
from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, State, state_of
from sagemaker_provider.report import console, show

if TYPE_CHECKING:
    from sagemaker_provider.definition.comparison import Change
    from sagemaker_provider.hooks.pipeline import Deployment, Plan, SageMakerPipelineHook
    from sagemaker_provider.operators.converted import Converted

DIFFERS: Final = 3
"""Exit code of ``diff`` when a deployment would change something."""


@calls_aws
def deploy(args: Namespace) -> int:
    """``deploy``: all pipelines are looked at before the first is changed."""
    from sagemaker_provider.operators.converted import carry_out

    prepared = _prepared(args)
    if isinstance(prepared, int):
        return prepared
    hook, wanted = prepared
    if refused := [plan.refusal for _, plan, _ in wanted if plan.refusal and not args.force]:
        return _fail(f"{reason} with --force" for reason in refused)
    report: list[dict[str, Any]] = []
    try:
        for converted, plan, places in wanted:
            done, uploaded = carry_out(hook, plan, places, force=args.force)
            report.append({**_as_json(plan), "action": done.action, "arn": done.arn, "version": done.version})
            report[-1] |= {"uploaded": uploaded, "functions": converted.functions}
            if args.format == "text":
                _show_deployment(plan, done, uploaded, converted)
    finally:  # those before one that fails are deployed
        if args.format == "json":
            print(json.dumps({"pipelines": report}, indent=2, sort_keys=True))
    return DONE


@calls_aws
def diff(args: Namespace) -> int:
    """``diff``: what ``deploy`` with the same options would change."""
    prepared = _prepared(args)
    if isinstance(prepared, int):
        return prepared
    plans = [plan for _, plan, _ in prepared[1]]
    if args.format == "json":
        print(json.dumps({"pipelines": [_as_json(plan) for plan in plans]}, indent=2, sort_keys=True))
    else:
        for plan in plans:
            show_plan(plan)
    return DIFFERS if any(plan.changes for plan in plans) else DONE


@calls_aws
def delete(args: Namespace) -> int:
    """``delete``: a pipeline with its versions and executions."""
    from sagemaker_provider.hooks.pipeline import OWNER_TAG
    from sagemaker_provider.operators.converted import owner_by_name

    hook = pipeline_hook(args)
    name = pipeline_name_of(hook, args.pipeline)
    found = hook.find_or_fail(name)
    every = hook.executions(name)
    running = [item for item in every if state_of(PIPELINE_EXECUTION, item)[0] is State.RUNNING]
    if running:
        ids = ", ".join(item["PipelineExecutionArn"].rpartition("/")[2] for item in running)
        return _fail([f"pipeline {name!r} has running executions: {ids}; stop them first"])
    if not args.yes:
        if not sys.stdin.isatty():
            return usage_error("delete asks before it deletes; without a terminal, give --yes")
        answer = input(f"Delete {found['PipelineArn']} with its {len(every)} executions? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            return _fail(["nothing is deleted"])
    tagged = hook.tags(found["PipelineArn"]).get(OWNER_TAG)
    owner = args.owner or owner_of(args.pipeline) or owner_by_name(name, tagged)
    hook.delete(name, owner=owner, force=args.force)
    console().print(Text(f"{name}: deleted; schedules that start it stay until 'schedule delete {name}'"))
    return DONE


@calls_aws
def versions(args: Namespace) -> int:
    """``versions``: the versions of a pipeline, the latest first."""
    hook = pipeline_hook(args)
    name = pipeline_name_of(hook, args.pipeline)
    hook.find_or_fail(name)
    found = hook.versions(name)
    if args.format == "json":
        print(json.dumps({"versions": found}, indent=2, sort_keys=True))
        return DONE
    from sagemaker_provider.report import table

    rows = [
        (
            str(item["PipelineVersionId"]),
            item["CreationTime"],
            ", ".join(item.get("PipelineVersionAliases", ())),
            item.get("LastExecutionPipelineExecutionArn", "").rpartition("/")[2],
        )
        for item in found
    ]
    console().print(table(("version", "created", "aliases", "last execution"), rows))
    return DONE


# What a command line names


def pipeline_name_of(hook: SageMakerPipelineHook, text: str) -> str:
    """The pipeline that a name, an ARN or a definition file stands for.

    :raises ValueError: it is none of these, or the file cannot be read.
    :raises PipelineError: the ARN is not that of a pipeline of this account and Region.
    """
    from sagemaker_provider.hooks.pipeline import PipelineError
    from sagemaker_provider.operators.converted import read_converted

    if text.endswith(".json"):
        return read_converted(Path(text)).name
    name = text.rpartition(":pipeline/")[2] if text.startswith("arn:") else text
    if "/" in name or ":" in name:
        raise ValueError(f"{text!r} is neither a pipeline's name or ARN nor a file <name>.pipeline.json")
    if name != text and (found := str(hook.find_or_fail(name)["PipelineArn"])).lower() != text.lower():
        raise PipelineError(f"{text} is of another account or Region; here the pipeline {name!r} is {found}")
    return name


def owner_of(text: str) -> str | None:
    """Who deploys what a definition file describes; ``None`` for a name."""
    from sagemaker_provider.operators.converted import read_converted

    return read_converted(Path(text)).dag_id if text.endswith(".json") else None


_Wanted = tuple["Converted", "Plan", dict[str, bytes]]


def _prepared(args: Namespace) -> tuple[SageMakerPipelineHook, list[_Wanted]] | int:
    """What is to be deployed, with plans and the places of assets; or the exit code, after all problems are told."""
    from sagemaker_provider.hooks.pipeline import PipelineError
    from sagemaker_provider.operators.converted import asset_places

    try:
        every = [item for path in args.path for item in _converted(path, args)]
    except ValueError as error:
        return usage_error(str(error))
    converted = [item for item in every if item is not None]
    if len(converted) < len(every):
        return _fail(["nothing is deployed: there are errors"])
    if args.name:
        if len(converted) != 1:
            return usage_error(f"--name is for one pipeline; there are {len(converted)}")
        converted = [replace(converted[0], name=args.name)]
    if twice := sorted(name for name, count in Counter(item.name for item in converted).items() if count > 1):
        return _fail(f"there are several pipelines called {name!r}; nothing is deployed" for name in twice)
    hook = pipeline_hook(args)
    wanted: list[_Wanted] = []
    problems = []
    for item in converted:
        try:
            places = asset_places(item, args.code_location)
            pipeline = item.pipeline(
                owner=args.owner,
                role=args.role,
                max_parallel_steps=args.max_parallel_steps,
                aliases=tuple(args.alias) or None,
                location=args.code_location or item.folder(places),
            )
            wanted.append((item, hook.plan(pipeline), places))
        except (PipelineError, ValueError) as error:
            problems.append(str(error))
    return _fail(problems) if problems else (hook, wanted)


def _converted(path: str, args: Namespace) -> Iterable[Converted | None]:
    """The pipelines of a definition file, or of DAGs that are converted now; ``None`` for each that has errors.

    :raises ValueError: a file is missing, or is not of its form.
    """
    from sagemaker_provider.operators.converted import read_converted
    from sagemaker_provider.translator.worker import convert_files

    if path.endswith(".json"):
        yield read_converted(Path(path))
        return
    request = conversion_request(Namespace(**{**vars(args), "path": path}))
    for file in convert_files(request):
        if fails(file.findings, args.strict):
            show(file.file, list(file.findings), None, None)
            yield None
        for dag in file.dags:
            if dag.definition is None or fails(dag.findings, args.strict):
                show(dag.dag_id, dag.findings, None, None)
                yield None
                continue
            differences = sum(item.severity is Severity.DIFFERENCE for item in dag.findings)
            if differences:
                usage_error(f"{dag.dag_id}: {differences} differences, which 'convert' shows")
            yield as_converted(dag)


def _fail(problems: Iterable[str]) -> int:
    for problem in problems:
        usage_error(problem)
    return FOUND


# Output


def _as_json(plan: Plan) -> dict[str, Any]:
    return {
        "pipeline": plan.pipeline.name,
        "arn": plan.arn,
        "action": "create" if plan.arn is None else "update" if plan.changes else "none",
        "changes": [change.to_json() for change in plan.changes],
        "kept": dict(plan.kept),
        "refusal": plan.refusal,
    }


def _show_deployment(plan: Plan, done: Deployment, uploaded: list[str], converted: Converted) -> None:
    out = console()
    if plan.changes:
        show_plan(plan)
    version = f", version {done.version}" if done.version else ""
    out.print(Text.assemble((done.name, "bold"), f": {done.action}{version}  ", (done.arn, "dim")))
    if uploaded:
        out.print(Text(f"  uploaded: {len(uploaded)} files to {converted.folder(uploaded)}"))
    for name in converted.functions:
        out.print(
            Text(
                f"  {name}: deploy this CloudFormation template once for the account, if it is not (docs/aws-services.md)"
            )
        )


def show_plan(plan: Plan) -> None:
    """Print what a deployment would change, step by step."""
    out = console()
    name = plan.pipeline.name
    if not plan.changes:
        out.print(Text(f"{name}: no change"))
    else:
        tree = Tree(Text.assemble((name, "bold"), f"  {'is created' if plan.arn is None else 'changes'}"))
        nodes: dict[tuple[str, ...], Tree] = {(): tree}
        for change in plan.changes:
            place = change.place[1:] if change.place[0] == "Definition" else change.place
            depth = 2 if place[0] in ("Steps", "Parameters") else 1
            node = nodes[()]
            for length in range(1, min(depth, len(place) - 1) + 1):
                key = place[:length]
                if key not in nodes:
                    nodes[key] = node.add(Text(f"{'~ ' if length == depth else ''}{place[length - 1]}"))
                node = nodes[key]
            node.add(_line(".".join(place[min(depth, len(place) - 1) :]), change))
        out.print(tree)
    for member, value in plan.kept.items():
        if member == "ParallelismConfiguration":
            steps = value["MaxParallelExecutionSteps"]
            out.print(
                Text(
                    f"  stays: at most {steps} steps at once, which the API cannot take back; --max-parallel-steps sets another limit"
                )
            )
    if plan.refusal:
        out.print(Text(f"  {plan.refusal} with --force", style="bold red"))


def _line(label: str, change: Change) -> Text:
    old, new = change.old, change.new
    if old is None:
        return Text(f"+ {label}{_short(new)}", style="green")
    if new is None:
        return Text(f"- {label}{_short(old)}", style="red")
    return Text(f"~ {label}{_short(old)} -> {_short(new)[2:]}", style="yellow")


def _short(value: Any, characters: int = 120) -> str:
    """A value as the end of a line; a step by its type only."""
    if isinstance(value, dict) and "Type" in value:
        return f"  {value['Type']}"
    if value == {}:
        return ""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return f": {text if len(text) <= characters else text[: characters - 3] + '...'}"
