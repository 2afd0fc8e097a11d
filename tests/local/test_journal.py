"""What moto's services know after a restart with ``data``."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from sagemaker_provider.local.service import LocalSettings, local_sagemaker


@pytest.fixture
def restarted(tmp_path: Path) -> Any:
    """Call it for a server; each call is another server over the same folder."""

    @contextmanager
    def server() -> Iterator[Any]:
        with local_sagemaker(LocalSettings(data=tmp_path, images="simulate-all")) as local:
            yield local

    return server


def test_objects_of_every_kind_of_upload(restarted: Any) -> None:
    part = bytes(range(256)) * 20_480
    with restarted() as local:
        s3 = local.client("s3")
        s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="kept", Key="twice", Body=b"one")
        s3.put_object(Bucket="kept", Key="twice", Body=b"two")
        s3.upload_fileobj(io.BytesIO(part * 2), "kept", "parts/é ü")
        s3.copy_object(Bucket="kept", Key="copy", CopySource={"Bucket": "kept", "Key": "twice"})
        s3.put_object(Bucket="kept", Key="gone", Body=b"x")
        s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "gone"}]})
        ids = [item["VersionId"] for item in s3.list_object_versions(Bucket="kept", Prefix="twice")["Versions"]]
        assert len(set(ids)) == 2
    with restarted() as local:
        s3 = local.client("s3")
        body = {item["Key"]: s3.get_object(Bucket="kept", Key=item["Key"])["Body"].read() for item in s3.list_objects_v2(Bucket="kept")["Contents"]}  # fmt: skip
        assert body == {"twice": b"two", "copy": b"two", "parts/é ü": part * 2}
        versions = s3.list_object_versions(Bucket="kept", Prefix="twice")["Versions"]
        assert [version["VersionId"] for version in versions] == ids


def test_functions_with_their_code(restarted: Any) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code.py", "def run(event, context):\n    return {'got': event}\n")
    with restarted() as local:
        role = local.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        local.client("lambda").create_function(
            FunctionName="f", Runtime="python3.12", Role=role, Handler="code.run", Code={"ZipFile": packed.getvalue()}
        )
    with restarted() as local:
        answer = local.client("lambda").invoke(FunctionName="f", Payload=json.dumps({"x": 1}))
        assert json.loads(answer["Payload"].read()) == {"got": {"x": 1}}
        assert local.client("iam").get_role(RoleName="r")["Role"]["Arn"] == role


def test_a_request_that_failed_is_not_repeated_and_a_read_is_not_kept(restarted: Any, tmp_path: Path) -> None:
    import sqlite3

    with restarted() as local:
        s3 = local.client("s3")
        s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        with pytest.raises(s3.exceptions.ClientError):
            s3.put_object(Bucket="none", Key="k", Body=b"x")
        s3.list_objects_v2(Bucket="kept")
        local.client("sqs").list_queues()
        local.client("iam").list_roles()
        local.client("logs").describe_log_groups()
        local.client("sts").get_caller_identity()
    rows = sqlite3.connect(tmp_path / "services.sqlite").execute("SELECT count(*) FROM requests").fetchone()
    assert rows == (1,)


def test_a_queue_is_there_again_without_its_messages(restarted: Any) -> None:
    with restarted() as local:
        url = local.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        local.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    with restarted() as local:
        url = local.client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
        assert "Messages" not in local.client("sqs").receive_message(QueueUrl=url)


def test_no_credentials_of_a_client_are_kept(restarted: Any, tmp_path: Path) -> None:
    with restarted() as local:
        client = boto3.client(
            "s3",
            endpoint_url=local.url,
            region_name="eu-west-1",
            aws_access_key_id="AKIAREALKEY",
            aws_secret_access_key="realsecret",
            aws_session_token="realtoken",
            config=Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"kept" in files
    assert not [word for word in (b"AKIAREALKEY", b"realsecret", b"realtoken") if word in files]
    with restarted() as local:
        assert local.client("s3").get_bucket_location(Bucket="kept")["LocationConstraint"] == "eu-west-1"


def test_ids_that_are_made_up_are_the_same(restarted: Any) -> None:
    instances = {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1, "KeepJobFlowAliveWhenNoSteps": True}
    with restarted() as local:
        cluster = local.client("emr").run_job_flow(Name="c", Instances=instances)["JobFlowId"]
        key = local.client("kms").create_key()["KeyMetadata"]["KeyId"]
        topic = local.client("sns").create_topic(Name="t")["TopicArn"]
        queue = local.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        arn = local.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
        local.client("sns").publish(TopicArn=topic, Message="once")
    with restarted() as local:
        assert local.client("emr").describe_cluster(ClusterId=cluster)["Cluster"]["Name"] == "c"
        assert local.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyId"] == key
        queue = local.client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
        assert "Messages" not in local.client("sqs").receive_message(QueueUrl=queue)
