"""Why something failed, as far as the service's own words tell: what passes by itself, and what a person can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sagemaker_provider.hooks.console import quotas_url, resource_url

if TYPE_CHECKING:
    from sagemaker_provider.definition.step_types import Resource
    from sagemaker_provider.hooks.aws import AwsSettings


@dataclass(frozen=True)
class Cause:
    """A cause of failures that lies in the service, not in the work.

    :param pattern: how the service says it, at the start of ``code: message`` or of a failure reason. Texts of user code
        are put behind ``AlgorithmError:`` or ``ClientError:`` by the service, so they never match.
    :param why: the cause in words; ``{name}`` are groups of the pattern.
    :param cure: what a person can do; empty where there is nothing but to try again.
    :param quota_of: service in whose Service Quotas page the quota is.
    """

    pattern: re.Pattern[str]
    why: str
    cure: str = ""
    quota_of: str | None = None


def _cause(pattern: str, why: str, **members: Any) -> Cause:
    return Cause(re.compile(pattern, re.IGNORECASE | re.DOTALL), why, **members)


_SLOWER: Final = "make fewer calls at once, for example with a longer poll_interval"
_OTHER_INSTANCES: Final = "wait, or use another instance type or other Availability Zones"
_MORE_QUOTA: Final = "wait until something else ends, or ask for a higher quota"

CAUSES: Final = (
    _cause(r"(throttled from|failed to provision instances due to throttling from) Amazon EC2", "Amazon EC2 throttles"),
    _cause(
        r"\w*Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|BandwidthLimitExceeded|PriorRequestNotComplete"
        r"|LimitExceededException: rate exceeded",
        "the service throttles calls",
        cure=_SLOWER,
    ),
    _cause(
        r"ResourceLimitExceeded\b.*?service limit '(?P<quota>[^']+)' is (?P<limit>\d+(?:\.\d+)?) (?P<unit>\w+)"
        r".*?current utilization of (?P<used>\d+(?:\.\d+)?)\b.*?request delta of (?P<wanted>\d+(?:\.\d+)?)",
        "the quota {quota!r} is {limit} {unit}, {used} in use, {wanted} requested",
        cure=_MORE_QUOTA,
        quota_of="sagemaker",
    ),
    _cause(r"ResourceLimitExceeded\b", "a quota is exceeded", cure=_MORE_QUOTA, quota_of="sagemaker"),
    _cause(r"ServiceQuotaExceededException\b", "a quota is exceeded", cure=_MORE_QUOTA, quota_of="emr-serverless"),
    _cause(
        r"job failed as account has reached the service limit on the maximum vCPU",
        "the quota of concurrent vCPUs is in use",
        cure=_MORE_QUOTA,
        quota_of="emr-serverless",
    ),
    _cause(
        r"[^:]{0,200}for instance type (?P<instance>[\w.]+) exceeds the EC2 service quota for that type",
        "the EC2 quota for {instance} is in use",
        cure=_MORE_QUOTA,
        quota_of="ec2",
    ),
    _cause(
        r"EC2 is out of capacity for (?P<instance>[\w.]+)", "EC2 has no capacity for {instance}", cure=_OTHER_INSTANCES
    ),
    _cause(
        r"CapacityError\b|InsufficientInstanceCapacity\b|unable to provision requested ML compute capacity",
        "there is no capacity for {instance}",
        cure=_OTHER_INSTANCES,
    ),
    _cause(
        r"Internal(Server)?(Failure|Error|Exception)|ServiceUnavailable|ServiceException\b|RequestTimeout"
        r"|request to service failed\. if failure persists",
        "an internal error of the service",
    ),
)
"""Causes, the more telling first.

Sources: errors of botocore's service models and ``botocore.retries.standard``; SageMaker AI Developer Guide,
"pipelines-retry-policy"; EMR Management Guide, "emr-EC2_INSUFFICIENT_CAPACITY-error" and "emr-throttling-error"; EMR
Serverless User Guide, "jobs-troubleshooting"; texts of quotas and of capacity as users report them
(aws/amazon-sagemaker-examples issues 307 and 1543, data-science-on-aws issue 200, aws/sagemaker-python-sdk issue 2496).
"""

_SERVER_FAULT: Final = Cause(re.compile(""), "an internal error of the service")
_BROKEN_CONNECTION: Final = Cause(re.compile(""), "the connection to the service broke")
_INSTANCES: Final = (
    "[ResourceConfig.InstanceType, ResourceConfig.InstanceGroups[].InstanceType, "
    "ProcessingResources.ClusterConfig.InstanceType, TransformResources.InstanceType][] | [?@]"
)
_CALL: Final = re.compile(r"An error occurred \((\w+)\) when calling the \w+ operation[^:]*: ")


def cause_of(error: Exception | str, instance: str = "the instances") -> tuple[Cause, dict[str, str]] | None:
    """The cause of a failure, with what the service's text names; ``None`` when it is none of the known ones.

    :param error: an error of a call, or the failure reason of a job.
    :param instance: instance types of the job, which the service's text may not name.
    """
    text = error if isinstance(error, str) else ""
    if isinstance(error, Exception):
        from botocore import exceptions

        if isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError)):
            return _BROKEN_CONNECTION, {}
        if not isinstance(error, exceptions.ClientError):
            return None
        details = error.response.get("Error", {})
        text = f"{details.get('Code', '')}: {details.get('Message', '')}"
    text = _CALL.sub(r"\1: ", text.strip(), count=1)
    for cause in CAUSES:
        if match := cause.pattern.match(text):
            return cause, {"instance": instance, **match.groupdict()}
    if not isinstance(error, str) and error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return _SERVER_FAULT, {}
    return None


def passing(error: Exception | str) -> str | None:
    """Why a failure passes by itself, so that waiting and trying again makes sense.

    Throttling, internal errors, broken connections, missing capacity, and quotas that are in use. A quota smaller than the
    request never passes, nor does a failure of user code.

    :param error: an error of a call, or the failure reason of a job as the service gives it.
    :return: the reason in words; ``None`` when trying again would fail again, or when that is not known.
    """
    found = cause_of(error)
    if found is None:
        return None
    cause, named = found
    return None if _too_large(named) else cause.why.format(**named)


def _too_large(named: Mapping[str, str]) -> bool:
    """Whether a quota is smaller than the request alone."""
    return "limit" in named and float(named["wanted"]) > float(named["limit"])


def advice(error: Exception | str, region: str, partition: str, instance: str = "the instances") -> str:
    """What a person can do about a failure that lies in the service: one line, or nothing.

    :param error: an error of a call, or the failure reason of a job.
    :param region: AWS Region.
    :param partition: AWS partition.
    :param instance: instance types of the job.
    """
    found = cause_of(error, instance)
    if found is None or not found[0].cure:
        return ""
    cause, named = found
    text = f"{cause.why.format(**named)}: {'ask for a higher quota' if _too_large(named) else cause.cure}"
    if cause.quota_of and (url := quotas_url(cause.quota_of, region, partition)):
        text += f" at {url}"
    return text[0].upper() + text[1:]


def _instances(description: Mapping[str, Any]) -> str:
    """The instance types of a job."""
    import jmespath

    return ", ".join(dict.fromkeys(jmespath.search(_INSTANCES, description))) or "the instances"


def judge(
    task: AwsSettings,
    hook: Any,
    resource: Resource,
    identifiers: Mapping[str, Any],
    description: Mapping[str, Any],
    lines: int,
) -> None:
    """Judge a resource that has ended: show the end of its log, and raise unless it ended in success.

    Secrets that Airflow knows, and values of the job's environment with names such as ``DB_PASSWORD``, are masked in all of
    it.

    :param task: the operator or sensor; it has the AWS settings and the log.
    :param hook: hook of the service that ran it.
    :param resource: its row.
    :param identifiers: members with which it is described.
    :param description: its Describe response.
    :param lines: lines of its log that are shown at most.
    :raises SageMakerStepError: it failed or was stopped. The message has the status, the reason, what can be done, the last
        lines of the log and the address of its page in the console.
    """
    from airflow.providers.common.compat.sdk import redact

    from sagemaker_provider.hooks.logs import log_file, log_text, mask_environment, read_log
    from sagemaker_provider.hooks.step import SageMakerStepError, ended_well

    mask_environment(description)
    text = log_text(read_log(task, hook, identifiers, description, lines), lines)
    try:
        ended_well(resource, description)
    except SageMakerStepError as error:
        region, partition = hook.conn_region_name, hook.conn_partition
        page = resource_url(identifiers, region, partition)
        file = log_file(description)
        told = (
            str(error),
            advice(error.reason, region, partition, _instances(description)),
            text,
            file and f"Its log is {file}",
            page and f"See {page}",
        )
        raise SageMakerStepError(redact("\n".join(part for part in told if part)), error.reason) from None
    if text:
        task.log.info("%s", redact(text))  # type: ignore[attr-defined]
