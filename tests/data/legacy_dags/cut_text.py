"""A name made shorter, and one in small letters."""

from airflow import DAG
from airflow.models import Variable
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

team = Variable.get("team")
image = f"111122223333.dkr.ecr.us-west-2.amazonaws.com/{team}".lower()

with DAG("cut_text", schedule=None) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": "churn",
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::111122223333:role/Train",
            "OutputDataConfig": {"S3OutputPath": f"s3://bucket/{team}"[:14]},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
