"""Steps that are jobs: Processing, Training, Tuning, AutoML, Transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sagemaker_provider.definition.model import PropertyFile
from sagemaker_provider.operators.base import SageMakerStepOperator


class SageMakerProcessingStepOperator(SageMakerStepOperator):
    """Runs a processing job.

    :param config: CreateProcessingJob request. ``ProcessingJobName`` is a prefix and may be left out.
    :param property_files: JSON files among the outputs that conditions and later steps read.
    """

    step_type = "Processing"

    def __init__(self, *, property_files: Sequence[PropertyFile] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.property_files = tuple(property_files)

    def property_file(self, name: str) -> PropertyFile:
        """One of the step's property files; :class:`ValueError` when there is none of this name."""
        for file in self.property_files:
            if file.name == name:
                return file
        known = ", ".join(file.name for file in self.property_files) or "none"
        raise ValueError(f"{self.task_id} has no property file {name!r}; it has {known}")

    def step_members(self) -> dict[str, Any]:
        """The property files."""
        return {"PropertyFiles": self.property_files} if self.property_files else {}


class SageMakerTrainingStepOperator(SageMakerStepOperator):
    """Runs a training job.

    :param config: CreateTrainingJob request. ``TrainingJobName`` is a prefix and may be left out.
    """

    step_type = "Training"


class SageMakerTuningStepOperator(SageMakerStepOperator):
    """Runs a hyperparameter tuning job.

    The result also has ``TrainingJobSummaries``, the trainings from best to worst, at most 50.

    :param config: CreateHyperParameterTuningJob request. ``HyperParameterTuningJobName`` is a prefix and may be left out.
    """

    step_type = "Tuning"

    def finish(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """The description with the summaries of the best trainings, as pipelines offer them."""
        request = {**identifiers, "SortBy": "FinalObjectiveMetricValue", "SortOrder": "Descending", "MaxResults": 50}
        objective = description["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective") or {}
        if objective.get("Type") == "Minimize":
            request["SortOrder"] = "Ascending"
        summaries = self.hook.call("ListTrainingJobsForHyperParameterTuningJob", request)["TrainingJobSummaries"]
        return {**description, "TrainingJobSummaries": summaries}


class SageMakerAutoMLStepOperator(SageMakerStepOperator):
    """Runs an Autopilot job (version 1 of the API, mode ``ENSEMBLING``, the only ones pipelines have).

    :param config: CreateAutoMLJob request. ``AutoMLJobName`` is a prefix and may be left out.
    """

    step_type = "AutoML"

    _REPORTS = {
        "ModelInsights": ("ModelInsightsJsonReportPath", "statistics.json"),
        "Explainability": ("ExplainabilityJsonReportPath", "analysis.json"),
    }

    def finish(self, context: Any, identifiers: dict[str, Any], description: dict[str, Any]) -> Any:
        """The description with the paths of the best candidate's reports, as pipelines offer them.

        The names of the reports are not documented, so the reports are looked for in the folders that Describe gives.
        """
        properties = (description.get("BestCandidate") or {}).get("CandidateProperties") or {}
        folders = properties.get("CandidateArtifactLocations") or {}
        reports = {}
        for folder, (key, file) in self._REPORTS.items():
            if uri := folders.get(folder):
                bucket, _, prefix = uri.removeprefix("s3://").partition("/")
                listing = self.aws_hook("s3").call("ListObjectsV2", {"Bucket": bucket, "Prefix": prefix})
                found = [item["Key"] for item in listing.get("Contents", ()) if item["Key"].endswith(f"/{file}")]
                if len(found) == 1:
                    reports[key] = f"s3://{bucket}/{found[0]}"
        return {**description, "BestCandidateProperties": reports}


class SageMakerTransformStepOperator(SageMakerStepOperator):
    """Runs a batch transform job.

    :param config: CreateTransformJob request. ``TransformJobName`` is a prefix and may be left out.
    """

    step_type = "Transform"
