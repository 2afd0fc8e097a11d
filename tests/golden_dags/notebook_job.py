"""Run two notebooks, one after the other."""

from airflow.providers.common.compat.sdk import DAG
from golden_dags.common import BUCKET, ROLE

from sagemaker_provider.operators import ExecutionVariable, Join, SageMakerNotebookJobStepOperator

PREFIX = "nb-job-step-pipelines-demo"


def folders(step: str) -> dict:
    """Where the notebook is, and where its result goes."""
    run = ExecutionVariable("PipelineExecutionId")
    return {
        "input_s3_uri": f"s3://{BUCKET}/{PREFIX}/{step}/input-2025-01-01-00-00-00-123",
        "output_s3_uri": Join("/", [f"s3://{BUCKET}", PREFIX, run, step]),
    }


with DAG(
    dag_id="notebook_job",
    schedule=None,
    default_args={
        "display_name": "MyNotebookSteps",
        "image_uri": "542918446943.dkr.ecr.us-west-2.amazonaws.com/sagemaker-distribution-prod:0-cpu",
        "kernel_name": "python3",
        "role_arn": ROLE,
        "environment": {"AWS_DEFAULT_REGION": "us-west-2"},
        "parameters": {"default_s3_bucket": f"s3://{BUCKET}/notebook-step-artifacts-pipelines/"},
    },
) as dag:
    preprocess = SageMakerNotebookJobStepOperator(
        task_id="preprocess",
        step_name="preprocess-bert",
        description="This step downloads an NLP dataset and creates a CSV file out of it",
        job_name="nb-preprocess",
        input_notebook="preprocess.ipynb",
        instance_type="ml.m5.4xlarge",
        **folders("preprocess-bert"),
    )
    fine_tune = SageMakerNotebookJobStepOperator(
        task_id="fine_tune",
        step_name="training-bert",
        description="This step takes the prepared S3 dataset and runs fine-tuning",
        job_name="nb-training",
        input_notebook="training.ipynb",
        instance_type="ml.m5.12xlarge",
        **folders("training-bert"),
    )
    preprocess >> fine_tune
