"""schedule, on a local SageMaker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Commands
from pipelines_client import ROLE, definition, parameter, processing

SCHEDULER = ("--scheduler-role", "arn:aws:iam::123456789012:role/Scheduler")
REQUEST = {
    "Name": "p",
    "Description": "Starts the pipeline of the Airflow DAG p",
    "ScheduleExpression": "cron(0 0 * * ? *)",
    "ScheduleExpressionTimezone": "UTC",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "State": "ENABLED",
    "Target": {"SageMakerPipelineParameters": {"PipelineParameterList": []}},
}


@pytest.fixture
def deployed(here: Commands) -> Commands:
    Path("p.pipeline.json").write_text(definition(processing("a"), parameters=[parameter("day")]))
    Path("p.deploy.json").write_text(json.dumps({"schedules": [REQUEST]}))
    assert here("deploy", "p.pipeline.json", "--role", ROLE).code == 0
    return here


def test_the_life_of_a_schedule(deployed: Commands) -> None:
    made = deployed("schedule", "create", "p.pipeline.json", *SCHEDULER, "--parameter", "day=monday")
    assert (made.code, made.out) == (0, "p: created\n"), made.err
    assert deployed("schedule", "disable", "p").out == "p: disabled\n"
    shown = deployed("schedule", "show", "p").out.splitlines()
    assert shown[1].split() == ["p", "DISABLED", "cron(0", "0", "*", "*", "?", "*)", "UTC", "day=monday"]
    assert deployed("schedule", "disable", "p").err == "p: nothing to disable\n"
    assert deployed("schedule", "enable", "p").out == "p: enabled\n"
    told = json.loads(deployed("schedule", "show", "p", "--format", "json").out)["schedules"]
    assert [(item["Name"], item["State"]) for item in told] == [("p", "ENABLED")]
    assert deployed("delete", "p.pipeline.json", "--yes").code == 0
    assert deployed("schedule", "delete", "p").out == "p: deleted\n"  # it outlives the pipeline
    assert deployed("schedule", "show", "p").err == "p: no schedules\n"


def test_a_schedule_of_ones_own(deployed: Commands) -> None:
    own = ("--expression", "rate(2 hours)", "--timezone", "Europe/Berlin", "--parameter", "day=x")
    assert deployed("schedule", "create", "p", *SCHEDULER, *own).out == "p: created\n"
    assert "rate(2 hours)" in deployed("schedule", "show", "p").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "p.pipeline.json"], 2, "create needs --scheduler-role"),
        (["create", "p", *SCHEDULER], 2, "or --expression"),
        (["create", "p.pipeline.json", *SCHEDULER], 1, "'p' could not start: parameter 'day' needs a value"),
        (["create", "p.pipeline.json", *SCHEDULER, "--parameter", "day"], 2, "is not NAME=VALUE"),
        (["create", "none", *SCHEDULER, "--expression", "rate(1 days)"], 1, "there is no pipeline 'none'"),
    ],
)
def test_every_way_to_be_wrong(deployed: Commands, arguments: list[str], code: int, said: str) -> None:
    found = deployed("schedule", *arguments)
    assert (found.code, said in found.err) == (code, True), found.err


def test_a_dag_without_schedule(deployed: Commands) -> None:
    Path("p.deploy.json").unlink()
    found = deployed("schedule", "create", "p.pipeline.json", *SCHEDULER)
    assert (found.code, "no schedule is known for the pipeline 'p'" in found.err) == (1, True)
