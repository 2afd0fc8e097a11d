"""Let a Glue job prepare the taxi data, then train, and apply the model to the same data."""

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import BUCKET, channel, container, instances, model, training_job

from sagemaker_provider.operators import (
    Join,
    SageMakerCallbackStepOperator,
    SageMakerModelStepOperator,
    SageMakerTrainingStepOperator,
    SageMakerTransformStepOperator,
)

ALGORITHM = "174872318107.dkr.ecr.us-west-2.amazonaws.com/randomcutforest"

with DAG(
    dag_id="callback_glue",
    schedule=None,
    params={
        "InputData": f"s3://{BUCKET}/taxi/",
        "TrainingInstanceCount": 1,
        "IdOut": "taxiout1735689600",
    },
) as dag:
    prepare = SageMakerCallbackStepOperator(
        task_id="GluePrepCallbackStep",
        queue_url="https://sqs.us-west-2.amazonaws.com/123456789012/pipeline_callbacks_glue_prep",
        config={
            "input_location": f"s3://{BUCKET}/taxi/",
            "output_location": Join("/", ["s3:/", BUCKET, "taxi_output", "{{ params.IdOut }}"]),
        },
        outputs=["s3_data_out"],
    )
    prepared = prepare.properties.OutputParameters["s3_data_out"]

    train = SageMakerTrainingStepOperator(
        task_id="TrainModel",
        config=training_job(
            f"{ALGORITHM}:latest",
            f"s3://{BUCKET}/model/output",
            hyperparameters={"feature_dim": 1, "num_samples_per_tree": 200, "num_trees": 50},
            channels=[channel("train", prepared, "text/csv;label_size=0", "ShardedByS3Key")],
            resources=instances("{{ params.TrainingInstanceCount }}", "ml.c5.xlarge"),
        ),
    )

    create = SageMakerModelStepOperator(
        task_id="TaxiModel-CreateModel",
        config=model(container(f"{ALGORITHM}:1", train.properties.ModelArtifacts.S3ModelArtifacts)),
    )

    SageMakerTransformStepOperator(
        task_id="TaxiTransform",
        config={
            "ModelName": create.properties.ModelName,
            "TransformInput": {
                "ContentType": "text/csv",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": "{{ ti.xcom_pull(task_ids='GluePrepCallbackStep').OutputParameters.s3_data_out }}",
                    }
                },
                "SplitType": "Line",
            },
            "DataProcessing": {"InputFilter": "$[0]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
            "TransformOutput": {
                "Accept": "text/csv",
                "AssembleWith": "Line",
                "S3OutputPath": f"s3://{BUCKET}/batch-out/",
            },
            "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge"},
        },
    )
