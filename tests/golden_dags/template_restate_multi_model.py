"""Tune two kinds of models on the same data, and register the better one."""

import json

from airflow.providers.common.compat.sdk import DAG, Param
from golden_dags.common import (
    BUCKET,
    ROLE,
    SKLEARN,
    XGBOOST,
    channel,
    input_from,
    instances,
    json_file,
    output_to,
    run_uri,
    script_job,
)

from sagemaker_provider.definition import CacheConfig, GreaterThanOrEqualTo, PropertyFile
from sagemaker_provider.operators import (
    Join,
    JsonGet,
    SageMakerConditionStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTuningStepOperator,
)

DTREE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/restate-dtree:1"
MODELS = f"{BUCKET}/restate/restateTrain"
EXPORTED = "99ae1ec3-dd5f-453c-bfae-721dac423cd7.default"
NOW = "2025-01-01-00-00-00-123"


def tuning(image, ranges, fixed, channels, metrics=None):
    """CreateHyperParameterTuningJob request."""
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    return {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:mse"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 3},
            "ParameterRanges": {
                "CategoricalParameterRanges": [],
                "ContinuousParameterRanges": [],
                "IntegerParameterRanges": [
                    {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": "Linear"}
                    for name, (low, high) in ranges.items()
                ],
            },
            "TrainingJobEarlyStoppingType": "Off",
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {**algorithm, "MetricDefinitions": metrics} if metrics else algorithm,
            "StaticHyperParameters": fixed,
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": f"s3://{MODELS}"},
            "HyperParameterTuningResourceConfig": instances(kind="{{ params.TrainingInstanceType }}"),
            "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
            "RoleArn": ROLE,
        },
    }


def best_model(tune):
    """S3 URI of the best model of a tuning."""
    return Join("/", ["s3:/", MODELS, tune.properties.TrainingJobSummaries[0].TrainingJobName, "output/model.tar.gz"])


def evaluation(task_id, kind, image, tune, test_data, report):
    """Evaluate the best model of a tuning."""
    folder = f"s3://{BUCKET}/restate/script-{kind}-eval-{NOW}"
    name = f"{kind}_evaluation"
    return SageMakerProcessingStepOperator(
        task_id=task_id,
        config=script_job(
            image,
            f"{folder}/input/code/{kind}_evaluate.py",
            inputs=[
                input_from(best_model(tune), "/opt/ml/processing/model", name="input-1"),
                input_from(test_data, "/opt/ml/processing/test", name="input-2"),
            ],
            outputs=[output_to(f"{folder}/output/{name}", "/opt/ml/processing/evaluation", name=name)],
            cluster=instances(kind="{{ params.ProcessingInstanceType }}"),
        ),
        property_files=[PropertyFile(report, name, f"{name}.json")],
    )


def registration(task_id, kind, image, tune):
    """Register the best model of a tuning."""
    report = f"s3://{BUCKET}/restate/script-{kind}-eval-{NOW}/output/{kind}_evaluation/{kind}_evaluation.json"
    return SageMakerRegisterModelStepOperator(
        task_id=task_id,
        config={
            "ModelPackageGroupName": "restate",
            "ModelApprovalStatus": "{{ params.ModelApprovalStatus }}",
            "InferenceSpecification": {
                "Containers": [{"Image": image, "ModelDataUrl": best_model(tune)}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
                "SupportedRealtimeInferenceInstanceTypes": ["ml.t2.medium", "ml.m5.large"],
                "SupportedTransformInstanceTypes": ["ml.m5.large"],
            },
            "ModelMetrics": {
                "ModelQuality": {"Statistics": json_file(report)},
                "Bias": {},
                "Explainability": {},
            },
            "SkipModelValidation": "None",
        },
    )


with DAG(
    dag_id="template_restate_multi_model",
    schedule=None,
    params={
        "ProcessingInstanceType": "ml.m5.2xlarge",
        "ProcessingInstanceCount": 1,
        "TrainingInstanceType": "ml.m5.xlarge",
        "ModelApprovalStatus": "PendingManualApproval",
        "InputDataUrl": Param("", type="string"),
    },
) as dag:
    wrangle = SageMakerProcessingStepOperator(
        task_id="DataWranglerProcess",
        config={
            "AppSpecification": {
                "ImageUri": "174368400705.dkr.ecr.us-west-2.amazonaws.com/sagemaker-data-wrangler-container:3.x",
                "ContainerArguments": [f"--output-config '{json.dumps({EXPORTED: {'content_type': 'CSV'}})}'"],
            },
            "ProcessingInputs": [
                input_from(
                    f"s3://{BUCKET}/data_wrangler_flows/flow-01-00-00-00-00000000.flow",
                    "/opt/ml/processing/flow",
                    name="flow",
                )
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    output_to(
                        f"s3://{BUCKET}/export-flow-01-00-00-00-00000000/output",
                        "/opt/ml/processing/output",
                        name=EXPORTED,
                    )
                ]
            },
            "ProcessingResources": {"ClusterConfig": instances(2, "ml.m5.4xlarge")},
            "NetworkConfig": {"EnableNetworkIsolation": False},
            "RoleArn": ROLE,
            "Tags": [],
        },
    )
    raw = wrangle.properties.ProcessingOutputConfig.Outputs[EXPORTED].S3Output.S3Uri

    preprocess = SageMakerProcessingStepOperator(
        task_id="Preprocess",
        config=script_job(
            f"{SKLEARN}:0.23-1-cpu-py3",
            f"s3://{BUCKET}/restate/sklearn-restate-preprocess-{NOW}/input/code/preprocess.py",
            arguments=["--input-data", raw],
            inputs=[input_from(raw, "/opt/ml/processing/data/raw-data-dir", name="input-1")],
            outputs=[
                output_to(
                    run_uri("restate", "{run}", "Preprocess", "output", part), f"/opt/ml/processing/{part}", name=part
                )
                for part in ("train", "validation", "test")
            ],
            cluster=instances("{{ params.ProcessingInstanceCount }}", "{{ params.ProcessingInstanceType }}"),
        ),
    )
    data = preprocess.properties.ProcessingOutputConfig.Outputs
    train, validation = data["train"].S3Output.S3Uri, data["validation"].S3Output.S3Uri
    cached = CacheConfig(enabled=True, expire_after="30d")

    tune_dtree = SageMakerTuningStepOperator(
        task_id="DTreeHPTune",
        config=tuning(
            DTREE,
            ranges={"max_depth": (10, 50), "max_leaf_nodes": (2, 12)},
            fixed={},
            channels=[channel("training", train), channel("validation", validation)],
            metrics=[{"Name": "validation:mse", "Regex": r"mse:(\S+)"}],
        ),
        cache=cached,
    )
    tune_xgb = SageMakerTuningStepOperator(
        task_id="XGBHPTune",
        config=tuning(
            XGBOOST,
            ranges={"max_depth": (2, 10)},
            fixed={"num_round": 50, "grow_policy": "lossguide"},
            channels=[channel("train", train), channel("validation", validation)],
        ),
        cache=cached,
    )

    test = data["test"].S3Output.S3Uri
    evaluate_dtree = evaluation("DTreeEval", "dtree", DTREE, tune_dtree, test, "EvaluationReportDTree")
    evaluate_xgb = evaluation("XGBEval", "xgb", XGBOOST, tune_xgb, test, "EvaluationReportXGBoost")

    register_dtree = registration("DTreeReg-RegisterModel", "dtree", DTREE, tune_dtree)
    register_xgb = registration("XGBReg-RegisterModel", "xgb", XGBOOST, tune_xgb)

    compare = SageMakerConditionStepOperator(
        task_id="AccuracyCond",
        conditions=GreaterThanOrEqualTo(
            JsonGet(evaluate_dtree, "EvaluationReportDTree", "regression_metrics.r2s.value"),
            JsonGet(evaluate_xgb, "EvaluationReportXGBoost", "regression_metrics.r2s.value"),
        ),
        if_task_ids=register_dtree.task_id,
        else_task_ids=register_xgb.task_id,
    )
    compare >> [register_dtree, register_xgb]
