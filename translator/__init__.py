"""Airflow DAG to SageMaker pipeline definition, with findings on everything that differs."""

from sagemaker_provider.translator.convert import Conversion, Settings, convert
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.registry import (
    Absorbed,
    Given,
    Setting,
    Stays,
    Steps,
    TaskStep,
    Vanishes,
    XComFile,
    translates,
)

__all__ = [
    "Absorbed",
    "Conversion",
    "Defaults",
    "Given",
    "Setting",
    "Settings",
    "Stays",
    "Steps",
    "TaskStep",
    "Vanishes",
    "XComFile",
    "convert",
    "translates",
]
