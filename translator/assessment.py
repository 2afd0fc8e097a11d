"""What can become of the DAGs of a folder: a verdict on each DAG and task, and what to mend first."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from sagemaker_provider.definition.findings import RULES, Finding, Severity, errors, finding
from sagemaker_provider.operators.names import pipeline_name
from sagemaker_provider.translator.static import Outline, outline_of
from sagemaker_provider.translator.worker import ConvertedDag, ConvertedFile, ConvertedTask

_NO_DAG: Final = "SMP102"
_BORDERS: Final = "SMP84"
"""How codes begin of what keeps a task out of a part of the DAG that is a pipeline, not out of one of the whole DAG."""
_UNSURE: Final = frozenset(["SMP101", "SMP103", "SMP106", "SMP107", "SMP108", "SMP110", "SMP112"])
"""Codes that say why it is not known what a file or DAG holds."""
_MISSING: Final = re.compile(r"No module named '([^']+)'")


class Verdict(str, Enum):
    """What becomes of a DAG or a task."""

    NATIVE = "native"
    """It becomes a pipeline or a step of one, or vanishes as it does nothing."""
    DIFFERENCE = "native with a difference"
    """It becomes a pipeline or step that behaves differently; the findings say how."""
    STAYS = "stays in Airflow"
    """It has errors; a task with none may stay because it can be in no pipeline beside those that do."""
    UNKNOWN = "not known"
    """The file does not load, or what its DAGs hold is different each time."""


@dataclass(frozen=True)
class AssessedTask:
    """A task.

    :param operator: qualified name of its class; of a file that does not load, as it is written there.
    :param downstream: ids of the tasks directly after it.
    :param step_types: types of the steps that it becomes; none where it vanishes or stays.
    """

    task_id: str
    operator: str
    verdict: Verdict
    downstream: tuple[str, ...]
    step_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class AssessedDag:
    """A DAG.

    :param dag_id: its id. Of a file that does not load all that it seems to hold, or nothing.
    :param findings: those on the DAG and its tasks.
    :param of_file: those on its file, which all DAGs of the file share.
    """

    dag_id: str
    file: str
    verdict: Verdict
    tasks: tuple[AssessedTask, ...]
    findings: tuple[Finding, ...]
    of_file: tuple[Finding, ...] = ()

    @property
    def title(self) -> str:
        """Its id, or the file where that is not known."""
        return self.dag_id or Path(self.file).name

    @property
    def native(self) -> int:
        """How many of its tasks can be steps, or vanish."""
        return sum(task.verdict in (Verdict.NATIVE, Verdict.DIFFERENCE) for task in self.tasks)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """The findings on its file, itself and its tasks."""
        return (*self.of_file, *self.findings)

    @property
    def blocked(self) -> bool:
        """Whether errors keep it in Airflow."""
        return bool(errors(self.all_findings))


@dataclass(frozen=True)
class Code:
    """All findings with one code."""

    code: str
    findings: tuple[Finding, ...]
    dags: int

    @property
    def severity(self) -> Severity:
        """How much they matter."""
        return RULES[self.code].severity

    @property
    def tasks(self) -> int:
        """How many tasks they are about."""
        return len({(item.file, item.dag, item.task) for item in self.findings if item.task})


class Cause(NamedTuple):
    """What one change mends: a code, and what it is about where that differs, such as the class of an operator."""

    code: str
    subject: str = ""


@dataclass(frozen=True)
class Fix:
    """A change, and what it is worth.

    :param dags: DAGs that need it.
    :param tasks: tasks that need it.
    :param frees: DAGs that have no error left once this and all fixes before it are made, and had before.
    :param frees_tasks: likewise tasks.
    """

    cause: Cause
    dags: int
    tasks: int
    frees: int
    frees_tasks: int


@dataclass(frozen=True)
class Assessment:
    """The DAGs of a folder.

    :param files: how many files were looked at.
    :param dags: the DAGs by file and id; one for each file that does not load.
    :param findings: those on files, not on one DAG.
    """

    files: int
    dags: tuple[AssessedDag, ...]
    findings: tuple[Finding, ...]

    @property
    def every_finding(self) -> list[Finding]:
        """The findings on files, DAGs and tasks."""
        return [*self.findings, *(item for dag in self.dags for item in dag.findings)]

    def codes(self) -> list[Code]:
        """The findings by code: errors first, then those in most DAGs."""
        found: dict[str, list[Finding]] = defaultdict(list)
        for item in self.every_finding:
            found[item.code].append(item)
        dags = Counter(code for dag in self.dags for code in {item.code for item in dag.all_findings})
        groups = [Code(code, tuple(items), dags[code]) for code, items in found.items()]
        ranks = list(Severity)
        return sorted(groups, key=lambda item: (ranks.index(item.severity), -item.dags, item.code))

    def fixes(self) -> list[Fix]:
        """What to mend, in the order in which it frees the most DAGs for each fix.

        A DAG is free once all its errors are mended. So the list begins with the causes of the one DAG whose causes, divided
        by their number, free the most; of the DAGs that are left it goes on in the same way.
        """
        return list(_ranked([_needs(dag) for dag in self.dags]))

    def to_json(self) -> dict[str, Any]:
        """The assessment as a JSON object with stable keys."""
        return {
            "files": self.files,
            "dags": [
                {
                    "dag": dag.dag_id,
                    "file": dag.file,
                    "verdict": dag.verdict.value,
                    "tasks": [
                        {
                            "task": task.task_id,
                            "operator": task.operator,
                            "verdict": task.verdict.value,
                            "steps": list(task.step_types),
                            "downstream": list(task.downstream),
                        }
                        for task in dag.tasks
                    ],
                    "findings": [item.to_json() for item in dag.findings],
                }
                for dag in self.dags
            ],
            "findings": [item.to_json() for item in self.findings],
            "codes": [
                {
                    "code": item.code,
                    "severity": item.severity.value,
                    "title": RULES[item.code].title,
                    "cure": RULES[item.code].cure,
                    "findings": len(item.findings),
                    "tasks": item.tasks,
                    "dags": item.dags,
                }
                for item in self.codes()
            ],
            "fixes": [
                {
                    "code": fix.cause.code,
                    "subject": fix.cause.subject,
                    "title": RULES[fix.cause.code].title,
                    "cure": RULES[fix.cause.code].cure,
                    "dags": fix.dags,
                    "tasks": fix.tasks,
                    "frees_dags": fix.frees,
                    "frees_tasks": fix.frees_tasks,
                }
                for fix in self.fixes()
            ],
        }


def assess(files: Sequence[ConvertedFile]) -> Assessment:
    """Judge converted files.

    :param files: what :func:`.worker.convert_files` gave.
    """
    taken: dict[str, str] = {}
    dags: list[AssessedDag] = []
    looked_at = 0
    for file in files:
        codes = {item.code for item in errors(file.findings)}
        dags += [_judged(dag, file, taken) for dag in file.dags]
        if codes - {_NO_DAG} and not file.dag_ids:
            dags.append(_outlined(file))
        looked_at += codes != {_NO_DAG}
    return Assessment(looked_at, tuple(dags), tuple(item for file in files for item in file.findings))


def _judged(dag: ConvertedDag, file: ConvertedFile, taken: dict[str, str]) -> AssessedDag:
    """A DAG that was converted, or could not be."""
    findings = list(dag.findings)
    name = pipeline_name(dag.dag_id)
    if dag.definition is not None and name in taken:
        message = f"{taken[name]!r} becomes the pipeline {name!r} as well"
        findings.append(finding("SMP105", message, dag=dag.dag_id, file=file.file))
    elif dag.definition is not None:
        taken[name] = dag.dag_id
    found: dict[str, set[Severity]] = defaultdict(set)
    for item in findings:
        found[item.task].add(item.severity)
    loaded = not any(item.code in _UNSURE and not item.task for item in errors((*file.findings, *findings)))
    tasks = tuple(
        AssessedTask(
            task.task_id,
            task.operator,
            _of_task(task, found[task.task_id], known=loaded and task.step_types is not None),
            task.downstream,
            task.step_types or (),
        )
        for task in dag.tasks
    )
    severities = {item.severity for item in (*findings, *file.findings)}
    if dag.definition is None:
        severities.add(Severity.ERROR)
    return AssessedDag(dag.dag_id, file.file, _worst(severities), tasks, tuple(findings), file.findings)


def _of_task(task: ConvertedTask, severities: set[Severity], *, known: bool) -> Verdict:
    """The verdict on a task; in a DAG with errors, of the plan that puts the others into pipelines."""
    if task.planned is None:
        return _worst(severities, known=known)
    return _worst(severities - {Severity.ERROR}) if task.planned else Verdict.STAYS


def _worst(severities: set[Severity], *, known: bool = True) -> Verdict:
    if Severity.ERROR in severities:
        return Verdict.STAYS
    if not known:
        return Verdict.UNKNOWN
    return Verdict.DIFFERENCE if Severity.DIFFERENCE in severities else Verdict.NATIVE


def _outlined(file: ConvertedFile) -> AssessedDag:
    """What a file that does not load seems to hold; the tasks of its DAGs cannot be told apart."""
    found = outline_of(Path(file.file)) or Outline()
    after: dict[str, list[str]] = defaultdict(list)
    for first, second in found.edges:
        if second in found.tasks:
            after[first].append(second)
    tasks = tuple(
        AssessedTask(task_id, operator, Verdict.UNKNOWN, tuple(after[task_id]))
        for task_id, operator in found.tasks.items()
    )
    return AssessedDag(", ".join(found.dag_ids), file.file, Verdict.UNKNOWN, tasks, (), file.findings)


_Causes: TypeAlias = "frozenset[Cause]"


class _Needs(NamedTuple):
    """What has to be mended for a DAG, and for each of its tasks that has errors itself."""

    causes: _Causes
    tasks: Mapping[str, _Causes]


def _needs(dag: AssessedDag) -> _Needs:
    operators = {task.task_id: task.operator for task in dag.tasks}
    found: dict[str, set[Cause]] = defaultdict(set)
    for item in errors(dag.all_findings):
        if item.code.startswith(_BORDERS):
            continue
        missing = _MISSING.search(item.message) if item.code == "SMP101" else None
        subject = operators.get(item.task, "") if item.code == "SMP201" else missing[1] if missing else ""
        found[item.task].add(Cause(item.code, subject))
    general = found.pop("", set())
    tasks = {
        task.task_id: frozenset(general if task.verdict is Verdict.UNKNOWN else found[task.task_id])
        for task in dag.tasks
        if task.verdict in (Verdict.STAYS, Verdict.UNKNOWN)
    }
    return _Needs(frozenset(general.union(*found.values())), tasks)


def _ranked(needs: Sequence[_Needs]) -> Iterator[Fix]:
    in_dags = Counter(cause for item in needs for cause in item.causes)
    in_tasks = Counter(cause for item in needs for causes in item.tasks.values() for cause in causes)
    dags = Counter(item.causes for item in needs if item.causes)
    tasks = Counter(causes for item in needs for causes in item.tasks.values() if causes)
    while dags:
        for cause in sorted(_best(dags, tasks), key=lambda cause: (-in_dags[cause], cause)):
            dags, frees = _without(dags, cause)
            tasks, frees_tasks = _without(tasks, cause)
            yield Fix(cause, in_dags[cause], in_tasks[cause], frees, frees_tasks)


def _best(dags: Counter[_Causes], tasks: Counter[_Causes]) -> _Causes:
    """The causes of a DAG that free the most DAGs for each, then the most tasks."""

    def worth(causes: _Causes) -> tuple[Any, ...]:
        counts = [sum(count for other, count in kinds.items() if other <= causes) for kinds in (dags, tasks)]
        return (*(-Fraction(count, len(causes)) for count in counts), sorted(causes))

    return min(dags, key=worth)


def _without(kinds: Counter[_Causes], cause: Cause) -> tuple[Counter[_Causes], int]:
    """What is left once a cause is mended, and how many are free then."""
    left: Counter[_Causes] = Counter()
    for causes, count in kinds.items():
        left[causes - {cause}] += count
    return left, left.pop(frozenset(), 0)


def counted(items: Iterable[AssessedDag | AssessedTask]) -> dict[Verdict, int]:
    """How many DAGs or tasks have each verdict; all verdicts are there."""
    found = Counter(item.verdict for item in items)
    return {verdict: found[verdict] for verdict in Verdict}
