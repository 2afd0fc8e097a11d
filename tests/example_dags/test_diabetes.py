"""The diabetes example converts as it is, and its scripts train a sane model without anything of AWS."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sagemaker_provider import example_dags
from sagemaker_provider.translator import convert

EXAMPLES = Path(example_dags.__file__).parent
SCRIPTS = ("prepare.py", "train.py", "evaluate.py")


def script(name: str, *arguments: str, **environment: Path) -> str:
    """Run a script as a job does; its output."""
    command = [sys.executable, str(EXAMPLES / "diabetes" / name), *arguments]
    variables = {**os.environ, **{key: str(value) for key, value in environment.items()}}
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the three scripts leave, run one after the other in a folder in place of /opt/ml/processing."""
    folder = tmp_path_factory.mktemp("ml")
    (folder / "model").mkdir()
    (folder / "trained").mkdir()
    script("prepare.py", "--folder", str(folder))
    log = script("train.py", "--alpha", "0.1", SM_CHANNEL_TRAIN=folder / "train", SM_MODEL_DIR=folder / "trained")
    (folder / "train.log").write_text(log)
    with tarfile.open(folder / "model" / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "trained" / "model.joblib", "model.joblib")
    script("evaluate.py", "--folder", str(folder))
    return folder


def test_converts_without_errors_and_differences() -> None:
    conversion = convert(runpy.run_path(str(EXAMPLES / "diabetes.py"))["dag"])
    assert not conversion.findings
    assert conversion.definition is not None
    assert [step["Type"] for step in json.loads(conversion.definition.to_json())["Steps"]] == [
        "Processing",
        "Training",
        "Processing",
        "Condition",
    ]


def test_no_row_is_lost_or_used_twice(folder: Path) -> None:
    parts = [np.loadtxt(folder / name / f"{name}.csv", delimiter=",") for name in ("train", "test")]
    assert [len(part) for part in parts] == [331, 111]
    assert len(np.unique(np.vstack(parts), axis=0)) == 442


def test_the_model_explains_about_half_of_the_variance(folder: Path) -> None:
    metrics = json.loads((folder / "evaluation" / "evaluation.json").read_text())["regression_metrics"]
    target = np.loadtxt(folder / "test" / "test.csv", delimiter=",")[:, 0]
    assert 0.4 < metrics["r2"]["value"] < 0.6
    assert metrics["mse"]["value"] == pytest.approx((1 - metrics["r2"]["value"]) * target.var())


def test_the_log_has_the_metric_that_the_job_looks_for(folder: Path) -> None:
    dag = runpy.run_path(str(EXAMPLES / "diabetes.py"))["dag"]
    (metric,) = dag.get_task("train").config["AlgorithmSpecification"]["MetricDefinitions"]
    (value,) = re.findall(metric["Regex"], (folder / "train.log").read_text())
    assert 2500 < float(value) < 3500


def test_alpha_reaches_the_model(folder: Path, tmp_path: Path) -> None:
    log = script("train.py", "--alpha", "100", SM_CHANNEL_TRAIN=folder / "train", SM_MODEL_DIR=tmp_path)
    assert log != (folder / "train.log").read_text()


def test_the_model_brings_the_code_that_serves_it(folder: Path) -> None:
    served: Any = runpy.run_path(str(folder / "trained" / "code" / "train.py"))["model_fn"](folder / "trained")
    rows = np.loadtxt(folder / "test" / "test.csv", delimiter=",")
    assert served.predict(rows[:, 1:]).shape == (111,)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_run_on_the_python_of_the_container(name: str) -> None:
    ast.parse((EXAMPLES / "diabetes" / name).read_text(), feature_version=(3, 9))
