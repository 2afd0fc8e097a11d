"""Two DAGs whose steps do not succeed at once: one that waits in the triggerer, one that waits in the worker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow import __version__
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from sagemaker_provider.operators import SageMakerTrainingStepOperator

CONFIG = {
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


class State(BaseOperator):  # type: ignore[misc]
    """Tells the state that Airflow has for this task."""

    def execute(self, context: Any) -> str | None:
        """The state."""
        from sagemaker_provider.triggers.interrupts import current_state

        return current_state(context["ti"])


def build(dag_id: str, deferrable: bool) -> DAG:
    """A DAG whose steps need a second job, or a second call."""
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        options = {"config": CONFIG, "deferrable": deferrable, "poll_interval": 0.05, "retry_delay": timedelta(0)}
        SageMakerTrainingStepOperator(task_id="fails_once", retries=1, **options)
        SageMakerTrainingStepOperator(task_id="no_capacity_once", retries=0, **options)
        SageMakerTrainingStepOperator(task_id="refused_twice", retries=0, **options)
        if not __version__.startswith("2."):  # where a timeout ends dag.test(), and deferrals lose their arguments
            options["execution_timeout"] = timedelta(seconds=3)
            SageMakerTrainingStepOperator(task_id="late", retries=0, **options)
            SageMakerTrainingStepOperator(task_id="refused_for_long", retries=0, **options)
        State(task_id="state")
    return dag


attempts_deferrable = build("attempts_deferrable", True)
attempts_blocking = build("attempts_blocking", False)
