"""The command on the schedules that start a pipeline."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from rich.text import Text

from sagemaker_provider.aws import calls_aws, pipeline_hook
from sagemaker_provider.commands import DONE, FOUND, given_parameters, usage_error
from sagemaker_provider.deploy_commands import pipeline_name_of
from sagemaker_provider.report import console, table


@calls_aws
def schedule(args: Namespace) -> int:
    """``schedule``: create, show, enable, disable or delete the schedules of a pipeline."""
    from sagemaker_provider.hooks import schedule as schedules

    try:
        parameters = given_parameters(args.parameter)
    except ValueError as error:
        return usage_error(str(error))
    hook = pipeline_hook(args)
    name = pipeline_name_of(hook, args.pipeline)
    requests = _requests(args, name)
    client, arn = hook.client("scheduler"), hook.arn(name)
    done: dict[str, str]
    if args.action == "create":
        try:
            done = schedules.put_for(
                client,
                hook.find_or_fail(name),
                requests,
                role=args.scheduler_role,
                parameters=parameters,
                group=args.group,
            )
        except schedules.ScheduleError as error:
            usage_error(str(error))
            return FOUND
    elif args.action == "delete":
        done = dict.fromkeys(schedules.remove(client, arn, args.group), "deleted")
    elif args.action in ("enable", "disable"):
        done = dict.fromkeys(schedules.switch(client, arn, f"{args.action.upper()}D", args.group), f"{args.action}d")
    else:
        done = {}
    found = schedules.of_pipeline(client, arn, args.group)
    if args.format == "json":
        print(json.dumps({"done": done, "schedules": found}, indent=2, sort_keys=True, default=str))
        return DONE
    for item, what in sorted(done.items()):
        console().print(Text(f"{item}: {what}"))
    if args.action == "show" and found:
        console().print(table(("schedule", "state", "expression", "time zone", "parameters"), map(_row, found)))
    elif args.action == "show" or not done:
        usage_error(f"{name}: no schedules" if not found else f"{name}: nothing to {args.action}")
    return DONE


def _requests(args: Namespace, name: str) -> list[dict[str, Any]]:
    """What ``create`` is to create.

    :raises ValueError: nothing says when, or with which role.
    """
    from sagemaker_provider.hooks.schedule import request_for
    from sagemaker_provider.operators.converted import read_converted

    if args.action != "create":
        return []
    if not args.scheduler_role:
        raise ValueError("create needs --scheduler-role, a role that may start the pipeline")
    if args.expression:
        return [request_for(name, args.expression, args.timezone)]
    if not args.pipeline.endswith(".json"):
        raise ValueError("create needs <name>.pipeline.json, beside which the DAG's schedules are, or --expression")
    return [dict(item) for item in read_converted(Path(args.pipeline)).schedules]


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    given = item["Target"].get("SageMakerPipelineParameters", {}).get("PipelineParameterList", ())
    parameters = ", ".join(f"{entry['Name']}={entry['Value']}" for entry in given)
    zone = item.get("ScheduleExpressionTimezone", "UTC")
    return item["Name"], item["State"], item["ScheduleExpression"], zone, parameters
