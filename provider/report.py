"""Findings and definitions as text for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from sagemaker_provider.definition import PipelineDefinition, Step
from sagemaker_provider.definition.findings import RULES, Finding, Severity
from sagemaker_provider.definition.validation import references

STYLES = {Severity.ERROR: "bold red", Severity.DIFFERENCE: "yellow", Severity.NOTE: "dim"}
WIDE = 200
"""Columns where the output is no terminal: nothing is cut, whatever COLUMNS says."""

BRANCHES = {"IfSteps": "if true", "ElseSteps": "else", "ForEachBody": "for each"}
"""Arguments that hold steps -> when these run."""

_LINES = 3
"""Lines that differences and notes of one code take, before the others are only counted."""
_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


def console() -> Console:
    """Standard output for people: wide where it is no terminal."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDE)


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table without lines."""
    made = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def show(title: str, findings: list[Finding], definition: PipelineDefinition | None, target: Path | None) -> None:
    """Print a DAG's or definition's findings, and the step graph where there is a definition.

    :param title: DAG id or file; nothing is printed without findings and definition.
    """
    out = console()
    if definition is not None:
        out.print(step_tree(title, definition))
    elif findings and title:
        out.print(Text(title, style="bold"))
    for code, group in groupby(
        sorted(findings, key=lambda item: (_RANKS[item.severity], item.code)), lambda item: item.code
    ):
        items = list(group)
        style = STYLES[items[0].severity]
        heading = Text.assemble((f"  {code} {items[0].severity.value:<10} {RULES[code].title}", style))
        out.print(heading if items[0].severity is Severity.NOTE else heading + Text(f"  {items[0].cure}", style="dim"))
        for line in gathered(items):
            out.print(Text(f"      {line}"))
    if target is not None and definition is not None:
        out.print(Text(f"  written: {target}"))


def gathered(items: Sequence[Finding]) -> Iterator[str]:
    """The lines that show the findings of one code: every error, and of the others what they have in common.

    What is said of several tasks is one line. Of many lines the first are shown, and of whom the others are.
    """
    if items[0].severity is Severity.ERROR:
        yield from (item.located_message for item in items)
        return
    alike: dict[tuple[str, str], list[Finding]] = {}
    for item in items:
        alike.setdefault((item.dag, item.message), []).append(item)
    every = list(alike.values())
    for same in every[: _LINES if len(every) > _LINES + 1 else None]:
        place = same[0].place if len({item.place for item in same}) == 1 else ""
        yield replace(same[0], task=_tasks(same), place=place).located_message
    if len(every) > _LINES + 1:
        rest = [item for same in every[_LINES:] for item in same]
        tasks = _tasks(rest)
        yield f"... and {len(rest)} more{tasks and f' of {tasks}'}; --format json shows all"


def _tasks(items: Iterable[Finding]) -> str:
    return ", ".join(dict.fromkeys(item.task for item in items if item.task))


def step_tree(title: str, definition: PipelineDefinition) -> Tree:
    """The steps of a definition, with what each waits for, branches inside."""
    tree = Tree(Text(title, style="bold"))
    for step in definition.steps:
        _add(tree, step)
    return tree


def _add(tree: Tree, step: Step) -> None:
    waits = dict.fromkeys(
        [
            *(f"{name}" if trigger == "Completed" else f"{name} ({trigger})" for name, trigger in step.dependencies()),
            *sorted(references(step)),
        ]
    )
    label = Text.assemble(
        (step.name, "bold"), (f"  {step.type}", "cyan"), (f"  after {', '.join(waits)}" if waits else "", "dim")
    )
    node = tree.add(label)
    for key, steps in step.branches().items():
        if steps:
            branch = node.add(Text(BRANCHES[key], style="italic"))
            for inner in steps:
                _add(branch, inner)
