"""Reshape the export of the CRM with pandas-like code in a PythonOperator, then train."""

from datetime import datetime

import boto3
from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator
from churn_lib.reshape import split, to_csv, to_training_rows
from team_config import BUCKET, ROLE_ARN, XGBOOST, cluster, default_args, s3_input

RAW_KEY = "churn/raw/export.csv"


def prepare_data(bucket, run_date, **context):
    s3 = boto3.client("s3")
    text = s3.get_object(Bucket=bucket, Key=RAW_KEY)["Body"].read().decode()
    rows = to_training_rows(text)
    train, validation = split(rows)
    keys = {}
    for name, part in (("train", train), ("validation", validation)):
        key = f"churn/prepared/{run_date}/{name}/{name}.csv"
        s3.put_object(Bucket=bucket, Key=key, Body=to_csv(part).encode())
        keys[name] = f"s3://{bucket}/churn/prepared/{run_date}/{name}/"
    context["ti"].xcom_push(key="row_count", value=len(rows))
    print(f"{len(rows)} rows prepared")
    return {"training_data": keys["train"], "validation_data": keys["validation"]}


def report(**context):
    ti = context["ti"]
    rows = ti.xcom_pull(task_ids="prepare_data", key="row_count")
    artifact = ti.xcom_pull(task_ids="train_model")["Training"]["ModelArtifacts"]["S3ModelArtifacts"]
    return {"rows": rows, "has_model": artifact.endswith("/output/model.tar.gz")}


with DAG(
    "churn_prep_train",
    default_args=default_args,
    schedule=None,
    start_date=datetime(2024, 1, 1),
    catchup=False,
    params={"max_depth": 5},
) as dag:
    prepare = PythonOperator(
        task_id="prepare_data",
        python_callable=prepare_data,
        op_kwargs={"bucket": BUCKET, "run_date": "{{ ds_nodash }}"},
    )

    train = SageMakerTrainingOperator(
        task_id="train_model",
        config={
            "TrainingJobName": "churn-{{ ts_nodash }}",
            "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            "HyperParameters": {"max_depth": "{{ params.max_depth }}", "num_round": "20"},
            "InputDataConfig": [
                s3_input("{{ ti.xcom_pull(task_ids='prepare_data')['training_data'] }}"),
                s3_input("{{ ti.xcom_pull(task_ids='prepare_data')['validation_data'] }}", "validation"),
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/churn/models"},
            "ResourceConfig": cluster(),
            "RoleArn": ROLE_ARN,
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
        check_interval=1,
        print_log=False,
    )

    write_report = PythonOperator(task_id="write_report", python_callable=report)

    prepare >> train >> write_report
