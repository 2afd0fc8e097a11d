"""Code of the generated Lambda functions.

:mod:`.functions` writes the source of these functions, and of those that they call, into one file per kind of work, below
the constants of the kind. They use the standard library, boto3 and what boto3 brings with it. They are not annotated, so as to be short where they are read; tests run them.
"""

# mypy: ignore-errors

import base64
import fnmatch
import gzip
import hashlib
import io
import json
import os
import re
import time
import traceback
from datetime import datetime, timezone
from urllib.parse import urlsplit

import boto3
import jmespath
from botocore.exceptions import ClientError
from dateutil import parser

# The constants of a kind; see Kind in services.py.
SERVICE = START = REFUSED = TOKEN = XCOM = JOB = LOOK = STATE = WRONG = REASON = FIND = FIND_REQUEST = FOUND = SAME = ""
STOP = STOP_REQUEST = ""
SUCCEEDED: list[str] = []
FAILED: list[str] = []


def call(event, context):
    """For a Lambda step: make the request and give the outputs."""
    return outputs(start(nested(event)["request"]))


def work(event, context):
    """Do the work of Callback steps. A service that has neither token nor search may start it twice."""
    return by_messages(event, lambda request, *_: start(request))


def work_by_token(event, context):
    """Do the work of Callback steps. The token keeps a message that comes twice from starting it twice."""
    return by_messages(event, lambda request, message, _: start({TOKEN: once(message), **request}))


def work_by_search(event, context):
    """Do the work of Callback steps. When a message comes again, what it has started is looked for."""
    return by_messages(event, start_or_find)


def by_messages(event, begin):
    """Take the work of each message one step further. The event of a Lambda step only starts the work."""
    if "Records" not in event:
        return outputs(start(nested(event)["request"]))
    for record in event["Records"]:
        advance(json.loads(record["body"]), record["attributes"], begin, look)


def nested(arguments):
    """The arguments of a step as an object: the key a/b/0 is where in it a value stands."""
    tree = {}
    for key, value in arguments.items():
        *path, last = (part.replace("~1", "/").replace("~0", "~") for part in key.split("/"))
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return plain(tree)


def plain(node):
    """An object with lists where all keys are numbers, and with what its marks stand for."""
    if not isinstance(node, dict):
        return node
    if mark := {"null", "[]", "{}"} & set(node):
        return json.loads(mark.pop())
    if all(key.isdigit() for key in node):
        return [plain(node[str(index)]) for index in range(len(node))]
    return {
        key.removesuffix(":json"): json.dumps(plain(item)) if key.endswith(":json") else plain(item)
        for key, item in node.items()
    }


def start(request):
    """Make the request; what is needed to look at the work."""
    answer = getattr(boto3.client(SERVICE), START)(**request)
    if REFUSED and (problem := jmespath.search(REFUSED, answer)):
        raise RuntimeError(f"{START}: {problem}")
    return jmespath.search(JOB, {"request": request, "answer": answer})


def start_or_find(request, message, attributes):
    """Start the work, unless an earlier delivery of the message has started it."""
    if int(attributes["ApproximateReceiveCount"]) > 1:
        sent = int(attributes["SentTimestamp"]) / 1000 - 1
        known = getattr(boto3.client(SERVICE), FIND)(**jmespath.search(FIND_REQUEST, request))
        for item in jmespath.search(FOUND, known) or []:
            at = item["at"].timestamp() if isinstance(item["at"], datetime) else item["at"] / 1000
            if at >= sent and item["same"] == jmespath.search(SAME, request):
                return item["job"]
    return start(request)


def outputs(job):
    """The outputs of the step: what Airflow has in XComs of the task, part by part."""
    return dict(parts("", jmespath.search(XCOM, job))) if XCOM else {}


def parts(name, value):
    """The texts in a value with their names: key, member and index."""
    if not isinstance(value, (dict, list)):
        return [(name, value)]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [part for key, item in items for part in parts(f"{name}_{key}".lstrip("_"), item)]


def advance(message, attributes, begin, look):
    """Take the work of a message one step further: start the job or look at it; answer, or send the message again."""
    if next(value for key, value in message.items() if key.lower() == "status") == "Stopping":
        return None  # the next look at the job notices it
    arguments = nested(message["arguments"])
    wait, job = arguments["wait"], message.get("job", arguments.get("job"))
    done = False
    try:
        if job is None:
            job = begin(arguments["request"], message, attributes)
        else:
            done = look(job, wait)
        if not done and stopping(message):
            stop(job, wait)
            raise RuntimeError("the pipeline was stopped")
        until = message.get("until", time.time() + wait["timeout_seconds"])
        if not done and time.time() > until:
            raise TimeoutError(f"not done after {wait['timeout_seconds']} s")
    except Exception as error:
        traceback.print_exc()
        return answer(message, reason=f"{type(error).__name__}: {error}")
    if done:
        return answer(message, outputs(job))
    body = json.dumps({**message, "job": job, "until": until})
    delay = min(int(wait["poll_seconds"]), 900)
    return boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=body, DelaySeconds=delay)


def once(message):
    """A token that is the same for every delivery of a message, and for no other message."""
    return hashlib.sha256(f"{message['pipelineExecutionArn']} {message['token']}".encode()).hexdigest()


def look(job, wait):
    """Whether the job has succeeded; raises if it has failed."""
    known = getattr(boto3.client(SERVICE), LOOK)(**job)
    state = jmespath.search(STATE, known)
    wrong = WRONG and jmespath.search(WRONG, known)
    if state in wait.get("succeeded", SUCCEEDED) and not wrong:
        return True
    if wrong or state in wait.get("failed", FAILED):
        raise RuntimeError(f"{state}: {wrong or jmespath.search(REASON, known)}")
    return False


def stopping(message):
    """Whether the pipeline execution is being stopped."""
    arn = message["pipelineExecutionArn"]
    known = boto3.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn)
    return known["PipelineExecutionStatus"] == "Stopping"


def stop(job, wait):
    """Stop the job, where the task in Airflow would."""
    if STOP and wait.get("stop"):
        getattr(boto3.client(SERVICE), STOP)(**jmespath.search(STOP_REQUEST, job))


def answer(message, values=None, reason=None):
    """Tell the pipeline how the step ended; a message that comes twice is answered once."""
    client = boto3.client("sagemaker")
    told = {"CallbackToken": message["token"], "ClientRequestToken": once(message)}
    try:
        if reason is not None:
            client.send_pipeline_execution_step_failure(**told, FailureReason=reason[:256])
        else:
            values = [{"Name": name, "Value": str(value)} for name, value in values.items()]
            client.send_pipeline_execution_step_success(**told, OutputParameters=values)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ConflictException", "ResourceNotFound"):
            raise
        print(f"the step was answered before: {error}")


def place(item):
    """Bucket and key of an object; without a bucket, the key is an S3 URI."""
    uri = urlsplit(item["key"], allow_fragments=False)
    if "bucket" in item:
        if uri.scheme or uri.netloc:
            raise ValueError(f"with a bucket, the key is a relative path, not {item['key']!r}")
        return item["bucket"], item["key"]
    if uri.scheme.lower() not in ("s3", "s3n", "s3a") or not uri.netloc:
        raise ValueError(f"{item['key']!r} is no S3 URI")
    return uri.netloc, uri.path.lstrip("/")


def copy_object(event, context):
    """Copy an object within S3."""
    request = nested(event)["request"]
    (bucket, key), (to_bucket, to_key) = place(request["source"]), place(request["target"])
    source = {"Bucket": bucket, "Key": key}
    if "version" in request["source"]:
        source["VersionId"] = request["source"]["version"]
    boto3.client("s3").copy_object(Bucket=to_bucket, Key=to_key, CopySource=source, **request.get("options", {}))
    return {}


def delete_objects(event, context):
    """Delete objects from S3: those named, or those found."""
    request, client = nested(event)["request"], boto3.client("s3")
    keys = request["keys"] if "keys" in request else found_keys(client, request)
    keys = [keys] if isinstance(keys, str) and keys else list(keys)
    for index in range(0, len(keys), 1000):
        objects = [{"Key": key} for key in keys[index : index + 1000]]
        answer = client.delete_objects(Bucket=request["bucket"], Delete={"Objects": objects})
        if answer.get("Errors"):
            raise RuntimeError(f"not deleted: {[item['Key'] for item in answer['Errors']]}")
    return {}


def list_objects(event, context):
    """List the objects of a bucket, as a check that it can be read; a step has no list among its outputs."""
    found_keys(boto3.client("s3"), nested(event)["request"])
    return {}


def found_keys(client, request):
    """Keys in a bucket by prefix and time of change."""
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=request["bucket"], Prefix=request.get("prefix", ""), Delimiter=request.get("delimiter", "")
    )
    first, last = (request.get(name) and utc(request[name]) for name in ("from", "to"))
    return [
        item["Key"]
        for page in pages
        for item in page.get("Contents", [])
        if not (first and item["LastModified"] < first) and not (last and item["LastModified"] > last)
    ]


def utc(text):
    """A time; as in Airflow, one with an offset is taken as if it had none."""
    return parser.parse(text).replace(tzinfo=timezone.utc)


def create_object(event, context):
    """Write a text or bytes into an object of S3."""
    request, client = nested(event)["request"], boto3.client("s3")
    bucket, key = place(request)
    if not request["replace"] and exists(client, bucket, key):
        raise ValueError(f"The key {key} already exists.")
    if "base64" in request:
        content = base64.b64decode(request["base64"])
    else:
        content = request["data"].encode(request["encoding"])
    if request.get("compression") == "gzip":
        content = gzip.compress(content)
    client.upload_fileobj(io.BytesIO(content), bucket, key, ExtraArgs=request.get("options", {}))
    return {}


def exists(client, bucket, key):
    """Whether there is an object."""
    try:
        client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        return False
    return True


def watch(event, context):
    """For Callback steps: wait until objects are there."""
    for record in event["Records"]:
        advance(json.loads(record["body"]), record["attributes"], None, look_for_keys)


def look_for_keys(job, wait):
    """Whether all objects are there."""
    client = boto3.client("s3")
    return all(there(client, job, key) for key in job["keys"])


def there(client, job, key):
    """Whether an object is there, or one that matches."""
    bucket, key = place({**job, "key": key})
    if job["match"] == "exact":
        return exists(client, bucket, key)
    prefix = re.split(r"[\[*?]", key, maxsplit=1)[0] if job["match"] == "wildcard" else ""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    names = (item["Key"] for page in pages for item in page.get("Contents", []))
    if job["match"] == "wildcard":
        return any(fnmatch.fnmatch(name, key) for name in names)
    return any(re.match(key, name) for name in names)


def invoke(event, context):
    """Invoke another function; the output is its answer as text."""
    request = nested(event)["request"]
    answer = boto3.client("lambda").invoke(**request)
    payload = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        raise RuntimeError(f"{request['FunctionName']} failed: {payload}")
    return {"return_value": payload} if len(payload) <= 1024 else {}
