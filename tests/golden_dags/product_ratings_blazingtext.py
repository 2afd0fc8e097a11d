"""Prepare reviews, train BlazingText, register the model and deploy it with a script."""

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import (
    BUCKET,
    SKLEARN,
    channel,
    container,
    input_from,
    instances,
    model,
    output_to,
    run_uri,
    script_job,
    training_job,
)

from sagemaker_provider.operators import (
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
)

BLAZINGTEXT = "433757028032.dkr.ecr.us-west-2.amazonaws.com/blazingtext:1"
FOLDER = f"s3://{BUCKET}/sagemaker-pipelines-nlp-demo"

with DAG(
    dag_id="product_ratings_blazingtext",
    schedule=None,
    params={
        "ProcessingInstanceType": "ml.m4.xlarge",
        "ProcessingInstanceCount": 1,
        "TrainingInstanceType": "ml.m4.xlarge",
        "ModelApprovalStatus": "Approved",
        "InputData": f"{FOLDER}/data/Womens Clothing E-Commerce Reviews.csv",
    },
) as dag:
    process = SageMakerProcessingStepOperator(
        task_id="BTDemoProcessStep",
        config=script_job(
            f"{SKLEARN}:0.23-1-cpu-py3",
            f"{FOLDER}/code/preprocessing.py",
            inputs=[input_from("{{ params.InputData }}", "/opt/ml/processing/input", name="input-1")],
            outputs=[
                output_to(
                    run_uri("BlazingTextPipeline", "{run}", "BTDemoProcessStep", "output", part),
                    f"/opt/ml/processing/{part}",
                    name=part,
                )
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params.ProcessingInstanceCount }}", "{{ params.ProcessingInstanceType }}"),
        ),
    )
    data = process.properties.ProcessingOutputConfig.Outputs

    train = SageMakerTrainingStepOperator(
        task_id="BTDemoTrainStep",
        config=training_job(
            BLAZINGTEXT,
            f"{FOLDER}/training_jobs",
            hyperparameters={
                "mode": "supervised",
                "epochs": 25,
                "min_epochs": 10,
                "learning_rate": 0.02,
                "min_count": 2,
                "word_ngrams": 3,
                "early_stopping": "True",
                "patience": 4,
            },
            channels=[
                channel("train", data["train"].S3Output.S3Uri),
                channel("validation", data["test"].S3Output.S3Uri),
            ],
            resources=instances(kind="{{ params.TrainingInstanceType }}"),
        ),
    )
    model_uri = train.properties.ModelArtifacts.S3ModelArtifacts

    create = SageMakerModelStepOperator(
        task_id="BTDemoCreatemodelStep", config=model(container(BLAZINGTEXT, model_uri))
    )

    SageMakerProcessingStepOperator(
        task_id="BTDemoDeployStep",
        config=script_job(
            f"{SKLEARN}:0.23-1-cpu-py3",
            f"{FOLDER}/code/deploy_model.py",
            arguments=[
                *("--model-name", create.properties.ModelName),
                *("--region", "us-west-2"),
                *("--endpoint-instance-type", "ml.m4.xlarge"),
                *("--endpoint-name", "nlp-blaztext-model-endpoint"),
            ],
            cluster=instances(volume_gb=60),
        ),
    )

    SageMakerRegisterModelStepOperator(
        task_id="BTDemoRegistermodelStep-RegisterModel",
        config={
            "ModelPackageGroupName": "sagemaker-pipelines-nlp-demo",
            "ModelApprovalStatus": "{{ params.ModelApprovalStatus }}",
            "InferenceSpecification": {
                "Containers": [{"Image": BLAZINGTEXT, "ModelDataUrl": model_uri}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.t2.medium", "ml.m5.xlarge"],
                "SupportedTransformInstanceTypes": ["ml.m5.xlarge"],
            },
            "SkipModelValidation": "None",
        },
    )
