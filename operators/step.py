"""What a step is when it is an Airflow task: its arguments, its references, its create request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowException, BaseOperator

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.model import CacheConfig, PropertyFile, RetryPolicy
from sagemaker_provider.definition.step_types import STEP_TYPES, Resource, StepType
from sagemaker_provider.hooks.aws import AwsSettings
from sagemaker_provider.hooks.logs import LOG_LINES
from sagemaker_provider.operators.links import links_of
from sagemaker_provider.operators.names import job_name
from sagemaker_provider.operators.references import Reference, has_properties, kind_of_property
from sagemaker_provider.operators.rendering import TypedTemplates

_NAME_LENGTHS = {"HyperParameterTuningJobName": 32, "AutoMLJobName": 32}


class StepDescription(TypedTemplates, AwsSettings, BaseOperator):  # type: ignore[misc]
    """What all step operators say of their steps; :class:`~sagemaker_provider.operators.base.SageMakerStepOperator` runs them.

    :param config: the request of the API operation that the step stands for, as the AWS API documents it.
        May hold templates, references and :class:`~sagemaker_provider.operators.references.Join`.
    :param step_name: name of the step in a pipeline; by default made from the task id.
    :param display_name: name shown in Studio; by default the task id where it differs from the step name.
    :param description: text shown in Studio.
    :param cache: reuse of an earlier run of the step; a pipeline only.
    :param retry_policies: retries of service faults; a pipeline only. Airflow's ``retries`` do this step by step.
    :param deferrable: wait in the triggerer; otherwise in the worker.
    :param poll_interval: seconds between two looks at what the step created.
    :param on_interrupt: what becomes of the job when the task is killed, cleared, marked or timed out while the job runs:
        ``stop``, or ``leave`` it running for the next try to take up. A job whose worker dies is taken up in either case.
    :param retry_budget: how long a try waits, in all, for failures to pass that pass by themselves: throttling, internal
        errors of the service, missing capacity, quotas in use.
    :param log_lines: lines from the end of the job's log in CloudWatch that are shown when it has ended; 0 for none.
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
            cls.operator_extra_links = links_of(cls.step_type)

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
        on_interrupt: Literal["stop", "leave"] = "stop",
        retry_budget: timedelta = timedelta(minutes=30),
        log_lines: int = LOG_LINES,
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
        if on_interrupt not in ("stop", "leave"):
            raise ValueError(f"{self.task_id}: on_interrupt is 'stop' or 'leave', not {on_interrupt!r}")
        self.on_interrupt = on_interrupt
        if not isinstance(retry_budget, timedelta) or retry_budget < timedelta(0):
            raise ValueError(f"{self.task_id}: retry_budget is a timedelta of zero or more, not {retry_budget!r}")
        self.retry_budget = retry_budget
        self.log_lines = log_lines

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

    def request(self, context: Any, number: int = 1) -> dict[str, Any]:
        """The create request: the rendered config, typed, with the job's name.

        :param number: which job of the task it is; see :mod:`sagemaker_provider.operators.attempts`.
        :raises AirflowException: a rendered text cannot be read as the type the API wants; names the place.
        """
        return {**self.typed(self.step_arguments()), **self.name_of(context, number)}

    def name_of(self, context: Any, number: int, generation: int | None = None) -> dict[str, str]:
        """The member of the create request that names a job of this task; none where the task does not name it."""
        member = self.resource.name
        if not self.row.auto_named or member is None or member == "ModelPackageName":
            return {}
        prefix = str(self.step_arguments().get(member) or self.step_name or self.task_id)
        return {member: job_name(context, prefix, _NAME_LENGTHS.get(member, 63), number, generation)}

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
