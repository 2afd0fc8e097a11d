"""Start a notebook instance, run what is in it over SSM, stop it again."""

from datetime import datetime

import boto3
from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerCreateNotebookOperator,
    SageMakerDeleteNotebookOperator,
    SageMakerStartNoteBookOperator,
    SageMakerStopNotebookOperator,
)
from team_config import ROLE_ARN

NAME = "weekly-report"


def run_notebook():
    url = boto3.client("sagemaker").create_presigned_notebook_instance_url(NotebookInstanceName=NAME)
    return url["AuthorizedUrl"].split("?")[0]


with DAG("notebook_instance", schedule="@weekly", start_date=datetime(2024, 1, 1), catchup=False) as dag:
    create = SageMakerCreateNotebookOperator(
        task_id="create", instance_name=NAME, instance_type="ml.t3.medium", role_arn=ROLE_ARN
    )
    start = SageMakerStartNoteBookOperator(task_id="start", instance_name=NAME)
    run = PythonOperator(task_id="run", python_callable=run_notebook)
    stop = SageMakerStopNotebookOperator(task_id="stop", instance_name=NAME)
    delete = SageMakerDeleteNotebookOperator(task_id="delete", instance_name=NAME, trigger_rule="all_done")
    create >> start >> run >> stop >> delete
