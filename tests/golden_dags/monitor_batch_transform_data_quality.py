"""Check the data of a batch transform before it runs."""

import json

from airflow.providers.common.compat.sdk import DAG, Param
from golden_dags.common import BUCKET, ROLE, container, input_from, instances, model, output_to

from sagemaker_provider.operators import (
    SageMakerModelStepOperator,
    SageMakerQualityCheckStepOperator,
    SageMakerTransformStepOperator,
)

PREFIX = "sagemaker/demo-model-monitor-batch-transform/data-quality/1735689600"
BASELINE = f"s3://{BUCKET}/{PREFIX}/baselining/results"

with DAG(
    dag_id="monitor_batch_transform_data_quality",
    schedule=None,
    params={
        "transform_input": Param(f"s3://{BUCKET}/{PREFIX}/transform_input/validation", type="string"),
    },
) as dag:
    create = SageMakerModelStepOperator(
        task_id="CreateXGBoostModelStep-CreateModel",
        config=model(
            container(
                "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:0.90-1-cpu-py3",
                f"https://{BUCKET}.s3-us-west-2.amazonaws.com/{PREFIX}/xgb-churn-prediction-model.tar.gz",
            )
        ),
    )

    monitor = SageMakerQualityCheckStepOperator(
        task_id="MonitorCustomerChurnDataQuality-monitoring",
        check_type="DATA_QUALITY",
        fail_on_violation=False,
        supplied_baseline_statistics=f"{BASELINE}/statistics.json",
        supplied_baseline_constraints=f"{BASELINE}/constraints.json",
        config={
            "AppSpecification": {
                "ImageUri": "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer"
            },
            "Environment": {
                "dataset_format": json.dumps({"csv": {"header": False, "output_columns_position": "START"}}),
                "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
                "output_path": "/opt/ml/processing/output",
                "publish_cloudwatch_metrics": "Disabled",
            },
            "ProcessingInputs": [
                input_from(
                    "{{ params.transform_input }}",
                    "/opt/ml/processing/input/baseline_dataset_input",
                    name="baseline_dataset_input",
                )
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    output_to(
                        f"s3://{BUCKET}/{PREFIX}/reports", "/opt/ml/processing/output", name="quality_check_output"
                    )
                ]
            },
            "ProcessingResources": {"ClusterConfig": instances()},
            "RoleArn": ROLE,
        },
    )

    transform = SageMakerTransformStepOperator(
        task_id="MonitorCustomerChurnDataQuality-transform",
        config={
            "ModelName": create.properties.ModelName,
            "TransformInput": {
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "{{ params.transform_input }}"}},
                "SplitType": "Line",
            },
            "DataProcessing": {"InputFilter": "$[1:]"},
            "TransformOutput": {
                "Accept": "text/csv",
                "AssembleWith": "Line",
                "S3OutputPath": f"s3://{BUCKET}/{PREFIX}/transform-outputs",
            },
            "TransformResources": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge"},
        },
    )
    monitor >> transform
