"""Imports point one way; the contracts are in ``pyproject.toml`` under ``[tool.importlinter]``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def test_imports_keep_the_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    report = capsys.readouterr().out
    assert status == 0, report
    assert "Contracts: 3 kept, 0 broken" in report


def test_every_subpackage_is_under_a_contract() -> None:
    """A contract about a package that does not exist, or a package without one, would pass unseen."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = text.partition("[tool.importlinter]")[2]
    folders = [path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("provider", "tests")]
    modules = [path.stem for path in (ROOT / "provider").glob("*.py") if path.stem != "__init__"]
    assert {"definition", "operators"} <= set(folders)
    assert {"cli", "commands"} <= set(modules)
    for name in {*folders, *modules} - {"example_dags"}:
        assert f"sagemaker_provider.{name}" in contracts, name


def test_reading_and_validating_a_definition_loads_neither_airflow_nor_boto3() -> None:
    program = (
        "import sys; from sagemaker_provider.definition import PipelineDefinition as P\n"
        'P.from_json(\'{"Steps": [{"Name": "E", "Type": "EMR", "Arguments": {}}]}\').validate()\n'
        "print(sorted({'airflow', 'boto3', 'moto'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
