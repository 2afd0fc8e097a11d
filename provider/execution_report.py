"""Executions as text for people: the tree of steps, and two executions side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

from rich.text import Text
from rich.tree import Tree

from sagemaker_provider.definition import PipelineDefinition, Step
from sagemaker_provider.report import BRANCHES

_STYLES: Final = {
    "Succeeded": "green",
    "Failed": "bold red",
    "CompletedWithFailures": "bold red",
    "Stopped": "red",
    "Stopping": "yellow",
    "Executing": "cyan",
    "Starting": "cyan",
}


def execution_tree(
    execution: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], definition: PipelineDefinition
) -> Tree:
    """An execution with all steps of its definition, those too that have not started.

    :param execution: its Describe response.
    :param steps: entries of ListPipelineExecutionSteps.
    :param definition: what it runs.
    """
    arn, status = execution["PipelineExecutionArn"], execution["PipelineExecutionStatus"]
    ended = None if status in ("Executing", "Stopping") else _last_end(steps) or execution.get("LastModifiedTime")
    title = Text.assemble(
        (_short_arn(arn), "bold"), "  ", _status(status), _times(execution.get("CreationTime"), ended)
    )
    tree = Tree(title)
    if reason := execution.get("FailureReason"):
        tree.add(Text(reason, style="red"))
    known = {step["StepName"]: step for step in steps}
    shown: set[str] = set()
    for step in definition.steps:
        _add(tree, step, known, shown)
    for name in known.keys() - shown:
        tree.add(_label(name, "", known[name]))
    return tree


def _add(tree: Tree, step: Step, known: Mapping[str, Any], shown: set[str]) -> None:
    shown.add(step.name)
    node = tree.add(_label(step.name, step.type, known.get(step.name)))
    for key, inner in step.branches().items():
        if not inner:
            continue
        branch = node.add(Text(BRANCHES[key], style="italic"))
        for item in inner:
            turns = [name for name, run in known.items() if _is_turn(name, run, item.name)]
            for name in sorted(turns, key=lambda name: int(name.rpartition("-")[2])):
                shown.add(name)
                branch.add(_label(name, item.type, known[name]))
            if not turns:
                _add(branch, item, known, shown)


def _is_turn(name: str, run: Mapping[str, Any], step: str) -> bool:
    """Whether a step that ran is an iteration of a step in a loop."""
    head, _, index = name.rpartition("-")
    return "IterationContext" in run and head == step and index.isdigit()


def _label(name: str, kind: str, run: Mapping[str, Any] | None) -> Text:
    label = Text.assemble((name, "bold"), (f"  {kind}" if kind else "", "dim"))
    if run is None:
        return label.append("  not started", style="dim")
    label.append("  ").append_text(_status(run["StepStatus"])).append_text(
        _times(run.get("StartTime"), run.get("EndTime"))
    )
    if (attempts := run.get("AttemptCount", 0)) > 1:
        label.append(f"  attempt {attempts}", style="yellow")
    if hit := run.get("CacheHitResult", {}).get("SourcePipelineExecutionArn"):
        label.append(f"  cached from {_short_arn(hit)}", style="cyan")
    if taken := run.get("SelectiveExecutionResult", {}).get("SourcePipelineExecutionArn"):
        label.append(f"  taken from {_short_arn(taken)}", style="cyan")
    if outcome := run.get("Metadata", {}).get("Condition", {}).get("Outcome"):
        label.append(f"  {outcome}")
    if reason := run.get("FailureReason"):
        label.append(f"\n{reason}", style="red")
    return label


def _status(status: str) -> Text:
    return Text(status, style=_STYLES.get(status, ""))


def _times(start: str | None, end: str | None) -> Text:
    if not start:
        return Text()
    return Text(f"  {local_time(start)}  {duration(start, end)}", style="dim")


def _last_end(steps: Iterable[Mapping[str, Any]]) -> str | None:
    ends = [step["EndTime"] for step in steps if step.get("EndTime")]
    return max(ends, key=datetime.fromisoformat, default=None)


def local_time(moment: str | None) -> str:
    """A time in ISO 8601 as people of this machine's time zone write it."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def seconds(start: str | None, end: str | None) -> float | None:
    """The seconds between two times in ISO 8601; until now, where there is no end."""
    if not start:
        return None
    until = datetime.fromisoformat(end) if end else datetime.now(timezone.utc)
    return max((until - datetime.fromisoformat(start)).total_seconds(), 0)


def duration(start: str | None, end: str | None) -> str:
    """How long something took, such as ``1 h 02 min`` or ``12 s``."""
    return _spoken(seconds(start, end))


def _spoken(length: float | None) -> str:
    if length is None:
        return ""
    whole = round(length)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _short_arn(arn: str) -> str:
    """``pipeline/id`` of the ARN of an execution."""
    head, _, identifier = arn.rpartition("/")
    return f"{head.removesuffix('/execution').rpartition('/')[2]}/{identifier}"


# Two executions


def facts(
    execution: Mapping[str, Any],
    parameters: Mapping[str, str],
    steps: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """What is compared of an execution.

    :param execution: its Describe response.
    :param parameters: name -> value.
    :param steps: entries of ListPipelineExecutionSteps.
    :param metrics: name of a step -> name of a metric -> value.
    """
    return {
        "execution": {
            "arn": execution["PipelineExecutionArn"],
            "status": execution["PipelineExecutionStatus"],
            "version": execution.get("PipelineVersionId"),
            "seconds": seconds(execution.get("CreationTime"), _last_end(steps)),
        },
        "parameters": dict(parameters),
        "steps": {
            step["StepName"]: {
                "status": step["StepStatus"],
                "seconds": seconds(step.get("StartTime"), step.get("EndTime")),
                "cached": "CacheHitResult" in step,
            }
            for step in steps
        },
        "metrics": {f"{step}.{name}": value for step, found in metrics.items() for name, value in found.items()},
    }


def comparison(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Two executions as rows: what, of the first, of the second, and whether they differ.

    :param first: what :func:`facts` tells; likewise ``second``.
    """
    rows = [
        ("status", first["execution"]["status"], second["execution"]["status"]),
        ("version", str(first["execution"]["version"]), str(second["execution"]["version"])),
        ("duration", *(_spoken(item["execution"]["seconds"]) for item in (first, second))),
    ]
    for kind, shown in (("parameters", str), ("steps", _step_words), ("metrics", lambda value: f"{value:g}")):
        names = sorted({*first[kind], *second[kind]})
        for name in names:
            cells = (shown(item[kind][name]) if name in item[kind] else "-" for item in (first, second))
            rows.append((f"{kind.removesuffix('s')} {name}", *cells))
    return [(label, old, new, old != new) for label, old, new in rows]


def _step_words(step: Mapping[str, Any]) -> str:
    return f"{step['status']}  {_spoken(step['seconds'])}{'  cached' if step['cached'] else ''}"
