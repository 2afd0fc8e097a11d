"""Train on the abalone data, and let a Lambda function deploy the model when it is good."""

from airflow.providers.common.compat.sdk import DAG, Param, chain
from golden_dags.common import (
    ABALONE_HYPERPARAMETERS,
    BUCKET,
    SKLEARN,
    XGBOOST,
    channel,
    container,
    input_from,
    instances,
    model,
    output_to,
    script_job,
    training_job,
    uploaded,
)

from sagemaker_provider.definition import CacheConfig, LessThanOrEqualTo, OutputParameter, PropertyFile
from sagemaker_provider.operators import (
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerLambdaStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerTrainingStepOperator,
)

PIPELINE = "lambda-step-pipeline01-01-00-00-00"

with DAG(
    dag_id="lambda_deploy",
    schedule=None,
    params={
        "ProcessingInstanceCount": Param(1, type="integer"),
        "TrainingInstanceType": "ml.m5.xlarge",
        "InputDataUrl": "s3://sagemaker-sample-files/datasets/tabular/uci_abalone/abalone.csv",
        "ModelApprovalStatus": "PendingManualApproval",
    },
) as dag:
    cached = CacheConfig(enabled=True, expire_after="30d")

    preprocess = SageMakerProcessingStepOperator(
        task_id="PreprocessAbaloneData",
        config=script_job(
            f"{SKLEARN}:1.2-1-cpu-py3",
            uploaded(PIPELINE, "preprocess.py"),
            arguments=["--input-data", "{{ params.InputDataUrl }}"],
            outputs=[
                output_to(
                    f"s3://{BUCKET}/{PIPELINE}/{{{{ run_id }}}}/PreprocessAbaloneData/output/{part}",
                    f"/opt/ml/processing/{part}",
                    name=part,
                )
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params.ProcessingInstanceCount }}"),
        ),
        cache=cached,
    )

    data = preprocess.properties.ProcessingOutputConfig.Outputs

    train = SageMakerTrainingStepOperator(
        task_id="TrainAbaloneModel",
        config=training_job(
            XGBOOST,
            f"s3://{BUCKET}/lambda-step-example/AbaloneTrain",
            hyperparameters={**ABALONE_HYPERPARAMETERS, "silent": 0},
            channels=[channel(part, data[part].S3Output.S3Uri) for part in ("train", "validation")],
            resources=instances(kind="{{ params.TrainingInstanceType }}"),
        ),
        cache=cached,
    )
    model_uri = "{{ ti.xcom_pull(task_ids='TrainAbaloneModel')['ModelArtifacts']['S3ModelArtifacts'] }}"

    evaluate = SageMakerProcessingStepOperator(
        task_id="EvaluateAbaloneModel",
        config=script_job(
            XGBOOST,
            uploaded(PIPELINE, "evaluate.py"),
            inputs=[
                input_from(model_uri, "/opt/ml/processing/model", name="input-1"),
                input_from(data["test"].S3Output.S3Uri, "/opt/ml/processing/test", name="input-2"),
            ],
            outputs=[
                output_to(
                    f"s3://{BUCKET}/lambda-step-pipeline/evaluation_report",
                    "/opt/ml/processing/evaluation",
                    name="evaluation",
                )
            ],
        ),
        property_files=[PropertyFile("AbaloneEvaluationReport", "evaluation", "evaluation.json")],
        cache=cached,
    )

    check = SageMakerConditionStepOperator(
        task_id="CheckMSEAbaloneEvaluation",
        conditions=LessThanOrEqualTo(JsonGet(evaluate, "AbaloneEvaluationReport", "regression_metrics.mse.value"), 6.0),
        if_task_ids="CreateModel-CreateModel",
    )

    create = SageMakerModelStepOperator(task_id="CreateModel-CreateModel", config=model(container(XGBOOST, model_uri)))

    deploy = SageMakerLambdaStepOperator(
        task_id="LambdaStep",
        function_arn="arn:aws:lambda:us-west-2:123456789012:function:"
        "sagemaker-lambda-step-endpoint-deploy-01-01-00-00-00",
        config={
            "model_name": create.properties.ModelName,
            "endpoint_config_name": "demo-lambda-deploy-endpoint-config-01-01-00-00-00",
            "endpoint_name": "demo-lambda-deploy-endpoint-01-01-00-00-00",
        },
        outputs=["statusCode", "body", OutputParameter("other_key", "String")],
    )

    chain(preprocess, train, evaluate, check, create, deploy)
