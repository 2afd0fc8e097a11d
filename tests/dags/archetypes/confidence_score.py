"""Monthly scores of two products; the partition is the month two months back."""

from datetime import datetime

from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTransformOperator
from team_config import BUCKET, default_args

MONTH = "{{ (data_interval_end - macros.timedelta(days=60)).strftime('%Y%m') }}"
NOW = "{{ data_interval_end.strftime('%Y-%m-%d-%H-%M-%S') }}"
PRODUCTS = ("cards", "loans")


def transform_config(product):
    return {
        "Model": {
            "ModelName": f"confidence-{product}-{NOW}",
            "PrimaryContainer": {
                "Image": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1",
                "ModelDataUrl": f"s3://{BUCKET}/confidence/{product}/model.tar.gz",
            },
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/SageMakerExecution",
        },
        "Transform": {
            "TransformJobName": f"confidence-{product}-{NOW}",
            "ModelName": f"confidence-{product}-{NOW}",
            "TransformInput": {
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://{BUCKET}/confidence/{product}/in/month={MONTH}/",
                    }
                },
                "ContentType": "text/csv",
            },
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/confidence/{product}/out/month={MONTH}/"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    }


def log_scores(month, jobs):
    for product, job in sorted(jobs.items()):
        print(f"scores of {product} for {month}: {job}")
    return {"month": month, "products": sorted(jobs)}


with DAG(
    "confidence_score",
    default_args=default_args,
    schedule="0 6 3 * *",
    start_date=datetime(2024, 1, 1),
    catchup=False,
) as dag:
    jobs = {}
    for product in PRODUCTS:
        transform = SageMakerTransformOperator(
            task_id=f"score_{product}", config=transform_config(product), check_interval=1
        )
        name = str(transform.output).strip("{} ")
        jobs[product] = "{{ " + name + "['Transform']['TransformJobName'] }}"
    log = PythonOperator(task_id="log_scores", python_callable=log_scores, op_kwargs={"month": MONTH, "jobs": jobs})
    dag.get_task("score_cards") >> dag.get_task("score_loans") >> log
