"""Everything with boto3: create the job in one callable, poll it in the same, keep the artifact in XCom."""

import time
from datetime import datetime

import boto3
from airflow import DAG
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator

BUCKET = "ml-team"
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecution"
IMAGE = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"


def make_name(**context):
    name = f"species-{context['ts_nodash'].lower()}"
    context["ti"].xcom_push(key="job_name", value=name)


def run_training(instance_type, **context):
    sagemaker = boto3.client("sagemaker", region_name="us-west-2")
    name = context["ti"].xcom_pull(task_ids="make_name", key="job_name")
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/species"},
        ResourceConfig={"InstanceType": instance_type, "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
        HyperParameters={"num_round": "10"},
    )
    while True:
        status = sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"]
        if status in ("Completed", "Failed", "Stopped"):
            break
        time.sleep(1)
    if status != "Completed":
        raise RuntimeError(f"{name} is {status}")
    return name


def keep(ti, **kwargs):
    name = ti.xcom_pull(task_ids="run_training")
    found = boto3.client("sagemaker").describe_training_job(TrainingJobName=name)
    return {"status": found["TrainingJobStatus"], "rounds": int(found["HyperParameters"]["num_round"])}


with DAG(
    "boto3_training",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    params={"instance_type": "ml.m5.large"},
) as dag:
    name_it = PythonOperator(task_id="make_name", python_callable=make_name)
    run_it = PythonOperator(
        task_id="run_training",
        python_callable=run_training,
        op_kwargs={"instance_type": "{{ params.instance_type }}"},
    )
    keep_it = PythonOperator(task_id="keep", python_callable=keep)
    done = BashOperator(
        task_id="done",
        bash_command="echo trained $JOB",
        env={"JOB": "{{ ti.xcom_pull('run_training') }}"},
        append_env=True,
    )

    name_it >> run_it >> keep_it >> done
