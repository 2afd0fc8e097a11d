"""Airflow DAG to SageMaker pipeline definition, with findings on everything that differs."""

from sagemaker_provider.translator.convert import Conversion, Settings, convert
from sagemaker_provider.translator.registry import Absorbed, Stays, TaskStep, Vanishes, translates

__all__ = ["Absorbed", "Conversion", "Settings", "Stays", "TaskStep", "Vanishes", "convert", "translates"]
