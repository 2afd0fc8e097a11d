"""Names that the code of Python tasks puts together."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
from airflow.providers.common.compat.sdk import task
from dag_makers import IMAGE, ROLE, make_dag, messages
from python_ways import DEFAULTS

from sagemaker_provider.translator import Settings, convert
from sagemaker_provider.translator.job_names import own_names
from sagemaker_provider.translator.syntax import Code


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("c.describe_training_job(TrainingJobName='churn')", [("Training", "TrainingJobName", "'churn'")]),
        ("c.describe_model(ModelName=f'churn-{ds}')", [("Model", "ModelName", "f'churn-{ds}'")]),
        ("n = 'churn-' + ds\nc.describe_model(ModelName=n)", [("Model", "ModelName", "n")]),
        ("c.describe_model(ModelName='churn-{}'.format(ds))", [("Model", "ModelName", "'churn-{}'.format(ds)")]),
        ("c.describe_model(ModelName=given['Model']['ModelName'])", []),
        ("c.describe_model(ModelName=name)", []),
        ("c.create_model(ModelName='churn')\nc.describe_model(ModelName='churn')", []),
        ("c.describe_endpoint(Other='churn')", []),
    ],
)
def test_names_that_code_makes_of_text(code: str, expected: Any) -> None:
    assert list(own_names([Code(ast.parse(code))])) == expected


CONFIG = {
    "TrainingJobName": "churn",
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
}


@task
def report(given: Any = None) -> Any:
    """Ask for the training by the name that Airflow gives it."""
    import boto3

    return boto3.client("sagemaker").describe_training_job(TrainingJobName="churn")["TrainingJobArn"]


def test_a_name_of_what_a_task_before_makes_is_told() -> None:
    with make_dag() as dag:
        SageMakerTrainingOperator(task_id="train", config=CONFIG) >> report()
    conversion = convert(dag, Settings(defaults=DEFAULTS))
    expected = "it asks by TrainingJobName='churn'; the service names what 'train' makes"
    assert messages(conversion, "SMP693") == [expected]


def test_a_name_of_another_kind_or_of_a_task_beside_is_not() -> None:
    with make_dag() as dag:
        SageMakerTrainingOperator(task_id="train", config=CONFIG)
        report()
    assert messages(convert(dag, Settings(defaults=DEFAULTS)), "SMP693") == []
