"""The files of the generated functions: code that stands alone, templates that are valid."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sagemaker_provider.translator import functions
from sagemaker_provider.translator.services import KINDS, PREFIX


class Tags(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as ``{name: argument}``."""


def _tagged(loader: Any, suffix: str, node: Any) -> Any:
    kinds = {yaml.ScalarNode: loader.construct_scalar, yaml.SequenceNode: loader.construct_sequence}
    return {suffix: kinds[type(node)](node)}


Tags.add_multi_constructor("!", _tagged)


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_needs_only_what_lambda_has(kind: str) -> None:
    text = functions.source(kind)
    tree = ast.parse(text)
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots = {name.partition(".")[0] for name in modules}
    assert roots - sys.stdlib_module_names <= {"boto3", "botocore", "jmespath", "dateutil"}
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    defined |= {node.targets[0].id for node in tree.body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert defined - {KINDS[kind].handler} <= used
    assert len(text.splitlines()) < 180


@pytest.mark.parametrize("kind", KINDS)
def test_the_code_is_without_undefined_names(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "index.py"
    file.write_text(functions.source(kind), encoding="utf-8")
    ruff = shutil.which("ruff") or str(Path(sys.executable).with_name("ruff"))
    if not Path(ruff).exists():
        pytest.skip("ruff is not installed")
    found = subprocess.run(
        [ruff, "check", "--isolated", "--select", "F,E9", str(file)], check=False, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_template_holds_what_the_work_needs(kind: str) -> None:
    row = KINDS[kind]
    template = yaml.load(functions.template(kind), Tags)
    resources = template["Resources"]
    function = resources["Function"]["Properties"]
    assert function["FunctionName"] == f"{PREFIX}{kind}"
    assert function["Code"]["ZipFile"] == functions.source(kind)
    assert function["Handler"] == f"index.{row.handler}"
    assert set(resources) == {"Role", "Logs", "Function", *(("Queue", "Failed", "Messages") if row.waits else ())}
    statements = resources["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    allowed = {action: item["Resource"] for item in statements for action in item["Action"]}
    assert {*row.actions, *row.reads} <= set(allowed)
    assert all("*" not in action for action in allowed)
    assert all(allowed[action] == {"Ref": "Resources"} for action in row.actions)
    assert ("iam:PassRole" in allowed) == row.passes_roles
    if row.waits:
        queue = resources["Queue"]["Properties"]
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]  # as Lambda asks for
        assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"GetAtt": "Failed.Arn"}


def test_the_templates_pass_cfn_lint(tmp_path: Path) -> None:
    lint = Path(sys.executable).with_name("cfn-lint")
    if not lint.exists():
        pytest.skip("cfn-lint is not installed")
    for kind in KINDS:
        (tmp_path / f"{kind}.yaml").write_text(functions.template(kind), encoding="utf-8")
    found = subprocess.run(
        [str(lint), *map(str, sorted(tmp_path.iterdir()))], check=False, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout


def test_the_files_are_the_same_in_every_process() -> None:
    code = "from sagemaker_provider.translator import functions; print(functions.template('glue-job'), end='')"
    other = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONHASHSEED": "7", **_path()},
    )
    assert other.stdout == functions.template("glue-job"), other.stderr


def _path() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key in ("PYTHONPATH", "PATH", "HOME", "AIRFLOW_HOME")}


def test_permissions_are_those_of_the_methods_called() -> None:
    """Every method that the table names has the action of its name among the permissions."""
    for name, kind in KINDS.items():
        allowed = {action.partition(":")[2] for action in (*kind.actions, *kind.reads)}
        for method in filter(None, (kind.start, kind.look, kind.find[0], kind.stop[0])):
            assert method.title().replace("_", "") in allowed, (name, method)
