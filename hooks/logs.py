"""The last lines of what a job wrote to CloudWatch Logs, read once, when it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.definition.logs import EMR_SERVERLESS_GROUP, LogStreams, log_streams

if TYPE_CHECKING:
    from sagemaker_provider.hooks.aws import AwsSettings

LOG_LINES: Final = 20
"""Lines that are shown where nobody chose another number."""

_STREAMS: Final = 4
"""Streams read at most: the hosts of a job that wrote last, so that a big cluster costs no more calls than a small one."""
_LINE_LENGTH: Final = 1000
"""Characters of a line that are shown; CloudWatch keeps up to 256 KB."""
_SECRET_LENGTH: Final = 8
"""Characters of the shortest secret; shorter values occur in every log by chance."""


def streams_of(
    identifiers: Mapping[str, Any], description: Mapping[str, Any], trainings: Sequence[str] = ()
) -> list[LogStreams]:
    """The log streams of a resource that has ended.

    :param identifiers: members with which it is described.
    :param description: its Describe response.
    :param trainings: names of the trainings of a tuning job that are of interest.
    :return: none for kinds without logs in CloudWatch, and where the job sends none there.
    """
    if trainings:
        return [found for name in trainings if (found := log_streams({"TrainingJobName": name}))]
    if "jobRun" in description:
        return _emr_serverless(description["jobRun"])
    found = log_streams(identifiers)
    return [found] if found else []


def _emr_serverless(job: Mapping[str, Any]) -> list[LogStreams]:
    monitoring = job.get("configurationOverrides", {}).get("monitoringConfiguration", {})
    logging = monitoring.get("cloudWatchLoggingConfiguration", {})
    if not logging.get("enabled"):
        return []
    path = f"applications/{job['applicationId']}/jobs/{job['jobRunId']}/"
    start = str(logging.get("logStreamNamePrefix") or "").rstrip("/")
    return [LogStreams(logging.get("logGroupName") or EMR_SERVERLESS_GROUP, f"{start}/{path}")]


def trainings_of(hook: Any, description: Mapping[str, Any]) -> list[str]:
    """The training of a tuning job that says most about its end: the best one, else the one that failed last."""
    if best := description.get("BestTrainingJob"):
        return [best["TrainingJobName"]]
    name = description["HyperParameterTuningJobName"]
    request = {"StatusEquals": "Failed", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 1}
    failed = hook.call(
        "ListTrainingJobsForHyperParameterTuningJob", {"HyperParameterTuningJobName": name, **request}
    ).get("TrainingJobSummaries", ())
    return [item["TrainingJobName"] for item in failed]


def last_lines(hook: Any, streams: LogStreams, lines: int) -> list[str]:
    """The last lines of log streams, oldest first, in one call and one more for each stream, at most five.

    :param hook: hook of CloudWatch Logs.
    :param streams: where to look; where there is nothing yet, there are no lines.
    :param lines: number of lines at most.
    :raises botocore.exceptions.ClientError: the logs may not be read.
    """
    if lines <= 0:
        return []
    from botocore.exceptions import ClientError

    request: dict[str, Any] = {"logGroupName": streams.group}
    try:
        if streams.prefix:
            request["logStreamNamePrefix"] = streams.prefix
        else:  # the service sorts by time only where no prefix is given
            request.update(orderBy="LastEventTime", descending=True)
        found = hook.call("DescribeLogStreams", request).get("logStreams", ())
    except ClientError as error:
        if error.response["Error"].get("Code") == "ResourceNotFoundException":
            return []
        raise
    newest = sorted(found, key=lambda item: item.get("lastEventTimestamp", 0), reverse=True)[:_STREAMS]
    events: list[tuple[int, str]] = []
    for stream in sorted(item["logStreamName"] for item in newest):
        request = {"logGroupName": streams.group, "logStreamName": stream, "limit": lines, "startFromHead": False}
        host = f"[{stream.removeprefix(streams.prefix)}] " if len(newest) > 1 else ""
        for event in hook.call("GetLogEvents", request).get("events", ()):
            events.append((event["timestamp"], f"{host}{event['message'].rstrip()}"))
    return [text for _, text in sorted(events, key=lambda event: event[0])[-lines:]]


def read_log(
    aws: AwsSettings, hook: Any, identifiers: Mapping[str, Any], description: Mapping[str, Any], lines: int
) -> list[str]:
    """The last lines of the log of a resource that has ended.

    A log that cannot be read hides nothing else: then the only line says why.

    :param aws: the task's AWS settings.
    :param hook: hook of the service that ran it.
    :param identifiers: members with which it is described.
    :param description: its Describe response.
    :param lines: number of lines at most.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if lines <= 0:
        return []
    try:
        tuning = "HyperParameterTuningJobName" in identifiers
        trainings = trainings_of(hook, description) if tuning else ()
        found: list[str] = []
        for streams in () if tuning and not trainings else streams_of(identifiers, description, trainings):
            found += last_lines(aws.aws_hook("logs"), streams, lines)
        return found[-lines:]
    except (BotoCoreError, ClientError) as error:
        return [f"(the log cannot be read: {error})"]


def log_text(log: Sequence[str], lines: int) -> str:
    """The end of a log for people: at most ``lines`` lines, long ones cut, below a heading; empty when there are none."""
    if lines <= 0 or not log:
        return ""
    cut = [line if len(line) <= _LINE_LENGTH else f"{line[:_LINE_LENGTH]}..." for line in log[-lines:]]
    return "\n".join(["The end of its log:", *(f"  {line}" for line in cut)])


def log_file(description: Mapping[str, Any]) -> str | None:
    """Where in S3 the log of an EMR step that failed is, as far as the service knows."""
    details = description.get("Step", {}).get("Status", {}).get("FailureDetails", {})
    return details.get("LogFile")  # type: ignore[no-any-return]


def mask_environment(description: Mapping[str, Any]) -> None:
    """Tell Airflow's masker the values of a job's environment whose names say that they are secret.

    :param description: Describe response of a job.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    environment = description.get("Environment") or {}
    mask_secret({name: value for name, value in environment.items() if len(str(value)) >= _SECRET_LENGTH})
