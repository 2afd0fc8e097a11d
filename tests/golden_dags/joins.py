"""Texts put together in several ways."""

from airflow.providers.common.compat.sdk import DAG

from sagemaker_provider.operators import ExecutionVariable, Join, SageMakerLambdaStepOperator

with DAG(dag_id="joins", schedule=None, params={"SDefault": "x"}) as dag:
    SageMakerLambdaStepOperator(
        task_id="A",
        function_arn="arn:aws:lambda:us-west-2:123456789012:function:A",
        config={
            "empty": Join("", []),
            "text": Join(",", ["a", "b"]),
            "mixed": Join("-", ["a", 1, 2.5, True, "{{ params.SDefault }}"]),
            "nested": Join("/", ["s3:/", Join("-", ["{{ params.SDefault }}", ExecutionVariable("PipelineName")])]),
        },
    )
