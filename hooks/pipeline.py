"""Pipelines and their executions: deploy, start, look, stop, resume, delete."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.exceptions import ClientError

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.model import PipelineDefinition
from sagemaker_provider.definition.parameters import write
from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, State, state_of
from sagemaker_provider.hooks.deployment import (
    OWNER_TAG,
    UPDATED,
    Deployment,
    Pipeline,
    PipelineError,
    Plan,
    changes_to,
    creation_of,
    owned_by_another,
    parallelism,
    request_for,
    require_valid,
    tags_of,
)
from sagemaker_provider.hooks.executions import METRICS, not_resumable, require_startable, require_success
from sagemaker_provider.hooks.step import exists_already, is_missing, json_safe

INLINE_CHARACTERS: Final = 100 * 1024
"""Definitions above this length go through S3, as AWS's SDK does it, where a place in S3 is given."""


class SageMakerPipelineHook(AwsBaseHook):  # type: ignore[misc]
    """Deploys pipelines and runs their executions. Source of service facts: the SageMaker API reference.

    :param kwargs: see ``AwsBaseHook``: ``aws_conn_id``, ``region_name``, ``verify``, ``config``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "client_type": "sagemaker"})

    # Pipelines

    def find(self, name: str, *, version: int | None = None, alias: str | None = None) -> dict[str, Any] | None:
        """The Describe response of a pipeline, as JSON; ``None`` where there is none.

        :param name: name or ARN.
        :param version: number of a version; by default the latest.
        :param alias: alias of a version.
        """
        try:
            return self._call("describe_pipeline", PipelineName=name, **_version(version, alias))
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    def find_or_fail(self, name: str, *, version: int | None = None, alias: str | None = None) -> dict[str, Any]:
        """As :meth:`find`.

        :raises PipelineError: there is no such pipeline or version.
        """
        found = self.find(name, version=version, alias=alias)
        if found is None:
            what = f" with the version {version or alias}" if version or alias else ""
            raise PipelineError(f"there is no pipeline {name!r}{what} in {self.conn_region_name}")
        return found

    def arn(self, name: str) -> str:
        """The ARN of a pipeline, whether it is there or not."""
        found = self.find(name)
        if found is not None:
            return str(found["PipelineArn"])
        return f"arn:{self.conn_partition}:sagemaker:{self.conn_region_name}:{self.account_id}:pipeline/{name}"

    def pipelines(self, prefix: str | None = None) -> list[dict[str, Any]]:
        """Summaries of the pipelines of the account, by name.

        :param prefix: how their names begin.
        """
        wanted = {"PipelineNamePrefix": prefix} if prefix else {}
        return self._all("list_pipelines", "PipelineSummaries", SortBy="Name", SortOrder="Ascending", **wanted)

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of a pipeline."""
        return {item["Key"]: item["Value"] for item in self._all("list_tags", "Tags", ResourceArn=arn)}

    def versions(self, name: str) -> list[dict[str, Any]]:
        """The versions of a pipeline, the latest first."""
        return self._all(
            "list_pipeline_versions", "PipelineVersionSummaries", PipelineName=name, SortOrder="Descending"
        )

    def plan(self, pipeline: Pipeline) -> Plan:
        """What :meth:`deploy` would do; only reads.

        :raises PipelineError: the definition is not valid, or there is no role to create the pipeline with.
        """
        require_valid(pipeline)
        current = self.find(pipeline.name)
        if current is None:
            return creation_of(pipeline)
        return changes_to(pipeline, current, self.tags(current["PipelineArn"]), self.versions(pipeline.name))

    def deploy(self, pipeline: Pipeline, *, force: bool = False) -> Deployment:
        """Create a pipeline, or update what is different.

        :param force: take over a pipeline that another has deployed.
        :raises PipelineError: see :meth:`plan` and :meth:`carry_out`.
        """
        return self.carry_out(self.plan(pipeline), force=force)

    def carry_out(self, plan: Plan, *, force: bool = False) -> Deployment:
        """Do what a plan says.

        Definition, role, description and parallelism are one call; tags and aliases follow. When one of these fails, the
        same deployment again does what is left.

        :param force: take over a pipeline that another has deployed.
        :raises PipelineError: the pipeline belongs to another, or was changed by another since the plan was made.
        """
        pipeline = plan.pipeline
        if not force:
            plan.require_owner()
        if plan.arn is None:
            return self._create(plan)
        if not plan.changes:
            return Deployment(pipeline.name, plan.arn, "unchanged", plan.version)
        version = plan.version
        updated = [name for name in UPDATED if plan.touches(name)]
        if updated:
            version = self._update(plan, updated)
        self._tag(plan)
        self._set_aliases(pipeline, plan.arn, version)
        return Deployment(pipeline.name, plan.arn, "updated", version, plan.changes)

    def _create(self, plan: Plan) -> Deployment:
        pipeline = plan.pipeline
        request = {**request_for(pipeline, ("RoleArn", *UPDATED)), "ClientRequestToken": uuid.uuid4().hex}
        request["Tags"] = [{"Key": key, "Value": value} for key, value in sorted(tags_of(pipeline).items())]
        if pipeline.aliases:
            request["PipelineVersionAliases"] = list(pipeline.aliases)
        try:
            arn = self._call("create_pipeline", **request, **self._definition(pipeline))["PipelineArn"]
        except ClientError as error:
            if not (exists_already(error) or "must be unique" in str(error)):
                raise
            now = self.plan(pipeline)
            if now.arn and not now.changes and not now.refusal:
                return Deployment(pipeline.name, now.arn, "unchanged", now.version)
            raise PipelineError(
                f"pipeline {pipeline.name!r} was created by another deployment at the same time"
            ) from None
        return Deployment(pipeline.name, arn, "created", 1, plan.changes)

    def _update(self, plan: Plan, members: Sequence[str]) -> int | None:
        """Update in one call; the number of the version that is the latest then."""
        pipeline = plan.pipeline
        request = request_for(pipeline, members)
        if "Definition" not in members:
            self._call("update_pipeline", **request)
            return plan.version
        meanwhile = f"pipeline {pipeline.name!r} was changed by another deployment at the same time"
        location = self._definition(pipeline)
        latest = next(iter(self.versions(pipeline.name)), {}).get("PipelineVersionId")
        if latest != plan.version:
            raise PipelineError(f"{meanwhile}, to version {latest}; nothing is changed by this one")
        version = self._call("update_pipeline", **request, **location).get("PipelineVersionId")
        if version is not None and plan.version is not None and version > plan.version + 1:
            raise PipelineError(
                f"{meanwhile}: version {version} of this one came after version {version - 1} of the other and is the "
                "latest; deploy again what is meant"
            )
        return int(version) if version is not None else None

    def _definition(self, pipeline: Pipeline) -> dict[str, Any]:
        """The members of a request that hold the definition; a large one is put into S3 first, called after its content."""
        text = pipeline.definition
        if len(text) <= INLINE_CHARACTERS or (pipeline.location is None and len(text) <= limits.DEFINITION_CHARACTERS):
            return {"PipelineDefinition": text}
        if pipeline.location is None:
            raise PipelineError(
                f"the definition of {pipeline.name!r} has {len(text)} characters; above {limits.DEFINITION_CHARACTERS} it "
                "goes through S3, for which a place is needed"
            )
        bucket, _, prefix = pipeline.location.removeprefix("s3://").partition("/")
        key = f"{prefix.strip('/')}/definitions/{hashlib.sha256(text.encode()).hexdigest()}.json".lstrip("/")
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
        return {"PipelineDefinitionS3Location": {"Bucket": bucket, "ObjectKey": key}}

    def _tag(self, plan: Plan) -> None:
        changed = [(item.place[1], item.new) for item in plan.changes if item.place[0] == "Tags"]
        if added := [{"Key": key, "Value": value} for key, value in changed if value is not None]:
            self._call("add_tags", ResourceArn=plan.arn, Tags=added)
        if removed := [key for key, value in changed if value is None]:
            self._call("delete_tags", ResourceArn=plan.arn, TagKeys=removed)

    def _set_aliases(self, pipeline: Pipeline, arn: str, version: int | None) -> None:
        """Give the aliases to a version. An alias must be taken from its version before another can have it."""
        if not pipeline.aliases:
            return
        holder = {
            alias: item["PipelineVersionId"]
            for item in self.versions(pipeline.name)
            for alias in item.get("PipelineVersionAliases", ())
        }
        moved = [alias for alias in pipeline.aliases if holder.get(alias) != version]
        for old in sorted({holder[alias] for alias in moved if alias in holder}):
            names = [alias for alias in moved if holder.get(alias) == old]
            self._change_aliases(arn, old, "Remove", names)
        if moved:
            self._change_aliases(arn, version, "Add", moved)

    def _change_aliases(self, arn: str, version: int | None, operation: str, names: list[str]) -> None:
        operations = {"PipelineVersionAliasOperations": {operation: names}}
        self._call("update_pipeline_version", PipelineArn=arn, PipelineVersionId=version, **operations)

    def delete(self, name: str, *, owner: str | None = None, force: bool = False) -> None:
        """Delete a pipeline with all its versions and executions.

        :param owner: who deployed it; by default the pipeline name.
        :param force: delete what another has deployed.
        :raises PipelineError: there is none, another has deployed it, or executions are running.
        """
        found = self.find_or_fail(name)
        tagged = self.tags(found["PipelineArn"]).get(OWNER_TAG)
        if not force and tagged != (owner or name):
            raise PipelineError(owned_by_another(name, tagged, owner or name))
        self._call("delete_pipeline", PipelineName=name, ClientRequestToken=uuid.uuid4().hex)

    # Executions

    def start(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        display_name: str | None = None,
        description: str | None = None,
        max_parallel_steps: int | None = None,
        version: int | None = None,
        alias: str | None = None,
        steps: Iterable[str] = (),
        source_execution: str | None = None,
    ) -> str:
        """Start an execution.

        :param name: pipeline name or ARN.
        :param parameters: values, of their types or as text; ``None`` for one that is not given.
        :param token: the same text starts one execution however often this is called; by default each call starts one.
        :param display_name: of the execution.
        :param description: of the execution.
        :param max_parallel_steps: how many steps run at once.
        :param version: number of a version; by default the latest.
        :param alias: alias of a version.
        :param steps: run these steps only.
        :param source_execution: ARN of the execution whose results the steps read that are before ``steps``.
        :return: ARN of the execution.
        :raises PipelineError: there is no such pipeline, or a parameter or step does not fit; all reasons at once.
        """
        steps = list(steps)
        described = self.find_or_fail(name, version=version, alias=alias)
        given = {key: value for key, value in (parameters or {}).items() if value is not None}
        if text := described.get("PipelineDefinition"):  # pipelines that AWS manages have none
            require_startable(name, PipelineDefinition.from_json(text), given, steps, source_execution)
        request: dict[str, Any] = {
            "PipelineName": name,
            "ClientRequestToken": request_token("start", name, token) if token else uuid.uuid4().hex,
            "PipelineParameters": [{"Name": key, "Value": write(value)} for key, value in given.items()],
            "PipelineExecutionDisplayName": display_name,
            "PipelineExecutionDescription": description,
            **parallelism(max_parallel_steps),
            **_version(version, alias),
        }
        if chosen := [{"StepName": step} for step in steps]:
            source = {"SourcePipelineExecutionArn": source_execution} if source_execution else {}
            request["SelectiveExecutionConfig"] = {**source, "SelectedSteps": chosen}
        request = {key: value for key, value in request.items() if value is not None}
        return str(self._call("start_pipeline_execution", **request)["PipelineExecutionArn"])

    def describe(self, execution: str) -> dict[str, Any]:
        """The Describe response of an execution (an ARN), as JSON."""
        return self._call("describe_pipeline_execution", PipelineExecutionArn=execution)

    def steps(self, execution: str) -> list[dict[str, Any]]:
        """The steps of an execution (an ARN) that have started, in that order, as ListPipelineExecutionSteps has them."""
        return self._all(
            "list_pipeline_execution_steps",
            "PipelineExecutionSteps",
            PipelineExecutionArn=execution,
            SortOrder="Ascending",
        )

    def parameters(self, execution: str) -> dict[str, str]:
        """The parameters of an execution (an ARN): name -> value as text."""
        found = self._all(
            "list_pipeline_parameters_for_execution", "PipelineParameters", PipelineExecutionArn=execution
        )
        return {item["Name"]: item["Value"] for item in found}

    def definition(self, execution: str) -> PipelineDefinition:
        """The definition that an execution (an ARN) runs."""
        answer = self._call("describe_pipeline_definition_for_execution", PipelineExecutionArn=execution)
        return PipelineDefinition.from_json(answer["PipelineDefinition"])

    def metrics(self, steps: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
        """The last metrics of training and tuning steps: name of the step -> name of the metric -> value.

        :param steps: see :meth:`steps`.
        """
        found: dict[str, dict[str, float]] = {}
        for step in steps:
            for kind, (operation, member, values) in METRICS.items():
                arn = step.get("Metadata", {}).get(kind, {}).get("Arn")
                described = self._call(operation, **{member: arn.rpartition("/")[2]}) if arn else {}
                if listed := values(described):
                    found[step["StepName"]] = {item["MetricName"]: item["Value"] for item in listed}
        return found

    def executions(self, name: str, *, limit: int | None = None) -> list[dict[str, Any]]:
        """Summaries of the executions of a pipeline, the latest first.

        :param limit: how many.
        """
        return self._all(
            "list_pipeline_executions",
            "PipelineExecutionSummaries",
            limit,
            PipelineName=name,
            SortBy="CreationTime",
            SortOrder="Descending",
        )

    def stop(self, execution: str) -> bool:
        """Ask the service to stop an execution (an ARN).

        :return: whether it was asked; not, when the execution has ended.
        """
        if state_of(PIPELINE_EXECUTION, self.describe(execution))[0] is not State.RUNNING:
            return False
        try:
            self._call("stop_pipeline_execution", PipelineExecutionArn=execution, ClientRequestToken=uuid.uuid4().hex)
        except ClientError as error:
            if error.response["Error"].get("Code") != "ConflictException":
                raise
            return False
        return True

    def resume(self, execution: str, *, token: str | None = None, max_parallel_steps: int | None = None) -> None:
        """Let an execution (an ARN) go on from the steps that failed or were stopped.

        :param token: the same text resumes once; by default one made of the execution and of when it ended, so that
            several callers who saw the same failure resume it once.
        :param max_parallel_steps: how many steps run at once.
        :raises PipelineError: the service cannot; the message says why.
        """
        described = self.describe(execution)
        if reason := not_resumable(described, self.steps(execution)):
            raise PipelineError(f"execution {execution} cannot be resumed: {reason}")
        self._call(
            "retry_pipeline_execution",
            PipelineExecutionArn=execution,
            ClientRequestToken=request_token("retry", execution, token or str(described.get("LastModifiedTime"))),
            **parallelism(max_parallel_steps),
        )

    # Calls

    def client(self, service: str) -> Any:
        """A boto3 client of another service, with the settings of this hook."""
        settings = {"region_name": self._region_name, "verify": self._verify, "config": self._config}
        return AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type=service, **settings).conn

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        response = getattr(self.conn, operation)(**request)
        response.pop("ResponseMetadata", None)
        return json_safe(response)  # type: ignore[no-any-return]

    def _all(self, operation: str, member: str, limit: int | None = None, /, **request: Any) -> list[dict[str, Any]]:
        """The entries of all pages of a list."""
        pages = self.conn.get_paginator(operation).paginate(**request, PaginationConfig={"MaxItems": limit})
        return [json_safe(item) for page in pages for item in page.get(member, ())]


def request_token(*parts: str) -> str:
    """A ClientRequestToken, 64 characters, that is the same for the same texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _version(version: int | None, alias: str | None) -> dict[str, Any]:
    chosen = {"PipelineVersionId": version, "PipelineVersionAlias": alias}
    return {key: value for key, value in chosen.items() if value is not None}


__all__ = [
    "OWNER_TAG",
    "Deployment",
    "Pipeline",
    "PipelineError",
    "Plan",
    "SageMakerPipelineHook",
    "not_resumable",
    "request_token",
    "require_success",
]
