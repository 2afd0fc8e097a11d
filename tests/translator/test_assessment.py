"""Verdicts, and what to mend first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.translator.assessment import Assessment, Cause, Fix, Verdict, assess, counted
from sagemaker_provider.translator.worker import ConvertedDag, ConvertedFile, ConvertedTask

CODES = ("SMP201", "SMP301", "SMP304", "SMP504", "SMP603", "SMP701")
ERRORS = {"SMP201", "SMP301", "SMP304", "SMP504"}


def dag(
    dag_id: str, findings: Sequence[tuple[str, str]], tasks: Sequence[str] = ("a", "b"), file: str = ""
) -> ConvertedDag:
    """A DAG with findings, each a code and a task; its operators are called after the tasks."""
    found = [finding(code, code, task=task, dag=dag_id, file=file or f"{dag_id}.py") for code, task in findings]
    blocked = any(code in ERRORS for code, _ in findings)
    made = tuple(ConvertedTask(task, f"package.{task.upper()}", (), ("Training",)) for task in tasks)
    return ConvertedDag(dag_id, made, None if blocked else "{}", {}, found, {}, [], {})


def assessed(*dags: ConvertedDag) -> Assessment:
    return assess([ConvertedFile(f"{item.dag_id}.py", (item,), (item.dag_id,)) for item in dags])


def verdicts(found: Assessment) -> dict[str, list[str]]:
    return {item.dag_id: [item.verdict.name, *(task.verdict.name for task in item.tasks)] for item in found.dags}


def order(found: Assessment) -> list[tuple[str, int, int]]:
    return [(fix.cause.code, fix.frees, fix.frees_tasks) for fix in found.fixes()]


def test_the_worst_finding_decides() -> None:
    found = assessed(
        dag("native", [("SMP701", "a")]),
        dag("differs", [("SMP603", "a"), ("SMP701", "b")]),
        dag("stays", [("SMP603", "a"), ("SMP301", "b")]),
    )
    assert verdicts(found) == {
        "native": ["NATIVE", "NATIVE", "NATIVE"],
        "differs": ["DIFFERENCE", "DIFFERENCE", "NATIVE"],
        "stays": ["STAYS", "DIFFERENCE", "STAYS"],
    }
    assert [item.native for item in found.dags] == [2, 2, 1]
    assert counted(found.dags) == {
        Verdict.NATIVE: 1,
        Verdict.DIFFERENCE: 1,
        Verdict.STAYS: 1,
        Verdict.UNKNOWN: 0,
    }


def test_an_error_on_the_whole_dag_leaves_its_tasks_native() -> None:
    assert verdicts(assessed(dag("large", [("SMP504", "")]))) == {"large": ["STAYS", "NATIVE", "NATIVE"]}


def test_a_plan_decides_about_the_tasks_of_a_dag_with_errors() -> None:
    findings = [finding("SMP402", "a join", task="a"), finding("SMP603", "", task="b"), finding("SMP842", "", task="c")]
    tasks = tuple(
        ConvertedTask(task, "package.Operator", (), ("Training",), planned)
        for task, planned in zip("abc", (True, True, False))
    )
    found = assessed(ConvertedDag("d", tasks, None, {}, findings, {}, [], {}))
    assert verdicts(found) == {"d": ["STAYS", "NATIVE", "DIFFERENCE", "STAYS"]}
    assert found.fixes() == [Fix(Cause("SMP402"), 1, 0, 1, 0)]


def test_tasks_of_a_dag_that_nobody_knows_are_not_known() -> None:
    unsure = ConvertedDag("d", dag("d", []).tasks, None, {}, [finding("SMP112", "other tasks each time")], {}, [], {})
    assert verdicts(assessed(unsure)) == {"d": ["STAYS", "UNKNOWN", "UNKNOWN"]}


def test_findings_on_a_file_count_for_its_dags() -> None:
    both = (dag("one", [], file="f.py"), dag("two", [], file="f.py"))
    found = assess(
        [ConvertedFile("f.py", both, ("one", "two"), (finding("SMP642", "it opens a socket", file="f.py"),))]
    )
    assert [item.verdict for item in found.dags] == [Verdict.DIFFERENCE, Verdict.DIFFERENCE]
    (code,) = found.codes()
    assert (code.code, code.dags, code.tasks, len(code.findings)) == ("SMP642", 2, 0, 1)


def test_two_dags_that_become_one_pipeline() -> None:
    found = assessed(dag("a.b", []), dag("a_b", []))
    assert [item.verdict for item in found.dags] == [Verdict.NATIVE, Verdict.STAYS]
    assert [item.code for item in found.dags[1].findings] == ["SMP105"]


def test_two_files_with_one_dag_id() -> None:
    twice = [ConvertedFile(name, (dag("d", [], file=name),), ("d",)) for name in ("a.py", "b.py")]
    assert [item.verdict for item in assess(twice).dags] == [Verdict.NATIVE, Verdict.STAYS]


def test_a_file_that_does_not_load_is_read_from_its_syntax(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(
        "import gone\n"
        'with DAG("old"):\n    a = BashOperator(task_id="a")\n    b = BashOperator(task_id="b")\n    a >> b\n'
    )
    name = str(tmp_path / "old.py")
    found = assess([ConvertedFile(name, findings=(finding("SMP101", "No module named 'gone'", file=name),))])
    (only,) = found.dags
    assert (only.dag_id, only.verdict, [task.verdict for task in only.tasks]) == (
        "old",
        Verdict.UNKNOWN,
        [Verdict.UNKNOWN] * 2,
    )
    assert [task.downstream for task in only.tasks] == [("b",), ()]
    assert found.fixes() == [Fix(Cause("SMP101", "gone"), 1, 2, 1, 2)]


@pytest.mark.parametrize("name", ["missing.py", "dags.zip"])
def test_a_file_that_cannot_be_read_has_its_name_only(name: str) -> None:
    (only,) = assess([ConvertedFile(name, findings=(finding("SMP108", "it ended", file=name),))]).dags
    assert (only.title, only.tasks) == (name, ())


def test_no_dag_is_no_dag() -> None:
    found = assess([ConvertedFile("f.py"), ConvertedFile("dags", findings=(finding("SMP102", "none", file="dags"),))])
    assert (found.files, found.dags) == (1, ())
    assert [item.code for item in found.every_finding] == ["SMP102"]


def test_what_frees_the_most_dags_comes_first() -> None:
    found = assessed(
        dag("a", [("SMP301", "a")]),
        dag("b", [("SMP304", "a")]),
        dag("c", [("SMP304", "a"), ("SMP304", "b")]),
    )
    assert order(found) == [("SMP304", 2, 3), ("SMP301", 1, 1)]


def test_two_fixes_that_free_many_go_before_one_that_frees_one() -> None:
    pairs = [dag(f"pair{number}", [("SMP301", "a"), ("SMP304", "b")]) for number in range(3)]
    found = assessed(dag("alone", [("SMP504", "")]), *pairs)
    assert order(found) == [("SMP301", 0, 3), ("SMP304", 3, 3), ("SMP504", 1, 0)]


def test_operators_without_translation_are_fixes_of_their_own() -> None:
    found = assessed(dag("one", [("SMP201", "a"), ("SMP201", "b")]), dag("two", [("SMP201", "a")], ("a",)))
    assert [(fix.cause, fix.dags, fix.tasks, fix.frees) for fix in found.fixes()] == [
        (Cause("SMP201", "package.A"), 2, 2, 1),
        (Cause("SMP201", "package.B"), 1, 1, 1),
    ]


@st.composite
def converted(draw: st.DrawFn) -> list[ConvertedDag]:
    place = st.tuples(st.sampled_from(CODES), st.sampled_from(["", "a", "b"]))
    return [dag(f"d{number}", draw(st.lists(place, max_size=4))) for number in range(draw(st.integers(0, 6)))]


def causes(item: ConvertedDag) -> frozenset[Cause]:
    operators = {"": "", "a": "package.A", "b": "package.B"}
    wrong = [found for found in item.findings if found.code in ERRORS]
    return frozenset(Cause(found.code, operators[found.task] if found.code == "SMP201" else "") for found in wrong)


@given(converted())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_all_fixes_together_free_everything(dags: list[ConvertedDag]) -> None:
    found = assessed(*dags)
    fixes = found.fixes()
    needed = [causes(item) for item in dags]
    assert sorted(fix.cause for fix in fixes) == sorted(frozenset().union(*needed))
    assert sum(fix.frees for fix in fixes) == sum(item.blocked for item in found.dags) == sum(map(bool, needed))
    stays = [task for item in found.dags for task in item.tasks if task.verdict is Verdict.STAYS]
    assert sum(fix.frees_tasks for fix in fixes) == len(stays)
    done: set[Cause] = set()
    for fix in fixes:
        before = sum(item <= done for item in needed)
        done.add(fix.cause)
        assert fix.frees == sum(item <= done for item in needed) - before
        assert fix.dags == sum(fix.cause in item for item in needed)


@given(converted())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_dag_could_be_freed_with_more_others_for_each_fix(dags: list[ConvertedDag]) -> None:
    needed = [item for item in map(causes, dags) if item]
    fixes = assessed(*dags).fixes()

    def worth(chosen: frozenset[Cause]) -> float:
        return sum(item <= chosen for item in needed) / len(chosen)

    begun = [worth(frozenset(fix.cause for fix in fixes[:size])) for size in range(1, len(fixes) + 1)]
    assert max(begun, default=0) >= max(map(worth, needed), default=0)


def test_the_findings_by_code_begin_with_errors_in_many_dags() -> None:
    found = assessed(
        dag("a", [("SMP603", "a"), ("SMP504", "")]), dag("b", [("SMP603", "b"), ("SMP301", "a"), ("SMP701", "")])
    )
    found_too = assessed(dag("a", [("SMP504", "")]), dag("b", [("SMP504", ""), ("SMP301", "a")]))
    assert [item.code for item in found.codes()] == ["SMP301", "SMP504", "SMP603", "SMP701"]
    assert [item.code for item in found_too.codes()] == ["SMP504", "SMP301"]


def test_the_json_form_says_everything() -> None:
    data = assessed(dag("a", [("SMP603", "a"), ("SMP301", "b")])).to_json()
    assert data["dags"][0]["tasks"][1] == {
        "task": "b",
        "operator": "package.B",
        "verdict": "stays in Airflow",
        "steps": ["Training"],
        "downstream": [],
    }
    assert [Finding(**item).code for item in data["dags"][0]["findings"]] == ["SMP603", "SMP301"]
    assert [(item["code"], item["frees_dags"]) for item in data["fixes"]] == [("SMP301", 1)]
    assert [(item["code"], item["dags"], item["tasks"]) for item in data["codes"]] == [
        ("SMP301", 1, 1),
        ("SMP603", 1, 1),
    ]
