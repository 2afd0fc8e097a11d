"""A group of tasks of many kinds, with tasks before and after it; ``run_as`` says how it runs."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from sagemaker_provider.definition import Equals
from sagemaker_provider.operators import (
    ExecutionVariable,
    Join,
    SageMakerConditionStepOperator,
    SageMakerModelStepOperator,
    SageMakerPipelineTaskGroup,
    SageMakerProcessingStepOperator,
)

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:  # Airflow 2
    from airflow.operators.empty import EmptyOperator

IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/work:1"
ROLE = "arn:aws:iam::123456789012:role/Work"


def job(name: str, environment: dict[str, Any], script: str = "env | grep ^V_ | sort > $OUT/values") -> Any:
    """A processing job that writes the variables it was given."""
    place = Join("/", ["s3://bucket", ExecutionVariable("PipelineExecutionId"), name])
    s3 = {"S3Uri": place, "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    cluster = {"InstanceCount": "{{ params.count }}", "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    return SageMakerProcessingStepOperator(
        task_id=name,
        poll_interval=0.1,
        config={
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sh", "-c", script]},
            "RoleArn": ROLE,
            "Environment": {"OUT": "/opt/ml/processing/out", **environment},
            "ProcessingResources": {"ClusterConfig": cluster},
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": s3}]},
        },
    )


def uri(step: Any) -> Any:
    """Where a job writes to."""
    return step.properties.ProcessingOutputConfig.Outputs["out"].S3Output.S3Uri


with DAG("groups", schedule=None, params={"count": 1, "run_as": "pipeline", "way": "a"}):

    @task(multiple_outputs=False)
    def before() -> dict[str, Any]:
        """A value for the tasks of the group."""
        return {"text": "hello", "number": 2}

    first = before()
    with SageMakerPipelineTaskGroup(
        "group",
        run_as="{{ params.run_as }}",
        role=ROLE,
        poll_interval=0.1,
        settings={"image": IMAGE},
        code_location="s3://bucket/code",
    ) as group:
        start = EmptyOperator(task_id="start")
        prepare = job(
            "prepare",
            {
                "V_TEXT": "{{ ti.xcom_pull('before')['text'] }}",
                "V_TYPE": "{{ dag_run.run_type | upper }}",
                "V_DAY": "{{ params.way }}",
            },
        )
        choice = SageMakerConditionStepOperator(
            task_id="choice",
            conditions=Equals("{{ params.way }}", "a"),
            if_task_ids="group.left",
            else_task_ids="group.right",
        )
        left, right = job("left", {"V_URI": uri(prepare)}), job("right", {})

        @task(multiple_outputs=False)
        def count(given: dict[str, Any], name: str, ti: Any = None) -> dict[str, Any]:
            """A Python task that reads what is before and in the group."""
            ti.xcom_push(key="more", value=[given["number"], "x"])
            return {"sum": given["number"] + 1, "pair": (1, 2), "named": len(name) > 5}

        counted = count(first, prepare.properties.ProcessingJobName)

        @task.branch
        def choose(given: dict[str, Any]) -> str:
            """A branch that Python chooses."""
            return "group.model" if given["sum"] == 3 else "group.never"

        @task
        def times(x: int) -> int:
            """A mapped task."""
            return x * 10

        many, never = times.override(task_id="many").expand(x=[1, 2]), EmptyOperator(task_id="never_after")
        dropped = job("never", {})
        model = SageMakerModelStepOperator(
            task_id="model",
            config={"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://bucket/m"}, "ExecutionRoleArn": ROLE},
        )
        start >> prepare >> choice >> [left, right]
        choose(counted) >> [model, dropped]
        dropped >> never
        prepare >> many

    first >> group

    @task(trigger_rule="none_failed")
    def after(ti: Any = None) -> list[Any]:
        """What a task outside reads of the group."""
        return [
            ti.xcom_pull(task_ids="group.left")["ProcessingJobStatus"],
            ti.xcom_pull(task_ids="group.count"),
            ti.xcom_pull(task_ids="group.count", key="more"),
            list(ti.xcom_pull(task_ids="group.many")),
            ti.xcom_pull(task_ids="group.model")["PrimaryContainer"]["Image"],
        ]

    group >> after()
