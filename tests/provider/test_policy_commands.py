"""The command ``policy``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Commands

DEFINITIONS = Path(__file__).parents[1] / "data" / "definitions"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
WHERE = ("--role", ROLE, "--region", "us-west-2")


@pytest.fixture
def training(command: Commands) -> Commands:
    text = (DEFINITIONS / "step_Training.json").read_text()
    (command.folder / "churn.pipeline.json").write_text(text)
    return command


def test_the_statements_are_shown(training: Commands) -> None:
    found = training("policy", "churn.pipeline.json", *WHERE)
    assert found.code == 0
    lines = [" ".join(line.split()) for line in found.out.splitlines()]
    assert f"churn: execution ({ROLE})" in lines
    assert "churn: deployer" in lines
    pass_role = "PassToSagemakerAmazonawsCom iam:PassRole"
    assert f"{pass_role} {ROLE}" in lines


def test_each_policy_and_trust_policy_is_a_file(training: Commands) -> None:
    found = training("policy", "churn.pipeline.json", *WHERE, "--output", "iam/policies")
    assert found.code == 0
    folder = training.folder / "iam" / "policies"
    assert sorted(path.name for path in folder.iterdir()) == [
        "churn.deployer.policy.json",
        "churn.execution.policy.json",
        "churn.execution.trust.json",
        "churn.scheduler.policy.json",
        "churn.scheduler.trust.json",
    ]
    again = json.loads(training("policy", "churn.pipeline.json", *WHERE, "--format", "json").out)
    (pipeline,) = again["pipelines"]
    written = {path.name: json.loads(path.read_text()) for path in folder.iterdir()}
    for item in pipeline["principals"]:
        assert written[f"churn.{item['name']}.policy.json"] == item["policy"]
        assert written.get(f"churn.{item['name']}.trust.json") == item["trust"]


def test_the_region_of_the_environment_and_the_role_of_the_conversion(
    training: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    (training.folder / "churn.deploy.json").write_text(json.dumps({"pipeline": {"RoleArn": ROLE}}))
    found = training("policy", "churn.pipeline.json", "--format", "json")
    assert "arn:aws:sagemaker:eu-central-1:123456789012:pipeline/churn" in found.out


def test_values_of_parameters(command: Commands) -> None:
    job = {
        "AppSpecification": {"ImageUri": {"Get": "Parameters.Image"}},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
        },
        "RoleArn": "arn:aws:iam::123456789012:role/R",
    }
    definition = {
        "Parameters": [{"Name": "Image", "Type": "String"}],
        "Steps": [{"Name": "S", "Type": "Processing", "Arguments": job}],
    }
    (command.folder / "d.json").write_text(json.dumps(definition))
    unknown = command("policy", "d.json", *WHERE)
    assert unknown.code == 0
    assert "SMP851" in unknown.out
    assert "repository/UNKNOWN-Image" in unknown.out
    assert command("policy", "d.json", *WHERE, "--strict").code == 1
    image = "123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1"
    known = command("policy", "d.json", *WHERE, "--strict", "--parameter", f"Image={image}")
    assert known.code == 0
    assert "arn:aws:ecr:us-west-2:123456789012:repository/mine" in known.out


def test_definitions_with_errors_get_no_policy(command: Commands) -> None:
    steps = [
        {"Name": "S", "Type": "Callback", "Arguments": {}},
        {"Name": "C", "Type": "Cleanup", "Arguments": {"Resources": {}}},
        {"Name": "L", "Type": "Lambda", "Arguments": {}},
    ]
    (command.folder / "d.json").write_text(json.dumps({"Steps": steps}))
    found = command("policy", "d.json", *WHERE, "--output", "iam")
    assert found.code == 1
    assert all(f"Steps.{name}" in found.out for name in "SCL")
    assert not (command.folder / "iam").exists()


def test_two_pipelines_of_one_name(command: Commands) -> None:
    for folder in ("a", "b"):
        (command.folder / folder).mkdir()
        steps = [{"Name": "S", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]
        (command.folder / folder / "z.pipeline.json").write_text(json.dumps({"Steps": steps}))
    found = command("policy", "a/z.pipeline.json", "b/z.pipeline.json", *WHERE, "--output", "iam")
    assert (found.code, "several pipelines called 'z'" in found.err) == (2, True)
    assert not (command.folder / "iam").exists()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"pipeline": {"Tags": "x"}}, "pipeline.Tags: must be a list"),
        ({"pipeline": {"ParallelismConfiguration": 3}}, "pipeline.ParallelismConfiguration: must be an object"),
        ({"pipeline": {"RoleArn": 5}}, "pipeline.RoleArn"),
        ({"schedules": [1]}, "schedules[0]: must be an object"),
        ({"schedules": [{}]}, "schedules[0].Name: is required"),
        ({"date_parameters": {"d": 1}}, "date_parameters.d: 1 is no template"),
    ],
)
def test_files_beside_a_definition_that_are_of_another_form(command: Commands, told: Any, said: str) -> None:
    (command.folder / "z.pipeline.json").write_text(
        json.dumps({"Steps": [{"Name": "S", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]})
    )
    (command.folder / "z.deploy.json").write_text(json.dumps(told))
    found = command("policy", "z.pipeline.json", *WHERE)
    assert (found.code, said in found.err) == (2, True), found.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.json", *WHERE), "missing.json: cannot be read"),
        (("churn.pipeline.json", "--role", ROLE), "--region is missing"),
        (("churn.pipeline.json", "--region", "us-west-2"), "churn.pipeline.json: it does not say the role"),
        (("churn.pipeline.json", "--role", "Me", "--region", "us-west-2"), "'Me' is not the ARN of a role"),
        (("churn.pipeline.json", *WHERE, "--parameter", "a"), "--parameter 'a' is not NAME=VALUE"),
        (("churn.pipeline.json", *WHERE, "--parameter", "a=b"), "there is no parameter 'a'"),
        (("churn.pipeline.json", *WHERE, "--output", "churn.pipeline.json"), "not a folder"),
        (("broken.json", *WHERE), "broken.json: "),
    ],
)
def test_what_cannot_be_carried_out(
    training: Commands, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    (training.folder / "broken.json").write_text("{")
    found = training("policy", *arguments)
    assert found.code == 2
    assert said in found.err
    assert training.files == ["broken.json", "churn.pipeline.json"]
