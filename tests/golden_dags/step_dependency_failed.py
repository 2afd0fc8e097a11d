"""Act when the work has failed."""

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.operators import SageMakerLambdaStepOperator

FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function"

with DAG(dag_id="step_dependency_failed", schedule=None) as dag:
    work = SageMakerLambdaStepOperator(task_id="Work", function_arn=f"{FUNCTION}:Work")
    after = SageMakerLambdaStepOperator(task_id="After", function_arn=f"{FUNCTION}:After", trigger_rule="all_failed")
    work >> after
