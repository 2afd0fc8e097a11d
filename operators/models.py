"""Steps that make and deploy models: Model, RegisterModel, EndpointConfig, Endpoint, InferenceComponent."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowException

from sagemaker_provider.definition import shapes
from sagemaker_provider.definition.step_types import State, state_of
from sagemaker_provider.operators.base import Found, SageMakerStepOperator
from sagemaker_provider.operators.names import digest


class SageMakerModelStepOperator(SageMakerStepOperator):
    """Creates a model.

    :param config: CreateModel request. ``ModelName`` is a prefix and may be left out.
    """

    step_type = "Model"


class SageMakerRegisterModelStepOperator(SageMakerStepOperator):
    """Registers a model, with one container or several, as a new version in a model package group.

    Step by step a missing group is created first; whether a pipeline does so is not documented, so create it beforehand.

    :param config: CreateModelPackage request.
    """

    step_type = "RegisterModel"

    def request(self, context: Any, number: int = 1) -> dict[str, Any]:
        """The request, with a token that makes a repeated call for the same package harmless."""
        return {"ClientToken": digest(context, 32, number), **super().request(context, number)}

    def look_up(self, context: Any, number: int, generation: int | None = None) -> Found | None:
        """A package of this task: created now, or the one that its token or its name stands for."""
        from botocore.exceptions import ClientError

        from sagemaker_provider.hooks.step import exists_already

        if generation is not None:
            return None  # what an earlier generation has registered is in service or done; it cannot be stopped
        try:
            identifiers = self.hook.create(self.resource, self.request(context, number))
        except ClientError as error:
            if not (name := self.config.get("ModelPackageName")) or not exists_already(error):
                raise
            identifiers = {"ModelPackageName": name}
        return identifiers, self.hook.describe(self.resource, identifiers)

    def start(self, context: Any) -> dict[str, Any]:
        """Create the group when it is missing, then the package."""
        from botocore.exceptions import ClientError

        from sagemaker_provider.hooks.step import exists_already, is_missing

        group = self.config.get("ModelPackageGroupName")
        if group:
            try:
                self.hook.call("DescribeModelPackageGroup", {"ModelPackageGroupName": group})
            except ClientError as error:
                if not is_missing(error):
                    raise
                self.log.info("Creating the model package group %s", group)
                try:
                    self.hook.call("CreateModelPackageGroup", {"ModelPackageGroupName": group})
                except ClientError as race:  # another task was faster
                    if not exists_already(race):
                        raise
        return super().start(context)


class SageMakerEndpointConfigStepOperator(SageMakerStepOperator):
    """Creates an endpoint configuration.

    The name is taken as it is, and a second configuration of the same name is refused: make it unique for each run, for
    example ``Join("-", ["churn", ExecutionVariable("PipelineExecutionId")])``.

    :param config: CreateEndpointConfig request.
    """

    step_type = "EndpointConfig"

    def look_up(self, context: Any, number: int, generation: int | None = None) -> Found | None:
        """An equal configuration of this name, which an earlier try or somebody else has left.

        :raises AirflowException: there is another configuration of this name; names the first difference.
        """
        request = self.request(context)
        identifiers = {"EndpointConfigName": request["EndpointConfigName"]}
        existing = self.hook.find(self.resource, identifiers)
        if existing is None:
            return None
        wanted = {key: value for key, value in request.items() if key != "Tags"}
        if difference := _difference(existing, wanted):
            raise AirflowException(
                f"{self.task_id}: there is another endpoint configuration {request['EndpointConfigName']!r}: {difference}; make the name "
                "unique for each run, for example with ExecutionVariable('PipelineExecutionId')"
            )
        return identifiers, existing


class _CreateOrUpdateOperator(SageMakerStepOperator):
    """A resource that is created when its name is new and updated when it exists."""

    unchanged: tuple[str, ...] = ()
    """Members that, when all are as requested, make an update of a resource in service needless."""

    def start(self, context: Any) -> dict[str, Any]:
        """Create or update, unless it is already as requested or becoming so."""
        from botocore.exceptions import ClientError

        from sagemaker_provider.hooks.step import exists_already, label, reason_of

        request, resource = self.request(context), self.resource
        identifiers = {member: request[path] for member, path in resource.identifiers.items()}
        current = self.hook.find(resource, identifiers)
        if current is None:
            self.log.info("Creating %s", identifiers)
            try:
                return self.hook.create(resource, request)  # type: ignore[no-any-return]
            except ClientError as error:
                if not exists_already(error):
                    raise
                current = self.hook.describe(resource, identifiers)  # an answer was lost
        becoming = current.get("PendingDeploymentSummary") or current
        as_wanted = self.unchanged and all(becoming.get(member) == request.get(member) for member in self.unchanged)
        if as_wanted and state_of(resource, current)[0] in (State.SUCCEEDED, State.RUNNING):
            self.log.info("%s is as requested already, or being changed", identifiers)
            return identifiers
        self._await_end(identifiers, current)
        current = self.hook.describe(resource, identifiers)
        if state_of(resource, current)[0] is State.FAILED:
            raise AirflowException(
                f"{self.task_id}: {label(identifiers)} has failed and can only be deleted; delete it first:"
                f" {reason_of(resource, current)}"
            )
        assert resource.update is not None
        members = shapes.request_shape(resource.service, resource.update).members
        self.log.info("Updating %s", identifiers)
        self.hook.call(resource.update, {key: value for key, value in request.items() if key in members})
        return identifiers

    def finish(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """The description.

        :raises AirflowException: it is in service as it was before, since the service has rolled the update back.
        """
        for member in self.unchanged:
            if description.get(member) != (wanted := self.config[member]):
                raise AirflowException(
                    f"{self.task_id}: the update was rolled back, {member} is {description.get(member)!r}, not {wanted!r}"
                )
        return description


class SageMakerEndpointStepOperator(_CreateOrUpdateOperator):
    """Creates an endpoint, or updates the one of this name, and waits until it is in service.

    :param config: CreateEndpoint request.
    """

    step_type = "Endpoint"
    unchanged = ("EndpointConfigName",)


class SageMakerInferenceComponentStepOperator(_CreateOrUpdateOperator):
    """Creates an inference component, or updates the one of this name, and waits until it is in service.

    :param config: CreateInferenceComponent request.
    """

    step_type = "InferenceComponent"


def _difference(described: Any, wanted: Any, place: str = "") -> str | None:
    """The first place where a description has not what was requested; the service adds members of its own."""
    if isinstance(wanted, dict) and isinstance(described, dict):
        pairs = [(described.get(key), value, f"{place}.{key}".lstrip(".")) for key, value in wanted.items()]
    elif isinstance(wanted, list) and isinstance(described, list) and len(described) == len(wanted):
        pairs = [(have, want, f"{place}[{i}]") for i, (have, want) in enumerate(zip(described, wanted, strict=True))]
    else:
        return None if described == wanted else f"{place} is {described!r}, not {wanted!r}"
    return next((found for pair in pairs if (found := _difference(*pair))), None)
