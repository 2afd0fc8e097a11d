"""The demo runs both ways, in a process of its own as ``make demo`` does, and tells where they differ."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sagemaker_provider.definition.step_types import PROCESSING_JOB
from sagemaker_provider.local.demo import Job, differences, request_of

JOBS = ["prepare", "train", "evaluate", "register", "create_model"]
DESCRIPTION = {
    "ProcessingJobName": "work-1x",
    "ProcessingJobStatus": "Completed",
    "AppSpecification": {"ImageUri": "image", "ContainerArguments": ["--job", "work-1x", "--attempt", "1", "1x"]},
    "Environment": {"FOLDER": "s3://bucket/1x/work-1x"},
}


def test_both_ways_make_the_same_requests_and_the_same_model(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sagemaker_provider.local.demo", "--home", str(tmp_path / "home")]
    own = {"AWS_PROFILE": "absent", "AWS_ENDPOINT_URL_SAGEMAKER": "http://127.0.0.1:9"}  # settings that newcomers have
    environment = {**os.environ, **own, "COLUMNS": "200"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    lines = found.stdout.partition("5. ")[2].splitlines()
    rows = {row[0]: row[1:] for row in ([cell.strip() for cell in line.split("│")[1:-1]] for line in lines) if row}
    assert list(rows) == [*JOBS, "validation", "test"]
    for step in JOBS:
        one, other, same = rows[step]
        assert one and other and one != other and same == "yes"
    for metric in ("validation", "test"):
        one, other, same = rows[metric]
        assert 2500 < float(one) < 3500 and one == other and same == "yes"


def test_only_generated_names_are_replaced_in_a_request() -> None:
    text = request_of(PROCESSING_JOB, DESCRIPTION, {"work-1x": "<work>", "1x": "<execution>"})
    assert "Name" not in text and "Status" not in text
    assert '"s3://bucket/<execution>/<work>"' in text
    assert "role" in request_of(PROCESSING_JOB, {**DESCRIPTION, "RoleArn": "role"}, {"work-1x": "<work>"})


def test_other_requests_and_missing_steps_are_differences() -> None:
    one, other = Job("a-1", '{\n "alpha": "0.1"\n}', {}), Job("a-2", '{\n "alpha": "0.2"\n}', {})
    assert differences({"train": one}, {"train": one}) == {}
    assert '- "alpha": "0.1"\n+ "alpha": "0.2"' in differences({"train": one}, {"train": other})["train"]
    assert list(differences({"train": one}, {"train": one, "work": other})) == ["work"]
