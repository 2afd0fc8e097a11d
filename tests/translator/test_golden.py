"""DAGs written for pipelines of AWS's examples become the definitions that AWS's SDK writes for these pipelines.

The definitions are in ``tests/data/golden``, the DAGs in ``tests/golden_dags``. ``normalise.py`` beside the definitions says
what two definitions may differ in and still be compared as equal.
"""

from __future__ import annotations

import ast
import json
import runpy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from sagemaker_provider.definition.expressions import Get, walk
from sagemaker_provider.definition.findings import Severity
from sagemaker_provider.definition.model import EXPERIMENT_OF_THE_PIPELINE, PipelineDefinition
from sagemaker_provider.translator import Conversion, Settings, convert

TESTS = Path(__file__).parents[1]
DAGS = TESTS / "golden_dags"
GOLDEN = TESTS / "data" / "golden"
NORMALISE = runpy.run_path(str(GOLDEN / "normalise.py"))


@dataclass(frozen=True)
class Case:
    """A DAG, the definition of the same pipeline, and how exactly they are compared.

    :param golden: definition written by AWS's SDK, below ``tests/data/golden``. The DAG file has the same stem.
    :param how: ``strict``; ``loose``, where the SDK writes defaults that the DAG leaves out; ``text``, loose and besides
        with every Join as the text it gives, where the DAG has a template in place of a Join.
    :param why: what makes ``strict`` impossible.
    :param implied: step -> what the SDK names in its ``DependsOn`` although other dependencies of the step imply it.
    :param experiment: ``PipelineExperimentConfig``.
    """

    golden: str
    how: str = "strict"
    why: str = ""
    implied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    experiment: Mapping[str, Any] = field(default_factory=lambda: EXPERIMENT_OF_THE_PIPELINE)

    @property
    def name(self) -> str:
        return Path(self.golden).stem

    @property
    def written_by_sdk(self) -> Any:
        return json.loads((GOLDEN / self.golden).read_text())


VERSION_3 = "version 3 of the SDK writes MlflowConfig null and CompressionType GZIP, and no AppManaged"
CASES = (
    Case("examples/abalone_train_eval_register_transform.json"),
    Case(
        "examples/automl_autopilot.json",
        how="text",
        why="the DAG has the templates s3://{{ params.S3Bucket }}/..., and no empty Bias in ModelMetrics",
    ),
    Case("examples/callback_glue.json"),
    Case("examples/clarify_model_monitor.json"),
    Case("examples/emr_running_cluster.json", implied={"EvaluateAbaloneModel": ("EMRStep",)}),
    Case(
        "examples/hyperparameter_tuning.json",
        how="loose",
        why="the SDK writes the empty CategoricalParameterRanges and IntegerParameterRanges",
    ),
    Case("examples/lambda_deploy.json", how="text", why="the DAG has the template s3://.../{{ run_id }}/..."),
    Case("examples/monitor_batch_transform_data_quality.json"),
    Case("examples/music_recommendation_dataprep.json"),
    Case("examples/notebook_job.json"),
    Case("examples/product_ratings_blazingtext.json"),
    Case(
        "examples/selective_execution_abalone.json",
        experiment={**EXPERIMENT_OF_THE_PIPELINE, "ExperimentName": "AbaloneExperimentsPipeline"},
    ),
    Case("examples/step_caching_1.json"),
    Case(
        "examples/template_restate_multi_model.json",
        experiment={"ExperimentName": "restate-2025-01-01-00-00-00", "TrialName": "restate-2025-01-01-00-00-00"},
    ),
    Case(
        "examples/v3_train_create_registry.json",
        how="loose",
        why=VERSION_3,
    ),
    Case("v3/cleanup_training.json", how="loose", why=VERSION_3),
    Case("v3/condition_all.json", how="loose", why=VERSION_3, implied={"Check": ("Up",)}),
    Case("v3/emr_serverless_existing.json", how="loose", why=VERSION_3),
    Case(
        "v3/endpoint_chain.json",
        how="loose",
        why="the SDK writes MlflowConfig null, empty Tags and a CacheConfig that is not enabled",
        implied={"Component": ("Create",)},
    ),
    Case("v3/joins.json", how="text", why=f"{VERSION_3}; numbers and booleans in a Join are written as Airflow does"),
    Case("v3/lineage.json", how="loose", why=VERSION_3, implied={"Use": ("Record",)}),
    Case("v3/retry_and_cache.json", how="loose", why=VERSION_3),
    Case("v3/step_dependency_failed.json", how="loose", why=VERSION_3),
)
cases = pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])


def converted(case: Case) -> Conversion:
    """The conversion of a case's DAG, from its file."""
    dag = runpy.run_path(str(DAGS / f"{case.name}.py"))["dag"]
    return convert(dag, Settings(experiment_config=case.experiment))


def definition_of(case: Case) -> PipelineDefinition:
    conversion = converted(case)
    assert conversion.definition is not None, "\n".join(map(str, conversion.findings))
    return conversion.definition


def as_text(value: Any) -> Any:
    """A definition with every Join as a Join of its pieces with nothing between them."""
    if isinstance(value, list):
        return [as_text(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"Std:Join"}:
        return {key: as_text(item) for key, item in value.items()}
    pieces: list[Any] = []
    for index, item in enumerate(value["Std:Join"]["Values"]):
        new = as_text(item)
        inner = new["Std:Join"]["Values"] if isinstance(new, dict) and set(new) == {"Std:Join"} else [new]
        pieces += [value["Std:Join"]["On"], *inner] if index else inner
    written = [piece if isinstance(piece, dict) else str(piece) for piece in pieces]
    return {"Std:Join": {"On": "", "Values": [piece for piece in written if piece != ""]}}


def all_steps(definition: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every step of a definition as JSON, those in branches included."""
    pending = list(definition["Steps"])
    while pending:
        step = pending.pop()
        yield step
        pending += [inner for key in ("IfSteps", "ElseSteps") for inner in step["Arguments"].get(key, ())]


def without(definition: dict[str, Any], implied: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """A definition without some names in ``DependsOn``, all of which must be there."""
    for step in all_steps(definition):
        for name in implied.get(step["Name"], ()):
            step["DependsOn"].remove(name)
        if step.get("DependsOn") == []:
            del step["DependsOn"]
    return definition


def differences(case: Case, ours: Any, how: str) -> list[str]:
    """What differs between our definition of a case and that of the SDK, ours first."""
    theirs = without(case.written_by_sdk, case.implied)
    if how == "text":
        ours, theirs = as_text(ours), as_text(theirs)
    found = NORMALISE["compare"](ours, theirs, loose=how != "strict")
    return [f"{place}\n    ours {json.dumps(mine)}\n    SDK  {json.dumps(sdk)}" for place, mine, sdk in found]


@cases
def test_a_dag_becomes_the_definition_that_the_sdk_writes(case: Case) -> None:
    found = differences(case, json.loads(definition_of(case).to_json()), case.how)

    assert not found, "\n".join([f"{len(found)} differences:", *found])


@cases
def test_the_conversion_has_no_errors(case: Case) -> None:
    errors = [str(item) for item in converted(case).findings if item.severity is Severity.ERROR]

    assert not errors, "\n".join(errors)


@cases
def test_two_conversions_give_the_same_bytes(case: Case) -> None:
    first, second = converted(case), converted(case)

    assert definition_of(case).to_json().encode() == definition_of(case).to_json().encode()
    assert (first.findings, first.pipeline) == (second.findings, second.pipeline)


@cases
def test_a_case_is_compared_as_strictly_as_it_can_be(case: Case) -> None:
    stricter = {"strict": None, "loose": "strict", "text": "loose"}[case.how]
    assert (stricter is None) == (case.why == "")
    if stricter is not None:
        ours = json.loads(definition_of(case).to_json())
        assert differences(case, ours, stricter), f"{case.name} can be compared by {stricter!r}"


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.implied])
def test_dependencies_that_we_leave_out_are_implied_by_others(case: Case) -> None:
    order = nx.DiGraph()
    for step, enclosing in definition_of(case).all_steps():
        order.add_edges_from((name, step.name) for name, _ in step.dependencies())
        order.add_edges_from((outer.name, step.name) for outer, _ in enclosing)
        order.add_edges_from(
            (expression.name, step.name)
            for _, expression in walk([step.own_arguments(), step.members])
            if isinstance(expression, Get) and expression.scope == "Steps"
        )

    for name, upstreams in case.implied.items():
        for upstream in upstreams:
            assert nx.has_path(order, upstream, name), f"{name} does not wait for {upstream}"


def changed(value: Any) -> Iterator[tuple[str, Any]]:
    """Copies of a JSON value, each with another change of a text, a number or a list, and the place of the change."""
    if isinstance(value, dict):
        for key, item in value.items():
            for place, new in changed(item):
                yield f".{key}{place}", {**value, key: new}
    elif isinstance(value, list):
        if value:
            yield "[-1]", value[:-1]
        for index, item in enumerate(value):
            for place, new in changed(item):
                yield f"[{index}]{place}", [*value[:index], new, *value[index + 1 :]]
    elif isinstance(value, str):
        yield "", f"{value}x"
    elif isinstance(value, (bool, int, float)):
        yield "", value + 1


@pytest.mark.parametrize("name", ["endpoint_chain", "automl_autopilot", "callback_glue"])
def test_the_comparison_sees_every_change_of_a_value(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    ours = json.loads(definition_of(case).to_json())

    unseen = [place for place, other in changed(ours) if not differences(case, other, case.how)]

    assert not unseen


def test_references_and_parameters_of_the_dags_come_from_the_api() -> None:
    for path in sorted(DAGS.glob("*.py")):
        texts = [
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        embedded = [
            text for text in texts if text == "Get" or text.startswith(("Std:", "Steps.", "Parameters.", "Execution."))
        ]
        assert not embedded, f"{path.name} spells expressions: {embedded}"


def test_every_dag_and_every_definition_belongs_to_a_case() -> None:
    assert {path.stem for path in DAGS.glob("*.py")} - {"common"} == {case.name for case in CASES}
    assert {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*.json")} == {case.golden for case in CASES}


@pytest.mark.parametrize("name", ["normalise.py", *(case.golden for case in CASES)])
def test_the_copies_are_those_beside_the_checkout(golden: Path, name: str) -> None:
    assert (GOLDEN / name).read_bytes() == (golden / name).read_bytes()
