"""The life of a step when it runs as an Airflow task: render, create, wait, describe, stop."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, BaseOperator
from jinja2 import Undefined

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.model import CacheConfig, PropertyFile, RetryPolicy
from sagemaker_provider.definition.step_types import STEP_TYPES, Resource, State, StepType, state_of
from sagemaker_provider.hooks.aws import AwsSettings
from sagemaker_provider.operators.links import LINK_KEY, SageMakerConsoleLink, console_url, has_page
from sagemaker_provider.operators.names import job_name
from sagemaker_provider.operators.references import Reference, has_properties, kind_of_property
from sagemaker_provider.operators.rendering import lone_expression

_NAME_LENGTHS = {"HyperParameterTuningJobName": 32, "AutoMLJobName": 32}


class SageMakerStepOperator(AwsSettings, BaseOperator):  # type: ignore[misc]
    """Base of all step operators. A step operator runs its step in Airflow, and converts to a step of a pipeline.

    The XCom of the task is the Describe response of what the step created, as JSON, so that references read the same
    path step by step and in a pipeline.

    :param config: the request of the API operation that the step stands for, as the AWS API documents it.
        May hold templates, references and :class:`~sagemaker_provider.operators.references.Join`.
    :param step_name: name of the step in a pipeline; by default made from the task id.
    :param display_name: name shown in Studio; by default the task id where it differs from the step name.
    :param description: text shown in Studio.
    :param cache: reuse of an earlier run of the step; a pipeline only.
    :param retry_policies: retries of service faults; a pipeline only. Airflow's ``retries`` do this step by step.
    :param deferrable: wait in the triggerer; otherwise in the worker.
    :param poll_interval: seconds between two looks at what the step created.
    :param aws_conn_id: Airflow connection.
    :param region_name: AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param botocore_config: options of ``botocore.config.Config``.
    """

    step_type: ClassVar[str]
    template_fields: Sequence[str] = ("config", "aws_conn_id", "region_name")
    template_fields_renderers: ClassVar[dict[str, str]] = {"config": "json"}
    ui_color = "#e8f4ec"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step_type" in vars(cls):
            cls.operator_extra_links = (SageMakerConsoleLink(),) if has_page(cls.step_type) else ()

    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        step_name: str | None = None,
        display_name: str | None = None,
        description: str | None = None,
        cache: CacheConfig | None = None,
        retry_policies: Sequence[RetryPolicy] = (),
        deferrable: bool = True,
        poll_interval: float = 30,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.set_aws(aws_conn_id, region_name, verify, botocore_config)
        self.config = config if config is not None else {}
        self.step_name = step_name
        self.display_name = display_name
        self.description = description
        self.cache = cache
        self.retry_policies = tuple(retry_policies)
        self.deferrable = deferrable
        self.poll_interval = poll_interval

    # What the step is

    @property
    def row(self) -> StepType:
        """The row of the step type table."""
        return STEP_TYPES[self.step_type]

    @property
    def resource(self) -> Resource:
        """What the step creates."""
        resource = self.row.resource
        assert resource is not None, f"a {self.step_type} step creates no resource"
        return resource

    @property
    def properties(self) -> Reference:
        """Reference to the properties of the step, for the arguments of downstream steps.

        :raises AttributeError: steps of this type have no properties.
        """
        if not has_properties(self.step_type):
            raise AttributeError(f"a {self.step_type} step has no properties")
        return Reference(self)

    def check_property(self, segments: tuple[paths.Segment, ...]) -> None:
        """Raise :class:`AttributeError` with the nearest names unless the step can have the property."""
        from sagemaker_provider.definition.shapes import PropertyError

        try:
            kind_of_property(self.row, segments)
        except PropertyError as error:
            raise AttributeError(f"{self.task_id}: {error}") from None

    def property_file(self, name: str) -> PropertyFile:
        """One of the step's property files; :class:`ValueError` when there is none of this name."""
        raise ValueError(f"{self.task_id}: a {self.step_type} step has no property files")

    def step_arguments(self) -> dict[str, Any]:
        """``Arguments`` of the step in a definition, with templates and references still in them."""
        return dict(self.config)

    def step_members(self) -> dict[str, Any]:
        """Keys that only steps of this type have, with templates and references still in them."""
        return {}

    # Running

    def render_template(self, content: Any, context: Any, jinja_env: Any = None, seen_oids: Any = None) -> Any:
        """Render as Airflow does, except that a text that is one ``{{ expression }}`` keeps the expression's type.

        So ``"{{ params.count }}"`` is a number if the param is one, as it is in a pipeline.
        """
        if isinstance(content, str) and (expression := lone_expression(content)):
            environment = jinja_env or self.get_template_env()
            value = environment.compile_expression(expression, undefined_to_none=False)(**context)
            if isinstance(value, datetime):
                return str(value)
            if not isinstance(value, Undefined):  # Airflow's own rendering says what is undefined
                return value
        return super().render_template(content, context, jinja_env, seen_oids)

    def request(self, context: Any) -> dict[str, Any]:
        """The create request: the rendered config, typed, with the job's name.

        :raises AirflowException: a rendered text cannot be read as the type the API wants; names the place.
        """
        request = self.typed(self.config)
        name = self.resource.name
        if self.row.auto_named and name and name != "ModelPackageName":
            request[name] = job_name(
                context, str(request.get(name) or self.step_name or self.task_id), _NAME_LENGTHS.get(name, 63)
            )
        return request

    def typed(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A rendered config with the types of the API's request."""
        from sagemaker_provider.definition.shapes import coerce, request_shape

        assert self.row.shape is not None
        try:
            return coerce(config, request_shape(*self.row.shape))  # type: ignore[no-any-return]
        except ValueError as error:
            raise AirflowException(f"{self.task_id}: config.{error}") from None

    @cached_property
    def hook(self) -> Any:
        """The hook of the service that runs the step."""
        return self.aws_hook(self.resource.service)

    def execute(self, context: Any) -> Any:
        """Create what the step creates, and wait for it."""
        return self.wait_for(context, self.start(context))

    def start(self, context: Any) -> dict[str, Any]:
        """Create the resource, or take up the one that this very try of the task has created before.

        :return: its identifiers.
        """
        from botocore.exceptions import ClientError

        from sagemaker_provider.hooks.step import exists_already

        request = self.request(context)
        resource = self.resource
        known = {member: request[path] for member, path in resource.identifiers.items() if path in request}
        named = len(known) == len(resource.identifiers)
        if named and self.hook.find(resource, known) is not None:
            self.log.info("Found %s, which an earlier run of this try has created", known)
            return known
        try:
            identifiers: dict[str, Any] = self.hook.create(resource, request)
        except ClientError as error:
            if not named or not exists_already(error):
                raise
            identifiers = known
        self.log.info("Created %s", identifiers)
        return identifiers

    def wait_for(self, context: Any, identifiers: dict[str, Any]) -> Any:
        """Wait for a resource: in the triggerer or here. Returns the result of :meth:`finish`."""
        self.running = identifiers
        if url := console_url(identifiers, self.hook.conn_region_name, self.hook.conn_partition):
            context["ti"].xcom_push(key=LINK_KEY, value=url)
        description = self.hook.describe(self.resource, identifiers)
        if self.resource.waitable and state_of(self.resource, description)[0] is State.RUNNING:
            if self.deferrable:
                self.defer_for(self.step_type, identifiers, "resume")
            description = self.hook.wait(self.resource, identifiers, self.poll_interval)
        return self.end(context, identifiers, description)

    def defer_for(self, kind: str, identifiers: dict[str, Any], method: str) -> None:
        """Leave the worker until a resource has ended; then ``method`` is called with the event."""
        from sagemaker_provider.triggers.step import SageMakerStepTrigger

        deadline = time.time() + self.execution_timeout.total_seconds() if self.execution_timeout else None
        trigger = SageMakerStepTrigger(
            kind=kind,
            identifiers=identifiers,
            poll_interval=self.poll_interval,
            deadline=deadline,
            **self.aws_settings,
        )
        self.defer(trigger=trigger, method_name=method)

    def resume(self, context: Any, event: dict[str, Any] | None = None) -> Any:
        """Go on after the triggerer has seen the resource end."""
        identifiers = check_event(event)["identifiers"]
        self.running = identifiers
        return self.end(context, identifiers, self.hook.describe(self.resource, identifiers))

    def end(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """Judge a resource that has ended, and give the task's result."""
        from sagemaker_provider.hooks.step import ended_well

        if self.resource.waitable:
            ended_well(self.resource, description)
        return self.finish(context, identifiers, description)

    def finish(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """The task's XCom, from the Describe response of a resource that ended well."""
        return description

    running: dict[str, Any] | None = None

    def on_kill(self) -> None:
        """Stop what the task has created and is waiting for."""
        if self.running and self.hook.stop(self.resource, self.running):
            self.log.info("Asked the service to stop %s", self.running)


def check_event(event: dict[str, Any] | None) -> dict[str, Any]:
    """The event of a trigger; :class:`AirflowException` for that of one that could not go on."""
    if event is None:
        raise AirflowException("the trigger fired without an event")
    if error := event.get("error"):
        raise AirflowException(f"waiting for {event.get('identifiers')} failed: {error}")
    return event
