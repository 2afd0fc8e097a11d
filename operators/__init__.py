"""Step operators, one for each type of step. Names are imported when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "jobs": (
        "SageMakerAutoMLStepOperator",
        "SageMakerProcessingStepOperator",
        "SageMakerTrainingStepOperator",
        "SageMakerTransformStepOperator",
        "SageMakerTuningStepOperator",
    ),
    "models": (
        "SageMakerEndpointConfigStepOperator",
        "SageMakerEndpointStepOperator",
        "SageMakerInferenceComponentStepOperator",
        "SageMakerModelStepOperator",
        "SageMakerRegisterModelStepOperator",
    ),
    "functions": ("SageMakerCallbackStepOperator", "SageMakerLambdaStepOperator"),
    "control": ("SageMakerConditionStepOperator", "SageMakerFailStepOperator"),
    "checks": ("SageMakerClarifyCheckStepOperator", "SageMakerQualityCheckStepOperator"),
    "emr": ("SageMakerEMRServerlessStepOperator", "SageMakerEMRStepOperator"),
    "pipeline": (
        "SageMakerPipelineDeleteOperator",
        "SageMakerPipelineDeployOperator",
        "SageMakerPipelineResumeOperator",
        "SageMakerPipelineScheduleOperator",
        "SageMakerPipelineStartOperator",
        "SageMakerPipelineStopOperator",
    ),
    "notebook": ("SageMakerNotebookJobStepOperator",),
    "records": ("CleanupSource", "SageMakerCleanupStepOperator", "SageMakerLineageStepOperator"),
    "references": ("ExecutionVariable", "Join", "JsonGet"),
    "pipeline_dag": ("SageMakerPipelineDagOperator",),
    "task_group": ("SageMakerPipelineTaskGroup",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "CleanupSource",
    "ExecutionVariable",
    "Join",
    "JsonGet",
    "SageMakerAutoMLStepOperator",
    "SageMakerCallbackStepOperator",
    "SageMakerClarifyCheckStepOperator",
    "SageMakerCleanupStepOperator",
    "SageMakerConditionStepOperator",
    "SageMakerEMRServerlessStepOperator",
    "SageMakerEMRStepOperator",
    "SageMakerEndpointConfigStepOperator",
    "SageMakerEndpointStepOperator",
    "SageMakerFailStepOperator",
    "SageMakerInferenceComponentStepOperator",
    "SageMakerLambdaStepOperator",
    "SageMakerLineageStepOperator",
    "SageMakerModelStepOperator",
    "SageMakerNotebookJobStepOperator",
    "SageMakerPipelineDagOperator",
    "SageMakerPipelineDeleteOperator",
    "SageMakerPipelineDeployOperator",
    "SageMakerPipelineResumeOperator",
    "SageMakerPipelineScheduleOperator",
    "SageMakerPipelineStartOperator",
    "SageMakerPipelineStopOperator",
    "SageMakerPipelineTaskGroup",
    "SageMakerProcessingStepOperator",
    "SageMakerQualityCheckStepOperator",
    "SageMakerRegisterModelStepOperator",
    "SageMakerTrainingStepOperator",
    "SageMakerTransformStepOperator",
    "SageMakerTuningStepOperator",
]

if TYPE_CHECKING:
    from sagemaker_provider.operators.checks import SageMakerClarifyCheckStepOperator, SageMakerQualityCheckStepOperator
    from sagemaker_provider.operators.control import SageMakerConditionStepOperator, SageMakerFailStepOperator
    from sagemaker_provider.operators.emr import SageMakerEMRServerlessStepOperator, SageMakerEMRStepOperator
    from sagemaker_provider.operators.functions import SageMakerCallbackStepOperator, SageMakerLambdaStepOperator
    from sagemaker_provider.operators.jobs import (
        SageMakerAutoMLStepOperator,
        SageMakerProcessingStepOperator,
        SageMakerTrainingStepOperator,
        SageMakerTransformStepOperator,
        SageMakerTuningStepOperator,
    )
    from sagemaker_provider.operators.models import (
        SageMakerEndpointConfigStepOperator,
        SageMakerEndpointStepOperator,
        SageMakerInferenceComponentStepOperator,
        SageMakerModelStepOperator,
        SageMakerRegisterModelStepOperator,
    )
    from sagemaker_provider.operators.notebook import SageMakerNotebookJobStepOperator
    from sagemaker_provider.operators.pipeline import (
        SageMakerPipelineDeleteOperator,
        SageMakerPipelineDeployOperator,
        SageMakerPipelineResumeOperator,
        SageMakerPipelineScheduleOperator,
        SageMakerPipelineStartOperator,
        SageMakerPipelineStopOperator,
    )
    from sagemaker_provider.operators.pipeline_dag import SageMakerPipelineDagOperator
    from sagemaker_provider.operators.records import (
        CleanupSource,
        SageMakerCleanupStepOperator,
        SageMakerLineageStepOperator,
    )
    from sagemaker_provider.operators.references import ExecutionVariable, Join, JsonGet
    from sagemaker_provider.operators.task_group import SageMakerPipelineTaskGroup


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
