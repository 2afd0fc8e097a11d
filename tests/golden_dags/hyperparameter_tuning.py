"""Tune on the abalone data, keep the two best models, and register the best when it is good."""

from airflow.providers.common.compat.sdk import DAG
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
    run_uri,
    script_job,
    uploaded,
)

from sagemaker_provider.definition import CacheConfig, LessThanOrEqualTo, PropertyFile
from sagemaker_provider.operators import (
    Join,
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTuningStepOperator,
)

PIPELINE = "tuning-step-pipeline"
PREFIX = "tuning-step-example"

with DAG(
    dag_id="hyperparameter_tuning",
    schedule=None,
    params={
        "ProcessingInstanceCount": 1,
        "TrainingInstanceType": "ml.m5.xlarge",
        "InputDataUrl": "s3://sagemaker-example-files-prod-us-west-2/datasets/tabular/uci_abalone/abalone.csv",
        "ModelApprovalStatus": "PendingManualApproval",
    },
) as dag:
    cached = CacheConfig(enabled=True, expire_after="30d")

    preprocess = SageMakerProcessingStepOperator(
        task_id="PreprocessAbaloneDataForHPO",
        config=script_job(
            f"{SKLEARN}:1.2-1-cpu-py3",
            uploaded(PIPELINE, "preprocess.py"),
            arguments=["--input-data", "{{ params.InputDataUrl }}"],
            outputs=[
                output_to(
                    run_uri(PREFIX, "{run}", "PreprocessAbaloneDataForHPO"), f"/opt/ml/processing/{part}", name=part
                )
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params.ProcessingInstanceCount }}"),
        ),
    )
    data = preprocess.properties.ProcessingOutputConfig.Outputs

    tune = SageMakerTuningStepOperator(
        task_id="HPTuning",
        config={
            "HyperParameterTuningJobConfig": {
                "Strategy": "Random",
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 3},
                "ParameterRanges": {
                    "ContinuousParameterRanges": [
                        {"Name": name, "MinValue": "0.01", "MaxValue": "10", "ScalingType": "Logarithmic"}
                        for name in ("alpha", "lambda")
                    ]
                },
                "TrainingJobEarlyStoppingType": "Off",
            },
            "TrainingJobDefinition": {
                "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
                "StaticHyperParameters": {
                    **ABALONE_HYPERPARAMETERS,
                    "objective": "reg:squarederror",
                    "eval_metric": "rmse",
                    "silent": 0,
                },
                "InputDataConfig": [channel(part, data[part].S3Output.S3Uri) for part in ("train", "validation")],
                "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/{PREFIX}/AbaloneTrain"},
                "HyperParameterTuningResourceConfig": instances(kind="{{ params.TrainingInstanceType }}"),
                "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
                "RoleArn": ROLE,
            },
        },
        cache=cached,
    )

    def trained(rank: int) -> Join:
        """S3 URI of one of the best models."""
        job = tune.properties.TrainingJobSummaries[rank].TrainingJobName
        return Join("/", ["s3:/", BUCKET, f"{PREFIX}/AbaloneTrain", job, "output/model.tar.gz"])

    SageMakerModelStepOperator(task_id="CreateBestModel-CreateModel", config=model(container(XGBOOST, trained(0))))
    SageMakerModelStepOperator(
        task_id="CreateSecondBestModel-CreateModel", config=model(container(XGBOOST, trained(1)))
    )

    evaluate = SageMakerProcessingStepOperator(
        task_id="EvaluateTopModel",
        config=script_job(
            XGBOOST,
            uploaded(PIPELINE, "evaluate.py"),
            inputs=[
                input_from(trained(0), "/opt/ml/processing/model", name="input-1"),
                input_from(data["test"].S3Output.S3Uri, "/opt/ml/processing/test", name="input-2"),
            ],
            outputs=[
                output_to(
                    f"s3://{BUCKET}/{PREFIX}/script-tuning-step--2025-01-01-00-00-00-123/output/evaluation",
                    "/opt/ml/processing/evaluation",
                    name="evaluation",
                )
            ],
        ),
        property_files=[PropertyFile("BestTuningModelEvaluationReport", "evaluation", "evaluation.json")],
        cache=cached,
    )

    register = SageMakerRegisterModelStepOperator(
        task_id="RegisterBestAbaloneModel-RegisterModel",
        config=package(
            "tuning-job-model-packages",
            container(XGBOOST, trained(0)),
            approval="{{ params.ModelApprovalStatus }}",
            realtime=["ml.t2.medium", "ml.m5.large"],
            transform=["ml.m5.large"],
        ),
    )

    check = SageMakerConditionStepOperator(
        task_id="CheckMSEAbaloneEvaluation",
        conditions=LessThanOrEqualTo(
            JsonGet(evaluate, "BestTuningModelEvaluationReport", "regression_metrics.mse.value"), 6.0
        ),
        if_task_ids=register.task_id,
    )
    check >> register
