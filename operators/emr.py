"""Steps on Amazon EMR: EMR clusters and EMR Serverless."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any, Final

from airflow.providers.common.compat.sdk import AirflowException

from sagemaker_provider.definition.step_types import EMR_CLUSTER, EMR_SERVERLESS_APPLICATION, State, state_of
from sagemaker_provider.operators.base import Found, SageMakerStepOperator
from sagemaker_provider.operators.names import digest, job_name

_CLOCKS_DIFFER: Final = timedelta(hours=1)
"""How much earlier than the start of the DAG run the service may say that something was created."""
_OWN_CLUSTER: Final = ("Name", "Steps", "AutoTerminationPolicy")


class SageMakerEMRStepOperator(SageMakerStepOperator):
    """Runs a step on an EMR cluster: on a running one, or on one made for it, which ends with it.

    :param config: ``StepConfig`` (without ``Name``) and one of ``ClusterId``, with an optional ``ExecutionRoleArn``, and
        ``ClusterConfig``, a RunJobFlow request without name, steps and settings of its end.
    """

    step_type = "EMR"

    def typed(self, config: Any) -> dict[str, Any]:
        """The config, checked: exactly one of ``ClusterId`` and ``ClusterConfig``."""
        if ("ClusterId" in config) == ("ClusterConfig" in config) or "StepConfig" not in config:
            raise AirflowException(
                f"{self.task_id}: config has StepConfig and exactly one of ClusterId and ClusterConfig"
            )
        return dict(config)

    def look_up(self, context: Any, number: int, generation: int | None = None) -> Found | None:
        """A step of this task, on the cluster or on its own one, by its name."""
        config = self.typed(self.config)
        name = self._name(context, number, generation)
        since = _since(context, generation)
        cluster = config.get("ClusterId") or next(
            (
                item["Id"]
                for item in self.hook.pages("ListClusters", {"CreatedAfter": since} if since else {})
                if item["Name"] == name
            ),
            None,
        )
        steps = self.hook.pages("ListSteps", {"ClusterId": cluster}) if cluster else ()
        for step in steps:
            if step["Name"] == name:
                identifiers = {"ClusterId": cluster, "StepId": step["Id"]}
                return identifiers, self.hook.describe(self.resource, identifiers)
        return None

    def create(self, context: Any, number: int) -> dict[str, Any]:
        """Add the step to the cluster, or make a cluster that runs the step and then ends, even if this worker dies.

        The calls have no token, so a lost answer is not followed by a second call but by a look.
        """
        config = self.typed(self.config)
        name = self._name(context, number)
        step = {"ActionOnFailure": "CONTINUE", **config["StepConfig"], "Name": name}
        once = self.aws_hook("emr", retries={"total_max_attempts": 1})
        if cluster := config.get("ClusterId"):
            role = {"ExecutionRoleArn": config["ExecutionRoleArn"]} if "ExecutionRoleArn" in config else {}
            return once.create(self.resource, {"JobFlowId": cluster, "Steps": [step], **role})
        request = {key: value for key, value in config["ClusterConfig"].items() if key not in _OWN_CLUSTER}
        request["Name"] = name
        request["Instances"] = {
            **config["ClusterConfig"].get("Instances", {}),
            "KeepJobFlowAliveWhenNoSteps": False,
            "TerminationProtected": False,
        }
        request["Steps"] = [{**step, "ActionOnFailure": "TERMINATE_CLUSTER"}]
        made = once.create(EMR_CLUSTER, request)["ClusterId"]
        (first,) = self.hook.pages("ListSteps", {"ClusterId": made})
        return {"ClusterId": made, "StepId": first["Id"]}

    def _name(self, context: Any, number: int, generation: int | None = None) -> str:
        return job_name(context, self.step_name or self.task_id, 256, number, generation)

    def end(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """End the step's own cluster, however the step ended, and judge the step."""
        if "ClusterConfig" in self.config:
            self.hook.call("TerminateJobFlows", {"JobFlowIds": [identifiers["ClusterId"]]})
            self.log.info("Ended the cluster %s", identifiers["ClusterId"])
        return super().end(context, identifiers, description)

    def finish(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """The description of the step, with the cluster's id."""
        return {**description["Step"], "ClusterId": identifiers["ClusterId"]}

    def stop(self, identifiers: dict[str, Any]) -> None:
        """Cancel the step, and end its own cluster."""
        super().stop(identifiers)
        if "ClusterConfig" in self.config:
            self.hook.call("TerminateJobFlows", {"JobFlowIds": [identifiers["ClusterId"]]})


class SageMakerEMRServerlessStepOperator(SageMakerStepOperator):
    """Runs a job on EMR Serverless: in an existing application, or in one made for it, which is deleted afterwards.

    Whether a pipeline deletes an application it made is not documented.

    :param config: ``ExecutionRoleArn``, ``JobConfig`` (StartJobRun request) and one of ``ApplicationId`` and
        ``ApplicationConfig`` (CreateApplication request).
    """

    step_type = "EMRServerless"

    def typed(self, config: Any) -> dict[str, Any]:
        """The config, checked: exactly one of ``ApplicationId`` and ``ApplicationConfig``."""
        if ("ApplicationId" in config) == ("ApplicationConfig" in config) or "JobConfig" not in config:
            raise AirflowException(
                f"{self.task_id}: config has JobConfig and exactly one of ApplicationId and ApplicationConfig"
            )
        return dict(config)

    def look_up(self, context: Any, number: int, generation: int | None = None) -> Found | None:
        """A job run of this task, by its name."""
        from botocore.exceptions import ClientError

        from sagemaker_provider.hooks.step import is_missing

        config = self.typed(self.config)
        name = self._name(context, number, generation)
        application = config.get("ApplicationId") or self._application(context, number, generation)
        if application is None:
            return None
        since = _since(context, generation)
        request = {"applicationId": application, **({"createdAtAfter": since} if since else {})}
        try:
            runs = [run for run in self.hook.pages("ListJobRuns", request) if run.get("name") == name]
        except ClientError as error:  # no such application: starting the job says so
            if not is_missing(error):
                raise
            return None
        if not runs:
            return None
        identifiers = {"applicationId": application, "jobRunId": runs[0]["id"]}
        return identifiers, self.hook.describe(self.resource, identifiers)

    def create(self, context: Any, number: int) -> dict[str, Any]:
        """Make the application where needed, wait until it is there, then start the job; a token goes with each call."""
        config = self.typed(self.config)
        application = config.get("ApplicationId") or self._make_application(context, number)
        request = {
            "executionRoleArn": config.get("ExecutionRoleArn"),
            **config["JobConfig"],
            "applicationId": application,
            "name": self._name(context, number),
            "clientToken": digest(context, 32, number, "job"),
        }
        return self.hook.create(self.resource, request)  # type: ignore[no-any-return]

    def _name(self, context: Any, number: int, generation: int | None = None) -> str:
        prefix = self.config["JobConfig"].get("name") or self.step_name or self.task_id
        return job_name(context, str(prefix), 64, number, generation)

    def _application_name(self, context: Any, number: int, generation: int | None = None) -> str:
        prefix = self.config["ApplicationConfig"].get("name") or self.task_id
        return job_name(context, str(prefix), 64, number, generation)

    def _application(self, context: Any, number: int, generation: int | None) -> str | None:
        """The step's own application, by its name."""
        name = self._application_name(context, number, generation)
        found = self.hook.pages("ListApplications", {})
        return next((item["id"] for item in found if item.get("name") == name), None)

    def _make_application(self, context: Any, number: int) -> str:
        name = self._application_name(context, number)
        token = digest(context, 32, number)
        request = {**self.config["ApplicationConfig"], "name": name, "clientToken": token}
        application: dict[str, str] = self.hook.create(EMR_SERVERLESS_APPLICATION, request)
        description = self.hook.describe(EMR_SERVERLESS_APPLICATION, application)
        if state_of(EMR_SERVERLESS_APPLICATION, description)[0] is State.RUNNING:
            if self.deferrable:
                self.defer_for("EMRServerlessApplication", application, "again")
            self.hook.wait(EMR_SERVERLESS_APPLICATION, application, self.poll_interval)
        return application["applicationId"]

    def end(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """Delete the step's own application, however the job ended, and judge the job."""
        if "ApplicationConfig" in self.config:
            self._delete({"applicationId": identifiers["applicationId"]})
        return super().end(context, identifiers, description)

    def _delete(self, application: dict[str, Any], patience_seconds: float = 300) -> None:
        self.hook.call("StopApplication", application)
        give_up = time.monotonic() + patience_seconds
        while self.hook.describe(EMR_SERVERLESS_APPLICATION, application)["application"]["state"] == "STOPPING":
            if time.monotonic() > give_up:
                self.log.warning("The application %s does not stop and is left to its automatic end", application)
                return
            time.sleep(min(self.poll_interval, 10))
        self.hook.call("DeleteApplication", application)
        self.log.info("Deleted the application %s", application)


def _since(context: Any, generation: int | None) -> datetime | None:
    """From when on jobs of a generation can be; a clear moves the start of the run, so for earlier ones it is not known."""
    return None if generation is not None else context["dag_run"].start_date - _CLOCKS_DIFFER
