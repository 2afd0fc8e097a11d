"""Checks of a whole definition. Every check reports all it finds; none stops another.

The published JSON schema of the language is older than the service, so it is not used.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from sagemaker_provider.definition import limits, paths, shapes
from sagemaker_provider.definition.conditions import CONDITIONS, Comparison, Equals, In, Not, Or, kind_of
from sagemaker_provider.definition.expressions import EXECUTION_VARIABLES, EXPRESSIONS, Get, Join, JsonGet, walk
from sagemaker_provider.definition.findings import Finding, finding, ordered
from sagemaker_provider.definition.model import (
    CacheConfig,
    OutputParameter,
    Parameter,
    PipelineDefinition,
    PropertyFile,
    RetryPolicy,
    Step,
)
from sagemaker_provider.definition.step_types import (
    COMMON_KEYS,
    JOB_RETRIES,
    STEP_TYPES,
    TRIGGERS,
    StepType,
)

TOP_LEVEL_KEYS: Final = ("Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps")
TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}
"""Python types of the literals of a parameter type; a boolean is no number."""

_MISMATCH_CODES: Final = {
    "unknown": "SMP521",
    "missing": "SMP522",
    "type": "SMP523",
    "value": "SMP524",
    "model": "SMP623",
}
_CHECK_TYPES: Final = {
    "QualityCheck": ("DATA_QUALITY", "MODEL_QUALITY"),
    "ClarifyCheck": ("DATA_BIAS", "MODEL_BIAS", "MODEL_EXPLAINABILITY"),
}
_CHECK_KEYS: Final = {
    "SkipCheck": "Boolean",
    "FailOnViolation": "Boolean",
    "RegisterNewBaseline": "Boolean",
    "ModelPackageGroupName": "String",
    "SuppliedBaselineConstraints": "String",
    "SuppliedBaselineStatistics": "String",
    "ModelName": "String",
}

Enclosing = tuple[tuple[Step, str], ...]
Segments = tuple[paths.Segment, ...]


def is_literal(value: Any, kind: str) -> bool:
    """Whether a value is a literal of a type of the language."""
    return isinstance(value, TYPES[kind]) and (kind == "Boolean") == isinstance(value, bool)


def validate(definition: PipelineDefinition) -> list[Finding]:
    """All findings on a definition, errors first."""
    return ordered(_Validation(definition).run())


class _Validation:
    """One validation: the definition with its look-up tables."""

    def __init__(self, definition: PipelineDefinition) -> None:
        self.definition = definition
        self.steps = list(definition.all_steps())
        self.by_name: dict[str, tuple[Step, Enclosing]] = {}
        for step, enclosing in self.steps:
            self.by_name.setdefault(step.name, (step, enclosing))
        self.parameters = {item.name: item for item in definition.parameters or () if isinstance(item, Parameter)}

    def run(self) -> Iterator[Finding]:
        yield from self.top_level()
        for index, item in enumerate(self.definition.parameters or ()):
            yield from self.parameter(item, index)
        for step, enclosing in self.steps:
            yield from self.step(step, enclosing)
        yield from self.names()
        yield from self.cycles()
        try:
            text = self.definition.to_json(indent=None)
        except (TypeError, ValueError) as error:  # a definition made in Python, not read
            yield finding("SMP501", f"a value cannot be written as JSON: {error}")
        else:
            if len(text) > limits.DEFINITION_CHARACTERS:
                yield finding("SMP571", f"the definition has {len(text):,} characters")

    # The definition as a whole

    def top_level(self) -> Iterator[Finding]:
        members = self.definition.members
        for key in members:
            if key not in TOP_LEVEL_KEYS:
                yield finding(
                    "SMP622", f"is not a key of a definition; {shapes.nearest(key, TOP_LEVEL_KEYS)}", place=key
                )
        if (version := members.get("Version", "2020-12-01")) != "2020-12-01":
            yield finding("SMP501", f"the only version is 2020-12-01, not {version!r}", place="Version")
        if len(self.steps) > limits.STEPS:
            yield finding(
                "SMP504", f"the pipeline has {len(self.steps)} steps, allowed are {limits.STEPS}", place="Steps"
            )
        if len(self.definition.parameters or ()) > limits.PARAMETERS:
            yield finding(
                "SMP532",
                f"the pipeline has {len(self.definition.parameters or ())} parameters, allowed are {limits.PARAMETERS}",
                place="Parameters",
            )
        if "Parameters" in members:
            yield finding("SMP531", "is null; leave it out instead", place="Parameters")
        if any(walk(metadata := members.get("Metadata", {}))):
            yield finding("SMP512", "cannot hold expressions", place="Metadata")
        elif not isinstance(metadata, Mapping):
            yield finding("SMP501", "must be an object", place="Metadata")
        yield from self.experiment(members.get("PipelineExperimentConfig"))
        yield from self.mlflow(members.get("MlflowConfig"))

    def mlflow(self, config: Any) -> Iterator[Finding]:
        known = ("MlflowExperimentName", "MlflowResourceArn")
        if config is None:
            return
        if not isinstance(config, Mapping):
            yield finding("SMP572", "must be an object or null", place="MlflowConfig")
            return
        for key, value in config.items():
            if key not in known:
                yield finding("SMP572", f"is not known here; {shapes.nearest(key, known)}", place=f"MlflowConfig.{key}")
            elif not isinstance(value, (str, *EXPRESSIONS)):
                yield finding("SMP572", f"must be text, not {value!r}", place=f"MlflowConfig.{key}")
        yield from self.expressions(config, "MlflowConfig", None, ())

    def experiment(self, config: Any) -> Iterator[Finding]:
        place = "PipelineExperimentConfig"
        if config is None:
            return
        if not isinstance(config, Mapping):
            yield finding("SMP572", "must be an object or null", place=place)
            return
        for key in sorted({"ExperimentName", "TrialName"} ^ set(config)):
            yield finding("SMP572", "is missing" if key not in config else "is not known here", place=f"{place}.{key}")
        for key, value in config.items():
            if isinstance(value, EXPRESSIONS):
                yield from self.expressions(value, f"{place}.{key}", None, ())
                if any(
                    isinstance(item, JsonGet) or (isinstance(item, Get) and item.scope == "Steps")
                    for _, item in walk(value)
                ):
                    yield finding("SMP512", "cannot read steps, which have not run yet", place=f"{place}.{key}")
            elif not isinstance(value, str) or not re.fullmatch(limits.EXPERIMENT_NAME, value):
                yield finding("SMP572", f"{value!r} is not a valid name", place=f"{place}.{key}")

    def names(self) -> Iterator[Finding]:
        counts = Counter(step.name for step, _ in self.steps)
        for name, count in counts.items():
            if count > 1:
                yield finding("SMP503", f"{count} steps have this name", place=_at(name))
        for name, count in Counter(
            item.name for item in self.definition.parameters or () if isinstance(item, Parameter)
        ).items():
            if count > 1:
                yield finding("SMP503", f"{count} parameters have this name", place=f"Parameters.{name}")
        bodies = {step.name for step, enclosing in self.steps if enclosing and enclosing[-1][1] == "ForEachBody"}
        for name in counts:
            base, _, number = name.rpartition("-")
            if base in bodies and number.isdigit():
                yield finding("SMP503", f"the service gives this name to an iteration of {base!r}", place=_at(name))

    def cycles(self) -> Iterator[Finding]:
        import networkx as nx

        graph = nx.DiGraph()  # of (step name, whether this is the end of a loop, after every step of its body)
        for step, enclosing in self.steps:
            begin, end = (step.name, False), (step.name, step.type == "ForEach")
            graph.add_node(begin)
            if begin != end:
                graph.add_edge(begin, end)
            if enclosing:
                container = enclosing[-1][0]
                graph.add_edge((container.name, False), begin)
                if container.type == "ForEach":
                    graph.add_edge(end, (container.name, True))
            for name in sorted({*(name for name, _ in step.dependencies()), *references(step)} - {step.name}):
                if name in self.by_name:
                    graph.add_edge((name, self.by_name[name][0].type == "ForEach"), begin)
        for component in nx.strongly_connected_components(graph):
            if len(component) > 1:
                inside = nx.DiGraph(edge for edge in graph.edges if component.issuperset(edge))
                found = nx.find_cycle(inside, min(component))
                circle = [name for name, _ in itertools.groupby(node[0] for node, _ in found)]
                yield finding("SMP505", " -> ".join([*circle, circle[0]]), place=_at(min(component)[0]))

    # Parameters

    def parameter(self, item: Any, index: int) -> Iterator[Finding]:
        if not isinstance(item, Parameter):
            yield finding(
                "SMP531",
                "needs Name and Type, and may have DefaultValue, EnumValues and Description, none of them null",
                place=f"Parameters[{index}]",
            )
            return
        place = f"Parameters.{item.name}"
        if not isinstance(item.name, str) or not re.fullmatch(limits.PARAMETER_NAME, item.name):
            yield finding("SMP502", f"{item.name!r} is not a valid parameter name", place=place)
        if item.type not in TYPES:
            yield finding("SMP531", f"the type is one of {', '.join(TYPES)}, not {item.type!r}", place=place)
            return
        if item.default_value is not None and not is_literal(item.default_value, item.type):
            yield finding("SMP531", f"the default {item.default_value!r} is not of type {item.type}", place=place)
        elif isinstance(item.default_value, str) and len(item.default_value) > limits.PARAMETER_DEFAULT:
            yield finding(
                "SMP531",
                f"the default has {len(item.default_value)} characters, allowed are {limits.PARAMETER_DEFAULT}",
                place=place,
            )
        if item.description is not None and not isinstance(item.description, str):
            yield finding("SMP531", "the description is not text", place=place)
        if (values := item.enum_values) is None:
            return
        if not isinstance(values, (list, tuple)):
            yield finding("SMP531", f"EnumValues is a list, not {values!r}", place=place)
            return
        if item.type != "String":
            yield finding("SMP531", "only String parameters have EnumValues", place=place)
        if not 1 <= len(values) <= limits.PARAMETER_ENUM_VALUES:
            yield finding(
                "SMP531",
                f"has {len(values)} allowed values; there may be 1 to {limits.PARAMETER_ENUM_VALUES}",
                place=place,
            )
        for value in values:
            if not is_literal(value, item.type):
                yield finding("SMP531", f"the allowed value {value!r} is not of type {item.type}", place=place)
        if item.default_value is not None and item.default_value not in values:
            yield finding("SMP531", f"the default {item.default_value!r} is not among the allowed values", place=place)

    # Steps

    def step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        place = _at(step.name)
        if not re.fullmatch(limits.STEP_NAME, step.name):
            yield finding("SMP502", f"{step.name!r} is not a valid step name", place=place)
        for key, text, length in (
            ("DisplayName", step.display_name, limits.DISPLAY_NAME),
            ("Description", step.description, limits.DESCRIPTION),
        ):
            if text is not None and len(text) > length:
                yield finding("SMP524", f"has {len(text)} characters, allowed are {length}", place=f"{place}.{key}")
        yield from self.depends_on(step, enclosing)
        row = STEP_TYPES.get(step.type)
        if row is None:
            yield finding(
                "SMP621", f"the type {step.type!r} is not known; {shapes.nearest(step.type, STEP_TYPES)}", place=place
            )
        else:
            yield from self.keys(step, row)
            if row.shape:
                yield from self.request(step, row)
            if check := _OWN_CHECKS.get(step.type):
                yield from check(self, step, enclosing)
        yield from self.expressions(step.own_arguments(), f"{place}.Arguments", step, enclosing)
        yield from self.expressions(step.members, place, step, enclosing)

    def depends_on(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        place = f"{_at(step.name)}.DependsOn"
        for item in step.depends_on or ():
            if not isinstance(item, str) and not hasattr(item, "trigger"):
                yield finding("SMP507", f"{item!r} is neither a step name nor Step and Trigger", place=place)
        if "DependsOn" in step.members:
            yield finding("SMP507", "must be a list", place=place)
        seen: dict[str, str] = {}
        for name, trigger in step.dependencies():
            if trigger not in TRIGGERS:
                yield finding(
                    "SMP507", f"the trigger is one of {', '.join(TRIGGERS[1:])}, not {trigger!r}", place=place
                )
            if seen.setdefault(name, trigger) != trigger:
                yield finding("SMP507", f"two triggers for {name!r}", place=place)
            if name == step.name:
                yield finding("SMP508", "the step depends on itself", place=place)
                continue
            if name not in self.by_name:
                yield finding("SMP506", f"there is no step {name!r}; {shapes.nearest(name, self.by_name)}", place=place)
                continue
            other, outer = self.by_name[name]
            if other.type == "Fail":
                yield finding("SMP515", f"{name!r} is a Fail step", place=place)
            if other.type == "Condition":
                yield finding("SMP625", f"{name!r} is a Condition step", place=place)
            yield from self.reachable(name, outer, enclosing, place)

    def reachable(self, name: str, outer: Enclosing, enclosing: Enclosing, place: str) -> Iterator[Finding]:
        """Whether a step in ``enclosing`` can wait for the step ``name``, which is in ``outer``."""
        inside = {id(container): key for container, key in enclosing}
        for container, key in outer:
            if id(container) in inside:
                if inside[id(container)] != key:
                    yield finding("SMP508", f"{name!r} is in the other branch of {container.name!r}", place=place)
                    return
            elif container.type == "ForEach":
                yield finding(
                    "SMP508",
                    f"{name!r} is in the body of {container.name!r}; outside, read {container.name}.IterationOutputs",
                    place=place,
                )
                return
            else:
                yield finding("SMP628", f"{name!r} is in a branch of {container.name!r}", place=place)
                return

    def keys(self, step: Step, row: StepType) -> Iterator[Finding]:
        place = _at(step.name)
        typed = {
            "DependsOn": step.depends_on,
            "RetryPolicies": step.retry_policies,
            "CacheConfig": step.cache_config,
            "PropertyFiles": step.property_files,
            "OutputParameters": step.output_parameters,
        }
        present = {*step.members, *(key for key, value in typed.items() if value is not None)}
        for key in sorted(present - row.keys):
            yield finding(
                "SMP622",
                f"is not a key of {shapes.article(row.name)} step; {shapes.nearest(key, row.keys - set(COMMON_KEYS) | {'DependsOn'})}",
                place=f"{place}.{key}",
            )
        for key in sorted(set(step.members) & ({*typed, "DisplayName", "Description"} - {"DependsOn"})):
            yield finding("SMP563", "has the wrong type", place=f"{place}.{key}")
        for key in row.required_keys:
            if key not in step.members:
                yield finding("SMP563", "is required", place=f"{place}.{key}")
            elif not isinstance(step.members[key], str):
                code = "SMP512" if isinstance(step.members[key], EXPRESSIONS) else "SMP563"
                yield finding(code, "must be literal text", place=f"{place}.{key}")
        if isinstance(url := step.members.get("SqsQueueUrl"), str) and len(url) > limits.QUEUE_URL:
            yield finding(
                "SMP524", f"has {len(url)} characters, allowed are {limits.QUEUE_URL}", place=f"{place}.SqsQueueUrl"
            )
        yield from self.retry_policies(step, row)
        yield from self.cache(step, row)
        yield from self.property_files(step)
        yield from self.output_parameters(step)

    def retry_policies(self, step: Step, row: StepType) -> Iterator[Finding]:
        for index, policy in enumerate(step.retry_policies or ()):
            place = f"{_at(step.name)}.RetryPolicies[{index}]"
            if not isinstance(policy, RetryPolicy):
                yield finding(
                    "SMP561",
                    "needs ExceptionType and exactly one of MaxAttempts and ExpireAfterMin, and may have IntervalSeconds and BackoffRate",
                    place=place,
                )
                continue
            kinds = policy.exception_type if isinstance(policy.exception_type, tuple) else ()
            if not kinds:
                yield finding("SMP561", "ExceptionType is a list of at least one", place=place)
            for kind in kinds:
                if kind not in JOB_RETRIES:
                    yield finding(
                        "SMP561",
                        f"unknown exception type {kind!r}; {shapes.nearest(str(kind), JOB_RETRIES)}",
                        place=place,
                    )
                elif row.retry and kind not in row.retry:
                    yield finding("SMP561", f"{shapes.article(row.name)} step is never retried for {kind}", place=place)
                elif kind in row.retry_ignored:
                    yield finding("SMP618", f"the service ignores {kind} for {row.name} steps", place=place)
            if (policy.max_attempts is None) == (policy.expire_after_min is None):
                yield finding("SMP561", "needs exactly one of MaxAttempts and ExpireAfterMin", place=place)
            for key, value, high in (
                ("MaxAttempts", policy.max_attempts, limits.RETRY_ATTEMPTS),
                ("ExpireAfterMin", policy.expire_after_min, limits.RETRY_EXPIRE_MINUTES),
                ("IntervalSeconds", policy.interval_seconds, limits.RETRY_INTERVAL_SECONDS),
            ):
                low = 0 if key == "IntervalSeconds" else 1
                if value is not None and not (is_literal(value, "Integer") and low <= value <= high):
                    yield finding("SMP561", f"{key} is a number from {low} to {high}, not {value!r}", place=place)
            if policy.backoff_rate is not None and not (
                is_literal(policy.backoff_rate, "Float") and policy.backoff_rate >= 0
            ):
                yield finding("SMP561", f"BackoffRate is a number from 0 up, not {policy.backoff_rate!r}", place=place)
        if step.retry_policies and row.retry and not row.retry_documented:
            yield finding(
                "SMP618", f"retries of {row.name} steps are not documented", place=f"{_at(step.name)}.RetryPolicies"
            )

    def cache(self, step: Step, row: StepType) -> Iterator[Finding]:
        place, config = f"{_at(step.name)}.CacheConfig", step.cache_config
        if config is None:
            return
        if not isinstance(config, CacheConfig) or not isinstance(config.enabled, bool):
            yield finding("SMP562", "has Enabled, true or false, and perhaps ExpireAfter", place=place)
            return
        try:
            config.seconds()
        except ValueError as error:
            yield finding("SMP562", str(error), place=place)
        if config.enabled and row.cacheable == "sdk":
            yield finding("SMP618", f"caching of {row.name} steps is not documented", place=place)

    def property_files(self, step: Step) -> Iterator[Finding]:
        outputs = output_names(step)
        names: list[str] = []
        for index, item in enumerate(step.property_files or ()):
            place = f"{_at(step.name)}.PropertyFiles[{index}]"
            if not isinstance(item, PropertyFile) or not all(
                isinstance(part, str) and part for part in (item.name, item.output_name, item.path)
            ):
                yield finding("SMP563", "needs PropertyFileName, OutputName and FilePath", place=place)
                continue
            names.append(item.name)
            if outputs is not None and item.output_name not in outputs:
                yield finding(
                    "SMP514",
                    f"the step has no output {item.output_name!r}; {shapes.nearest(item.output_name, outputs)}",
                    place=place,
                )
        for name, count in Counter(names).items():
            if count > 1:
                yield finding(
                    "SMP503", f"{count} property files are called {name!r}", place=f"{_at(step.name)}.PropertyFiles"
                )

    def output_parameters(self, step: Step) -> Iterator[Finding]:
        outputs = step.output_parameters or ()
        if len(outputs) > limits.OUTPUT_PARAMETERS:
            yield finding(
                "SMP524",
                f"has {len(outputs)} outputs, allowed are {limits.OUTPUT_PARAMETERS}",
                place=f"{_at(step.name)}.OutputParameters",
            )
        for index, item in enumerate(outputs):
            place = f"{_at(step.name)}.OutputParameters[{index}]"
            if not isinstance(item, OutputParameter) or not isinstance(item.name, str):
                yield finding("SMP563", "needs OutputName and OutputType", place=place)
            elif item.type not in TYPES:
                yield finding("SMP563", f"the type is one of {', '.join(TYPES)}, not {item.type!r}", place=place)

    # Arguments

    def request(self, step: Step, row: StepType) -> Iterator[Finding]:
        assert row.shape
        place = f"{_at(step.name)}.Arguments"
        try:
            shape = shapes.request_shape(*row.shape)
        except shapes.UnknownShapeError as error:
            yield finding("SMP623", str(error), place=place)
            return
        optional = (
            frozenset((row.resource.name,)) if row.auto_named and row.resource and row.resource.name else frozenset()
        )
        yield from self.fits(step.arguments, shape, place, optional)
        for removed in row.removed:
            holder: Any = step.arguments
            *parents, last = removed.split(".")
            for parent in parents:
                holder = holder.get(parent) if isinstance(holder, Mapping) else None
            if isinstance(holder, Mapping) and last in holder:
                yield finding(
                    "SMP521", "the service does not accept this member in a pipeline", place=f"{place}.{removed}"
                )
        if (
            row.resource
            and row.prefix_length
            and isinstance(prefix := step.arguments.get(row.resource.name or ""), str)
            and len(prefix) > row.prefix_length
        ):
            yield finding(
                "SMP524",
                f"is a prefix here and may have {row.prefix_length} characters, not {len(prefix)}",
                place=f"{place}.{row.resource.name}",
            )

    def fits(self, value: Any, shape: Any, place: str, given: frozenset[str] = frozenset()) -> Iterator[Finding]:
        """Compare a value with its shape; members in ``given``, paths below ``place``, need not be there."""
        for item in shapes.mismatches(value, shape, "", given):
            yield finding(_MISMATCH_CODES[item.kind], item.message, place=_below(place, item.place))
        yield from self.types(value, shape, place)

    def types(self, value: Any, shape: Any, place: str) -> Iterator[Finding]:
        """Compare the types of expressions with those of the places where they stand."""
        kind = shape.type_name
        if isinstance(value, EXPRESSIONS):
            wanted, given = shapes.SCALARS.get(kind), self.type_of(value)
            if wanted and given in TYPES and wanted != given:
                if wanted == "String":
                    yield finding("SMP626", f"the expression is {given}", place=place)
                elif not (wanted == "Float" and given == "Integer"):
                    yield finding(
                        "SMP627" if given == "String" else "SMP523",
                        f"the expression is {given}, wanted is {wanted}",
                        place=place,
                    )
        elif kind == "structure" and isinstance(value, Mapping):
            for name, item in value.items():
                if name in shape.members:
                    yield from self.types(item, shape.members[name], f"{place}.{name}")
        elif kind == "list" and isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                yield from self.types(item, shape.member, f"{place}[{index}]")
        elif kind == "map" and isinstance(value, Mapping):
            for key, item in value.items():
                yield from self.types(item, shape.value, f"{place}.{key}")

    def type_of(self, value: Any) -> str:
        """The type of an expression or literal: a type of the language, or ``Any`` when it is not known."""
        if isinstance(value, Join):
            return "String"
        if isinstance(value, Get):
            try:
                if value.scope == "Parameters":
                    return str(self.parameters[value.name].type)
                if value.scope in ("Execution", "PipelineExperimentConfig"):
                    return "String"
                if value.scope == "Steps":
                    step, members = self.source(self.by_name[value.name][0], value.members)
                    if members[:1] == ("OutputParameters",):
                        declared = {
                            item.name: item.type
                            for item in step.output_parameters or ()
                            if isinstance(item, OutputParameter)
                        }
                        return str(declared[str(members[1])])
                    return shapes.property_type(STEP_TYPES[step.type], members)
            except (LookupError, ValueError):  # reported where the expression is checked
                return "Any"
            return "Any"
        if isinstance(value, bool):
            return "Boolean"
        return {str: "String", int: "Integer", float: "Float"}.get(type(value), "Any")

    def expressions(self, value: Any, place: str, step: Step | None, enclosing: Enclosing) -> Iterator[Finding]:
        for where, expression in walk(value, place):
            if isinstance(expression, Get):
                yield from self.get(expression, where, step, enclosing)
            elif isinstance(expression, JsonGet):
                yield from self.json_get(expression, where)
            else:
                for index, item in enumerate(expression.values):
                    if not isinstance(item, (*EXPRESSIONS, str, int, float)):
                        yield finding(
                            "SMP511",
                            f"Std:Join joins text, numbers, booleans and expressions, not {item!r}",
                            place=f"{where}.Values[{index}]",
                        )
        for where in _malformed(value, place):
            yield finding("SMP511", "is not a well-formed expression", place=where)

    def get(self, get: Get, place: str, step: Step | None, enclosing: Enclosing) -> Iterator[Finding]:
        try:
            segments = get.segments
        except ValueError as error:
            yield finding("SMP511", str(error), place=place)
            return
        in_loop = any(key == "ForEachBody" for _, key in enclosing)
        if get.scope == "Parameters":
            if len(segments) != 2 or get.name not in self.parameters:
                yield finding(
                    "SMP509",
                    f"there is no parameter {paths.join(segments[1:])!r}; {shapes.nearest(get.name, self.parameters)}",
                    place=place,
                )
        elif get.scope == "Execution":
            if len(segments) != 2 or get.name not in EXECUTION_VARIABLES:
                yield finding(
                    "SMP513", f"there is no {get.path!r}; {shapes.nearest(get.name, EXECUTION_VARIABLES)}", place=place
                )
        elif get.scope == "PipelineExperimentConfig":
            if get.path.partition(".")[2] not in ("ExperimentName", "TrialName") or not self.definition.members.get(
                "PipelineExperimentConfig"
            ):
                yield finding("SMP513", f"{get.path!r} is not set in this definition", place=place)
        elif get.scope == "ForEach":
            if not in_loop or segments[1:2] != ("CurrentItem",):
                yield finding(
                    "SMP513", f"{get.path!r} exists only as ForEach.CurrentItem in a loop's body", place=place
                )
        elif get.scope == "IterationOutput":
            body = _body(step) if step is not None and place.endswith(".Selector.Field") else {}
            if get.name in body and get.members:
                yield from self.property(body[get.name], get, place)
            else:
                yield finding(
                    "SMP513",
                    f"{get.path!r} exists only in a loop's Selector, as IterationOutput.<body step>.<member>",
                    place=place,
                )
        elif get.scope == "Steps":
            yield from self.step_reference(get, place, step, enclosing)
        else:
            yield finding("SMP513", f"there is no {get.path!r}", place=place)

    def step_reference(self, get: Get, place: str, step: Step | None, enclosing: Enclosing) -> Iterator[Finding]:
        if get.name not in self.by_name:
            yield finding(
                "SMP506", f"there is no step {get.name!r}; {shapes.nearest(get.name, self.by_name)}", place=place
            )
            return
        target, outer = self.by_name[get.name]
        if step is not None and target.name == step.name:
            yield finding("SMP508", "the step refers to itself", place=place)
            return
        yield from self.reachable(get.name, outer, enclosing, place)
        if not get.members:
            yield finding("SMP510", f"names no property of {get.name!r}", place=place)
        elif get.members[0] == "PropertyFiles":
            if not place.endswith(".PropertyFile"):
                yield finding("SMP510", "property files are read with Std:JsonGet only", place=place)
        else:
            yield from self.property(target, get, place)

    def property(self, target: Step, get: Get, place: str) -> Iterator[Finding]:
        """Whether a step has the property that a reference names."""
        try:
            target, members = self.source(target, get.members)
            if target.type not in STEP_TYPES:
                return
            kind = shapes.property_type(STEP_TYPES[target.type], members)
        except shapes.PropertyError as error:
            yield finding("SMP510", str(error), place=place)
            return
        if kind in ("structure", "list", "map"):
            yield finding("SMP510", f"{get.path!r} is a {kind}, not a single value", place=place)
        yield from self.named_entry(target, members, place)

    def source(self, step: Step, members: Segments) -> tuple[Step, Segments]:
        """The step whose property a reference reads, and the path there: outputs of a loop are those of its body.

        :raises PropertyError: the loop has no such output.
        """
        if step.type != "ForEach" or members[:1] not in (("IterationOutputs",), ("Selected",)):
            return step, members
        if members[0] == "Selected":
            name, rest = _selected(step), members[1:]
            if not name:
                raise shapes.PropertyError(f"the loop {step.name!r} has no Selector, so nothing is selected")
        elif len(members) > 2 and isinstance(members[1], int):
            name, rest = str(members[2]), members[3:]
        else:
            raise shapes.PropertyError("outputs of a loop are read as IterationOutputs[0].<body step>.<member>")
        if name not in (body := _body(step)):
            raise shapes.PropertyError(f"the loop {step.name!r} has no step {name!r}; {shapes.nearest(name, body)}")
        if not rest:
            raise shapes.PropertyError(f"names no property of {name!r}")
        return body[name], rest

    def named_entry(self, target: Step, members: Segments, place: str) -> Iterator[Finding]:
        """Whether the output or input named in a reference is one the step has."""
        known: set[str] | None = None
        match members:
            case ["OutputParameters", name]:
                known = {item.name for item in target.output_parameters or () if isinstance(item, OutputParameter)}
            case ["ProcessingOutputConfig", "Outputs", str() as name, *_]:
                known = output_names(target)
            case ["ProcessingInputs", str() as name, *_]:
                known = _entry_names(target.arguments.get("ProcessingInputs"), "InputName")
            case _:
                return
        if known is not None and name not in known:
            yield finding(
                "SMP510", f"{target.name!r} has no {name!r} there; {shapes.nearest(str(name), known)}", place=place
            )

    def json_get(self, expression: JsonGet, place: str) -> Iterator[Finding]:
        try:
            if not paths.parse(expression.path):
                yield finding("SMP511", "Path is empty", place=place)
        except ValueError as error:
            yield finding("SMP511", str(error), place=place)
        file = expression.property_file
        if file is None:
            if not isinstance(expression.s3_uri, (Join, str)):
                yield finding("SMP511", "S3Uri is a Std:Join", place=place)
            return
        try:
            members = file.members
        except ValueError:  # reported with the reference itself
            return
        if file.scope != "Steps" or len(members) != 2 or members[0] != "PropertyFiles":
            yield finding("SMP514", f"{file.path!r} is not Steps.<step>.PropertyFiles.<name>", place=place)
        elif file.name in self.by_name:
            target = self.by_name[file.name][0]
            declared = {item.name for item in target.property_files or () if isinstance(item, PropertyFile)}
            if target.type != "Processing":
                yield finding(
                    "SMP514",
                    f"{target.name!r} is {shapes.article(target.type)} step; only Processing steps have property files",
                    place=place,
                )
            elif members[1] not in declared:
                yield finding(
                    "SMP514",
                    f"{target.name!r} declares no property file {str(members[1])!r}; {shapes.nearest(str(members[1]), declared)}",
                    place=place,
                )

    # Step types with arguments of their own

    def condition_step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        place = f"{_at(step.name)}.Arguments"
        yield from _argument_keys(step, ("Conditions", "IfSteps", "ElseSteps"), ())
        conditions = step.arguments.get("Conditions")
        if isinstance(conditions, (list, tuple)):
            if not conditions:
                yield finding("SMP541", "at least one condition is needed", place=f"{place}.Conditions")
            for index, item in enumerate(conditions):
                yield from self.condition(item, f"{place}.Conditions[{index}]")
        else:
            yield finding("SMP541", "must be a list", place=f"{place}.Conditions")
        if any(container.type == "Condition" for container, _ in enclosing):
            yield finding("SMP624", "the condition is inside a branch of another", place=_at(step.name))

    def condition(self, condition: Any, place: str) -> Iterator[Finding]:
        if isinstance(condition, Not):
            yield from self.condition(condition.condition, f"{place}.Condition")
        elif isinstance(condition, Or):
            if not condition.conditions:
                yield finding("SMP541", "Or needs at least one condition", place=place)
            for index, item in enumerate(condition.conditions):
                yield from self.condition(item, f"{place}.Conditions[{index}]")
        elif isinstance(condition, (Comparison, In)):
            operands = (
                [condition.query, *condition.values] if isinstance(condition, In) else [condition.left, condition.right]
            )
            kinds: list[str | None] = []
            for operand in operands:
                given = kind_of(operand) if not isinstance(operand, EXPRESSIONS) else self.type_of(operand)
                if given is None or given in ("structure", "list", "map"):
                    yield finding(
                        "SMP541",
                        f"an operand is text, a number, a boolean or an expression, not {operand!r}",
                        place=place,
                    )
                kinds.append(
                    "Number"
                    if given in ("Integer", "Float")
                    else given
                    if given in TYPES
                    else None
                    if given == "Any"
                    else given
                )
            known = [kind for kind in kinds if kind]
            if isinstance(condition, (Equals, In)):
                bad = next((kind for kind in known[1:] if kind != known[0]), None) if kinds[0] else None
                if bad:
                    yield finding("SMP619", f"{type(condition).__name__} compares {known[0]} with {bad}", place=place)
            elif any(kind != "Number" for kind in known):
                yield finding(
                    "SMP619", f"{type(condition).__name__} compares numbers, not {' and '.join(known)}", place=place
                )
        else:
            kind = condition.get("Type") if isinstance(condition, Mapping) else None
            reason = (
                "has the wrong members"
                if isinstance(kind, str) and kind in CONDITIONS
                else f"Type is one of {', '.join(CONDITIONS)}, not {kind!r}"
            )
            yield finding("SMP541", reason, place=place)

    def fail_step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        yield from _argument_keys(step, ("ErrorMessage",), ())
        yield from _texts(step, "ErrorMessage")
        message = step.arguments.get("ErrorMessage")
        if isinstance(message, str) and len(message) > limits.ERROR_MESSAGE:
            yield finding(
                "SMP524",
                f"has {len(message)} characters, allowed are {limits.ERROR_MESSAGE}",
                place=f"{_at(step.name)}.Arguments.ErrorMessage",
            )

    def flat_arguments(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        for key, value in step.arguments.items():
            if not isinstance(value, (str, int, float, *EXPRESSIONS)):
                yield finding(
                    "SMP523",
                    f"must be text, a number or an expression, not {value!r}; nothing may be nested",
                    place=f"{_at(step.name)}.Arguments.{key}",
                )
        arn = step.members.get("FunctionArn")
        if isinstance(arn, str) and not re.fullmatch(
            r"arn:[a-z\-]+:lambda:[a-z0-9\-]+:\d{12}:function:[A-Za-z0-9\-_]+(:[A-Za-z0-9\-_$]+)?", arn
        ):
            yield finding("SMP524", f"{arn!r} is not the ARN of a function", place=f"{_at(step.name)}.FunctionArn")

    def check_step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        allowed, kind = _CHECK_TYPES[step.type], step.members.get("CheckType")
        if isinstance(kind, str) and kind not in allowed:
            yield finding(
                "SMP524", f"is one of {', '.join(allowed)}, not {kind!r}", place=f"{_at(step.name)}.CheckType"
            )
        for key, wanted in _CHECK_KEYS.items():
            value = step.members.get(key)
            given = (
                self.type_of(value)
                if isinstance(value, EXPRESSIONS)
                else wanted
                if value is None or is_literal(value, wanted)
                else "other"
            )
            if given not in (wanted, "Any"):
                yield finding("SMP523", f"must be {wanted}, not {value!r}", place=f"{_at(step.name)}.{key}")
        baselines = ("ModelPackageGroupName", "SuppliedBaselineConstraints", "SuppliedBaselineStatistics")
        if step.members.get("SkipCheck") is not True and not any(step.members.get(key) for key in baselines):
            if step.members.get("SkipCheck") is False and step.members.get("RegisterNewBaseline") is True:
                yield finding(
                    "SMP563",
                    "a check needs a baseline: a supplied one or a ModelPackageGroupName",
                    place=_at(step.name),
                )

    def emr_step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        place = f"{_at(step.name)}.Arguments"
        yield from _argument_keys(step, ("StepConfig",), ("ClusterId", "ClusterConfig", "ExecutionRoleArn"))
        yield from _texts(step, "ClusterId", "ExecutionRoleArn")
        arguments = step.arguments
        if ("ClusterId" in arguments) == ("ClusterConfig" in arguments):
            yield finding("SMP522", "needs exactly one of ClusterId and ClusterConfig", place=place)
        if "ExecutionRoleArn" in arguments and "ClusterId" not in arguments:
            yield finding("SMP521", "goes with ClusterId only", place=f"{place}.ExecutionRoleArn")
        if "StepConfig" in arguments:
            shape = shapes.named_shape("emr", "StepConfig")
            yield from self.fits(arguments["StepConfig"], shape, f"{place}.StepConfig", frozenset(("Name",)))
            if isinstance(config := arguments["StepConfig"], Mapping) and "Name" in config:
                yield finding("SMP521", "the service names the step", place=f"{place}.StepConfig.Name")
        if "ClusterConfig" in arguments:
            shape = shapes.request_shape("emr", "RunJobFlow")
            yield from self.fits(arguments["ClusterConfig"], shape, f"{place}.ClusterConfig", frozenset(("Name",)))
        if isinstance(cluster := arguments.get("ClusterConfig"), Mapping):
            instances = cluster.get("Instances")
            if isinstance(instances, Mapping):
                if ("InstanceGroups" in instances) == ("InstanceFleets" in instances):
                    yield finding(
                        "SMP522",
                        "needs exactly one of InstanceGroups and InstanceFleets",
                        place=f"{place}.ClusterConfig.Instances",
                    )
                for key in sorted({"KeepJobFlowAliveWhenNoSteps", "TerminationProtected"} & set(instances)):
                    yield finding(
                        "SMP521", "the step manages the cluster's life", place=f"{place}.ClusterConfig.Instances.{key}"
                    )
            for key in sorted({"Name", "Steps", "AutoTerminationPolicy"} & set(cluster)):
                yield finding("SMP521", "the step manages the cluster's life", place=f"{place}.ClusterConfig.{key}")

    def emr_serverless_step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        place = f"{_at(step.name)}.Arguments"
        yield from _argument_keys(step, ("ExecutionRoleArn", "JobConfig"), ("ApplicationId", "ApplicationConfig"))
        yield from _texts(step, "ExecutionRoleArn", "ApplicationId")
        if ("ApplicationId" in step.arguments) == ("ApplicationConfig" in step.arguments):
            yield finding("SMP522", "needs exactly one of ApplicationId and ApplicationConfig", place=place)
        given = frozenset(("clientToken", "applicationId", "executionRoleArn"))
        for key, operation in (("JobConfig", "StartJobRun"), ("ApplicationConfig", "CreateApplication")):
            if key in step.arguments:
                shape = shapes.request_shape("emr-serverless", operation)
                yield from self.fits(step.arguments[key], shape, f"{place}.{key}", given)

    def for_each_step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        place = f"{_at(step.name)}.Arguments"
        yield from _argument_keys(step, ("IterableItems", "MaxConcurrency", "ForEachBody"), ("Selector",))
        items = step.arguments.get("IterableItems")
        if isinstance(items, (list, tuple)):
            if not 1 <= len(items) <= limits.FOR_EACH_ITEMS:
                yield finding(
                    "SMP551",
                    f"has {len(items)} items, allowed are 1 to {limits.FOR_EACH_ITEMS}",
                    place=f"{place}.IterableItems",
                )
            if any(not isinstance(item, (str, int, float, *EXPRESSIONS)) for item in items):
                yield finding(
                    "SMP551", "items are text, numbers, booleans or expressions", place=f"{place}.IterableItems"
                )
        elif not isinstance(items, EXPRESSIONS) or self.type_of(items) not in ("String", "Any"):
            yield finding(
                "SMP551",
                "must be a list or an expression that gives the text of a JSON list",
                place=f"{place}.IterableItems",
            )
        concurrency = step.arguments.get("MaxConcurrency")
        if not is_literal(concurrency, "Integer") or not 1 <= cast("int", concurrency) <= limits.FOR_EACH_CONCURRENCY:
            yield finding(
                "SMP551",
                f"is a number from 1 to {limits.FOR_EACH_CONCURRENCY}, not {concurrency!r}",
                place=f"{place}.MaxConcurrency",
            )
        body = step.branches().get("ForEachBody", ())
        if not body:
            yield finding("SMP551", "needs at least one step", place=f"{place}.ForEachBody")
        for inner in body:
            if inner.type in STEP_TYPES and not STEP_TYPES[inner.type].in_loop:
                yield finding("SMP551", f"{shapes.article(inner.type)} step cannot be in a loop", place=_at(inner.name))
        selector = step.arguments.get("Selector")
        if selector is not None and not (
            isinstance(selector, Mapping)
            and set(selector) == {"Pick", "Field"}
            and selector["Pick"] in ("MaxBy", "MinBy")
            and isinstance(selector["Field"], Get)
        ):
            yield finding(
                "SMP551",
                "has Pick, MaxBy or MinBy, and Field, a reference to IterationOutput",
                place=f"{place}.Selector",
            )

    def lineage_step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        place = f"{_at(step.name)}.Arguments"
        kinds = {"Actions": "CreateAction", "Artifacts": "CreateArtifact", "Contexts": "CreateContext"}
        yield from _argument_keys(step, (), (*kinds, "Associations"))
        if not any(step.arguments.get(key) for key in (*kinds, "Associations")):
            yield finding("SMP522", f"needs at least one of {', '.join((*kinds, 'Associations'))}", place=place)
        for key, operation in kinds.items():
            for index, value in enumerate(_items(step.arguments.get(key))):
                yield from self.fits(value, shapes.request_shape("sagemaker", operation), f"{place}.{key}[{index}]")
        for key in (*kinds, "Associations"):
            if not isinstance(step.arguments.get(key, []), (list, tuple)):
                yield finding("SMP523", "must be a list", place=f"{place}.{key}")
        entities = {
            (kind, value.get(f"{kind}Name"))
            for kind in ("Action", "Artifact", "Context")
            for value in _items(step.arguments.get(f"{kind}s"))
            if isinstance(value, Mapping) and isinstance(value.get(f"{kind}Name"), str)
        }
        for index, value in enumerate(_items(step.arguments.get("Associations"))):
            yield from _association(value, entities, f"{place}.Associations[{index}]")

    def cleanup_step(self, step: Step, enclosing: Enclosing) -> Iterator[Finding]:
        place = f"{_at(step.name)}.Arguments"
        yield from _argument_keys(step, ("Resources",), ())
        if "Resources" not in step.arguments:
            return
        resources = step.arguments.get("Resources")
        sources = resources.get("S3") if isinstance(resources, Mapping) and set(resources) == {"S3"} else None
        if not isinstance(sources, (list, tuple)) or not sources:
            yield finding("SMP523", "has S3, a list of at least one {StepName, S3Uris}", place=f"{place}.Resources")
            return
        for index, source in enumerate(sources):
            where = f"{place}.Resources.S3[{index}]"
            name = source.get("StepName") if isinstance(source, Mapping) else None
            if not isinstance(name, str) or not set(source) <= {"StepName", "S3Uris"}:
                yield finding("SMP523", "has StepName and perhaps S3Uris", place=where)
            elif name not in self.by_name:
                yield finding("SMP506", f"there is no step {name!r}; {shapes.nearest(name, self.by_name)}", place=where)
            elif (kind := self.by_name[name][0].type) in ("Processing", "Transform") and not source.get("S3Uris"):
                yield finding("SMP522", f"{shapes.article(kind)} step needs the S3Uris to delete", place=where)


_OWN_CHECKS: Final[dict[str, Callable[[_Validation, Step, Enclosing], Iterator[Finding]]]] = {
    "Condition": _Validation.condition_step,
    "Fail": _Validation.fail_step,
    "Lambda": _Validation.flat_arguments,
    "Callback": _Validation.flat_arguments,
    "QualityCheck": _Validation.check_step,
    "ClarifyCheck": _Validation.check_step,
    "EMR": _Validation.emr_step,
    "EMRServerless": _Validation.emr_serverless_step,
    "ForEach": _Validation.for_each_step,
    "Lineage": _Validation.lineage_step,
    "Cleanup": _Validation.cleanup_step,
}


def _association(value: Any, entities: set[tuple[str, Any]], place: str) -> Iterator[Finding]:
    ends = {"Source", "Destination"}
    if not isinstance(value, Mapping) or not ends <= set(value) <= {*ends, "AssociationType"}:
        yield finding("SMP523", "has Source, Destination and perhaps AssociationType", place=place)
        return
    for end in sorted(ends):
        entity = value[end]
        if not isinstance(entity, Mapping) or set(entity) not in ({"Arn"}, {"Name", "Type"}):
            yield finding("SMP523", "has Arn, or Name and Type of an entity of this step", place=f"{place}.{end}")
        elif isinstance(entity.get("Name"), str) and isinstance(entity["Type"], str):
            if (entity["Type"], entity["Name"]) not in entities:
                yield finding(
                    "SMP524",
                    f"the step makes no {entity['Type']} {entity['Name']!r}; "
                    f"{shapes.nearest(entity['Name'], {name for _, name in entities})}",
                    place=f"{place}.{end}",
                )


def _body(step: Step) -> dict[str, Step]:
    return {inner.name: inner for inner in step.branches().get("ForEachBody", ())}


def _selected(loop: Step) -> str:
    """Name of the body step that a loop's Selector reads; empty when there is none."""
    selector = loop.arguments.get("Selector")
    field = selector.get("Field") if isinstance(selector, Mapping) else None
    try:
        return field.name if isinstance(field, Get) else ""
    except ValueError:  # reported as a malformed expression
        return ""


def references(step: Step) -> set[str]:
    """Names of the steps that a step's own arguments and members refer to, Cleanup sources included."""
    names: set[str] = set()
    for _, expression in (*walk(step.own_arguments()), *walk(step.members)):
        if isinstance(expression, Get) and expression.scope == "Steps":
            try:
                names.add(expression.name)
            except ValueError:  # reported as a malformed expression
                continue
    if step.type == "Cleanup" and isinstance(resources := step.arguments.get("Resources"), Mapping):
        names |= _entry_names(resources.get("S3"), "StepName") or set()
    return names


def output_names(step: Step) -> set[str] | None:
    """Names of a Processing step's outputs; ``None`` when they are not all known."""
    config = step.arguments.get("ProcessingOutputConfig")
    if config is None:
        return set()
    return _entry_names(config.get("Outputs"), "OutputName") if isinstance(config, Mapping) else None


def _entry_names(entries: Any, key: str) -> set[str] | None:
    if not isinstance(entries, (list, tuple)):
        return None if entries is not None else set()
    names = [entry.get(key) if isinstance(entry, Mapping) else None for entry in entries]
    return {name for name in names if isinstance(name, str)} if all(isinstance(name, str) for name in names) else None


def _malformed(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value)) in ("Get", "Std:Join", "Std:JsonGet"):
            yield place
            return
        for key, item in value.items():
            yield from _malformed(item, f"{place}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _malformed(item, f"{place}[{index}]")


def _argument_keys(step: Step, required: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[Finding]:
    place = f"{_at(step.name)}.Arguments"
    for key in required:
        if key not in step.arguments:
            yield finding("SMP522", "is required", place=f"{place}.{key}")
    for key in step.arguments:
        if key not in required and key not in optional:
            yield finding(
                "SMP521",
                f"is not an argument of {shapes.article(step.type)} step; {shapes.nearest(key, (*required, *optional))}",
                place=f"{place}.{key}",
            )


def _texts(step: Step, *keys: str) -> Iterator[Finding]:
    for key in keys:
        if not isinstance(step.arguments.get(key, ""), (str, *EXPRESSIONS)):
            yield finding("SMP523", "must be text or an expression", place=f"{_at(step.name)}.Arguments.{key}")


def _items(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) else ()


def _below(place: str, path: str) -> str:
    return f"{place}{'' if not path or path.startswith('[') else '.'}{path}"


def _at(name: str) -> str:
    return f"Steps.{name}"
