"""Simulated EMR: moto keeps clusters and steps, here steps end, fail, hang and can be cancelled. They run no code."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.local.bodies import json_object, take
from sagemaker_provider.local.errors import ServiceError

if TYPE_CHECKING:
    from sagemaker_provider.local.faults import Fault, Faults
    from sagemaker_provider.local.service import LocalSageMaker

_ENDED: Final = ("COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED")
_TERMINATED: Final = ("TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS")
_TERMINATES: Final = ("TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW")
_NAMING: Final = ("AddJobFlowSteps", "CancelSteps", "DescribeStep", "ListSteps")
"""Operations on one cluster."""


class EMR:
    """The EMR API on loopback.

    A step waits for the one before it, whatever the cluster's ``StepConcurrencyLevel``, and takes
    ``settings.simulated_seconds``. State is brought up to date before each call is answered.
    """

    def __init__(self, local: LocalSageMaker) -> None:
        self._local = local
        self._lock = threading.RLock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any], moto: Any) -> Iterable[bytes]:
        """Answer a request signed for EMR."""
        operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[2]
        try:
            request = json_object(take(environ))
            with self._lock:
                self._advance()
                _check(operation, request)
                if operation == "CancelSteps":
                    return _respond(start, 200, {"CancelStepsInfoList": _cancel(request)})
        except ServiceError as error:
            return _respond(start, error.status, {"__type": error.code, "message": error.message})
        return moto(environ, start)  # type: ignore[no-any-return]

    def _advance(self) -> None:
        """Let happen what the time since the last call brings."""
        lasts = timedelta(seconds=self._local.settings.simulated_seconds)
        for cluster in _clusters().values():
            _advance(cluster, lasts, self._local.faults)


@cache
def _simulated_step() -> Any:
    """The class of a step that a fault may hit. Moto's EMR takes most of a second to load, so it is loaded when used."""
    from moto.emr.models import Step

    class SimulatedStep(Step):  # type: ignore[misc]
        fault: Fault | None

        @property
        def status(self) -> dict[str, Any]:
            """As moto's, and why the step failed."""
            status: dict[str, Any] = super().status
            if self.state == "FAILED" and self.fault:
                status["FailureDetails"] = {"Reason": "Simulated failure", "Message": self.fault.message}
            return status

    return SimulatedStep


def _now() -> datetime:
    """The time as moto keeps it: UTC, without saying so."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _advance(cluster: Any, lasts: timedelta, faults: Faults) -> None:
    """Bring a cluster up to date."""
    for step in cluster.steps:
        if not isinstance(step, _simulated_step()):  # moto lets the first one run at once and for ever
            step.__class__, step.fault = _simulated_step(), faults.for_job("AddJobFlowSteps", step.name)
            step.state, step.start_date_time = "PENDING", None
    if ended := getattr(cluster, "ended_as", None):  # a second termination changes nothing
        cluster.state, cluster.end_datetime = ended
    if cluster.state in _TERMINATED:
        _cancel_all(cluster)
        cluster.ended_as = cluster.state, cluster.end_datetime
        return
    free_since = cluster.ready_datetime
    for step in cluster.steps:
        if step.state not in _ENDED:
            step.start_date_time = step.start_date_time or max(free_since, step.creation_date_time)
            step.state = "RUNNING"
            end = step.start_date_time + lasts
            if (step.fault and step.fault.kind == "hang") or _now() < end:
                cluster.state = "RUNNING"
                return
            step.end_date_time = end
            step.state = "FAILED" if step.fault else "COMPLETED"
            if step.fault and step.action_on_failure != "CONTINUE":
                _cancel_all(cluster)
            if step.fault and step.action_on_failure in _TERMINATES:
                _terminate(cluster, "TERMINATED_WITH_ERRORS", "Shut down as step failed")
                return
        free_since = max(free_since, step.end_date_time)
    cluster.state = "WAITING"
    if cluster.steps and not cluster.keep_job_flow_alive_when_no_steps:
        _terminate(cluster, "TERMINATED", "Steps completed")


def _terminate(cluster: Any, state: str, reason: str) -> None:
    cluster.terminate()
    cluster.state, cluster.last_state_change_reason = state, reason
    cluster.ended_as = cluster.state, cluster.end_datetime


def _cancel_all(cluster: Any) -> None:
    for step in cluster.steps:
        if step.state not in _ENDED:
            step.state, step.end_date_time = "CANCELLED", _now()


def _cancel(request: Mapping[str, Any]) -> list[dict[str, str]]:
    """Cancel steps; what became of each."""
    steps = {step.id: step for step in _clusters()[request["ClusterId"]].steps}
    answers = []
    for step_id in request.get("StepIds", ()):
        step = steps.get(step_id)
        if step is None or step.state in _ENDED:
            reason = "The step does not exist." if step is None else f"The step is {step.state} already."
            answers.append({"StepId": step_id, "Status": "FAILED", "Reason": reason})
        else:
            step.state, step.end_date_time = "CANCELLED", _now()
            answers.append({"StepId": step_id, "Status": "SUBMITTED"})
    return answers


def _check(operation: str, request: Mapping[str, Any]) -> None:
    """Refuse what the service refuses and moto does not.

    :raises ServiceError: there is no such cluster or step, or the cluster has ended.
    """
    clusters = _clusters()
    named = str(request.get("ClusterId") or request.get("JobFlowId") or "")
    for cluster_id in [named] if named or operation in _NAMING else request.get("JobFlowIds", ()):
        if cluster_id not in clusters:
            raise ServiceError("InvalidRequestException", f"Cluster id '{cluster_id}' is not valid.")
    if operation == "DescribeStep" and request.get("StepId") not in [step.id for step in clusters[named].steps]:
        raise ServiceError("InvalidRequestException", f"Step id '{request.get('StepId')}' is not valid.")
    if operation == "AddJobFlowSteps" and clusters[named].state in _TERMINATED:
        message = "A job flow that is shutting down, terminated, or finished may not be modified."
        raise ServiceError("ValidationException", message)


def _clusters() -> dict[str, Any]:
    """All clusters by id, of every Region: ids are unique, and each call names those it is about."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.emr.models import emr_backends

    backends = list(emr_backends[DEFAULT_ACCOUNT_ID].values())
    return {cluster_id: cluster for backend in backends for cluster_id, cluster in list(backend.clusters.items())}


def _respond(start: Callable[..., Any], status: int, answer: Any) -> Iterable[bytes]:
    text = json.dumps(answer).encode()
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(text)))]
    start(f"{status} {'OK' if status == 200 else 'Error'}", headers)
    return [text]
