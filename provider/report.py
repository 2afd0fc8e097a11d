"""Findings and definitions as text for people."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from sagemaker_provider.definition import PipelineDefinition, Step
from sagemaker_provider.definition.findings import Finding, Severity
from sagemaker_provider.definition.validation import references

_STYLES = {Severity.ERROR: "bold red", Severity.DIFFERENCE: "yellow", Severity.NOTE: "dim"}


def show(title: str, findings: list[Finding], definition: PipelineDefinition | None, target: Path | None) -> None:
    """Print a DAG's or definition's findings, and the step graph where there is a definition.

    :param title: DAG id or file; nothing is printed without findings and definition.
    """
    console = Console(highlight=False, soft_wrap=True)
    if definition is not None:
        console.print(step_tree(title, definition))
    elif findings and title:
        console.print(Text(title, style="bold"))
    for item in findings:
        where = ": ".join(part for part in (item.file, item.dag, item.task, item.place) if part)
        line = Text.assemble(
            (f"  {item.code} ", _STYLES[item.severity]),
            (f"{item.severity.value:<10} ", _STYLES[item.severity]),
            f"{where + ': ' if where else ''}{item.message}",
        )
        console.print(line)
        if item.severity is not Severity.NOTE:
            console.print(Text(f"      {item.cure}", style="dim"))
    if target is not None and definition is not None:
        console.print(Text(f"  written: {target}"))


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
            branch = node.add(
                Text({"IfSteps": "if true", "ElseSteps": "else", "ForEachBody": "for each"}[key], style="italic")
            )
            for inner in steps:
                _add(branch, inner)
