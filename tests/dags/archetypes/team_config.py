"""What the DAGs of the team share: the account, the bucket and the images."""

import os

ACCOUNT = "123456789012"
REGION = os.environ.get("TEAM_REGION", "us-west-2")
BUCKET = "ml-team"
ROLE_NAME = "SageMakerExecution"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_NAME}"
XGBOOST = f"246618743249.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:1.7-1"
SKLEARN = f"246618743249.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"

default_args = {"owner": "ml-team", "depends_on_past": False, "retries": 0}


def s3_input(uri, channel="train", content_type="text/csv"):
    """One channel of a training job."""
    return {
        "ChannelName": channel,
        "ContentType": content_type,
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated", "S3Uri": uri}
        },
    }


def cluster(instance_type="ml.m5.xlarge", count=1, volume=20):
    """The machines of a job."""
    return {"InstanceType": instance_type, "InstanceCount": count, "VolumeSizeInGB": volume}


def xgboost_training(name, train_uri, output_uri, **hyperparameters):
    """A training request; hyperparameters are text in the API."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "HyperParameters": {"num_round": "50", **{key: str(value) for key, value in hyperparameters.items()}},
        "InputDataConfig": [s3_input(train_uri)],
        "OutputDataConfig": {"S3OutputPath": output_uri},
        "ResourceConfig": cluster(),
        "RoleArn": ROLE_ARN,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
