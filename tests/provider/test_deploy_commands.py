"""deploy, diff, versions and delete, on a local SageMaker."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
from command_line import Commands
from dag_files import GOOD, UNKNOWN
from pipelines_client import ROLE, definition, processing

from sagemaker_provider.operators.converted import read_converted

ONE, TWO = definition(processing("a")), definition(processing("a"), processing("b", "a"))
PYTHON_DAG = """
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG, task
with DAG("py_task", schedule="@daily", start_date=datetime(2026, 1, 1), description="counts", max_active_tasks=3, tags=["ml"]):
    @task
    def work():
        return 1
    work()
"""
DEFAULTS = f"role: {ROLE}\nimage: i\ncode_location: s3://my-bucket/code\n"


@pytest.fixture
def bucket(local_sagemaker: Any) -> None:
    boto3.client("s3").create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})


def write(name: str, text: str) -> str:
    Path(f"{name}.pipeline.json").write_text(text)
    return f"{name}.pipeline.json"


def keys() -> list[str]:
    return [item["Key"] for item in boto3.client("s3").list_objects_v2(Bucket="my-bucket").get("Contents", ())]


def test_a_definition_is_deployed_and_then_the_same(here: Commands) -> None:
    file = write("p", ONE)
    assert here("diff", file, "--role", ROLE).code == 3
    created = here("deploy", file, "--role", ROLE)
    assert (created.code, created.err) == (0, "")
    assert "+ a  Processing" in created.out and "p: created, version 1" in created.out
    same = here("diff", file)
    assert (same.code, same.out) == (0, "p: no change\n")
    assert "p: unchanged" in here("deploy", file).out


def test_diff_shows_each_step_and_value(here: Commands) -> None:
    here("deploy", write("p", ONE), "--role", ROLE)
    changed = json.loads(TWO)
    changed["Steps"][0]["Arguments"]["RoleArn"] = f"{ROLE}2"
    found = here("diff", write("p", json.dumps(changed)), "--max-parallel-steps", "2")
    assert found.code == 3
    assert found.out == (
        "p  changes\n"
        "├── Steps\n"
        "│   ├── ~ a\n"
        f'│   │   └── ~ Arguments.RoleArn: "{ROLE}" -> "{ROLE}2"\n'
        "│   └── + b  Processing\n"
        '└── + ParallelismConfiguration: {"MaxParallelExecutionSteps": 2}\n'
    )
    told = json.loads(here("diff", "p.pipeline.json", "--format", "json").out)["pipelines"][0]
    assert told["action"] == "update" and told["changes"][0]["place"] == "Definition.Steps.a.Arguments.RoleArn"


def test_a_dag_is_converted_and_deployed_with_its_files(here: Commands, bucket: None) -> None:
    Path("py.py").write_text(PYTHON_DAG)
    Path("d.yaml").write_text(DEFAULTS)
    done = here("deploy", "py.py", "--defaults", "d.yaml", "--alias", "live", "--format", "json")
    assert done.code == 0, done.err
    (told,) = json.loads(done.out)["pipelines"]
    assert (told["pipeline"], told["action"], told["version"]) == ("py-task", "created", 1)
    assert sorted(told["uploaded"]) == sorted(f"s3://my-bucket/{key}" for key in keys()) != []
    assert all(key.startswith("code/code/") for key in keys())
    pipeline = boto3.client("sagemaker").describe_pipeline(PipelineName="py-task")
    assert (pipeline["RoleArn"], pipeline["PipelineDescription"]) == (ROLE, "counts")
    assert pipeline["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    tags = {tag["Key"]: tag["Value"] for tag in boto3.client("sagemaker").list_tags(ResourceArn=told["arn"])["Tags"]}
    assert tags["airflow:dag_id"] == tags["airflow:deployed_by"] == "py_task" and tags["airflow:tag:ml"] == ""

    # What convert writes is the same.
    assert here("convert", "py.py", "--defaults", "d.yaml", "--output", "build").code == 0
    assert here("diff", "build/py-task.pipeline.json", "--alias", "live").code == 0
    again = json.loads(here("deploy", "build/py-task.pipeline.json", "--format", "json").out)["pipelines"][0]
    assert (again["action"], again["uploaded"]) == ("unchanged", [])


def test_after_a_deployment_of_the_examples_nothing_differs(here: Commands, bucket: None) -> None:
    Path("d.yaml").write_text(f"{DEFAULTS}account: '123456789012'\nregion: us-west-2\n")
    examples = sorted(str(path) for path in (Path(__file__).parents[2] / "example_dags").glob("[!_]*.py"))
    found = here("deploy", *examples, "--defaults", "d.yaml")
    assert found.code == 0, found.err + found.out
    same = here("diff", *examples, "--defaults", "d.yaml", "--format", "json")
    assert (same.code, {item["action"] for item in json.loads(same.out)["pipelines"]}) == (0, {"none"})


def test_a_limit_that_the_dag_no_longer_has_is_told(here: Commands) -> None:
    here("deploy", write("p", ONE), "--role", ROLE, "--max-parallel-steps", "4")
    assert "stays: at most 4 steps at once" in here("diff", "p.pipeline.json").out


def test_nothing_is_deployed_when_a_dag_has_errors(here: Commands) -> None:
    here.write(good=GOOD, unknown=UNKNOWN)
    found = here("deploy", ".", "--role", ROLE)
    assert found.code == 1
    assert "SMP201" in found.out and "nothing is deployed" in found.err
    assert boto3.client("sagemaker").list_pipelines()["PipelineSummaries"] == []


def test_all_problems_are_told_before_anything_is_deployed(here: Commands) -> None:
    write("p", ONE), write("q", TWO)
    boto3.client("sagemaker").create_pipeline(PipelineName="q", PipelineDefinition=ONE, RoleArn=ROLE)
    found = here("deploy", "p.pipeline.json", "q.pipeline.json", "--role", ROLE)
    assert found.code == 1
    assert "'q' is not of 'q': it was not deployed by this tool" in found.err
    found = here("deploy", "p.pipeline.json", "q.pipeline.json")
    assert (found.code, "pipeline 'p' is new: a role is needed" in found.err) == (1, True)
    assert [item["PipelineName"] for item in boto3.client("sagemaker").list_pipelines()["PipelineSummaries"]] == ["q"]
    assert here("deploy", "p.pipeline.json", "q.pipeline.json", "--role", ROLE, "--force").code == 0


def test_where_assets_go_must_be_known(here: Commands, bucket: None) -> None:
    Path("py.py").write_text(PYTHON_DAG)
    Path("d.yaml").write_text(DEFAULTS.replace("code_location: s3://my-bucket/code\n", ""))
    found = here("deploy", "py.py", "--defaults", "d.yaml")
    assert (found.code, "nothing says where in S3 code/" in found.err) == (1, True)
    assert here("deploy", "py.py", "--defaults", "d.yaml", "--code-location", "s3://my-bucket/other").code == 0
    assert all(key.startswith("other/code/") for key in keys())


def test_what_the_service_refuses_is_one_sentence(here: Commands) -> None:
    found = here("deploy", write("p", definition(processing("a", "missing"))), "--role", ROLE)
    assert found.code == 1
    assert found.err.startswith("CreatePipeline: Model Validation failed") and len(found.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["deploy", "none.pipeline.json"], 2, "none.pipeline.json: cannot be read"),
        (["deploy", "none.py"], 2, "none.py: no such file"),
        (["deploy", "bad.pipeline.json"], 2, "bad.pipeline.json: "),
        (["deploy", "a.pipeline.json", "b.pipeline.json", "--name", "x"], 2, "--name is for one pipeline; there are 2"),
        (["deploy", "a.pipeline.json", "a.pipeline.json"], 1, "several pipelines called 'a'"),
        (["deploy", "a.pipeline.json", "--aws-conn-id", "no_such"], 1, "no_such"),
        (["versions", "none"], 1, "there is no pipeline 'none' in us-west-2"),
        (["delete", "none", "--yes"], 1, "there is no pipeline 'none'"),
    ],
)
def test_every_way_to_be_wrong(here: Commands, arguments: list[str], code: int, said: str) -> None:
    write("a", ONE), write("b", ONE), write("bad", "{")
    found = here(*arguments)
    assert (found.code, said in found.err) == (code, True), found.err


def test_no_credentials_is_one_sentence(
    command: Commands, local_sagemaker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_") and ("KEY" in name or "TOKEN" in name)]:
        monkeypatch.delenv(name)
    found = command("versions", "p")
    assert (found.code, found.err) == (1, "Unable to locate credentials\n")


def test_a_pipeline_is_deleted_by_who_deployed_it(here: Commands) -> None:
    here("deploy", write("p", ONE), "--role", ROLE, "--owner", "team a")
    asked = here("delete", "p")
    assert (asked.code, "give --yes" in asked.err) == (2, True)
    refused = here("delete", "p.pipeline.json", "--yes")
    assert (refused.code, "'team a' deployed it" in refused.err) == (1, True)
    assert here("delete", "p", "--yes", "--owner", "team a").out.startswith("p: deleted; schedules")


def test_versions_have_aliases(here: Commands) -> None:
    here("deploy", write("p", ONE), "--role", ROLE, "--alias", "first")
    here("deploy", write("p", TWO), "--alias", "live")
    text = here("versions", "p").out.splitlines()
    assert [line.split()[0] for line in text] == ["version", "2", "1"] and "live" in text[1] and "first" in text[2]
    told = json.loads(here("versions", "p", "--format", "json").out)["versions"]
    assert [item["PipelineVersionAliases"] for item in told] == [["live"], ["first"]]


def test_files_that_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "my_own.json").write_text(ONE)
    found = read_converted(tmp_path / "my_own.json")
    assert (found.name, found.dag_id, dict(found.assets), found.functions) == ("my-own", None, {}, [])
    (tmp_path / "my_own.deploy.json").write_text("[]")
    with pytest.raises(ValueError, match=r"my_own.deploy.json: is not what a conversion writes"):
        read_converted(tmp_path / "my_own.json")
