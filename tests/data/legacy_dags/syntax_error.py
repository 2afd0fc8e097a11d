# A line that is not Python.
from airflow import DAG
from airflow.operators.python_operator import PythonOperator
from airflow.contrib.operators.sagemaker_training_operator import SageMakerTrainingOperator

with DAG("syntax_error", schedule_interval="@daily") as dag:
    prepare = PythonOperator(task_id="prepare", python_callable=print, provide_context=True)
    train = SageMakerTrainingOperator(task_id="train", config={...})
    region = {{ region }
    prepare >> train
