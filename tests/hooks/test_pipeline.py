"""The hook of pipelines, on a local SageMaker."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from pipelines_client import ROLE, Pipelines, definition, fail, parameter, processing

from sagemaker_provider.hooks import pipeline as module
from sagemaker_provider.hooks.pipeline import (
    OWNER_TAG,
    Pipeline,
    PipelineError,
    SageMakerPipelineHook,
    require_success,
)
from sagemaker_provider.hooks.step import SageMakerStepError

ONE = Pipeline("p", definition(processing("a")), role=ROLE, tags={"airflow:dag_id": "p"})
TWO = replace(ONE, definition=definition(processing("a"), processing("b", "a")))


@pytest.fixture
def pipelines(local_sagemaker: Any) -> Pipelines:
    return Pipelines(local_sagemaker)


@cache
def hook_of(url: str) -> SageMakerPipelineHook:
    return SageMakerPipelineHook(aws_conn_id=None)


@pytest.fixture
def hook(local_sagemaker: Any) -> SageMakerPipelineHook:
    return hook_of(local_sagemaker.url)  # making a client takes a second


def places(deployment: Any) -> list[str]:
    return [".".join(change.place) for change in deployment.changes]


def test_a_pipeline_is_created_once_and_updated_when_it_differs(hook: Any) -> None:
    created = hook.deploy(ONE)
    assert (created.action, created.version) == ("created", 1)
    assert hook.deploy(ONE).action == "unchanged"
    updated = hook.deploy(TWO)
    assert (updated.action, updated.version, places(updated)) == ("updated", 2, ["Definition.Steps.b"])
    assert hook.deploy(TWO).action == "unchanged"
    assert [item["PipelineVersionId"] for item in hook.versions("p")] == [2, 1]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"role": f"{ROLE}2"}, "RoleArn"),
        ({"description": "new"}, "PipelineDescription"),
        ({"display_name": "new"}, "PipelineDisplayName"),
        ({"max_parallel_steps": 4}, "ParallelismConfiguration"),
        ({"tags": {"airflow:dag_id": "p", "team": "ml"}}, "Tags.team"),
        ({"tags": {}}, "Tags.airflow:dag_id"),
        ({"aliases": ("live",)}, "PipelineVersionAliases"),
    ],
)
def test_each_member_is_updated_alone(hook: Any, change: dict[str, Any], place: str) -> None:
    hook.deploy(ONE)
    wanted = replace(ONE, **change)
    updated = hook.deploy(wanted)
    assert (updated.action, updated.version, places(updated)) == ("updated", 1, [place])
    assert hook.plan(wanted).changes == ()


def test_after_a_deployment_nothing_differs(
    hook: Any, local_sagemaker: Any, golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The definitions of AWS's SDK."""
    settings = replace(local_sagemaker.settings, nested_conditions=True, condition_dependencies=True)
    monkeypatch.setattr(local_sagemaker, "settings", settings)
    for file in sorted((golden / "examples").glob("*.json")):
        pipeline = Pipeline(file.stem.replace("_", "-"), file.read_text(), role=ROLE)
        assert hook.deploy(pipeline).action == "created"
        assert hook.plan(pipeline).changes == (), file


def test_what_a_deployment_does_not_name_stays(hook: Any) -> None:
    hook.deploy(replace(ONE, description="words", max_parallel_steps=3))
    arn = hook.find("p")["PipelineArn"]
    hook.conn.add_tags(ResourceArn=arn, Tags=[{"Key": "cost-centre", "Value": "7"}])
    assert hook.deploy(replace(ONE, role=None)).action == "unchanged"
    assert hook.tags(arn)["cost-centre"] == "7"
    assert hook.find("p")["PipelineDescription"] == "words"


def test_an_alias_moves_to_the_new_version(hook: Any) -> None:
    hook.deploy(replace(ONE, aliases=("live", "first")))
    hook.deploy(replace(TWO, aliases=("live",)))
    assert {item["PipelineVersionId"]: item["PipelineVersionAliases"] for item in hook.versions("p")} == {
        1: ["first"],
        2: ["live"],
    }
    assert "b" in hook.find("p", alias="live")["PipelineDefinition"]
    assert json.loads(hook.find("p", version=1)["PipelineDefinition"]) == json.loads(ONE.definition)


def test_a_new_pipeline_needs_a_role(hook: Any) -> None:
    with pytest.raises(PipelineError, match="'p' is new: a role is needed"):
        hook.deploy(replace(ONE, role=None))


def test_a_definition_that_cannot_be_read_is_not_deployed(hook: Any) -> None:
    with pytest.raises(PipelineError, match="the definition of 'p' is not valid"):
        hook.deploy(replace(ONE, definition="{"))
    assert hook.find("p") is None


def test_nobody_overwrites_or_deletes_the_pipeline_of_another(hook: Any, pipelines: Pipelines) -> None:
    pipelines.create(ONE.definition)
    with pytest.raises(PipelineError, match="not deployed by this tool"):
        hook.deploy(TWO)
    with pytest.raises(PipelineError, match="not deployed by this tool"):
        hook.delete("p")
    assert hook.find("p")["PipelineDefinition"] == ONE.definition
    assert hook.deploy(replace(TWO, owner="team a"), force=True).action == "updated"
    assert hook.tags(hook.find("p")["PipelineArn"])[OWNER_TAG] == "team a"
    with pytest.raises(PipelineError, match="'team a' deployed it; force takes it over"):
        hook.deploy(ONE)
    with pytest.raises(PipelineError, match="'team a' deployed it"):
        hook.delete("p", owner="team b")
    hook.delete("p", owner="team a")
    assert hook.find("p") is None


def test_what_the_service_refuses_changes_nothing(hook: Any) -> None:
    hook.deploy(ONE)
    broken = definition(processing("a", "missing"))
    with pytest.raises(Exception, match="missing"):
        hook.deploy(replace(ONE, definition=broken, tags={"team": "new"}))
    assert hook.plan(ONE).changes == ()


def test_of_two_first_deployments_at_once_one_says_so(hook: Any) -> None:
    first, second = hook.plan(ONE), hook.plan(TWO)
    assert hook.carry_out(first).action == "created"
    with pytest.raises(PipelineError, match="created by another deployment at the same time"):
        hook.carry_out(second)
    assert hook.carry_out(first).action == "unchanged"  # as another one of the same pipeline
    assert hook.plan(ONE).changes == ()


def test_of_two_updates_at_once_one_says_so_and_writes_nothing(hook: Any) -> None:
    hook.deploy(ONE)
    three = replace(ONE, definition=definition(processing("c")), tags={"team": "c"})
    first, second = hook.plan(TWO), hook.plan(three)
    assert hook.carry_out(first).version == 2
    with pytest.raises(PipelineError, match="to version 2; nothing is changed by this one"):
        hook.carry_out(second)
    assert hook.plan(TWO).changes == ()


def test_an_update_between_the_look_and_the_call_is_told(hook: Any, mocker: Any) -> None:
    hook.deploy(ONE)
    plan = hook.plan(TWO)
    other = replace(ONE, definition=definition(processing("c")))
    location = hook._definition
    versions = mocker.patch.object(hook, "versions", side_effect=hook.versions)

    def interfere(name: str) -> Any:
        versions.side_effect = None
        found = SageMakerPipelineHook(aws_conn_id=None).versions(name)
        hook.conn.update_pipeline(PipelineName="p", **location(other))
        return found

    versions.side_effect = interfere
    with pytest.raises(PipelineError, match="version 3 of this one came after version 2 of the other"):
        hook.carry_out(plan)


def test_deployments_in_threads_end_in_one_definition(local_sagemaker: Any) -> None:
    wanted = [replace(ONE, definition=definition(processing(name))) for name in "abcd"]
    barrier = threading.Barrier(len(wanted))

    def deploy(pipeline: Pipeline) -> str:
        hook = SageMakerPipelineHook(aws_conn_id=None)
        plan = hook.plan(pipeline)
        barrier.wait()
        try:
            return hook.carry_out(plan).action
        except PipelineError as error:
            return str(error)

    with ThreadPoolExecutor(len(wanted)) as pool:
        outcomes = sorted(pool.map(deploy, wanted))
    assert outcomes == ["created", *["pipeline 'p' was created by another deployment at the same time"] * 3]
    hook = SageMakerPipelineHook(aws_conn_id=None)
    assert sum(not hook.plan(pipeline).changes for pipeline in wanted) == 1


def test_a_large_definition_goes_through_s3(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("s3").create_bucket(Bucket="large", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    monkeypatch.setattr(module, "INLINE_CHARACTERS", 10)
    hook.deploy(replace(ONE, location="s3://large/pipelines"))
    (key,) = [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket="large")["Contents"]]
    assert key.startswith("pipelines/definitions/") and key.endswith(".json")
    assert hook.find("p")["PipelineDefinition"] == ONE.definition
    monkeypatch.setattr(module.limits, "DEFINITION_CHARACTERS", 20)
    with pytest.raises(PipelineError, match="goes through S3, for which a place is needed"):
        hook.deploy(TWO)


PARAMETERS = [parameter("count", "Integer", 1), parameter("flag", "Boolean", False), parameter("day")]


def test_parameters_are_checked_before_the_start(hook: Any) -> None:
    hook.deploy(replace(ONE, definition=definition(processing("a"), parameters=PARAMETERS)))
    with pytest.raises(PipelineError) as error:
        hook.start("p", {"count": "two", "other": 1})
    for part in ("'count' has the type Integer, which 'two' is not", "no parameter 'other'", "'day' needs a value"):
        assert part in str(error.value)
    assert hook.executions("p") == []
    arn = hook.start("p", {"count": 2, "flag": True, "day": "2026-01-31"})
    assert {key: value.lower() for key, value in hook.parameters(arn).items()} == {
        "count": "2",
        "flag": "true",
        "day": "2026-01-31",
    }


def test_a_token_starts_one_execution(hook: Any) -> None:
    hook.deploy(ONE)
    assert hook.start("p", token="run 1") == hook.start("p", token="run 1")
    assert len({hook.start("p"), hook.start("p"), hook.start("p", token="run 2")}) == 3
    assert len(hook.executions("p")) == 4 and len(hook.executions("p", limit=2)) == 2


def test_an_unknown_pipeline_or_version_is_named(hook: Any) -> None:
    with pytest.raises(PipelineError, match="there is no pipeline 'p' in us-west-2"):
        hook.start("p")
    hook.deploy(ONE)
    with pytest.raises(PipelineError, match="no pipeline 'p' with the version next"):
        hook.start("p", alias="next")


def test_steps_start_alone(hook: Any, pipelines: Pipelines) -> None:
    hook.deploy(TWO)
    source = pipelines.wait(hook.start("p"))
    with pytest.raises(PipelineError, match="need the results of a from another execution"):
        hook.start("p", steps=["b"])
    with pytest.raises(PipelineError, match="has no step 'c'"):
        hook.start("p", steps=["c"])
    arn = pipelines.wait(hook.start("p", steps=["b"], source_execution=source))
    assert "SelectiveExecutionResult" in hook.steps(arn)[0]
    assert [step["StepName"] for step in hook.steps(arn)] == ["a", "b"]


def test_stop_asks_once(hook: Any, pipelines: Pipelines, local_sagemaker: Any) -> None:
    local_sagemaker.faults.add("hang")
    hook.deploy(ONE)
    arn = hook.start("p")
    pipelines.until(arn, "a", "Executing")
    assert hook.stop(arn)
    pipelines.wait(arn)
    assert not hook.stop(arn)
    with pytest.raises(SageMakerStepError, match=r"ended as Stopped \(a Stopped"):
        require_success(hook.describe(arn), hook.steps(arn))


def test_a_failed_execution_goes_on_once(hook: Any, pipelines: Pipelines, local_sagemaker: Any) -> None:
    local_sagemaker.faults.add("internal-error", times=1)
    hook.deploy(TWO)
    arn = pipelines.wait(hook.start("p"))
    with pytest.raises(SageMakerStepError, match=r"ended as Failed \(a Failed: "):
        require_success(hook.describe(arn), hook.steps(arn))
    hook.resume(arn)
    pipelines.wait(arn)
    require_success(hook.describe(arn), hook.steps(arn))
    with pytest.raises(PipelineError, match="cannot be resumed: it is Succeeded"):
        hook.resume(arn)


def test_after_a_fail_step_nothing_goes_on(hook: Any, pipelines: Pipelines) -> None:
    hook.deploy(replace(ONE, definition=definition(fail("enough", "too few"))))
    arn = pipelines.wait(hook.start("p"))
    with pytest.raises(PipelineError, match="ended by the Fail step 'enough'"):
        hook.resume(arn)
