"""Python tasks that only start one thing in SageMaker and wait for it, which an operator does as well."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sagemaker_provider.translator.companions import secret_in
from sagemaker_provider.translator.syntax import NO_DEFAULT, Code, constant, text_of

_CALLS: Final = {
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
_METHODS: Final = {
    "run": {"Processor": "SageMakerProcessingOperator"},
    "transform": {"Transformer": "SageMakerTransformOperator"},
    "fit": {"Tuner": "SageMakerTuningOperator", "AutoML": "SageMakerAutoMLOperator", "": "SageMakerTrainingOperator"},
}
"""Methods of the SageMaker SDK -> end of the name of the class -> the operator that makes a native step of the same job."""
_MEMBERS: Final[dict[str, dict[str, str]]] = {
    "SageMakerTrainingOperator": {
        "image_uri": "AlgorithmSpecification.TrainingImage",
        "input_mode": "AlgorithmSpecification.TrainingInputMode",
        "role": "RoleArn",
        "environment": "Environment",
        "output_path": "OutputDataConfig.S3OutputPath",
        "instance_type": "ResourceConfig.InstanceType",
        "instance_count": "ResourceConfig.InstanceCount",
        "volume_size": "ResourceConfig.VolumeSizeInGB",
        "max_run": "StoppingCondition.MaxRuntimeInSeconds",
    },
    "SageMakerProcessingOperator": {
        "image_uri": "AppSpecification.ImageUri",
        "command": "AppSpecification.ContainerEntrypoint",
        "entrypoint": "AppSpecification.ContainerEntrypoint",
        "arguments": "AppSpecification.ContainerArguments",
        "role": "RoleArn",
        "env": "Environment",
        "instance_type": "ProcessingResources.ClusterConfig.InstanceType",
        "instance_count": "ProcessingResources.ClusterConfig.InstanceCount",
        "volume_size_in_gb": "ProcessingResources.ClusterConfig.VolumeSizeInGB",
        "max_runtime_in_seconds": "StoppingCondition.MaxRuntimeInSeconds",
    },
    "SageMakerTransformOperator": {
        "model_name": "ModelName",
        "strategy": "BatchStrategy",
        "env": "Environment",
        "output_path": "TransformOutput.S3OutputPath",
        "accept": "TransformOutput.Accept",
        "assemble_with": "TransformOutput.AssembleWith",
        "instance_type": "TransformResources.InstanceType",
        "instance_count": "TransformResources.InstanceCount",
        "data": "TransformInput.DataSource.S3DataSource.S3Uri",
        "content_type": "TransformInput.ContentType",
        "split_type": "TransformInput.SplitType",
    },
}
"""Arguments of the SDK's constructors and methods -> member of the request, by operator."""
_LOCAL: Final = ("sagemaker_session", "logs", "wait")
"""Arguments of the SDK that are about this process."""
_AROUND: Final = frozenset(
    [
        *("client", "Session", "session", "get_execution_role", "get_waiter", "wait", "sleep", "logs"),
        *("TrainingInput", "ProcessingInput", "ProcessingOutput", "get_current_context"),
        *("print", "debug", "info", "warning", "error", "exception", "getLogger", "format", "join", "strip", "lower"),
        *(
            "str",
            "int",
            "float",
            "len",
            "range",
            "min",
            "max",
            "dict",
            "list",
            "get",
            "items",
            "keys",
            "update",
            "append",
        ),
        *("startswith", "endswith", "replace", "split", "dumps", "loads", "isinstance"),
        *("now", "utcnow", "today", "time", "monotonic", "strftime", "isoformat", "timestamp"),
        *("xcom_pull", "xcom_push"),
    ]
)
"""What code may call beside: what waits, tells, or puts values together."""


@dataclass(frozen=True)
class NativeCall:
    """What code starts, and the operator that does the same.

    :param call: method of boto3, or class and method of the SageMaker SDK.
    :param operator: class of the amazon provider.
    :param config: the members of its config that the source says.
    :param left: what the source gives beside, and only the run knows, or has another form in the request.
    """

    call: str
    operator: str
    config: Mapping[str, Any]
    left: tuple[str, ...]

    def __str__(self) -> str:
        left = f"; to be filled in: {', '.join(self.left)}" if self.left else ""
        return f"{self.operator}(config={self.config!r}) does the same{left}"


def native_call(every: Sequence[Code]) -> NativeCall | None:
    """The one thing of SageMaker that code starts through boto3 or the SageMaker SDK, if it otherwise only waits for it."""
    starts: list[tuple[str, str, Sequence[ast.Call]]] = []
    own = {node.name for code in every for node in code.nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    of_boto3 = False
    for code in every:
        made = _made(code)
        for call in (node for node in code.nodes if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in _CALLS:
                starts.append((name, _CALLS[name], (call,)))
            elif constructor := made.get(_receiver(call)):
                cls = code.words(constructor.func)[-1]
                operators = [item for end, item in _METHODS.get(name, {}).items() if end in cls]
                if operators:
                    starts.append((f"{cls}.{name}", operators[0], (constructor, call)))
                elif name not in _AROUND:
                    return None
            elif name in ("client", "resource"):
                if name == "resource" or _service(call) != "sagemaker":
                    return None
                of_boto3 = True
            elif call not in made.values() and not _harmless(code, call, name, own):
                return None
    if len(starts) != 1:
        return None
    ((name, operator, calls),) = starts
    if name in _CALLS and not of_boto3:
        return None
    config, left = _config(calls, None if name in _CALLS else _MEMBERS.get(operator, {}))
    return None if secret_in("", config) else NativeCall(name, operator, config, tuple(left))


def _made(code: Code) -> dict[str, ast.Call]:
    """Variables that get an object of the SageMaker SDK -> the call of its class."""
    modules: dict[str, str] = {}
    for node in code.nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {item.asname or item.name: node.module for item in node.names}
        elif isinstance(node, ast.Import):
            modules |= {item.asname or item.name.partition(".")[0]: item.name for item in node.names}
    found = {}
    for node in code.nodes:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name):
            first = node.value.func
            while isinstance(first, ast.Attribute):
                first = first.value
            module = modules.get(first.id, "") if isinstance(first, ast.Name) else ""
            if module.partition(".")[0] == "sagemaker" and code.words(node.value.func)[-1][:1].isupper():
                found[node.targets[0].id] = node.value
    return {name: call for name, call in found.items() if code.words(call.func)[-1] not in _AROUND}


def _receiver(call: ast.Call) -> str:
    """The variable whose method is called."""
    return call.func.value.id if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) else ""


def _service(call: ast.Call) -> str | None:
    return text_of(
        call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "service_name"), None)
    )


def _harmless(code: Code, call: ast.Call, name: str, own: Iterable[str]) -> bool:
    raised = isinstance(code.parents.get(call), ast.Raise)
    return raised or name in _AROUND or name in own or name.startswith("describe_")


def _config(calls: Iterable[ast.Call], members: Mapping[str, str] | None) -> tuple[dict[str, Any], list[str]]:
    """The members of a config that calls say, and what else they say.

    :param members: argument -> member; ``None`` where the arguments are the members.
    """
    config: dict[str, Any] = {}
    left: list[str] = []

    def put(path: tuple[str, ...], node: ast.expr) -> None:
        keys = [text_of(key) for key in node.keys] if isinstance(node, ast.Dict) else []
        if isinstance(node, ast.Dict) and keys and None not in keys:
            for key, item in zip(keys, node.values):
                put((*path, str(key)), item)
        elif (value := constant(node)) is NO_DEFAULT:
            left.append(".".join(path))
        else:
            target = config
            for name in path[:-1]:
                target = target.setdefault(name, {})
            target[path[-1]] = value

    for call in calls:
        left += [ast.unparse(item) for item in call.args]
        for keyword in call.keywords:
            place = keyword.arg if members is None else members.get(keyword.arg or "")
            if keyword.arg is None or place is None:
                left += [keyword.arg or f"**{ast.unparse(keyword.value)}"] if keyword.arg not in _LOCAL else []
            else:
                put(tuple(place.split(".")), keyword.value)
    return config, left
