"""Run a notebook of SageMaker Unified Studio."""

from datetime import datetime

from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.sagemaker_unified_studio import SageMakerNotebookOperator


def say(**context):
    print("the notebook ran", context["ds"])


with DAG("unified_studio", schedule="@daily", start_date=datetime(2024, 1, 1), catchup=False) as dag:
    notebook = SageMakerNotebookOperator(
        task_id="notebook",
        input_config={"input_path": "src/report.ipynb", "input_params": {"day": "{{ ds }}"}},
        output_config={"output_formats": ["NOTEBOOK"]},
        compute={"instance_type": "ml.m5.large", "volume_size_in_gb": 30},
    )
    notebook >> PythonOperator(task_id="say", python_callable=say)
