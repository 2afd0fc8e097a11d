"""events, on a local SageMaker."""

from __future__ import annotations

import json

import pytest
from command_line import Commands


@pytest.fixture
def _cloud(local_sagemaker: object) -> None:
    """AWS is a local SageMaker."""


@pytest.mark.usefixtures("_cloud")
def test_the_life_of_the_rule_and_the_queue(here: Commands) -> None:
    none = here("events", "show")
    assert none.code == 1
    assert none.err.splitlines()[0] == "airflow-sagemaker-events: there is no queue of this name"
    made = here("events", "create")
    assert made.code == 0, made.err
    assert made.out.splitlines()[-1] == (
        'extra of the Airflow connection: {"service_config": {"sagemaker": {"events_queue": "airflow-sagemaker-events"}}}'
    )
    shown = here("events", "show", "--format", "json")
    assert shown.code == 0
    assert json.loads(shown.out)["rule_arn"].endswith(":rule/airflow-sagemaker-events")
    assert "deleted" in here("events", "delete").out
    assert here("events", "delete").code == 0
    assert here("events", "show").code == 1


@pytest.mark.usefixtures("_cloud")
def test_the_queue_of_another_is_left_alone(here: Commands, local_sagemaker: object) -> None:
    local_sagemaker.client("sqs").create_queue(QueueName="work")  # type: ignore[attr-defined]
    refused = here("events", "delete", "--name", "work")
    assert refused.code == 1
    assert "that this provider has not made" in refused.err
