"""Expressions of the definition language: values that the service fills in while a pipeline runs.

They are plain values, equal by content. Inside ``Arguments`` they stand wherever a JSON scalar could stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from sagemaker_provider.definition import paths

EXECUTION_VARIABLES: Final = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
)
"""Complete list of ``Execution.*`` variables known to the AWS SDKs; all have String values."""


@dataclass(frozen=True)
class Get:
    """A reference: ``Parameters.X``, ``Steps.S.path``, ``Execution.V``, ``ForEach.CurrentItem`` and the like.

    :param path: the text after ``Get``.
    """

    path: str

    @cached_property
    def segments(self) -> tuple[paths.Segment, ...]:
        """The parsed path; :class:`ValueError` when it cannot be read."""
        return paths.parse(self.path)

    @property
    def scope(self) -> str:
        """What is referred to: ``Parameters``, ``Steps``, ``Execution``, ``ForEach``..."""
        return self.path.partition(".")[0]

    @property
    def name(self) -> str:
        """The parameter, step or variable referred to."""
        return str(self.segments[1]) if len(self.segments) > 1 else ""

    @property
    def members(self) -> tuple[paths.Segment, ...]:
        """The path below :attr:`name`."""
        return self.segments[2:]


@dataclass(frozen=True)
class Join:
    """``Std:Join``: the values written as text with ``on`` between them. The result is a String."""

    on: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class JsonGet:
    """``Std:JsonGet``: one scalar of a JSON file, found at run time.

    :param path: literal path in the file, such as ``metrics.mse.value`` or ``a['b'][0]``.
    :param property_file: ``Get("Steps.S.PropertyFiles.F")``, a property file that a Processing step declares; or
    :param s3_uri: where the file is; exactly one of the two is given.
    """

    path: str
    property_file: Get | None = None
    s3_uri: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not isinstance(self.property_file, (Get, type(None))):
            raise TypeError(
                "this JsonGet is an expression of a definition; in a DAG use sagemaker_provider.operators.JsonGet"
            )


Expression: TypeAlias = "Get | Join | JsonGet"
EXPRESSIONS: Final = (Get, Join, JsonGet)
_SCALARS: Final = (str, int, float, type(None))


def parameter(name: str) -> Get:
    """Reference to a pipeline parameter."""
    return Get(f"Parameters.{name}")


def step_property(step: str, *segments: paths.Segment) -> Get:
    """Reference to a property of a step, ``segments`` below its Describe response."""
    return Get(paths.join(("Steps", step, *segments)))


def execution_variable(name: str) -> Get:
    """Reference to one of :data:`EXECUTION_VARIABLES`."""
    return Get(f"Execution.{name}")


def decode(value: Any) -> Any:
    """Turn parsed JSON into values with expressions. What is not a well-formed expression stays as it is."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((form, body),) = value.items()
        if form == "Get" and isinstance(body, str):
            return Get(body)
        if form == "Std:Join" and isinstance(body, dict) and set(body) == {"On", "Values"}:
            if isinstance(body["On"], str) and isinstance(body["Values"], list):
                return Join(body["On"], tuple(decode(body["Values"])))
        if form == "Std:JsonGet" and isinstance(body, dict) and isinstance(body.get("Path"), str):
            if set(body) == {"Path", "PropertyFile"} and isinstance(file := decode(body["PropertyFile"]), Get):
                return JsonGet(body["Path"], property_file=file)
            if set(body) == {"Path", "S3Uri"} and body["S3Uri"] is not None:
                return JsonGet(body["Path"], s3_uri=decode(body["S3Uri"]))
    return {key: decode(item) for key, item in value.items()}


def encode(value: Any) -> Any:
    """The inverse of :func:`decode`; objects with a ``to_json`` method write themselves."""
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, Get):
        return {"Get": value.path}
    if isinstance(value, Join):
        return {"Std:Join": {"On": value.on, "Values": encode(value.values)}}
    if isinstance(value, JsonGet):
        source = {"PropertyFile": value.property_file} if value.property_file else {"S3Uri": value.s3_uri}
        return {"Std:JsonGet": {"Path": value.path, **encode(source)}}
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value.to_json() if hasattr(value, "to_json") else value


def walk(value: Any, place: str = "") -> Iterator[tuple[str, Expression]]:
    """Yield every expression in a value, outer before inner, with its place (``A.B[0]``)."""
    if isinstance(value, _SCALARS):
        return
    if isinstance(value, EXPRESSIONS):
        yield place, value
    if isinstance(value, Join):
        yield from walk(value.values, f"{place}.Values")
    elif isinstance(value, JsonGet):
        yield from walk(
            value.property_file or value.s3_uri, f"{place}.{'PropertyFile' if value.property_file else 'S3Uri'}"
        )
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from walk(item, f"{place}[{index}]")
    elif hasattr(value, "to_json"):
        yield from walk(decode(value.to_json()), place)


def substitute(value: Any, change: Callable[[Get], Any]) -> Any:
    """Copy a value with every :class:`Get` replaced by ``change(get)``."""
    if isinstance(value, Get):
        return change(value)
    if isinstance(value, Join):
        return Join(value.on, tuple(substitute(item, change) for item in value.values))
    if isinstance(value, JsonGet):
        if value.property_file:
            return JsonGet(value.path, property_file=change(value.property_file))
        return JsonGet(value.path, s3_uri=substitute(value.s3_uri, change))
    if isinstance(value, Mapping):
        return {key: substitute(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(substitute(item, change) for item in value)
    return value.substitute(change) if hasattr(value, "substitute") else value
