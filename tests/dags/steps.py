"""Two DAGs with an operator of every step type: one that waits in the triggerer, one that waits in the worker."""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.definition import Equals, LessThanOrEqualTo, OutputParameter, PropertyFile
from sagemaker_provider.operators import (
    CleanupSource,
    ExecutionVariable,
    Join,
    JsonGet,
    SageMakerAutoMLStepOperator,
    SageMakerCallbackStepOperator,
    SageMakerClarifyCheckStepOperator,
    SageMakerCleanupStepOperator,
    SageMakerConditionStepOperator,
    SageMakerEMRServerlessStepOperator,
    SageMakerEMRStepOperator,
    SageMakerEndpointConfigStepOperator,
    SageMakerEndpointStepOperator,
    SageMakerInferenceComponentStepOperator,
    SageMakerLambdaStepOperator,
    SageMakerLineageStepOperator,
    SageMakerModelStepOperator,
    SageMakerNotebookJobStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerQualityCheckStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTrainingStepOperator,
    SageMakerTransformStepOperator,
    SageMakerTuningStepOperator,
)

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"
QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/work"
FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function:work"
CLUSTER = {"InstanceCount": "{{ params.count }}", "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": "30"}


def processing(outputs: dict[str, str]) -> dict:
    """A CreateProcessingJob request with outputs: name -> S3 URI."""
    return {
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "AppSpecification": {"ImageUri": IMAGE, "ContainerArguments": ["--count", "{{ params.count }}"]},
        "RoleArn": ROLE,
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": name,
                    "S3Output": {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3UploadMode": "EndOfJob"},
                }
                for name, uri in outputs.items()
            ]
        },
    }


def training(data: object) -> dict:
    """A CreateTrainingJob request that reads ``data``."""
    source = {"S3DataType": "S3Prefix", "S3Uri": data}
    return {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": {"rounds": "{{ params.count }}"},
        "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }


def build(dag_id: str, deferrable: bool) -> DAG:
    """A DAG with every step type."""
    defaults = {"deferrable": deferrable, "poll_interval": 0.05}
    with DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1),
        params={"count": 2, "limit": 6.0, "approval": "PendingManualApproval"},
        default_args=defaults,
    ) as dag:
        prepare = SageMakerProcessingStepOperator(
            task_id="prepare",
            config={
                **processing({"train": Join("/", ["s3://bucket", ExecutionVariable("PipelineExecutionId"), "train"])}),
                "ProcessingJobName": "churn-prepare",
            },
        )
        data = prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri
        train = SageMakerTrainingStepOperator(task_id="train", config=training(data))
        evaluate = SageMakerProcessingStepOperator(
            task_id="evaluate",
            config=processing({"report": "s3://bucket/report"}),
            property_files=[PropertyFile("metrics", "report", "metrics.json")],
        )
        train >> evaluate
        check = SageMakerConditionStepOperator(
            task_id="check",
            conditions=[
                LessThanOrEqualTo(JsonGet(evaluate, "metrics", "mse.value"), "{{ params.limit }}"),
                Equals("{{ params.count }}", 2),
            ],
            if_task_ids="register",
            else_task_ids="unused",
        )
        model_data = train.properties.ModelArtifacts.S3ModelArtifacts
        register = SageMakerRegisterModelStepOperator(
            task_id="register",
            config={
                "ModelPackageGroupName": f"{dag_id}-group".replace("_", "-"),
                "ModelApprovalStatus": "{{ params.approval }}",
                "InferenceSpecification": {
                    "Containers": [{"Image": IMAGE, "ModelDataUrl": model_data}, {"Image": IMAGE}],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
            },
        )
        unused = SageMakerModelStepOperator(task_id="unused", config={"ExecutionRoleArn": ROLE})
        check >> [register, unused]

        tune = SageMakerTuningStepOperator(
            task_id="tune",
            config={
                "HyperParameterTuningJobConfig": {
                    "Strategy": "Bayesian",
                    "ResourceLimits": {"MaxNumberOfTrainingJobs": "{{ params.count }}", "MaxParallelTrainingJobs": 1},
                    "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "mse"},
                },
                "TrainingJobDefinition": {
                    key: value for key, value in training(data).items() if key != "HyperParameters"
                },
            },
        )
        model = SageMakerModelStepOperator(
            task_id="model",
            config={"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": model_data}},
        )
        SageMakerTransformStepOperator(
            task_id="transform",
            config={
                "ModelName": model.properties.ModelName,
                "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}}},
                "TransformOutput": {"S3OutputPath": "s3://bucket/scores"},
                "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
            },
        )
        SageMakerAutoMLStepOperator(
            task_id="automl",
            config={
                "InputDataConfig": [
                    {
                        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data"}},
                        "TargetAttributeName": "y",
                    }
                ],
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/automl"},
                "AutoMLJobConfig": {"Mode": "ENSEMBLING"},
                "RoleArn": ROLE,
            },
        )
        config = SageMakerEndpointConfigStepOperator(
            task_id="endpoint_config",
            config={
                "EndpointConfigName": Join("-", [dag_id, ExecutionVariable("PipelineExecutionId")]),
                "ProductionVariants": [
                    {
                        "VariantName": "all",
                        "ModelName": model.properties.ModelName,
                        "InitialInstanceCount": "{{ params.count }}",
                        "InstanceType": "ml.m5.large",
                    }
                ],
            },
        )
        endpoint = SageMakerEndpointStepOperator(
            task_id="endpoint",
            config={"EndpointName": "churn", "EndpointConfigName": config.properties.EndpointConfigName},
        )
        component = SageMakerInferenceComponentStepOperator(
            task_id="component",
            config={
                "InferenceComponentName": "churn-component",
                "EndpointName": endpoint.properties.EndpointName,
                "VariantName": "all",
                "Specification": {"ModelName": model.properties.ModelName},
                "RuntimeConfig": {"CopyCount": "{{ params.count }}"},
            },
        )
        function = SageMakerLambdaStepOperator(
            task_id="function",
            function_arn=FUNCTION,
            config={"model": model_data, "count": "{{ params.count }}"},
            outputs=[OutputParameter("score", "Float"), "stage"],
        )
        SageMakerCallbackStepOperator(
            task_id="callback",
            queue_url=QUEUE,
            config={"score": function.properties.OutputParameters["score"], "stage": "{{ params.approval }}"},
            outputs=[OutputParameter("rows", "Integer")],
        )
        for kind, operator, baseline in (
            ("DATA_QUALITY", SageMakerQualityCheckStepOperator, "supplied_baseline_statistics"),
            ("DATA_BIAS", SageMakerClarifyCheckStepOperator, None),
        ):
            operator(
                task_id=kind.lower(),
                check_type=kind,
                config=processing({"result": f"s3://bucket/{kind}"}),
                supplied_baseline_constraints="s3://bucket/baseline/constraints.json",
                **({baseline: "s3://bucket/baseline/statistics.json"} if baseline else {}),
            )
        step = {"HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", data]}}
        SageMakerEMRStepOperator(task_id="emr_running", config={"ClusterId": "j-RUNNING", "StepConfig": step})
        SageMakerEMRStepOperator(
            task_id="emr_own",
            config={
                "StepConfig": step,
                "ClusterConfig": {
                    "ReleaseLabel": "emr-7.0.0",
                    "Instances": {
                        "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceCount": 1, "InstanceType": "m5.xlarge"}]
                    },
                },
            },
        )
        SageMakerEMRServerlessStepOperator(
            task_id="emr_serverless",
            config={
                "ExecutionRoleArn": ROLE,
                "ApplicationConfig": {"releaseLabel": "emr-7.0.0", "type": "SPARK"},
                "JobConfig": {"jobDriver": {"sparkSubmit": {"entryPoint": "s3://bucket/job.py"}}},
            },
        )
        SageMakerNotebookJobStepOperator(
            task_id="notebook",
            image_uri=IMAGE,
            kernel_name="python3",
            input_notebook="report.ipynb",
            input_s3_uri="s3://bucket/notebooks",
            output_s3_uri="s3://bucket/notebook-out",
            role_arn=ROLE,
            parameters={"count": "{{ params.count }}"},
        )
        SageMakerLineageStepOperator(
            task_id="lineage",
            config={
                "Actions": [
                    {
                        "ActionName": "retrain",
                        "ActionType": "Training",
                        "Source": {"SourceUri": data, "SourceType": "S3"},
                    }
                ],
                "Artifacts": [{"ArtifactName": "model", "ArtifactType": "Model", "Source": {"SourceUri": model_data}}],
                "Associations": [
                    {
                        "Source": {"Name": "retrain", "Type": "Action"},
                        "Destination": {"Name": "model", "Type": "Artifact"},
                        "AssociationType": "Produced",
                    }
                ],
            },
        )
        cleanup = SageMakerCleanupStepOperator(task_id="cleanup", sources=[CleanupSource(train)])
        [register, component, tune] >> cleanup
    return dag


deferrable_dag = build("steps_deferrable", deferrable=True)
blocking_dag = build("steps_blocking", deferrable=False)
