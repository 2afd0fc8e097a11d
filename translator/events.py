"""Patterns of EventBridge events: what stands in for callbacks, notifications and sensors at the start of a DAG.

Events and operators are from "Automating Amazon SageMaker AI with Amazon EventBridge" (developer guide), "Using EventBridge"
(S3 user guide) and "Comparison operators for use in event patterns" (EventBridge user guide).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from textwrap import indent
from typing import Any, Final

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.operators.names import pipeline_name

STEP_EVENT: Final = "SageMaker Model Building Pipeline Execution Step Status Change"
"""The ``detail-type`` of the events of single steps."""


def execution_ended(dag_id: str, status: str) -> dict[str, Any]:
    """The pattern of the event that an execution of the DAG's pipeline has ended.

    :param status: ``Succeeded``, ``Failed`` or ``Stopped``.
    """
    return {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"],
        "detail": {
            "currentPipelineExecutionStatus": [status],
            # an ARN may have the name in small letters
            "pipelineArn": [{"suffix": {"equals-ignore-case": f":pipeline/{pipeline_name(dag_id)}"}}],
        },
    }


def object_created(bucket: str, key: str, *, wildcards: bool = False) -> dict[str, Any]:
    """The pattern of the event that an S3 object was written; the bucket must send its events to EventBridge."""
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"wildcard": key} if wildcards else key]}},
    }


def shown(pattern: Mapping[str, Any]) -> str:
    """A pattern as JSON on one line."""
    return json.dumps(pattern, sort_keys=True)


def start_trigger(task: Any) -> tuple[dict[str, Any] | None, list[Finding]]:
    """What starts the pipeline in place of an S3 key sensor with which a DAG begins.

    :param task: a task of ``S3KeySensor`` without upstream tasks.
    :return: the pattern of an EventBridge rule whose target is the pipeline, and a finding that shows it; ``None`` where no
        pattern means what the sensor waits for, and a finding that says why.
    """
    keys = [task.bucket_key] if isinstance(task.bucket_key, str) else list(task.bucket_key or ())
    if reason := _unfit(task, keys):
        return None, [finding("SMP690", reason, task=task.task_id, place="bucket_key")]
    (key,), bucket = keys, task.bucket_name
    if match := re.fullmatch(r"s3[an]?://([^/]+)/(.*)", key):
        bucket, key = match.groups()
    dated = "{{" in key
    key = re.sub(r"\{\{.*?\}\}", "*", key)
    pattern = object_created(bucket, re.sub(r"\*+", "*", key), wildcards=dated or "*" in key)
    reason = f"a rule with the pattern {shown(pattern)} starts the pipeline at each object that is written"
    if dated:
        reason += "; the sensor waits for that of the run's own values"
    return pattern, [finding("SMP678", reason, task=task.task_id, place="bucket_key")]


def rule_template(dag_id: str, pattern: Mapping[str, Any]) -> str:
    """The CloudFormation template of a rule that starts the DAG's pipeline at an event, and of the role that it does so with."""
    name = pipeline_name(dag_id)
    return _RULE.format(name=name, pattern=indent(json.dumps(pattern, indent=2, sort_keys=True), " " * 8).lstrip())


_RULE: Final = """\
# aws cloudformation deploy --stack-name {name}-start --template-file <this file> \\
#   --capabilities CAPABILITY_IAM --parameter-overrides Pipeline=<ARN of the pipeline>
# Parameters of the pipeline without default go into SageMakerPipelineParameters of the target.
AWSTemplateFormatVersion: "2010-09-09"
Description: "Starts the SageMaker pipeline {name}; made by airflow-provider-sagemaker-pipelines."
Parameters:
  Pipeline:
    Type: String
    Description: ARN of the pipeline.
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal:
              Service: events.amazonaws.com
            Action: sts:AssumeRole
      Policies:
        - PolicyName: start
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: sagemaker:StartPipelineExecution
                Resource: !Ref Pipeline
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern:
        {pattern}
      Targets:
        - Id: pipeline
          Arn: !Ref Pipeline
          RoleArn: !GetAtt Role.Arn
"""


def _unfit(task: Any, keys: list[Any]) -> str:
    """Why no pattern means what a sensor waits for; empty where one does."""
    if len(keys) != 1 or not isinstance(keys[0], str):
        return f"it waits for {len(keys)} keys together; an event tells of one"
    for name in ("check_fn", "use_regex"):
        if getattr(task, name, None):
            return f"{name} decides in Python"
    bucket = task.bucket_name or keys[0].partition("://")[2].partition("/")[0]
    if not bucket or "{{" in bucket:
        return f"the bucket {bucket!r} is not known before the run"
    key = keys[0].partition("://")[2].partition("/")[2] if "://" in keys[0] else keys[0]
    if (
        "{%" in key
        or ("*" in key and not task.wildcard_match)
        or (task.wildcard_match and re.search(r"[?\[\]\\]", key))
    ):
        return f"the key {key!r} is no text with wildcards"
    return ""
