"""What a person and a lineage backend are told, in real Airflow on the local SageMaker: log, failure, links, OpenLineage."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sagemaker_provider.local.service import LocalSettings, local_sagemaker

DAG_FILE = Path(__file__).parents[1] / "dags" / "telling.py"
PROGRAM = """
import json, sys
from pathlib import Path
from sagemaker_provider.local.dag_runs import _load
run = _load(Path(sys.argv[1]), "telling").test()
keys = ("sagemaker_console_url", "sagemaker_logs_url")
tasks = {ti.task_id: [ti.state, *[ti.xcom_pull(task_ids=ti.task_id, key=key) for key in keys]] for ti in run.get_task_instances()}
Path(sys.argv[2]).write_text(json.dumps(tasks, default=str))
"""
SECRET = "correct-horse-battery"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, airflow_home: Path) -> dict[str, Any]:
    """Everything that one run of the DAG tells. The OpenLineage listener is there only in a process of its own."""
    folder = tmp_path_factory.mktemp("telling")
    file = airflow_home / "dags" / DAG_FILE.name
    shutil.copy(DAG_FILE, file)
    with local_sagemaker(LocalSettings()) as local:
        s3 = local.client("s3", "us-west-2")
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        s3.put_object(Bucket="bucket", Key="in/a.csv", Body=b"1")
        with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
            archive.writestr("ask.py", "def run(event, context):\n    print('looking for', event['what'])\n    1 / 0")
        local.client("lambda", "us-west-2").create_function(
            FunctionName="ask",
            Runtime="python3.12",
            Role="arn:aws:iam::123456789012:role/ask",
            Handler="ask.run",
            Code={"ZipFile": packed.getvalue()},
        )
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **local.environment,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                {"type": "file", "log_file_path": str(folder / "events"), "append": True}
            ),
            "FAILURES": str(folder / "failures"),
        }
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(file), str(folder / "tasks")],
            env=environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=300,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    events = [json.loads(line) for line in (folder / "events").read_text().splitlines()]
    return {
        "log": run.stdout + run.stderr,
        "tasks": json.loads((folder / "tasks").read_text()),
        "failures": {
            line["task"]: line["error"] for line in map(json.loads, (folder / "failures").read_text().splitlines())
        },
        "events": [event for event in events if event["job"]["name"].startswith("telling.")],
    }


def event(told: dict[str, Any], task: str, kind: str) -> Any:
    """The last OpenLineage event of a kind of a task; a deferred task starts twice."""
    name = f"telling.{task}"
    return [item for item in told["events"] if item["job"]["name"] == name and item["eventType"] == kind][-1]


def datasets(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Namespaces and names."""
    return [(item["namespace"], item["name"]) for item in items]


def test_the_end_of_the_log_is_in_the_log_of_a_task_that_works(told: dict[str, Any]) -> None:
    assert told["tasks"]["works"][0] == "success"
    assert "read 3 rows" in told["log"]


def test_a_failure_tells_the_end_of_the_log_and_the_page(told: dict[str, Any]) -> None:
    assert set(told["failures"]) == {"fails", "asks"}
    text = told["failures"]["fails"]
    assert "ended as Failed: AlgorithmError" in text
    assert "  cannot use ***" in text
    assert "#/processing-jobs/fails-" in text


def test_a_failed_function_tells_its_error_and_what_it_wrote(told: dict[str, Any]) -> None:
    text = told["failures"]["asks"]
    assert "division by zero" in text
    assert "The end of its log:" in text
    assert "  looking for rows" in text


def test_the_secret_is_nowhere(told: dict[str, Any]) -> None:
    assert "with ***" in told["log"]
    for place in ("log", "failures", "events"):
        assert SECRET not in json.dumps(told[place]), place


@pytest.mark.parametrize("task", ["works", "fails"])
def test_links_are_there_however_the_task_ended(told: dict[str, Any], task: str) -> None:
    _, job, log = told["tasks"][task]
    assert f"#/processing-jobs/{task}-" in job
    assert f"ProcessingJobs$3FlogStreamNameFilter$3D{task}-" in log


def test_openlineage_knows_what_was_read_and_written(told: dict[str, Any]) -> None:
    assert datasets(event(told, "works", "START")["inputs"]) == [("s3://bucket", "in")]
    done = event(told, "works", "COMPLETE")
    assert datasets(done["inputs"]) == [("s3://bucket", "in")]
    assert datasets(done["outputs"]) == [("s3://bucket", "out")]
    assert ":processing-job/works-" in done["run"]["facets"]["externalQuery"]["externalQueryId"]


def test_openlineage_knows_a_model(told: dict[str, Any]) -> None:
    done = event(told, "model", "COMPLETE")
    assert datasets(done["inputs"]) == [("s3://bucket", "model.tar.gz")]
    ((namespace, name),) = datasets(done["outputs"])
    assert namespace.startswith("arn:aws:sagemaker:us-west-2:")
    assert name.startswith("model/model-")


def test_openlineage_knows_why_it_failed(told: dict[str, Any]) -> None:
    facets = event(told, "fails", "FAIL")["run"]["facets"]
    assert ":processing-job/fails-" in facets["externalQuery"]["externalQueryId"]
    assert "ended as Failed" in facets["errorMessage"]["message"]
