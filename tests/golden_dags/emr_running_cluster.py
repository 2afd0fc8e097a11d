"""Prepare the abalone data on a running EMR cluster, train, evaluate, and register a good model."""

from airflow.providers.common.compat.sdk import DAG, Param
from golden_dags.common import (
    ABALONE_HYPERPARAMETERS,
    BUCKET,
    XGBOOST,
    channel,
    container,
    input_from,
    output_to,
    package,
    script_job,
    training_job,
    uploaded,
)

from sagemaker_provider.definition import LessThanOrEqualTo, PropertyFile
from sagemaker_provider.operators import (
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerEMRStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
)

FOLDER = f"s3://{BUCKET}/emr-step-pipeline"
REPORT = f"{FOLDER}/script-abalone-eval-2025-01-01-00-00-00-123/output/evaluation"

with DAG(
    dag_id="emr_running_cluster",
    schedule=None,
    params={
        "ClusterId": Param("j-ABCDEFGHIJKLM", type="string"),
        "ProcessingInstanceCount": 1,
        "ModelApprovalStatus": "PendingManualApproval",
        "InputDataUrl": "s3://sagemaker-example-files-prod-us-west-2/datasets/tabular/uci_abalone/abalone.csv",
    },
) as dag:
    prepare = SageMakerEMRStepOperator(
        task_id="prepare_on_emr",
        step_name="EMRStep",
        display_name="Preprocess",
        description="preprocess data for XGBoost",
        config={
            "ClusterId": "{{ params.ClusterId }}",
            "StepConfig": {
                "HadoopJarStep": {
                    "Jar": "command-runner.jar",
                    "Args": [
                        "spark-submit",
                        *("--deploy-mode", "cluster"),
                        f"{FOLDER}/app/preprocess.py",
                        *("--input", "{{ params.InputDataUrl }}"),
                        *("--output", f"{FOLDER}/prep"),
                    ],
                }
            },
        },
    )

    train = SageMakerTrainingStepOperator(
        task_id="TrainAbaloneModel",
        config=training_job(
            XGBOOST,
            f"{FOLDER}/AbaloneTrain",
            hyperparameters={**ABALONE_HYPERPARAMETERS, "silent": 0},
            channels=[channel("train", f"{FOLDER}/prep/train"), channel("validation", f"{FOLDER}/prep/valid")],
        ),
    )
    model_uri = train.properties.ModelArtifacts.S3ModelArtifacts

    evaluate = SageMakerProcessingStepOperator(
        task_id="EvaluateAbaloneModel",
        config=script_job(
            XGBOOST,
            uploaded("EMRStepPipeline", "evaluate.py"),
            inputs=[
                input_from(model_uri, "/opt/ml/processing/model", name="input-1"),
                input_from(f"{FOLDER}/prep/test", "/opt/ml/processing/test", name="input-2"),
            ],
            outputs=[output_to(REPORT, "/opt/ml/processing/evaluation", name="evaluation")],
        ),
        property_files=[PropertyFile("AbaloneEvaluationReport", "evaluation", "evaluation.json")],
    )

    register = SageMakerRegisterModelStepOperator(
        task_id="RegisterAbaloneModel-RegisterModel",
        config=package(
            "AbalonePackageGroup",
            container(XGBOOST, model_uri),
            approval="{{ params.ModelApprovalStatus }}",
            realtime=["ml.t2.medium", "ml.m5.large"],
            transform=["ml.m5.large"],
            quality_uri=f"{REPORT}/evaluation.json",
        ),
    )

    check = SageMakerConditionStepOperator(
        task_id="CheckMSEAbaloneEvaluation",
        conditions=LessThanOrEqualTo(JsonGet(evaluate, "AbaloneEvaluationReport", "regression_metrics.mse.value"), 6.0),
        if_task_ids=register.task_id,
    )

    prepare >> [train, evaluate]
    check >> register
