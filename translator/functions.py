"""The files of the generated Lambda functions: for each kind of work its code, and a CloudFormation template around it.

A kind has a template and a stack of its own, so that pipelines share the functions and an account holds only those that it
uses. The files depend on the kind and on nothing else.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from functools import cache
from textwrap import indent
from typing import Any, Final

from sagemaker_provider.translator.services import KINDS, PREFIX, Kind

CALL_SECONDS: Final = 600
"""Time-out of functions that a Lambda step calls; a pipeline waits no longer."""
LOOK_SECONDS: Final = 60
"""Time-out of functions that read a queue."""
DELIVERIES: Final = 5
"""How often a message may fail before it goes to the queue of the failed ones."""
RUNTIME: Final = "python3.12"


def assets(kind: str) -> dict[str, bytes]:
    """The files that deploy the function of a kind, by their paths."""
    return {
        f"functions/{kind}.py": source(kind).encode(),
        f"functions/{kind}.yaml": template(kind).encode(),
    }


@cache
def source(name: str) -> str:
    """The code of the function of a kind."""
    kind = KINDS[name]
    needed = _needed(kind.handler)
    body = "\n\n".join(f"\n{inspect.getsource(function)}".rstrip() for function in needed)
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    constants = "".join(f"{key} = {json.dumps(value)}\n" for key, value in _constants(kind).items() if key in used)
    groups = ["\n".join(line for line in group if line) for group in _imports(used)]
    head = f'"""{kind.summary} Made by airflow-provider-sagemaker-pipelines; do not edit."""'
    return "\n\n".join(part for part in (head, *groups, constants.strip()) if part) + f"\n\n{body}\n"


def _code() -> Any:
    from sagemaker_provider.translator import function_code  # it imports boto3

    return function_code


def _needed(handler: str) -> list[Any]:
    """A function of :mod:`.function_code` and those that it calls, in the order of the module."""
    code = _code()
    known = {name: item for name, item in vars(code).items() if inspect.isfunction(item)}
    known = {name: item for name, item in known.items() if item.__module__ == code.__name__}
    found, pending = set(), [handler]
    while pending:
        name = pending.pop()
        if name in known and name not in found:
            found.add(name)
            pending += _names(known[name].__code__)
    return [item for name, item in known.items() if name in found]


def _names(code: Any) -> Iterator[str]:
    """The names that a function uses, also in its comprehensions."""
    yield from code.co_names
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _names(constant)


def _imports(used: set[str]) -> tuple[list[str], list[str]]:
    """The imports of :mod:`.function_code` that are needed: those of the standard library, and the others."""
    library: list[str] = []
    others: list[str] = []
    for node in ast.parse(inspect.getsource(_code())).body:
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        names = ", ".join(item.name for item in node.names if item.name in used)
        module = node.module if isinstance(node, ast.ImportFrom) else names
        if names and module:
            line = f"from {module} import {names}" if isinstance(node, ast.ImportFrom) else f"import {names}"
            (library if module.partition(".")[0] in sys.stdlib_module_names else others).append(line)
    return library, others


def _constants(kind: Kind) -> dict[str, Any]:
    find, find_request, found, same = kind.find
    stop, stop_request = kind.stop
    return {
        "SERVICE": kind.service,
        "START": kind.start,
        "REFUSED": kind.refused,
        "TOKEN": kind.token,
        "FIND": find,
        "FIND_REQUEST": find_request,
        "FOUND": found,
        "SAME": same,
        "JOB": kind.job,
        "LOOK": kind.look,
        "STATE": kind.state,
        "SUCCEEDED": list(kind.succeeded),
        "FAILED": list(kind.failed),
        "WRONG": kind.wrong,
        "REASON": kind.reason,
        "STOP": stop,
        "STOP_REQUEST": stop_request,
        "XCOM": kind.xcom,
    }


@cache
def template(name: str) -> str:
    """The CloudFormation template of the function of a kind: function, role, and for long work its queues."""
    kind = KINDS[name]
    parts = [_HEAD.format(summary=kind.summary, name=f"{PREFIX}{name}")]
    if kind.passes_roles:
        parts.append(_ROLES_PARAMETER)
    parts.append(_RESOURCES.format(name=f"{PREFIX}{name}"))
    parts.append(_statement(kind.actions, "!Ref Resources"))
    if kind.reads:
        parts.append(_statement(kind.reads, '"*"'))
    if kind.passes_roles:
        parts.append(_statement(("iam:PassRole",), "!Ref Roles"))
    if kind.waits:
        parts.append(_QUEUE_STATEMENTS)
    seconds = LOOK_SECONDS if kind.waits else CALL_SECONDS
    parts.append(_FUNCTION.format(name=f"{PREFIX}{name}", runtime=RUNTIME, handler=kind.handler, seconds=seconds))
    if kind.waits:
        parts.append("      Environment:\n        Variables:\n          QUEUE_URL: !Ref Queue\n")
    parts.append("      Code:\n        ZipFile: |\n" + indent(source(name), " " * 10))
    if kind.waits:
        parts.append(_QUEUES.format(name=f"{PREFIX}{name}", hidden=6 * LOOK_SECONDS, deliveries=DELIVERIES))
    return "".join(parts)


def _statement(actions: tuple[str, ...], resource: str) -> str:
    listed = "".join(f"                  - {action}\n" for action in actions)
    return f"              - Effect: Allow\n                Action:\n{listed}                Resource: {resource}\n"


_HEAD = """\
# aws cloudformation deploy --stack-name {name} --template-file <this file> \\
#   --capabilities CAPABILITY_IAM --parameter-overrides Resources=<ARNs>
AWSTemplateFormatVersion: "2010-09-09"
Description: "{summary} For SageMaker pipelines; made by airflow-provider-sagemaker-pipelines."
Parameters:
  Resources:
    Type: CommaDelimitedList
    Description: ARNs of what the function may work on.
  Policies:
    Type: CommaDelimitedList
    Default: ""
    Description: ARNs of managed policies for what else the work needs, such as the data that a query reads.
"""

_ROLES_PARAMETER = """\
  Roles:
    Type: CommaDelimitedList
    Description: ARNs of the roles that the work runs with.
"""

_RESOURCES = """\
Conditions:
  HasPolicies: !Not [!Equals [!Join ["", !Ref Policies], ""]]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {{Service: lambda.amazonaws.com}}
            Action: sts:AssumeRole
      ManagedPolicyArns: !If [HasPolicies, !Ref Policies, !Ref AWS::NoValue]
      Policies:
        - PolicyName: work
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action:
                  - logs:CreateLogStream
                  - logs:PutLogEvents
                Resource: !Sub "arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:/aws/lambda/{name}:*"
"""

_QUEUE_STATEMENTS = """\
              - Effect: Allow
                Action:
                  - sqs:ReceiveMessage
                  - sqs:DeleteMessage
                  - sqs:GetQueueAttributes
                  - sqs:SendMessage
                Resource: !GetAtt Queue.Arn
              - Effect: Allow
                Action:
                  - sagemaker:DescribePipelineExecution
                  - sagemaker:SendPipelineExecutionStepSuccess
                  - sagemaker:SendPipelineExecutionStepFailure
                Resource: !Sub "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:pipeline/*"
"""

_FUNCTION = """\
  Logs:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      LogGroupName: /aws/lambda/{name}
      RetentionInDays: 30
  Function:
    Type: AWS::Lambda::Function
    DependsOn: Logs
    Properties:
      FunctionName: {name}
      Runtime: {runtime}
      Handler: index.{handler}
      Timeout: {seconds}
      MemorySize: 256
      Role: !GetAtt Role.Arn
"""

_QUEUES = """\
  Failed:
    Type: AWS::SQS::Queue
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      QueueName: {name}-failed
      MessageRetentionPeriod: 1209600
      SqsManagedSseEnabled: true
  Queue:
    Type: AWS::SQS::Queue
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      QueueName: {name}
      VisibilityTimeout: {hidden}
      MessageRetentionPeriod: 1209600
      SqsManagedSseEnabled: true
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Failed.Arn
        maxReceiveCount: {deliveries}
  Messages:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Queue.Arn
      FunctionName: !Ref Function
      BatchSize: 1
"""
