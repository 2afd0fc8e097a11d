"""Translators are found by class and base class; other packages bring theirs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator
from dag_makers import FUNCTION, EmptyOperator, codes, empty, make_dag, messages, step, steps_of

from sagemaker_provider.definition.findings import finding
from sagemaker_provider.translator import Stays, TaskStep, Vanishes, convert, registry, translates


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Registrations of a test end with it."""
    registry._load()
    monkeypatch.setattr(registry, "_TRANSLATORS", dict(registry._TRANSLATORS))
    yield
    registry._load.cache_clear()


class InvokeOperator(BaseOperator):
    """An operator of another package."""

    def __init__(self, *, payload: dict[str, Any] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.payload = payload or {}


class NightlyInvokeOperator(InvokeOperator):
    """One that is based on it."""


EMPTY = f"{EmptyOperator.__module__}.EmptyOperator"
NAME = f"{InvokeOperator.__module__}.{InvokeOperator.__qualname__}"


def lambda_of(task: Any, given: Any) -> TaskStep:
    return TaskStep(
        type="Lambda",
        arguments=task.payload,
        members={"FunctionArn": FUNCTION, "OutputParameters": ()},
        xcom=lambda key, segments: ("OutputParameters", *segments),
    )


def of(*tasks: Any) -> Any:
    return convert(tasks[0].dag)


def test_an_operator_without_translator_is_refused_and_named() -> None:
    with make_dag() as dag:
        InvokeOperator(task_id="invoke")
    conversion = convert(dag)
    assert conversion.definition is None
    assert codes(conversion) == ["SMP201"]
    assert messages(conversion, "SMP201") == [f"no translation for {NAME}"]


@pytest.mark.parametrize("operator", [InvokeOperator, NightlyInvokeOperator])
def test_a_registered_translator_serves_a_class_and_its_subclasses(operator: type[InvokeOperator]) -> None:
    translates(NAME)(lambda_of)
    with make_dag(params={"p": "x"}) as dag:
        operator(task_id="invoke", payload={"v": "{{ params.p }}"}) >> step("after")
    steps = steps_of(convert(dag))
    assert steps["invoke"]["Type"] == "Lambda"
    assert steps["invoke"]["Arguments"] == {"v": {"Get": "Parameters.p"}}
    assert steps["after"]["DependsOn"] == ["invoke"]


def test_the_nearest_class_decides() -> None:
    translates(NAME)(lambda_of)
    translates(NAME.replace("InvokeOperator", "NightlyInvokeOperator"))(lambda task, given: Vanishes())
    with make_dag() as dag:
        step("before") >> NightlyInvokeOperator(task_id="invoke") >> step("after")
    steps = steps_of(convert(dag))
    assert sorted(steps) == ["after", "before"]
    assert steps["after"]["DependsOn"] == ["before"]


def test_a_translators_xcom_path_is_used_for_templates() -> None:
    translates(NAME)(lambda_of)
    with make_dag() as dag:
        text = "{{ ti.xcom_pull(task_ids='invoke')['o'] }}"
        InvokeOperator(task_id="invoke") >> step("reader", config={"v": text})
    conversion = convert(dag)
    assert [item.code for item in conversion.findings] == ["SMP510"]  # the step declares no output o
    assert "'o'" in conversion.findings[0].message


def test_a_translator_may_refuse_with_its_own_reason() -> None:
    translates(NAME)(lambda task, given: Stays((finding("SMP202", "payload is too odd"),)))
    with make_dag() as dag:
        InvokeOperator(task_id="invoke")
    (found,) = convert(dag).findings
    assert (found.code, found.task, found.message) == ("SMP202", "invoke", "payload is too odd")


@pytest.mark.parametrize("error", [ValueError("no"), TypeError("no"), KeyError("no"), AttributeError("no")])
def test_a_translator_that_finds_invalid_arguments_is_no_crash(error: Exception) -> None:
    def translator(task: Any, given: Any) -> TaskStep:
        raise error

    translates(NAME)(translator)
    with make_dag() as dag:
        InvokeOperator(task_id="invoke")
    assert messages(convert(dag), "SMP206") == [f"{type(error).__name__}: {error}"]


def test_translators_of_other_packages_are_found_by_their_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_translators.py").write_text(
        "from sagemaker_provider.translator import Vanishes, translates\n"
        f"@translates({NAME!r})\n"
        "def invoke(task, given):\n"
        "    return Vanishes()\n"
    )
    metadata = tmp_path / "acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\nacme = acme_translators\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._load.cache_clear()
    try:
        with make_dag() as dag:
            InvokeOperator(task_id="invoke") >> step("after")
        assert list(steps_of(convert(dag))) == ["after"]
    finally:
        sys.modules.pop("acme_translators", None)


def test_a_translator_takes_the_place_of_a_built_in_one() -> None:
    translates(EMPTY)(lambda task, given: Stays((finding("SMP202", "mine", task=task.task_id),)))
    with make_dag() as dag:
        empty("t")
    assert messages(convert(dag), "SMP202") == ["mine"]


def test_a_translator_registered_before_ours_are_loaded_still_holds() -> None:
    code = f"""
from sagemaker_provider.translator.registry import Vanishes, translates, translator_for
from {EMPTY.rpartition(".")[0]} import EmptyOperator

mine = translates({EMPTY!r})(lambda task, given: Vanishes())
assert translator_for(EmptyOperator(task_id="t"))[0] is mine
"""
    subprocess.run([sys.executable, "-c", code], check=True)
