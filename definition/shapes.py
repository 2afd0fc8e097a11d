"""The request and Describe shapes of the service models that botocore ships.

Models are read from botocore's data on first use and kept; no client is made.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.expressions import EXPRESSIONS
from sagemaker_provider.definition.step_types import ENTRY_NAMES, StepType

SCALARS: Final[Mapping[str, str]] = {
    "string": "String",
    "integer": "Integer",
    "long": "Integer",
    "float": "Float",
    "double": "Float",
    "boolean": "Boolean",
    "timestamp": "String",
    "blob": "String",
}
"""Type of the definition language by botocore's type name."""


_TEXTS: Final[Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]]] = {
    "Integer": (re.compile(r"[+-]?[0-9]{1,20}"), int),
    "Float": (re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(e[+-]?[0-9]{1,2})?"), float),
    "Boolean": (re.compile("true|false"), "true".__eq__),
}
"""How a text says a number or boolean, and what reads it. Python itself would read ``nan`` and ``1_000`` too."""


class UnknownShapeError(LookupError):
    """The installed botocore is older than what is asked for."""


class PropertyError(LookupError):
    """A step has no such property; the message gives the nearest names."""


@cache
def service_model(service: str) -> Any:
    """The ``botocore.model.ServiceModel`` of a service."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@cache
def named_shape(service: str, name: str) -> Any:
    """A shape of a service; botocore makes a new one for each look, with all its members."""
    return service_model(service).shape_for(name)


@cache
def request_shape(service: str, operation: str) -> Any:
    """The input shape of an operation.

    :raises UnknownShapeError: the installed botocore does not know the operation.
    """
    model = service_model(service)
    if operation not in model.operation_names:
        raise UnknownShapeError(f"the installed botocore does not know {operation} of {service}; update botocore")
    return model.operation_model(operation).input_shape


@cache
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except re.error:  # a few patterns of the service models are not written in Python's dialect
        return None


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint naming what was probably meant, or all there is."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    folded = [item for item in known if item.lower() == name.lower()]
    if folded or close:
        return f"did you mean {' or '.join(repr(item) for item in dict.fromkeys(folded + close))}?"
    return f"known are {', '.join(known)}" if known else "there are none"


class Mismatch:
    """A place in a request that does not fit its shape.

    :param kind: ``unknown``, ``missing``, ``type``, ``value`` or ``model`` (the service may know better than its model).
    """

    __slots__ = ("kind", "message", "place")

    def __init__(self, kind: str, place: str, message: str) -> None:
        self.kind, self.place, self.message = kind, place, message


def mismatches(value: Any, shape: Any, place: str = "", optional: frozenset[str] = frozenset()) -> Iterator[Mismatch]:
    """Compare a request with its shape; expressions are accepted where the shape is a scalar.

    :param value: the request, with expressions.
    :param shape: botocore shape.
    :param optional: paths that may be missing although the shape requires them.
    """
    kind = shape.type_name
    if isinstance(value, EXPRESSIONS):
        if kind not in SCALARS:
            yield Mismatch(
                "type", place, f"an expression cannot stand for a {kind}, only for text, numbers and booleans"
            )
        return
    if kind == "structure":
        if not isinstance(value, Mapping):
            yield Mismatch("type", place, f"must be an object, not {_shown(value)}")
            return
        yield from _structure_mismatches(value, shape, place, optional)
    elif kind == "list":
        if not isinstance(value, (list, tuple)):
            yield Mismatch("type", place, f"must be a list, not {_shown(value)}")
            return
        yield from _length_mismatches(len(value), "entries", shape, place)
        for index, item in enumerate(value):
            yield from mismatches(item, shape.member, f"{place}[{index}]", optional)
    elif kind == "map":
        if not isinstance(value, Mapping):
            yield Mismatch("type", place, f"must be an object, not {_shown(value)}")
            return
        yield from _length_mismatches(len(value), "entries", shape, place)
        for key, item in value.items():
            yield from mismatches(key, shape.key, f"{place}.{key} (key)", optional)
            yield from mismatches(item, shape.value, f"{place}.{key}", optional)
    else:
        yield from _scalar_mismatches(value, shape, place)


def _structure_mismatches(
    value: Mapping[str, Any], shape: Any, place: str, optional: frozenset[str]
) -> Iterator[Mismatch]:
    prefix = f"{place}." if place else ""
    for name in shape.required_members:
        if name not in value and prefix + name not in optional:
            yield Mismatch("missing", prefix + name, "is required")
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield Mismatch("value", place, f"needs exactly one of {', '.join(shape.members)}")
    for name, item in value.items():
        if name not in shape.members:
            yield Mismatch("unknown", prefix + name, f"is not a member of {shape.name}; {nearest(name, shape.members)}")
        elif item is None:
            yield Mismatch("type", prefix + name, "is null; leave it out instead")
        else:
            yield from mismatches(item, shape.members[name], prefix + name, optional)


def _scalar_mismatches(value: Any, shape: Any, place: str) -> Iterator[Mismatch]:
    kind = shape.type_name
    accepted: dict[str, tuple[type, ...]] = {
        "integer": (int,),
        "long": (int,),
        "float": (int, float),
        "double": (int, float),
        "boolean": (bool,),
        "timestamp": (str, int, float),
    }
    wanted = accepted.get(kind, (str,))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        yield Mismatch("type", place, f"must be {article(SCALARS.get(kind, kind))}, not {_shown(value)}")
        return
    if isinstance(value, str):
        yield from _length_mismatches(len(value), "characters", shape, place)
        allowed = getattr(shape, "enum", ())  # only shapes of text have it
        if allowed and value not in allowed:
            hint = nearest(value, allowed) if len(allowed) > 20 else f"allowed are {', '.join(allowed)}"
            yield Mismatch(
                "model" if shape.name.endswith("InstanceType") else "value",
                place,
                f"{value!r} is not a {shape.name}; {hint}",
            )
        elif (
            (pattern := shape.metadata.get("pattern"))
            and (compiled := _pattern(pattern))
            and not compiled.fullmatch(value)
        ):
            yield Mismatch("model", place, f"{value!r} does not match {pattern}")
    elif not isinstance(value, bool):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            yield Mismatch(
                "value",
                place,
                f"{value} is not between {low if low is not None else '-'} and {high if high is not None else '-'}",
            )


def _length_mismatches(length: int, unit: str, shape: Any, place: str) -> Iterator[Mismatch]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if length < low or (high is not None and length > high):
        yield Mismatch(
            "value", place, f"has {length} {unit}, allowed are {low} to {high if high is not None else 'any number'}"
        )


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {value!r}" if isinstance(value, (str, int, float, bool)) else type(value).__name__


def article(name: str) -> str:
    """A name with its indefinite article."""
    return f"{'an' if name.startswith(tuple('AEIOU')) else 'a'} {name}"


def coerce(value: Any, shape: Any, place: str = "") -> Any:
    """Give a request the types its shape wants: rendered templates are text, whatever the field.

    Text becomes a number or boolean where the shape has one, a number or boolean becomes text where the shape has text.
    Expressions and members that the shape does not know stay as they are.

    :raises ValueError: a text cannot be read as what the shape wants; the message names every such place.
    """
    problems: list[str] = []
    result = _coerce(value, shape, place, problems)
    if problems:
        raise ValueError("; ".join(problems))
    return result


def _coerce(value: Any, shape: Any, place: str, problems: list[str]) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        prefix = f"{place}." if place else ""
        return {
            name: _coerce(item, shape.members[name], prefix + name, problems) if name in shape.members else item
            for name, item in value.items()
        }
    if kind == "list" and isinstance(value, (list, tuple)):
        return [_coerce(item, shape.member, f"{place}[{index}]", problems) for index, item in enumerate(value)]
    if kind == "map" and isinstance(value, Mapping):
        return {key: _coerce(item, shape.value, f"{place}.{key}", problems) for key, item in value.items()}
    if kind in ("integer", "long", "float", "double", "boolean") and isinstance(value, str):
        pattern, read = _TEXTS[SCALARS[kind]]
        if pattern.fullmatch(text := value.strip().lower()):
            return read(text)
        problems.append(f"{place}: {value!r} is not {article(SCALARS[kind])}")
    elif kind == "string" and isinstance(value, (bool, int, float)):
        return str(value)
    return value


@cache
def _own_properties(row: StepType) -> frozenset[str]:
    """The names with which a path below a step may begin."""
    shape = named_shape(*row.properties) if row.properties else None
    return frozenset((*(shape.members if shape else ()), *(name.partition(".")[0] for name in row.extra_properties)))


def property_type(row: StepType, segments: tuple[paths.Segment, ...]) -> str:
    """The type of a property of a step.

    :param row: the step type.
    :param segments: path below the step, not empty.
    :return: ``String``, ``Integer``, ``Float``, ``Boolean``; ``Any`` when only the running step knows;
        ``structure``, ``list`` or ``map`` when the path ends above a scalar.
    :raises PropertyError: there is no such property.
    """
    if row.required_keys and "OutputParameters" in row.optional_keys:
        if segments[0] == "OutputParameters" and len(segments) == 2:
            return "Any"
        raise PropertyError(f"{article(row.name)} step has only OutputParameters['name']")
    if row.properties and row.properties[1] not in service_model(row.properties[0]).shape_names:
        return "Any"  # the installed botocore is older than the step type
    shape = named_shape(*row.properties) if row.properties else None
    own = _own_properties(row)
    if not own:
        raise PropertyError(f"{article(row.name)} step has no properties")
    walked = 0
    for length in range(1, min(len(segments), 2) + 1):
        kind = row.extra_properties.get(paths.join(segments[:length]), "")
        if kind == "Any":
            return kind
        if kind in SCALARS.values():
            if len(segments) > length:
                raise PropertyError(f"{paths.join(segments[:length])!r} is {article(kind)}, nothing is below it")
            return kind
        if kind and row.properties:
            shape, walked = named_shape(row.properties[0], kind), length
    if below := [name.partition(".")[2] for name in row.extra_properties if name.startswith(f"{segments[0]}.")]:
        if len(segments) == 1:
            return "structure"
        raise PropertyError(
            f"{article(row.name)} step has no property {paths.join(segments)!r}; {nearest(str(segments[1]), below)}"
        )
    if shape is None:
        raise PropertyError(
            f"{article(row.name)} step has no property {paths.join(segments)!r}; {nearest(str(segments[0]), own)}"
        )
    for position, segment in enumerate(segments[walked:], walked):
        before = paths.join(segments[:position])
        if shape.type_name == "structure" and isinstance(segment, str) and segment in shape.members:
            shape = shape.members[segment]
        elif shape.type_name == "list" and isinstance(segment, (paths.Key, int) if shape.name in ENTRY_NAMES else int):
            shape = shape.member
        elif shape.type_name == "map" and isinstance(segment, str):
            shape = shape.value
        elif shape.type_name == "list":
            index = f"['{segment}']" if shape.name in ENTRY_NAMES else "[0]"
            raise PropertyError(f"{before!r} is a list: write {before}{index}, not {segment!r}")
        elif shape.type_name == "structure":
            known = own if position == 0 else shape.members
            raise PropertyError(
                f"{article(row.name)} step has no property {paths.join(segments)!r}: "
                f"no {str(segment)!r} in {before or 'its properties'}; {nearest(str(segment), known)}"
            )
        else:
            raise PropertyError(
                f"{before!r} is {article(SCALARS.get(shape.type_name, shape.type_name))}, nothing is below it"
            )
    return SCALARS.get(shape.type_name, shape.type_name)


@cache
def entry_name(row: StepType, segments: tuple[paths.Segment, ...]) -> str | None:
    """The member that names the entries of a list, where a path leads to such a list; ``None`` elsewhere."""
    if not row.properties or not segments:
        return None
    shape = named_shape(*row.properties)
    for segment in segments:
        inner = shape.members.get(segment) if shape.type_name == "structure" else getattr(shape, "member", None)
        if inner is None:
            return None
        shape = inner
    return ENTRY_NAMES.get(shape.name)
