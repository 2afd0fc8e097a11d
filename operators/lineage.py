"""What steps read and write, as OpenLineage datasets: one row for each step type that has some.

Datasets in S3 are named as the OpenLineage specification says: ``s3://bucket`` and the key. For models and endpoints it has no
names; they are named by the parts of their ARN, as the specification does for AWS Glue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sagemaker_provider.definition.step_types import STEP_TYPES


@dataclass(frozen=True)
class Flow:
    """Where a description holds what a step reads and writes.

    :param arn: JMESPath of the ARN of what the step has created.
    :param inputs: JMESPaths of S3 URIs, ARNs, or, after ``kind:``, of names of resources of that kind.
    :param outputs: the same.
    """

    arn: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


_S3: Final = "DataSource.S3DataSource.S3Uri"
_CONTAINER: Final = ("ModelDataUrl", "ModelDataSource.S3DataSource.S3Uri")
_PROCESSING: Final = Flow(
    "ProcessingJobArn",
    inputs=("ProcessingInputs[].S3Input.S3Uri",),
    outputs=("ProcessingOutputConfig.Outputs[].S3Output.S3Uri",),
)
FLOWS: Final = {
    "Processing": _PROCESSING,
    "QualityCheck": _PROCESSING,
    "ClarifyCheck": _PROCESSING,
    "Training": Flow(
        "TrainingJobArn",
        inputs=(f"InputDataConfig[].{_S3}",),
        outputs=("ModelArtifacts.S3ModelArtifacts",),
    ),
    "Tuning": Flow(
        "HyperParameterTuningJobArn",
        inputs=(
            f"TrainingJobDefinition.InputDataConfig[].{_S3}",
            f"TrainingJobDefinitions[].InputDataConfig[].{_S3}",
        ),
        outputs=(
            "TrainingJobDefinition.OutputDataConfig.S3OutputPath",
            "TrainingJobDefinitions[].OutputDataConfig.S3OutputPath",
        ),
    ),
    "AutoML": Flow(
        "AutoMLJobArn",
        inputs=(f"InputDataConfig[].{_S3}",),
        outputs=("OutputDataConfig.S3OutputPath", "BestCandidate.InferenceContainers[].ModelDataUrl"),
    ),
    "Transform": Flow(
        "TransformJobArn",
        inputs=(f"TransformInput.{_S3}", "model:ModelName"),
        outputs=("TransformOutput.S3OutputPath",),
    ),
    "Model": Flow(
        "ModelArn",
        inputs=(
            *(f"PrimaryContainer.{path}" for path in _CONTAINER),
            *(f"Containers[].{path}" for path in _CONTAINER),
            "PrimaryContainer.ModelPackageName",
            "Containers[].ModelPackageName",
        ),
        outputs=("ModelArn",),
    ),
    "RegisterModel": Flow(
        "ModelPackageArn",
        inputs=(
            *(f"InferenceSpecification.Containers[].{path}" for path in _CONTAINER),
            "ModelMetrics.*.*.S3Uri[]",
        ),
        outputs=("ModelPackageArn",),
    ),
    "EndpointConfig": Flow(
        "EndpointConfigArn",
        inputs=("model:ProductionVariants[].ModelName", "model:ShadowProductionVariants[].ModelName"),
        outputs=("EndpointConfigArn",),
    ),
    "Endpoint": Flow("EndpointArn", inputs=("endpoint-config:EndpointConfigName",), outputs=("EndpointArn",)),
    "InferenceComponent": Flow(
        "InferenceComponentArn",
        inputs=(
            "endpoint:EndpointName",
            "model:Specification.ModelName",
            "Specification.Container.ArtifactUrl",
        ),
        outputs=("InferenceComponentArn",),
    ),
    "EMR": Flow("Step.Id"),
    "EMRServerless": Flow("jobRun.arn"),
}
"""What EMR jobs, functions and workers read and write is known to their code only."""


def lineage(step_type: str, document: dict[str, Any]) -> Any:
    """The OpenLineage facets of a step.

    :param step_type: type of the step.
    :param document: Describe response of what it has created, or before that its config.
    :return: ``OperatorLineage``: datasets, and the run facet ``externalQuery`` with the ARN.
    :raises ImportError: the OpenLineage provider, which alone asks for this, is not installed.
    """
    import jmespath
    from airflow.providers.common.compat.openlineage.facet import ExternalQueryRunFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    flow = FLOWS.get(step_type)
    resource = STEP_TYPES[step_type].resource if flow else None
    if flow is None or resource is None:
        return OperatorLineage()
    arn = jmespath.search(flow.arn, document)
    return OperatorLineage(
        inputs=list(_datasets(flow.inputs, document, arn)),
        outputs=list(_datasets(flow.outputs, document, arn)),
        run_facets={"externalQuery": ExternalQueryRunFacet(externalQueryId=arn, source=resource.service)}
        if arn
        else {},
    )


def _datasets(paths: tuple[str, ...], document: dict[str, Any], arn: str | None) -> Iterator[Any]:
    from airflow.providers.common.compat.openlineage.facet import Dataset

    for namespace, name in sorted({found for path in paths for found in _names(path, document, arn)}):
        yield Dataset(namespace=namespace, name=name)


def _names(path: str, document: dict[str, Any], arn: str | None) -> Iterator[tuple[str, str]]:
    """Namespaces and names of the datasets at a path."""
    import jmespath

    kind, _, expression = path.rpartition(":")
    found = jmespath.search(expression, document)
    for value in _flat(found):
        if value.startswith("s3://"):
            bucket, _, key = value.removeprefix("s3://").partition("/")
            yield f"s3://{bucket}", key.strip("/") or "/"
        elif value.startswith("arn:"):
            *owner, name = value.split(":", 5)
            yield ":".join(owner), name.lower()
        elif kind and arn:
            yield arn.rsplit(":", 1)[0], f"{kind}/{value}".lower()


def _flat(found: Any) -> Iterator[str]:
    """The texts in what a path has found; references and expressions that nobody has resolved are none."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, list):
        for item in found:
            yield from _flat(item)
