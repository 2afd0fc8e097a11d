"""Jobs run as processes: the container contract, what becomes of their results, and every way to end."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from job_tools import CLUSTER, IMAGE, REGION, ROLE, Bench, archive, channel, members, s3_input, s3_output

from sagemaker_provider.local import runnable
from sagemaker_provider.local.containers import namespaces_work
from sagemaker_provider.local.service import LocalSettings, local_sagemaker

ISOLATIONS = [
    "paths",
    pytest.param("namespace", marks=pytest.mark.skipif(not namespaces_work(), reason="no namespaces")),
]


@pytest.fixture(scope="module", params=ISOLATIONS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A server with each isolation."""
    with local_sagemaker(LocalSettings(isolation=request.param, stop_seconds=0.5)) as local:
        yield Bench(local)


@pytest.fixture(scope="module")
def simple() -> Iterator[Bench]:
    """A server for what does not depend on the isolation."""
    with local_sagemaker(LocalSettings(isolation="paths", stop_seconds=0.3)) as local:
        yield Bench(local)


def test_a_processing_job_reads_works_and_writes(bench: Bench) -> None:
    bench.put("copy/in/a.txt", "one")
    bench.put("copy/in/deep/b.txt", "two")
    code = (
        "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True); print('copied');"
        "open(sys.argv[3], 'w').write('well done')"
    )
    bench.process(
        "copy",
        "python3",
        "-c",
        code,
        AppSpecification={
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", "-c", code],
            "ContainerArguments": ["/opt/ml/processing/in", "/opt/ml/processing/out", "/opt/ml/output/message"],
        },
        ProcessingInputs=[s3_input("in", "s3://bucket/copy/in")],
        ProcessingOutputConfig={"Outputs": [s3_output("out", "s3://bucket/copy/out/")]},
    )
    job = bench.wait("ProcessingJob", "copy")
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Completed", "well done")
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    assert bench.keys("copy/out") == ["copy/out/a.txt", "copy/out/deep/b.txt"]
    assert bench.get("copy/out/deep/b.txt") == b"two"
    log = bench.log("ProcessingJob", "copy")
    assert log[0].startswith("local SageMaker: runs on this machine") and log[1:] == ["copied"]
    assert list((bench.local.work / "jobs").iterdir()) == []
    assert bench.local.store.get(REGION, "ProcessingJob", "copy")["_mode"] == "process"  # type: ignore[index]


def test_processing_configuration_is_as_documented(bench: Bench) -> None:
    code = "import sys; [print(open(path).read()) for path in sys.argv[1:]]"
    files = ["/opt/ml/config/processingjobconfig.json", "/opt/ml/config/resourceconfig.json"]
    bench.process("config", "python", "-c", code, *files, Environment={"A": "/opt/ml/x", "B": "/opt/mlx"})
    bench.wait("ProcessingJob", "config")
    config, resources = (json.loads(line) for line in bench.log("ProcessingJob", "config")[1:])
    assert resources == {"current_host": "algo-1", "hosts": ["algo-1"]}
    assert config["ProcessingJobArn"].endswith(":processing-job/config")
    assert config["AppSpecification"]["ContainerEntrypoint"][0] == "python"
    assert config["ProcessingInputs"] is None and config["ProcessingResources"] == CLUSTER
    assert config["Environment"]["A"].endswith("/x") and config["Environment"]["B"] == "/opt/mlx"


def test_the_environment_is_clean(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "private")
    monkeypatch.setenv("MY_TOKEN", "private")
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.executable]))"
    bench.process("env", "python3", "-c", code, Environment={"MINE": "yes"})
    bench.wait("ProcessingJob", "env")
    found, executable = json.loads(bench.log("ProcessingJob", "env")[1])
    assert "private" not in json.dumps(found)
    assert set(found) - {"LC_CTYPE", "PWD", "SHLVL", "_"} == {
        *("PATH", "HOME", "TMPDIR", "LANG", "PYTHONUNBUFFERED", "MINE", "PROCESSING_JOB_NAME", "PROCESSING_JOB_ARN"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    }
    assert (found["AWS_ENDPOINT_URL"], found["AWS_ACCESS_KEY_ID"]) == (bench.local.url, "local")
    assert os.path.samefile(executable, sys.executable)


def test_inputs_by_manifest_single_object_and_gzip(simple: Bench) -> None:
    simple.put("kinds/data/one.csv", "1")
    simple.put("kinds/data/two.csv.gz", gzip.compress(b"2"))
    manifest = simple.put("kinds/list.manifest", json.dumps([{"prefix": "s3://bucket/kinds/data/"}, "one.csv"]))
    simple.process(
        "kinds",
        "sh",
        "-c",
        "cd /opt/ml/processing && for f in */*; do echo $f $(cat $f); done",
        ProcessingInputs=[
            s3_input("single", "s3://bucket/kinds/data/one.csv"),
            s3_input("listed", manifest, S3DataType="ManifestFile"),
            s3_input("zipped", "s3://bucket/kinds/data/two", S3CompressionType="Gzip"),
        ],
    )
    simple.wait("ProcessingJob", "kinds")
    assert simple.log("ProcessingJob", "kinds")[1:] == ["listed/one.csv 1", "single/one.csv 1", "zipped/two.csv 2"]


@pytest.mark.parametrize("uri", ["s3://bucket/nothing/here", "s3://no-such-bucket/x"])
def test_inputs_that_do_not_exist_fail_the_job(simple: Bench, uri: str) -> None:
    name = f"missing-{len(uri)}"
    simple.process(name, "python", "-c", "pass", ProcessingInputs=[s3_input("in", uri)])
    job = simple.wait("ProcessingJob", name)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert f'No S3 objects found under S3 URL "{uri}"' in job["FailureReason"] and ROLE in job["FailureReason"]


def test_keys_that_would_leave_the_folder_fail_the_job(simple: Bench) -> None:
    simple.put("evil/../../../escaped", "x")
    simple.process("evil", "python", "-c", "pass", ProcessingInputs=[s3_input("in", "s3://bucket/evil/")])
    assert "has no place in a folder" in simple.wait("ProcessingJob", "evil")["FailureReason"]


def test_a_missing_output_bucket_fails_the_job(simple: Bench) -> None:
    simple.process(
        "no-bucket",
        *("sh", "-c", "echo 1 > /opt/ml/processing/out/a"),
        ProcessingOutputConfig={"Outputs": [s3_output("out", "s3://no-such-bucket/out")]},
    )
    assert simple.wait("ProcessingJob", "no-bucket")["FailureReason"].startswith("ClientError: Artifact upload failed:")


def test_exit_codes_and_messages_become_failure_reasons(bench: Bench) -> None:
    bench.process("three", "python", "-c", "raise SystemExit(3)")
    bench.process("said", "sh", "-c", "echo bad data > /opt/ml/output/message; exit 4")
    bench.process("killed", "sh", "-c", "kill -9 $$")
    bench.process("unknown", "/opt/ml/processing/no-such-program")
    for name, reason in {
        "three": "AlgorithmError: See job logs for more information, exit code: 3",
        "said": "AlgorithmError: bad data, exit code: 4",
        "killed": "AlgorithmError: See job logs for more information, exit code: 137",
        "unknown": "AlgorithmError: See job logs for more information, exit code: 127",
    }.items():
        job = bench.wait("ProcessingJob", name)
        assert (job["ProcessingJobStatus"], job["FailureReason"]) == ("Failed", reason)
    assert "No such file or directory" in bench.log("ProcessingJob", "unknown")[-1]


def test_outputs_of_failed_jobs_are_uploaded_only_when_continuous(simple: Bench) -> None:
    simple.process(
        "half",
        *("sh", "-c", "echo 1 > /opt/ml/processing/a/x; echo 1 > /opt/ml/processing/b/x; exit 1"),
        ProcessingOutputConfig={
            "Outputs": [s3_output("a", "s3://bucket/half/a"), s3_output("b", "s3://bucket/half/b", "Continuous")]
        },
    )
    simple.wait("ProcessingJob", "half")
    assert simple.keys("half/") == ["half/b/x"]


def test_stop_ends_the_process_and_its_children(bench: Bench, tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    command = f"setsid {sys.executable} -c '{stubborn}' & echo $! ; sleep 60 & echo $!; echo ready; wait"
    bench.process("sleeping", "sh", "-c", command)
    bench.wait_for_line("ProcessingJob", "sleeping", "ready")
    bench.sagemaker.stop_processing_job(ProcessingJobName="sleeping")
    assert bench.describe("ProcessingJob", "sleeping")["ProcessingJobStatus"] in ("Stopping", "Stopped")
    job = bench.wait("ProcessingJob", "sleeping", seconds=5)
    assert job["ProcessingJobStatus"] == "Stopped" and "FailureReason" not in job
    for pid in bench.log("ProcessingJob", "sleeping")[1:3]:
        assert not Path("/proc", pid).exists()


def test_sigterm_can_be_used_to_clean_up(bench: Bench) -> None:
    code = "trap 'echo cleaning; exit 0' TERM; echo ready; while true; do sleep 0.05; done"
    bench.process("polite", "sh", "-c", code)
    bench.wait_for_line("ProcessingJob", "polite", "ready")
    bench.sagemaker.stop_processing_job(ProcessingJobName="polite")
    assert bench.wait("ProcessingJob", "polite")["ProcessingJobStatus"] == "Stopped"
    assert "cleaning" in bench.log("ProcessingJob", "polite")


def test_what_ignores_sigterm_is_killed(bench: Bench) -> None:
    bench.process("stubborn", "sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.05; done")
    bench.wait_for_line("ProcessingJob", "stubborn", "ready")
    started = time.monotonic()
    bench.sagemaker.stop_processing_job(ProcessingJobName="stubborn")
    bench.wait("ProcessingJob", "stubborn")
    assert 0.2 < time.monotonic() - started < 5


def test_max_runtime_ends_jobs(simple: Bench) -> None:
    simple.process("slow", "sleep", "60", StoppingCondition={"MaxRuntimeInSeconds": 1})
    simple.train(
        "slow",
        {"ContainerEntrypoint": ["sh", "-c", "echo weights > /opt/ml/model/w; sleep 60"]},
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    job = simple.wait("ProcessingJob", "slow")
    assert job["ProcessingJobStatus"] == "Stopped" and "MaxRuntimeInSeconds (1)" in job["ExitMessage"]
    training = simple.wait("TrainingJob", "slow")
    assert (training["TrainingJobStatus"], training["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert members(simple.get("models/slow/output/model.tar.gz")) == {"w": "weights\n"}


def test_what_is_left_running_does_not_outlive_the_job(simple: Bench) -> None:
    simple.process("orphans", "sh", "-c", "setsid sleep 60 & echo $!; exit 0")
    assert simple.wait("ProcessingJob", "orphans")["ProcessingJobStatus"] == "Completed"
    assert not Path("/proc", simple.log("ProcessingJob", "orphans")[1]).exists()


SCRIPT = """
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)
parser.add_argument("--name")
parser.add_argument("-n", type=int)
values = parser.parse_args()
import helper
for step in range(3):
    print(f"validation:mse={values.alpha * (3 - step)};", file=sys.stderr)
channel = os.environ["SM_CHANNEL_TRAIN"]
rows = open(os.path.join(channel, "rows.csv")).read()
json.dump({"rows": rows, "alpha": values.alpha}, open(os.environ["SM_MODEL_DIR"] + "/model.json", "w"))
open(os.environ["SM_OUTPUT_DATA_DIR"] + "/report.txt", "w").write("fine")
print("ENV " + json.dumps({k: v for k, v in os.environ.items() if k.startswith(("SM_", "TRAINING_"))}))
print("ARGS " + json.dumps(sys.argv[1:]))
"""


def test_training_in_script_mode(bench: Bench) -> None:
    bench.put("train/rows.csv", "1,2")
    code = bench.put("code/script.tar.gz", archive(train__py=SCRIPT, helper__py=""))
    bench.train(
        "script",
        {
            "MetricDefinitions": [
                {"Name": "mse", "Regex": "validation:mse=([0-9.]+);"},
                {"Name": "none", "Regex": "x=(.*)"},
            ]
        },
        HyperParameters={
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": json.dumps(code),
            "sagemaker_job_name": '"x"',
            "alpha": "0.5",
            "name": '"a b"',
            "n": "3",
        },
        InputDataConfig=[channel("train", "s3://bucket/train/", ContentType="text/csv", InputMode="FastFile")],
    )
    job = bench.wait("TrainingJob", "script")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert [(item["MetricName"], item["Value"]) for item in job["FinalMetricDataList"]] == [("mse", 0.5)]
    assert job["ModelArtifacts"] == {"S3ModelArtifacts": "s3://bucket/models/script/output/model.tar.gz"}
    model = members(bench.get("models/script/output/model.tar.gz"))
    assert json.loads(model["model.json"]) == {"rows": "1,2", "alpha": 0.5}
    assert members(bench.get("models/script/output/output.tar.gz")) == {"report.txt": "fine"}

    transitions = job["SecondaryStatusTransitions"]
    assert [item["Status"] for item in transitions] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert all(item["StartTime"] <= item["EndTime"] for item in transitions)
    assert "this machine" in transitions[2]["StatusMessage"]
    assert job["TrainingTimeInSeconds"] >= 1 and job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"]
    assert job["TrainingStartTime"] <= job["TrainingEndTime"]

    log = bench.log("TrainingJob", "script")
    given = next(json.loads(line[5:]) for line in log if line.startswith("ARGS "))
    assert given == ["--alpha", "0.5", "-n", "3", "--name", "a b"]
    env = next(json.loads(line[4:]) for line in log if line.startswith("ENV "))
    assert env["TRAINING_JOB_NAME"] == "script" and env["TRAINING_JOB_ARN"].endswith("training-job/script")
    assert json.loads(env["SM_HPS"]) == {"alpha": 0.5, "name": "a b", "n": 3}
    assert (env["SM_HP_ALPHA"], env["SM_HP_NAME"], env["SM_CHANNELS"]) == ("0.5", "a b", '["train"]')
    assert (
        json.loads(env["SM_HOSTS"]) == ["algo-1"] and env["SM_CURRENT_HOST"] == "algo-1" and env["SM_NUM_GPUS"] == "0"
    )
    assert (
        int(env["SM_NUM_CPUS"]) >= 1 and env["SM_USER_ENTRY_POINT"] == "train.py" and env["SM_MODULE_NAME"] == "train"
    )
    assert json.loads(env["SM_INPUT_DATA_CONFIG"])["train"]["ContentType"] == "text/csv"
    assert json.loads(env["SM_TRAINING_ENV"])["hyperparameters"]["n"] == 3
    assert json.loads(env["SM_RESOURCE_CONFIG"])["current_host"] == "algo-1"
    assert env["SM_INPUT_DIR"].endswith("/input") and env["SM_INPUT_CONFIG_DIR"].endswith("/input/config")


def test_script_mode_by_environment_and_with_a_shell_script(simple: Bench) -> None:
    code = simple.put("code/shell.tar.gz", archive(run__sh="echo args $*; exit $1"))
    simple.train(
        "shell",
        HyperParameters={"x": "1"},
        Environment={"SAGEMAKER_PROGRAM": "run.py", "SAGEMAKER_SUBMIT_DIRECTORY": code},
    )
    job = simple.wait("TrainingJob", "shell")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode 2")
    assert 'Command "python run.py -x 1"' in job["FailureReason"]


def test_training_by_entry_point_gets_its_configuration_and_fails_with_its_text(bench: Bench) -> None:
    code = (
        "import os, sys; [print(open(path).read()) for path in sys.argv[2:]]; "
        "open(sys.argv[1], 'w').write('no luck'); print(any(name.startswith('SM_') for name in os.environ)); sys.exit(7)"
    )
    config = [f"/opt/ml/input/config/{name}.json" for name in ("hyperparameters", "resourceconfig", "inputdataconfig")]
    bench.train(
        "entry",
        {"ContainerEntrypoint": ["python3", "-c", code], "ContainerArguments": ["/opt/ml/output/failure", *config]},
        HyperParameters={"epochs": "3"},
    )
    job = bench.wait("TrainingJob", "entry")
    assert job["FailureReason"] == "AlgorithmError: no luck, exit code: 7"
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    hyperparameters, resources, inputs, toolkit = bench.log("TrainingJob", "entry")[1:]
    assert json.loads(hyperparameters) == {"epochs": "3"} and json.loads(inputs) == {} and toolkit == "False"
    assert json.loads(resources)["instance_groups"][0]["hosts"] == ["algo-1"]
    assert bench.keys("models/entry/") == []


def test_checkpoints_and_unpacked_models(simple: Bench) -> None:
    simple.put("checks/old", "1")
    simple.train(
        "unpacked",
        {
            "ContainerEntrypoint": [
                "sh",
                "-c",
                "cp /opt/ml/checkpoints/old /opt/ml/model; echo 2 > /opt/ml/checkpoints/new",
            ]
        },
        CheckpointConfig={"S3Uri": "s3://bucket/checks"},
        OutputDataConfig={"S3OutputPath": "s3://bucket/models", "CompressionType": "NONE"},
    )
    job = simple.wait("TrainingJob", "unpacked")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://bucket/models/unpacked/output/model/"
    assert simple.keys("models/unpacked") == ["models/unpacked/output/model/old"]
    assert simple.get("checks/new") == b"2\n"


def test_a_stopped_training_keeps_its_model(simple: Bench) -> None:
    simple.train("half-way", {"ContainerEntrypoint": ["sh", "-c", "echo w > /opt/ml/model/w; echo ready; sleep 60"]})
    simple.wait_for_line("TrainingJob", "half-way", "ready")
    simple.sagemaker.stop_training_job(TrainingJobName="half-way")
    job = simple.wait("TrainingJob", "half-way")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert [item["Status"] for item in job["SecondaryStatusTransitions"]][-2:] == ["Stopping", "Stopped"]
    assert members(simple.get("models/half-way/output/model.tar.gz")) == {"w": "w\n"}


def test_archives_that_want_out_of_their_folder_fail_the_job(simple: Bench) -> None:
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
        tar.addfile(link)
    code = simple.put("code/evil.tar.gz", buffer.getvalue())
    simple.train("evil", HyperParameters={"sagemaker_program": "a.py", "sagemaker_submit_directory": code})
    assert "outside of the folder" in simple.wait("TrainingJob", "evil")["FailureReason"]


# What cannot run


def _simulated_names(bench: Bench) -> None:
    bench.process("no-code", ProcessingOutputConfig={"Outputs": [s3_output("out", "s3://bucket/sim/processing")]})
    bench.train(
        "no-code",
        {"MetricDefinitions": [{"Name": "auc", "Regex": "(x)"}]},
        HyperParameters={"a": "1"},
        InputDataConfig=[channel("train", "s3://bucket/not/there")],
    )


def test_images_with_code_inside_are_simulated_and_say_so(simple: Bench) -> None:
    _simulated_names(simple)
    job, training = simple.wait("ProcessingJob", "no-code"), simple.wait("TrainingJob", "no-code")
    assert job["ProcessingJobStatus"] == training["TrainingJobStatus"] == "Completed"
    assert job["ExitMessage"].startswith("local SageMaker: simulated, no code ran: the image")
    assert "simulated" in training["SecondaryStatusTransitions"][-1]["StatusMessage"]
    assert simple.keys("sim/processing") == ["sim/processing/simulated.txt"]
    assert "no code ran" in members(simple.get("models/no-code/output/model.tar.gz"))["simulated.txt"]
    assert [item["MetricName"] for item in training["FinalMetricDataList"]] == ["auc"]
    assert "is simulated" in simple.log("TrainingJob", "no-code")[0]
    assert simple.local.store.get(REGION, "ProcessingJob", "no-code")["_mode"] == "simulated"  # type: ignore[index]


def test_simulated_metrics_depend_on_hyperparameters_only(simple: Bench) -> None:
    for name, value in (("sim-1", "1"), ("sim-2", "1"), ("sim-3", "2")):
        simple.train(name, {"MetricDefinitions": [{"Name": "auc", "Regex": "(x)"}]}, HyperParameters={"a": value})
    one, two, three = (
        simple.wait("TrainingJob", name)["FinalMetricDataList"][0]["Value"] for name in ("sim-1", "sim-2", "sim-3")
    )
    assert one == two != three


def test_check_images_write_empty_results(simple: Bench) -> None:
    for name, image in (
        ("monitor", "sagemaker-model-monitor-analyzer"),
        ("clarify", "sagemaker-clarify-processing:1.0"),
    ):
        simple.process(
            name,
            AppSpecification={"ImageUri": f"123.dkr.ecr.us-west-2.amazonaws.com/{image}"},
            ProcessingOutputConfig={"Outputs": [s3_output("out", f"s3://bucket/check/{name}")]},
        )
        simple.wait("ProcessingJob", name)
    assert simple.keys("check/") == [
        f"check/{name}.json" for name in ("clarify/analysis", "monitor/constraints", "monitor/statistics")
    ]
    assert json.loads(simple.get("check/monitor/constraints.json"))["features"] == []


@pytest.mark.parametrize(
    ("kind", "request_", "reason"),
    [
        ("ProcessingJob", {"AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["spark-submit-x"]}}, "spark-submit-x"),
        ("ProcessingJob", {"AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["python3", "/app/no.py"]}}, "/app/no.py"),
        (
            "ProcessingJob",
            {"AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["sh"]}, "ProcessingInputs": [s3_input("a", "s3://b/c", S3InputMode="Pipe")]},
            "Pipe",
        ),
        (
            "ProcessingJob",
            {
                "AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["sh"]},
                "ProcessingInputs": [s3_input("a", "s3://b/c", LocalPath="/opt/ml/../../etc")],
            },
            "/etc",
        ),
        ("TrainingJob", {"AlgorithmSpecification": {"TrainingImage": "xgboost", "TrainingInputMode": "File"}}, "xgboost"),
        (
            "TrainingJob",
            {"AlgorithmSpecification": {"TrainingInputMode": "File"}, "HyperParameters": {"sagemaker_program": "a.py"}},
            "sagemaker_submit_directory",
        ),
        ("TrainingJob", {"ServerlessJobConfig": {}}, "serverless"),
        ("AutoMLJob", {}, "AutoML"),
    ],
)  # fmt: skip
def test_check_says_why_a_job_cannot_run(simple: Bench, kind: str, request_: dict[str, Any], reason: str) -> None:
    assert reason in str(runnable.why_not(simple.local, REGION, kind, request_))


def test_jobs_that_cannot_run_can_be_refused() -> None:
    with local_sagemaker(LocalSettings(images="refuse")) as local:
        bench = Bench(local)
        with pytest.raises(bench.sagemaker.exceptions.ClientError, match="images do not run here"):
            bench.process("no-code")
        bench.process("code", "true")
        assert bench.wait("ProcessingJob", "code")["ProcessingJobStatus"] == "Completed"


def test_everything_can_be_simulated_with_prepared_outputs(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "evaluation.json").write_text("{}")
    settings = LocalSettings(images="simulate-all", simulated_outputs=tmp_path, simulated_seconds=0.2)
    with local_sagemaker(settings) as local:
        bench = Bench(local)
        started = time.monotonic()
        bench.process("a", "false", ProcessingOutputConfig={"Outputs": [s3_output("report", "s3://bucket/prepared")]})
        bench.process("b", "false")
        bench.sagemaker.stop_processing_job(ProcessingJobName="b")
        assert bench.wait("ProcessingJob", "b")["ProcessingJobStatus"] == "Stopped"
        assert bench.wait("ProcessingJob", "a")["ProcessingJobStatus"] == "Completed"
        assert time.monotonic() - started >= 0.2
        assert bench.keys("prepared") == ["prepared/evaluation.json"]


def test_automl_and_foundation_model_jobs_are_records(simple: Bench) -> None:
    simple.sagemaker.create_auto_ml_job(
        AutoMLJobName="automl",
        RoleArn=ROLE,
        InputDataConfig=[
            {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/t"}},
                "TargetAttributeName": "y",
            }
        ],
        OutputDataConfig={"S3OutputPath": "s3://bucket/automl"},
        AutoMLJobObjective={"MetricName": "AUC"},
    )
    simple.wait("AutoMLJob", "automl")
    job = simple.sagemaker.describe_auto_ml_job(AutoMLJobName="automl")
    assert (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]) == ("Completed", "Completed")
    best = job["BestCandidate"]
    assert best["FinalAutoMLJobObjectiveMetric"]["MetricName"] == "AUC"
    places = best["CandidateProperties"]["CandidateArtifactLocations"]
    bucket = "s3://bucket/"
    assert simple.keys(places["Explainability"].removeprefix(bucket))[0].endswith("analysis.json")
    assert simple.keys(places["ModelInsights"].removeprefix(bucket))[0].endswith("statistics.json")
    assert simple.keys(best["InferenceContainers"][0]["ModelDataUrl"].removeprefix(bucket))


# Faults, queue, restart


def test_faults_fail_and_hang_jobs(simple: Bench) -> None:
    simple.local.faults.add("capacity", operation="CreateTrainingJob", name="unlucky")
    simple.local.faults.add("hang", name="hanging")
    simple.train("unlucky", {"ContainerEntrypoint": ["true"]})
    simple.process("hanging", "true")
    job = simple.wait("TrainingJob", "unlucky")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("CapacityError: ")
    time.sleep(0.2)
    assert simple.describe("ProcessingJob", "hanging")["ProcessingJobStatus"] == "InProgress"
    simple.sagemaker.stop_processing_job(ProcessingJobName="hanging")
    assert simple.wait("ProcessingJob", "hanging")["ProcessingJobStatus"] == "Stopped"


def test_a_job_that_was_stopped_before_its_start_does_not_run(simple: Bench) -> None:
    record = {"ProcessingJobName": "early", "ProcessingJobArn": "arn", "ProcessingJobStatus": "InProgress"}
    command = {"AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["sleep", "60"]}}
    simple.local.store.put(REGION, "ProcessingJob", "early", {**record, **command, "CreationTime": time.time()})
    simple.local.jobs.stop(REGION, "ProcessingJob", "early")
    simple.local.jobs.start(REGION, "ProcessingJob", "early")
    stored = simple.local.store.get(REGION, "ProcessingJob", "early")
    assert stored is not None and stored["ProcessingJobStatus"] == "Stopped"
    assert "ProcessingStartTime" not in stored and not list(simple.local.work.glob("jobs/*early*"))
    simple.local.store.remove(REGION, "ProcessingJob", "early")


def test_jobs_wait_for_a_place_and_can_be_stopped_before_they_have_one() -> None:
    with local_sagemaker(LocalSettings(max_processes=1, isolation="paths")) as local:
        bench = Bench(local)
        bench.process("first", "sleep", "0.5")
        bench.process("second", "true")
        bench.process("third", "true")
        bench.sagemaker.stop_processing_job(ProcessingJobName="third")
        assert bench.wait("ProcessingJob", "third")["ProcessingJobStatus"] == "Stopped"
        assert bench.describe("ProcessingJob", "first")["ProcessingJobStatus"] == "InProgress"
        first, second = bench.wait("ProcessingJob", "first"), bench.wait("ProcessingJob", "second")
        assert first["ProcessingEndTime"] <= second["ProcessingStartTime"]


def test_our_own_errors_fail_the_job_and_never_leave_it_hanging(
    simple: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sagemaker_provider.local.transfers.upload", lambda *_: 1 / 0)
    simple.process("broken", "true", ProcessingOutputConfig={"Outputs": [s3_output("out", "s3://bucket/broken")]})
    assert simple.wait("ProcessingJob", "broken")["FailureReason"].startswith("InternalServerError: ZeroDivisionError")
    assert "ZeroDivisionError" in caplog.text


def test_jobs_start_again_with_the_next_server(tmp_path: Path) -> None:
    settings = LocalSettings(data=tmp_path, isolation="paths")
    flag = tmp_path / "flag"
    code = f"echo run >> {flag}; test $(wc -l < {flag}) -gt 1 || sleep 60"
    with local_sagemaker(settings) as local:
        bench = Bench(local)
        bench.process("again", "sh", "-c", code)
        local.faults.add("hang", name="stopping")
        bench.process("stopping", "true")
        local.store.change(REGION, "ProcessingJob", "stopping", ProcessingJobStatus="Stopping")
        end = time.monotonic() + 10
        while not flag.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
    with local_sagemaker(settings) as local:
        bench = Bench(local)
        assert bench.wait("ProcessingJob", "again")["ProcessingJobStatus"] == "Completed"
        assert bench.describe("ProcessingJob", "stopping")["ProcessingJobStatus"] == "Stopped"
    assert flag.read_text() == "run\nrun\n"


def test_closing_leaves_no_process_and_reset_no_job() -> None:
    with local_sagemaker(LocalSettings(isolation="paths")) as local:
        bench = Bench(local)
        bench.process("one", "sh", "-c", "echo $$; sleep 60")
        end = time.monotonic() + 10
        while not (log := _job_log(bench)) and time.monotonic() < end:
            time.sleep(0.02)
        local.reset()
        assert not Path("/proc", log).exists()
        assert local.store.records(REGION, "ProcessingJob") == []
        bench.process("one", "true")
        assert bench.wait("ProcessingJob", "one")["ProcessingJobStatus"] == "Completed"


def _job_log(bench: Bench) -> str:
    return "".join(path.read_text().strip() for path in (bench.local.work / "jobs").glob("*/log"))


def test_a_killed_server_takes_its_jobs_with_it(tmp_path: Path) -> None:
    import subprocess

    script = tmp_path / "server.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from job_tools import Bench\n"
        "from sagemaker_provider.local.service import LocalSettings, local_sagemaker\n"
        "import time\n"
        "with local_sagemaker(LocalSettings()) as local:\n"
        "    bench = Bench(local)\n"
        "    bench.process('long', 'sh', '-c', 'echo $$; sleep 61 & echo $!; setsid sleep 62 & echo $!; echo ready; wait')\n"
        "    bench.wait_for_line('ProcessingJob', 'long', 'ready')\n"
        "    print(*bench.log('ProcessingJob', 'long')[1:4], flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # it cannot remove its folder
    server = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        pids = server.stdout.readline().split()
        assert len(pids) == 3 and all(Path("/proc", pid).exists() for pid in pids)
    finally:
        server.send_signal(signal.SIGKILL)
        server.communicate()
    end = time.monotonic() + 5
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < end
        time.sleep(0.02)


def _alive(pid: str) -> bool:
    status = Path("/proc", pid, "stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_many_threads_may_start_and_stop_jobs(simple: Bench) -> None:
    def work(index: int) -> None:
        simple.process(f"many-{index}", "sh", "-c", "sleep 0.1")
        if index % 2:
            simple.sagemaker.stop_processing_job(ProcessingJobName=f"many-{index}")

    threads = [threading.Thread(target=work, args=(index,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = [simple.wait("ProcessingJob", f"many-{index}")["ProcessingJobStatus"] for index in range(12)]
    assert states[::2] == ["Completed"] * 6 and set(states[1::2]) <= {"Stopped", "Completed"}
