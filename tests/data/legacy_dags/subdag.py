"""A sub-DAG."""

from airflow import DAG
from airflow.operators.subdag_operator import SubDagOperator

with DAG("subdag", schedule_interval=None) as dag:
    SubDagOperator(task_id="inner", subdag=DAG("subdag.inner", schedule_interval=None))
