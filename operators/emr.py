"""Steps on Amazon EMR: EMR clusters and EMR Serverless."""

from __future__ import annotations

import time
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException

from sagemaker_provider.definition.step_types import EMR_CLUSTER, EMR_SERVERLESS_APPLICATION, State, state_of
from sagemaker_provider.operators.base import SageMakerStepOperator, check_event
from sagemaker_provider.operators.names import digest, job_name

_OWN_CLUSTER = ("Name", "Steps", "AutoTerminationPolicy")


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

    def start(self, context: Any) -> dict[str, Any]:
        """Add the step to the cluster, making the cluster first when it is the step's own."""
        config = self.typed(self.config)
        name = job_name(context, self.step_name or self.task_id, 256)
        step = {"ActionOnFailure": "CONTINUE", **config["StepConfig"], "Name": name}
        if cluster := config.get("ClusterId"):
            for known in self.hook.call("ListSteps", {"ClusterId": cluster}).get("Steps", ()):
                if known["Name"] == name:
                    return {"ClusterId": cluster, "StepId": known["Id"]}
            role = {"ExecutionRoleArn": config["ExecutionRoleArn"]} if "ExecutionRoleArn" in config else {}
            return self.hook.create(self.resource, {"JobFlowId": cluster, "Steps": [step], **role})  # type: ignore[no-any-return]
        return self._start_cluster(config["ClusterConfig"], name, step)

    def _start_cluster(self, cluster: dict[str, Any], name: str, step: dict[str, Any]) -> dict[str, Any]:
        """Make a cluster that runs the step and then ends, even if this worker dies."""
        request = {key: value for key, value in cluster.items() if key not in _OWN_CLUSTER}
        request["Name"] = name
        request["Instances"] = {
            **cluster.get("Instances", {}),
            "KeepJobFlowAliveWhenNoSteps": False,
            "TerminationProtected": False,
        }
        request["Steps"] = [{**step, "ActionOnFailure": "TERMINATE_CLUSTER"}]
        alive = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
        clusters = self.hook.call("ListClusters", {"ClusterStates": alive}).get("Clusters", ())
        found = next((item["Id"] for item in clusters if item["Name"] == name), None)
        cluster_id = found or self.hook.create(EMR_CLUSTER, request)["ClusterId"]
        steps = self.hook.call("ListSteps", {"ClusterId": cluster_id})["Steps"]
        return {"ClusterId": cluster_id, "StepId": steps[0]["Id"]}

    def end(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """End the step's own cluster, however the step ended, and judge the step."""
        if "ClusterConfig" in self.config:
            self.hook.call("TerminateJobFlows", {"JobFlowIds": [identifiers["ClusterId"]]})
            self.log.info("Ended the cluster %s", identifiers["ClusterId"])
        return super().end(context, identifiers, description)

    def finish(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """The description of the step, with the cluster's id."""
        return {**description["Step"], "ClusterId": identifiers["ClusterId"]}

    def on_kill(self) -> None:
        """Cancel the step, and end its own cluster."""
        super().on_kill()
        if self.running and "ClusterConfig" in self.config:
            self.hook.call("TerminateJobFlows", {"JobFlowIds": [self.running["ClusterId"]]})


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

    def execute(self, context: Any) -> Any:
        """Make the application where needed, wait until it is there, then run the job."""
        config = self.typed(self.config)
        if "ApplicationId" in config:
            return self.run_in(context, config["ApplicationId"])
        name = job_name(context, str(config["ApplicationConfig"].get("name") or self.task_id), 64)
        request = {**config["ApplicationConfig"], "name": name, "clientToken": digest(context, 32)}
        application = self.hook.create(EMR_SERVERLESS_APPLICATION, request)
        description = self.hook.describe(EMR_SERVERLESS_APPLICATION, application)
        if state_of(EMR_SERVERLESS_APPLICATION, description)[0] is State.RUNNING:
            if self.deferrable:
                self.defer_for("EMRServerlessApplication", application, "application_ready")
            self.hook.wait(EMR_SERVERLESS_APPLICATION, application, self.poll_interval)
        return self.run_in(context, application["applicationId"])

    def application_ready(self, context: Any, event: dict[str, Any] | None = None) -> Any:
        """Go on after the triggerer has seen that the application is there."""
        return self.run_in(context, check_event(event)["identifiers"]["applicationId"])

    def run_in(self, context: Any, application: str) -> Any:
        """Start the job in an application and wait for it. The token keeps a repeated call from starting a second one."""
        config = self.typed(self.config)
        job = config["JobConfig"]
        request = {
            "executionRoleArn": config.get("ExecutionRoleArn"),
            **job,
            "applicationId": application,
            "clientToken": digest(context, 32, salt="job"),
        }
        return self.wait_for(context, self.hook.create(self.resource, request))

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
