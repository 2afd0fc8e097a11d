"""Record the lineage of a model, and pass its identifiers on."""

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import BUCKET

from sagemaker_provider.operators import (
    ExecutionVariable,
    SageMakerLambdaStepOperator,
    SageMakerLineageStepOperator,
)

DATA = {"Name": "data", "Type": "Artifact"}
MODEL = {"Name": "trained-model", "Type": "Artifact"}
RUN = {"Name": "training-run", "Type": "Action"}
PROJECT = {"Name": "project", "Type": "Context"}

with DAG(dag_id="lineage", schedule=None, params={"ModelUri": f"s3://{BUCKET}/model.tar.gz"}) as dag:
    record = SageMakerLineageStepOperator(
        task_id="record_lineage",
        step_name="Record",
        display_name="Record lineage",
        description="who made what",
        config={
            "Actions": [
                {
                    "ActionName": "training-run",
                    "ActionType": "ModelTraining",
                    "Source": {"SourceUri": f"s3://{BUCKET}/run", "SourceType": "S3ETag"},
                    "Description": "a run",
                    "Status": "Completed",
                    "Properties": {"k": "v"},
                }
            ],
            "Artifacts": [
                {
                    "ArtifactName": "trained-model",
                    "ArtifactType": "Model",
                    "Source": {"SourceUri": "{{ params.ModelUri }}"},
                    "Properties": {"exec": ExecutionVariable("PipelineExecutionId")},
                },
                {"ArtifactName": "data", "ArtifactType": "DataSet", "Source": {"SourceUri": f"s3://{BUCKET}/data"}},
            ],
            "Contexts": [
                {
                    "ContextName": "project",
                    "ContextType": "Project",
                    "Source": {"SourceUri": "https://example.com/project"},
                }
            ],
            "Associations": [
                {"Source": DATA, "Destination": RUN, "AssociationType": "ContributedTo"},
                {"Source": RUN, "Destination": MODEL, "AssociationType": "Produced"},
                {
                    "Source": PROJECT,
                    "Destination": {"Arn": "arn:aws:sagemaker:us-west-2:123456789012:artifact/0123456789abcdef"},
                },
            ],
        },
    )
    SageMakerLambdaStepOperator(
        task_id="Use",
        function_arn="arn:aws:lambda:us-west-2:123456789012:function:use",
        config={
            "action": record.properties.ActionArns["training-run"],
            "arn": record.properties.ArtifactArns["trained-model"],
        },
    )
