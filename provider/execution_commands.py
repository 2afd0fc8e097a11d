"""The commands on executions: start, watch, compare, stop and resume them; and lists to find them."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.text import Text

from sagemaker_provider.aws import calls_aws, pipeline_hook
from sagemaker_provider.commands import DONE, FOUND, given_parameters, usage_error
from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, State, state_of
from sagemaker_provider.deploy_commands import pipeline_name_of
from sagemaker_provider.execution_report import comparison, duration, execution_tree, facts, local_time
from sagemaker_provider.report import console, table

if TYPE_CHECKING:
    from sagemaker_provider.hooks.pipeline import SageMakerPipelineHook


@calls_aws
def start(args: Namespace) -> int:
    """``start``: check the parameters, start an execution, and wait for it if asked."""
    try:
        parameters = _parameters(args)
    except ValueError as error:
        return usage_error(str(error))
    hook = pipeline_hook(args)
    name = pipeline_name_of(hook, args.pipeline)
    source = _execution(hook, name if args.source == "latest" else args.source) if args.source else None
    arn = hook.start(
        name,
        parameters,
        token=args.token,
        display_name=args.display_name,
        description=args.description,
        max_parallel_steps=args.max_parallel_steps,
        version=args.version,
        alias=args.alias,
        steps=args.step,
        source_execution=source,
    )
    return _followed(hook, arn, args)


@calls_aws
def status(args: Namespace) -> int:
    """``status``: the steps of an execution, once or until it ends."""
    hook = pipeline_hook(args)
    arn = _execution(hook, args.execution)
    if args.watch:
        return _watch(hook, arn, args)
    _tell(hook, arn, args.format)
    return DONE


@calls_aws
def list_pipelines(args: Namespace) -> int:
    """``list``: the pipelines of the account and Region."""
    found = pipeline_hook(args).pipelines(args.prefix)
    if args.format == "json":
        print(json.dumps({"pipelines": found}, indent=2, sort_keys=True))
        return DONE
    rows = [
        (item["PipelineName"], local_time(item["LastModifiedTime"]), local_time(item.get("LastExecutionTime")), item.get("PipelineDescription", "").partition("\n")[0][:80])
        for item in found
    ]  # fmt: skip
    console().print(table(("pipeline", "modified", "last execution", "description"), rows))
    return DONE


@calls_aws
def executions(args: Namespace) -> int:
    """``executions``: those of a pipeline, the latest first."""
    hook = pipeline_hook(args)
    name = pipeline_name_of(hook, args.pipeline)
    hook.find_or_fail(name)
    found = hook.executions(name, limit=args.limit)
    if args.format == "json":
        print(json.dumps({"executions": found}, indent=2, sort_keys=True))
        return DONE
    rows = [
        (
            f"{name}/{item['PipelineExecutionArn'].rpartition('/')[2]}",
            item["PipelineExecutionStatus"],
            local_time(item.get("StartTime")),
            item.get("PipelineExecutionDisplayName", ""),
            item.get("PipelineExecutionFailureReason", "").partition("\n")[0][:120],
        )
        for item in found
    ]
    console().print(table(("execution", "status", "started", "name", "failure"), rows))
    return DONE


@calls_aws
def compare(args: Namespace) -> int:
    """``compare``: two executions side by side."""
    hook = pipeline_hook(args)
    found = []
    for text in (args.first, args.second):
        arn = _execution(hook, text)
        steps = hook.steps(arn)
        found.append(facts(hook.describe(arn), hook.parameters(arn), steps, hook.metrics(steps)))
    if args.format == "json":
        print(json.dumps({"first": found[0], "second": found[1]}, indent=2, sort_keys=True))
        return DONE
    rows = [
        (label, *(Text(cell, style="yellow" if differs else "") for cell in (old, new)), "*" if differs else "")
        for label, old, new, differs in comparison(*found)
    ]
    titles = [item["execution"]["arn"].rpartition("/")[2] for item in found]
    console().print(table(("", *titles, ""), rows))
    return DONE


@calls_aws
def stop(args: Namespace) -> int:
    """``stop``: an execution, with its jobs."""
    hook = pipeline_hook(args)
    arn = _execution(hook, args.execution)
    if not hook.stop(arn):
        usage_error(f"{arn} has ended already: {hook.describe(arn)['PipelineExecutionStatus']}")
    return _followed(hook, arn, args, stopping=True)


@calls_aws
def resume(args: Namespace) -> int:
    """``resume``: an execution that failed or was stopped."""
    hook = pipeline_hook(args)
    arn = _execution(hook, args.execution)
    hook.resume(arn, max_parallel_steps=args.max_parallel_steps)
    return _followed(hook, arn, args)


# What a command line names


def _execution(hook: SageMakerPipelineHook, text: str) -> str:
    """The ARN of the execution that a text names: an ARN, ``pipeline/id``, or a pipeline, for its latest.

    :raises PipelineError: there is none.
    """
    from sagemaker_provider.hooks.pipeline import PipelineError

    if text.startswith("arn:") and ":pipeline/" in text and "/execution/" in text:
        return text
    whole = text.endswith(".json") or text.startswith("arn:")
    name, _, identifier = ("", "", "") if whole else text.partition("/")
    name = name if identifier else pipeline_name_of(hook, text)
    pipeline = hook.find_or_fail(name)
    if identifier:
        return f"{pipeline['PipelineArn']}/execution/{identifier}"
    latest = hook.executions(name, limit=1)
    if not latest:
        raise PipelineError(f"pipeline {name!r} has no executions")
    return str(latest[0]["PipelineExecutionArn"])


def _parameters(args: Namespace) -> dict[str, Any]:
    """The parameters of a start: those that are given, and dates.

    :raises ValueError: they cannot be understood.
    """
    given = given_parameters(args.parameter)
    if args.data_interval and not args.date:
        raise ValueError("--data-interval needs --date")
    return {**(_dates(args, given) if args.date else {}), **given}


def _dates(args: Namespace, given: Iterable[str]) -> dict[str, str]:
    """The values of the date parameters that are not given."""
    from sagemaker_provider.operators.converted import read_converted
    from sagemaker_provider.translator.dates import render_dates

    if not args.pipeline.endswith(".json"):
        raise ValueError(
            "--date: which parameters are dates is told by the files of the conversion; give <name>.pipeline.json"
        )
    moments = []
    for text in (args.date, *(args.data_interval or ())):
        try:
            moments.append(datetime.fromisoformat(text))
        except ValueError:
            raise ValueError(f"{text!r} is no date such as 2026-01-31 or 2026-01-31T06:00:00+01:00") from None
    forms = {
        name: form for name, form in read_converted(Path(args.pipeline)).date_parameters.items() if name not in given
    }
    if not args.data_interval and (
        of_interval := sorted(name for name, form in forms.items() if "data_interval" in form)
    ):
        raise ValueError(f"--date: {', '.join(of_interval)} read the data interval; give --data-interval START END too")
    begin, end = moments[1:] or (moments[0], moments[0])
    return render_dates(forms, logical_date=moments[0], data_interval_start=begin, data_interval_end=end)


# Output


def _followed(hook: SageMakerPipelineHook, arn: str, args: Namespace, *, stopping: bool = False) -> int:
    """Tell of an execution, or wait for its end if asked; the exit code."""
    if not args.wait:
        if args.format == "json":
            usage_error(arn)  # whatever becomes of the next call, what has been done is told
            print(json.dumps({"execution": hook.describe(arn)}, indent=2, sort_keys=True))
        else:
            print(arn)
        return DONE
    usage_error(arn)
    code = _watch(hook, arn, args)
    return DONE if stopping else code


def _tell(hook: SageMakerPipelineHook, arn: str, form: str) -> None:
    execution, steps = hook.describe(arn), hook.steps(arn)
    if form == "json":
        told = {"execution": execution, "parameters": hook.parameters(arn), "steps": steps}
        print(json.dumps(told, indent=2, sort_keys=True))
    else:
        console().print(execution_tree(execution, steps, hook.definition(arn)))


def _watch(hook: SageMakerPipelineHook, arn: str, args: Namespace) -> int:
    """Show an execution until it ends: in a terminal a live tree, else a line for each change and the tree at the end."""
    from botocore.exceptions import BotoCoreError, ClientError

    from sagemaker_provider.hooks.failures import passing

    definition = hook.definition(arn)
    live = sys.stdout.isatty() and args.format == "text"
    seen: dict[str, str] = {}
    with Live(console=console(), auto_refresh=False) if live else nullcontext() as screen:
        while True:
            try:
                execution, steps = hook.describe(arn), hook.steps(arn)
            except (BotoCoreError, ClientError) as error:
                if not passing(error):
                    raise
                time.sleep(args.poll_interval)
                continue
            running = state_of(PIPELINE_EXECUTION, execution)[0] is State.RUNNING
            if screen is not None:
                screen.update(execution_tree(execution, steps, definition), refresh=True)
            else:
                for step in steps:
                    if seen.get(step["StepName"]) != step["StepStatus"]:
                        seen[step["StepName"]] = step["StepStatus"]
                        took = duration(step.get("StartTime"), step.get("EndTime")) if step.get("EndTime") else ""
                        usage_error(f"{step['StepName']}: {step['StepStatus']}  {took}".rstrip())
            if not running:
                break
            time.sleep(args.poll_interval)
    if not live:
        _tell(hook, arn, args.format)
    return DONE if execution["PipelineExecutionStatus"] == "Succeeded" else FOUND
