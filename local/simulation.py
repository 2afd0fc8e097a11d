"""Jobs that run no code: they end well, say that they were simulated, and write outputs that say so too."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.local import runnable, transfers
from sagemaker_provider.local.transfers import join

if TYPE_CHECKING:
    from sagemaker_provider.local.jobs import Outcome, Run

MARK: Final = "Simulated by the local SageMaker; no code ran.\n"

_STATISTICS: Final = {"version": 0.0, "dataset": {"item_count": 0}, "features": []}
_CONSTRAINTS: Final = {
    "version": 0.0,
    "features": [],
    "monitoring_config": {"evaluate_constraints": "Enabled", "emit_metrics": "Enabled"},
}
_ANALYSIS: Final = {
    "version": "1.0",
    "explanations": {},
    "pre_training_bias_metrics": {},
    "post_training_bias_metrics": {},
}
_CHECK_IMAGES: Final[Mapping[str, Mapping[str, Any]]] = {
    "sagemaker-model-monitor-analyzer": {"statistics.json": _STATISTICS, "constraints.json": _CONSTRAINTS},
    "sagemaker-clarify-processing": {"analysis.json": _ANALYSIS},
}
"""What the images of check steps write, when they have nothing to say."""
_MINIMIZED: Final = ("MSE", "RMSE", "MAE", "MAPE", "MASE", "WAPE", "AverageWeightedQuantileLoss")

_AUTOML_ENVIRONMENT: Final = {
    "MODEL_NAME": "simulated",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
    "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label",
    "SAGEMAKER_INFERENCE_SUPPORTED": "predicted_label,probability,labels,probabilities",
    "SAGEMAKER_PROGRAM": "sagemaker_serve",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "SIMULATED": "true",
}
"""Variables of the containers that Autopilot makes, as AWS's example of a pipeline with Autopilot reads them."""


def why(run: Run) -> str | None:
    """Why a job is simulated, or ``None`` when it runs. Tuning jobs always run; their trainings may be simulated."""
    if run.kind == "HyperParameterTuningJob":
        return None
    if run.settings.images == "simulate-all":
        return "the settings say that all jobs are"
    return runnable.why_not(run.local, run.region, run.kind, run.record)


def simulate(run: Run) -> Outcome:
    """Write the outputs of a job; how it ended."""
    run.check_stop()
    return "Completed", _SIMULATIONS[run.kind](run, run.record)


def number(*parts: Any) -> float:
    """A number from 0 to 1 that depends on nothing but its parts."""
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()
    return round(int.from_bytes(digest[:6], "big") / 2**48, 6)


def _processing(run: Run, record: Mapping[str, Any]) -> dict[str, Any]:
    image = record["AppSpecification"]["ImageUri"]
    content = next((files for name, files in _CHECK_IMAGES.items() if name in image), {"simulated.txt": MARK})
    for item in record.get("ProcessingOutputConfig", {}).get("Outputs", ()):
        uri = item.get("S3Output", {}).get("S3Uri")
        if not uri:
            continue
        folder = run.settings.simulated_outputs and run.settings.simulated_outputs / item["OutputName"]
        if folder and folder.is_dir():
            transfers.upload(run.s3, folder, uri)
            continue
        for name, value in content.items():
            transfers.put(run.s3, join(uri, name), (value if isinstance(value, str) else json.dumps(value)).encode())
    return {"ExitMessage": f"local SageMaker: simulated, no code ran: {run.why_simulated}"[:1024]}


def _training(run: Run, record: Mapping[str, Any]) -> dict[str, Any]:
    run.phase("Training", f"local SageMaker: simulated, no code runs: {run.why_simulated}")
    hyperparameters = record.get("HyperParameters", {})
    names = [item["Name"] for item in record.get("AlgorithmSpecification", {}).get("MetricDefinitions", ())]
    if objective := hyperparameters.get(
        "_tuning_objective_metric"
    ):  # built-in algorithms define their metrics themselves
        names.append(objective)
    values = {name: item for name, item in hyperparameters.items() if not name.startswith(("sagemaker_", "_"))}
    now = time.time()
    metrics = [{"MetricName": name, "Value": number(name, values), "Timestamp": now} for name in dict.fromkeys(names)]
    config = record["OutputDataConfig"]
    base = join(config["S3OutputPath"], record["TrainingJobName"], "output")
    if config.get("CompressionType", "GZIP") == "GZIP":
        uri = join(base, "model.tar.gz")
        transfers.put(run.s3, uri, _archive())
    else:
        uri = join(base, "model/")
        transfers.put(run.s3, join(base, "model", "simulated.txt"), MARK.encode())
    return {
        "ModelArtifacts": {"S3ModelArtifacts": uri},
        **({"FinalMetricDataList": metrics} if metrics else {}),
    }


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("simulated.txt")
        info.size = len(MARK)
        tar.addfile(info, io.BytesIO(MARK.encode()))
    return buffer.getvalue()


def _transform(run: Run, record: Mapping[str, Any]) -> dict[str, Any]:
    uri = record["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    prefix = transfers.location(uri)[1]
    names = [transfers.relative(key, prefix) for key in transfers.listed(run.s3, uri) if not key.endswith("/")]
    for name in names or ["simulated"]:
        transfers.put(run.s3, join(record["TransformOutput"]["S3OutputPath"], f"{name}.out"), MARK.encode())
    return {}


def _automl(run: Run, record: Mapping[str, Any]) -> dict[str, Any]:
    name, now = record["AutoMLJobName"], time.time()
    base = join(record["OutputDataConfig"]["S3OutputPath"], name)
    model = join(base, "tuning", "simulated", "output", "model.tar.gz")
    explainability = join(base, "documentation", "explainability", "output")
    insights = join(base, "documentation", "model_monitor", "output")
    transfers.put(run.s3, model, _archive())
    transfers.put(run.s3, join(explainability, "analysis.json"), json.dumps(_ANALYSIS).encode())
    transfers.put(run.s3, join(insights, "statistics.json"), json.dumps(_STATISTICS).encode())
    default = "MSE" if record.get("ProblemType") == "Regression" else "F1"
    metric = record.get("AutoMLJobObjective", {}).get("MetricName", default)
    candidate = {
        "CandidateName": f"{name}-simulated"[:64],
        "FinalAutoMLJobObjectiveMetric": {
            "Type": "Minimize" if metric in _MINIMIZED else "Maximize",
            "MetricName": metric,
            "Value": number(metric),
        },
        "ObjectiveStatus": "Succeeded",
        "CandidateSteps": [],
        "CandidateStatus": "Completed",
        "InferenceContainers": [
            {
                "Image": "local-sagemaker/simulated:1",
                "ModelDataUrl": model,
                "Environment": _AUTOML_ENVIRONMENT,
            }
        ],
        "CreationTime": record["CreationTime"],
        "EndTime": now,
        "LastModifiedTime": now,
        "CandidateProperties": {
            "CandidateArtifactLocations": {"Explainability": explainability, "ModelInsights": insights}
        },
    }
    return {"BestCandidate": candidate}


def _job(run: Run, record: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_SIMULATIONS: Final[Mapping[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]]] = {
    "ProcessingJob": _processing,
    "TrainingJob": _training,
    "TransformJob": _transform,
    "AutoMLJob": _automl,
    "Job": _job,
}
