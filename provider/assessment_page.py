"""An assessment as one HTML page, which needs nothing beside itself.

The page allows itself only its own style and script, by their digests, so that nothing a DAG holds could run.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from importlib import resources
from typing import Any, Final

import jinja2
import networkx as nx

from sagemaker_provider import layout
from sagemaker_provider.definition.findings import RULES, Finding, Severity, ordered
from sagemaker_provider.translator.assessment import AssessedDag, AssessedTask, Assessment, Verdict, counted

SIGNS: Final = {Verdict.NATIVE: "✓", Verdict.DIFFERENCE: "≈", Verdict.STAYS: "✗", Verdict.UNKNOWN: "?"}
_BELOW: Final = 31
"""Characters below the id of a task."""
_MARGIN: Final = 12
"""Pixels around a graph."""


def page(assessment: Assessment, path: str) -> str:
    """The HTML text.

    :param assessment: what to show.
    :param path: what was assessed, as it was given.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters |= {"digest": _digest, "plural": plural, "shortened": _shortened, "last": _last}
    environment.globals |= {"Verdict": Verdict, "rules": RULES, "signs": SIGNS, "draw": _drawing}
    tasks = [task for dag in assessment.dags for task in dag.tasks]
    return environment.from_string(_resource("assessment.html")).render(
        path=path,
        assessment=assessment,
        style=_resource("assessment.css"),
        script=_resource("assessment.js"),
        dags=[_dag(number, dag) for number, dag in enumerate(assessment.dags, 1)],
        tasks=tasks,
        of_dags=counted(assessment.dags),
        of_tasks=counted(tasks),
        blocked=sum(dag.blocked for dag in assessment.dags),
        codes=assessment.codes(),
        fixes=assessment.fixes(),
    )


def plural(count: int, noun: str) -> str:
    """A number of things."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _resource(name: str) -> str:
    return (resources.files("sagemaker_provider") / "templates" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _shortened(text: str, length: int) -> str:
    """A text in so many characters, with its beginning and its end."""
    end = length // 3
    return text if len(text) <= length else f"{text[: length - end - 1]}…{text[-end:]}"


def _last(name: str) -> str:
    """The last part of a qualified name."""
    return name.rpartition(".")[2]


def _dag(number: int, dag: AssessedDag) -> dict[str, Any]:
    found: dict[str, list[Finding]] = defaultdict(list)
    for item in ordered(dag.all_findings):
        found[item.task].append(item)
    known = {task.task_id for task in dag.tasks}
    return {
        **vars(dag),
        "anchor": f"dag-{number}",
        "title": dag.title,
        "native": dag.native,
        "tasks": [_task(task, found[task.task_id]) for task in dag.tasks],
        "general": [item for task_id, items in found.items() if task_id not in known for item in items],
        "codes": sorted({item.code for item in dag.all_findings}),
        "errors": sum(item.severity is Severity.ERROR for item in dag.all_findings),
        "differences": sum(item.severity is Severity.DIFFERENCE for item in dag.all_findings),
    }


def _task(task: AssessedTask, findings: list[Finding]) -> dict[str, Any]:
    step = f" → {task.step_types[0]}{', …' * (len(task.step_types) > 1)}" if task.step_types else ""
    operator = _shortened(_last(task.operator), _BELOW - len(step))
    return {**vars(task), "below": f"{operator}{step}", "findings": findings}


def _drawing(dag: dict[str, Any]) -> dict[str, Any]:
    """The paths and boxes of a DAG's graph."""
    graph = nx.DiGraph()
    graph.add_nodes_from(task["task_id"] for task in dag["tasks"])
    graph.add_edges_from((task["task_id"], other) for task in dag["tasks"] for other in task["downstream"])
    drawn = layout.layout(graph)
    lines = [[(x + _MARGIN, y + _MARGIN) for x, y in line] for line in drawn.lines]
    return {
        "width": drawn.width + 2 * _MARGIN,
        "height": drawn.height + 2 * _MARGIN,
        "edges": graph.number_of_edges(),
        "lines": "".join(map(_curve, lines)),
        "heads": "".join(f"M{x} {y}l-7 -4v8z" for *_, (x, y) in lines),
        "boxes": {
            task: {"x": x + _MARGIN, "y": y + _MARGIN, "width": layout.WIDTH, "height": layout.HEIGHT}
            for task, (x, y) in drawn.places.items()
        },
    }


def _curve(points: list[tuple[int, int]]) -> str:
    """Curves between layers, straight through them."""
    (x, y), *others = points
    parts = [f"M{x} {y}"]
    for index, (to_x, to_y) in enumerate(others):
        middle = (x + to_x) // 2
        parts.append(f"H{to_x}" if index % 2 or y == to_y else f"C{middle} {y} {middle} {to_y} {to_x} {to_y}")
        x, y = to_x, to_y
    return "".join(parts)
