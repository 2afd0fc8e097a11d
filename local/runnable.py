"""Whether the code of a job can run on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.local import containers, toolkit

if TYPE_CHECKING:
    from sagemaker_provider.local.service import LocalSageMaker

_BARE: Final = "the image {!r} has its code in itself, and images do not run here"


def why_not(local: LocalSageMaker, region: str, kind: str, request: Mapping[str, Any]) -> str | None:
    """Why a job cannot run on this machine, so that it can only be simulated or refused.

    :param kind: such as ``ProcessingJob``.
    :param request: its create request, or its record.
    :return: all reasons in one text, or ``None`` when it can run.
    """
    reasons = list(_REASONS[kind](local, region, request))
    return "; ".join(dict.fromkeys(reasons)) or None


def _processing(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> Iterator[str]:
    for item in request.get("ProcessingInputs", ()):
        if item.get("AppManaged"):
            continue
        source = item.get("S3Input", {})
        if "DatasetDefinition" in item:
            yield f"input {item['InputName']!r} has a dataset definition, which needs Athena or Redshift"
        if source.get("S3InputMode") == "Pipe":
            yield f"input {item['InputName']!r} is streamed (Pipe), which is not supported"
        yield from _outside(source.get("LocalPath"), f"input {item['InputName']!r}")
    for item in request.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        if "FeatureStoreOutput" in item:
            yield f"output {item['OutputName']!r} goes to the feature store, which is not supported"
        if not item.get("AppManaged"):
            yield from _outside(item.get("S3Output", {}).get("LocalPath"), f"output {item['OutputName']!r}")
    application = request["AppSpecification"]
    command = [*application.get("ContainerEntrypoint", ()), *application.get("ContainerArguments", ())]
    if containers.isolation(local.settings) == "docker":
        return
    if not application.get("ContainerEntrypoint"):
        yield _BARE.format(application["ImageUri"])
    elif reason := containers.cannot_run(command, local.settings):
        yield reason


def _outside(path: str | None, what: str) -> Iterator[str]:
    if path is not None and not containers.is_inside(path):
        yield f"{what} is at {path!r}; only what is below {containers.ML} is here"


def _training(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> Iterator[str]:
    algorithm = request.get("AlgorithmSpecification")
    if algorithm is None:
        yield "serverless training has no code to run here"
        return
    for channel in request.get("InputDataConfig", ()):
        name, source = channel["ChannelName"], channel["DataSource"]
        if channel.get("InputMode", algorithm.get("TrainingInputMode")) == "Pipe":
            yield f"channel {name!r} is streamed (Pipe), which is not supported"
        if "S3DataSource" not in source:
            yield f"channel {name!r} has another source than S3"
        elif source["S3DataSource"]["S3DataType"] not in ("S3Prefix", "ManifestFile"):
            yield f"channel {name!r} has the data type {source['S3DataSource']['S3DataType']}, which is not supported"
        if channel.get("RecordWrapperType") == "RecordIO":
            yield f"channel {name!r} wants RecordIO, which is not supported"
    yield from _outside(request.get("CheckpointConfig", {}).get("LocalPath"), "the checkpoint folder")
    if containers.isolation(local.settings) == "docker":
        return
    yield from _training_code(local, algorithm, request)


def _training_code(local: LocalSageMaker, algorithm: Mapping[str, Any], request: Mapping[str, Any]) -> Iterator[str]:
    if entry := algorithm.get("ContainerEntrypoint"):
        if reason := containers.cannot_run([*entry, *algorithm.get("ContainerArguments", ())], local.settings):
            yield reason
        return
    script, source = toolkit.program(request.get("HyperParameters", {}), request.get("Environment", {}))
    if not script:
        yield _BARE.format(algorithm.get("TrainingImage") or algorithm.get("AlgorithmName"))
    elif not (source.startswith("s3://") or containers.is_inside(_plain(source))):
        yield f"the code of {script!r} (sagemaker_submit_directory) is neither in S3 nor below {containers.ML}"


def _plain(path: str) -> str:
    return path.removeprefix("file://")


def _tuning(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> Iterator[str]:
    for definition in definitions(request):
        algorithm = definition["AlgorithmSpecification"]
        training = {**definition, "HyperParameters": definition.get("StaticHyperParameters", {})}
        yield from _training(local, region, {**training, "AlgorithmSpecification": algorithm})


def definitions(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The training job definitions of a tuning job."""
    if "TrainingJobDefinitions" in request:
        return list(request["TrainingJobDefinitions"])
    return [request["TrainingJobDefinition"]] if "TrainingJobDefinition" in request else []


def _transform(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> Iterator[str]:
    model = local.store.get(region, "Model", request["ModelName"]) or {}
    parts = model_containers(local, region, model)
    if len(parts) > 1:
        yield f"the model {request['ModelName']!r} has {len(parts)} containers, which is not supported"
    source = request["TransformInput"]
    if source.get("SplitType") in ("RecordIO", "TFRecord"):
        yield f"SplitType {source['SplitType']} is not supported"
    if source["DataSource"]["S3DataSource"]["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        yield f"the data type {source['DataSource']['S3DataSource']['S3DataType']} is not supported"
    processing = request.get("DataProcessing", {})
    filters = [name for name in ("InputFilter", "OutputFilter") if processing.get(name, "$") != "$"]
    if processing.get("JoinSource", "None") != "None":
        filters.append("JoinSource")
    if filters:
        yield f"DataProcessing with {' and '.join(filters)} is not supported"
    if containers.isolation(local.settings) == "docker" or not parts:
        return
    if parts[0].get("Mode") == "MultiModel":
        yield "multi-model containers are not supported"
    script, code = toolkit.program({}, {**parts[0].get("Environment", {}), **request.get("Environment", {})})
    if not script:
        yield f"{_BARE.format(parts[0].get('Image'))} (a model with SAGEMAKER_PROGRAM has code that could)"
    elif code and not (code.startswith("s3://") or containers.is_inside(_plain(code))):
        yield f"the code of {script!r} (SAGEMAKER_SUBMIT_DIRECTORY) is neither in S3 nor below {containers.ML}"


def model_containers(local: LocalSageMaker, region: str, model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The containers of a model's record, those of a model package in its place."""
    found: list[dict[str, Any]] = []
    for part in [model["PrimaryContainer"]] if "PrimaryContainer" in model else model.get("Containers", ()):
        package = part.get("ModelPackageName")
        packages = [
            item
            for item in (local.store.records(region, "ModelPackage") if package else ())
            if package in (item["ModelPackageArn"], item.get("ModelPackageName"))
        ]
        inner = packages[0].get("InferenceSpecification", {}).get("Containers", ()) if packages else [part]
        for item in inner:
            found.append({**item, "Environment": {**item.get("Environment", {}), **part.get("Environment", {})}})
    return found


def _never(what: str) -> Callable[..., Iterator[str]]:
    def reason(local: LocalSageMaker, region: str, request: Mapping[str, Any]) -> Iterator[str]:
        yield f"{what} never run here"

    return reason


_REASONS: Final[Mapping[str, Callable[[Any, str, Mapping[str, Any]], Iterator[str]]]] = {
    "ProcessingJob": _processing,
    "TrainingJob": _training,
    "TransformJob": _transform,
    "HyperParameterTuningJob": _tuning,
    "AutoMLJob": _never("AutoML jobs"),
    "Job": _never("jobs of foundation models"),
}
