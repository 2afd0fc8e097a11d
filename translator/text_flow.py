"""Data flow that is only text: where a task reads from the S3 location that another one writes to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import networkx as nx

from sagemaker_provider.definition.paths import Key, Segment
from sagemaker_provider.translator import jinja, templates
from sagemaker_provider.translator.registry import TaskStep

_CONTAINER: Final = r"(PrimaryContainer|Containers\[\d+\]|InferenceSpecification\.Containers\[\d+\])"
_INPUT: Final = re.compile(
    r"config\.("
    r"ProcessingInputs\[\d+\]\.S3Input\.S3Uri"
    r"|(TrainingJobDefinition\.|TrainingJobDefinitions\[\d+\]\.)?InputDataConfig\[\d+\]\.DataSource\.S3DataSource\.S3Uri"
    r"|TransformInput\.DataSource\.S3DataSource\.S3Uri"
    rf"|{_CONTAINER}\.ModelDataUrl|{_CONTAINER}\.ModelDataSource\.S3DataSource\.S3Uri"
    r")"
)
"""Places in requests where a job or a model reads from S3."""
_STRICT: Final = ("all_success", "none_failed", "none_failed_min_one_success")
"""Trigger rules with which a task runs only when no task before it failed."""


class Output(NamedTuple):
    """Where a task writes to.

    :param task: the task.
    :param path: path of the property that says where.
    :param whole: whether only the location itself can be told, not what is below it: a training writes into a folder
        there that is called after its job.
    :param slash: whether the location is written with a slash at its end.
    """

    task: str
    path: tuple[Segment, ...]
    whole: bool
    slash: bool


class Read(NamedTuple):
    """What a text reads: the rest of it below what ``outputs`` write, if there are any."""

    outputs: tuple[Output, ...]
    rest: str


def outputs(steps: Mapping[str, TaskStep]) -> dict[str, tuple[Output, ...]]:
    """The S3 locations that tasks write to, in canonical form and without a slash at their end -> the tasks."""
    found: dict[str, tuple[Output, ...]] = {}
    for task, step in steps.items():
        for path, uri in _written(step):
            text = jinja.canonical(uri)
            if re.match(r"s3://[^/]+/[^/]|\{\{", text):  # all of a bucket says nothing
                made = Output(task, path, step.type == "Training", text.endswith("/"))
                found[text.rstrip("/")] = (*found.get(text.rstrip("/"), ()), made)
    return found


def _written(step: TaskStep) -> Iterator[tuple[tuple[Segment, ...], str]]:
    if step.type == "Processing":
        for item in _at(step.arguments, "ProcessingOutputConfig", "Outputs") or ():
            name, uri = _at(item, "OutputName"), _at(item, "S3Output", "S3Uri")
            if isinstance(name, str) and isinstance(uri, str) and not templates.is_template(name):
                yield ("ProcessingOutputConfig", "Outputs", Key(name), "S3Output", "S3Uri"), uri
    member = {"Transform": "TransformOutput", "Training": "OutputDataConfig"}.get(step.type)
    if member and isinstance(uri := _at(step.arguments, member, "S3OutputPath"), str):
        yield (member, "S3OutputPath"), uri


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def is_input(place: str) -> bool:
    """Whether a place in a task's arguments is one where it reads from S3."""
    return _INPUT.fullmatch(place) is not None


def read(text: str, made: Mapping[str, tuple[Output, ...]]) -> Read:
    """The outputs that a text reads: those of the longest location that it is, or is below."""
    text = jinja.canonical(text)
    above = text
    while above:
        if (found := made.get(above.rstrip("/"))) is not None:
            return Read(found, text[len(above.rstrip("/")) :])
        above = above.rstrip("/").rpartition("/")[0]
    return Read((), "")


def has_succeeded(graph: nx.DiGraph, rules: Mapping[str, str], first: str, second: str) -> bool:
    """Whether the second task runs only when the first one has not failed."""
    seen = {second}
    pending = [second]
    while pending:
        if rules[current := pending.pop()] in _STRICT:
            if graph.has_edge(first, current):
                return True
            new = set(graph.predecessors(current)) - seen
            seen |= new
            pending += new
    return False
