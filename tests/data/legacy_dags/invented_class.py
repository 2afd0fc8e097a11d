"""A class that no version of the provider has."""

from airflow import DAG
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerPipelineOperator
from airflow.providers.sns.operators.publish import SnsOperator

with DAG("invented_class", schedule=None):
    run = SageMakerPipelineOperator(task_id="run", pipeline_name="churn", pipeline_params={"a": 1})
    SnsOperator(task_id="tell", topic=run.output) << run
