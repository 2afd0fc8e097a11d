"""Every kind of condition, with params, outputs of a step and variables of the execution."""

from airflow.providers.common.compat.sdk import DAG, Param

from sagemaker_provider.definition import (
    Equals,
    GreaterThan,
    GreaterThanOrEqualTo,
    In,
    LessThan,
    LessThanOrEqualTo,
    Not,
    Or,
)
from sagemaker_provider.operators import (
    ExecutionVariable,
    SageMakerConditionStepOperator,
    SageMakerLambdaStepOperator,
)

FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function"
TEXT, NUMBER, SHARE, FLAG = (f"{{{{ params.{name} }}}}" for name in "SIFB")

with DAG(
    dag_id="condition_all",
    schedule=None,
    params={
        "S": "x",
        "I": Param(1, type="integer"),
        "F": Param(0.5, type="number"),
        "B": Param(False, type="boolean"),
    },
) as dag:
    up = SageMakerLambdaStepOperator(task_id="Up", function_arn=f"{FUNCTION}:Up", outputs=["v"])
    output = up.properties.OutputParameters["v"]
    yes = SageMakerLambdaStepOperator(task_id="Yes", function_arn=f"{FUNCTION}:Yes")
    check = SageMakerConditionStepOperator(
        task_id="Check",
        display_name="Check",
        description="all of them",
        conditions=[
            Equals(TEXT, "x"),
            GreaterThan(NUMBER, 0),
            GreaterThanOrEqualTo(SHARE, 0.5),
            LessThan(NUMBER, SHARE),
            LessThanOrEqualTo(1, NUMBER),
            In(TEXT, ["x", "y", output, ExecutionVariable("PipelineName")]),
            Not(Equals(FLAG, True)),
            Or([Equals(TEXT, "x"), In(NUMBER, [1, 2, 3])]),
            Not(Or([Not(In(output, ["a"])), LessThan(output, 3)])),
        ],
        if_task_ids="Yes",
    )
    up >> check >> yes
