"""The values file and the environment of DAG code."""

from __future__ import annotations

from typing import Any

import pytest

from sagemaker_provider.translator.inputs import Inputs, clean_environment

CONNECTION = {"conn_type": "aws", "extra": {"role_arn": "arn", "api_key": "hunter22"}, "password": "hunter23"}


def test_each_part_of_a_values_file_is_read() -> None:
    found = Inputs.from_object(
        {
            "variables": {"bucket": "mine", "count": 3},
            "env": {"REGION": "us-west-2"},
            "connections": {"db": "postgres://me:hunter24@host/x", "aws": CONNECTION},
            "params": {"flag": True, "size": 2},
        }
    )
    assert found.variables == {"bucket": "mine", "count": "3"}
    assert found.params == {"flag": True, "size": 2}
    environment = found.environment()
    assert environment["AIRFLOW_VAR_BUCKET"] == "mine"
    assert environment["AIRFLOW_CONN_DB"].startswith("postgres://")
    assert environment["REGION"] == "us-west-2"
    assert {"hunter22", "hunter23", "hunter24"} <= found.secrets


@pytest.mark.parametrize(
    ("document", "part"),
    [
        (None, "a values file has the keys variables, env, connections, params"),
        ({"other": {}}, "a values file has the keys"),
        ({"variables": ["a"]}, "variables has no names and values"),
        ({"variables": {"a": [1], "b": True}}, "the value of 'a' in variables is [1], not a text or a number; the"),
        ({"env": {"password": ["hunter2"]}}, "the value, which is not shown,"),
        ({"connections": {"db": 3.5}, "params": {"p": {}}}, "the value of 'p' in params is {}"),
        ({"connections": {"db": ["hunter2"]}}, "not a URI or an object"),
    ],
)
def test_a_values_file_of_another_form_is_refused(document: Any, part: str) -> None:
    with pytest.raises(ValueError, match="value") as error:
        Inputs.from_object(document)
    assert part in str(error.value)
    assert "hunter2" not in str(error.value)


def test_the_secrets_of_a_values_file_are_those_that_airflow_masks() -> None:
    inputs = Inputs({"db_password": "hunter2", "bucket": "mine"}, {"API_KEY": "hunter3"}, params={"token": "hunter4"})
    assert inputs.secrets == {"hunter2", "hunter3", "hunter4"}


def test_credentials_and_secrets_do_not_reach_dag_code() -> None:
    base = {
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_PROFILE": "x",
        "DATABASE_URL": "x",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Europe/Berlin",
        "AIRFLOW__CORE__FERNET_KEY_CMD": "x",
        "AIRFLOW__CORE__FERNET_KEY": "x",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "x",
        "AIRFLOW__SECRETS__BACKEND": "x",
        "AIRFLOW_CONN_A": "x",
        "AIRFLOW_VAR_A": "x",
    }
    found = clean_environment(Inputs(), base)
    assert "x" not in found.values()
    assert found["PATH"] == "/bin"
    assert found["AIRFLOW__CORE__DEFAULT_TIMEZONE"] == "Europe/Berlin"
    assert found["AWS_EC2_METADATA_DISABLED"] == "true"
