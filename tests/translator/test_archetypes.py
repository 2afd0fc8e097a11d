"""DAGs in the shapes that teams have: what becomes of each, and the same results in Airflow and as a pipeline."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from archetype_ways import FOLDER, both_ways, converted, outline, verdict

from sagemaker_provider.cli import main
from sagemaker_provider.definition import PipelineDefinition
from sagemaker_provider.definition.findings import Finding
from sagemaker_provider.local.service import LocalSettings, local_sagemaker

EXPECTED: dict[str, dict[str, list[str]]] = yaml.safe_load((FOLDER / "expected.yaml").read_text(encoding="utf-8"))
COMPANIONS = {"team_config", "snowflake_operator"}
CHURN = "churned,calls,minutes\n" + "".join(f"{n % 2},{n},{n * 3.5}\n" for n in range(9)) + ",7,1\n"
DAYS = [datetime.now(timezone.utc) + timedelta(days=number) for number in (0, 1)]  # the tests may run at midnight
MONTHS = {f"{day - timedelta(days=60):%Y%m}" for day in DAYS}
MODELS = ("clv-champion", "clv-challenger", "customer-value", "telco-live")
often = pytest.mark.skipif(os.environ.get("ARCHETYPES") != "all", reason="takes long; ARCHETYPES=all runs it")


def test_every_file_is_expected() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} - COMPANIONS == set(EXPECTED)


@pytest.mark.parametrize("dag_id", sorted(EXPECTED))
def test_verdict(dag_id: str) -> None:
    """The steps, where they are and what they wait for; the errors and differences, and their tasks."""
    conversion = converted(dag_id)
    assert verdict(conversion.findings) == EXPECTED[dag_id]["findings"], [str(item) for item in conversion.findings]
    assert outline(conversion.definition) == EXPECTED[dag_id].get("steps", [])


@pytest.fixture(scope="module")
def _server() -> Iterator[Any]:
    with local_sagemaker(LocalSettings(max_processes=4)) as local:
        yield local


@pytest.fixture
def local(_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A local SageMaker; the environment points at it, and DAG files find the modules beside them."""
    for name, value in _server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(FOLDER))
    return _server


@pytest.mark.parametrize(
    ("dag_id", "seed", "conf"),
    [
        pytest.param(
            "isolation_forest", {f"transactions/{day:%Y-%m-%d}/a.csv": "1,2\n" for day in DAYS}, {}, marks=often
        ),
        pytest.param("dbt_in_processing", {}, {}, marks=often),
        ("churn_prep_train", {"churn/raw/export.csv": CHURN}, {}),
        pytest.param("churn_prep_train", {"churn/raw/export.csv": CHURN}, {"max_depth": 7}, marks=often),
        pytest.param("churn_to_endpoint", {"churn/raw/export.csv": CHURN}, {}, marks=often),
        pytest.param("digits_taskflow", {}, {}, marks=often),
        ("model_to_endpoint", {"condor/train/a.csv": "1,2\n"}, {}),
        pytest.param(
            "confidence_score",
            {f"confidence/{name}/in/month={month}/a.csv": "1\n" for name in ("cards", "loans") for month in MONTHS},
            {},
            marks=often,
        ),
        pytest.param("hpo_or_train", {"reviews/train/a.csv": "1,2\n"}, {}, marks=often),
        ("eval_gate_register", {"abalone/train/a.csv": "1,2\n"}, {}),
        pytest.param("eval_gate_register", {"abalone/train/a.csv": "1,2\n"}, {"rmse_threshold": 2.5}, marks=often),
        ("drift_gated_retrain", {"telco/in/day.csv": "1,0\n1.2,0\n"}, {}),
        pytest.param("drift_gated_retrain", {"telco/in/day.csv": "4,0\n"}, {}, marks=often),
        pytest.param("glue_train_deploy", {"events/clean/a.csv": "1\n"}, {}, marks=often),
        pytest.param(
            "nightly_scoring",
            {
                f"scoring/{key}": "1\n"
                for day in DAYS
                for key in (f"in/{day:%Y-%m-%d}/customers.csv", f"out/{day:%Y-%m-%d}/old.out")
            },
            {},
            marks=often,
        ),
        pytest.param("paths_by_hand", {"products/raw/all.csv": "1,2\n3,4\n"}, {}, marks=often),
        pytest.param("paths_by_hand", {"products/raw/all.csv": "1,2\n3,4\n"}, {"stage": "prod"}, marks=often),
        pytest.param("boto3_training", {}, {}, marks=often),
        pytest.param("shadow_test", {"clv/in/a.csv": "1\n2\n", "clv/challenger/old.out": "1\n2\n"}, {}, marks=often),
        pytest.param("shadow_test", {"clv/in/a.csv": "1\n2\n"}, {"tolerance": 3.0}, marks=often),
    ],
)
def test_both_ways(
    local: Any, airflow: Any, tmp_path: Path, dag_id: str, seed: dict[str, str], conf: dict[str, Any]
) -> None:
    one, other = both_ways(local, airflow, dag_id, tmp_path, seed=seed, models=MODELS, conf=conf)
    assert other.states == one.states, other.returned
    assert "failed" not in one.states.values()
    assert other.requests == one.requests
    assert other.returned == one.returned
    assert other.objects == one.objects


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes the DAGs without errors, with what goes with them, and says the same of all."""
    options = ["--defaults", str(FOLDER / "defaults.yaml"), "--output", str(tmp_path), "--format", "json"]
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(FOLDER), *options])
    assert ended.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert report["findings"] == []
    assert [entry["dag"] for entry in report["dags"]] == sorted(EXPECTED)
    for entry in report["dags"]:
        expected = EXPECTED[entry["dag"]]
        assert verdict(Finding(**item) for item in entry["findings"]) == expected["findings"]
        assert (entry["output"] is not None) == ("steps" in expected)
        if entry["output"]:
            definition = PipelineDefinition.from_json(Path(entry["output"]).read_text(encoding="utf-8"))
            assert outline(definition) == expected["steps"]
            conversion = converted(entry["dag"])
            assert definition == conversion.definition
            folder = tmp_path / f"{conversion.pipeline['PipelineName']}.assets"
            written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
            assert written == set(conversion.assets)
