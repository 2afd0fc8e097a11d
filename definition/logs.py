"""Where the services write logs: one row for each kind of resource that has some.

Sources: Amazon SageMaker AI Developer Guide, "Log groups and streams that Amazon SageMaker AI sends to CloudWatch Logs";
``AutoMLJobs`` is where the SageMaker Python SDK looks; Lambda Developer Guide, "Sending Lambda function logs".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class LogStreams:
    """Log streams of CloudWatch Logs.

    :param group: log group.
    :param prefix: how the names of the streams start; empty for all streams of the group.
    """

    group: str
    prefix: str = ""


_LOGS: Final[Mapping[str, LogStreams]] = {
    "ProcessingJobName": LogStreams("/aws/sagemaker/ProcessingJobs", "{name}/"),
    "TrainingJobName": LogStreams("/aws/sagemaker/TrainingJobs", "{name}/"),
    "TransformJobName": LogStreams("/aws/sagemaker/TransformJobs", "{name}/"),
    "HyperParameterTuningJobName": LogStreams("/aws/sagemaker/TrainingJobs", "{name}-"),
    "AutoMLJobName": LogStreams("/aws/sagemaker/AutoMLJobs", "{name}/"),
    "EndpointName": LogStreams("/aws/sagemaker/Endpoints/{name}"),
    "InferenceComponentName": LogStreams("/aws/sagemaker/InferenceComponents/{name}"),
    "FunctionName": LogStreams("/aws/lambda/{name}"),
}
"""Member that names a resource -> its log streams. The trainings of a tuning job are named after it."""

EMR_SERVERLESS_GROUP: Final = "/aws/emr-serverless"
"""Log group of EMR Serverless where the job names none (API reference, "CloudWatchLoggingConfiguration")."""


def log_streams(identifiers: Mapping[str, Any]) -> LogStreams | None:
    """The log streams of a resource; ``None`` for kinds that have none.

    :param identifiers: members with which it is described.
    """
    for member, name in identifiers.items():
        if row := _LOGS.get(member):
            return LogStreams(row.group.format(name=name), row.prefix.format(name=name))
    return None
