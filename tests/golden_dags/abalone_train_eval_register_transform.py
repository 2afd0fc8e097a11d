"""Prepare the abalone data, train and evaluate; register and apply a good model, fail for a bad one."""

from airflow.providers.common.compat.sdk import DAG, Param
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
    package,
    run_uri,
    script_job,
    training_job,
    uploaded,
)

from sagemaker_provider.definition import LessThanOrEqualTo, PropertyFile
from sagemaker_provider.operators import (
    Join,
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerFailStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
    SageMakerTransformStepOperator,
)

PIPELINE = "AbalonePipeline"
REPORT = f"s3://{BUCKET}/script-abalone-eval-2025-01-01-00-00-00-123/output/evaluation"

with DAG(
    dag_id="abalone_train_eval_register_transform",
    schedule=None,
    params={
        "ProcessingInstanceCount": 1,
        "TrainingInstanceType": Param("ml.m5.xlarge", type="string"),
        "ModelApprovalStatus": Param("PendingManualApproval", type="string"),
        "InputData": Param(f"s3://{BUCKET}/abalone/abalone-dataset.csv", type="string"),
        "BatchData": Param(f"s3://{BUCKET}/abalone/abalone-dataset-batch", type="string"),
        "MseThreshold": Param(6.0, type="number"),
    },
) as dag:
    process = SageMakerProcessingStepOperator(
        task_id="AbaloneProcess",
        config=script_job(
            f"{SKLEARN}:0.23-1-cpu-py3",
            uploaded(PIPELINE, "preprocessing.py"),
            inputs=[input_from("{{ params.InputData }}", "/opt/ml/processing/input", name="input-1")],
            outputs=[
                output_to(
                    run_uri(PIPELINE, "{run}", "AbaloneProcess", "output", part),
                    f"/opt/ml/processing/{part}",
                    name=part,
                )
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params.ProcessingInstanceCount }}"),
        ),
    )
    data = process.properties.ProcessingOutputConfig.Outputs

    train = SageMakerTrainingStepOperator(
        task_id="AbaloneTrain",
        config=training_job(
            XGBOOST,
            f"s3://{BUCKET}/AbaloneTrain",
            hyperparameters=ABALONE_HYPERPARAMETERS,
            channels=[channel(part, data[part].S3Output.S3Uri) for part in ("train", "validation")],
            resources=instances(kind="{{ params.TrainingInstanceType }}"),
        ),
    )
    trained = container(XGBOOST, train.properties.ModelArtifacts.S3ModelArtifacts)

    evaluate = SageMakerProcessingStepOperator(
        task_id="AbaloneEval",
        config=script_job(
            XGBOOST,
            uploaded(PIPELINE, "evaluation.py"),
            inputs=[
                input_from(
                    train.properties.ModelArtifacts.S3ModelArtifacts, "/opt/ml/processing/model", name="input-1"
                ),
                input_from(data["test"].S3Output.S3Uri, "/opt/ml/processing/test", name="input-2"),
            ],
            outputs=[output_to(REPORT, "/opt/ml/processing/evaluation", name="evaluation")],
        ),
        property_files=[PropertyFile("EvaluationReport", "evaluation", "evaluation.json")],
    )

    register = SageMakerRegisterModelStepOperator(
        task_id="AbaloneRegisterModel-RegisterModel",
        config=package(
            "AbaloneModelPackageGroupName",
            trained,
            approval="{{ params.ModelApprovalStatus }}",
            realtime=["ml.t2.medium", "ml.m5.xlarge"],
            transform=["ml.m5.xlarge"],
            quality_uri=f"{REPORT}/evaluation.json",
        ),
    )

    create = SageMakerModelStepOperator(task_id="AbaloneCreateModel-CreateModel", config=model(trained))

    transform = SageMakerTransformStepOperator(
        task_id="AbaloneTransform",
        config={
            "ModelName": create.properties.ModelName,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "{{ params.BatchData }}"}}
            },
            "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/AbaloneTransform"},
            "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge"},
        },
    )

    too_bad = SageMakerFailStepOperator(
        task_id="AbaloneMSEFail",
        error_message=Join(" ", ["Execution failed due to MSE >", "{{ params.MseThreshold }}"]),
    )

    check = SageMakerConditionStepOperator(
        task_id="AbaloneMSECond",
        conditions=LessThanOrEqualTo(
            JsonGet(evaluate, "EvaluationReport", "regression_metrics.mse.value"), "{{ params.MseThreshold }}"
        ),
        if_task_ids=[register.task_id, create.task_id],
        else_task_ids=too_bad.task_id,
    )
    check >> [register, create, too_bad]
