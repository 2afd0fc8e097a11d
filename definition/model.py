"""Pipeline definitions as values: JSON in and out without loss, equality by content.

Members that this version does not know, or that do not have their documented form, are kept as they are, so that every
definition survives a round trip; :meth:`PipelineDefinition.validate` reports them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.conditions import decode_condition
from sagemaker_provider.definition.expressions import Get, decode, encode, execution_variable, substitute
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.step_types import BRANCHES

VERSION: Final = "2020-12-01"
"""The only version of the definition language."""

EXPERIMENT_OF_THE_PIPELINE: Final = {
    "ExperimentName": execution_variable("PipelineName"),
    "TrialName": execution_variable("PipelineExecutionId"),
}
"""What the AWS SDK writes as ``PipelineExperimentConfig``: one experiment per pipeline, one trial per execution."""

_Record = TypeVar("_Record")


class DefinitionError(ValueError):
    """A text is not a pipeline definition. ``findings`` says why, all reasons at once."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(str(item) for item in findings))
        self.findings = findings


def _key(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _write(record: Any, **names: str) -> dict[str, Any]:
    """A record as JSON: its fields under their keys, without those that are ``None``."""
    pairs = ((names.get(item.name) or _key(item.name), getattr(record, item.name)) for item in fields(record))
    return {key: encode(value) for key, value in pairs if value is not None}


def _write_with_members(record: Any) -> dict[str, Any]:
    """A record as JSON, with its ``members`` beside its fields."""
    written = _write(record)
    members = written.pop("Members")
    return {**written, **members}


def _read(cls: type[_Record], value: Any, **names: str) -> Any:
    """The inverse of :func:`_write`; a value that is not of the documented form is returned as it is."""
    keys = {names.get(item.name) or _key(item.name): item for item in fields(cls)}  # type: ignore[arg-type]
    required = {key for key, item in keys.items() if item.default is not None}
    if not isinstance(value, dict) or not required <= set(value) <= set(keys) or None in value.values():
        return decode(value)
    if any(item.type == "str" and not isinstance(value.get(key, ""), str) for key, item in keys.items()):
        return decode(value)
    return cls(
        **{keys[key].name: tuple(item) if isinstance(item, list) else decode(item) for key, item in value.items()}
    )


@dataclass(frozen=True)
class Parameter:
    """A parameter of the pipeline.

    :param name: 1-64 of ``[A-Za-z0-9-_]``.
    :param type: ``String``, ``Integer``, ``Float`` or ``Boolean``.
    :param default_value: literal of that type; without it a value must be given at every start.
    :param enum_values: the values allowed (String only, at most 16).
    :param description: text, at most 4096 characters.
    """

    name: str
    type: str
    default_value: Any = None
    enum_values: tuple[Any, ...] | None = None
    description: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The parameter as the definition language writes it."""
        return _write(self)


@dataclass(frozen=True)
class Dependency:
    """A dependency with a run condition: the step runs when ``step`` ended as ``trigger`` says.

    :param trigger: ``Failed``, ``Stopped`` or ``Any``; the ordinary ``Completed`` is written as the plain step name.
    """

    step: str
    trigger: str

    def to_json(self) -> dict[str, Any]:
        """The dependency as the definition language writes it."""
        return _write(self)


@dataclass(frozen=True)
class RetryPolicy:
    """When and how often the service tries a step again. It never retries a failure of user code.

    :param exception_type: kinds of failure, such as ``SageMaker.CAPACITY_ERROR``.
    :param interval_seconds: wait before the first retry, at most 43,200 seconds.
    :param backoff_rate: factor by which the wait grows.
    :param max_attempts: 1-20; give either this or ``expire_after_min``.
    :param expire_after_min: give up after this many minutes, at most 14,400.
    """

    exception_type: tuple[str, ...]
    interval_seconds: int | None = None
    backoff_rate: float | None = None
    max_attempts: int | None = None
    expire_after_min: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The policy as the definition language writes it."""
        return _write(self)


_DURATION = re.compile(
    r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE
)
_DAY: Final = 86_400
_UNITS: Final = (365 * _DAY, 30 * _DAY, 7 * _DAY, _DAY, 3600, 60, 1)


@dataclass(frozen=True)
class CacheConfig:
    """Reuse of an earlier successful run of the step.

    :param enabled: whether to look for one.
    :param expire_after: how old it may be, an ISO 8601 duration such as ``P30D``.
    """

    enabled: bool
    expire_after: str | None = None

    def seconds(self) -> float:
        """How old the earlier run may be, in seconds; a month has 30 days and a year 365. The ``P`` may be missing.

        :raises ValueError: ``expire_after`` is no duration.
        """
        after = self.expire_after
        if after is None:
            return math.inf
        match = isinstance(after, str) and (_DURATION.fullmatch(after) or _DURATION.fullmatch(f"P{after}"))
        if not match:
            raise ValueError(f"ExpireAfter {after!r} is not an ISO 8601 duration such as P30D")
        return float(sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS)))

    def to_json(self) -> dict[str, Any]:
        """The setting as the definition language writes it."""
        return _write(self)


@dataclass(frozen=True)
class PropertyFile:
    """A JSON file among the outputs of a Processing step that ``Std:JsonGet`` can read.

    :param name: how expressions refer to it.
    :param output_name: the processing output that holds it.
    :param path: path of the file in that output.
    """

    name: str
    output_name: str
    path: str

    _NAMES = {"name": "PropertyFileName", "path": "FilePath"}

    def to_json(self) -> dict[str, Any]:
        """The property file as the definition language writes it."""
        return _write(self, **self._NAMES)


@dataclass(frozen=True)
class OutputParameter:
    """A declared output of a Lambda or Callback step.

    :param name: at most 256 characters.
    :param type: ``String``, ``Integer``, ``Float`` or ``Boolean``.
    """

    name: str
    type: str = "String"

    _NAMES = {"name": "OutputName", "type": "OutputType"}

    def to_json(self) -> dict[str, Any]:
        """The output as the definition language writes it."""
        return _write(self, **self._NAMES)


def _read_output(value: Any) -> Any:
    complete = isinstance(value, dict) and set(value) == {"OutputName", "OutputType"}
    return _read(OutputParameter, value, **OutputParameter._NAMES) if complete else decode(value)


def _read_dependency(value: Any) -> Any:
    return value if isinstance(value, str) else _read(Dependency, value)


@dataclass(frozen=True)
class Step:
    """A step.

    :param name: 1-64 of ``[A-Za-z0-9-_]``, unique in the whole definition.
    :param type: one of :data:`~sagemaker_provider.definition.step_types.STEP_TYPES`.
    :param arguments: what the step does: JSON with expressions; steps and conditions inside Condition and ForEach steps.
    :param depends_on: names of steps that must succeed first, or :class:`Dependency`.
    :param display_name: text shown in Studio.
    :param description: text.
    :param retry_policies: see :class:`RetryPolicy`.
    :param cache_config: see :class:`CacheConfig`.
    :param property_files: see :class:`PropertyFile`.
    :param output_parameters: see :class:`OutputParameter`.
    :param members: keys that only some types have, such as ``FunctionArn`` or ``CheckType``.
    """

    name: str
    type: str
    arguments: Mapping[str, Any]
    depends_on: tuple[Any, ...] | None = None
    display_name: str | None = None
    description: str | None = None
    retry_policies: tuple[Any, ...] | None = None
    cache_config: Any = None
    property_files: tuple[Any, ...] | None = None
    output_parameters: tuple[Any, ...] | None = None
    members: Mapping[str, Any] = field(default_factory=dict)

    def branches(self) -> dict[str, tuple[Step, ...]]:
        """The steps inside this one, by the argument that holds them (``IfSteps``, ``ElseSteps``, ``ForEachBody``)."""
        held = {key: self.arguments.get(key, ()) for key in BRANCHES.get(self.type, ())}
        return {
            key: tuple(step for step in steps if isinstance(step, Step))
            for key, steps in held.items()
            if isinstance(steps, (list, tuple))
        }

    def own_arguments(self) -> dict[str, Any]:
        """The arguments without the steps inside this one."""
        return {key: value for key, value in self.arguments.items() if key not in BRANCHES.get(self.type, ())}

    def dependencies(self) -> Iterator[tuple[str, str]]:
        """Explicit dependencies as (step name, trigger)."""
        for item in self.depends_on or ():
            if isinstance(item, str):
                yield item, "Completed"
            elif isinstance(item, Dependency):
                yield item.step, item.trigger

    def substitute(self, change: Callable[[Get], Any]) -> Step:
        """A copy with every :class:`~.expressions.Get` replaced by ``change(get)``, inner steps included."""
        return replace(self, arguments=substitute(self.arguments, change), members=substitute(self.members, change))

    def to_json(self) -> dict[str, Any]:
        """The step as the definition language writes it."""
        return _write_with_members(self)


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "DependsOn": _read_dependency,
    "RetryPolicies": lambda value: _read(RetryPolicy, value),
    "PropertyFiles": lambda value: _read(PropertyFile, value, **PropertyFile._NAMES),
    "OutputParameters": _read_output,
}


@dataclass(frozen=True)
class PipelineDefinition:
    """A pipeline definition.

    :param steps: the top-level steps; steps inside Condition and ForEach steps are in their arguments.
    :param parameters: the parameters.
    :param members: the other top-level keys: ``Version``, ``Metadata``, ``PipelineExperimentConfig``, ``MlflowConfig``.
    """

    steps: tuple[Step, ...]
    parameters: tuple[Any, ...] | None = ()
    members: Mapping[str, Any] = field(
        default_factory=lambda: {"Version": VERSION, "Metadata": {}, "PipelineExperimentConfig": None}
    )

    def all_steps(self) -> Iterator[tuple[Step, tuple[tuple[Step, str], ...]]]:
        """Every step with the steps that enclose it, outermost first, each with the argument that holds the next."""

        def walk(
            steps: tuple[Step, ...], enclosing: tuple[tuple[Step, str], ...]
        ) -> Iterator[tuple[Step, tuple[tuple[Step, str], ...]]]:
            for step in steps:
                yield step, enclosing
                for key, inner in step.branches().items():
                    yield from walk(inner, (*enclosing, (step, key)))

        return walk(self.steps, ())

    @classmethod
    def from_json(cls, text: str | bytes) -> PipelineDefinition:
        """Read a definition.

        :param text: JSON.
        :raises DefinitionError: the text is not JSON, or has no definition's structure; all reasons at once.
        """
        problems: list[Finding] = []

        def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            keys = [key for key, _ in pairs]
            for key in sorted({key for key in keys if keys.count(key) > 1}):
                problems.append(finding("SMP501", f"the key {key!r} is given twice in one object"))
            return dict(pairs)

        def constant(name: str) -> float:
            problems.append(finding("SMP501", f"{name} is not JSON"))
            return 0.0

        def number(digits: str) -> float:
            if math.isinf(value := float(digits)):
                problems.append(finding("SMP501", f"the number {digits} is too large"))
                return 0.0
            return value

        try:
            data = json.loads(text, object_pairs_hook=unique, parse_constant=constant, parse_float=number)
        except RecursionError:
            raise DefinitionError([_too_deep()]) from None
        except ValueError as error:
            raise DefinitionError([finding("SMP501", f"not JSON: {error}")]) from None
        if not isinstance(data, dict):
            problems.append(finding("SMP501", "a definition is a JSON object"))
            raise DefinitionError(problems)
        if _deeper_than(limits.NESTING, data):
            raise DefinitionError([*problems, _too_deep()])
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            problems.append(finding("SMP501", f"{error.object[error.start]!r} is half a character, which is no text"))
        steps = _read_steps(data.get("Steps"), "Steps", problems)
        parameters = data.get("Parameters")
        if parameters is not None and not isinstance(parameters, list):
            problems.append(finding("SMP501", "must be a list", place="Parameters"))
        if problems:
            raise DefinitionError(problems)
        known = ("Steps",) if parameters is None else ("Steps", "Parameters")
        return cls(
            steps=steps,
            parameters=None if parameters is None else tuple(_read(Parameter, item) for item in parameters),
            members={key: decode(value) for key, value in data.items() if key not in known},
        )

    def to_json(self, *, indent: int | None = 2) -> str:
        """Write the definition: keys sorted, so that equal definitions give equal bytes.

        :param indent: spaces per level; ``None`` for the shortest text.
        """
        data = _write_with_members(self)
        separators = (",", ":") if indent is None else None
        return json.dumps(
            data, indent=indent, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=separators
        )

    def validate(self) -> list[Finding]:
        """Check the definition against the language, the service's limits and the request and Describe shapes.

        :return: all findings, errors first; empty when nothing was found. Never raises for a bad definition.
        """
        from sagemaker_provider.definition.validation import validate

        return validate(self)


def _too_deep() -> Finding:
    return finding("SMP501", f"objects and lists are nested more than {limits.NESTING} levels deep")


def _deeper_than(levels: int, value: Any) -> bool:
    """Whether objects and lists are nested more than ``levels`` deep."""
    holders = [value]
    for _ in range(levels):
        held = (item for holder in holders for item in (holder.values() if isinstance(holder, dict) else holder))
        holders = [item for item in held if isinstance(item, (dict, list))]
    return bool(holders)


def _read_steps(value: Any, place: str, problems: list[Finding]) -> tuple[Step, ...]:
    if not isinstance(value, list):
        problems.append(finding("SMP501", "is missing" if value is None else "must be a list of steps", place=place))
        return ()
    return tuple(step for index, item in enumerate(value) if (step := _read_step(item, f"{place}[{index}]", problems)))


def _read_step(data: Any, place: str, problems: list[Finding]) -> Step | None:
    if not isinstance(data, dict):
        problems.append(finding("SMP501", "a step is a JSON object", place=place))
        return None
    name, kind, arguments = data.get("Name"), data.get("Type"), data.get("Arguments")
    wrong = [
        key
        for key, value, form in (("Name", name, str), ("Type", kind, str), ("Arguments", arguments, dict))
        if not isinstance(value, form)
    ]
    for key in wrong:
        problems.append(
            finding("SMP501", f"{'is missing' if key not in data else 'has the wrong type'}", place=f"{place}.{key}")
        )
    if wrong:
        return None
    assert isinstance(name, str) and isinstance(kind, str) and isinstance(arguments, dict)
    decoded = {
        key: (
            _read_steps(value, f"{place}.Arguments.{key}", problems)
            if key in BRANCHES.get(kind, ())
            else tuple(decode_condition(item) for item in value)
            if (kind, key) == ("Condition", "Conditions") and isinstance(value, list)
            else decode(value)
        )
        for key, value in arguments.items()
    }
    known: dict[str, Any] = {}
    members: dict[str, Any] = {}
    typed = {_key(item.name): item.name for item in fields(Step) if item.name != "members"}
    for key, value in data.items():
        if key in _READERS and isinstance(value, list):
            known[typed[key]] = tuple(_READERS[key](item) for item in value)
        elif key in ("DisplayName", "Description") and isinstance(value, str):
            known[typed[key]] = value
        elif key == "CacheConfig" and isinstance(value, dict):
            known[typed[key]] = _read(CacheConfig, value)
        elif key not in ("Name", "Type", "Arguments"):
            members[key] = decode(value)
    return Step(name=name, type=kind, arguments=decoded, members=members, **known)
