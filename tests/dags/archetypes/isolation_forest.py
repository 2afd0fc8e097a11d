"""Train an isolation forest on yesterday's transactions, every night."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

BUCKET = "ml-team"
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecution"

training_config = {
    "TrainingJobName": "isolation-forest-{{ ts_nodash }}",
    "AlgorithmSpecification": {
        "TrainingImage": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
        "TrainingInputMode": "File",
    },
    "HyperParameters": {"n_estimators": "200", "contamination": "0.01"},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": f"s3://{BUCKET}/transactions/{{{{ ds }}}}/",
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
            "ContentType": "text/csv",
        }
    ],
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/isolation-forest/models"},
    "ResourceConfig": {"InstanceCount": "1", "InstanceType": "ml.m5.large", "VolumeSizeInGB": "10"},
    "RoleArn": ROLE,
    "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
}

default_args = {
    "owner": "fraud",
    "retries": 1,
    "retry_delay": timedelta(minutes=5),
    "email_on_failure": False,
}

with DAG(
    dag_id="isolation_forest",
    default_args=default_args,
    description="Nightly anomaly model",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    tags=["sagemaker", "fraud"],
) as dag:
    train_model = SageMakerTrainingOperator(
        task_id="train_model",
        config=training_config,
        aws_conn_id="aws_default",
        wait_for_completion=True,
        check_interval=1,
        print_log=False,
    )
