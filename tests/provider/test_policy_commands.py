"""The command ``policy``."""

from __future__ import annotations

import json
from pathlib import Path

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
    definition = {
        "Parameters": [{"Name": "Function", "Type": "String"}],
        "Steps": [{"Name": "S", "Type": "Lambda", "FunctionArn": {"Get": "Parameters.Function"}, "Arguments": {}}],
    }
    (command.folder / "d.json").write_text(json.dumps(definition))
    unknown = command("policy", "d.json", *WHERE)
    assert unknown.code == 0
    assert "SMP851" in unknown.out
    assert "function:UNKNOWN-Function" in unknown.out
    assert command("policy", "d.json", *WHERE, "--strict").code == 1
    arn = "arn:aws:lambda:us-west-2:123456789012:function:mine"
    known = command("policy", "d.json", *WHERE, "--strict", "--parameter", f"Function={arn}")
    assert known.code == 0
    assert arn in known.out


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
