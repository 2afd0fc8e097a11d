"""What the SageMaker training and inference toolkits do in the framework images: script mode.

Source: github.com/aws/sagemaker-training-toolkit, ``environment.py``, ``mapping.py`` and ``entry_point.py``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from sagemaker_provider.local.containers import ML

CODE: Final = f"{ML}/code"
INPUT_CONFIG: Final = f"{ML}/input/config"
OUTPUT: Final = f"{ML}/output"
MODEL: Final = f"{ML}/model"
HOST: Final = "algo-1"
GROUP: Final = "homogeneousCluster"
INTERFACE: Final = "lo"

_OWN: Final = ("_tuning_objective_metric", "default_user_module_name")
_OWN_PREFIX: Final = "sagemaker_"
_KNOWN: Final = (
    "program",
    "submit_directory",
    "enable_cloudwatch_metrics",
    "region",
    "container_log_level",
    "job_name",
)


def decoded(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Hyperparameters with the types that their texts have as JSON; what is no JSON stays text."""
    result: dict[str, Any] = {}
    for name, text in hyperparameters.items():
        try:
            result[name] = json.loads(text)
        except ValueError:
            result[name] = text
    return result


def program(hyperparameters: Mapping[str, str], variables: Mapping[str, str]) -> tuple[str, str]:
    """The script of script mode and where its code is, from hyperparameters or environment; empty if there is none."""
    values = decoded(hyperparameters)
    script = values.get("sagemaker_program") or variables.get("SAGEMAKER_PROGRAM") or ""
    source = values.get("sagemaker_submit_directory") or variables.get("SAGEMAKER_SUBMIT_DIRECTORY") or ""
    return str(script), str(source)


def user_hyperparameters(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Decoded hyperparameters without those that are meant for SageMaker."""
    values = decoded(hyperparameters)
    return {name: item for name, item in values.items() if name not in _OWN and not name.startswith(_OWN_PREFIX)}


def arguments(values: Mapping[str, Any]) -> list[str]:
    """Command line arguments of hyperparameters, in the order of their names."""
    result: list[str] = []
    for name, value in sorted(values.items()):
        text = ",".join(f"{key}={item}" for key, item in sorted(value.items())) if isinstance(value, dict) else value
        result += [f"--{name}" if len(name) > 1 else f"-{name}", "" if text is None else str(text)]
    return result


def command(script: str, values: Mapping[str, Any], *, is_package: bool) -> list[str]:
    """How the toolkit runs a script.

    :param is_package: its folder has a ``setup.py``.
    """
    given = arguments(values)
    if is_package:
        module = script[: -len(".py")] if script.endswith(".py") else script
        return ["python", "-m", module, *given]
    if script.endswith(".py"):
        return ["python", script, *given]
    return ["/bin/sh", "-c", '"$0" "$@"', f"./{script}", *given]


def variables(
    hyperparameters: Mapping[str, str],
    resources: Mapping[str, Any],
    inputs: Mapping[str, Any],
    script: str,
    source: str,
    job: str,
) -> dict[str, str]:
    """The ``SM_*`` variables.

    :param resources: content of ``resourceconfig.json``.
    :param inputs: content of ``inputdataconfig.json``.
    :param script: the program.
    :param source: where its code came from.
    :param job: name of the training job.
    """
    everything, values = decoded(hyperparameters), user_hyperparameters(hyperparameters)
    framework = {
        name: item
        for name, item in everything.items()
        if name.startswith(_OWN_PREFIX) and name[len(_OWN_PREFIX) :] not in (*_KNOWN, "s3_output")
    }
    channels = {name: f"{ML}/input/data/{name}" for name in inputs}
    common: dict[str, Any] = {
        "hosts": resources["hosts"],
        "network_interface_name": resources["network_interface_name"],
        "resource_config": resources,
        "input_data_config": inputs,
        "output_data_dir": f"{OUTPUT}/data",
        "current_host": resources["current_host"],
        "current_instance_type": resources["current_instance_type"],
        "current_instance_group": GROUP,
        "current_instance_group_hosts": resources["hosts"],
        "instance_groups": [GROUP],
        "instance_groups_dict": {GROUP: resources["instance_groups"][0]},
        "distribution_instance_groups": [],
        "is_hetero": False,
        "module_name": str(PurePosixPath(script).with_suffix("")) if script.endswith(".py") else script,
        "log_level": everything.get("sagemaker_container_log_level", 20),
        "framework_module": None,
        "input_dir": f"{ML}/input",
        "input_config_dir": INPUT_CONFIG,
        "output_dir": OUTPUT,
        "output_intermediate_dir": f"{OUTPUT}/intermediate",
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": 0,
        "model_dir": MODEL,
        "module_dir": source or CODE,
        "user_entry_point": script,
    }
    training = {
        **common,
        "additional_framework_parameters": framework,
        "channel_input_dirs": channels,
        "hyperparameters": values,
        "is_master": True,
        "job_name": job,
        "master_hostname": HOST,
    }
    result = {
        **common,
        "hps": values,
        "framework_params": framework,
        "channels": sorted(channels),
        "training_env": training,
        "user_args": arguments(values),
        **{f"channel_{name}": path for name, path in channels.items()},
        **{f"hp_{name}": value for name, value in values.items()},
    }
    return {f"SM_{name.upper()}": _as_text(value) for name, value in result.items()}


def failure(script: Sequence[str], code: int, log: str) -> str:
    """The text that the toolkit writes to the failure file when the script fails."""
    lines = log.rstrip().splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    error = "\n".join(lines[starts[-1] :] if starts else lines[-1:])
    return f'ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "{error}"\nCommand "{" ".join(script)}"'


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
