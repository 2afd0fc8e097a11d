"""The life of a step when it runs as an Airflow task: create, wait, judge, stop."""

from __future__ import annotations

import itertools
import random
import time
from datetime import timedelta
from typing import Any, TypeAlias

from airflow.providers.common.compat.sdk import AirflowException, AirflowTaskTimeout

from sagemaker_provider.definition.step_types import ENDING, State, state_of
from sagemaker_provider.operators.attempts import Attempts
from sagemaker_provider.operators.links import leave_links
from sagemaker_provider.operators.step import StepDescription

_LONGEST_PAUSE = 600.0
_IN_WORKER = 60.0
"""Seconds of a pause for which a task keeps its worker. A scheduler with much to do may not have noted yet that the task was deferred
when it comes back, and takes it for lost then: "Executor reported that the task instance finished with state success"."""

Found: TypeAlias = "tuple[dict[str, Any], dict[str, Any]]"
"""Identifiers and Describe response of something that exists."""


class SageMakerStepOperator(StepDescription):
    """Base of all step operators. A step operator runs its step in Airflow, and converts to a step of a pipeline.

    The XCom of the task is the Describe response of what the step created, as JSON, so that references read the same
    path step by step and in a pipeline.

    :param kwargs: see :class:`~sagemaker_provider.operators.step.StepDescription`.
    """

    def execute(self, context: Any) -> Any:
        """Create what the step creates, or take up what an earlier try has left, and wait for it."""
        return self._attempt(context)

    def resume(
        self, context: Any, event: dict[str, Any] | None = None, waited: float = 0, deadline: float | None = None
    ) -> Any:
        """Go on after the triggerer has seen the resource end; without its event, with whatever of this try is there."""
        identifiers = None if event is None else check_event(event)["identifiers"]  # Airflow 2.11 may lose the event
        return self._attempt(context, identifiers, waited, deadline)

    def again(self, context: Any, event: Any = None, waited: float = 0, deadline: float | None = None) -> Any:
        """Begin anew after a pause, or after the end of something that was in the way."""
        if isinstance(event, dict):
            check_event(event)
        return self._attempt(context, None, waited, deadline)

    def _attempt(
        self,
        context: Any,
        identifiers: dict[str, Any] | None = None,
        waited: float = 0,
        deadline: float | None = None,
    ) -> Any:
        """Run until there is a result, or a failure that does not pass by itself within the budget.

        :param identifiers: what to wait for, when it is known already.
        :param waited: seconds that this try has paused so far.
        :param deadline: end of the ``execution_timeout`` in seconds since 1970; a deferral does not prolong it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        from sagemaker_provider.hooks.step import SageMakerStepError

        if deadline is None and self.execution_timeout is not None:
            deadline = time.time() + self.execution_timeout.total_seconds()
        self._context, self._waited, self._deadline = context, waited, deadline
        while True:
            try:
                return self.wait_for(context, identifiers or self.start(context))
            except (BotoCoreError, ClientError, SageMakerStepError) as error:
                self._pause(context, error)
                identifiers = None

    _context: Any = None
    _waited: float = 0
    _deadline: float | None = None

    def _pause(self, context: Any, error: Exception) -> None:
        """Let time pass after a failure that passes by itself: in the triggerer or here; else raise it."""
        from sagemaker_provider.hooks.failures import passing
        from sagemaker_provider.hooks.step import SageMakerStepError

        why = passing(getattr(error, "reason", None) or error)
        left = self.retry_budget.total_seconds() - self._waited
        if not why or left <= 0.001:
            if isinstance(error, SageMakerStepError):
                Attempts(context, self.retries).tell()
            raise error
        # Pauses double, and tasks that were refused together do not come back together.
        longer = (self._waited + self.poll_interval) * random.uniform(0.75, 1.25)  # noqa: S311
        delay = min(max(longer, 0.01), _LONGEST_PAUSE, left)
        if self._deadline is not None:
            delay = min(delay, self._deadline - time.time())
        if delay <= 0:
            raise AirflowTaskTimeout(f"{self.task_id}: execution_timeout has passed")
        self.log.warning(
            "Trying again in %.0f s, as %s; %.0f s are left of retry_budget: %s", delay, why, left - delay, error
        )
        self._waited += delay
        if self.deferrable and delay > _IN_WORKER:
            self.defer(trigger=_time_trigger(delay), method_name="again", kwargs=self._carried)
        time.sleep(delay)

    @property
    def _carried(self) -> dict[str, Any]:
        """What a deferral does not change."""
        return {"waited": self._waited, "deadline": self._deadline}

    def start(self, context: Any) -> dict[str, Any]:
        """Create the job of this try, or take up the one that is there.

        :return: its identifiers.
        """
        attempts = Attempts(context, self.retries)
        first, identifiers = attempts.latest
        if not identifiers and (left := self._left_by_earlier(context, attempts)):
            attempts.remember(first, left)
            return left
        ended_badly = 0
        for number in itertools.count(first):
            found = self._known(identifiers) if number == first else None
            found = found or self.look_up(context, number)
            if found is None:
                if self.killed:
                    raise AirflowException(f"{self.task_id} was killed")
                attempts.remember(number, {})
                self.running = self.named(context, number)  # a kill may come before the answer
                identifiers = self.create(context, number)
                self.log.info("Created %s", identifiers)
                break
            identifiers, description = found
            if not self._is_over(attempts, number, found, ended_badly + 1):
                self.log.info("Going on with %s", identifiers)
                break
            self._await_end(identifiers, description)
            ended_badly += self._passing(description) is None
        attempts.remember(number, identifiers)
        return identifiers

    def _known(self, identifiers: dict[str, Any]) -> Found | None:
        """What the task state store names, if it is still there."""
        description = self.hook.find(self.resource, identifiers) if identifiers else None
        return None if description is None else (identifiers, description)

    def _is_over(self, attempts: Attempts, number: int, found: Found, ended_badly: int) -> bool:
        """Whether what was found belongs to an earlier try."""
        if not self.resource.waitable:
            return False
        state, status = state_of(self.resource, found[1])
        if status in ENDING:
            state = State.STOPPED
        if state in (State.RUNNING, State.SUCCEEDED):
            return False
        return self._passing(found[1]) is not None or attempts.is_spent(number, state, ended_badly)

    def _passing(self, description: dict[str, Any]) -> str | None:
        """Why the failure of a job passes by itself; ``None`` also when the task is not to wait for that."""
        from sagemaker_provider.hooks.failures import passing
        from sagemaker_provider.hooks.step import reason_of

        return passing(reason_of(self.resource, description)) if self.retry_budget else None

    def _left_by_earlier(self, context: Any, attempts: Attempts) -> dict[str, Any] | None:
        """See to jobs that still run although the task was cleared: stop them, or take one up.

        :return: identifiers of the one that is taken up.
        """
        if not self.resource.waitable:
            return None
        for generation in reversed(attempts.earlier):
            for number in itertools.count(1):
                found = self.look_up(context, number, generation)
                if found is None:
                    break
                state, status = state_of(self.resource, found[1])
                if state is not State.RUNNING:
                    continue
                if self.on_interrupt == "leave" and status not in ENDING:
                    self.log.info("Taking up %s, which runs since before the task was cleared", found[0])
                    return found[0]
                if status not in ENDING:
                    self.log.info("Stopping %s, which runs since before the task was cleared", found[0])
                    self.stop(found[0])
                self._await_end(*found)
        return None

    def _await_end(self, identifiers: dict[str, Any], description: dict[str, Any]) -> None:
        """Wait until a job that was stopped has ended: here, or in the triggerer to begin anew afterwards."""
        if state_of(self.resource, description)[0] is State.RUNNING:
            self.log.info("Waiting until %s has ended", identifiers)
            if self.deferrable:
                self.defer_for(self.step_type, identifiers, "again")
            self.hook.wait(self.resource, identifiers, self.poll_interval)

    def look_up(self, context: Any, number: int, generation: int | None = None) -> Found | None:
        """A job of this task, if it is there.

        :param number: which job of the generation, from 1.
        :param generation: generation, by default that of this try.
        """
        identifiers = self.named(context, number, generation)
        description = self.hook.find(self.resource, identifiers) if identifiers else None
        return None if description is None else (identifiers, description)

    def named(self, context: Any, number: int, generation: int | None = None) -> dict[str, Any]:
        """The identifiers that a job of this task has by its name; none where the service makes them up."""
        name, paths_of = self.name_of(context, number, generation), self.resource.identifiers
        known = {**self.step_arguments(), **name} if name else {}
        return (
            {member: known[path] for member, path in paths_of.items()} if known.keys() >= {*paths_of.values()} else {}
        )

    def create(self, context: Any, number: int) -> dict[str, Any]:
        """Create a job of this task.

        :return: its identifiers.
        """
        from botocore.exceptions import ClientError

        from sagemaker_provider.hooks.step import exists_already

        try:
            return self.hook.create(self.resource, self.request(context, number))  # type: ignore[no-any-return]
        except ClientError as error:
            found = self.look_up(context, number) if exists_already(error) else None  # an answer was lost
            if found is None:
                raise
            return found[0]

    def wait_for(self, context: Any, identifiers: dict[str, Any]) -> Any:
        """Wait for a resource: in the triggerer or here. Returns the result of :meth:`finish`."""
        self.running = identifiers
        if self.killed and self.on_interrupt == "stop":  # while the call that created it was under way
            self.stop(identifiers)
        leave_links(context, identifiers, self.hook.conn_region_name, self.hook.conn_partition, self.config)
        description = self.hook.describe(self.resource, identifiers)
        if self.resource.waitable and state_of(self.resource, description)[0] is State.RUNNING:
            if self.deferrable:
                self.defer_for(self.step_type, identifiers, "resume")
            description = self.hook.wait(self.resource, identifiers, self.poll_interval)
        return self.end(context, identifiers, description)

    def defer_for(self, kind: str, identifiers: dict[str, Any], method: str) -> None:
        """Leave the worker until a resource has ended; then ``method`` is called with the event."""
        from sagemaker_provider.triggers.step import SageMakerStepTrigger

        trigger = SageMakerStepTrigger(
            kind=kind,
            identifiers=identifiers,
            poll_interval=self.poll_interval,
            deadline=self._deadline,
            on_interrupt=self.on_interrupt,
            **self.aws_settings,
        )
        self.defer(trigger=trigger, method_name=method, kwargs=self._carried)

    def end(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """Judge a resource that has ended, and give the task's result."""
        from sagemaker_provider.hooks.failures import judge

        self.described = description
        if self.resource.waitable:
            judge(self, self.hook, self.resource, identifiers, description, self.log_lines)
        return self.finish(context, identifiers, description)

    def finish(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """The task's XCom, from the Describe response of a resource that ended well."""
        return description

    # What OpenLineage asks for

    described: dict[str, Any] | None = None

    def get_openlineage_facets_on_start(self) -> Any:
        """What the step is going to read and write, as far as its config says it."""
        from sagemaker_provider.operators.lineage import lineage

        return lineage(self.step_type, self.step_arguments())

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What the step has read and written, and what it has created; also when it failed."""
        from sagemaker_provider.operators.lineage import lineage

        return lineage(self.step_type, self.described or self.step_arguments())

    # Stopping

    running: dict[str, Any] | None = None
    killed = False
    _deferred = False

    def defer(self, **given: Any) -> None:
        """Leave the worker; see Airflow's ``BaseOperator.defer``."""
        self._deferred = True
        super().defer(**given)

    def on_kill(self) -> None:
        """Stop what the task has created and is waiting for, unless only its worker goes away."""
        if self._context is not None:
            from sagemaker_provider.triggers.interrupts import goes_on

            if goes_on(self._context["ti"], deferred=self._deferred):
                self.log.info("The worker goes away; the triggerer or the next try takes up %s", self.running)
                return
        self.killed = True
        if self.running and self.on_interrupt == "stop":
            self.stop(self.running)

    def stop(self, identifiers: dict[str, Any]) -> None:
        """Ask the service to stop something that the task has created."""
        if self.hook.stop(self.resource, identifiers):
            self.log.info("Asked the service to stop %s", identifiers)


def check_event(event: dict[str, Any] | None) -> dict[str, Any]:
    """The event of a trigger; :class:`AirflowException` for that of one that could not go on."""
    if event is None:
        raise AirflowException("the trigger fired without an event")
    if error := event.get("error"):
        raise AirflowException(f"waiting for {event.get('identifiers')} failed: {error}")
    return event


def _time_trigger(seconds: float) -> Any:
    """Airflow's trigger that fires after a time."""
    try:
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
    except ImportError:  # Airflow 2.11 has it of its own
        from airflow.triggers.temporal import TimeDeltaTrigger
    return TimeDeltaTrigger(timedelta(seconds=seconds))
