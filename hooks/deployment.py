"""What a pipeline should be, and what has to change for it. Only values: the calls are in :mod:`.pipeline`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from airflow.providers.common.compat.sdk import AirflowException

from sagemaker_provider.definition.comparison import Change, changes, differences
from sagemaker_provider.definition.model import DefinitionError, PipelineDefinition

OWNER_TAG: Final = "airflow:deployed_by"
"""Tag of a pipeline with the owner of its deployment: another one does not change or delete it."""

_OWN_TAGS: Final = "airflow:"
"""Tags that begin so are ours: those that a deployment does not want are removed. Other tags are left alone."""

UPDATED: Final = (
    "Definition",
    "RoleArn",
    "PipelineDescription",
    "PipelineDisplayName",
    "ParallelismConfiguration",
)
"""What one UpdatePipeline call changes."""


class PipelineError(AirflowException):  # type: ignore[misc]
    """A pipeline or execution is not as the call needs it. The message says all that is wrong."""


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as it should be. What is ``None`` or empty is left as it is.

    :param name: pipeline name.
    :param definition: JSON text.
    :param owner: who deploys it, for example a DAG id or a repository; by default the pipeline name.
    :param role: ARN of the role with which it runs; needed to create it.
    :param description: text, at most 3072 characters.
    :param display_name: name shown in Studio.
    :param tags: key -> value.
    :param max_parallel_steps: how many steps of an execution run at once.
    :param aliases: names for the version that has this definition.
    :param location: S3 URI of a folder for large definitions.
    """

    name: str
    definition: str
    owner: str | None = None
    role: str | None = None
    description: str | None = None
    display_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    max_parallel_steps: int | None = None
    aliases: tuple[str, ...] = ()
    location: str | None = None

    @property
    def owned_by(self) -> str:
        """The owner, as the tag has it."""
        return self.owner or self.name


@dataclass(frozen=True)
class Plan:
    """What a deployment would do.

    :param pipeline: as it should be.
    :param arn: of the pipeline that is there; ``None`` where there is none.
    :param version: its latest version; ``None`` where there is none.
    :param changes: what becomes different: members of the definition below ``Definition``, of the request beside it.
    :param kept: members that the pipeline has and the deployment does not name, so that they stay.
    :param refusal: why the deployment would be refused without ``force``; ``None`` where it would not.
    """

    pipeline: Pipeline
    arn: str | None
    version: int | None
    changes: tuple[Change, ...]
    kept: Mapping[str, Any] = field(default_factory=dict)
    refusal: str | None = None

    def require_owner(self) -> None:
        """Raise :class:`PipelineError` where the deployment would be refused without ``force``."""
        if self.refusal:
            raise PipelineError(self.refusal)

    def touches(self, member: str) -> bool:
        """Whether a member of the request becomes different."""
        return any(change.place[0] == member for change in self.changes)


@dataclass(frozen=True)
class Deployment:
    """What a deployment did.

    :param version: number of the version that holds the definition.
    :param changes: see :class:`Plan`.
    """

    name: str
    arn: str
    action: Literal["created", "updated", "unchanged"]
    version: int | None
    changes: tuple[Change, ...] = ()


def creation_of(pipeline: Pipeline) -> Plan:
    """What is to be done where there is no pipeline of the name.

    :raises PipelineError: there is no role to create it with.
    """
    if not pipeline.role:
        raise PipelineError(f"pipeline {pipeline.name!r} is new: a role is needed to create it")
    return Plan(pipeline, None, None, (*_of_definition(None, pipeline), *differences({}, members(pipeline, {}))))


def changes_to(
    pipeline: Pipeline,
    current: Mapping[str, Any],
    tags: Mapping[str, str],
    versions: Sequence[Mapping[str, Any]],
) -> Plan:
    """What is to be done where there is a pipeline of the name.

    :param current: its Describe response.
    :param tags: its tags.
    :param versions: its versions, the latest first.
    """
    aliases = {alias for item in versions[:1] for alias in item.get("PipelineVersionAliases", ())}
    before: dict[str, Any] = {
        "RoleArn": current.get("RoleArn"),
        "PipelineDescription": current.get("PipelineDescription"),
        "PipelineDisplayName": current.get("PipelineDisplayName"),
        "ParallelismConfiguration": current.get("ParallelismConfiguration"),
        "Tags": {key: value for key, value in tags.items() if key in pipeline.tags or key.startswith(_OWN_TAGS)},
        "PipelineVersionAliases": {alias: {} for alias in sorted(aliases & set(pipeline.aliases))} or None,
    }
    named = members(pipeline, {})
    owner = tags.get(OWNER_TAG)
    return Plan(
        pipeline,
        current["PipelineArn"],
        versions[0]["PipelineVersionId"] if versions else None,
        (*_of_definition(current.get("PipelineDefinition"), pipeline), *differences(before, members(pipeline, before))),
        {key: value for key, value in before.items() if value is not None and named[key] is None},
        None if owner == pipeline.owned_by else owned_by_another(pipeline.name, owner, pipeline.owned_by),
    )


def _of_definition(old: str | None, pipeline: Pipeline) -> list[Change]:
    return [Change(("Definition", *item.place), item.old, item.new) for item in changes(old, pipeline.definition)]


def require_valid(pipeline: Pipeline) -> None:
    """Raise :class:`PipelineError` unless the definition can be read."""
    try:
        PipelineDefinition.from_json(pipeline.definition)
    except DefinitionError as error:
        raise PipelineError(f"the definition of {pipeline.name!r} is not valid: {error}") from None


def tags_of(pipeline: Pipeline) -> dict[str, str]:
    """All tags of a deployment, that of the owner too."""
    return {**pipeline.tags, OWNER_TAG: pipeline.owned_by}


def members(pipeline: Pipeline, before: Mapping[str, Any]) -> dict[str, Any]:
    """The members of the request beside the definition as they should be; those left alone as they are."""
    return {
        "RoleArn": pipeline.role or before.get("RoleArn"),
        "PipelineDescription": pipeline.description or before.get("PipelineDescription"),
        "PipelineDisplayName": pipeline.display_name or before.get("PipelineDisplayName"),
        "ParallelismConfiguration": parallelism(pipeline.max_parallel_steps).get(
            "ParallelismConfiguration", before.get("ParallelismConfiguration")
        ),
        "Tags": tags_of(pipeline),
        "PipelineVersionAliases": {alias: {} for alias in pipeline.aliases} or None,
    }


def request_for(pipeline: Pipeline, names: Iterable[str]) -> dict[str, Any]:
    """A request of CreatePipeline or UpdatePipeline with some members, without the definition."""
    values = members(pipeline, {})
    chosen = {name: values[name] for name in names if values.get(name) is not None}
    return {"PipelineName": pipeline.name, **chosen}


def parallelism(steps: int | None) -> dict[str, Any]:
    """The member of a request that limits how many steps run at once; none where there is no limit."""
    return {} if steps is None else {"ParallelismConfiguration": {"MaxParallelExecutionSteps": steps}}


def owned_by_another(name: str, owner: str | None, wanted: str) -> str:
    """Why a pipeline is not touched."""
    who = f"{owner!r} deployed it" if owner else f"it was not deployed by this tool (it has no tag {OWNER_TAG})"
    return f"pipeline {name!r} is not of {wanted!r}: {who}; force takes it over"
