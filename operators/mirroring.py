"""Tasks that stand for steps of a pipeline execution: each waits for its own step, and ends as the step does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    BaseOperator,
    redact,
)

from sagemaker_provider.definition.step_types import (
    PIPELINE_EXECUTION,
    STEP_TYPES,
    Resource,
    State,
    state_of,
)
from sagemaker_provider.hooks.console import resource_url
from sagemaker_provider.hooks.logs import LOG_LINES
from sagemaker_provider.operators.base import SageMakerStepOperator, check_event
from sagemaker_provider.operators.links import leave_links

if TYPE_CHECKING:
    from sagemaker_provider.operators.task_group import SageMakerPipelineLaunchOperator

_BAD: Final = (State.FAILED, State.STOPPED)


class Mirror(BaseOperator):  # type: ignore[misc]
    """What a task of a :class:`~sagemaker_provider.operators.task_group.SageMakerPipelineTaskGroup` does in its own place.

    :func:`mirroring` makes, of this and the class of a task, the class that the task has in the group: while the group
    runs as a pipeline, this class decides; otherwise the task's own.
    """

    launch_id: ClassVar[str]
    """The task that starts the pipeline."""

    _waiting: tuple[Any, str] | None = None
    _deferred = False
    """Context of the task, and the execution that it waits for in the worker."""

    @property
    def launch(self) -> SageMakerPipelineLaunchOperator:
        """The task that starts the pipeline."""
        return self.dag.get_task(self.launch_id)  # type: ignore[no-any-return]

    def update_relative(self, other: Any, upstream: bool = True, edge_modifier: Any = None) -> None:
        """Let the pipeline start after a task outside the group that comes before this one."""
        super().update_relative(other, upstream, edge_modifier)
        if upstream:
            self.launch.follow(other)

    def set_upstream(self, task_or_task_list: Any, edge_modifier: Any = None) -> None:
        """As above, where this task is on the left."""
        super().set_upstream(task_or_task_list, edge_modifier)
        given = task_or_task_list if isinstance(task_or_task_list, Sequence) else [task_or_task_list]
        for other in given:
            self.launch.follow(other)

    # Running

    def render_template(self, content: Any, context: Any, jinja_env: Any = None, seen_oids: Any = None) -> Any:
        """Templates are rendered where the task runs itself; a pipeline has its values from elsewhere."""
        if self.launch.runs_pipeline(context):
            return content
        return super().render_template(content, context, jinja_env, seen_oids)

    def execute(self, context: Any) -> Any:
        """Mirror the step of the task, or run the task itself."""
        if not self.launch.runs_pipeline(context):
            return super().execute(context)
        return self._mirror(context)

    def _mirror(self, context: Any) -> Any:
        launched = self.launch.launched(context)
        steps = launched["tasks"].get(self.task_id)
        if steps is None:
            self.log.info("The task is no step of the pipeline")
            return None
        if steps[0].get("outcome"):
            return self._result(context, [(steps[0], {"Metadata": {"Condition": {"Outcome": steps[0]["outcome"]}}})])
        steps = _of_instance(steps, context["ti"].map_index)
        return self._wait(context, steps, *self._take_up(context, launched, steps))

    def _wait(self, context: Any, steps: list[dict[str, Any]], arn: str, told: list[str], may_resume: bool) -> Any:
        """Wait for the steps of the task, in the triggerer or here.

        :param arn: the execution.
        :param told: end times of runs of the steps that ended badly before this try.
        :param may_resume: whether this try may let the execution go on when it ends badly without the steps.
        """
        from sagemaker_provider.triggers.execution_step import ended

        self._waiting = context, arn
        self.log.info("Waiting for %s of %s", ", ".join(item["names"][0] for item in steps), arn)
        hook, launch = self.launch.hook, self.launch
        while True:
            state = state_of(PIPELINE_EXECUTION, hook.describe(arn))[0]
            if state is not State.RUNNING or ended(hook.steps(arn), steps, told):
                return self._judge(context, steps, arn, told, may_resume)
            if launch.deferrable:
                self._defer(context, steps, arn, told, may_resume)
            time.sleep(launch.poll_interval)

    def _defer(self, context: Any, steps: list[dict[str, Any]], arn: str, told: list[str], may_resume: bool) -> None:
        from sagemaker_provider.triggers.execution_step import SageMakerExecutionStepTrigger

        limit = self.execution_timeout
        trigger = SageMakerExecutionStepTrigger(
            execution=arn,
            steps=[{key: value for key, value in item.items() if key in ("names", "index")} for item in steps],
            told=told,
            poll_interval=self.launch.poll_interval,
            deadline=(context["ti"].start_date + limit).timestamp() if limit else None,
            **self.launch.aws_settings,
        )
        self._deferred = True
        self.defer(trigger=trigger, method_name="step_ended", kwargs={"told": told, "may_resume": may_resume})

    def step_ended(
        self, context: Any, event: dict[str, Any] | None = None, told: Sequence[str] = (), may_resume: bool = False
    ) -> Any:
        """Go on after the triggerer has seen that the step or the execution has ended; without its event, look again."""
        if event is None:  # Airflow 2.11 may lose the event
            return self._mirror(context)
        arn = check_event(event)["identifiers"]["PipelineExecutionArn"]
        steps = _of_instance(self.launch.launched(context)["tasks"][self.task_id], context["ti"].map_index)
        return self._judge(context, steps, arn, list(told), may_resume)

    def _take_up(
        self, context: Any, launched: dict[str, Any], steps: list[dict[str, Any]]
    ) -> tuple[str, list[str], bool]:
        """The execution to wait for: a try after the first one lets one that has ended badly go on.

        :return: see :meth:`_wait`.
        """
        from sagemaker_provider.triggers.execution_step import row_of, step_state

        hook = self.launch.hook
        arn = launched["PipelineExecutionArn"]
        if state_of(PIPELINE_EXECUTION, hook.describe(arn))[0] in _BAD:
            arn = self.launch.latest(launched)
        if context["ti"].try_number <= 1:
            return arn, [], False
        rows = [row for item in steps if (row := row_of(hook.steps(arn), item)) is not None]
        told = [str(row.get("EndTime")) for row in rows if step_state(row) in _BAD]
        state = self._settled(arn)
        if state in _BAD and (told or len(rows) < len(steps)):
            return self._go_on(arn), told, False
        return arn, told, True

    def _settled(self, arn: str) -> State:
        """The state of an execution, after its stop if it is being stopped."""
        while True:
            state, status = state_of(PIPELINE_EXECUTION, self.launch.hook.describe(arn))
            if status != "Stopping":
                return state
            self.log.info("%s is being stopped; waiting for that", arn)
            time.sleep(min(self.launch.poll_interval, 10))

    def _go_on(self, arn: str) -> str:
        """Let an execution that has ended badly go on, or start a new one where the service cannot; its ARN."""
        from botocore.exceptions import ClientError

        from sagemaker_provider.hooks.pipeline import PipelineError

        hook = self.launch.hook
        try:
            hook.resume(arn)
        except (PipelineError, ClientError) as error:
            if state_of(PIPELINE_EXECUTION, hook.describe(arn))[0] is State.RUNNING:
                self.log.info("%s was resumed by another task", arn)
                return arn
            if isinstance(error, ClientError):
                raise
            new = self.launch.restart(arn)
            self.log.info("%s; a new execution is started instead: %s", error, new)
            return new
        self.log.info("%s had ended badly and is resumed", arn)
        return arn

    def _judge(self, context: Any, steps: list[dict[str, Any]], arn: str, told: list[str], may_resume: bool) -> Any:
        """The task's result or failure, once its steps or the execution have ended."""
        from sagemaker_provider.triggers.execution_step import row_of, step_state

        hook = self.launch.hook
        rows = hook.steps(arn)
        own = [(item, row) for item in steps if (row := row_of(rows, item)) is not None]
        for item, row in own:
            self._log_step(row)
            if step_state(row) in _BAD and str(row.get("EndTime")) not in told:
                self._fail(context, item, row)
        if sum(step_state(row) is State.SUCCEEDED for _, row in own) == len(steps):
            return self._result(context, own)
        state = self._settled(arn)
        if state is State.RUNNING:  # another task has resumed it meanwhile
            return self._wait(context, steps, arn, told, may_resume)
        if may_resume and state in _BAD:
            return self._wait(context, steps, self._go_on(arn), told, False)
        return self._not_started(arn, hook.describe(arn), rows)

    def _fail(self, context: Any, item: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Raise for a step that ended badly, with what the job that it ran says of itself."""
        from sagemaker_provider.hooks.failures import judge
        from sagemaker_provider.hooks.step import SageMakerStepError
        from sagemaker_provider.operators.results import made

        reason = row.get("FailureReason") or "the service gives no reason"
        text = f"the step {row['StepName']!r} ended as {row['StepStatus']}: {redact(reason)}"
        if item["type"] == "Fail":
            raise AirflowFailException(text)
        kind, identifiers = STEP_TYPES[item["type"]], made(item["type"], row)
        if identifiers and kind.resource and kind.resource.waitable:
            hook = self._hook_of(context, kind.resource, identifiers)
            description = hook.describe(kind.resource, identifiers)
            try:
                judge(self.launch, hook, kind.resource, identifiers, description, LOG_LINES)
            except SageMakerStepError as error:
                raise SageMakerStepError(f"{text}\n{error}", error.reason) from None
        raise SageMakerStepError(text, reason)

    def _hook_of(self, context: Any, resource: Resource, identifiers: dict[str, Any]) -> Any:
        """The hook of the service that ran a step; leaves the links to it."""
        hook = self.launch.aws_hook(resource.service)
        place = (hook.conn_region_name, hook.conn_partition)
        if isinstance(self, SageMakerStepOperator):
            leave_links(context, identifiers, *place)
        elif page := resource_url(identifiers, *place):  # operators of others have no such link
            self.log.info("See %s", page)
        return hook

    def _not_started(self, arn: str, execution: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> NoReturn:
        """Raise for a step that did not run although the execution has ended: a skip where all has run that was to run."""
        status = execution["PipelineExecutionStatus"]
        if status in ("Succeeded", "CompletedWithFailures"):
            raise AirflowSkipException(f"the execution {arn} has ended as {status} without this step")
        bad = [f"{row['StepName']} {row['StepStatus']}" for row in rows if row["StepStatus"] in ("Failed", "Stopped")]
        why = f": {', '.join(bad)}" if bad else ""
        raise AirflowException(f"the execution {arn} ended as {status} before the step ran{why}")

    def _log_step(self, row: Mapping[str, Any]) -> None:
        times = f"from {row.get('StartTime')} to {row.get('EndTime')}"
        reused = " (from the cache)" if row.get("CacheHitResult") else ""
        attempts = f", {row['AttemptCount']} attempts" if row.get("AttemptCount", 1) > 1 else ""
        self.log.info("The step %s: %s%s %s%s", row["StepName"], row["StepStatus"], reused, times, attempts)

    def _result(self, context: Any, own: list[tuple[dict[str, Any], Mapping[str, Any]]]) -> Any:
        """The task's XCom, from what the service shows of its steps."""
        from sagemaker_provider.hooks.failures import judge
        from sagemaker_provider.operators.results import foreign_result, made, metadata_of, own_result
        from sagemaker_provider.sensors.step import SageMakerStepSensor

        item, row = next((pair for pair in own if pair[0]["suffix"] in ("", str(context["ti"].map_index))), own[-1])
        kind, metadata = STEP_TYPES[item["type"]], metadata_of(item["type"], row)
        description: dict[str, Any] = {}
        identifiers = made(item["type"], row)
        if identifiers and kind.resource:
            hook = self._hook_of(context, kind.resource, identifiers)
            description = hook.describe(kind.resource, identifiers)
            if kind.resource.waitable:
                judge(self.launch, hook, kind.resource, identifiers, description, LOG_LINES)
        if isinstance(self, SageMakerStepOperator):
            self.set_aws(**self.launch.aws_settings)
            return own_result(self, context, metadata, identifiers, description)
        if isinstance(self, SageMakerStepSensor):
            return description
        return foreign_result(self, context, item, metadata, description, super().execute)

    def on_kill(self) -> None:
        """Stop the execution that the task waits for, unless only its worker goes away."""
        if self._waiting is None:
            super().on_kill()
        else:
            self.launch.stop(*self._waiting, deferred=self._deferred)


def _of_instance(steps: list[dict[str, Any]], map_index: int) -> list[dict[str, Any]]:
    """The steps of a mapped task that are those of one of its instances; of another task all.

    The conditions that follow a task which chooses a branch are not waited for: the task has ended when it has chosen.
    """
    if map_index >= 0:
        found = [item for item in steps if item["suffix"] == str(map_index)]
        return found or [{**item, "index": map_index} for item in steps]
    return [item for item in steps if item["type"] != "Condition" or not item["suffix"]]


def mirroring(cls: type, launch_id: str) -> type:
    """The class of a task in a group that is started by a task: :class:`Mirror` before the task's own class.

    It is called as the class itself, so that Airflow shows the task as what it is.
    """
    named = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls)(cls.__name__, (Mirror, cls), {**named, "launch_id": launch_id})
