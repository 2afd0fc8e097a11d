"""Tuning: what is drawn, which trainings run, and what is best."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

import pytest
from job_tools import IMAGE, REGION, ROLE, Bench

from sagemaker_provider.local import tuning
from sagemaker_provider.local.service import LocalSettings, local_sagemaker
from sagemaker_provider.local.transfers import JobError

QUADRATIC = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("-x", "--x", type=float)
parser.add_argument("--bias", type=float)
parser.add_argument("--kind", default="plain")
values = parser.parse_args()
if values.kind == "broken":
    raise SystemExit(1)
print(f"loss={(values.x - 0.5) ** 2 + values.bias}")
"""
RANGE = {"Name": "x", "MinValue": "0", "MaxValue": "1"}
OBJECTIVE = {"Type": "Minimize", "MetricName": "loss"}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with local_sagemaker(LocalSettings(isolation="paths", max_processes=2, stop_seconds=0.3)) as local:
        yield Bench(local)


def definition(bench: Bench, **more: Any) -> dict[str, Any]:
    """A training job definition whose objective is a parabola."""
    return {
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([-0-9.e]+)"}],
        },
        "RoleArn": ROLE,
        "StaticHyperParameters": bench.script("quadratic", QUADRATIC, bias=0.25),
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/tuned"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **more,
    }


def config(strategy: str = "Bayesian", jobs: int = 4, parallel: int = 2, **ranges: Any) -> dict[str, Any]:
    """A tuning configuration."""
    return {
        "Strategy": strategy,
        "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": parallel},
        "HyperParameterTuningJobObjective": OBJECTIVE,
        "ParameterRanges": ranges or {"ContinuousParameterRanges": [RANGE]},
    }


def tune(bench: Bench, name: str, configuration: dict[str, Any], **request: Any) -> None:
    bench.sagemaker.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, HyperParameterTuningJobConfig=configuration, **request
    )


def test_real_trainings_run_and_the_best_is_found(bench: Bench) -> None:
    tune(bench, "parabola", config(), TrainingJobDefinition=definition(bench))
    bench.wait("HyperParameterTuningJob", "parabola")
    job = bench.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="parabola")
    assert job["HyperParameterTuningJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TrainingJobStatusCounters"]["Completed"] == job["ObjectiveStatusCounters"]["Succeeded"] == 4
    found = tuning.training_summaries(bench.local, REGION, "parabola")
    losses = [item["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for item in found]
    assert losses == sorted(losses) and len(set(losses)) == 4
    for item, loss in zip(found, losses):
        assert loss == pytest.approx((float(item["TunedHyperParameters"]["x"]) - 0.5) ** 2 + 0.25)
    best = job["BestTrainingJob"]
    assert best["TrainingJobName"] == found[0]["TrainingJobName"]
    assert best["TrainingJobName"].startswith("parabola-") and best["ObjectiveStatus"] == "Succeeded"
    training = bench.describe("TrainingJob", best["TrainingJobName"])
    assert training["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert training["HyperParameters"]["_tuning_objective_metric"] == "loss"
    assert "_tuning" not in training
    listed = bench.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName="parabola", SortBy="FinalObjectiveMetricValue", SortOrder="Ascending"
    )["TrainingJobSummaries"]
    assert len(listed) == 4


def test_no_more_trainings_than_allowed_run_at_once(bench: Bench) -> None:
    tune(bench, "parallel", config(jobs=3, parallel=1), TrainingJobDefinition=definition(bench))
    bench.wait("HyperParameterTuningJob", "parallel")
    found = sorted(tuning.training_summaries(bench.local, REGION, "parallel"), key=lambda item: item["CreationTime"])
    for before, after in pairwise(found):
        assert before["TrainingEndTime"] <= after["CreationTime"]


def test_several_definitions_take_turns(bench: Bench) -> None:
    ranges = {"ContinuousParameterRanges": [RANGE]}
    names = {"DefinitionName": "one", "TuningObjective": OBJECTIVE, "HyperParameterRanges": ranges}
    configuration = config(jobs=4)
    del configuration["HyperParameterTuningJobObjective"], configuration["ParameterRanges"]
    static = bench.script("quadratic", QUADRATIC, bias=-1)
    two = definition(bench, **{**names, "DefinitionName": "two"}, StaticHyperParameters=static)
    tune(bench, "two-definitions", configuration, TrainingJobDefinitions=[definition(bench, **names), two])
    job = bench.wait("HyperParameterTuningJob", "two-definitions")
    found = tuning.training_summaries(bench.local, REGION, "two-definitions")
    assert sorted(item["TrainingJobDefinitionName"] for item in found) == ["one", "one", "two", "two"]
    assert job["BestTrainingJob"]["TrainingJobDefinitionName"] == "two"


def test_a_grid_runs_every_combination_and_failures_are_counted(bench: Bench) -> None:
    ranges = {
        "CategoricalParameterRanges": [
            {"Name": "x", "Values": ["0.5", "1"]},
            {"Name": "kind", "Values": ["a", "broken"]},
        ]
    }
    tune(bench, "grid", config("Grid", jobs=50, parallel=2, **ranges), TrainingJobDefinition=definition(bench))
    job = bench.wait("HyperParameterTuningJob", "grid")
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"] == {
        "Completed": 2,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 2,
        "Stopped": 0,
    }
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 2, "Pending": 0, "Failed": 2}
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"x": "0.5", "kind": "a"}


def test_a_tuning_whose_trainings_all_fail_ends_early(bench: Bench) -> None:
    bench.local.faults.add("internal-error", operation="CreateTrainingJob", name="doomed-*", times=None)
    tune(bench, "doomed", config(jobs=100, parallel=2), TrainingJobDefinition=definition(bench))
    job = bench.wait("HyperParameterTuningJob", "doomed")
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert (
        job["FailureReason"].startswith("All training jobs failed.") and "InternalServerError" in job["FailureReason"]
    )
    assert 5 <= job["TrainingJobStatusCounters"]["RetryableError"] <= 7


def test_a_tuning_without_its_metric_fails(bench: Bench) -> None:
    configuration = config(jobs=1)
    configuration["HyperParameterTuningJobObjective"] = {"Type": "Maximize", "MetricName": "auc"}
    tune(bench, "no-metric", configuration, TrainingJobDefinition=definition(bench))
    job = bench.wait("HyperParameterTuningJob", "no-metric")
    assert job["FailureReason"].startswith("No objective metrics found after running 1 training jobs.")


def test_a_refused_training_fails_the_tuning(bench: Bench) -> None:
    bench.local.faults.add("quota", operation="CreateTrainingJob", name="refused-*")
    tune(bench, "refused", config(), TrainingJobDefinition=definition(bench))
    job = bench.wait("HyperParameterTuningJob", "refused")
    assert job["HyperParameterTuningJobStatus"] == "Failed" and "ResourceLimitExceeded" in job["FailureReason"]


def test_throttling_is_waited_out(bench: Bench) -> None:
    bench.local.faults.add("throttling", operation="CreateTrainingJob", name="throttled-*", times=2)
    tune(bench, "throttled", config(jobs=1), TrainingJobDefinition=definition(bench))
    assert bench.wait("HyperParameterTuningJob", "throttled")["HyperParameterTuningJobStatus"] == "Completed"


def test_stop_stops_the_trainings(bench: Bench) -> None:
    bench.local.faults.add("hang", operation="CreateTrainingJob", name="stopped-*", times=None)
    tune(bench, "stopped", config(), TrainingJobDefinition=definition(bench))
    with bench.local.store.changed:
        while len(tuning.training_summaries(bench.local, REGION, "stopped")) < 2:
            assert bench.local.store.changed.wait(10)
    bench.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopped")
    job = bench.wait("HyperParameterTuningJob", "stopped")
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert job["TrainingJobStatusCounters"]["Stopped"] == 2


def test_tunings_do_not_take_the_places_that_their_trainings_need() -> None:
    with local_sagemaker(LocalSettings(isolation="paths", max_processes=1)) as local:
        bench = Bench(local)
        for name in ("first", "second"):
            tune(bench, name, config(jobs=1), TrainingJobDefinition=definition(bench))
        for name in ("first", "second"):
            assert bench.wait("HyperParameterTuningJob", name)["HyperParameterTuningJobStatus"] == "Completed"


def test_simulated_trainings_have_a_best_too(bench: Bench) -> None:
    own = {"TrainingImage": "built-in", "TrainingInputMode": "File"}
    request = definition(bench, AlgorithmSpecification=own, StaticHyperParameters={})
    for name in ("simulated-1", "simulated-2"):
        tune(bench, name, config(jobs=3), TrainingJobDefinition=request)
    one, two = (bench.wait("HyperParameterTuningJob", name) for name in ("simulated-1", "simulated-2"))
    key = "FinalHyperParameterTuningJobObjectiveMetric"
    assert one["BestTrainingJob"][key] == two["BestTrainingJob"][key]


def test_a_tuning_goes_on_with_the_next_server(tmp_path: Any) -> None:
    settings = LocalSettings(data=tmp_path, isolation="paths")
    with local_sagemaker(settings) as local:
        bench = Bench(local)
        local.faults.add("hang", operation="CreateTrainingJob", times=None)
        tune(bench, "goes-on", config(jobs=3, parallel=2), TrainingJobDefinition=definition(bench))
        with local.store.changed:
            while len(tuning.training_summaries(local, REGION, "goes-on")) < 2:
                assert local.store.changed.wait(10)
        before = {item["TrainingJobName"] for item in tuning.training_summaries(local, REGION, "goes-on")}
    with local_sagemaker(settings) as local:
        bench = Bench(local)
        job = bench.wait("HyperParameterTuningJob", "goes-on")
        summaries = tuning.training_summaries(local, REGION, "goes-on")
        assert job["TrainingJobStatusCounters"]["Completed"] == 3, summaries
        after = {item["TrainingJobName"] for item in tuning.training_summaries(local, REGION, "goes-on")}
        assert before < after and len(after) == 3


def test_what_is_drawn_depends_on_the_content_and_not_on_names() -> None:
    record = {
        "HyperParameterTuningJobConfig": config(),
        "TrainingJobDefinition": {"StaticHyperParameters": {"sagemaker_submit_directory": "a", "y": "1"}},
    }
    other = json.loads(json.dumps(record))
    other["HyperParameterTuningJobName"] = "other"
    other["TrainingJobDefinition"]["StaticHyperParameters"]["sagemaker_submit_directory"] = "b"
    drawn = [[values for _, values in islice(tuning.candidates(item), 5)] for item in (record, record, other)]
    assert drawn[0] == drawn[1] == drawn[2] and len({item["x"] for item in drawn[0]}) == 5
    other["TrainingJobDefinition"]["StaticHyperParameters"]["y"] = "2"
    assert [values for _, values in islice(tuning.candidates(other), 5)] != drawn[0]
    record["HyperParameterTuningJobConfig"]["RandomSeed"] = other["HyperParameterTuningJobConfig"]["RandomSeed"] = 7
    assert next(tuning.candidates(record))[1] == next(tuning.candidates(other))[1]


@pytest.mark.parametrize("scaling", ["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"])
def test_continuous_values_stay_in_their_range_on_their_scale(scaling: str) -> None:
    range_ = {"Name": "x", "MinValue": "0.001", "MaxValue": "0.9", "ScalingType": scaling}
    values = [float(tuning.fraction_to_value(range_, index / 100, whole=False)) for index in range(100)]
    assert values == sorted(values) and values[0] == pytest.approx(0.001) and values[-1] < 0.9
    middle = float(tuning.fraction_to_value(range_, 0.5, whole=False))
    expected = {
        "Logarithmic": math.sqrt(0.001 * 0.9),
        "ReverseLogarithmic": 1 - math.sqrt(0.999 * 0.1),
    }.get(scaling, (0.001 + 0.9) / 2)
    assert middle == pytest.approx(expected)


def test_integers_are_drawn_evenly_with_both_ends() -> None:
    ranges = {
        "IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "3"}],
        "AutoParameters": [{"Name": "a", "ValueHint": "5"}],
    }
    generator = random.Random(1)
    drawn = [tuning.draw(ranges, generator) for _ in range(300)]
    counts = [sum(item["n"] == value for item in drawn) for value in ("1", "2", "3")]
    assert sum(counts) == 300 and min(counts) > 70 and drawn[0]["a"] == "5"


@pytest.mark.parametrize(
    "range_",
    [
        {"MinValue": "2", "MaxValue": "1"},
        {"MinValue": "a", "MaxValue": "1"},
        {"MinValue": "nan", "MaxValue": "1"},
        {"MinValue": "0", "MaxValue": "1", "ScalingType": "Logarithmic"},
        {"MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"},
    ],
)
def test_impossible_ranges_are_refused(range_: dict[str, str]) -> None:
    with pytest.raises(JobError, match=r"ClientError: .*'x'"):
        tuning.fraction_to_value({"Name": "x", **range_}, 0.5, whole=False)
