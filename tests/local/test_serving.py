"""Batch transform and the server behind it."""

from __future__ import annotations

import gzip
import json
import pickle
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from job_tools import IMAGE, REGION, ROLE, Bench, archive

from sagemaker_provider.local import runnable, serving, transforms
from sagemaker_provider.local.containers import namespaces_work
from sagemaker_provider.local.service import LocalSettings, local_sagemaker
from sagemaker_provider.local.transfers import JobError

DOUBLER = """
import os
def model_fn(model_dir):
    factor = float(open(os.path.join(model_dir, "factor.txt")).read())
    print("model loaded")
    return lambda rows: [[factor * value for value in row] for row in rows]
"""
ECHO = """
import json, time
calls = []
def model_fn(model_dir):
    return None
def transform_fn(model, data, content_type, accept):
    calls.append(data)
    if data.startswith("bad"):
        raise ValueError("bad row")
    if data.startswith("slow"):
        time.sleep(60)
    return json.dumps([len(calls), data, content_type, accept])
"""
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1}
ISOLATIONS = [
    "paths",
    pytest.param("namespace", marks=pytest.mark.skipif(not namespaces_work(), reason="no namespaces")),
]


@pytest.fixture(scope="module", params=ISOLATIONS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with local_sagemaker(LocalSettings(isolation=request.param, stop_seconds=0.3)) as local:
        yield Bench(local)


@pytest.fixture(scope="module")
def simple() -> Iterator[Bench]:
    with local_sagemaker(LocalSettings(isolation="paths", stop_seconds=0.3)) as local:
        bench = Bench(local)
        code = bench.put("code/echo.tar.gz", archive(echo__py=ECHO))
        make_model(bench, "echo", Environment={"SAGEMAKER_PROGRAM": "echo.py", "SAGEMAKER_SUBMIT_DIRECTORY": code})
        yield bench


def make_model(bench: Bench, name: str, **container: Any) -> None:
    bench.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, **container})


def transform(bench: Bench, name: str, uri: str, model: str = "echo", **more: Any) -> None:
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}, "ContentType": "text/csv"}
    output = {"S3OutputPath": f"s3://bucket/out/{name}"}
    bench.sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={**source, **more.pop("TransformInput", {})},
        TransformOutput={**output, **more.pop("TransformOutput", {})},
        TransformResources=RESOURCES,
        **more,
    )


def test_a_model_with_default_handlers(bench: Bench) -> None:
    data = bench.put("models/double.tar.gz", archive(**{"factor__txt": "2", "code/inference__py": DOUBLER}))
    variables = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    make_model(bench, "double", ModelDataUrl=data, Environment=variables)
    bench.put("rows/a.csv", "1,2\n3,4\n")
    bench.put("rows/deep/b.csv", "5,6\n")
    transform(bench, "double", "s3://bucket/rows/", "double", TransformOutput={"Accept": "text/csv"})
    job = bench.wait("TransformJob", "double")
    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TransformStartTime"] <= job["TransformEndTime"]
    assert bench.keys("out/double/") == ["out/double/a.csv.out", "out/double/deep/b.csv.out"]
    assert bench.get("out/double/a.csv.out") == b"2.0,4.0\n6.0,8.0\n"
    log = bench.log("TransformJob", "double")
    assert log[0].startswith("local SageMaker: ") and "model loaded" in log
    assert list((bench.local.work / "jobs").iterdir()) == []


def test_lines_are_split_batched_and_assembled(simple: Bench) -> None:
    simple.put("lines/a", "1\n2\n3")
    line = {"SplitType": "Line"}
    transform(simple, "single", "s3://bucket/lines/a", TransformInput=line, BatchStrategy="SingleRecord", TransformOutput={"AssembleWith": "Line", "Accept": "x/y"})  # fmt: skip
    transform(simple, "multi", "s3://bucket/lines/a", TransformInput=line)
    transform(simple, "whole", "s3://bucket/lines/a")
    for name in ("single", "multi", "whole"):
        assert simple.wait("TransformJob", name)["TransformJobStatus"] == "Completed"
    rows = [json.loads(item) for item in simple.get("out/single/a.out").splitlines()]
    assert rows == [[index, text, "text/csv", "x/y"] for index, text in ((1, "1\n"), (2, "2\n"), (3, "3"))]
    for name in ("multi", "whole"):
        assert json.loads(simple.get(f"out/{name}/a.out")) == [1, "1\n2\n3", "text/csv", "application/json"]


def test_errors_of_the_model_fail_the_job_with_its_words(simple: Bench) -> None:
    simple.put("bad/a", "bad")
    transform(simple, "bad", "s3://bucket/bad/")
    job = simple.wait("TransformJob", "bad")
    assert job["TransformJobStatus"] == "Failed"
    assert (
        job["FailureReason"]
        == "AlgorithmError: s3://bucket/bad/a: the model answered with status 500: ValueError: bad row"
    )
    assert any("Traceback" in line for line in simple.log("TransformJob", "bad"))


def test_a_model_that_does_not_load_fails_the_job(simple: Bench) -> None:
    code = simple.put("code/none.tar.gz", archive(none__py="x = 1"))
    make_model(simple, "none", Environment={"SAGEMAKER_PROGRAM": "none.py", "SAGEMAKER_SUBMIT_DIRECTORY": code})
    simple.put("rows/a", "1")
    transform(simple, "none", "s3://bucket/rows/a", "none")
    assert "none has no model_fn" in simple.wait("TransformJob", "none")["FailureReason"]


def test_missing_input_fails_the_job(simple: Bench) -> None:
    transform(simple, "missing", "s3://bucket/not-there/")
    assert "No S3 objects found" in simple.wait("TransformJob", "missing")["FailureReason"]


def test_stop_ends_a_request_that_goes_on(simple: Bench) -> None:
    simple.put("slow/a", "slow")
    transform(simple, "slow", "s3://bucket/slow/")
    time.sleep(0.5)
    simple.sagemaker.stop_transform_job(TransformJobName="slow")
    assert simple.wait("TransformJob", "slow", seconds=5)["TransformJobStatus"] == "Stopped"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"TransformInput": {"SplitType": "RecordIO"}}, "RecordIO"),
        ({"DataProcessing": {"InputFilter": "$[1:]", "JoinSource": "Input"}}, "InputFilter and JoinSource"),
    ],
)
def test_what_is_not_supported_is_simulated_and_says_so(simple: Bench, more: dict[str, Any], reason: str) -> None:
    simple.put("rows/a", "1")
    name = f"unsupported-{len(more)}-{next(iter(more)).lower()}"
    transform(simple, name, "s3://bucket/rows/a", **more)
    assert simple.wait("TransformJob", name)["TransformJobStatus"] == "Completed"
    assert b"no code ran" in simple.get(f"out/{name}/a.out")
    assert reason in simple.log("TransformJob", name)[0]


def test_models_without_code_or_of_several_containers_cannot_run(simple: Bench) -> None:
    make_model(simple, "bare", ModelDataUrl="s3://bucket/m")
    simple.sagemaker.create_model(
        ModelName="pipe", ExecutionRoleArn=ROLE, Containers=[{"Image": IMAGE}, {"Image": IMAGE}]
    )
    source = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x"}}}
    for model, reason in (("bare", "SAGEMAKER_PROGRAM"), ("pipe", "2 containers")):
        assert reason in str(
            runnable.why_not(simple.local, REGION, "TransformJob", {"ModelName": model, "TransformInput": source})
        )


def test_a_model_of_a_package_has_the_containers_of_the_package(simple: Bench) -> None:
    simple.sagemaker.create_model_package_group(ModelPackageGroupName="group")
    arn = simple.sagemaker.create_model_package(
        ModelPackageGroupName="group",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "Environment": {"SAGEMAKER_PROGRAM": "echo.py", "A": "1"}}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    part = {"ModelPackageName": arn, "Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://bucket/code/echo.tar.gz"}}
    simple.sagemaker.create_model(ModelName="packaged", ExecutionRoleArn=ROLE, Containers=[part])
    simple.put("packaged/a", "1")
    transform(simple, "packaged", "s3://bucket/packaged/", "packaged")
    assert simple.wait("TransformJob", "packaged")["TransformJobStatus"] == "Completed"
    assert json.loads(simple.get("out/packaged/a.out"))[1] == "1"


def test_payloads_keep_to_the_limit() -> None:
    record: dict[str, Any] = {"TransformInput": {"SplitType": "Line", "CompressionType": "Gzip"}, "MaxPayloadInMB": 1}
    lines = [b"x" * 400_000 + b"\n"] * 5
    found = list(transforms.payloads(gzip.compress(b"".join(lines)), record))
    assert [len(item) for item in found] == [800_002, 800_002, 400_001] and b"".join(found) == b"".join(lines)
    with pytest.raises(JobError, match="MaxPayloadInMB"):
        list(transforms.payloads(b"x" * 2_000_000, {"TransformInput": {}, "MaxPayloadInMB": 1}))
    assert list(transforms.payloads(b"", {"TransformInput": {}})) == []


def test_a_scikit_learn_model(simple: Bench, tmp_path: Path) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    (tmp_path / "code").mkdir()
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    (tmp_path / "code" / "serve.py").write_text(
        "import os, pickle\n"
        "def model_fn(model_dir):\n"
        "    return pickle.load(open(os.path.join(model_dir, 'model.pkl'), 'rb'))\n"
    )
    from sagemaker_provider.local.transfers import pack

    data = simple.put("models/linear.tar.gz", pack(tmp_path, tmp_path.parent / "linear.tar.gz").read_bytes())
    make_model(simple, "linear", ModelDataUrl=data, Environment={"SAGEMAKER_PROGRAM": "serve.py"})
    simple.put("linear/in.csv", "3\n4\n")
    transform(simple, "linear", "s3://bucket/linear/in.csv", "linear")
    assert simple.wait("TransformJob", "linear")["TransformJobStatus"] == "Completed"
    assert json.loads(simple.get("out/linear/in.csv.out")) == pytest.approx([7.0, 9.0])


# The script itself


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("serving")
    (folder / "user.py").write_text(
        "import importlib.util\n"
        "assert importlib.util.find_spec('settings') is None, 'our own modules are in the way of those of users'\n"
        "def model_fn(model_dir):\n    return model_dir\n"
        "def predict_fn(data, model):\n    return data\n"
        "def output_fn(value, accept):\n"
        "    return (b'raw', 'x/raw') if accept == 'x/raw' else __import__('__main__').encode(value, accept)\n"
    )
    command = [sys.executable, serving.__file__, str(folder / "port"), str(folder), str(folder), "user.py"]
    process = subprocess.Popen(command)
    end = time.monotonic() + 10
    while not (folder / "port").exists():
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    yield f"http://127.0.0.1:{(folder / 'port').read_text()}"
    process.terminate()
    process.wait()


def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes, str]:
    request = urllib.request.Request(
        f"{url}/invocations", body, {name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers["Content-Type"]


def test_the_inference_contract(server: str) -> None:
    assert urllib.request.urlopen(f"{server}/ping").status == 200
    assert json.loads(post(server, b"[[1, 2]]", Content_Type="application/json")[1]) == [[1, 2]]
    assert post(server, b"1,2\n", Content_Type="text/csv", Accept="text/csv") == (200, b"1.0,2.0\n", "text/csv")
    assert post(server, b"1", Content_Type="text/csv", Accept="x/raw") == (200, b"raw", "x/raw")
    assert post(server, b"1", Content_Type="image/png")[0] == 415
    assert post(server, b"1", Content_Type="text/csv", Accept="image/png")[0] == 406
    status, text, _ = post(server, b"{", Content_Type="application/json")
    assert status == 500 and text.startswith(b"JSONDecodeError: ")


def test_npy_payloads(server: str) -> None:
    numpy = pytest.importorskip("numpy")
    import io

    buffer = io.BytesIO()
    numpy.save(buffer, numpy.array([[1.5, 2.5]]))
    kind = "application/x-npy"
    status, body, _ = post(server, buffer.getvalue(), Content_Type=kind, Accept=kind)
    assert status == 200 and numpy.load(io.BytesIO(body)).tolist() == [[1.5, 2.5]]
