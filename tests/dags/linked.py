"""Jobs that are linked by the same S3 locations only, with dates in them."""

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.operators import (
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerTrainingStepOperator,
    SageMakerTransformStepOperator,
)

ROLE = "arn:aws:iam::111122223333:role/Pipeline"
IMAGE = "111122223333.dkr.ecr.us-west-2.amazonaws.com/work:1"
DATA = "s3://bucket/{{ logical_date.strftime('%Y/%m') }}/{{ params['name'] }}"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}

with DAG("linked", schedule=None, params={"name": "churn"}):
    prepare = SageMakerProcessingStepOperator(
        task_id="prepare",
        config={
            "AppSpecification": {"ImageUri": IMAGE},
            "ProcessingResources": {"ClusterConfig": CLUSTER},
            "RoleArn": ROLE,
            "Environment": {
                "TS": "{{ ts }}",
                "DAY": "{{ macros.ds_add(ds, -3) }}",
                "TEXT": "{{ '%s-%s' % (params.name, ts_nodash | lower) }}{% if dag.dag_id == 'linked' %}!{% endif %}",
            },
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": "data",
                        "S3Output": {
                            "S3Uri": f"{DATA}/data",
                            "LocalPath": "/opt/ml/processing/data",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                ]
            },
        },
    )
    train = SageMakerTrainingStepOperator(
        task_id="train",
        config={
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": "s3://bucket/{{ '/'.join([logical_date.strftime('%Y/%m'), params.name, 'data/train']) }}",
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"{DATA}/models"},
            "ResourceConfig": CLUSTER,
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "RoleArn": ROLE,
        },
    )
    model = SageMakerModelStepOperator(
        task_id="model",
        config={
            "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": train.properties.ModelArtifacts.S3ModelArtifacts},
            "ExecutionRoleArn": ROLE,
        },
    )
    score = SageMakerTransformStepOperator(
        task_id="score",
        config={
            "ModelName": model.properties.ModelName,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{DATA}/data"}},
            },
            "TransformOutput": {"S3OutputPath": f"{DATA}/scores"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    )
    prepare >> train >> score
