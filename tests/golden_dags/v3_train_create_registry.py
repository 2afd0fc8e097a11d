"""Prepare the abalone data, train, create and register the model."""

from airflow.providers.common.compat.sdk import DAG, Param
from golden_dags.common import (
    ABALONE_HYPERPARAMETERS,
    BUCKET,
    ROLE,
    SKLEARN,
    XGBOOST,
    channel,
    container,
    input_from,
    instances,
    model,
    output_to,
    package,
    script_job,
    uploaded,
)

from sagemaker_provider.definition import CacheConfig
from sagemaker_provider.operators import (
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
)

with DAG(
    dag_id="v3_train_create_registry",
    schedule=None,
    params={
        "ProcessingInstanceCount": Param(1, type="integer"),
        "TrainingInstanceType": Param("ml.m5.xlarge", type="string"),
        "InputDataUrl": Param(
            "s3://sagemaker-sample-files/datasets/tabular/uci_abalone/abalone.csv", type=["null", "string"]
        ),
        "ModelApprovalStatus": "PendingManualApproval",
        "MaxDepth": Param("5", type="string"),
    },
) as dag:
    cached = CacheConfig(enabled=True, expire_after="30d")

    source = input_from("{{ params.InputDataUrl }}", "/opt/ml/processing/input", name="input-1")
    source["S3Input"]["S3DataDistributionType"] = "ShardedByS3Key"
    preprocess = SageMakerProcessingStepOperator(
        task_id="PreprocessAbaloneData",
        config=script_job(
            f"{SKLEARN}:1.2-1-cpu-py3",
            uploaded("pipeline-v3", "preprocess.py"),
            arguments=["--input-data", "{{ params.InputDataUrl }}"],
            inputs=[source],
            outputs=[
                output_to(f"s3://{BUCKET}/pipeline-v3/{part}", f"/opt/ml/processing/{part}", name=part)
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params.ProcessingInstanceCount }}"),
        ),
        cache=cached,
    )
    data = preprocess.properties.ProcessingOutputConfig.Outputs

    train = SageMakerTrainingStepOperator(
        task_id="TrainModelTestStep",
        config={
            "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            "HyperParameters": {**ABALONE_HYPERPARAMETERS, "silent": 0, "max_depth": "{{ params.MaxDepth }}"},
            "InputDataConfig": [
                {**channel(part, data[part].S3Output.S3Uri), "InputMode": "File"} for part in ("train", "validation")
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/v3-pipeline-example-xgboost-train"},
            "ResourceConfig": instances(kind="{{ params.TrainingInstanceType }}"),
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "RoleArn": ROLE,
        },
        cache=cached,
    )
    trained = container(XGBOOST, train.properties.ModelArtifacts.S3ModelArtifacts)

    SageMakerModelStepOperator(task_id="CreateModel", config=model(trained))

    SageMakerRegisterModelStepOperator(
        task_id="RegisterModel",
        config=package(
            "my-model-package-group",
            trained,
            approval="Approved",
            realtime=["ml.m5.xlarge"],
            transform=None,
            content_type="application/json",
        ),
    )
