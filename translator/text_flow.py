"""Data flow that is only text: names that another task gives, and S3 locations that it writes to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import networkx as nx

from sagemaker_provider.definition.expressions import Get
from sagemaker_provider.definition.paths import Key, Segment
from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.operators.rendering import lone_expression
from sagemaker_provider.translator import jinja, templates
from sagemaker_provider.translator.registry import TaskStep

if TYPE_CHECKING:
    from sagemaker_provider.translator.values import Values

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
_NAME_MEMBERS: Final = {
    row.resource.name
    for row in STEP_TYPES.values()
    if row.resource and row.resource.name and row.name != "EMRServerless"
}
"""Members of requests that name something, of which there is one kind each."""
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


def outputs(steps: Mapping[str, TaskStep]) -> dict[str, tuple[Output, ...]]:
    """The S3 locations that tasks write to, in canonical form and without the slash at their end -> the tasks."""
    found: dict[str, tuple[Output, ...]] = {}
    for task, step in steps.items():
        for path, uri in _written(step):
            text = jinja.canonical(uri)
            if re.match(r"s3://[^/]+/[^/]|\{\{", text):  # all of a bucket says nothing
                made = Output(task, path, step.type == "Training", text.endswith("/"))
                place = text.removesuffix("/")
                found[place] = (*found.get(place, ()), made)
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


def inferred(values: Values, value: str, place: str) -> Any:
    """The reference to another task's step that a text stands for; ``None`` when it stands for itself.

    :param values: the rewriting of the values of the task that has the text.
    :param place: where the text is in the task's arguments.
    :raises UntranslatableError: it names what a pipeline names otherwise, and there is no reference for it.
    """
    around = values.around
    if "params" in value and any(name in value for name in around.own_params):
        return None  # another task means another thing by the same text
    if _INPUT.fullmatch(place) and (found := _location(values, value)) is not None:
        return found
    text, member = _canonical(values, value), place.rpartition(".")[2]
    makers = _others(values, around.made.get(text, ()))
    if fitting := [task for task in makers if _name_member(values, task) == member]:
        return _name_of(values, _only_upstream(values, fitting, value), value)
    if member in _NAME_MEMBERS:
        return None  # the name of something else
    if makers and _composed(text):
        return _name_of(values, _only_upstream(values, makers, value), value)
    if makers:
        values.note("SMP602", f"{value!r} is also what the task {makers[0]!r} makes; here it stays as it is")
        return None
    named = [(name, tasks) for name, tasks in around.made.items() if name in text]
    for name, tasks in sorted(named, key=lambda item: -len(item[0])):
        makers = _others(values, tasks)
        if folders := [task for task in makers if _below_folder(values, task, name, text) is not None]:
            return _of_job(values, _only_upstream(values, folders, value), name, text)
        if makers and _composed(name):
            raise _changing(value, makers[0])
        if makers and name in text.split("/"):
            values.note("SMP602", f"{value!r} has the name that the task {makers[0]!r} gives; here it stays as it is")
    return None


def _location(values: Values, value: str) -> Any:
    """The property for an S3 location that another task writes to; ``None`` where there is none, or it is not sure.

    The property has the same text as the value, so nothing is lost where the text is left; but of a step taken from the
    cache the property says where the data is, and the text does not.
    """
    made, rest = _written_at(jinja.canonical(value, values.around.task_id or values.task_id), values.around.outputs)
    others = [item for item in made if item.task != values.task_id]
    if not others or (any(item.whole for item in others) and _names_job(values, value)):
        return None
    item = others[0]
    if reason := _doubt(values, made, rest):
        values.note("SMP714", f"{value!r} stays text: {reason}")
        return None
    values.note("SMP706", f"{value!r} is where the task {item.task!r} writes to; it is read from the step")
    if item.slash and not rest:
        values.note("SMP648", f"{value!r} has no slash at its end, the location of {item.task!r} has one")
    below = templates.translate(rest[1:] if item.slash else rest, values.lookups)
    return templates.joined((values.reference(item.task, item.path), below))


def _written_at(text: str, made: Mapping[str, tuple[Output, ...]]) -> tuple[tuple[Output, ...], str]:
    """What writes to the longest location that a canonical text is or is below, and the rest of the text."""
    ends = [len(text), *(index for index in reversed(range(len(text))) if text[index] == "/")]
    return next(((made[text[:end]], text[end:]) for end in ends if text[:end] in made), ((), ""))


def _doubt(values: Values, made: tuple[Output, ...], rest: str) -> str:
    """Why it is not certain that a text reads what was made; nothing when it is."""
    if len(made) > 1:
        return f"the tasks {' and '.join(repr(item.task) for item in made)} all write there"
    (item,) = made
    if item.whole and rest.strip("/"):
        return f"the training {item.task!r} writes into a folder there that is called after its job"
    try:
        values.around.step_name(item.task)
    except templates.UntranslatableError as error:
        return str(error)
    return "" if values.around.succeeded(item.task) else f"this task also runs when {item.task!r} failed"


def _names_job(values: Values, value: str) -> bool:
    """Whether a text holds the name of a job of another task."""
    text = _canonical(values, value)
    return any(name in text and _others(values, tasks) for name, tasks in values.around.made.items())


def _canonical(values: Values, value: str) -> str:
    return templates.canonical(value, values.around.task_id or values.task_id)


def _others(values: Values, tasks: tuple[str, ...]) -> list[str]:
    return [task for task in tasks if task != values.task_id]


def _only_upstream(values: Values, tasks: list[str], value: str) -> str:
    """The one of several tasks that has run before.

    :raises UntranslatableError: none has, or more than one.
    """
    reasons, found = [], []
    for task in tasks:
        try:
            values.around.step_name(task)
            found.append(task)
        except templates.UntranslatableError as error:
            reasons.append(error)
    if not found:
        raise reasons[0]
    if len(found) > 1:
        names = " and ".join(map(repr, found))
        raise templates.UntranslatableError(
            f"{value!r} is what the tasks {names} make; a pipeline names each differently", "SMP309"
        )
    return found[0]


def _name_of(values: Values, maker: str, value: str) -> Get:
    """The name of what another task makes: a pipeline makes the name, so it is read from the step."""
    values.note("SMP706", f"{value!r} is what the task {maker!r} makes; it is read from the step")
    return values.reference(maker, (_name_member(values, maker),))


def _name_member(values: Values, maker: str) -> str:
    """The member of requests and responses that holds the name of what a task makes."""
    resource = STEP_TYPES[values.around.steps[maker].type].resource
    assert resource is not None and resource.name is not None
    return resource.name


def _below_folder(values: Values, maker: str, name: str, text: str) -> str | None:
    """What a text has below the folder that the job of a task writes into, which is called after the job."""
    folder = _at(values.around.steps[maker].arguments, "OutputDataConfig", "S3OutputPath")
    if not isinstance(folder, str):
        return None
    job = f"{templates.canonical(folder).rstrip('/')}/{name}"
    return text.removeprefix(job) if f"{text}/".startswith(f"{job}/") else None


def _of_job(values: Values, maker: str, name: str, value: str) -> Any:
    """What a training puts into the folder of its job; its model is one of its properties."""
    step, below = values.around.steps[maker], _below_folder(values, maker, name, value) or ""
    if step.type != "Training" or not f"{below}/".startswith("/output/"):
        raise _changing(value, maker)
    if below == "/output/model.tar.gz":
        values.note("SMP706", f"{value!r} is the model of the task {maker!r}; it is read from the step")
        return values.reference(maker, ("ModelArtifacts", "S3ModelArtifacts"))
    values.note("SMP706", f"{value!r} is in the folder of the job of the task {maker!r}; it is read from the step")
    folder = step.arguments["OutputDataConfig"]["S3OutputPath"]
    parts = [
        values.reference(maker, ("OutputDataConfig", "S3OutputPath")),
        "" if folder.endswith("/") else "/",
        values.reference(maker, ("TrainingJobName",)),
        templates.translate(below, values.lookups),
    ]
    return templates.joined(parts)


def _changing(value: str, maker: str) -> templates.UntranslatableError:
    return templates.UntranslatableError(
        f"{value!r} holds the name that the task {maker!r} gives; a pipeline gives another", "SMP309"
    )


def _composed(text: str) -> bool:
    """Whether a text holds a template and more: it is hardly the same by chance, as one param alone would be."""
    return templates.is_template(text) and not lone_expression(text)
