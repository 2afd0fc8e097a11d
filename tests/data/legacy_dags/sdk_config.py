"""The SDK makes the config."""

from airflow import DAG
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

import sagemaker
from sagemaker.workflow.airflow import training_config

session = sagemaker.Session()
estimator = sagemaker.estimator.Estimator("image", sagemaker.get_execution_role(), sagemaker_session=session)
config = training_config(estimator=estimator, inputs={"train": f"s3://{session.default_bucket()}/train"})

with DAG("sdk_config", schedule=None):
    SageMakerTrainingOperator(task_id="train", config=config)
