"""Processing and training jobs as processes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.local import toolkit, transfers
from sagemaker_provider.local.containers import ML, Container, environment
from sagemaker_provider.local.transfers import JobError, join

if TYPE_CHECKING:
    from sagemaker_provider.local.jobs import Outcome, Run

_DAY: Final = 86400
_MESSAGE_LENGTH: Final = 1024
_HOW: Final = {
    "namespace": "as a process with a private /opt/ml",
    "paths": "as a process; /opt/ml is replaced by a folder in arguments, environment and configuration, not inside of code",
    "docker": "in Docker",
}


def environment_of(run: Run, record: Mapping[str, Any], **own: str) -> dict[str, str]:
    """The environment of a job's process.

    :param own: variables that SageMaker sets for this kind of job.
    """
    local = run.local
    base = environment(local.settings, local.work, local.url, run.region)
    return {**base, **own, **record.get("Environment", {})}


def header(container: Container, hosts: int, command: Sequence[str]) -> str:
    """First line of a log: that this is no AWS, and how the job runs."""
    one = f", on one host instead of {hosts}" if hosts > 1 else ""
    return f"local SageMaker: runs on this machine {_HOW[container.isolation]}{one}: {' '.join(command)}"


def max_seconds(record: Mapping[str, Any]) -> float:
    """How long a job may run."""
    return float(record.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DAY))


# Processing


def processing(run: Run) -> Outcome:
    """Run a Processing job."""
    record = run.record
    application = record["AppSpecification"]
    container = run.container(application["ImageUri"])
    for item in record.get("ProcessingInputs", ()):
        source = item.get("S3Input")
        if source and not item.get("AppManaged"):
            run.check_stop()
            folder = container.path(source.get("LocalPath", ""))
            unzip = source.get("S3CompressionType") == "Gzip"
            transfers.download(run.s3, source, folder, unzip=unzip, role=record.get("RoleArn", ""))
    outputs = [
        item["S3Output"]
        for item in record.get("ProcessingOutputConfig", {}).get("Outputs", ())
        if "S3Output" in item and not item.get("AppManaged")
    ]
    container.make(toolkit.OUTPUT, *(item["LocalPath"] for item in outputs if "LocalPath" in item))
    container.write(f"{ML}/config/processingjobconfig.json", _processing_config(record))
    container.write(f"{ML}/config/resourceconfig.json", {"current_host": toolkit.HOST, "hosts": [toolkit.HOST]})

    variables = environment_of(
        run, record, PROCESSING_JOB_NAME=record["ProcessingJobName"], PROCESSING_JOB_ARN=record["ProcessingJobArn"]
    )
    entry, arguments = application.get("ContainerEntrypoint", []), application.get("ContainerArguments", [])
    if container.isolation == "docker":
        run.start(container, lambda: container.start_image(entry, arguments, variables))
    else:
        run.start(container, lambda: container.start([*entry, *arguments], variables))
    run.hosts = record["ProcessingResources"].get("ClusterConfig", {}).get("InstanceCount", 1)
    limit = max_seconds(record)
    code = run.watch_over(container, limit, header(container, run.hosts, [*entry, *arguments]))

    done = code == 0 and run.stop_reason is None
    for item in outputs if run.stop_reason != "close" else ():
        if "LocalPath" in item and (done or item.get("S3UploadMode") == "Continuous"):
            folder = container.path(item["LocalPath"])
            transfers.upload(run.s3, folder, item["S3Uri"], container.outputs(folder))
    return _processing_outcome(run, container.text(f"{toolkit.OUTPUT}/message", _MESSAGE_LENGTH), code, limit)


def _processing_outcome(run: Run, message: str, code: int, limit: float) -> Outcome:
    members = {"ExitMessage": message} if message else {}
    if run.stop_reason == "max runtime":
        late = f"The job ran longer than its MaxRuntimeInSeconds ({limit:g}) and was stopped."
        return "Stopped", {"ExitMessage": f"{message} {late}".strip()[-_MESSAGE_LENGTH:]}
    if run.stop_reason is not None:
        return "Stopped", members
    if code == 0:
        return "Completed", members
    text = message or "See job logs for more information"
    return "Failed", {**members, "FailureReason": _algorithm_error(text, code)}


def _algorithm_error(text: str, code: int) -> str:
    end = f", exit code: {code}"
    return f"AlgorithmError: {text[: _MESSAGE_LENGTH - 16 - len(end)]}{end}"


def _processing_config(record: Mapping[str, Any]) -> dict[str, Any]:
    """Content of ``processingjobconfig.json``; members that the request leaves out are null, as in the service."""
    outputs = record.get("ProcessingOutputConfig", {})
    return {
        "ProcessingJobArn": record["ProcessingJobArn"],
        "ProcessingJobName": record["ProcessingJobName"],
        "Environment": record.get("Environment"),
        "AppSpecification": {
            name: record["AppSpecification"].get(name)
            for name in ("ImageUri", "ContainerEntrypoint", "ContainerArguments")
        },
        "ProcessingInputs": record.get("ProcessingInputs"),
        "ProcessingOutputConfig": {"Outputs": outputs.get("Outputs", []), "KmsKeyId": outputs.get("KmsKeyId")},
        "ProcessingResources": record["ProcessingResources"],
        "NetworkConfig": record.get("NetworkConfig"),
        "RoleArn": record.get("RoleArn"),
        "StoppingCondition": {"MaxRuntimeInSeconds": int(max_seconds(record))},
        "ExperimentConfig": record.get("ExperimentConfig"),
    }


# Training


def training(run: Run) -> Outcome:
    """Run a Training job: an entry point, or a script as the training toolkit of the framework images does."""
    record = run.record
    algorithm = record["AlgorithmSpecification"]
    run.watch(algorithm.get("MetricDefinitions", ()))
    container = run.container(algorithm.get("TrainingImage", ""))
    run.phase("Downloading", "Downloading input data to this machine")
    inputs = _channels(run, container, record)
    checkpoints = record.get("CheckpointConfig")
    if checkpoints:
        _restore(run, container, checkpoints)
    container.make(toolkit.MODEL, f"{toolkit.OUTPUT}/data", toolkit.CODE, f"{ML}/input/data")
    resources = _resource_config(record)
    for name, content in (
        ("hyperparameters", record.get("HyperParameters", {})),
        ("resourceconfig", resources),
        ("inputdataconfig", inputs),
    ):
        container.write(f"{toolkit.INPUT_CONFIG}/{name}.json", content)

    entry, arguments = algorithm.get("ContainerEntrypoint", []), algorithm.get("ContainerArguments", [])
    variables = environment_of(
        run, record, TRAINING_JOB_NAME=record["TrainingJobName"], TRAINING_JOB_ARN=record["TrainingJobArn"]
    )
    scripted = not entry and container.isolation != "docker"
    command = [*entry, *arguments]
    notes: list[str] = []
    if scripted:
        command, own, notes = _script(run, container, record, resources, inputs)
        variables = {**own, **variables}
    run.phase("Training", f"Training on this machine, {_HOW[container.isolation]} (local SageMaker)")
    if container.isolation == "docker":
        given = arguments if entry or arguments else ["train"]
        run.start(container, lambda: container.start_image(entry, given, variables))
    else:
        run.start(container, lambda: container.start(command, variables, toolkit.CODE if scripted else None))
    run.hosts = record.get("ResourceConfig", {}).get("InstanceCount", 1)
    code = run.watch_over(container, max_seconds(record), header(container, run.hosts, command), *notes)
    return _training_outcome(run, container, record, code, command if scripted else None)


def _script(
    run: Run,
    container: Container,
    record: Mapping[str, Any],
    resources: Mapping[str, Any],
    inputs: Mapping[str, Any],
) -> tuple[list[str], dict[str, str], list[str]]:
    """Script mode: the command, variables and notes for the log."""
    hyperparameters = record.get("HyperParameters", {})
    script, source = toolkit.program(hyperparameters, record.get("Environment", {}))
    fetch_code(run, container, source)
    code = container.path(toolkit.CODE)
    values = toolkit.user_hyperparameters(hyperparameters)
    if not script.endswith(".py") and (code / script).is_file():
        (code / script).chmod(0o755)  # archives of the SDK have scripts without it; the toolkit does so too
    command = toolkit.command(script, values, is_package=(code / "setup.py").exists())
    variables = toolkit.variables(hyperparameters, resources, inputs, script, source, record["TrainingJobName"])
    note = "local SageMaker: requirements.txt is not installed; what this machine's Python has is used"
    return command, {"PYTHONPATH": toolkit.CODE, **variables}, [note] * (code / "requirements.txt").exists()


def _training_outcome(
    run: Run, container: Container, record: Mapping[str, Any], code: int, script: Sequence[str] | None
) -> Outcome:
    """Upload what a training made; how it ended.

    :param script: the command of script mode.
    """
    if run.stop_reason == "close":
        return "Stopped", {}
    members = _final_metrics(run)
    if checkpoints := record.get("CheckpointConfig"):
        folder = container.path(_checkpoint_path(checkpoints))
        transfers.upload(run.s3, folder, checkpoints["S3Uri"], container.outputs(folder))
    if run.stop_reason is None:
        run.phase("Uploading", "Uploading what the job made")
    members.update(_upload(run, container, record, with_model=code == 0 or run.stop_reason is not None))
    if run.stop_reason == "max runtime":
        return "Stopped", {**members, "SecondaryStatus": "MaxRuntimeExceeded"}
    if run.stop_reason is not None:
        return "Stopped", members
    if code == 0:
        return "Completed", members
    text = container.text(f"{toolkit.OUTPUT}/failure", _MESSAGE_LENGTH)
    if not text and script:
        text = toolkit.failure(script, code, container.log_end(8192))
    return "Failed", {**members, "FailureReason": _algorithm_error(text, code)}


def _channels(run: Run, container: Container, record: Mapping[str, Any]) -> dict[str, Any]:
    """Download the channels; content of ``inputdataconfig.json``."""
    config = {}
    for channel in record.get("InputDataConfig", ()):
        run.check_stop()
        source = channel["DataSource"]["S3DataSource"]
        folder = container.path(f"{ML}/input/data/{channel['ChannelName']}")
        unzip = channel.get("CompressionType") == "Gzip"
        transfers.download(run.s3, source, folder, unzip=unzip, role=record.get("RoleArn", ""))
        config[channel["ChannelName"]] = {
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
            "TrainingInputMode": "File",
            "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": "None",
        }
    return config


def _resource_config(record: Mapping[str, Any]) -> dict[str, Any]:
    instance = record.get("ResourceConfig", {}).get("InstanceType", "local")
    group = {"instance_group_name": toolkit.GROUP, "instance_type": instance, "hosts": [toolkit.HOST]}
    return {
        "current_host": toolkit.HOST,
        "current_instance_type": instance,
        "current_group_name": toolkit.GROUP,
        "hosts": [toolkit.HOST],
        "instance_groups": [group],
        "network_interface_name": toolkit.INTERFACE,
    }


def fetch_code(run: Run, container: Container, source: str) -> None:
    """Bring user code to ``/opt/ml/code``.

    :param source: a tar.gz or a folder, in S3 or in the container.
    :raises JobError: it is not there.
    """
    target = container.path(toolkit.CODE)
    if source.startswith("s3://"):
        found = transfers.keys(run.s3, source)
        bucket, key = transfers.location(source)
        if key not in found:
            transfers.download(run.s3, {"S3Uri": source}, target)
            return
        archive = container.folder / "code.tar.gz"
        transfers.fetch(run.s3, bucket, key, archive)
        transfers.unpack(archive, target)
        archive.unlink()
        return
    place = container.path(source.removeprefix("file://"))
    if place == target:
        return
    if place.is_dir():
        shutil.copytree(place, target, dirs_exist_ok=True)
    elif place.is_file():
        transfers.unpack(place, target)
    else:
        raise JobError(f"ClientError: there is no code at {source!r}")


def _checkpoint_path(config: Mapping[str, str]) -> str:
    return config.get("LocalPath", f"{ML}/checkpoints")


def _restore(run: Run, container: Container, config: Mapping[str, str]) -> None:
    folder = container.path(_checkpoint_path(config))
    folder.mkdir(parents=True, exist_ok=True)
    if transfers.listed(run.s3, config["S3Uri"]):
        transfers.download(run.s3, {"S3Uri": config["S3Uri"]}, folder)


def _upload(run: Run, container: Container, record: Mapping[str, Any], *, with_model: bool) -> dict[str, Any]:
    """Upload model and output data; the members that say where the model is."""
    config = record["OutputDataConfig"]
    base = join(config["S3OutputPath"], record["TrainingJobName"], "output")
    packed = config.get("CompressionType", "GZIP") == "GZIP"
    data = container.path(f"{toolkit.OUTPUT}/data")
    if data.is_dir() and any(data.iterdir()):
        _upload_one(run, container, data, join(base, "output.tar.gz" if packed else "data"), packed=packed)
    if not with_model:
        return {}
    uri = join(base, "model.tar.gz" if packed else "model")
    model = container.path(toolkit.MODEL)
    model.mkdir(exist_ok=True)
    _upload_one(run, container, model, uri, packed=packed)
    return {"ModelArtifacts": {"S3ModelArtifacts": uri if packed else f"{uri}/"}}


def _upload_one(run: Run, container: Container, folder: Path, uri: str, *, packed: bool) -> None:
    if packed:
        archive = transfers.pack(folder, container.folder / "upload.tar.gz")
        transfers.put(run.s3, uri, archive)
        archive.unlink()
    else:
        transfers.upload(run.s3, folder, uri, container.outputs(folder))


def _final_metrics(run: Run) -> dict[str, Any]:
    metrics = [
        {"MetricName": name, "Value": value, "Timestamp": at}
        for name, (value, at) in run.metrics.items()
        if math.isfinite(value)
    ]
    return {"FinalMetricDataList": metrics} if metrics else {}
