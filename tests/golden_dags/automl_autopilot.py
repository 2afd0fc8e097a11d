"""Let Autopilot find a model, score it by batch transform, and register it when it is good enough."""

from airflow.providers.common.compat.sdk import DAG, Param
from golden_dags.common import (
    BUCKET,
    ROLE,
    SKLEARN,
    container,
    input_from,
    instances,
    json_file,
    model,
    output_to,
    package,
    script_job,
    uploaded,
)

from sagemaker_provider.definition import GreaterThanOrEqualTo, PropertyFile
from sagemaker_provider.operators import (
    JsonGet,
    SageMakerAutoMLStepOperator,
    SageMakerConditionStepOperator,
    SageMakerModelStepOperator,
    SageMakerProcessingStepOperator,
    SageMakerRegisterModelStepOperator,
    SageMakerTransformStepOperator,
)

ENVIRONMENT = (
    "MODEL_NAME",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
    "SAGEMAKER_INFERENCE_OUTPUT",
    "SAGEMAKER_INFERENCE_SUPPORTED",
    "SAGEMAKER_PROGRAM",
    "SAGEMAKER_SUBMIT_DIRECTORY",
)

with DAG(
    dag_id="automl_autopilot",
    schedule=None,
    params={
        "InstanceCount": Param(1, type="integer"),
        "InstanceType": Param("ml.m5.xlarge", type="string"),
        "MaxAutoMLRuntime": Param(3600, type="integer"),
        "ModelApprovalStatus": "Approved",
        "ModelPackageName": "AutoMLModelPackageGroup",
        "ModelRegistrationMetricThreshold": 0.5,
        "S3Bucket": BUCKET,
        "TargetAttributeName": "class",
    },
) as dag:
    automl = SageMakerAutoMLStepOperator(
        task_id="AutoMLTrainingStep",
        config={
            "AutoMLJobConfig": {
                "CompletionCriteria": {"MaxAutoMLJobRuntimeInSeconds": "{{ params.MaxAutoMLRuntime }}"},
                "Mode": "ENSEMBLING",
                "SecurityConfig": {"EnableInterContainerTrafficEncryption": False},
            },
            "InputDataConfig": [
                {
                    "ChannelType": "training",
                    "DataSource": {
                        "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/train_val.csv"}
                    },
                    "TargetAttributeName": "{{ params.TargetAttributeName }}",
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/"},
            "RoleArn": ROLE,
        },
    )
    best = automl.properties.BestCandidate.InferenceContainers[0]
    served = container(best.Image, best.ModelDataUrl, {name: best.Environment[name] for name in ENVIRONMENT})

    create_model = SageMakerModelStepOperator(task_id="ModelCreationStep-CreateModel", config=model(served))

    score = SageMakerTransformStepOperator(
        task_id="BatchTransformStep",
        config={
            "ModelName": create_model.properties.ModelName,
            "TransformInput": {
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/x_test.csv"}},
            },
            "TransformOutput": {"S3OutputPath": "s3://{{ params.S3Bucket }}/auto-ml-training/transform"},
            "TransformResources": {
                "InstanceCount": "{{ params.InstanceCount }}",
                "InstanceType": "{{ params.InstanceType }}",
            },
        },
    )

    evaluate = SageMakerProcessingStepOperator(
        task_id="ModelEvaluationStep",
        config=script_job(
            f"{SKLEARN}:1.0-1-cpu-py3",
            uploaded("AutoMLTrainingPipeline", "evaluation.py"),
            inputs=[
                input_from(
                    score.properties.TransformOutput.S3OutputPath,
                    "/opt/ml/processing/input/predictions",
                    name="input-1",
                ),
                input_from(f"s3://{BUCKET}/data/y_test.csv", "/opt/ml/processing/input/true_labels", name="input-2"),
            ],
            outputs=[
                output_to(
                    "s3://{{ params.S3Bucket }}/auto-ml-training/evaluation",
                    "/opt/ml/processing/evaluation",
                    name="evaluation_metrics",
                )
            ],
            cluster=instances("{{ params.InstanceCount }}"),
        ),
        property_files=[PropertyFile("evaluation", "evaluation_metrics", "evaluation_metrics.json")],
    )

    reports = automl.properties.BestCandidateProperties
    register = SageMakerRegisterModelStepOperator(
        task_id="ModelRegistrationStep-RegisterModel",
        config={
            **package(
                "{{ params.ModelPackageName }}",
                served,
                approval="{{ params.ModelApprovalStatus }}",
                realtime=["{{ params.InstanceType }}"],
                transform=["{{ params.InstanceType }}"],
            ),
            "ModelMetrics": {
                "ModelQuality": {"Statistics": json_file(reports.ModelInsightsJsonReportPath)},
                "Explainability": {"Report": json_file(reports.ExplainabilityJsonReportPath)},
            },
        },
    )

    good_enough = SageMakerConditionStepOperator(
        task_id="ConditionalRegistrationStep",
        conditions=[
            GreaterThanOrEqualTo(
                JsonGet(evaluate, "evaluation", "classification_metrics.weighted_f1.value"),
                "{{ params.ModelRegistrationMetricThreshold }}",
            )
        ],
        if_task_ids=[register.task_id],
    )
    good_enough >> register
