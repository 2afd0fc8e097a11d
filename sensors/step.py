"""One sensor for everything in the step type table, and a class of its own for each kind."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, BaseSensorOperator, PokeReturnValue

from sagemaker_provider.definition.step_types import PIPELINE_EXECUTION, STEP_TYPES, Resource, State, state_of
from sagemaker_provider.hooks.aws import AwsSettings
from sagemaker_provider.hooks.logs import LOG_LINES


class SageMakerStepSensor(AwsSettings, BaseSensorOperator):  # type: ignore[misc]
    """Waits until something that a step creates has ended, and fails unless it ended in success.

    The XCom is the Describe response. ``poke_interval`` and ``timeout`` are Airflow's.

    :param identifiers: members of the Describe request; may hold templates.
    :param deferrable: wait in the triggerer instead of a worker.
    :param log_lines: lines from the end of the job's log in CloudWatch that are shown when it has ended; 0 for none.
    :param aws_conn_id: Airflow connection.
    :param region_name: AWS Region; by default that of the connection.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle.
    :param botocore_config: options of ``botocore.config.Config``.
    """

    kind: ClassVar[str]
    """Step type, or ``PipelineExecution``."""
    template_fields: Sequence[str] = ("identifiers", "aws_conn_id", "region_name")
    ui_color = "#e8f4ec"

    def __init__(
        self,
        *,
        identifiers: dict[str, Any],
        deferrable: bool = True,
        log_lines: int = LOG_LINES,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.set_aws(aws_conn_id, region_name, verify, botocore_config)
        self.identifiers = identifiers
        self.deferrable = deferrable
        self.log_lines = log_lines

    @property
    def resource(self) -> Resource:
        """What is waited for."""
        resource = PIPELINE_EXECUTION if self.kind == "PipelineExecution" else STEP_TYPES[self.kind].resource
        assert resource is not None
        return resource

    def poke(self, context: Any) -> Any:
        """Look once."""
        from sagemaker_provider.hooks.failures import judge

        hook = self.aws_hook(self.resource.service)
        description = hook.describe(self.resource, self.identifiers)
        state, status = state_of(self.resource, description)
        self.log.info("%s: %s", self.identifiers, status)
        if state is State.RUNNING:
            return False
        judge(self, hook, self.resource, self.identifiers, description, self.log_lines)
        return PokeReturnValue(is_done=True, xcom_value=description)

    def execute(self, context: Any) -> Any:
        """Wait here, or in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        if done := self.poke(context):
            return done.xcom_value
        self._defer(time.time() + self.timeout)

    def _defer(self, until: float) -> None:
        """Go on in the triggerer, until a time in seconds since 1970."""
        from sagemaker_provider.triggers.step import SageMakerStepTrigger

        trigger = SageMakerStepTrigger(
            kind=self.kind,
            identifiers=self.identifiers,
            poll_interval=self.poke_interval,
            on_interrupt="leave",
            **self.aws_settings,
        )
        left = timedelta(seconds=max(0.0, until - time.time()))
        self.defer(trigger=trigger, method_name="resume", kwargs={"until": until}, timeout=left)

    def resume(self, context: Any, event: dict[str, Any] | None = None, until: float = 0) -> Any:
        """Go on after the triggerer has seen the end; wait on if the Describe call does not show it yet."""
        if event is None or event.get("error"):
            raise AirflowException(f"waiting for {self.identifiers} failed: {event and event['error']}")
        if done := self.poke(context):
            return done.xcom_value
        self._defer(until)


class _NamedSensor(SageMakerStepSensor):
    """A sensor that knows what it waits for by one name."""

    def __init__(self, *, name: Any, **kwargs: Any) -> None:
        (member,) = self.resource.identifiers
        super().__init__(identifiers={member: name}, **kwargs)


class SageMakerProcessingStepSensor(_NamedSensor):
    """Waits for a processing job. :param name: the job's name."""

    kind = "Processing"


class SageMakerTrainingStepSensor(_NamedSensor):
    """Waits for a training job. :param name: the job's name."""

    kind = "Training"


class SageMakerTuningStepSensor(_NamedSensor):
    """Waits for a hyperparameter tuning job. :param name: the job's name."""

    kind = "Tuning"


class SageMakerAutoMLStepSensor(_NamedSensor):
    """Waits for an Autopilot job. :param name: the job's name."""

    kind = "AutoML"


class SageMakerTransformStepSensor(_NamedSensor):
    """Waits for a batch transform job. :param name: the job's name."""

    kind = "Transform"


class SageMakerRegisterModelStepSensor(_NamedSensor):
    """Waits until a model package is complete. :param name: the package's ARN."""

    kind = "RegisterModel"


class SageMakerEndpointStepSensor(_NamedSensor):
    """Waits until an endpoint is in service. :param name: the endpoint's name."""

    kind = "Endpoint"


class SageMakerInferenceComponentStepSensor(_NamedSensor):
    """Waits until an inference component is in service. :param name: the component's name."""

    kind = "InferenceComponent"


class SageMakerPipelineExecutionSensor(_NamedSensor):
    """Waits for a pipeline execution; stopped and partly failed ones are failures. :param name: the execution's ARN."""

    kind = "PipelineExecution"


class SageMakerEMRStepSensor(SageMakerStepSensor):
    """Waits for a step on an EMR cluster. :param identifiers: ``ClusterId`` and ``StepId``."""

    kind = "EMR"


class SageMakerEMRServerlessStepSensor(SageMakerStepSensor):
    """Waits for a job run of EMR Serverless. :param identifiers: ``applicationId`` and ``jobRunId``."""

    kind = "EMRServerless"
