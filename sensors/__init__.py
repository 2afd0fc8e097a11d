"""Sensors: waiting for what steps create, wherever it was created."""

from sagemaker_provider.sensors.step import (
    SageMakerAutoMLStepSensor,
    SageMakerEMRServerlessStepSensor,
    SageMakerEMRStepSensor,
    SageMakerEndpointStepSensor,
    SageMakerInferenceComponentStepSensor,
    SageMakerPipelineExecutionSensor,
    SageMakerProcessingStepSensor,
    SageMakerRegisterModelStepSensor,
    SageMakerStepSensor,
    SageMakerTrainingStepSensor,
    SageMakerTransformStepSensor,
    SageMakerTuningStepSensor,
)

__all__ = [
    "SageMakerAutoMLStepSensor",
    "SageMakerEMRServerlessStepSensor",
    "SageMakerEMRStepSensor",
    "SageMakerEndpointStepSensor",
    "SageMakerInferenceComponentStepSensor",
    "SageMakerPipelineExecutionSensor",
    "SageMakerProcessingStepSensor",
    "SageMakerRegisterModelStepSensor",
    "SageMakerStepSensor",
    "SageMakerTrainingStepSensor",
    "SageMakerTransformStepSensor",
    "SageMakerTuningStepSensor",
]
