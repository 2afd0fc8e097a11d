"""Steps that keep records and tidy up: Lineage and Cleanup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException

from sagemaker_provider.definition.cleanup import outputs_of, outside
from sagemaker_provider.operators.base import SageMakerStepOperator
from sagemaker_provider.operators.references import Reference, ResolveMixin, resolved  # type: ignore[attr-defined]

_ENTITIES = {
    "Actions": ("Action", "CreateAction", "DescribeAction"),
    "Artifacts": ("Artifact", "CreateArtifact", None),
    "Contexts": ("Context", "CreateContext", "DescribeContext"),
}


class SageMakerLineageStepOperator(SageMakerStepOperator):
    """Records actions, artifacts, contexts and the associations between them.

    :param config: ``Actions``, ``Artifacts`` and ``Contexts``, lists of the requests that create them, and
        ``Associations``, a list of ``Source``, ``Destination`` (each ``Name`` and ``Type`` of an entity of this step, or
        an ``Arn``) and ``AssociationType``.
    """

    step_type = "Lineage"

    @property
    def hook(self) -> Any:  # type: ignore[override]
        """The hook of SageMaker."""
        return self.aws_hook("sagemaker")

    def execute(self, context: Any) -> Any:
        """Create the entities, then the associations. What exists already is taken as it is."""
        hook = self.hook
        arns: dict[tuple[str, str], str] = {}
        for key, (kind, create, describe) in _ENTITIES.items():
            for request in self.config.get(key, ()):
                name = request.get(f"{kind}Name", "")
                arns[kind, name] = self._entity(hook, kind, name, create, describe, request)
        associations = []
        for item in self.config.get("Associations", ()):
            ends = [self._arn(item[end], arns) for end in ("Source", "Destination")]
            request = {"SourceArn": ends[0], "DestinationArn": ends[1]}
            if "AssociationType" in item:
                request["AssociationType"] = item["AssociationType"]
            associations.append(hook.call("AddAssociation", request))
        by_kind = {
            kind: {name: arn for (of, name), arn in arns.items() if of == kind} for kind, *_ in _ENTITIES.values()
        }
        return {**{f"{kind}Arns": found for kind, found in by_kind.items() if found}, "Associations": associations}

    def _entity(
        self, hook: Any, kind: str, name: str, create: str, describe: str | None, request: dict[str, Any]
    ) -> str:
        from botocore.exceptions import ClientError

        from sagemaker_provider.hooks.step import exists_already

        try:
            return str(hook.call(create, request)[f"{kind}Arn"])
        except ClientError as error:
            if describe is None or not exists_already(error):
                raise
            return str(hook.call(describe, {f"{kind}Name": name})[f"{kind}Arn"])

    def _arn(self, end: dict[str, Any], arns: dict[tuple[str, str], str]) -> str:
        if "Arn" in end:
            return str(end["Arn"])
        try:
            return arns[end["Type"], end["Name"]]
        except KeyError:
            raise AirflowException(f"{self.task_id}: {end} is no entity of this step") from None


class CleanupSource(ResolveMixin):  # type: ignore[misc]
    """What a Cleanup step deletes of one upstream step.

    :param step: the upstream step operator: Training, Processing or Transform.
    :param s3_uris: S3 URIs of objects of that step's outputs; left out for Training, where the whole output goes.
    """

    def __init__(self, step: SageMakerStepOperator, s3_uris: Sequence[Any] = ()) -> None:
        if step.step_type in ("Processing", "Transform") and not s3_uris:
            raise ValueError(f"cleaning up {step.task_id}: name the S3 URIs to delete")
        if step.step_type not in ("Training", "Processing", "Transform"):
            raise ValueError(f"cleaning up {step.task_id}: a {step.step_type} step leaves nothing in S3")
        self.step = step
        self.s3_uris = list(s3_uris)

    def __repr__(self) -> str:
        return f"CleanupSource({self.step.task_id!r}, {self.s3_uris!r})"

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """The step must have ended."""
        yield self.step, "return_value"

    def resolve(self, context: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The step, what is to be deleted, and where its outputs are."""
        description = Reference(self.step).resolve(context)
        outputs = outputs_of(description)
        return {"StepName": self.step.task_id, "S3Uris": resolved(self.s3_uris, context), "Outputs": outputs}


class SageMakerCleanupStepOperator(SageMakerStepOperator):
    """Deletes outputs of upstream steps from S3. Nothing outside the outputs of the named steps is deleted.

    :param sources: what to delete.
    """

    step_type = "Cleanup"
    template_fields: Sequence[str] = ("sources", "aws_conn_id", "region_name")

    def __init__(self, *, sources: Sequence[CleanupSource], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sources: list[Any] = list(sources)
        if not self.sources:
            raise ValueError(f"{self.task_id}: at least one source is needed")

    def step_arguments(self) -> dict[str, Any]:
        """The sources; the compiler puts the step's name in the place of the operator."""
        return {"Resources": {"S3": self.sources}}

    def execute(self, context: Any) -> Any:
        """Delete, and report what was deleted of each step."""
        hook = self.aws_hook("s3")
        cleaned = []
        for source in self.sources:
            uris = source["S3Uris"] or source["Outputs"]
            if others := outside(uris, source["Outputs"]):
                raise AirflowException(
                    f"{self.task_id}: not among the outputs of {source['StepName']}: {', '.join(others)}; nothing was deleted of it"
                )
            count = 0
            for uri in uris:
                bucket, _, key = uri.removeprefix("s3://").partition("/")
                keys = (
                    [
                        item["Key"]
                        for page in hook.conn.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
                        for item in page.get("Contents", ())
                    ]
                    if uri.endswith("/")
                    else [key]
                )
                for start in range(0, len(keys), 1000):
                    objects = [{"Key": item} for item in keys[start : start + 1000]]
                    answer = hook.conn.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
                    if answer.get("Errors"):
                        raise AirflowException(f"{self.task_id}: {answer['Errors'][0]}")
                count += len(keys)
            self.log.info("Deleted %d objects of %s", count, source["StepName"])
            cleaned.append({"StepName": source["StepName"], "DeletedObjects": count})
        return {"CleanedSteps": cleaned}
