"""Create a model, an endpoint, and the model's inference component on it."""

from airflow.providers.common.compat.sdk import DAG, Param
from golden_dags.common import BUCKET, ROLE, container, model

from sagemaker_provider.operators import (
    ExecutionVariable,
    Join,
    SageMakerEndpointConfigStepOperator,
    SageMakerEndpointStepOperator,
    SageMakerInferenceComponentStepOperator,
    SageMakerModelStepOperator,
)

with DAG(
    dag_id="endpoint_chain",
    schedule=None,
    params={"EndpointName": Param("prod", type="string"), "Copies": Param(2, type="integer")},
) as dag:
    create = SageMakerModelStepOperator(
        task_id="Create",
        config=model(container("123456789012.dkr.ecr.us-west-2.amazonaws.com/serve:1", f"s3://{BUCKET}/model.tar.gz")),
    )
    config = SageMakerEndpointConfigStepOperator(
        task_id="Config",
        config={
            "EndpointConfigName": Join("-", ["{{ params.EndpointName }}", ExecutionVariable("PipelineExecutionId")]),
            "ExecutionRoleArn": ROLE,
            "ProductionVariants": [
                {"VariantName": "AllTraffic", "InitialInstanceCount": 1, "InstanceType": "ml.g5.xlarge"}
            ],
        },
    )
    endpoint = SageMakerEndpointStepOperator(
        task_id="Endpoint",
        config={
            "EndpointName": "{{ params.EndpointName }}",
            "EndpointConfigName": config.properties.EndpointConfigName,
        },
    )
    component = SageMakerInferenceComponentStepOperator(
        task_id="Component",
        config={
            "InferenceComponentName": Join("-", ["{{ params.EndpointName }}", "ic"]),
            "EndpointName": endpoint.properties.EndpointName,
            "VariantName": "AllTraffic",
            "Specification": {"ModelName": create.properties.ModelName},
            "RuntimeConfig": {"CopyCount": "{{ params.Copies }}"},
        },
    )
    create >> component
