"""Airflow 1: operators of contrib, settings of the DAG by their old names."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.contrib.operators.sagemaker_training_operator import SageMakerTrainingOperator
from airflow.contrib.sensors.sagemaker_training_sensor import SageMakerTrainingSensor
from airflow.operators.dummy_operator import DummyOperator

default_args = {"owner": "ml", "depends_on_past": False, "start_date": datetime(2020, 1, 1), "provide_context": True}

dag = DAG(
    "contrib_imports",
    default_args=default_args,
    schedule_interval=timedelta(days=1),
    concurrency=4,
    max_active_runs=1,
    catchup=False,
)

init = DummyOperator(task_id="init", dag=dag)
train = SageMakerTrainingOperator(
    task_id="train",
    dag=dag,
    wait_for_completion=False,
    config={
        "TrainingJobName": "churn-{{ ts_nodash }}",
        "AlgorithmSpecification": {
            "TrainingImage": "111122223333.dkr.ecr.us-west-2.amazonaws.com/work:1",
            "TrainingInputMode": "File",
        },
        "RoleArn": "arn:aws:iam::111122223333:role/Train",
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
)
watch = SageMakerTrainingSensor(task_id="watch", job_name="churn-{{ ts_nodash }}", dag=dag)
init.set_downstream(train)
train.set_downstream(watch)
