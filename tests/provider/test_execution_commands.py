"""start, status, list, executions, compare, stop and resume, on a local SageMaker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from command_line import Commands
from pipelines_client import Pipelines, condition, definition, fail, get, parameter, processing

from sagemaker_provider import execution_report
from sagemaker_provider.definition import PipelineDefinition
from sagemaker_provider.execution_report import comparison, execution_tree
from sagemaker_provider.report import console

PARAMETERS = [
    parameter("count", "Integer", 1),
    parameter("ds"),
    parameter("size", default="s", EnumValues=["s", "l"]),
]
STEPS = definition(
    processing("first", environment={"DAY": get("Parameters.ds")}),
    condition("which", get("Parameters.count"), 1, [processing("one")], [processing("other")], "first"),
    parameters=PARAMETERS,
)
PLAIN = definition(processing("a"), processing("b", "a"))


@pytest.fixture
def pipelines(local_sagemaker: Any) -> Pipelines:
    return Pipelines(local_sagemaker)


def test_wrong_parameters_are_all_told(here: Commands, pipelines: Pipelines) -> None:
    pipelines.create(STEPS)
    found = here("start", "p", "--parameter", "count=many", "--parameter", "size=xl", "--parameter", "no=1")
    assert found.code == 1
    for part in ("'count' has the type Integer", "'size' is one of s, l", "no parameter 'no'", "'ds' needs a value"):
        assert part in found.err
    found = here("start", "p", "--parameter", "count")
    assert (found.code, found.err) == (2, "--parameter 'count' is not NAME=VALUE\n")
    assert here("executions", "p", "--format", "json").out == '{\n  "executions": []\n}\n'


def test_an_execution_is_started_and_watched(here: Commands, pipelines: Pipelines) -> None:
    pipelines.create(STEPS)
    found = here("start", "p", "--parameter", "ds=2026-01-31", "--wait", "--poll-interval", "0.05")
    assert found.code == 0, found.err
    lines = [line.split("  2")[0].rstrip() for line in found.out.splitlines()]
    assert lines[0].endswith("Succeeded") and lines[1] == "├── first  Processing  Succeeded"
    assert "└── which  Condition  Succeeded" in lines and "    │   └── one  Processing  Succeeded" in lines
    assert "        └── other  Processing  not started" in lines
    assert "first: Succeeded" in found.err
    told = json.loads(here("status", "p", "--format", "json").out)
    assert told["execution"]["PipelineExecutionStatus"] == "Succeeded"
    assert told["parameters"]["ds"] == "2026-01-31"
    assert [step["StepName"] for step in told["steps"]] == ["first", "which", "one"]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("arn:aws:sagemaker:eu-west-1:123456789012:pipeline/p", 1, "is of another account or Region"),
        ("arn:aws:sagemaker:us-west-2:999999999999:pipeline/p", 1, "is of another account or Region"),
        (
            "arn:aws:sagemaker:us-west-2:123456789012:pipeline/p/execution/abcdefghijkl",
            2,
            "is neither a pipeline's name",
        ),
        ("other-team/p", 2, "is neither a pipeline's name"),
    ],
)
@pytest.mark.parametrize("words", [["delete", "--yes"], ["start"], ["executions"], ["versions"], ["schedule"]])
def test_what_is_no_pipeline_of_here(
    here: Commands, pipelines: Pipelines, words: list[str], text: str, code: int, said: str
) -> None:
    pipelines.create(PLAIN)
    words = ["schedule", "show", text] if words == ["schedule"] else [words[0], text, *words[1:]]
    found = here(*words)
    assert (found.code, said in found.err) == (code, True), found.err
    assert json.loads(here("executions", "p", "--format", "json").out) == {"executions": []}


def test_an_arn_of_here(here: Commands, pipelines: Pipelines) -> None:
    pipelines.create(PLAIN)
    assert here("start", "arn:aws:sagemaker:us-west-2:123456789012:pipeline/p").code == 0


def test_what_was_started_is_told_though_it_cannot_be_described(
    here: Commands, pipelines: Pipelines, local_sagemaker: Any
) -> None:
    pipelines.create(PLAIN)
    local_sagemaker.faults.add("throttling", operation="DescribePipelineExecution", times=5)
    found = here("start", "p", "--format", "json")
    assert (found.code, found.err.splitlines()[0].partition("/execution/")[1]) == (1, "/execution/")


def test_a_throttled_look_does_not_end_the_waiting(here: Commands, pipelines: Pipelines, local_sagemaker: Any) -> None:
    pipelines.create(PLAIN)
    local_sagemaker.faults.add("throttling", operation="DescribePipelineExecution", times=6)
    assert here("start", "p", "--wait", "--poll-interval", "0.05").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["executions", "p", "--limit", "0"],
        ["start", "p", "--wait", "--poll-interval", "-1"],
        ["start", "p", "--max-parallel-steps", "x"],
    ],
)
def test_numbers_are_checked_before_anything_is_done(here: Commands, pipelines: Pipelines, words: list[str]) -> None:
    pipelines.create(PLAIN)
    found = here(*words)
    assert (found.code, "number of at least" in found.err) == (2, True), found.err
    assert json.loads(here("executions", "p", "--format", "json").out) == {"executions": []}


def test_a_token_starts_once(here: Commands, pipelines: Pipelines) -> None:
    pipelines.create(PLAIN)
    assert here("start", "p", "--token", "monday").out == here("start", "p", "--token", "monday").out
    assert len(json.loads(here("executions", "p", "--format", "json").out)["executions"]) == 1


def test_dates_are_computed_from_the_files_of_the_conversion(here: Commands, pipelines: Pipelines) -> None:
    parameters = [parameter("ds"), parameter("end"), parameter("day")]
    Path("p.pipeline.json").write_text(definition(processing("a"), parameters=parameters))
    forms = {"ds": "{{ ds }}", "end": "{{ data_interval_end | ds }}", "day": "{{ macros.ds_add(ds, 1) }}"}
    Path("p.deploy.json").write_text(json.dumps({"date_parameters": forms}))
    pipelines.create(Path("p.pipeline.json").read_text())
    found = here("start", "p.pipeline.json", "--date", "2026-01-31")
    assert (found.code, "end read the data interval" in found.err) == (2, True)
    given = ("--date", "2026-01-31", "--data-interval", "2026-01-31", "2026-02-01", "--parameter", "day=x", "--wait")
    assert here("start", "p.pipeline.json", *given).code == 0
    told = json.loads(here("status", "p", "--format", "json").out)
    assert told["parameters"] == {"ds": "2026-01-31", "end": "2026-02-01", "day": "x"}
    found = here("start", "p", "--date", "2026-01-31")
    assert (found.code, "give <name>.pipeline.json" in found.err) == (2, True)
    found = here("start", "p.pipeline.json", "--date", "31.1.2026")
    assert (found.code, "'31.1.2026' is no date" in found.err) == (2, True)


def test_a_failed_execution_is_told_and_resumed(here: Commands, pipelines: Pipelines, local_sagemaker: Any) -> None:
    pipelines.create(PLAIN)
    local_sagemaker.faults.add("internal-error", times=1)
    found = here("start", "p", "--wait", "--poll-interval", "0.05")
    assert found.code == 1
    assert "a  Processing  Failed" in found.out and "InternalServerError" in found.out
    assert "b  Processing  not started" in found.out
    assert here("status", "p", "--watch").code == 1
    resumed = here("resume", "p", "--wait", "--poll-interval", "0.05")
    assert (resumed.code, "b  Processing  Succeeded" in resumed.out) == (0, True), resumed.err
    again = here("resume", "p")
    assert (again.code, "cannot be resumed: it is Succeeded" in again.err) == (1, True)
    assert "Succeeded" in here("executions", "p").out


def test_an_execution_is_stopped_with_its_jobs(here: Commands, pipelines: Pipelines, local_sagemaker: Any) -> None:
    pipelines.create(PLAIN)
    local_sagemaker.faults.add("hang")
    arn = here("start", "p").out.strip()
    pipelines.until(arn, "a", "Executing")
    stopped = here("stop", f"p/{arn.rpartition('/')[2]}", "--wait", "--poll-interval", "0.05")
    assert (stopped.code, "a  Processing  Stopped" in stopped.out) == (0, True)
    again = here("stop", arn)
    assert (again.code, "has ended already: Stopped" in again.err) == (0, True)


def test_a_running_pipeline_is_not_deleted(here: Commands, pipelines: Pipelines, local_sagemaker: Any) -> None:
    pipelines.create(PLAIN)
    local_sagemaker.faults.add("hang")
    here("start", "p")
    found = here("delete", "p", "--yes", "--force")
    assert (found.code, "has running executions" in found.err) == (1, True)
    here("stop", "p", "--wait", "--poll-interval", "0.05")
    assert here("delete", "p", "--yes", "--force").code == 0


def test_some_steps_alone(here: Commands, pipelines: Pipelines) -> None:
    pipelines.create(PLAIN)
    assert "need the results of a" in here("start", "p", "--step", "b").err
    assert here("start", "p", "--wait", "--poll-interval", "0.05").code == 0
    found = here("start", "p", "--step", "b", "--source", "latest", "--wait", "--poll-interval", "0.05")
    assert (found.code, "taken from p/" in found.out) == (0, True)


def test_two_executions_side_by_side(here: Commands, pipelines: Pipelines) -> None:
    pipelines.create(STEPS)
    first = pipelines.wait(pipelines.start(parameters={"ds": "2026-01-30"}))
    second = pipelines.wait(pipelines.start(parameters={"ds": "2026-01-31", "count": "2"}))
    found = here("compare", first, second)
    assert found.code == 0
    lines = {line.split("  ")[0]: line.split() for line in found.out.splitlines()}
    assert lines["parameter ds"] == ["parameter", "ds", "2026-01-30", "2026-01-31", "*"]
    assert lines["parameter size"] == ["parameter", "size", "s", "s"]
    assert lines["step one"][2] == "Succeeded" and lines["step one"][-2:] == ["-", "*"]
    told = json.loads(here("compare", first, second, "--format", "json").out)
    assert told["second"]["parameters"]["count"] == "2"


def test_metrics_are_compared() -> None:
    def made(loss: float) -> dict[str, Any]:
        return {
            "execution": {"status": "Succeeded", "version": 1, "seconds": 61.0},
            "parameters": {},
            "steps": {"train": {"status": "Succeeded", "seconds": 3720.0, "cached": loss == 1}},
            "metrics": {"train.loss": loss},
        }

    assert comparison(made(1), made(0.25))[2:] == [
        ("duration", "1 min 01 s", "1 min 01 s", False),
        ("step train", "Succeeded  1 h 02 min  cached", "Succeeded  1 h 02 min", True),
        ("metric train.loss", "1", "0.25", True),
    ]


def test_metrics_come_from_training_jobs(pipelines: Pipelines, mocker: Any) -> None:
    from sagemaker_provider.hooks.pipeline import SageMakerPipelineHook

    hook = SageMakerPipelineHook(aws_conn_id=None)
    job = {"FinalMetricDataList": [{"MetricName": "loss", "Value": 0.5}]}
    call = mocker.patch.object(hook, "_call", return_value=job)
    steps = [{"StepName": "t", "Metadata": {"TrainingJob": {"Arn": "arn:x/job-1"}}}, {"StepName": "c", "Metadata": {}}]
    assert hook.metrics(steps) == {"t": {"loss": 0.5}}
    call.assert_called_once_with("describe_training_job", TrainingJobName="job-1")


def test_lists(here: Commands, pipelines: Pipelines) -> None:
    pipelines.create(PLAIN, "p-one", PipelineDescription="first line")
    pipelines.create(PLAIN, "q")
    assert [line.split()[0] for line in here("list").out.splitlines()] == ["pipeline", "p-one", "q"]
    told = json.loads(here("list", "--prefix", "p-o", "--format", "json").out)["pipelines"]
    assert [item["PipelineName"] for item in told] == ["p-one"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "p"], "pipeline 'p' has no executions"),
        (["status", "p/abcdefghijkl"], "DescribePipelineExecution: "),
        (["status", "none"], "there is no pipeline 'none'"),
        (["start", "none"], "there is no pipeline 'none'"),
        (["executions", "none"], "there is no pipeline 'none'"),
        (["stop", "p"], "pipeline 'p' has no executions"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    here: Commands, pipelines: Pipelines, arguments: list[str], said: str
) -> None:
    pipelines.create(PLAIN)
    found = here(*arguments)
    assert (found.code, said in found.err, len(found.err.splitlines())) == (1, True, 1), found.err


def shown(tree: Any) -> str:
    out = console()
    with out.capture() as capture:
        out.print(tree)
    return capture.get()


def test_the_tree_tells_attempts_cache_hits_and_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_report, "local_time", lambda moment: moment[11:16])
    arn = "arn:aws:sagemaker:us-west-2:1:pipeline/p/execution/e"
    loop = {
        "Name": "each",
        "Type": "ForEach",
        "Arguments": {"IterableItems": [1, 2], "ForEachBody": [processing("turn")]},
    }
    whole = PipelineDefinition.from_json(definition(processing("a"), loop, fail("end", "x")))
    start, end = "2026-01-31T10:00:00+00:00", "2026-01-31T10:00:12+00:00"
    times = {"StartTime": start, "EndTime": end, "StepStatus": "Succeeded"}
    steps = [
        {"StepName": "a", **times, "AttemptCount": 2, "CacheHitResult": {"SourcePipelineExecutionArn": f"{arn}0"}},
        {"StepName": "each", **times},
        {"StepName": "turn-0", **times, "IterationContext": {}},
        {"StepName": "turn-1", **times, "StepStatus": "Failed", "FailureReason": "boom", "IterationContext": {}},
    ]
    execution = {"PipelineExecutionArn": arn, "PipelineExecutionStatus": "Failed", "CreationTime": start}
    assert shown(execution_tree(execution, steps, whole)).splitlines() == [
        "p/e  Failed  10:00  12 s",
        "├── a  Processing  Succeeded  10:00  12 s  attempt 2  cached from p/e0",
        "├── each  ForEach  Succeeded  10:00  12 s",
        "│   └── for each",
        "│       ├── turn-0  Processing  Succeeded  10:00  12 s",
        "│       └── turn-1  Processing  Failed  10:00  12 s",
        "│           boom",
        "└── end  Fail  not started",
    ]


def test_nothing_is_written_without_a_start(here: Commands, pipelines: Pipelines) -> None:
    assert boto3.client("sagemaker").list_pipelines()["PipelineSummaries"] == []
    assert here("list").out.split() == ["pipeline", "modified", "last", "execution", "description"]
