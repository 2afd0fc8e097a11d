"""IAM statements, and the values of a definition as IAM can say them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple

from sagemaker_provider.definition.expressions import Get, Join, JsonGet, walk
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.definition.model import Parameter, PipelineDefinition

_UNKNOWN: Final = "UNKNOWN-"
"""How placeholders begin."""
_LOCATION: Final = re.compile(
    r"(S3Uris?|S3OutputPath|S3FailurePath|S3Path|ModelDataUrl|SamplePayloadUrl|OutputS3Uri|Jar|entryPoint|logUri"
    r"|SuppliedBaseline(Statistics|Constraints))$"
)


@dataclass(frozen=True)
class Place:
    """Where a pipeline runs."""

    region: str
    account: str
    partition: str = "aws"

    def arn(self, service: str, resource: str, *, region: str | None = None, account: str | None = None) -> str:
        """An ARN, in this place where nothing else is said."""
        where = (self.region if region is None else region, self.account if account is None else account)
        return f"arn:{self.partition}:{service}:{':'.join(where)}:{resource}"


class Statement(NamedTuple):
    """Some actions on some resources.

    :param purpose: the ``Sid``.
    :param condition: (operator, key, values), if it holds on a condition only.
    """

    purpose: str
    actions: tuple[str, ...]
    resource: str
    condition: tuple[str, str, tuple[str, ...]] | None = None


@dataclass
class Patterns:
    """Values of a definition as patterns of IAM, with findings on what they leave open.

    :param definition: the definition.
    :param name: of the pipeline.
    :param place: where it runs.
    :param given: values of parameters, where the defaults are not meant.
    """

    definition: PipelineDefinition
    name: str
    place: Place
    given: Mapping[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters by name."""
        return {item.name: item for item in self.definition.parameters or () if isinstance(item, Parameter)}

    def text(self, value: Any) -> str:
        """A value as a pattern of IAM: ``*`` for what only a run knows."""
        if isinstance(value, Get):
            return self._read(value)
        if isinstance(value, Join):
            return value.on.join(map(self.text, value.values))
        return "*" if isinstance(value, (JsonGet, Mapping, list, tuple)) else _literal(value)

    def _read(self, value: Get) -> str:
        kind, _, name = value.path.partition(".")
        if value.path == "Execution.PipelineName":
            return self.name
        if kind != "Parameters":
            return "*"
        parameter = self.parameters.get(name)
        if name in self.given:
            return _literal(self.given[name])
        if parameter is None or parameter.default_value is None:
            self._note(
                "SMP851", f"the parameter {name!r} has no default, so {_placeholder(name)!r} stands for it", name
            )
            return _placeholder(name)
        self._note("SMP852", f"the parameter {name!r} is taken as {str(parameter.default_value)!r}", name)
        return _literal(parameter.default_value)

    def _note(self, code: str, message: str, name: str) -> None:
        note = finding(code, message, place=f"Parameters.{name}")
        if note not in self.findings:
            self.findings.append(note)

    def arn(self, value: Any, service: str, resource: str) -> str:
        """The ARN that a value is; a name, or what nobody knows, is put into the resource."""
        text = self.text(value)
        return (
            text
            if text.startswith("arn:")
            else self.place.arn(service, resource.format(text), region="" if service == "iam" else None)
        )

    def location(self, place: str, value: Any) -> str | None:
        """The S3 URI that a value is, as a pattern; also one in quotes, as the SDK writes hyperparameters."""
        if not isinstance(value, (str, Get, Join)):
            return None
        known = len(self.findings)
        text = self.text(value)
        if text.startswith('"s3://') and text.endswith('"'):
            text = text[1:-1]
        if is_placeholder(text) and _LOCATION.search(place):
            return f"s3://{text}"
        if text.startswith("s3://") and not text.startswith("s3://*"):
            return text
        del self.findings[known:]  # it is no place
        return None

    def unknown(self, place: str, value: Any, step: str) -> None:
        """Tell of a place or role that is not known, where the member is one."""
        if isinstance(value, (Get, Join)) and (_LOCATION.search(place) or place.lower().endswith("rolearn")):
            note = finding("SMP855", f"{place} is {self.text(value)!r}", place=f"Steps.{step}.Arguments.{place}")
            if note not in self.findings:
                self.findings.append(note)

    def object(self, location: str) -> str:
        """The ARN of the object that an S3 location is."""
        return f"arn:{self.place.partition}:s3:::{location.removeprefix('s3://')}"

    def objects(self, location: str, *, folder: bool = False) -> str:
        """The ARN of the objects below an S3 location, or whose keys begin with it."""
        path = location.removeprefix("s3://")
        if folder or "/" not in path:
            path = f"{path.rstrip('/')}/"
        return f"arn:{self.place.partition}:s3:::{path.rstrip('*')}*"


def queue_arn(url: str, place: Place) -> str:
    """The ARN of a queue from its URL."""
    found = re.fullmatch(r"https://(?:sqs\.([^./]+)|([^./]+)\.queue)\.[^/]+/([^/]+)/([^/]+)", url)
    if found is None:
        return place.arn("sqs", url.rpartition("/")[2])
    return place.arn("sqs", found[4], region=found[1] or found[2], account=found[3])


def passing(role: str, service: str) -> Statement:
    """Handing a role on to a service, which in China may have either of two names."""
    names = (
        (service, f"{service}.cn")
        if role.startswith("arn:aws-cn:") and service != "sagemaker.amazonaws.com"
        else (service,)
    )
    return Statement(f"Pass to {service}", ("iam:PassRole",), role, ("StringEquals", "iam:PassedToService", names))


def is_placeholder(text: str) -> bool:
    """Whether a text stands for what nobody knows."""
    return text.startswith(_UNKNOWN)


def _placeholder(name: str) -> str:
    return f"{_UNKNOWN}{name}"


def _literal(value: Any) -> str:
    """A literal text in which nothing is a wildcard or a variable of IAM."""
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", str(value))


def spellings(name: str) -> list[str]:
    """A name as it is given, and as ARNs of SageMaker have it: in small letters."""
    return list(dict.fromkeys([name, name.lower()]))


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The literals and outermost expressions in arguments, with their members joined by dots."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from leaves(item, place)
    else:
        yield place, value


def steps_of(value: Any, properties: re.Pattern[str] | None = None) -> list[str]:
    """The steps that an expression reads; only those of which it reads certain properties."""
    gets = [item.path for _, item in walk(value) if isinstance(item, Get)]
    paths = [path.split(".", 2) for path in gets if properties is None or properties.search(path.split(".", 2)[-1])]
    return list(dict.fromkeys(path[1] for path in paths if path[0] == "Steps" and len(path) > 1))
