"""Check data and model with Model Monitor and Clarify while training, and register the model with its baselines."""

import json

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
    json_file,
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
    JsonGet,
    SageMakerClarifyCheckStepOperator,
    SageMakerConditionStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerQualityCheckStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
    SageMakerTransformStepOperator,
)

PIPELINE = "model-monitor-clarify-pipeline"
PREFIX = "model-monitor-clarify"
GROUP = "model-monitor-clarify-group"
MONITOR = "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer"
CLARIFY = "306415355426.dkr.ecr.us-west-2.amazonaws.com/sagemaker-clarify-processing:1.0"
CHECKS = ("DataQuality", "DataBias", "ModelQuality", "ModelBias", "ModelExplainability")


def check_params() -> dict:
    """The params that steer each check."""
    params = {}
    for check in CHECKS:
        params[f"Skip{check}Check"] = Param(False, type="boolean")
        params[f"RegisterNew{check}Baseline"] = Param(False, type="boolean")
        supplied = ("Statistics", "Constraints") if check.endswith("Quality") else ("BaselineConstraints",)
        params |= {f"{check}Supplied{kind}": Param("", type="string") for kind in supplied}
    return params


def flags(check: str) -> dict:
    """What all checks have in common."""
    return {
        "skip_check": f"{{{{ params.Skip{check}Check }}}}",
        "register_new_baseline": f"{{{{ params.RegisterNew{check}Baseline }}}}",
        "model_package_group_name": GROUP,
    }


def job(image: str, inputs: list, output: str, step: str) -> dict:
    """CreateProcessingJob request of a check."""
    return {
        "AppSpecification": {"ImageUri": image},
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": {
            "Outputs": [output_to(run_uri(PREFIX, "{run}", step), "/opt/ml/processing/output", name=output)]
        },
        "ProcessingResources": {"ClusterConfig": instances(kind="ml.c5.xlarge", volume_gb=120)},
        "RoleArn": ROLE,
    }


def quality_check(check: str, kind: str, dataset, **environment: str) -> SageMakerQualityCheckStepOperator:
    """A check of Model Monitor."""
    folder = "/opt/ml/processing/input/baseline_dataset_input"
    config = job(
        MONITOR,
        [input_from(dataset, folder, name="baseline_dataset_input")],
        "quality_check_output",
        f"{check}CheckStep".lower(),
    )
    config["Environment"] = {
        "dataset_format": json.dumps({"csv": {"header": False, "output_columns_position": "START"}}),
        "dataset_source": folder,
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Disabled",
        **environment,
    }
    return SageMakerQualityCheckStepOperator(
        task_id=f"{check}CheckStep",
        check_type=kind,
        config=config,
        supplied_baseline_statistics=f"{{{{ params.{check}SuppliedStatistics }}}}",
        supplied_baseline_constraints=f"{{{{ params.{check}SuppliedConstraints }}}}",
        **flags(check),
    )


def clarify_check(check: str, kind: str, dataset, model_name=None) -> SageMakerClarifyCheckStepOperator:
    """A check of Clarify."""
    step = f"{check}CheckStep"
    analysis = f"s3://{BUCKET}/{PREFIX}/{step.lower()}/analysis_cfg/analysis_config.json"
    inputs = [
        input_from(analysis, "/opt/ml/processing/input/config", name="analysis_config"),
        input_from(dataset, "/opt/ml/processing/input/data", name="dataset"),
    ]
    return SageMakerClarifyCheckStepOperator(
        task_id=step,
        check_type=kind,
        model_name=model_name,
        config=job(CLARIFY, inputs, "analysis_result", step.lower()),
        supplied_baseline_constraints=f"{{{{ params.{check}SuppliedBaselineConstraints }}}}",
        **flags(check),
    )


def monitoring_config(step: str, kind: str, number: str) -> dict:
    """The configuration that a monitoring schedule will use."""
    folder = f"s3://{BUCKET}/{PREFIX}/{step}/analysis_cfg/{kind}-monitoring-configuration"
    return json_file(f"{folder}/{kind}-monitoring-config-2025-01-01-00-00-00-123/{number}/analysis_config.json")


with DAG(
    dag_id="clarify_model_monitor",
    schedule=None,
    params={
        "ProcessingInstanceCount": 1,
        "TrainingInstanceType": "ml.m5.xlarge",
        "ModelApprovalStatus": "PendingManualApproval",
        "InputDataUrl": "s3://sagemaker-example-files-prod-us-west-2/datasets/tabular/uci_abalone/abalone.csv",
        **check_params(),
    },
) as dag:
    preprocess = SageMakerProcessingStepOperator(
        task_id="PreprocessAbaloneData",
        config=script_job(
            f"{SKLEARN}:0.23-1-cpu-py3",
            uploaded(PIPELINE, "preprocess.py"),
            arguments=["--input-data", "{{ params.InputDataUrl }}"],
            outputs=[
                output_to(
                    run_uri(PIPELINE, "{run}", "PreprocessAbaloneData", "output", part),
                    f"/opt/ml/processing/{part}",
                    name=part,
                )
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params.ProcessingInstanceCount }}"),
        ),
    )
    data = preprocess.properties.ProcessingOutputConfig.Outputs
    train_data, test_data = data["train"].S3Output.S3Uri, data["test"].S3Output.S3Uri

    data_quality = quality_check("DataQuality", "DATA_QUALITY", train_data)
    data_bias = clarify_check("DataBias", "DATA_BIAS", train_data)

    train = SageMakerTrainingStepOperator(
        task_id="TrainAbaloneModel",
        config=training_job(
            XGBOOST,
            f"s3://{BUCKET}/{PREFIX}/AbaloneTrain",
            hyperparameters={**ABALONE_HYPERPARAMETERS, "silent": 0},
            channels=[channel(part, data[part].S3Output.S3Uri) for part in ("train", "validation")],
            resources=instances(kind="{{ params.TrainingInstanceType }}"),
        ),
    )
    [data_quality, data_bias] >> train
    model_uri = train.properties.ModelArtifacts.S3ModelArtifacts

    create = SageMakerModelStepOperator(
        task_id="AbaloneCreateModel-CreateModel", config=model(container(XGBOOST, model_uri))
    )

    transform = SageMakerTransformStepOperator(
        task_id="AbaloneTransform",
        config={
            "ModelName": create.properties.ModelName,
            "TransformInput": {
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": test_data}},
                "SplitType": "Line",
            },
            "DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
            "TransformOutput": {
                "Accept": "text/csv",
                "AssembleWith": "Line",
                "S3OutputPath": f"s3://{BUCKET}/AbaloneTransform",
            },
            "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge"},
        },
    )

    model_quality = quality_check(
        "ModelQuality",
        "MODEL_QUALITY",
        transform.properties.TransformOutput.S3OutputPath,
        analysis_type="MODEL_QUALITY",
        problem_type="Regression",
        inference_attribute="_c0",
        ground_truth_attribute="_c1",
    )
    model_bias = clarify_check("ModelBias", "MODEL_BIAS", train_data, create.properties.ModelName)
    explainability = clarify_check(
        "ModelExplainability", "MODEL_EXPLAINABILITY", train_data, create.properties.ModelName
    )

    evaluate = SageMakerProcessingStepOperator(
        task_id="EvaluateAbaloneModel",
        config=script_job(
            XGBOOST,
            uploaded(PIPELINE, "evaluate.py"),
            inputs=[
                input_from(model_uri, "/opt/ml/processing/model", name="input-1"),
                input_from(test_data, "/opt/ml/processing/test", name="input-2"),
            ],
            outputs=[
                output_to(
                    run_uri(PIPELINE, "{run}", "EvaluateAbaloneModel", "output", "evaluation"),
                    "/opt/ml/processing/evaluation",
                    name="evaluation",
                )
            ],
        ),
        property_files=[PropertyFile("AbaloneEvaluationReport", "evaluation", "evaluation.json")],
    )

    def used(check, kind: str = "Constraints") -> dict:
        """The baseline that a check has compared with."""
        return json_file(getattr(check.properties, f"BaselineUsedForDriftCheck{kind}"))

    def calculated(check, kind: str = "Constraints") -> dict:
        """The baseline that a check has calculated."""
        return json_file(getattr(check.properties, f"CalculatedBaseline{kind}"))

    register = SageMakerRegisterModelStepOperator(
        task_id="RegisterAbaloneModel-RegisterModel",
        config={
            **package(
                GROUP,
                container(XGBOOST, model_uri),
                approval="{{ params.ModelApprovalStatus }}",
                realtime=["ml.t2.medium", "ml.m5.large"],
                transform=["ml.m5.large"],
            ),
            "ModelMetrics": {
                "ModelQuality": {kind: calculated(model_quality, kind) for kind in ("Statistics", "Constraints")},
                "ModelDataQuality": {kind: calculated(data_quality, kind) for kind in ("Statistics", "Constraints")},
                "Bias": {
                    "PreTrainingReport": calculated(data_bias),
                    "PostTrainingReport": calculated(model_bias),
                },
                "Explainability": {"Report": calculated(explainability)},
            },
            "DriftCheckBaselines": {
                "ModelQuality": {kind: used(model_quality, kind) for kind in ("Statistics", "Constraints")},
                "ModelDataQuality": {kind: used(data_quality, kind) for kind in ("Statistics", "Constraints")},
                "Bias": {
                    "ConfigFile": monitoring_config(
                        "modelbiascheckstep", "bias", "00000000-0000-4000-8000-00000000000b"
                    ),
                    "PreTrainingConstraints": used(data_bias),
                    "PostTrainingConstraints": used(model_bias),
                },
                "Explainability": {
                    "ConfigFile": monitoring_config(
                        "modelexplainabilitycheckstep", "model-explainability", "00000000-0000-4000-8000-000000000010"
                    ),
                    "Constraints": used(explainability),
                },
            },
        },
    )

    check = SageMakerConditionStepOperator(
        task_id="CheckMSEAbaloneEvaluation",
        conditions=LessThanOrEqualTo(JsonGet(evaluate, "AbaloneEvaluationReport", "regression_metrics.mse.value"), 6.0),
        if_task_ids=register.task_id,
    )
    check >> register
