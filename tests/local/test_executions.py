"""How executions go: order, branches, run conditions, loops, retries, stops, parallelism, and how they end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from pipelines_client import Pipelines, condition, definition, fail, get, outputs, parameter, processing, text

SUCCEEDED, FAILED = "Succeeded", "Failed"


def on(step: str, trigger: str) -> dict[str, str]:
    return {"Step": step, "Trigger": trigger}


def test_steps_run_in_the_order_of_their_dependencies(pipelines: Pipelines) -> None:
    arn = pipelines.run(
        definition(
            processing("Last", "Middle"),
            processing("Middle", environment={"name": get("Steps.First.ProcessingJobName")}),
            processing("First"),
        )
    )
    assert pipelines.status(arn) == SUCCEEDED
    assert list(pipelines.statuses(arn)) == ["First", "Middle", "Last"]
    first = pipelines.job(arn, "First")
    assert pipelines.job(arn, "Middle")["Environment"] == {"name": first["ProcessingJobName"]}
    assert first["ProcessingEndTime"] <= pipelines.steps(arn)["Middle"]["StartTime"]


def test_jobs_are_named_as_the_service_names_them(pipelines: Pipelines) -> None:
    prefixed = processing("b", arguments={"ProcessingJobName": "mine"})
    arn = pipelines.run(definition(processing("A_step-with-a-very-long-name"), prefixed))
    identifier = arn.rpartition("/")[2]
    generated = pipelines.job(arn, "A_step-with-a-very-long-name")["ProcessingJobName"]
    assert generated.startswith(f"pipelines-{identifier}-A-step-with-a-very-l-") and generated.endswith("-0")
    own = pipelines.job(arn, "b")["ProcessingJobName"]
    assert own.startswith(f"mine-{identifier}-") and own.endswith("-0")


def test_a_job_may_read_its_own_name(pipelines: Pipelines) -> None:
    arn = pipelines.run(definition(processing("a", environment={"me": get("Execution.ProcessingJobName")})))
    job = pipelines.job(arn, "a")
    assert job["Environment"]["me"] == job["ProcessingJobName"]


def test_execution_variables_parameters_and_joins(pipelines: Pipelines) -> None:
    values = {
        "id": get("Execution.PipelineExecutionId"),
        "arn": get("Execution.PipelineExecutionArn"),
        "pipeline": get("Execution.PipelineName"),
        "joined": text("a", get("Parameters.count"), get("Parameters.flag"), on="/"),
        "started": get("Execution.StartDateTime"),
    }
    parameters = [parameter("count", "Integer", 3), parameter("flag", "Boolean", True)]
    arn = pipelines.run(definition(processing("a", environment=values), parameters=parameters))
    environment = pipelines.job(arn, "a")["Environment"]
    assert environment["id"] == arn.rpartition("/")[2]
    assert environment["arn"] == arn
    assert environment["pipeline"] == "p"
    assert environment["joined"] == "a/3/True"
    assert environment["started"].startswith("20")


@pytest.mark.parametrize(("value", "taken"), [("1", "Yes"), ("2", "No")])
def test_a_condition_takes_one_branch(pipelines: Pipelines, value: str, taken: str) -> None:
    steps = condition("C", get("Parameters.n"), 1, [processing("Yes")], [processing("No")])
    arn = pipelines.run(definition(steps, parameters=[parameter("n", "Integer", 0)]), parameters={"n": value})
    assert pipelines.statuses(arn) == {"C": SUCCEEDED, taken: SUCCEEDED}
    assert pipelines.steps(arn)["C"]["Metadata"]["Condition"]["Outcome"] == str(taken == "Yes")


def test_what_depends_on_a_branch_that_is_not_taken_never_runs(pipelines: Pipelines) -> None:
    branch = condition("C", 1, 1, [processing("Yes")], [processing("No")])
    arn = pipelines.run(definition(branch, processing("AfterNo", "No"), processing("AfterYes", "Yes")))
    assert pipelines.status(arn) == SUCCEEDED
    assert list(pipelines.statuses(arn)) == ["C", "Yes", "AfterYes"]


@pytest.mark.parametrize("setting", [False, True])
def test_any_after_a_step_that_never_starts_is_a_setting(
    pipelines: Pipelines, with_settings: Any, setting: bool
) -> None:
    with_settings(any_after_skipped=setting)
    branch = condition("C", 1, 1, [processing("Yes")], [processing("No")])
    arn = pipelines.run(definition(branch, processing("Join", on("No", "Any"), on("Yes", "Any"))))
    assert ("Join" in pipelines.statuses(arn)) is setting


def test_conditions_that_compare_different_types_fail(pipelines: Pipelines) -> None:
    arn = pipelines.run(definition(condition("C", get("Execution.PipelineName"), 1, [processing("Yes")], [])))
    assert pipelines.statuses(arn) == {"C": FAILED}
    assert "Equals compares values of one type" in pipelines.steps(arn)["C"]["FailureReason"]


def test_every_kind_of_condition(pipelines: Pipelines) -> None:
    conditions = [
        {"Type": "Or", "Conditions": [
            {"Type": "LessThan", "LeftValue": get("Parameters.n"), "RightValue": 0},
            {"Type": "In", "QueryValue": get("Parameters.n"), "Values": [1, get("Parameters.n")]},
        ]},
        {"Type": "Not", "Condition": {"Type": "GreaterThan", "LeftValue": get("Parameters.n"), "RightValue": 5}},
        {"Type": "GreaterThanOrEqualTo", "LeftValue": get("Parameters.n"), "RightValue": 5},
        {"Type": "LessThanOrEqualTo", "LeftValue": get("Parameters.n"), "RightValue": 5.0},
    ]  # fmt: skip
    step = {"Name": "C", "Type": "Condition", "Arguments": {"Conditions": conditions, "IfSteps": [], "ElseSteps": []}}
    arn = pipelines.run(definition(step, parameters=[parameter("n", "Integer", 5)]))
    assert pipelines.steps(arn)["C"]["Metadata"]["Condition"]["Outcome"] == "True"


def test_a_fail_step_ends_the_execution_with_its_message(pipelines: Pipelines) -> None:
    arn = pipelines.run(definition(processing("a"), fail("F", text("bad", get("Steps.a.ProcessingJobStatus"), on=" "))))
    step = pipelines.steps(arn)["F"]
    assert step["StepStatus"] == FAILED
    assert step["FailureReason"] == "bad Completed" == step["Metadata"]["Fail"]["ErrorMessage"]
    assert pipelines.describe(arn)["FailureReason"] == "Step failure: One or multiple steps failed."
    with pytest.raises(pipelines.sagemaker.exceptions.ConflictException, match="Fail step"):
        pipelines.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)


def test_a_failed_step_fails_the_execution_and_what_needs_it_never_runs(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("internal-error", name="*-bad-*")
    arn = pipelines.run(definition(processing("bad"), processing("after", "bad")))
    assert pipelines.statuses(arn) == {"bad": FAILED}
    assert pipelines.steps(arn)["bad"]["FailureReason"].startswith("InternalServerError")
    assert pipelines.status(arn) == FAILED


@pytest.mark.parametrize("setting", [False, True])
def test_whether_independent_steps_start_after_a_failure_is_a_setting(
    pipelines: Pipelines, with_settings: Any, setting: bool
) -> None:
    with_settings(start_after_failure=setting, simulated_seconds=0.3)
    pipelines.local.faults.add("capacity", name="*-bad-*")
    arn = pipelines.run(definition(processing("bad"), processing("slow"), processing("later", "slow")))
    assert ("later" in pipelines.statuses(arn)) is setting
    assert pipelines.statuses(arn)["slow"] == SUCCEEDED
    assert pipelines.status(arn) == FAILED


@pytest.mark.parametrize("trigger", ["Failed", "Any"])
def test_a_handled_failure_completes_with_failures(pipelines: Pipelines, trigger: str) -> None:
    pipelines.local.faults.add("capacity", name="*-bad-*")
    arn = pipelines.run(
        definition(processing("bad"), processing("handler", on("bad", trigger)), processing("next", "handler"))
    )
    assert pipelines.statuses(arn) == {"bad": FAILED, "handler": SUCCEEDED, "next": SUCCEEDED}
    assert pipelines.status(arn) == "CompletedWithFailures"


def test_a_handler_does_not_run_without_the_failure(pipelines: Pipelines) -> None:
    arn = pipelines.run(
        definition(
            processing("good"), processing("handler", on("good", "Failed")), processing("any", on("good", "Any"))
        )
    )
    assert pipelines.statuses(arn) == {"good": SUCCEEDED, "any": SUCCEEDED}
    assert pipelines.status(arn) == SUCCEEDED


def test_a_job_stopped_by_a_person_is_a_stopped_step(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("hang", name="*-a-*")
    pipelines.create(definition(processing("a"), processing("handler", on("a", "Stopped"))))
    arn = pipelines.start()
    pipelines.until(arn, "a", "Executing")
    job = wait_for_job(pipelines, "-a-")
    pipelines.sagemaker.stop_processing_job(ProcessingJobName=job)
    pipelines.wait(arn)
    assert pipelines.statuses(arn) == {"a": "Stopped", "handler": SUCCEEDED}
    assert pipelines.status(arn) == "CompletedWithFailures"


def wait_for_job(pipelines: Pipelines, part: str) -> str:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        names = [
            item["ProcessingJobName"] for item in pipelines.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
        ]
        if found := [name for name in names if part in name]:
            return str(found[0])
        time.sleep(0.02)
    raise AssertionError(f"no job with {part} in its name")


def test_json_get_reads_a_property_file(pipelines: Pipelines) -> None:
    s3 = pipelines.local.client("s3")
    evaluate = processing(
        "Evaluate",
        arguments=outputs(report="s3://bucket/report"),
        PropertyFiles=[{"PropertyFileName": "metrics", "OutputName": "report", "FilePath": "metrics.json"}],
    )
    value = {"Std:JsonGet": {"PropertyFile": get("Steps.Evaluate.PropertyFiles.metrics"), "Path": "a['b'][1]"}}
    pipelines.create(definition(evaluate, condition("C", value, 2.5, [processing("Yes")], [processing("No")])))
    s3.put_object(Bucket="bucket", Key="report/metrics.json", Body=json.dumps({"a": {"b": [0, 2.5]}}))
    assert "Yes" in pipelines.statuses(pipelines.run())
    s3.put_object(Bucket="bucket", Key="report/metrics.json", Body=json.dumps({"a": {"c": 1}}))
    arn = pipelines.run()
    assert "in a, which holds c" in pipelines.steps(arn)["C"]["FailureReason"]
    s3.put_object(Bucket="bucket", Key="report/metrics.json", Body=b"{")
    assert "is not JSON" in pipelines.steps(pipelines.run())["C"]["FailureReason"]
    s3.delete_object(Bucket="bucket", Key="report/metrics.json")
    reason = pipelines.steps(pipelines.run())["C"]["FailureReason"]
    assert "NoSuchKey" in reason
    assert "the job of 'Evaluate' was simulated: put report/metrics.json into simulated_outputs" in reason


def test_a_number_where_text_is_wanted_fails_unless_it_may_be_converted(
    pipelines: Pipelines, with_settings: Any
) -> None:
    step = processing("a", environment={"n": get("Parameters.n")})
    arn = pipelines.run(definition(step, parameters=[parameter("n", "Integer", 3)]))
    assert "'Environment.n' must be a String, not int 3" in pipelines.steps(arn)["a"]["FailureReason"]
    with_settings(convert_types=True)
    assert pipelines.job(pipelines.run(), "a")["Environment"] == {"n": "3"}


# Loops


def loop(items: Any, *body: Any, at_once: int = 2, **members: Any) -> dict[str, Any]:
    arguments = {"IterableItems": items, "MaxConcurrency": at_once, "ForEachBody": list(body), **members}
    return {"Name": "Loop", "Type": "ForEach", "Arguments": arguments}


def test_a_loop_runs_its_body_for_each_item(pipelines: Pipelines) -> None:
    body = processing(
        "Body", environment={"who": get("ForEach.CurrentItem.name"), "n": text(get("ForEach.CurrentItem['n']"))}
    )
    after = processing(
        "After",
        environment={
            "count": text(get("Steps.Loop.InputItemCount")),
            "status": get("Steps.Loop.Status"),
            "second": get("Steps.Loop.IterationOutputs[1].Body.ProcessingJobName"),
        },
    )
    items = json.dumps([{"name": "a", "n": 1}, {"name": "b", "n": 2}, {"name": "c", "n": 3}])
    arn = pipelines.run(
        definition(loop(get("Parameters.items"), body), after, parameters=[parameter("items", default=items)])
    )
    assert pipelines.statuses(arn) == dict.fromkeys(("Loop", "Body-0", "Body-1", "Body-2", "After"), SUCCEEDED)
    assert [pipelines.job(arn, f"Body-{index}")["Environment"] for index in range(3)] == [
        {"who": "a", "n": "1"}, {"who": "b", "n": "2"}, {"who": "c", "n": "3"}]  # fmt: skip
    second = pipelines.job(arn, "Body-1")["ProcessingJobName"]
    assert pipelines.job(arn, "After")["Environment"] == {"count": "3", "status": SUCCEEDED, "second": second}
    context = pipelines.steps(arn)["Body-1"]["IterationContext"]
    assert (
        context["ParentStepName"] == "Loop"
        and context["Index"] == 1
        and json.loads(context["Item"]) == {"name": "b", "n": 2}
    )


def test_the_body_of_a_loop_may_have_steps_after_each_other(pipelines: Pipelines) -> None:
    first = processing("First", environment={"item": get("ForEach.CurrentItem")})
    second = processing("Second", environment={"before": get("Steps.First.ProcessingJobName")})
    arn = pipelines.run(definition(loop(["x", "y"], first, second)))
    for index in range(2):
        name = pipelines.job(arn, f"First-{index}")["ProcessingJobName"]
        assert pipelines.job(arn, f"Second-{index}")["Environment"] == {"before": name}


def test_a_loop_keeps_to_its_concurrency(pipelines: Pipelines, with_settings: Any) -> None:
    with_settings(simulated_seconds=0.1)
    arn = pipelines.run(definition(loop(list("abcdef"), processing("Body"), at_once=2)))
    assert most_at_once(pipelines.steps(arn), "Body") == 2


def most_at_once(steps: dict[str, Any], prefix: str = "") -> int:
    own = [step for name, step in steps.items() if name.startswith(prefix) and "EndTime" in step]
    return max(sum(o["StartTime"] <= step["StartTime"] < o["EndTime"] for o in own) for step in own)


@pytest.mark.parametrize(
    ("items", "reason"), [("[]", "an empty list"), ("{}", "not a JSON list"), ("[", "not a JSON list")]
)
def test_what_is_no_list_of_items_fails_the_loop(pipelines: Pipelines, items: str, reason: str) -> None:
    arn = pipelines.run(
        definition(loop(get("Parameters.items"), processing("Body")), parameters=[parameter("items", default=items)])
    )
    assert reason in pipelines.steps(arn)["Loop"]["FailureReason"]
    assert pipelines.describe(arn)["FailureReason"] == "Step failure: One or multiple steps failed."


def test_a_loop_that_cannot_begin_is_handled_as_any_failure(pipelines: Pipelines) -> None:
    steps = [loop(get("Parameters.items"), processing("Body")), processing("handler", on("Loop", "Failed"))]
    arn = pipelines.run(definition(*steps, parameters=[parameter("items", default="[]")]))
    assert pipelines.statuses(arn) == {"Loop": FAILED, "handler": SUCCEEDED}
    assert pipelines.status(arn) == "CompletedWithFailures"


def test_a_failed_iteration_fails_the_loop(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("capacity", name="*-Body-1-*")
    arn = pipelines.run(
        definition(loop(["a", "b", "c", "d"], processing("Body"), at_once=1), processing("After", "Loop"))
    )
    assert pipelines.statuses(arn) == {"Loop": FAILED, "Body-0": SUCCEEDED, "Body-1": FAILED}
    metadata = pipelines.steps(arn)["Loop"]["Metadata"]["ForEach"]
    assert (metadata["TotalStepCount"], metadata["SucceededStepCount"], metadata["FailedStepCount"]) == (4, 1, 1)


# Retries of steps


def policy(kind: str, attempts: int = 3) -> list[dict[str, Any]]:
    return [{"ExceptionType": [kind], "IntervalSeconds": 1, "BackoffRate": 1.0, "MaxAttempts": attempts}]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("capacity", "SageMaker.CAPACITY_ERROR"),
        ("internal-error", "SageMaker.JOB_INTERNAL_ERROR"),
        ("quota", "SageMaker.RESOURCE_LIMIT"),
    ],
)
def test_a_policy_tries_again(pipelines: Pipelines, fault: str, kind: str) -> None:
    pipelines.local.faults.add(fault, operation="CreateProcessingJob", name="*-a-*", times=2)
    arn = pipelines.run(definition(processing("a", RetryPolicies=policy(kind))))
    assert pipelines.steps(arn)["a"]["AttemptCount"] == 3
    assert pipelines.job(arn, "a")["ProcessingJobName"].endswith("-2")


def test_a_policy_gives_up(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("capacity", name="*-a-*", times=None)
    arn = pipelines.run(definition(processing("a", RetryPolicies=policy("SageMaker.CAPACITY_ERROR", 2))))
    assert pipelines.steps(arn)["a"]["AttemptCount"] == 3
    assert pipelines.status(arn) == FAILED


def test_another_failure_is_not_retried(pipelines: Pipelines) -> None:
    pipelines.local.faults.add(kind="fail", name="*-a-*", message="AlgorithmError: exit code 1")
    arn = pipelines.run(definition(processing("a", RetryPolicies=policy("SageMaker.CAPACITY_ERROR"))))
    assert pipelines.steps(arn)["a"]["AttemptCount"] == 1
    assert pipelines.status(arn) == FAILED


def test_throttling_is_retried_without_a_policy(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("throttling", operation="CreateProcessingJob", times=3)
    arn = pipelines.run(definition(processing("a")))
    assert pipelines.steps(arn)["a"]["AttemptCount"] == 4
    assert pipelines.status(arn) == SUCCEEDED


# Stop and retry of executions


def test_stopping_stops_the_running_jobs_and_starts_nothing(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("hang", name="*-a-*")
    pipelines.create(definition(processing("a"), processing("b", "a")))
    arn = pipelines.start()
    job = wait_for_job(pipelines, "-a-")
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    pipelines.wait(arn)
    assert pipelines.statuses(arn) == {"a": "Stopped"}
    assert pipelines.status(arn) == "Stopped"
    assert pipelines.sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(pipelines.sagemaker.exceptions.ConflictException):
        pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_stopping_ends_the_wait_for_a_retry(pipelines: Pipelines, with_settings: Any) -> None:
    with_settings(retry_scale=1000)
    pipelines.local.faults.add("capacity", name="*-a-*")
    pipelines.create(definition(processing("a", RetryPolicies=policy("SageMaker.CAPACITY_ERROR"))))
    arn = pipelines.start()
    wait_for_job(pipelines, "-a-")
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    pipelines.wait(arn)
    assert pipelines.status(arn) == "Stopped"


@pytest.mark.parametrize("how", ["failed", "stopped"])
def test_a_retry_goes_on_where_the_execution_ended(pipelines: Pipelines, how: str) -> None:
    pipelines.local.faults.add("capacity" if how == "failed" else "hang", name="*-b-*")
    pipelines.create(definition(processing("a"), processing("b", "a"), processing("c", "b")))
    arn = pipelines.start()
    if how == "stopped":
        wait_for_job(pipelines, "-b-")
        pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    pipelines.wait(arn)
    before = pipelines.job(arn, "a")["ProcessingJobName"]
    assert pipelines.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionArn"] == arn
    pipelines.wait(arn)
    assert pipelines.statuses(arn) == dict.fromkeys("abc", SUCCEEDED)
    assert pipelines.job(arn, "a")["ProcessingJobName"] == before
    assert pipelines.job(arn, "b")["ProcessingJobName"].endswith("-1")
    assert "FailureReason" not in pipelines.describe(arn)
    with pytest.raises(pipelines.sagemaker.exceptions.ConflictException):
        pipelines.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)


# Parallelism: start over update over definition of the pipeline


def wide(count: int = 6) -> str:
    return definition(*(processing(f"s{index}") for index in range(count)))


def test_parallelism_of_the_start_wins_over_that_of_the_pipeline(pipelines: Pipelines, with_settings: Any) -> None:
    with_settings(simulated_seconds=0.1)
    pipelines.create(wide(), ParallelismConfiguration={"MaxParallelExecutionSteps": 2})
    assert most_at_once(pipelines.steps(pipelines.run())) == 2
    arn = pipelines.run(ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    assert most_at_once(pipelines.steps(arn)) == 1
    pipelines.sagemaker.update_pipeline(PipelineName="p", ParallelismConfiguration={"MaxParallelExecutionSteps": 3})
    assert most_at_once(pipelines.steps(pipelines.run())) == 3


def test_parallelism_changes_while_an_execution_runs(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("hang", name="*-s*", times=None)
    pipelines.create(wide(3))
    arn = pipelines.start(ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    pipelines.until(arn, "s0", "Executing")
    assert list(pipelines.steps(arn)) == ["s0"]
    pipelines.sagemaker.update_pipeline_execution(
        PipelineExecutionArn=arn, ParallelismConfiguration={"MaxParallelExecutionSteps": 2}
    )
    pipelines.until(arn, "s1", "Executing")
    assert list(pipelines.steps(arn)) == ["s0", "s1"]
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    pipelines.wait(arn)


def test_an_execution_keeps_the_definition_it_was_started_with(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("hang", name="*-a-*")
    pipelines.create(definition(processing("a"), processing("b", "a")))
    arn = pipelines.start()
    job = wait_for_job(pipelines, "-a-")
    pipelines.sagemaker.update_pipeline(PipelineName="p", PipelineDefinition=definition(processing("other")))
    text_of = pipelines.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert [step["Name"] for step in json.loads(text_of["PipelineDefinition"])["Steps"]] == ["a", "b"]
    pipelines.sagemaker.stop_processing_job(ProcessingJobName=job)
    pipelines.wait(arn)
    assert list(pipelines.statuses(pipelines.run())) == ["other"]


def test_experiments_are_made_when_the_definition_names_them(pipelines: Pipelines) -> None:
    config = {"ExperimentName": get("Execution.PipelineName"), "TrialName": get("Execution.PipelineExecutionId")}
    step = processing("a", environment={"e": get("PipelineExperimentConfig.ExperimentName")})
    pipelines.create(definition(step, PipelineExperimentConfig=config))
    arns = [pipelines.run() for _ in range(2)]
    assert [item["ExperimentName"] for item in pipelines.sagemaker.list_experiments()["ExperimentSummaries"]] == ["p"]
    trials = {item["TrialName"] for item in pipelines.sagemaker.list_trials(ExperimentName="p")["TrialSummaries"]}
    assert trials == {arn.rpartition("/")[2] for arn in arns}
    assert pipelines.job(arns[0], "a")["Environment"] == {"e": "p"}


def test_a_loop_that_runs_goes_on_when_another_step_fails(pipelines: Pipelines, with_settings: Any) -> None:
    with_settings(simulated_seconds=0.2)
    pipelines.local.faults.add("capacity", name="*-bad-*")
    steps = [loop(["a", "b", "c"], processing("Body"), at_once=1), processing("pre"), processing("bad", "pre")]
    arn = pipelines.run(definition(*steps, processing("after", "pre", "Loop")))
    statuses = pipelines.statuses(arn)
    assert (statuses["Loop"], statuses["bad"]) == (SUCCEEDED, FAILED)
    assert "after" not in statuses
    assert pipelines.status(arn) == FAILED


def test_a_handler_in_a_loop_that_is_not_needed_leaves_the_loop_well(pipelines: Pipelines) -> None:
    body = (processing("First"), processing("OnFail", on("First", "Failed")))
    arn = pipelines.run(definition(loop(["a", "b"], *body)))
    assert pipelines.statuses(arn) == {"Loop": SUCCEEDED, "First-0": SUCCEEDED, "First-1": SUCCEEDED}
    assert pipelines.status(arn) == SUCCEEDED


@pytest.mark.parametrize("again", [False, True])
def test_a_stop_that_was_throttled_is_made_again(pipelines: Pipelines, again: bool) -> None:
    pipelines.local.faults.add("hang", name="*-a-*")
    pipelines.local.faults.add("throttling", operation="StopProcessingJob", times=6 if again else 2)
    pipelines.create(definition(processing("a")))
    arn = pipelines.start()
    wait_for_job(pipelines, "-a-")
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    if again:
        time.sleep(4)
        assert pipelines.status(arn) == "Stopping"
        pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    pipelines.wait(arn)
    assert pipelines.status(arn) == "Stopped"


def test_a_throttled_describe_does_not_repeat_the_job(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("throttling", operation="DescribeProcessingJob", times=2)
    arn = pipelines.run(definition(processing("a")))
    assert pipelines.steps(arn)["a"]["AttemptCount"] == 1
    assert len(pipelines.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]) == 1


def test_the_longest_prefix_gives_a_name_that_fits(pipelines: Pipelines) -> None:
    arn = pipelines.run(definition(processing("a", arguments={"ProcessingJobName": "p" * 38})))
    name = pipelines.job(arn, "a")["ProcessingJobName"]
    assert len(name) <= 63 and name.startswith("p" * 30) and arn.rpartition("/")[2] in name


def test_an_experiment_that_cannot_be_fails_the_execution(pipelines: Pipelines) -> None:
    config = {"ExperimentName": get("Parameters.name"), "TrialName": "t"}
    arn = pipelines.run(
        definition(
            processing("a"), PipelineExperimentConfig=config, parameters=[parameter("name", default="bad name!")]
        )
    )
    assert pipelines.status(arn) == FAILED
    assert "bad name!" in pipelines.describe(arn)["FailureReason"]
