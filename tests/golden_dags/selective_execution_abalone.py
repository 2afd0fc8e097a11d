"""Prepare, train with numbers from params, evaluate; register a good model, fail for a bad one."""

from airflow.providers.common.compat.sdk import DAG, Param
from golden_dags.common import (
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

from sagemaker_provider.definition import CacheConfig, LessThanOrEqualTo, PropertyFile
from sagemaker_provider.operators import (
    Join,
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerFailStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
)

PIPELINE = "AbalonePipeline-SelectExec"
REPORT = f"s3://{BUCKET}/abalone-postproc-2025-01-01-00-00-00-123/output/evaluation"
FEATURES = "length,diameter,height,whole_weight,shucked_weight,viscera_weight,shell_weight"

with DAG(
    dag_id="selective_execution_abalone",
    schedule=None,
    params={
        "ProcessingInstanceCount": Param(1, type="integer"),
        "ProcessingInstanceType": "ml.c5.xlarge",
        "TrainingInstanceCount": Param(1, type="integer"),
        "TrainingInstanceType": "ml.c5.xlarge",
        "XGBNumRounds": Param(50, type="integer"),
        "XGBMaxDepth": Param(5, type="integer"),
        "XGBETA": Param(0.2, type="number"),
        "XGBGamma": Param(4, type="integer"),
        "XGBMinChildWeight": Param(6, type="integer"),
        "XGBSubSample": Param(0.7, type="number"),
        "ModelPath": f"s3://{BUCKET}/Abalone/models/",
        "ApprovalStatus": "PendingManualApproval",
        "InputData": f"s3://{BUCKET}/sample-dataset/abalone/abalone.csv",
        "MseThreshold": Param(6.0, type="number"),
    },
) as dag:
    half_a_day = CacheConfig(enabled=True, expire_after="T12H")

    preprocess = SageMakerProcessingStepOperator(
        task_id="Abalone-Preprocess",
        cache=half_a_day,
        config=script_job(
            f"{SKLEARN}:0.23-1-cpu-py3",
            uploaded(PIPELINE, "preprocessing.py"),
            arguments=[
                *("--train_size", 0.7),
                *("--val_size", 0.2),
                *("--test_size", 0.1),
                *("--random_state", 10),
                *("--cat_feature_cols", "sex"),
                *("--num_feature_cols", FEATURES),
                *("--target_col", "rings"),
            ],
            inputs=[input_from("{{ params.InputData }}", "/opt/ml/processing/input", name="input-1")],
            outputs=[
                output_to(
                    run_uri(PIPELINE, "{run}", "Abalone-Preprocess", "output", part),
                    f"/opt/ml/processing/output/{part}",
                    name=part,
                )
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params.ProcessingInstanceCount }}", "{{ params.ProcessingInstanceType }}"),
        ),
    )
    data = preprocess.properties.ProcessingOutputConfig.Outputs

    train = SageMakerTrainingStepOperator(
        task_id="Abalone-Train",
        cache=half_a_day,
        config=training_job(
            XGBOOST,
            "{{ params.ModelPath }}",
            hyperparameters={
                "objective": "reg:linear",
                "num_round": "{{ params.XGBNumRounds }}",
                "max_depth": "{{ params.XGBMaxDepth }}",
                "eta": "{{ params.XGBETA }}",
                "gamma": "{{ params.XGBGamma }}",
                "min_child_weight": "{{ params.XGBGamma }}",
                "subsample": "{{ params.XGBSubSample }}",
            },
            channels=[channel(part, data[part].S3Output.S3Uri) for part in ("train", "validation")],
            resources=instances("{{ params.TrainingInstanceCount }}", "ml.c5.xlarge"),
        ),
    )
    model_uri = train.properties["ModelArtifacts"]["S3ModelArtifacts"]

    evaluate = SageMakerProcessingStepOperator(
        task_id="Abalone-Evaluate",
        cache=half_a_day,
        config=script_job(
            XGBOOST,
            uploaded(PIPELINE, "evaluation.py"),
            inputs=[
                input_from(model_uri, "/opt/ml/processing/model", name="input-1"),
                input_from(data["test"].S3Output.S3Uri, "/opt/ml/processing/output/test", name="input-2"),
            ],
            outputs=[output_to(REPORT, "/opt/ml/processing/evaluation", name="evaluation")],
            cluster=instances(kind="{{ params.ProcessingInstanceType }}", volume_gb=10),
        ),
        property_files=[PropertyFile("EvaluationReport", "evaluation", "evaluation.json")],
    )

    register = SageMakerRegisterModelStepOperator(
        task_id="Abalone-ModelRegister-RegisterModel",
        config=package(
            "Abalone-Models",
            container(XGBOOST, model_uri),
            approval="{{ params.ApprovalStatus }}",
            realtime=["ml.t2.medium", "ml.m5.xlarge"],
            transform=["ml.m5.xlarge"],
            quality_uri=f"{REPORT}/evaluation.json",
        ),
    )
    create = SageMakerModelStepOperator(
        task_id="Abalone-CreateModel-CreateModel", config=model(container(XGBOOST, model_uri))
    )
    too_bad = SageMakerFailStepOperator(
        task_id="Abalone-FailNotify",
        error_message=Join(" ", ["Execution failed due to MSE >", "{{ params.MseThreshold }}"]),
    )

    check = SageMakerConditionStepOperator(
        task_id="Abalone-MSECheck",
        conditions=LessThanOrEqualTo(
            JsonGet(evaluate, "EvaluationReport", "regression_metrics.mse.value"), "{{ params.MseThreshold }}"
        ),
        if_task_ids=[register.task_id, create.task_id],
        else_task_ids=too_bad.task_id,
    )
    check >> [register, create, too_bad]
