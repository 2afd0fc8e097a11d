"""What the tests of jobs share: short ways to say what a job is, and to wait for its end."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Mapping
from typing import Any

from sagemaker_provider.local.service import LocalSageMaker

ROLE = "arn:aws:iam::123456789012:role/jobs"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1"
REGION = "us-west-2"
ENDED = ("Completed", "Failed", "Stopped")
CLUSTER = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}


def archive(**files: str) -> bytes:
    """A tar.gz; names of files have ``__`` for a dot."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def members(data: bytes) -> dict[str, str]:
    """Names and texts of the files of a tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {item.name: tar.extractfile(item).read().decode() for item in tar.getmembers() if item.isfile()}  # type: ignore[union-attr]


class Bench:
    """A local SageMaker with short ways to use it."""

    def __init__(self, local: LocalSageMaker) -> None:
        self.local = local
        self.s3 = local.client("s3", REGION)
        self.sagemaker = local.client("sagemaker", REGION)
        if "bucket" not in [item["Name"] for item in self.s3.list_buckets()["Buckets"]]:
            self.s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})

    def put(self, key: str, body: bytes | str) -> str:
        """Put an object; its URI."""
        self.s3.put_object(Bucket="bucket", Key=key, Body=body)
        return f"s3://bucket/{key}"

    def get(self, key: str) -> bytes:
        """The bytes of an object."""
        return self.s3.get_object(Bucket="bucket", Key=key)["Body"].read()  # type: ignore[no-any-return]

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin so."""
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", ())]

    def process(self, name: str, *command: str, **request: Any) -> None:
        """Create a Processing job."""
        self.sagemaker.create_processing_job(
            **{
                "ProcessingJobName": name,
                "RoleArn": ROLE,
                "ProcessingResources": CLUSTER,
                "AppSpecification": {"ImageUri": IMAGE, **({"ContainerEntrypoint": list(command)} if command else {})},
                **request,
            }
        )

    def train(self, name: str, algorithm: Mapping[str, Any] | None = None, **request: Any) -> None:
        """Create a Training job."""
        self.sagemaker.create_training_job(
            **{
                "TrainingJobName": name,
                "RoleArn": ROLE,
                "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File", **(algorithm or {})},
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
                "ResourceConfig": CLUSTER["ClusterConfig"],
                "StoppingCondition": {"MaxRuntimeInSeconds": 600},
                **request,
            }
        )

    def script(self, name: str, source: str, **hyperparameters: Any) -> dict[str, str]:
        """Hyperparameters of script mode, as the SDK writes them."""
        uri = self.put(f"code/{name}.tar.gz", archive(train__py=source))
        values = {"sagemaker_program": "train.py", "sagemaker_submit_directory": uri, **hyperparameters}
        return {key: json.dumps(value) for key, value in values.items()}

    def describe(self, kind: str, name: str) -> dict[str, Any]:
        """The Describe response."""
        return self.local.call(f"Describe{kind}", {f"{kind}Name": name}, REGION)

    def wait(self, kind: str, name: str, *statuses: str, seconds: float = 30.0) -> dict[str, Any]:
        """Wait until a job has ended, or has one of the statuses."""
        end = time.monotonic() + seconds
        with self.local.store.changed:
            while (job := self.describe(kind, name))[f"{kind}Status"] not in (statuses or ENDED):
                assert time.monotonic() < end, job
                self.local.store.changed.wait(0.2)
        return job

    def log(self, kind: str, name: str) -> list[str]:
        """Lines of a job's log."""
        logs, group = self.local.client("logs", REGION), f"/aws/sagemaker/{kind}s"
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        assert len(streams) == 1
        events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True)
        return [item["message"] for item in events["events"]]

    def wait_for_line(self, kind: str, name: str, line: str) -> None:
        """Wait until a job has written a line."""
        end = time.monotonic() + 20
        while True:
            try:
                if line in self.log(kind, name):
                    return
            except (AssertionError, self.local.client("logs", REGION).exceptions.ResourceNotFoundException):
                pass
            assert time.monotonic() < end
            time.sleep(0.05)


def s3_input(name: str, uri: str, **source: str) -> dict[str, Any]:
    """An input of a Processing job."""
    place = f"/opt/ml/processing/{name}"
    return {
        "InputName": name,
        "S3Input": {"S3Uri": uri, "LocalPath": place, "S3DataType": "S3Prefix", "S3InputMode": "File", **source},
    }


def s3_output(name: str, uri: str, mode: str = "EndOfJob") -> dict[str, Any]:
    """An output of a Processing job."""
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3UploadMode": mode},
    }


def channel(name: str, uri: str, **more: Any) -> dict[str, Any]:
    """A channel of a Training job."""
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        },
        **more,
    }
