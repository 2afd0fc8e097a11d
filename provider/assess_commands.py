"""The command ``assess``."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console, ConsoleRenderable, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from sagemaker_provider.assessment_page import SIGNS, page, plural
from sagemaker_provider.commands import DONE, FOUND, conversion_request, fails, usage_error, write_file
from sagemaker_provider.definition.findings import RULES, Severity
from sagemaker_provider.report import STYLES, WIDE
from sagemaker_provider.translator.assessment import Assessment, Fix, Verdict, counted
from sagemaker_provider.translator.assessment import assess as assessed

_COLOURS: Final = {
    Verdict.NATIVE: "green",
    Verdict.DIFFERENCE: "yellow",
    Verdict.STAYS: "red",
    Verdict.UNKNOWN: "dim",
}


def assess(args: Namespace) -> int:
    """``assess``: what can become of many DAGs; nothing is converted for good."""
    from sagemaker_provider.translator.worker import convert_files

    try:
        request = replace(conversion_request(args), assess=True)
    except ValueError as error:
        return usage_error(str(error))
    target = Path(args.output) if args.output else None
    if target is not None and (target.is_dir() or not target.parent.is_dir()):
        return usage_error(f"--output {target}: not a file in a folder that is there")
    columns = TextColumn("assessing"), BarColumn(), MofNCompleteColumn(), TextColumn("files")
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        files = convert_files(request, lambda done, total: bar.update(task, completed=done, total=total))
        assessment = assessed(files)
    content = _FORMATS[args.format](assessment, args.path)
    if target is None and args.format == "text" and sys.stdout.isatty():
        Console(highlight=False).print(_report(assessment, args.path))
    elif target is None:
        sys.stdout.write(content)
    else:
        try:
            write_file(target, content.encode())
        except OSError as error:
            return usage_error(f"{target}: cannot be written: {error.strerror}")
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"written: {target}", markup=False)
    return FOUND if fails(assessment.every_finding, args.strict) else DONE


def _text(assessment: Assessment, path: str) -> str:
    console = Console(width=WIDE, highlight=False, no_color=True)
    with console.capture() as captured:
        console.print(_report(assessment, path))
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _report(assessment: Assessment, path: str) -> Group:
    dags = _table("DAG", "file", "verdict", "native tasks", "errors", "differences")
    for dag in assessment.dags:
        counts = [
            sum(item.severity is kind for item in dag.all_findings) for kind in (Severity.ERROR, Severity.DIFFERENCE)
        ]
        verdict = Text(f"{SIGNS[dag.verdict]} {dag.verdict.value}", _COLOURS[dag.verdict])
        dags.add_row(*map(Text, (dag.title, dag.file)), verdict, f"{dag.native} of {len(dag.tasks)}", *map(str, counts))
    codes = _table("finding", "severity", "what", "DAGs", "tasks", "findings")
    for group in assessment.codes():
        texts = group.severity.value, RULES[group.code].title
        counts = [group.dags, group.tasks, len(group.findings)]
        codes.add_row(Text(group.code, STYLES[group.severity]), *texts, *map(str, counts))
    fixes = _table("#", "fix", "what to do", "needed by", "frees", "free DAGs so far")
    for cells in _fixes(assessment):
        fixes.add_row(*map(Text, cells))
    parts: list[ConsoleRenderable] = [dags, Text(), codes, Text()]
    if fixes.row_count:
        parts += [Text("What to mend first", "bold"), fixes, Text()]
    return Group(*parts, *_summary(assessment, path))


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _fixes(assessment: Assessment) -> Iterator[tuple[str, ...]]:
    """The cells of the table of fixes."""
    blocked = sum(dag.blocked for dag in assessment.dags)
    so_far = 0
    for number, fix in enumerate(assessment.fixes(), 1):
        so_far += fix.frees
        yield (
            str(number),
            _titled(fix),
            RULES[fix.cause.code].cure,
            f"{plural(fix.dags, 'DAG')}, {plural(fix.tasks, 'task')}",
            f"{plural(fix.frees, 'DAG')}, {plural(fix.frees_tasks, 'task')}",
            f"{so_far} of {blocked}",
        )


def _titled(fix: Fix) -> str:
    subject = f": {fix.cause.subject}" if fix.cause.subject else ""
    return f"{fix.cause.code} {RULES[fix.cause.code].title}{subject}"


def _summary(assessment: Assessment, path: str) -> Iterator[str]:
    yield f"{path}: {plural(assessment.files, 'file')}"
    tasks = [task for dag in assessment.dags for task in dag.tasks]
    for items, noun in ((assessment.dags, "DAG"), (tasks, "task")):
        counts = ", ".join(
            f"{count:,} {_counted(verdict, count)}" for verdict, count in counted(items).items() if count
        )
        yield f"{plural(len(items), noun)}{counts and ': ' + counts}"


def _counted(verdict: Verdict, count: int) -> str:
    return "stay in Airflow" if verdict is Verdict.STAYS and count != 1 else verdict.value


def _markdown(assessment: Assessment, path: str) -> str:
    first, *counts = _summary(assessment, path)
    parts = ["# From Airflow to SageMaker Pipelines", "", _escaped(first), "", *(f"- {line}" for line in counts)]
    parts += ["", "## DAGs", ""]
    parts += _rows(
        ("DAG", "file", "verdict", "native tasks", "stay in Airflow"),
        (
            (
                dag.title,
                dag.file,
                f"{SIGNS[dag.verdict]} {dag.verdict.value}",
                f"{dag.native} of {len(dag.tasks)}",
                ", ".join(task.task_id for task in dag.tasks if task.verdict is Verdict.STAYS),
            )
            for dag in assessment.dags
        ),
    )
    if fixes := list(_fixes(assessment)):
        parts += ["", "## What to mend first", ""]
        parts += _rows(("#", "fix", "what to do", "needed by", "frees", "free DAGs so far"), fixes)
    parts += ["", "## Findings", ""]
    parts += _rows(
        ("finding", "severity", "what", "DAGs", "tasks", "findings"),
        (
            (item.code, item.severity.value, RULES[item.code].title, item.dags, item.tasks, len(item.findings))
            for item in assessment.codes()
        ),
    )
    return "\n".join([*parts, ""])


def _rows(head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """A table of Markdown."""
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(_escaped(str(cell)) if cell != '---' else '---' for cell in cells)} |"


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, in one line."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in "\\`*_{}[]#|~$" else character for character in line)


def _json(assessment: Assessment, path: str) -> str:
    return json.dumps(assessment.to_json(), indent=2, sort_keys=True) + "\n"


_FORMATS: Final[dict[str, Callable[[Assessment, str], str]]] = {
    "text": _text,
    "json": _json,
    "markdown": _markdown,
    "html": page,
}
