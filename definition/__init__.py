"""The SageMaker Pipelines definition language: values, JSON both ways, validation. Needs neither Airflow nor AWS."""

from sagemaker_provider.definition.conditions import (
    Equals,
    GreaterThan,
    GreaterThanOrEqualTo,
    In,
    LessThan,
    LessThanOrEqualTo,
    Not,
    Or,
)
from sagemaker_provider.definition.expressions import Get, Join, JsonGet
from sagemaker_provider.definition.findings import Finding, Severity
from sagemaker_provider.definition.model import (
    CacheConfig,
    DefinitionError,
    Dependency,
    OutputParameter,
    Parameter,
    PipelineDefinition,
    PropertyFile,
    RetryPolicy,
    Step,
)
from sagemaker_provider.definition.step_types import STEP_TYPES, State, StepType

__all__ = [
    "STEP_TYPES",
    "CacheConfig",
    "DefinitionError",
    "Dependency",
    "Equals",
    "Finding",
    "Get",
    "GreaterThan",
    "GreaterThanOrEqualTo",
    "In",
    "Join",
    "JsonGet",
    "LessThan",
    "LessThanOrEqualTo",
    "Not",
    "Or",
    "OutputParameter",
    "Parameter",
    "PipelineDefinition",
    "PropertyFile",
    "RetryPolicy",
    "Severity",
    "State",
    "Step",
    "StepType",
]
