"""DAG files for tests that load them in processes of their own."""

from __future__ import annotations

from sagemaker_provider.translator.worker import ConvertedFile

HEAD = """\
import os, socket, subprocess, sys
from airflow.providers.common.compat.sdk import DAG
from sagemaker_provider.operators import SageMakerLambdaStepOperator

def step(task_id, **config):
    return SageMakerLambdaStepOperator(
        task_id=task_id, function_arn="arn:aws:lambda:us-west-2:111122223333:function:f", config=config
    )

"""
GOOD = HEAD + 'with DAG("{name}", schedule=None):\n    step("work", a=1)\n'


def dag_of(text: str, name: str) -> str:
    return text.replace("{name}", name)


def found(file: ConvertedFile) -> dict[str, str]:
    return {item.code: item.message for item in (*file.findings, *(item for dag in file.dags for item in dag.findings))}


def is_converted(file: ConvertedFile) -> bool:
    return [dag.definition is not None for dag in file.dags] == [True]
