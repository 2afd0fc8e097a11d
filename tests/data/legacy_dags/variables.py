"""Variables read while the file loads."""

from airflow import DAG
from airflow.models import Variable
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

bucket = Variable.get("ml_bucket")
instance = Variable.get("instance", default_var="ml.m5.xlarge")
cfg = Variable.get("training", deserialize_json=True)

with DAG("variables", schedule=None) as dag:
    train = SageMakerTrainingOperator(
        task_id="train",
        config={
            "TrainingJobName": "churn",
            "AlgorithmSpecification": {"TrainingImage": cfg["image"], "TrainingInputMode": "File"},
            "RoleArn": "arn:aws:iam::111122223333:role/Train",
            "OutputDataConfig": {"S3OutputPath": "s3://" + bucket + "/churn"},
            "ResourceConfig": {"InstanceType": instance, "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        },
    )
