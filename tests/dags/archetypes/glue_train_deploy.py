"""Clean with Glue, train, then deploy."""

from datetime import datetime

from airflow import DAG
from airflow.models.baseoperator import chain
from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerModelOperator, SageMakerTrainingOperator
from airflow.providers.amazon.aws.operators.sns import SnsPublishOperator
from team_config import ACCOUNT, BUCKET, REGION, ROLE_ARN, ROLE_NAME, XGBOOST, default_args, xgboost_training

with DAG(
    "glue_train_deploy",
    default_args={**default_args, "region_name": REGION},
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    catchup=False,
) as dag:
    clean = GlueJobOperator(
        task_id="clean",
        job_name="clean-events",
        script_location=f"s3://{BUCKET}/glue/clean.py",
        s3_bucket=BUCKET,
        iam_role_name=ROLE_NAME,
        script_args={"--day": "{{ ds }}", "--output": f"s3://{BUCKET}/events/clean/"},
        create_job_kwargs={"GlueVersion": "4.0", "NumberOfWorkers": 2, "WorkerType": "G.1X"},
    )
    train = SageMakerTrainingOperator(
        task_id="train",
        config=xgboost_training(
            "events-{{ ts_nodash }}", f"s3://{BUCKET}/events/clean/", f"s3://{BUCKET}/events/models"
        ),
        check_interval=1,
    )
    model = SageMakerModelOperator(
        task_id="model",
        config={
            "ModelName": "events-{{ ts_nodash }}",
            "PrimaryContainer": {
                "Image": XGBOOST,
                "ModelDataUrl": f"s3://{BUCKET}/events/models/events-{{{{ ts_nodash }}}}/output/model.tar.gz",
            },
            "ExecutionRoleArn": ROLE_ARN,
        },
    )
    tell = SnsPublishOperator(
        task_id="tell",
        target_arn=f"arn:aws:sns:{REGION}:{ACCOUNT}:ml-team",
        subject="Events model",
        message="The model of {{ ds }} is ready.",
    )
    chain(clean, train, model, tell)
