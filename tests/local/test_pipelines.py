"""The pipeline API: pipelines, versions, aliases, tokens, parameters, lists, and what it refuses."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pipelines_client import ROLE, Pipelines, condition, definition, parameter, processing

TOKEN = "a" * 32


def refused(call: Any, **request: Any) -> str:
    """The text of the error that a call ends with."""
    with pytest.raises(ClientError) as error:
        call(**request)
    return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


def test_a_pipeline_is_described_as_it_was_created(pipelines: Pipelines) -> None:
    text = definition(processing("a"))
    arn = pipelines.create(
        text,
        PipelineDisplayName="shown",
        PipelineDescription="what it does",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 3},
        Tags=[{"Key": "team", "Value": "ml"}],
    )
    described = pipelines.sagemaker.describe_pipeline(PipelineName="p")
    assert described["PipelineArn"] == arn == "arn:aws:sagemaker:us-west-2:123456789012:pipeline/p"
    assert described["PipelineDefinition"] == text
    assert described["PipelineStatus"] == "Active"
    assert described["PipelineDisplayName"] == "shown"
    assert described["PipelineDescription"] == "what it does"
    assert described["RoleArn"] == ROLE
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    assert pipelines.sagemaker.describe_pipeline(PipelineName=arn)["PipelineName"] == "p"
    tags = pipelines.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    assert {"Key": "team", "Value": "ml"} in tags
    assert {"Key": "sagemaker-local", "Value": "true"} in tags


def test_names_are_unique(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("a")))
    message = refused(pipelines.create, text=definition(processing("a")))
    assert message.startswith("ValidationException") and "must be unique" in message


def test_a_definition_may_come_from_s3(pipelines: Pipelines) -> None:
    text = definition(processing("a"))
    where = {"Bucket": "bucket", "ObjectKey": "d.json"}
    request = {"PipelineName": "p", "RoleArn": ROLE, "PipelineDefinitionS3Location": where}
    assert "Could not read s3://bucket/d.json" in refused(pipelines.sagemaker.create_pipeline, **request)
    pipelines.local.client("s3").put_object(Bucket="bucket", Key="d.json", Body=text)
    pipelines.sagemaker.create_pipeline(**request)
    assert pipelines.sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"] == text
    both = {**request, "PipelineDefinition": text}
    assert "exactly one" in refused(pipelines.sagemaker.create_pipeline, **both)


def test_what_the_service_would_refuse_is_refused_with_all_reasons(pipelines: Pipelines) -> None:
    text = definition(processing("a", "nowhere"), processing("a"), processing("b c"))
    message = refused(pipelines.create, text=text)
    assert message.startswith("ValidationException: Model Validation failed: 3 problem(s)")
    assert all(code in message for code in ("SMP506", "SMP503", "SMP502"))
    assert "not JSON" in refused(pipelines.create, text="{")
    assert pipelines.sagemaker.list_pipelines()["PipelineSummaries"] == []


@pytest.mark.parametrize("setting", [False, True])
def test_undocumented_forms_are_settings(pipelines: Pipelines, with_settings: Any, setting: bool) -> None:
    with_settings(nested_conditions=setting, condition_dependencies=setting)
    nested = definition(condition("Outer", 1, 1, [condition("Inner", 1, 2, [], [processing("a")])], []))
    rejoin = definition(condition("C", 1, 1, [processing("a")], []), processing("after", "C"))
    if setting:
        assert list(pipelines.statuses(pipelines.run(nested, "nested"))) == ["Outer", "Inner", "a"]
        assert set(pipelines.statuses(pipelines.run(rejoin, "rejoin"))) == {"C", "a", "after"}
    else:
        assert "SMP624" in refused(pipelines.create, text=nested)
        assert "SMP625" in refused(pipelines.create, text=rejoin)


def test_a_changed_definition_is_a_new_version(pipelines: Pipelines) -> None:
    sagemaker = pipelines.sagemaker
    first, second = definition(processing("a")), definition(processing("b"))
    arn = pipelines.create(first, PipelineVersionAliases=["live"])
    sagemaker.update_pipeline(PipelineName="p", PipelineDescription="new words")
    sagemaker.update_pipeline(PipelineName="p", PipelineDefinition=first)
    assert [
        item["PipelineVersionId"]
        for item in sagemaker.list_pipeline_versions(PipelineName="p")["PipelineVersionSummaries"]
    ] == [1]
    assert "only be given when the definition changes" in refused(
        sagemaker.update_pipeline, PipelineName="p", PipelineDefinition=first, PipelineVersionAliases=["next"]
    )
    sagemaker.update_pipeline(PipelineName="p", PipelineDefinition=second)
    assert sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"] == second
    assert sagemaker.describe_pipeline(PipelineName="p", PipelineVersionId=1)["PipelineDefinition"] == first
    assert list(pipelines.statuses(pipelines.run())) == ["b"]
    assert list(pipelines.statuses(pipelines.run(PipelineVersionId=1))) == ["a"]
    assert list(pipelines.statuses(pipelines.run(PipelineVersionAlias="live"))) == ["a"]
    change = partial(sagemaker.update_pipeline_version, PipelineArn=arn)
    add, remove = ({"PipelineVersionAliasOperations": {operation: ["live"]}} for operation in ("Add", "Remove"))
    assert "Version 1 has the alias live" in refused(change, PipelineVersionId=2, **add)
    assert "Version 1 has the alias live" in refused(
        sagemaker.update_pipeline, PipelineName="p", PipelineDefinition=first, PipelineVersionAliases=["live"]
    )
    change(PipelineVersionId=1, **remove)
    change(PipelineVersionId=2, **add)
    summaries = sagemaker.list_pipeline_versions(PipelineName="p", SortOrder="Ascending")["PipelineVersionSummaries"]
    assert [item["PipelineVersionAliases"] for item in summaries] == [[], ["live"]]
    assert list(pipelines.statuses(pipelines.run(PipelineVersionAlias="live"))) == ["b"]
    assert "ResourceNotFound" in refused(pipelines.start, PipelineVersionAlias="other")
    assert "ResourceNotFound" in refused(pipelines.start, PipelineVersionId=9)


def test_parameters_are_converted_and_checked_all_at_once(pipelines: Pipelines) -> None:
    parameters = [
        parameter("text", default="x", EnumValues=["x", "y"]),
        parameter("whole", "Integer", 1),
        parameter("number", "Float", 1.5),
        parameter("flag", "Boolean", False),
        parameter("needed"),
    ]
    pipelines.create(definition(processing("a"), parameters=parameters))
    message = refused(
        pipelines.start, parameters={"text": "z", "whole": "1.5", "number": "much", "flag": "perhaps", "other": "1"}
    )
    for part in (
        "'text' is one of x, y",
        "'whole' has the type Integer",
        "'number' has",
        "'flag' has",
        "no parameter 'other'",
        "'needed' needs a value",
    ):
        assert part in message
    arn = pipelines.run(parameters={"whole": "-3", "number": "1e3", "flag": "True", "needed": ""})
    values = pipelines.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert {item["Name"]: item["Value"] for item in values} == {
        "text": "x", "whole": "-3", "number": "1000.0", "flag": "true", "needed": ""}  # fmt: skip


def test_a_start_with_the_same_token_is_the_same_execution(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("a")), ClientRequestToken=TOKEN)
    assert pipelines.create(definition(processing("a")), ClientRequestToken=TOKEN).endswith("pipeline/p")
    arns = {pipelines.start(ClientRequestToken=TOKEN) for _ in range(3)}
    assert len(arns) == 1
    assert pipelines.start(ClientRequestToken="b" * 32) not in arns
    assert "used before" in refused(pipelines.start, ClientRequestToken=TOKEN, PipelineExecutionDescription="other")


def test_lists_are_filtered_sorted_and_paged(pipelines: Pipelines) -> None:
    for index in range(25):
        pipelines.create(definition(processing("a")), f"p{index:02d}" if index % 2 else f"q{index:02d}")
    pages = pipelines.sagemaker.get_paginator("list_pipelines").paginate(
        PipelineNamePrefix="p", SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 5}
    )
    found = [[item["PipelineName"] for item in page["PipelineSummaries"]] for page in pages]
    assert [len(names) for names in found] == [5, 5, 2]
    assert [name for names in found for name in names] == [f"p{index:02d}" for index in range(1, 25, 2)]
    assert "Invalid NextToken" in refused(pipelines.sagemaker.list_pipelines, NextToken="nonsense")


def test_steps_are_listed_in_pages_newest_first(pipelines: Pipelines) -> None:
    steps = [processing(f"s{index}", *([f"s{index - 1}"] if index else [])) for index in range(12)]
    arn = pipelines.run(definition(*steps))
    first = pipelines.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=5)
    assert [step["StepName"] for step in first["PipelineExecutionSteps"]] == [f"s{index}" for index in range(11, 6, -1)]
    assert list(pipelines.steps(arn)) == [f"s{index}" for index in range(12)]


def test_executions_are_listed_and_described(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("capacity", name="*-a-*")
    pipelines.create(definition(processing("a")))
    bad = pipelines.run(PipelineExecutionDisplayName="first", PipelineExecutionDescription="why")
    good = pipelines.run()
    summaries = pipelines.sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"]
    assert [item["PipelineExecutionArn"] for item in summaries] == [good, bad]
    assert summaries[1]["PipelineExecutionFailureReason"] == "Step failure: One or multiple steps failed."
    described = pipelines.describe(bad)
    assert described["PipelineExecutionDisplayName"] == "first"
    assert described["PipelineExecutionDescription"] == "why"
    assert described["PipelineVersionId"] == 1
    assert pipelines.sagemaker.list_pipelines()["PipelineSummaries"][0]["LastExecutionTime"]


def test_deleting_takes_the_executions_along_but_not_while_they_run(pipelines: Pipelines) -> None:
    pipelines.local.faults.add("hang", name="*-a-*")
    pipelines.create(definition(processing("a")))
    arn = pipelines.start()
    pipelines.until(arn, "a", "Executing")
    assert "ConflictException" in refused(pipelines.sagemaker.delete_pipeline, PipelineName="p")
    pipelines.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    pipelines.wait(arn)
    pipelines.sagemaker.delete_pipeline(PipelineName="p")
    for call, request in (
        ("describe_pipeline", {"PipelineName": "p"}),
        ("describe_pipeline_execution", {"PipelineExecutionArn": arn}),
    ):
        assert "ResourceNotFound" in refused(getattr(pipelines.sagemaker, call), **request)
    pipelines.create(definition(processing("a")))
    assert pipelines.sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"] == []


@pytest.mark.parametrize(
    ("call", "request_"),
    [
        ("describe_pipeline", {"PipelineName": "no"}),
        ("start_pipeline_execution", {"PipelineName": "no"}),
        ("update_pipeline", {"PipelineName": "no"}),
        ("list_pipeline_executions", {"PipelineName": "no"}),
        (
            "list_pipeline_execution_steps",
            {"PipelineExecutionArn": "arn:aws:sagemaker:us-west-2:123456789012:pipeline/no/execution/abc"},
        ),
        (
            "stop_pipeline_execution",
            {"PipelineExecutionArn": "arn:aws:sagemaker:us-west-2:123456789012:pipeline/no/execution/abc"},
        ),
        ("send_pipeline_execution_step_success", {"CallbackToken": "abcdefghij"}),
    ],
)
def test_what_does_not_exist_is_not_found(pipelines: Pipelines, call: str, request_: dict[str, Any]) -> None:
    assert refused(getattr(pipelines.sagemaker, call), **request_).startswith("ResourceNotFound")


def test_pipelines_of_two_regions_do_not_meet(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("a")))
    elsewhere = pipelines.local.client("sagemaker", "eu-central-1")
    assert elsewhere.list_pipelines()["PipelineSummaries"] == []
    arn = elsewhere.create_pipeline(PipelineName="p", PipelineDefinition=definition(processing("a")), RoleArn=ROLE)
    assert arn["PipelineArn"].startswith("arn:aws:sagemaker:eu-central-1:")


# Selective execution


def chain(*names: str) -> str:
    return definition(*(processing(name, *([names[index - 1]] if index else [])) for index, name in enumerate(names)))


def select(*names: str, source: str | None = None) -> dict[str, Any]:
    config = {"SelectedSteps": [{"StepName": name} for name in names]}
    return {"SelectiveExecutionConfig": {**config, **({"SourcePipelineExecutionArn": source} if source else {})}}


def test_selected_steps_run_with_the_results_of_another_execution(pipelines: Pipelines) -> None:
    steps = [
        processing("a"),
        processing("b", environment={"a": {"Get": "Steps.a.ProcessingJobName"}}),
        processing("c", "b"),
    ]
    source = pipelines.run(definition(*steps))
    arn = pipelines.run(**select("b", source=source))
    found = pipelines.steps(arn)
    assert set(found) == {"a", "b"}
    assert found["a"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source}
    assert pipelines.job(arn, "b")["Environment"] == {"a": pipelines.job(source, "a")["ProcessingJobName"]}
    assert pipelines.describe(arn)["SelectiveExecutionConfig"]["SourcePipelineExecutionArn"] == source


def test_a_condition_is_selected_with_its_branches(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("a"), condition("C", 1, 1, [processing("Yes")], [processing("No")], "a")))
    source = pipelines.run()
    assert set(pipelines.statuses(pipelines.run(**select("C", source=source)))) == {"a", "C", "Yes"}
    assert "inside a branch" in refused(pipelines.start, **select("Yes", source=source))


def test_impossible_selections_are_refused_with_all_reasons(pipelines: Pipelines) -> None:
    source = pipelines.run(chain("a", "b", "c", "d"))
    assert "no step 'x'; the pipeline has no step 'y'" in refused(pipelines.start, **select("x", "y"))
    assert "need a; give a SourcePipelineExecutionArn" in refused(pipelines.start, **select("b"))
    assert "'b' is between selected steps" in refused(pipelines.start, **select("a", "c", source=source))
    assert set(pipelines.statuses(pipelines.run(**select("a", "b")))) == {"a", "b"}
    pipelines.local.faults.add("capacity", name="*-b-*")
    failed = pipelines.run()
    message = refused(pipelines.start, **select("c", source=failed))
    assert "step 'b', which the selected steps need, has Failed" in message
    pipelines.create(definition(processing("one"), processing("two")), "loose")
    assert "not connected" in refused(pipelines.start, name="loose", **select("one", "two"))
    assert "not an execution of pipeline 'loose'" in refused(
        pipelines.start, name="loose", **select("one", source=source)
    )


def test_answers_have_the_members_of_the_service_model_only(pipelines: Pipelines) -> None:
    arn = pipelines.run(definition(processing("a")))
    raw = pipelines.local.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})
    assert not [key for key in raw if key.startswith("_")]
    assert not [key for key in json.dumps(raw).split('"') if key.startswith("_")]


def test_concurrent_updates_are_versions_of_their_own(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("a")))
    versions: list[int] = []

    def update(number: int) -> None:
        text = definition(processing(f"s{number}"))
        answer = pipelines.local.call("UpdatePipeline", {"PipelineName": "p", "PipelineDefinition": text})
        versions.append(answer["PipelineVersionId"])

    threads = [threading.Thread(target=update, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == list(range(2, 22))


def test_a_token_of_a_deleted_pipeline_means_nothing(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("a")), ClientRequestToken=TOKEN)
    pipelines.run(ClientRequestToken=TOKEN)
    pipelines.sagemaker.delete_pipeline(PipelineName="p")
    pipelines.create(definition(processing("b")), ClientRequestToken=TOKEN)
    assert list(pipelines.statuses(pipelines.run(ClientRequestToken=TOKEN))) == ["b"]


def test_an_arn_of_another_region_is_not_found(pipelines: Pipelines) -> None:
    arn = pipelines.create(definition(processing("a")))
    other = arn.replace("us-west-2", "eu-west-1")
    assert refused(pipelines.sagemaker.describe_pipeline, PipelineName=other).startswith("ResourceNotFound")


def test_what_is_deleted_between_pages_does_not_end_the_pages(pipelines: Pipelines) -> None:
    for index in range(12):
        pipelines.create(definition(processing("a")), f"p{index:02d}")
    pages = pipelines.sagemaker.get_paginator("list_pipelines").paginate(PaginationConfig={"PageSize": 5})
    seen = []
    for found in pages:
        for item in found["PipelineSummaries"]:
            seen.append(item["PipelineName"])
            pipelines.sagemaker.delete_pipeline(PipelineName=item["PipelineName"])
    assert seen == [f"p{index:02d}" for index in range(11, -1, -1)]


def test_a_retry_of_a_selection_keeps_what_was_taken_over(pipelines: Pipelines) -> None:
    pipelines.create(definition(processing("bad"), processing("H", {"Step": "bad", "Trigger": "Failed"})))
    pipelines.local.faults.add("capacity", name="*-bad-*")
    source = pipelines.run()
    pipelines.local.faults.add("capacity", name="*-H-*")
    arn = pipelines.run(**select("H", source=source))
    assert pipelines.status(arn) == "Failed"
    pipelines.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
    pipelines.wait(arn)
    assert pipelines.statuses(arn) == {"bad": "Failed", "H": "Succeeded"}
    assert pipelines.status(arn) == "CompletedWithFailures"
