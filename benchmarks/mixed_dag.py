"""A DAG as teams have them: Python and Bash tasks, SageMaker jobs with sensors and names from dates, values from XComs."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerModelOperator, SageMakerTrainingOperator
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerTrainingSensor
from airflow.providers.common.compat.sdk import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:  # Airflow 2 has them itself
    from airflow.operators.bash import BashOperator
    from airflow.operators.python import PythonOperator

BUCKET = "my-bucket"
ROLE = "arn:aws:iam::111122223333:role/SageMaker"
IMAGE = "111122223333.dkr.ecr.us-west-2.amazonaws.com/image:1"


def summary(part: int) -> str:
    return json.dumps({"bucket": BUCKET, "part": part})


def start() -> dict[str, int]:
    return {"rows": 1}


def prepare(part: int, ds: str = "", **context: Any) -> dict[str, Any]:
    rows = context["ti"].xcom_pull(task_ids="start")
    return {"summary": summary(part), "date": ds, "rows": rows}


def training(part: int) -> dict[str, Any]:
    data = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/in/{part}"}
    return {
        "TrainingJobName": f"train-{part}-{{{{ ts_nodash }}}}",
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": {"date": "{{ ds }}"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": data}}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models/{{{{ ds }}}}"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def model(part: int) -> dict[str, Any]:
    artifacts = f"{{{{ ti.xcom_pull(task_ids='train{part}')['Training']['ModelArtifacts']['S3ModelArtifacts'] }}}}"
    container = {"Image": IMAGE, "ModelDataUrl": artifacts}
    return {"ModelName": f"model{part}-{{{{ ts_nodash }}}}", "ExecutionRoleArn": ROLE, "PrimaryContainer": container}


def build(size: int) -> DAG:
    """A DAG of about ``size`` tasks: groups of five, some in a row, some side by side."""
    with DAG(f"mixed-{size}", schedule="@daily", start_date=datetime(2026, 1, 1), params={"rounds": 1}) as dag:
        last: Any = PythonOperator(task_id="start", python_callable=start)
        for part in range(size // 5):
            arguments = {"part": part, "rounds": "{{ params.rounds }}"}
            job = f"train-{part}-{{{{ ts_nodash }}}}"
            first = [
                PythonOperator(task_id=f"prepare{part}", python_callable=prepare, op_kwargs=arguments),
                BashOperator(task_id=f"say{part}", bash_command=f"echo {part} {{{{ ds }}}}"),
            ]
            train = SageMakerTrainingOperator(task_id=f"train{part}", config=training(part), wait_for_completion=False)
            wait = SageMakerTrainingSensor(task_id=f"wait{part}", job_name=job)
            made = SageMakerModelOperator(task_id=f"model{part}", config=model(part))
            last >> first >> train >> wait >> made
            last = made if part % 5 else last
    return dag
