"""The question of the SageMaker SDK whether its role may do what it is about to do."""

from __future__ import annotations

from typing import Any


def test_every_action_is_allowed(local: Any) -> None:
    iam = local.client("iam")
    arn = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    actions = ["s3:GetObject", "sagemaker:CreateTrainingJob"]
    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions)
    assert {item["EvalActionName"]: item["EvalDecision"] for item in answer["EvaluationResults"]} == dict.fromkeys(
        actions, "allowed"
    )
