"""OpenLineage: what steps read and write, from their descriptions and in a real run."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.definition.shapes import service_model
from sagemaker_provider.definition.step_types import STEP_TYPES
from sagemaker_provider.operators import SageMakerTrainingStepOperator
from sagemaker_provider.operators.lineage import FLOWS, lineage

OWNER = "arn:aws:sagemaker:us-west-2:123456789012"


def names(datasets: list[Any]) -> list[tuple[str, str]]:
    """Namespaces and names."""
    return [(item.namespace, item.name) for item in datasets]


def source(uri: str) -> dict[str, Any]:
    """A data source of a training or transform job."""
    return {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


@pytest.mark.parametrize(
    ("step_type", "description", "inputs", "outputs"),
    [
        (
            "Processing",
            {
                "ProcessingJobArn": f"{OWNER}:processing-job/p",
                "ProcessingInputs": [
                    {"InputName": "b", "S3Input": {"S3Uri": "s3://bucket/b/"}},
                    {"InputName": "a", "S3Input": {"S3Uri": "s3://bucket"}},
                    {"InputName": "same", "S3Input": {"S3Uri": "s3://bucket/b"}},
                    {"InputName": "set", "DatasetDefinition": {"LocalPath": "/x"}},
                ],
                "ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": "s3://other/out"}}]},
            },
            [("s3://bucket", "/"), ("s3://bucket", "b")],
            [("s3://other", "out")],
        ),
        (
            "Training",
            {
                "TrainingJobArn": f"{OWNER}:training-job/t",
                "InputDataConfig": [{"ChannelName": "train", **source("s3://bucket/train")}],
                "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/t/output/model.tar.gz"},
            },
            [("s3://bucket", "train")],
            [("s3://bucket", "t/output/model.tar.gz")],
        ),
        (
            "Tuning",
            {
                "HyperParameterTuningJobArn": f"{OWNER}:hyper-parameter-tuning-job/h",
                "TrainingJobDefinitions": [
                    {
                        "InputDataConfig": [source("s3://bucket/train")],
                        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
                    }
                ],
            },
            [("s3://bucket", "train")],
            [("s3://bucket", "models")],
        ),
        (
            "Transform",
            {
                "TransformJobArn": f"{OWNER}:transform-job/x",
                "ModelName": "Churn",
                "TransformInput": source("s3://bucket/in"),
                "TransformOutput": {"S3OutputPath": "s3://bucket/scores"},
            },
            [(OWNER, "model/churn"), ("s3://bucket", "in")],
            [("s3://bucket", "scores")],
        ),
        (
            "Model",
            {
                "ModelArn": f"{OWNER}:model/Churn",
                "Containers": [
                    {"ModelDataUrl": "s3://bucket/a.tar.gz"},
                    {"ModelPackageName": f"{OWNER}:model-package/Group/1"},
                ],
            },
            [(OWNER, "model-package/group/1"), ("s3://bucket", "a.tar.gz")],
            [(OWNER, "model/churn")],
        ),
        (
            "RegisterModel",
            {
                "ModelPackageArn": f"{OWNER}:model-package/group/2",
                "InferenceSpecification": {"Containers": [{"ModelDataUrl": "s3://bucket/a.tar.gz"}]},
                "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": "s3://bucket/statistics.json"}}},
            },
            [("s3://bucket", "a.tar.gz"), ("s3://bucket", "statistics.json")],
            [(OWNER, "model-package/group/2")],
        ),
        (
            "EndpointConfig",
            {"EndpointConfigArn": f"{OWNER}:endpoint-config/c", "ProductionVariants": [{"ModelName": "churn"}]},
            [(OWNER, "model/churn")],
            [(OWNER, "endpoint-config/c")],
        ),
        (
            "Endpoint",
            {"EndpointArn": f"{OWNER}:endpoint/e", "EndpointConfigName": "c"},
            [(OWNER, "endpoint-config/c")],
            [(OWNER, "endpoint/e")],
        ),
        ("EMRServerless", {"jobRun": {"arn": "arn:aws:emr-serverless:us-west-2:1:/applications/a/jobruns/j"}}, [], []),
        ("Lambda", {}, [], []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_datasets(step_type: str, description: dict[str, Any], inputs: list[Any], outputs: list[Any]) -> None:
    found = lineage(step_type, description)
    assert names(found.inputs) == inputs
    assert names(found.outputs) == outputs


def test_the_run_names_what_was_created() -> None:
    found = lineage("Training", {"TrainingJobArn": f"{OWNER}:training-job/t"})
    facet = found.run_facets["externalQuery"]
    assert (facet.externalQueryId, facet.source) == (f"{OWNER}:training-job/t", "sagemaker")


def test_a_producer_and_a_consumer_name_a_model_alike() -> None:
    made = lineage("Model", {"ModelArn": f"{OWNER}:model/churn-1"}).outputs
    used = lineage("Transform", {"TransformJobArn": f"{OWNER}:transform-job/x", "ModelName": "Churn-1"}).inputs
    assert names(made) == names(used)


def test_before_it_runs_the_config_tells_the_inputs() -> None:
    task = SageMakerTrainingStepOperator(task_id="t", config={"InputDataConfig": [source("s3://bucket/train")]})
    found = task.get_openlineage_facets_on_start()
    assert names(found.inputs) == [("s3://bucket", "train")]
    assert (found.outputs, found.run_facets) == ([], {})


def test_what_is_not_resolved_is_left_out() -> None:
    with DAG("d"):
        uri = SageMakerTrainingStepOperator(task_id="o").properties.ModelArtifacts.S3ModelArtifacts
        config = {"InputDataConfig": [source(uri), source("{{ params.x }}")]}
        task = SageMakerTrainingStepOperator(task_id="t", config=config)
    assert task.get_openlineage_facets_on_start().inputs == []


@pytest.mark.parametrize("step_type", FLOWS)
def test_every_path_is_in_the_description(step_type: str) -> None:
    flow, resource = FLOWS[step_type], STEP_TYPES[step_type].resource
    assert resource is not None
    for path in (flow.arn, *flow.inputs, *flow.outputs):
        shapes = [service_model(resource.service).operation_model(resource.describe).output_shape]
        for name in path.rpartition(":")[2].replace("[]", "").split("."):
            shapes = [shape.member if shape.type_name == "list" else shape for shape in shapes]
            shapes = [member for shape in shapes for key, member in shape.members.items() if name in ("*", key)]
            assert shapes, f"{step_type}: {path} at {name}"
        assert {shape.type_name for shape in shapes} == {"string"}, path


def test_operators_need_no_openlineage() -> None:
    """A client that is not there is like a provider that is not: nobody calls the methods, and nothing else imports it."""
    program = (
        "import sys; sys.modules['openlineage'] = sys.modules['airflow.providers.openlineage.extractors'] = None\n"
        "from sagemaker_provider.operators import SageMakerTrainingStepOperator as T\n"
        "task = T(task_id='t', config={})\n"
        "try: task.get_openlineage_facets_on_complete(None)\n"
        "except ImportError: print('not installed')"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.strip().endswith("not installed")
