"""DAGs with a sensor of every kind, deferrable and not; what they wait for is named in the run's params."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider import sensors

NAMED = {
    "processing": sensors.SageMakerProcessingStepSensor,
    "training": sensors.SageMakerTrainingStepSensor,
    "tuning": sensors.SageMakerTuningStepSensor,
    "automl": sensors.SageMakerAutoMLStepSensor,
    "transform": sensors.SageMakerTransformStepSensor,
    "register": sensors.SageMakerRegisterModelStepSensor,
    "endpoint": sensors.SageMakerEndpointStepSensor,
    "component": sensors.SageMakerInferenceComponentStepSensor,
    "execution": sensors.SageMakerPipelineExecutionSensor,
}


def build(dag_id: str, deferrable: bool) -> DAG:
    """A DAG of sensors."""
    with DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1),
        params=dict.fromkeys([*NAMED, "application", "job_run"], ""),
        default_args={"deferrable": deferrable, "poke_interval": 0.05},
    ) as dag:
        for name, sensor in NAMED.items():
            sensor(task_id=name, name=f"{{{{ params.{name} }}}}")
        sensors.SageMakerEMRStepSensor(task_id="emr", identifiers={"ClusterId": "j-1", "StepId": "s-0000000000001"})
        sensors.SageMakerEMRServerlessStepSensor(
            task_id="serverless",
            identifiers={"applicationId": "{{ params.application }}", "jobRunId": "{{ params.job_run }}"},
        )
    return dag


deferrable_dag = build("sensors_deferrable", deferrable=True)
blocking_dag = build("sensors_blocking", deferrable=False)
