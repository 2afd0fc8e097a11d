"""The S3 operators and the S3 key sensor of the amazon provider."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from typing import Any

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.translator.events import start_trigger
from sagemaker_provider.translator.function_steps import by_function, classes, poke, refused
from sagemaker_provider.translator.registry import Given, Translation, Vanishes, translates
from sagemaker_provider.translator.requests import given, is_text_literal


@translates(
    *classes("operators.s3", "S3CopyObjectOperator"), *classes("operators.s3_copy_object", "S3CopyObjectOperator")
)
def s3_copy(task: Any, settings: Given) -> Translation:
    """CopyObject."""
    if bool(task.kms_key_id) != bool(task.kms_encryption_type):
        raise ValueError("kms_key_id and kms_encryption_type belong together")
    options = given(
        ACL=None if task.acl_policy == "no-acl" else task.acl_policy or "private",
        MetadataDirective=task.meta_data_directive,
        SSEKMSKeyId=task.kms_key_id,
        ServerSideEncryption=task.kms_encryption_type,
    )
    source = {**_object(task.source_bucket_name, task.source_bucket_key), **given(version=task.source_version_id)}
    request = {"source": source, "target": _object(task.dest_bucket_name, task.dest_bucket_key), "options": options}
    return by_function(task, settings, "s3-copy", request, _ten_minutes(task))


def _object(bucket: Any, key: Any) -> dict[str, Any]:
    """Bucket and key as the operators take them.

    :raises ValueError: it is known already that they are not valid together.
    """
    if is_text_literal(key):
        if bucket is None and not key.lower().startswith(("s3://", "s3n://", "s3a://")):
            raise ValueError(f"without a bucket, the key is a full s3:// URI, not {key!r}")
        if bucket is not None and "://" in key:
            raise ValueError(f"with a bucket, the key is a relative path, not {key!r}")
    return {**given(bucket=bucket), "key": key}


def _ten_minutes(task: Any) -> Finding:
    return finding("SMP663", "the function has 10 minutes for it", task=task.task_id)


@translates(
    *classes("operators.s3", "S3DeleteObjectsOperator"),
    *classes("operators.s3_delete_objects", "S3DeleteObjectsOperator"),
)
def s3_delete(task: Any, settings: Given) -> Translation:
    """DeleteObjects, of keys or of what has a prefix and was changed at a time."""
    request = given(bucket=task.bucket, keys=task.keys)
    if task.keys is None:
        request |= given(prefix=task.prefix)
        for name in ("from", "to"):
            request |= given(**{name: _time(getattr(task, f"{name}_datetime", None))})
    return by_function(task, settings, "s3-delete", request, _ten_minutes(task))


def _time(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(timezone.utc).isoformat()


@translates(*classes("operators.s3", "S3ListOperator"), *classes("operators.s3_list", "S3ListOperator"))
def s3_list(task: Any, settings: Given) -> Translation:
    """ListObjectsV2. Its XCom is a list, which no output of a step can be."""
    unknown = refused(task, apply_wildcard="the function takes the prefix as it is")
    return by_function(
        task,
        settings,
        "s3-list",
        {"bucket": task.bucket, "prefix": task.prefix or "", "delimiter": task.delimiter or ""},
        *unknown,
        finding("SMP664", "the list of keys", task=task.task_id),
    )


@translates(*classes("operators.s3", "S3CreateObjectOperator"))
def s3_create(task: Any, settings: Given) -> Translation:
    """PutObject."""
    if task.compression not in (None, "gzip"):
        raise ValueError(f"compression is gzip, not {task.compression!r}")
    options = {"ServerSideEncryption": "AES256"} if task.encrypt else {}
    options |= given(ACL=task.acl_policy or None)
    request = {**_object(task.s3_bucket, task.s3_key), "replace": bool(task.replace), "options": options}
    if isinstance(task.data, bytes):
        request["base64"] = base64.b64encode(task.data).decode()
    else:
        request |= {"data": task.data, "encoding": task.encoding or "utf-8", **given(compression=task.compression)}
    return by_function(task, settings, "s3-create", request)


@translates(*classes("sensors.s3", "S3KeySensor"), *classes("sensors.s3_key", "S3KeySensor"))
def s3_key(task: Any, settings: Given) -> Translation:
    """Waits until objects are there: all of those named, or for each pattern one that matches."""
    unknown = refused(task, check_fn="a Python function decides")
    keys = [task.bucket_key] if isinstance(task.bucket_key, str) else task.bucket_key
    match = "wildcard" if task.wildcard_match else "regex" if getattr(task, "use_regex", False) else "exact"
    if type(keys) not in (list, tuple):
        raise TypeError(f"bucket_key is a text or a list, not {type(keys).__name__}")
    for key in keys:
        _object(task.bucket_name, key)
    job = {**given(bucket=task.bucket_name), "keys": keys, "match": match}
    found = list(unknown)
    if _begins(task):
        if settings("s3_start") == "event":
            pattern, said = start_trigger(task)
            if pattern is not None:
                return Vanishes(tuple(said), pattern)
            found += said
        found.append(finding("SMP722", "everything else in the DAG waits for it", task=task.task_id))
    return by_function(task, settings, "s3-key", None, *found, job=job, wait=poke(task))


def _begins(task: Any) -> bool:
    """Whether a DAG begins with a task: all others wait for it, but for those that do nothing."""
    others = set(task.dag.task_dict) - {task.task_id} - set(task.get_flat_relative_ids(upstream=False))
    return all(task.dag.task_dict[name].task_type in ("EmptyOperator", "DummyOperator") for name in others)
