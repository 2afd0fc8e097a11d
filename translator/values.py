"""The values in a task's arguments as values of a definition: references and templates become expressions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sagemaker_provider.definition import paths, shapes
from sagemaker_provider.definition.conditions import decode_condition
from sagemaker_provider.definition.expressions import EXPRESSIONS, Get, Join, JsonGet, execution_variable, step_property
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import CacheConfig, OutputParameter, PropertyFile, RetryPolicy
from sagemaker_provider.definition.paths import Key, Segment
from sagemaker_provider.definition.step_types import STEP_TYPES, Resource, StepType
from sagemaker_provider.definition.validation import is_literal
from sagemaker_provider.operators import references
from sagemaker_provider.operators.records import CleanupSource
from sagemaker_provider.translator import jinja, templates, text_flow
from sagemaker_provider.translator.names import clean
from sagemaker_provider.translator.parameters import Parameters, looks_secret
from sagemaker_provider.translator.parts import Starter
from sagemaker_provider.translator.registry import (
    RETURN_VALUE,
    AsText,
    Given,
    LoopIndexes,
    LoopItem,
    MappedItem,
    RoleName,
    Setting,
    TaskStep,
    XComFile,
    XComOf,
    node_id,
    same_path,
)

_PARTITIONS = {"cn": "aws-cn"}
"""First part of a Region -> partition of its ARNs, where that is another than ``aws``; of public Regions."""
_RENDERED = ("SMP301", "SMP304", "SMP311")
"""Codes of what a definition cannot express and Airflow can render."""
_NUMBERS = {"integer": "Integer", "long": "Integer", "float": "Float", "double": "Float", "boolean": "Boolean"}
"""Type of a member of a request -> type of a parameter for it."""
PARAMETER_TYPES = ("Boolean", "Integer", "Float", "String")
LOOP_INDEXES = "indexes"
"""Property file of a Python task with the indexes of the list that it returns."""
_RECORDS = (OutputParameter, PropertyFile, CacheConfig, RetryPolicy)


@dataclass(frozen=True)
class Surroundings:
    """What a task's values may refer to.

    :param dag_id: the DAG.
    :param parameters: the pipeline's parameters.
    :param steps: the tasks that become steps.
    :param step_name: from (the referring task, another task) to the step of the latter that runs in the same world.
        Raises :class:`~.templates.UntranslatableError` when there is none, or it need not have run, or it is a loop and
        the argument ``loops`` is not true.
    :param made: text by which something made is called -> tasks that make something of this name.
    :param own_params: params that the task sets itself.
    :param task_id: the task.
    :param given: from the name of a setting to its value for the task, or ``None``.
    :param tasks: all task ids.
    :param outputs: S3 locations that tasks write to, see :func:`.text_flow.outputs`.
    :param succeeded: whether a task cannot have failed when this one runs.
    :param starter: Airflow, where one of its tasks starts the pipeline.
    """

    dag_id: str
    parameters: Parameters
    steps: Mapping[str, TaskStep]
    step_name: Callable[..., str]
    made: Mapping[str, tuple[str, ...]]
    own_params: frozenset[str] = frozenset()
    task_id: str = ""
    given: Given = lambda name: None
    tasks: Container[str] = ()
    outputs: Mapping[str, tuple[text_flow.Output, ...]] = field(default_factory=dict)
    succeeded: Callable[[str], bool] = lambda task: False
    starter: Starter | None = None

    def is_outside(self, task_id: str) -> bool:
        """Whether a task stays in Airflow, which starts the pipeline with its results."""
        return self.starter is not None and task_id in self.starter.outside


@dataclass(frozen=True)
class XComSource:
    """How a job of another step gets the XCom of a step.

    :param file: S3 URI of the folder with ``xcom.json``; or
    :param operation: (boto3 client, Describe operation) that gives it; or
    :param values: path in the XCom, keys joined by points -> expression, where that is all there is; "" for the whole.
    :param request: members of the Describe request.
    :param result: path in the response under which the description is, if not the whole.
    :param wrapper: key under which the XCom has the description, if it is not the description itself.
    :param beside: descriptions that the XCom has beside it.
    """

    file: Any = None
    operation: tuple[str, str] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    result: str = ""
    wrapper: str = ""
    beside: tuple[XComSource, ...] = ()


def _described(resource: Resource, request: Mapping[str, Any], wrapper: str) -> XComSource:
    operation = (resource.service, resource.describe or "")
    return XComSource(operation=operation, request=request, result=resource.result, wrapper=wrapper)


class Values:
    """Rewrites the values of one task; collects findings on what could not be rewritten.

    :param task_id: the task, or what one of several steps of it is called.
    :param around: what the values may refer to.
    """

    def __init__(self, task_id: str, around: Surroundings) -> None:
        self.task_id = task_id
        self.around = around
        self.findings: list[Finding] = []
        self.reads: set[str] = set()
        self.types: dict[Get, str] = {}
        self.lookups = templates.Lookups(
            param=self._param,
            declared=self._declared,
            date=around.parameters.date,
            variable=around.parameters.variable,
            json_variable=around.parameters.json_variable,
            run_id=self._run_id,
            xcom=self._pull,
            note=self.note,
            names={"dag.dag_id": around.dag_id, "task.task_id": around.task_id or task_id},
        )
        self._place = ""

    def _param(self, name: str, default: Any = None) -> Get:
        if name in self.around.own_params:
            raise templates.UntranslatableError(f"the task has a param {name!r} of its own", "SMP305")
        return self.around.parameters.param(name, default)

    def _run_id(self) -> Get | None:
        """Airflow's run id, where a task of Airflow starts the pipeline."""
        return None if self.around.starter is None else self._given("{{ run_id }}", "run_id", "String")

    def _declared(self, name: str) -> Get | None:
        known = self.around.parameters.known.get(name)
        return self._param(name) if known and known.default_value is not None else None

    def rewrite(self, value: Any, place: str) -> Any:
        """A value with its references and templates as expressions.

        :param value: what the operator was given.
        :param place: where it is, for findings.
        """
        self._place = place
        try:
            return self._rewrite(value, place)
        except templates.UntranslatableError as error:
            message = "the value, which is not shown" if looks_secret(place.rpartition(".")[2]) else str(error)
            self.findings.append(finding(error.code, message, task=self.task_id, place=place))
            return ""

    def _rewrite(self, value: Any, place: str) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            raise templates.UntranslatableError(f"{value} is not JSON", "SMP307")
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, str):
            return self._text(value, place)
        if isinstance(value, Setting):
            known = self.around.given(value.name)
            found = self.around.parameters.setting(value.name) if known is None else known
            return templates.joined((found, value.suffix)) if value.suffix else found
        if isinstance(value, LoopIndexes):
            file = self.reference(value.task_id, ("PropertyFiles", LOOP_INDEXES))
            return JsonGet(RETURN_VALUE, property_file=file)
        if isinstance(value, LoopItem) and value.of:
            reason = f"only Python and Bash tasks can read the items of what {value.of!r} returns"
            raise templates.UntranslatableError(reason, "SMP204")
        if isinstance(value, LoopItem):
            return Get("ForEach.CurrentItem")
        if isinstance(value, MappedItem):
            return self.xcom(node_id(value.task_id, str(value.map_index)), RETURN_VALUE, ())
        if isinstance(value, AsText):
            found = self._rewrite(value.template, place)
            if isinstance(found, EXPRESSIONS) and self.type_of(found) != "String":
                self._text_form("value of a file" if isinstance(found, JsonGet) else self.type_of(found), place)
                return Join("", (found,))
            return templates.written(found)
        if isinstance(value, RoleName):
            return self._role(value.name, place)
        if isinstance(value, Mapping):
            if not all(isinstance(key, str) for key in value):
                keys = ", ".join(repr(key) for key in value if not isinstance(key, str))
                raise templates.UntranslatableError(f"the keys {keys} are not text", "SMP307")
            return {key: self.rewrite(item, f"{place}.{key}") for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.rewrite(item, f"{place}[{index}]") for index, item in enumerate(value)]
        if isinstance(value, _RECORDS):
            return value
        if isinstance(value, references.Reference):
            (operator, _), *_ = value.iter_references()
            if self.around.is_outside(operator.task_id):
                return self._given(value, f"{operator.task_id}.{paths.join(value._segments)}", property_kind(value))
            return self.reference(
                operator.task_id, self._by_name(operator.task_id, spelled(operator.row, value._segments), by_name=True)
            )
        if isinstance(value, references.Join):
            return Join(value.on, tuple(templates.written(self._rewrite(item, place)) for item in value.values))
        if isinstance(value, references.JsonGet):
            return self._json_get(value, place)
        if isinstance(value, references.ExecutionVariable):
            return execution_variable(value.name)
        if isinstance(value, CleanupSource):
            uris = {"S3Uris": self._rewrite(value.s3_uris, place)} if value.s3_uris else {}
            return {"StepName": self.around.step_name(value.step.task_id), **uris}
        if isinstance(value, EXPRESSIONS):
            return value
        if type(value).__name__ == "PlainXComArg":
            return self.xcom(value.operator.task_id, value.key, ())
        raise templates.UntranslatableError(f"a {type(value).__name__} cannot be written into a definition", "SMP307")

    def _role(self, name: str, place: str) -> Any:
        if account := self.around.given("account"):
            partition = _PARTITIONS.get((self.around.given("region") or "").partition("-")[0], "aws")
            arn = f"arn:{partition}:iam::{account}:role/{name}"
            self.note("SMP636", f"{name!r} becomes {arn!r}; a role with a path has another ARN")
            return arn
        get = self.around.parameters.role(name)
        self.note("SMP636", f"{name!r} becomes the parameter {get.name!r}")
        return get

    def _text(self, value: str, place: str) -> Any:
        for word in templates.single_braces(value):
            self.note("SMP645", f"{word!r} in {value!r} is text, in Airflow too")
        found = text_flow.inferred(self, value, place)
        if found is not None:
            return found
        before, starter = len(self.findings), self.around.starter
        try:
            return templates.translate(value, self.lookups)
        except templates.UntranslatableError as error:
            own = self.around.own_params and "params" in value
            if starter is None or own or error.code not in _RENDERED or not starter.can_render(value):
                raise
            del self.findings[before:]
            return self._given(value, f"{self.around.task_id}.{place}")

    def _given(self, source: Any, name: str, kind: str = "Any") -> Get:
        """The parameter for a value that Airflow gives when it starts the pipeline.

        :param source: the template or reference that has the value in Airflow.
        :param kind: its type; where that is not known, it is that of the value, or text.
        """
        starter = self.around.starter
        assert starter is not None
        words = jinja.words(source) if isinstance(source, str) else [name]
        if any(map(looks_secret, words)):
            raise templates.UntranslatableError(f"{source!r} has the name of a secret", "SMP306")
        if kind not in PARAMETER_TYPES:
            value = "" if starter.value is None else starter.value(source)
            kind = next((kind for kind in PARAMETER_TYPES if is_literal(value, kind)), "")
            if not kind:
                reason = f"{source!r} gives a {type(value).__name__}; a parameter is text, a number or a boolean"
                raise templates.UntranslatableError(reason, "SMP305")
        return self.around.parameters.given(source, clean(re.sub(r"[^A-Za-z0-9\-]+", "_", name).strip("_")), kind)

    def _pull(self, task_id: str | None, key: str, segments: tuple[Segment, ...]) -> Any:
        """The XCom that a template pulls, also where it leaves the task, or the group of the task, to be found."""
        if task_id is None:
            task_id = self._pusher(key, segments)
        elif self.around.is_outside(task_id):
            return self.xcom(task_id, key, segments)
        elif task_id not in self.around.steps:
            found = [name for name in self.around.steps if name.endswith(f".{task_id}")]
            if len(found) == 1 and task_id not in self.around.tasks:
                self.note("SMP647", f"there is no task {task_id!r}; {found[0]!r} is read")
                (task_id,) = found
        return self.xcom(task_id, key, segments)

    def _pusher(self, key: str, segments: tuple[Segment, ...]) -> str:
        """The one task before this one that has an XCom of a key."""
        found = []
        for name, step in self.around.steps.items():
            try:
                self.around.step_name(name)
            except templates.UntranslatableError:
                continue
            if step.xcom(key, segments):
                found.append(name)
        if len(found) != 1:
            which = f"{len(found)} of them have" if found else "none of them has"
            raise templates.UntranslatableError(
                f"no task_ids are given, so the XCom {key!r} may be of any task before; {which} it", "SMP304"
            )
        self.note("SMP646", f"the XCom {key!r} is read of {found[0]!r}")
        return found[0]

    def xcom(self, task_id: str, key: str, segments: tuple[Segment, ...]) -> Any:
        """The expression for a part of the XCom of another task.

        :raises UntranslatableError: there is none.
        """
        if self.around.is_outside(task_id):
            below = "".join(f"[{item if isinstance(item, int) else str(item)!r}]" for item in segments)
            pull = f"ti.xcom_pull(task_ids={task_id!r}, key={key!r})"
            what = [task_id, *([] if key == RETURN_VALUE else [key]), *segments]
            return self._given(f"{{{{ {pull}{below} }}}}", ".".join(map(str, what)))
        step = self._step(task_id)
        path = step.xcom(key, segments)
        if isinstance(path, XComFile):
            file = self.reference(task_id, ("PropertyFiles", path.property_file))
            return JsonGet(_json_path(path.path), property_file=file)
        if isinstance(path, XComOf):
            task_id, path = node_id(task_id, path.suffix), path.path
            step = self.around.steps[task_id]
        if path and len(path) < len(segments):
            self.note(
                "SMP704", f"the step of {task_id!r} has {'.'.join(map(str, path))} without {segments[0]!r} before it"
            )
        if not path and key != RETURN_VALUE:
            raise templates.UntranslatableError(f"a step has no XCom {key!r}, only its properties", "SMP304")
        if not path:
            raise templates.UntranslatableError(
                f"the step of {task_id!r} has no property for what is read of its XCom", "SMP304"
            )
        return self.reference(task_id, self._by_name(task_id, spelled(STEP_TYPES[step.type], path)))

    def outside_json(self, task_id: str, key: str) -> Get:
        """The parameter with an XCom, as JSON, of a task that stays in Airflow; of a mapped one, the list of all."""
        assert self.around.starter is not None
        pulled, listed = (
            (f"[{task_id!r}]", " | list") if self.around.starter.is_mapped(task_id) else (repr(task_id), "")
        )
        options = f"task_ids={pulled}" + ("" if key == RETURN_VALUE else f", key={key!r}")
        name = ".".join((task_id, *(() if key == RETURN_VALUE else (key,)), "json"))
        return self._given(f"{{{{ ti.xcom_pull({options}){listed} | tojson }}}}", name, "String")

    def _step(self, task_id: str) -> TaskStep:
        """The step of a task.

        :raises UntranslatableError: there is no such task, or it becomes no step.
        """
        if task_id not in self.around.steps:
            if task_id not in self.around.tasks:
                self.around.step_name(task_id)  # says that the task does not exist
            raise templates.UntranslatableError(f"the task {task_id!r} becomes no step", "SMP304")
        return self.around.steps[task_id]

    def source(self, task_id: str) -> XComSource:
        """How a job gets the XCom of an upstream task.

        :raises UntranslatableError: the task is no step, has not run, or its step has no XCom that can be had.
        """
        step, name = self._step(task_id), self.around.step_name(task_id)
        self.reads.add(task_id)
        whole = step.xcom(RETURN_VALUE, ())
        if isinstance(whole, XComFile):
            output = ("ProcessingOutputConfig", "Outputs", Key(whole.property_file), "S3Output", "S3Uri")
            return XComSource(file=step_property(name, *output))
        row = STEP_TYPES[step.type]
        outputs, path = step.members.get("OutputParameters") or (), ("OutputParameters",)
        if step.xcom is not same_path and not step.wrapper:  # the XCom is not the description of the step
            if whole == path:
                return XComSource(values={item.name: step_property(name, *path, Key(item.name)) for item in outputs})
            if not isinstance(whole, tuple) or isinstance(whole, XComOf):
                raise templates.UntranslatableError(
                    f"the XCom of {task_id!r} is no single property of its step", "SMP304"
                )
            return XComSource(values={"": step_property(name, *whole)})
        if outputs:
            prefix = ".".join(map(str, (step.wrapper,) if step.wrapper else ()))
            values = {
                ".".join(filter(None, (prefix, *path, item.name))): step_property(name, *path, Key(item.name))
                for item in outputs
            }
            return XComSource(values=values)
        if row.resource is None or not row.resource.describe:
            raise templates.UntranslatableError(f"what the step of {task_id!r} gives cannot be read by a job", "SMP304")
        request = {member: step_property(name, *paths.parse(path)) for member, path in row.resource.identifiers.items()}
        beside = []
        for kind, member in step.beside.items():
            other = STEP_TYPES[kind].resource
            assert other is not None and other.name is not None
            beside.append(_described(other, {other.name: step_property(name, member)}, kind))
        return replace(_described(row.resource, request, step.wrapper), beside=tuple(beside))

    def _by_name(self, task_id: str, path: tuple[Segment, ...], *, by_name: bool = False) -> tuple[Segment, ...]:
        """A path with the entries of named lists by their names, as a pipeline addresses them.

        In an XCom such a list has numbers: ``Outputs[0]``. The name of the entry stands in the step's own arguments.

        :param by_name: whether the path may have names already, as references do.
        """
        step = self._step(task_id)
        row, entries = STEP_TYPES[step.type], step.arguments
        named: tuple[Segment, ...] = ()
        for segment in path:
            member = shapes.entry_name(row, named)
            if member is None:
                named = (*named, segment)
                continue
            if isinstance(segment, Key) and by_name:
                named = (*named, segment)
                continue
            if not isinstance(segment, int):
                raise templates.UntranslatableError(
                    f"{paths.join(named)} is a list, which Airflow cannot look {str(segment)!r} up in; use a reference",
                    "SMP304",
                )
            try:
                name = paths.look_up(entries, (*named, segment, member))
            except LookupError:
                name = None
            if not isinstance(name, str) or templates.is_template(name):
                raise templates.UntranslatableError(
                    f"a pipeline knows the entries of {paths.join(named)} by name; use a reference", "SMP304"
                )
            named = (*named, Key(name))
        return named

    def reference(self, task_id: str, path: tuple[Segment, ...]) -> Get:
        """The expression for a property of the step of another task.

        :raises UntranslatableError: the task need not have run.
        """
        name = self.around.step_name(task_id)
        self.reads.add(task_id)
        get = step_property(name, *path)
        self.types[get] = self._property_type(self.around.steps[task_id], path)
        return get

    def _property_type(self, step: TaskStep, path: tuple[Segment, ...]) -> str:
        """The type of a property; ``Any`` where it is not known or, as validation says, there is no such property."""
        declared = {item.name: item.type for item in step.members.get("OutputParameters") or ()}
        if path[:1] == ("OutputParameters",) and len(path) == 2:
            return str(declared.get(str(path[1]), "Any"))
        try:
            return str(references.kind_of_property(STEP_TYPES[step.type], path))
        except shapes.PropertyError:
            return "Any"

    def _json_get(self, value: references.JsonGet, place: str) -> JsonGet | Get:
        if value.step is not None and self.around.is_outside(value.step.task_id):
            return self._given(value, f"{value.step.task_id}.{value.property_file}.{value.path}")
        if value.step is None:
            return JsonGet(value.path, s3_uri=self._rewrite(value.s3_uri, place))
        file = self.reference(value.step.task_id, ("PropertyFiles", str(value.property_file)))
        return JsonGet(value.path, property_file=file)

    def note(self, code: str, message: str) -> None:
        """Add a finding about the value that is rewritten."""
        self.findings.append(finding(code, message, task=self.task_id, place=self._place))

    # Types

    def typed(self, value: Any, shape: Any, place: str) -> Any:
        """Give values the types that a request wants, as the operators do when they run.

        Text that is a number becomes one; an expression that is a number becomes text where text is wanted.
        """
        kind = shape.type_name
        if isinstance(value, JsonGet) and kind == "string":
            self._text_form("value of a file", place)
            return Join("", (value,))
        if isinstance(value, EXPRESSIONS):
            given = self.type_of(value)
            if kind == "string" and given in ("Integer", "Float", "Boolean"):
                self._text_form(given, place)
                return Join("", (value,))
            known = self.around.parameters
            if given == "String" and kind in _NUMBERS and isinstance(value, Get) and value.name in known.from_airflow:
                return known.given(known.sources[value.name], f"{value.name}_{_NUMBERS[kind]}", _NUMBERS[kind])
            return value
        if kind == "structure" and isinstance(value, Mapping):
            return {
                key: self.typed(item, shape.members[key], f"{place}.{key}") if key in shape.members else item
                for key, item in value.items()
            }
        if kind == "list" and isinstance(value, list):
            return [self.typed(item, shape.member, f"{place}[{index}]") for index, item in enumerate(value)]
        if kind == "map" and isinstance(value, Mapping):
            return {key: self.typed(item, shape.value, f"{place}.{key}") for key, item in value.items()}
        try:
            return shapes.coerce(value, shape, place)
        except ValueError:  # the validation of the definition says what is wrong
            return value

    def type_of(self, value: Any) -> str:
        """The type of an expression: a type of the language, or ``Any``."""
        if isinstance(value, Get) and value.scope == "Parameters":
            return next((item.type for item in self.around.parameters.known.values() if item.name == value.name), "Any")
        if isinstance(value, Get):
            return self.types.get(value, "Any")
        return "String" if isinstance(value, Join) else "Any"

    def _text_form(self, kind: str, place: str) -> None:
        if kind not in ("Integer", "String", "Any"):
            self.findings.append(finding("SMP613", f"a {kind} is written as text", task=self.task_id, place=place))

    def check_joins(self, value: Any, place: str) -> None:
        """Report floats and booleans inside texts."""
        if isinstance(value, Join):
            for item in value.values:
                if (kind := self.type_of(item)) in ("Float", "Boolean"):
                    self._text_form(kind, place)
                self.check_joins(item, place)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self.check_joins(item, f"{place}.{key}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.check_joins(item, f"{place}[{index}]")


def spelled(row: StepType, path: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """A path below a step as the language spells it: members after a point, names of entries in brackets.

    Python and Jinja take both for either: ``result['ModelArtifacts']`` and ``result.ModelArtifacts``. What no path of the
    step can be stays as it is; the validation of the definition reports it.
    """
    segments: tuple[Segment, ...] = ()
    for segment in path:
        try:
            kind = references.kind_of_property(row, segments)
        except shapes.PropertyError:
            return (*segments, *path[len(segments) :])
        if isinstance(segment, str) and kind in ("structure", "list", "map"):
            segments = (*segments, str(segment) if kind == "structure" else Key(segment))
        else:
            segments = (*segments, segment)
    return segments


def property_kind(reference: references.Reference) -> str:
    """The type of a property of a task that stays in Airflow; ``Any`` where it is not known."""
    operator, path = reference._operator, reference._segments
    declared = {item.name: item.type for item in getattr(operator, "outputs", ())}
    if path[:1] == ("OutputParameters",) and len(path) == 2:
        return str(declared.get(str(path[1]), "Any"))
    return str(references.kind_of_property(operator.row, path))


def _json_path(segments: tuple[Segment, ...]) -> str:
    """A path in a JSON file: brackets only where a name needs them."""
    plain = re.compile(r"\w+")
    return paths.join(str(item) if isinstance(item, str) and plain.fullmatch(item) else item for item in segments)


def conditions(value: list[Any]) -> tuple[Any, ...]:
    """Rewritten conditions as conditions of the language."""
    return tuple(decode_condition(item) for item in value)
