"""Hyperparameter tuning: draws values, runs real trainings with them, and finds the best.

Bayesian optimisation and Hyperband are random draws here.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.local.errors import ServiceError
from sagemaker_provider.local.runnable import definitions
from sagemaker_provider.local.transfers import JobError, join

if TYPE_CHECKING:
    from sagemaker_provider.local.jobs import Outcome, Run
    from sagemaker_provider.local.service import LocalSageMaker

_MOST_JOBS: Final = 100
"""Trainings of a tuning job whose request does not say how many."""
_FAILURES: Final = 5
"""So many trainings that all fail end a tuning job early."""
_ENDED: Final = ("Completed", "Failed", "Stopped")
_PASSED_ON: Final = (
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "VpcConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "RetryStrategy",
    "Environment",
)
_RETRYABLE: Final = ("InternalServerError", "CapacityError")
_CREATE_TRIES: Final = 8
_log = logging.getLogger(__name__)


# Values


def fraction_to_value(range_: Mapping[str, Any], fraction: float, *, whole: bool) -> str:
    """The value of a range that lies at a fraction of it, on its scale, as text.

    :param range_: a ContinuousParameterRange or IntegerParameterRange.
    :param fraction: from 0 to below 1.
    :param whole: the range is one of integers.
    :raises JobError: the range is malformed, or its scale is not defined on it.
    """
    name, scaling = range_["Name"], range_.get("ScalingType", "Auto")
    try:
        low, high = float(range_["MinValue"]), float(range_["MaxValue"])
    except ValueError:
        raise JobError(f"ClientError: the range of hyperparameter {name!r} is not numeric") from None
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise JobError(f"ClientError: the range of hyperparameter {name!r} is empty or not finite")
    if scaling == "Logarithmic":
        if low <= 0:
            raise JobError(f"ClientError: Logarithmic scaling of hyperparameter {name!r} needs values above 0")
        value = math.exp(math.log(low) + fraction * (math.log(high) - math.log(low)))
    elif scaling == "ReverseLogarithmic":
        if whole or low < 0 or high >= 1:
            raise JobError(f"ClientError: ReverseLogarithmic scaling of hyperparameter {name!r} needs 0 <= values < 1")
        value = 1 - math.exp(math.log(1 - low) + fraction * (math.log(1 - high) - math.log(1 - low)))
    elif whole:
        value = low + math.floor(fraction * (high - low + 1))
    else:
        value = low + fraction * (high - low)
    value = min(max(value, low), high)
    return str(round(value)) if whole else repr(value)


def draw(ranges: Mapping[str, Any], generator: random.Random) -> dict[str, str]:
    """Random values of hyperparameters.

    :param ranges: ParameterRanges.
    """
    values = {}
    for item in ranges.get("ContinuousParameterRanges", ()):
        values[item["Name"]] = fraction_to_value(item, generator.random(), whole=False)
    for item in ranges.get("IntegerParameterRanges", ()):
        values[item["Name"]] = fraction_to_value(item, generator.random(), whole=True)
    for item in ranges.get("CategoricalParameterRanges", ()):
        values[item["Name"]] = generator.choice(item["Values"])
    for item in ranges.get("AutoParameters", ()):
        values[item["Name"]] = item["ValueHint"]
    return values


def grid(ranges: Mapping[str, Any]) -> list[dict[str, str]]:
    """All combinations of categorical values.

    :raises JobError: there are other ranges.
    """
    if ranges.get("ContinuousParameterRanges") or ranges.get("IntegerParameterRanges"):
        raise JobError("ClientError: Grid search is for categorical hyperparameters only")
    items = ranges.get("CategoricalParameterRanges", [])
    return [
        dict(zip((item["Name"] for item in items), chosen))
        for chosen in itertools.product(*(item["Values"] for item in items))
    ]


def seed(record: Mapping[str, Any]) -> str:
    """What the draws depend on: the request's content without names and places, so that the same tuning gives the same."""
    config = record["HyperParameterTuningJobConfig"]
    if "RandomSeed" in config:
        return str(config["RandomSeed"])
    parts = []
    for definition in definitions(record):
        static = definition.get("StaticHyperParameters", {})
        parts.append(
            [
                {name: value for name, value in static.items() if not name.startswith("sagemaker_")},
                definition.get("HyperParameterRanges"),
            ]
        )
    return hashlib.sha256(json.dumps([config, parts], sort_keys=True).encode()).hexdigest()


def candidates(record: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """(Training job definition, values of its hyperparameters) of one training after the other, endless but for a grid.

    :raises JobError: a range is malformed.
    """
    config, drawn_from = record["HyperParameterTuningJobConfig"], seed(record)
    found = definitions(record)

    def ranges(definition: Mapping[str, Any]) -> Mapping[str, Any]:
        return definition.get("HyperParameterRanges") or config.get("ParameterRanges") or {}  # type: ignore[no-any-return]

    if config["Strategy"] == "Grid":
        for row in itertools.zip_longest(*([(item, values) for values in grid(ranges(item))] for item in found)):
            yield from (entry for entry in row if entry is not None)
        return
    for index in itertools.count():
        definition = found[index % len(found)]
        generator = random.Random(f"{drawn_from}/{index}")  # noqa: S311 - no secret
        yield definition, draw(ranges(definition), generator)


# Trainings


def training_request(tuning: Mapping[str, Any], definition: Mapping[str, Any], values: Mapping[str, str], name: str) -> dict[str, Any]:  # fmt: skip
    """The CreateTrainingJob request of a training."""
    own = {key: definition[key] for key in _PASSED_ON if key in definition}
    resources = definition.get("ResourceConfig")
    if resources is None:
        flexible = definition.get("HyperParameterTuningResourceConfig", {})
        flexible = {**flexible, **(flexible.get("InstanceConfigs") or [{}])[0]}
        keys = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId")
        resources = {key: flexible[key] for key in keys if key in flexible}
    request = {
        **own,
        "TrainingJobName": name,
        "AlgorithmSpecification": definition["AlgorithmSpecification"],
        "HyperParameters": {**definition.get("StaticHyperParameters", {}), **values},
        "ResourceConfig": resources,
    }
    if goal := objective(tuning, definition):
        request["HyperParameters"]["_tuning_objective_metric"] = goal["MetricName"]
    if checkpoints := definition.get("CheckpointConfig"):
        request["CheckpointConfig"] = {**checkpoints, "S3Uri": join(checkpoints["S3Uri"], name)}
    return request


def objective(tuning: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is to be minimised or maximised: ``Type`` and ``MetricName``."""
    return definition.get(  # type: ignore[no-any-return]
        "TuningObjective"
    ) or tuning["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective")


def _summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """HyperParameterTrainingJobSummary of a training's record."""
    keys = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "TrainingJobStatus", "FailureReason")  # fmt: skip
    tuning = record["_tuning"]
    summary = {key: record[key] for key in keys if key in record}
    summary["TunedHyperParameters"] = tuning["values"]
    if tuning["definition"]:
        summary["TrainingJobDefinitionName"] = tuning["definition"]
    goal = tuning["objective"]
    if goal:
        found = [item for item in record.get("FinalMetricDataList", ()) if item["MetricName"] == goal["MetricName"]]
        if found and record["TrainingJobStatus"] in ("Completed", "Stopped"):
            summary["FinalHyperParameterTuningJobObjectiveMetric"] = {**goal, "Value": found[0]["Value"]}
            summary["ObjectiveStatus"] = "Succeeded"
        else:
            summary["ObjectiveStatus"] = "Failed" if record["TrainingJobStatus"] in _ENDED else "Pending"
    return summary


def _loss(summary: dict[str, Any]) -> float:
    """What is smaller the better a training is."""
    metric = summary.get("FinalHyperParameterTuningJobObjectiveMetric")
    if metric is None:
        return math.inf
    return float(metric["Value"] if metric["Type"] == "Minimize" else -metric["Value"])


def training_summaries(local: LocalSageMaker, region: str, tuning_name: str) -> list[dict[str, Any]]:
    """The trainings of a tuning job: HyperParameterTrainingJobSummary of each, the best first, those without objective last.

    :param tuning_name: name of the tuning job.
    """
    trainings = [
        item
        for item in local.store.records(region, "TrainingJob")
        if item.get("_tuning", {}).get("name") == tuning_name
    ]
    return sorted((_summary(item) for item in trainings), key=_loss)


# The job


def tune(run: Run) -> Outcome:
    """Run a tuning job."""
    return _Tuning(run).run()


class _Tuning:
    def __init__(self, run: Run) -> None:
        self.job, self.record = run, run.record
        config = self.record["HyperParameterTuningJobConfig"]
        limits = config["ResourceLimits"]
        self.most: int = limits.get("MaxNumberOfTrainingJobs", _MOST_JOBS)
        self.parallel: int = limits["MaxParallelTrainingJobs"]
        self.last = time.monotonic() + limits.get("MaxRuntimeInSeconds", math.inf)
        self.target: float | None = config.get("TuningJobCompletionCriteria", {}).get("TargetObjectiveMetricValue")
        self.names: list[str] = []
        self.ending = False
        if config["Strategy"] in ("Bayesian", "Hyperband"):
            _log.info("Tuning job %s: %s is random draws here", run.name, config["Strategy"])

    def run(self) -> Outcome:
        """Start trainings as there is room, until the last has ended."""
        store = self.job.local.store
        upcoming = itertools.islice(candidates(self.record), self.most)
        following = next(upcoming, None)
        while self.job.stop_reason != "close":
            with store.changed:
                summaries = self.count()
                running = [item for item in summaries if item["TrainingJobStatus"] not in _ENDED]
                self.ending = self.ending or self.is_over(summaries)
                room = following is not None and not self.ending and len(running) < self.parallel
                if not room and not self.ending and running:
                    store.changed.wait(1.0)
                    continue
            if room and following is not None:
                self.start(*following)
                following = next(upcoming, None)
            elif not running:
                return self.outcome(summaries)
            elif self.job.stop_reason != "close":  # the next server goes on with them
                for item in running:
                    self.job.local.jobs.stop(self.job.region, "TrainingJob", item["TrainingJobName"])
                with store.changed:
                    store.changed.wait(0.2)
        return "Stopped", {}

    def summaries(self) -> list[dict[str, Any]]:
        """The trainings that were started, in order."""
        store, region = self.job.local.store, self.job.region
        records = (store.get(region, "TrainingJob", name) for name in self.names)
        return [_summary(record) for record in records if record is not None and "_tuning" in record]

    def count(self) -> list[dict[str, Any]]:
        """Bring the counters and the best training in the record up to date; the trainings."""
        summaries = self.summaries()
        training = dict.fromkeys(("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0)
        goals = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)
        for item in summaries:
            status = item["TrainingJobStatus"]
            if status == "Failed":
                retryable = item.get("FailureReason", "").startswith(_RETRYABLE)
                status = "RetryableError" if retryable else "NonRetryableError"
            training["InProgress" if status == "Stopping" else status] += 1
            if "ObjectiveStatus" in item:
                goals[item["ObjectiveStatus"]] += 1
        members: dict[str, Any] = {"TrainingJobStatusCounters": training, "ObjectiveStatusCounters": goals}
        if best := _best(summaries):
            members["BestTrainingJob"] = best
        if any(self.job.record.get(key) != value for key, value in members.items()):
            self.job.change(**members)
        return summaries

    def is_over(self, summaries: Sequence[dict[str, Any]]) -> bool:
        """Whether no further training is to start."""
        if self.job.stop_reason is not None or time.monotonic() >= self.last:
            return True
        ended = [item["TrainingJobStatus"] for item in summaries if item["TrainingJobStatus"] in _ENDED]
        if len(ended) >= _FAILURES and set(ended) == {"Failed"}:
            return True
        best = _best(summaries)
        if best is None or self.target is None:
            return False
        goal = best["FinalHyperParameterTuningJobObjectiveMetric"]
        return _loss(best) <= (self.target if goal["Type"] == "Minimize" else -self.target)

    def start(self, definition: Mapping[str, Any], values: Mapping[str, str]) -> None:
        """Start a training, or take over the one that a server before this one started."""
        run, number = self.job, len(self.names) + 1
        digest = hashlib.sha256(f"{run.name}/{run.record['CreationTime']}/{number}".encode()).hexdigest()
        name = f"{run.name[:50]}-{number:03d}-{digest[:8]}"
        request = training_request(self.record, definition, values, name)
        tuning = {
            "name": run.name,
            "values": dict(values),
            "objective": objective(self.record, definition),
            "definition": definition.get("DefinitionName"),
        }
        if run.local.store.get(run.region, "TrainingJob", name) is None:
            _create(run, request)
        run.local.store.change(run.region, "TrainingJob", name, TuningJobArn=run.arn, _tuning=tuning)
        self.names.append(name)

    def outcome(self, summaries: Sequence[dict[str, Any]]) -> Outcome:
        """How the tuning job ended."""
        members: dict[str, Any] = {}
        best = _best(summaries)
        if best and "WarmStartConfig" in self.record:
            members["OverallBestTrainingJob"] = min((best, *self.parents()), key=_loss)
        if self.job.stop_reason is not None:
            return "Stopped", members
        ended = [item for item in summaries if item["TrainingJobStatus"] != "Stopped"]  # which the early end may do
        if ended and all(item["TrainingJobStatus"] == "Failed" for item in ended):
            first = ended[0].get("FailureReason", "")
            reason = f"All training jobs failed. Please take a look at the training jobs failures to get more details. {first}"
            return "Failed", {**members, "FailureReason": reason}
        if best is None and any("ObjectiveStatus" in item for item in summaries):
            reason = (
                f"No objective metrics found after running {len(summaries)} training jobs. Please ensure that the custom "
                "algorithm is emitting the objective metric as defined by the regular expression provided."
            )
            return "Failed", {**members, "FailureReason": reason}
        return "Completed", members

    def parents(self) -> Iterator[dict[str, Any]]:
        """The best trainings of the tuning jobs that this one builds on."""
        for parent in self.record["WarmStartConfig"].get("ParentHyperParameterTuningJobs", ()):
            name = parent["HyperParameterTuningJobName"].rpartition("/")[2]
            record = self.job.local.store.get(self.job.region, "HyperParameterTuningJob", name) or {}
            if "BestTrainingJob" in record:
                yield record["BestTrainingJob"]


def _best(summaries: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    rated = [item for item in summaries if item.get("ObjectiveStatus") == "Succeeded"]
    return min(rated, key=_loss) if rated else None


def _create(run: Run, request: dict[str, Any]) -> None:
    """Create a training; throttling is waited out.

    :raises JobError: the request is refused.
    """
    for last in (*[False] * (_CREATE_TRIES - 1), True):
        try:
            run.local.call("CreateTrainingJob", request, run.region)
            return
        except ServiceError as error:
            if last or error.code != "ThrottlingException":
                raise JobError(f"ClientError: {error.code}: {error.message}") from error
            time.sleep(0.1)
