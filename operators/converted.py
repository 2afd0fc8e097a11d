"""What a conversion leaves for a deployment: three files beside each other, and where their contents go.

``<name>.pipeline.json`` is the definition, ``<name>.assets/`` are the files that steps need, and ``<name>.deploy.json`` is what
does not belong into a definition: the members of the CreatePipeline request, schedules, and the templates of date parameters.
Only the first is needed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sagemaker_provider.definition import DefinitionError, Get, Join, PipelineDefinition, shapes
from sagemaker_provider.definition.expressions import decode
from sagemaker_provider.operators.names import pipeline_name

if TYPE_CHECKING:
    from sagemaker_provider.definition.findings import Finding
    from sagemaker_provider.hooks.pipeline import Deployment, Pipeline, Plan, SageMakerPipelineHook

_Read = TypeVar("_Read")

DEFINITION, DEPLOY, ASSETS = ".pipeline.json", ".deploy.json", ".assets"
"""How the names of the three end."""

FUNCTIONS: Final = "functions/"
"""Assets below are CloudFormation templates and their code, which no step reads."""

DAG_TAG: Final = "airflow:dag_id"


@dataclass(frozen=True)
class Converted:
    """A converted DAG, or the definition of someone else.

    :param name: pipeline name.
    :param definition: JSON text.
    :param request: members of a CreatePipeline request: ``PipelineDescription``, ``Tags``, ``ParallelismConfiguration``, ``RoleArn``.
    :param assets: relative path -> content.
    :param schedules: requests to EventBridge Scheduler, whose ``Target`` lacks ``Arn`` and ``RoleArn``.
    :param date_parameters: parameters that are dates: name -> template.
    """

    name: str
    definition: str
    request: Mapping[str, Any] = field(default_factory=dict)
    assets: Mapping[str, bytes] = field(default_factory=dict)
    schedules: Sequence[Mapping[str, Any]] = ()
    date_parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, pipeline: Mapping[str, Any], definition: str, *rest: Any) -> Converted:
        """What a conversion has made.

        :param pipeline: members of the CreatePipeline request, ``PipelineName`` among them.
        :param rest: assets, schedules and date parameters.
        """
        request = {key: value for key, value in pipeline.items() if key != "PipelineName"}
        return cls(pipeline["PipelineName"], definition, request, *rest)

    @property
    def dag_id(self) -> str | None:
        """The DAG it was made from, where it was made from one."""
        return self.tags.get(DAG_TAG)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of the request."""
        return {item["Key"]: item["Value"] for item in self.request.get("Tags", ())}

    @property
    def functions(self) -> list[str]:
        """The CloudFormation templates of the functions that its steps call."""
        return sorted(name for name in self.assets if name.startswith(FUNCTIONS) and name.endswith(".yaml"))

    def folder(self, places: Iterable[str]) -> str | None:
        """The code location, from the place of the first of the assets; ``None`` where there are no places.

        :param places: S3 URIs, see :func:`asset_places`.
        """
        return next(
            (uri.removesuffix(f"/{name}") for uri in places for name in self.assets if uri.endswith(f"/{name}")), None
        )

    def pipeline(self, *, owner: str | None = None, role: str | None = None, **members: Any) -> Pipeline:
        """The pipeline to be deployed.

        :param owner: by default the DAG id.
        :param role: by default that of the request.
        :param members: further ones of :class:`~sagemaker_provider.hooks.pipeline.Pipeline`, which go before those of the DAG.
        """
        from sagemaker_provider.hooks.pipeline import Pipeline

        limit = self.request.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
        found = {
            "name": self.name,
            "definition": self.definition,
            "owner": owner or self.dag_id,
            "role": role or self.request.get("RoleArn"),
            "description": self.request.get("PipelineDescription"),
            "tags": self.tags,
            "max_parallel_steps": limit,
        }
        return Pipeline(**{**found, **{key: value for key, value in members.items() if value is not None}})

    def deploy_json(self) -> str:
        """The text of ``<name>.deploy.json``."""
        data = {
            "pipeline": {"PipelineName": self.name, **self.request},
            "schedules": list(self.schedules),
            "date_parameters": dict(self.date_parameters),
        }
        return json.dumps(data, indent=2, sort_keys=True)


def read_converted(path: Path, name: str | None = None) -> Converted:
    """What belongs to a definition file.

    :param path: ``<name>.pipeline.json``, or another file with a definition.
    :param name: pipeline name; by default that of ``<name>.deploy.json``, else that of the file.
    :raises ValueError: a file cannot be read or is not of its form; the message begins with its name.
    """
    stem = path.name.removesuffix(DEFINITION).removesuffix(".json")
    definition = _read(path, _definition_text)
    beside, folder = path.with_name(f"{stem}{DEPLOY}"), path.with_name(f"{stem}{ASSETS}")
    told = _read(beside, _deploy_members) if beside.exists() else {}
    request = dict(told.get("pipeline", {}))
    own = request.pop("PipelineName", None)
    return Converted(
        name or own or pipeline_name(stem),
        definition,
        request,
        {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        },
        told.get("schedules", ()),
        told.get("date_parameters", {}),
    )


def _read(path: Path, become: Callable[[str], _Read]) -> _Read:
    try:
        return become(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8 text") from None
    except (DefinitionError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _definition_text(text: str) -> str:
    PipelineDefinition.from_json(text)
    return text


def _deploy_members(text: str) -> dict[str, Any]:
    data = json.loads(text)
    forms = {"pipeline": dict, "schedules": list, "date_parameters": dict}
    if not isinstance(data, dict) or not all(isinstance(data.get(key, kind()), kind) for key, kind in forms.items()):
        raise ValueError("is not what a conversion writes: an object with pipeline, schedules and date_parameters")
    shape = shapes.request_shape("sagemaker", "CreatePipeline")
    wrong = [item for item in shapes.mismatches(data.get("pipeline", {}), shape, "pipeline") if item.kind != "missing"]
    for number, request in enumerate(data.get("schedules", ())):
        wrong += _not_scheduled(request, f"schedules[{number}]")
    problems = [f"{item.place}: {item.message}" for item in wrong]
    problems += [
        f"date_parameters.{name}: {value!r} is no template"
        for name, value in data.get("date_parameters", {}).items()
        if not isinstance(value, str)
    ]
    if problems:
        raise ValueError("; ".join(problems))
    return data


def _not_scheduled(request: Any, place: str) -> Iterator[shapes.Mismatch]:
    """What keeps an entry of ``schedules`` from being a request of CreateSchedule without ``Target.Arn`` and ``RoleArn``."""
    shape = shapes.request_shape("scheduler", "CreateSchedule")
    optional = frozenset([f"{place}.Target.Arn", f"{place}.Target.RoleArn"])
    dates = ("StartDate", "EndDate")  # text here
    plain = {key: value for key, value in request.items() if key not in dates} if isinstance(request, dict) else request
    return shapes.mismatches(plain, shape, place, optional)


def owner_by_name(name: str, tagged: str | None) -> str | None:
    """The owner of a pipeline of which only the name is given: its tag, if that is the DAG id with this pipeline name.

    :param tagged: what the tag says.
    """
    return tagged if tagged and pipeline_name(tagged) == name else None


# Assets


def asset_places(converted: Converted, code_location: str | None = None) -> dict[str, bytes]:
    """Where the assets go that steps read.

    A step reads an asset, or a folder of them, below the setting ``code_location``; the place is found in the definition,
    because tasks may have settings of their own.

    :param code_location: S3 URI of the folder where the definition has a parameter for it.
    :return: S3 URI -> content.
    :raises ValueError: the definition does not say where an asset is read, and ``code_location`` is not given.
    """
    wanted = {name: content for name, content in converted.assets.items() if not name.startswith(FUNCTIONS)}
    if not wanted:
        return {}
    data = json.loads(converted.definition)
    defaults = {item["Name"]: item.get("DefaultValue") for item in data.get("Parameters") or ()}
    texts = set(_texts(decode(data.get("Steps")), defaults, code_location))
    found: dict[str, bytes] = {}
    homeless = []
    for name, content in wanted.items():
        folders = [name, *(parent.as_posix() for parent in PurePosixPath(name).parents if parent.name)]
        places = {text.removesuffix(f"/{part}") for part in folders for text in texts if text.endswith(f"/{part}")}
        if not places:
            homeless.append(name)
        found |= {f"{place}/{name}": content for place in places}
    if homeless:
        raise ValueError(
            f"pipeline {converted.name!r}: nothing says where in S3 {', '.join(homeless[:3])} "
            f"{'and others are' if homeless[3:] else 'is'} read; give the code location"
        )
    return found


def _texts(value: Any, defaults: Mapping[str, Any], code_location: str | None) -> Iterator[str]:
    """The texts ``s3://...`` in a value; a parameter has its default, and one without has the code location."""
    if isinstance(value, Join):
        parts = [
            (defaults.get(part.name) or code_location) if isinstance(part, Get) and part.scope == "Parameters" else part
            for part in value.values
        ]
        if all(isinstance(part, str) for part in parts):
            yield from _texts(value.on.join(str(part) for part in parts), defaults, code_location)
    elif isinstance(value, str):
        if value.startswith("s3://"):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item, defaults, code_location)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, defaults, code_location)


def upload(places: Mapping[str, bytes], s3: Any) -> list[str]:
    """Put files into S3, but for those that are there with the same content.

    :param places: S3 URI -> content, see :func:`asset_places`.
    :param s3: boto3 client.
    :return: the URIs that were put.
    """
    put = []
    present: dict[str, dict[str, str]] = {}
    for uri, content in sorted(places.items()):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        folder = uri.rpartition("/")[0]
        if folder not in present:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key.rpartition("/")[0] + "/")
            present[folder] = {
                item["Key"]: item["ETag"].strip('"') for page in pages for item in page.get("Contents", ())
            }
        # The ETag of an object that was put in one part is its MD5 digest, except with some kinds of encryption.
        if present[folder].get(key) != hashlib.md5(content, usedforsecurity=False).hexdigest():
            s3.put_object(Bucket=bucket, Key=key, Body=content)
            put.append(uri)
    return put


def require_no_error(what: str, findings: Iterable[Finding], log: logging.Logger) -> None:
    """Log what a conversion has found.

    :param what: what was converted.
    :raises ValueError: there are errors; names them all.
    """
    wrong = []
    for item in findings:
        log.log(_LEVELS[item.severity.value], "%s", item)
        wrong += [str(item)] if item.severity.value == "error" else []
    if wrong:
        raise ValueError(f"{what} cannot be a pipeline: {'; '.join(wrong)}")


_LEVELS: Final = {"error": logging.ERROR, "difference": logging.INFO, "note": logging.DEBUG}


def carry_out(
    hook: SageMakerPipelineHook,
    plan: Plan,
    places: Mapping[str, bytes],
    *,
    force: bool = False,
    log: logging.Logger | None = None,
) -> tuple[Deployment, list[str]]:
    """Do what a plan says, after what its steps read was put into S3.

    :param places: see :func:`asset_places`.
    :param force: take over a pipeline that another has deployed.
    :param log: is told what was done.
    :return: what was done, and the URIs that were put.
    :raises PipelineError: see :meth:`SageMakerPipelineHook.carry_out`; nothing is put for a plan that is refused.
    """
    if not force:
        plan.require_owner()
    uploaded = upload(places, hook.client("s3")) if places else []
    done = hook.carry_out(plan, force=force)
    if log is not None:
        for uri in uploaded:
            log.info("Put %s", uri)
        for change in done.changes:
            log.info("Changed: %s", ".".join(change.place))
        log.info("Pipeline %s: %s, version %s", done.name, done.action, done.version)
    return done, uploaded
