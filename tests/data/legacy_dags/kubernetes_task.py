"""A decorator of a provider that is not installed."""

from airflow import DAG
from airflow.decorators import task

with DAG("kubernetes_task", schedule=None):

    @task.kubernetes(image="python:3.12", name="prepare")
    def prepare(day):
        return day

    prepare("{{ ds }}")
