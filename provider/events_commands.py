"""The command on the rule and the queue of events that wake waiting tasks."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict

from rich.text import Text

from sagemaker_provider.aws import calls_aws, pipeline_hook
from sagemaker_provider.commands import DONE, FOUND, usage_error
from sagemaker_provider.report import console


@calls_aws
def events(args: Namespace) -> int:
    """``events``: create, show or delete the rule and the queue."""
    from sagemaker_provider.hooks import events

    hook = pipeline_hook(args)
    act = {"create": events.create, "show": events.show, "delete": events.delete}[args.action]
    try:
        found = act(hook.client("events"), hook.client("sqs"), args.name)
    except events.EventsError as error:
        usage_error(str(error))
        return FOUND
    extra = {"service_config": {"sagemaker": {events.EXTRA: found.name}}}
    if args.format == "json":
        print(json.dumps({**asdict(found), "extra": extra}, indent=2))
    else:
        done = "deleted" if args.action == "delete" else "there"
        for what, place in (("rule", found.rule_arn), ("queue", found.queue_url)):
            console().print(Text(f"{what} {place or found.name}: {done if place else 'not there'}"))
        if args.action == "create":
            console().print(Text(f"extra of the Airflow connection: {json.dumps(extra)}"))
    for problem in found.problems:
        usage_error(f"{found.name}: {problem}")
    return FOUND if found.problems else DONE
