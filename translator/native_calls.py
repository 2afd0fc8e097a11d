"""Python tasks that only call SageMaker, which an operator does as well."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Final

from sagemaker_provider.translator.syntax import text_of

_CREATES: Final = {
    "create_training_job": "SageMakerTrainingOperator",
    "create_processing_job": "SageMakerProcessingOperator",
    "create_transform_job": "SageMakerTransformOperator",
    "create_hyper_parameter_tuning_job": "SageMakerTuningOperator",
    "create_auto_ml_job": "SageMakerAutoMLOperator",
    "create_model": "SageMakerModelOperator",
    "create_endpoint_config": "SageMakerEndpointConfigOperator",
    "create_endpoint": "SageMakerEndpointOperator",
    "create_model_package": "SageMakerRegisterModelVersionOperator",
}
"""boto3 calls of SageMaker -> the operator that makes a native step of the same call."""


def native_call(trees: Iterable[ast.AST]) -> str | None:
    """The one call of SageMaker that code makes through boto3, if it makes one and otherwise only waits for it.

    :return: a key of the operators that do the same.
    """
    found: list[str] = []
    client = False
    for tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if name == "client" and node.args:
                if text_of(node.args[0]) != "sagemaker" or client:
                    return None
                client = True
            elif name in ("resource", "upload_file", "put_object", "invoke"):
                return None
            elif name.startswith(("create_", "update_", "delete_", "start_", "stop_", "put_")):
                found.append(name)
    return found[0] if client and len(found) == 1 and found[0] in _CREATES else None


def operator_for(call: str) -> str:
    """The operator whose step makes a call of SageMaker."""
    return _CREATES[call]
