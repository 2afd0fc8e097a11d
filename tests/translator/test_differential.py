"""Random DAGs with failures, branches, skips and trigger rules: what Airflow runs and what the pipeline runs.

The tasks that Airflow's scheduler starts are those of which the local SageMaker starts a step, or a finding names the task.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerConditionOperator, SageMakerProcessingOperator
from airflow.providers.common.compat.sdk import TaskGroup
from airflow_states import final_states
from dag_makers import IMAGE, ROLE, choice, empty, make_dag
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from pipelines_client import Pipelines
from two_worlds import task_of

from sagemaker_provider.definition.conditions import Equals
from sagemaker_provider.definition.findings import Severity
from sagemaker_provider.local.service import LocalSettings, local_sagemaker
from sagemaker_provider.operators import SageMakerProcessingStepOperator
from sagemaker_provider.translator import Conversion, Steps, TaskStep, convert, translates

try:
    from airflow.providers.standard.operators.python import ShortCircuitOperator
except ImportError:  # Airflow 2 has it itself
    from airflow.operators.python import ShortCircuitOperator
try:
    from airflow.sdk import TriggerRule
except ImportError:
    from airflow.utils.trigger_rule import TriggerRule

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "150"))
RULES = tuple(sorted(rule.value for rule in TriggerRule))
JOINING = ("none_failed_min_one_success",) * 3 + ("none_failed", "one_success", "all_done")
HANDLING = ("all_done",) * 3 + ("all_failed", "one_failed", "one_done")
DECIDING = ("condition", "check", "gate", "constant")
ABOUT_RUNNING = ("SMP605", "SMP620", "SMP638", "SMP680")
"""Codes that say of a task that it runs otherwise; that it has a name or a time limit of another kind excuses nothing."""
CONFIG: Mapping[str, Any] = {
    "AppSpecification": {"ImageUri": IMAGE},
    "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}},
    "RoleArn": ROLE,
}


class Gate(ShortCircuitOperator):
    """Goes on when the param of its name is 1."""


@translates(f"{__name__}.Gate")
def gate(task: Any, given: Any) -> Steps:
    """A job that decides, and a condition that reads what it decided; here both read the param."""
    condition = {"Type": "Equals", "LeftValue": f"{{{{ params.{task.task_id.rpartition('.')[2]} }}}}", "RightValue": 1}
    teardowns = tuple(sorted(other.task_id for other in task.downstream_list if other.is_teardown))
    branches = {"IfSteps": tuple(sorted(task.downstream_task_ids)), "ElseSteps": teardowns}
    go = TaskStep(
        "Condition",
        {"Conditions": [condition]},
        branches=branches,
        short_circuit=task.ignore_downstream_trigger_rules,
    )
    return Steps({"": TaskStep("Processing", CONFIG), "go": go})


@dataclass(frozen=True)
class Task:
    """A task of a random DAG, and what happens to it.

    :param kind: what it is, see :meth:`Plan.operator`.
    :param upstream: the tasks before it.
    :param reads: those whose result it reads.
    :param group: number of its task group; 0 for none.
    :param side: for a condition, the tasks after it and whether they are in the one branch, the other or none.
    :param outcome: for what decides, whether it is true.
    :param fails: whether it fails if it runs.
    :param whole: for a gate, whether it skips all that is after it.
    """

    kind: str
    rule: str
    upstream: tuple[int, ...]
    reads: tuple[int, ...]
    group: int
    side: tuple[tuple[int, int], ...]
    outcome: bool
    fails: bool
    whole: bool


@dataclass(frozen=True)
class Plan:
    """A random DAG, and what happens in its run."""

    tasks: tuple[Task, ...]
    setup: tuple[int, int] | None

    @property
    def params(self) -> dict[str, int]:
        return {f"t{index}": int(task.outcome) for index, task in enumerate(self.tasks) if task.kind in DECIDING}

    def dag(self) -> Any:
        groups: dict[int, Any] = {}
        made: list[Any] = []
        with make_dag(params=dict.fromkeys(self.params, 1)) as dag:
            for index, task in enumerate(self.tasks):
                if task.group and task.group not in groups:
                    groups[task.group] = TaskGroup(f"g{task.group}")
                holder = {"task_group": groups[task.group]} if task.group else {}
                made.append(self.operator(f"t{index}", task, {"trigger_rule": task.rule, **holder}))
            for index, task in enumerate(self.tasks):
                for other in task.upstream:
                    made[other] >> made[index]
                for other in task.reads:
                    value = made[other].properties.ProcessingJobArn
                    made[index].config["Environment"][f"JOB{other}"] = value
                for other, side in task.side:
                    (made[index].if_task_ids, made[index].else_task_ids, [])[side].append(made[other].task_id)
            if self.setup:
                made[self.setup[1]].as_teardown(setups=made[self.setup[0]])
        return dag

    def operator(self, name: str, task: Task, options: Mapping[str, Any]) -> Any:
        """The operator of a kind of task."""
        param = f"{{{{ params.{name} }}}}"
        if task.kind == "empty":
            return empty(name, **options)
        if task.kind == "condition":
            return choice(name, [], [], **options)
        if task.kind == "constant":
            return choice(name, [], [], conditions=Equals(int(task.outcome), 1), **options)
        if task.kind == "check":
            return SageMakerConditionOperator(  # where nothing is in its else branch, it fails instead
                task_id=name,
                condition_type="Equals",
                left_value=param,
                right_value=1,
                if_task_ids=[],
                else_task_ids=[],
                **options,
            )
        if task.kind == "gate":
            return Gate(
                task_id=name,
                python_callable=lambda value: value == "1",
                op_args=[param],
                ignore_downstream_trigger_rules=task.whole,
                **options,
            )
        if task.kind == "amazon":
            return SageMakerProcessingOperator(
                task_id=name, config={"ProcessingJobName": f"job-{name}", **CONFIG}, **options
            )
        return SageMakerProcessingStepOperator(task_id=name, config={**CONFIG, "Environment": {}}, **options)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """DAGs whose rules are the usual ones, those for joins, those for failures, or any."""
    size = draw(st.integers(2, 9))
    style = draw(st.sampled_from(("usual", "joins", "joins", "joins", "failures", "any")))
    kinds = ["step"] * 5 + ["amazon", "amazon", "empty", "condition", "condition", "check", "gate", "constant"]
    chosen = [draw(st.sampled_from(kinds)) for _ in range(size)]
    upstream: list[tuple[int, ...]] = [()]
    for index in range(1, size):
        many = draw(st.sampled_from((0, 1, 1, 1, 1, 2, 2, 3)))
        near = st.sampled_from(sorted({max(0, index - draw(st.integers(1, 3))), draw(st.integers(0, index - 1))}))
        upstream.append(tuple(sorted({draw(near) for _ in range(many)})))
    setup = None
    if size > 3 and draw(st.integers(0, 7)) == 0:
        first = draw(st.integers(0, size - 2))
        setup = (first, draw(st.integers(first + 1, size - 1)))
        chosen[setup[0]] = chosen[setup[1]] = "step"
    tasks = []
    failing = draw(st.sampled_from((0.2, 0.4) if style == "failures" else (0.0, 0.0, 0.2, 0.4)))
    for index, kind in enumerate(chosen):
        after = [other for other in range(size) if index in upstream[other]]
        rule = "all_success"
        if style == "any" and draw(st.booleans()):
            rule = draw(st.sampled_from(RULES))
        elif style == "joins" and (len(upstream[index]) > 1 or draw(st.integers(0, 3)) == 0):
            rule = draw(st.sampled_from(JOINING))
        elif style == "failures" and draw(st.booleans()):
            rule = draw(st.sampled_from(HANDLING))
        if setup and (index == setup[0] or setup[0] in upstream[index]):
            rule = "all_success"  # Airflow wants it so
        named = kind in ("condition", "check", "constant")
        chances = (0, 0, 2) if kind == "check" and draw(st.booleans()) else (0, 1, 0, 1, 0, 1, 0, 1, 2)
        sides = tuple((other, draw(st.sampled_from(chances))) for other in after) if named else ()
        readable = [other for other in upstream[index] if (kind, chosen[other]) == ("step", "step")]
        tasks.append(
            Task(
                kind,
                rule,
                upstream[index],
                tuple(other for other in readable if draw(st.integers(0, 3)) == 0),
                draw(st.sampled_from((0, 0, 0, 0, 1, 2))),
                sides,
                draw(st.booleans()) if kind in DECIDING else True,
                kind in ("step", "amazon", "gate") and draw(st.floats(0, 1)) < failing,
                draw(st.sampled_from((True, True, False))),
            )
        )
    return Plan(tuple(tasks), setup)


@pytest.fixture(scope="module")
def pipelines() -> Iterator[Pipelines]:
    with local_sagemaker(LocalSettings(images="simulate-all", retry_scale=0.0)) as local:
        yield Pipelines(local)


def started(pipelines: Pipelines, name: str, plan: Plan, conversion: Conversion) -> set[str]:
    """The tasks of which a step starts."""
    assert conversion.definition is not None
    tasks = {}
    for step, enclosing in conversion.definition.all_steps():
        made_of = enclosing[-1][0] if step.type == "Fail" else step  # the operator fails by itself
        tasks[step.name] = task_of(made_of).partition("--")[0]
    faults = pipelines.local.faults
    faults.clear()
    for index, task in enumerate(plan.tasks):
        if task.fails:
            faults.add(kind="fail", name=f"*-t{index}-*", message="AlgorithmError: as planned", times=None)
    known = {item.name for item in conversion.definition.parameters}
    values = {key: str(value) for key, value in plan.params.items() if key in known}
    arn = pipelines.run(conversion.definition.to_json(), name, parameters=values)
    return {tasks[step] for step in pipelines.steps(arn)}


def named(conversion: Conversion, task: str) -> bool:
    """Whether a finding says of a task that it runs otherwise."""
    return any(
        item.code in ABOUT_RUNNING
        and item.severity is not Severity.NOTE
        and (item.task == task or f"'{task}'" in item.message)
        for item in conversion.findings
    )


def test_the_pipeline_runs_what_airflow_runs_or_a_finding_names_the_task(
    airflow: Any, pipelines: Pipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers, seen = count(), Counter[str]()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize="DIFFERENTIAL_EXAMPLES" not in os.environ,
        database=None,
        print_blob=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(plan=plans())
    def check(plan: Plan) -> None:
        dag = plan.dag()
        conversion = convert(dag)
        seen["cases"] += 1
        if conversion.definition is None:
            assert any(item.severity is Severity.ERROR for item in conversion.findings)
            seen["refused"] += 1
            return
        vanishing = {dag.task_ids[index] for index, task in enumerate(plan.tasks) if task.kind in ("empty", "constant")}
        failing = {dag.task_ids[index] for index, task in enumerate(plan.tasks) if task.fails}
        states = final_states(dag, plan.params, failing)
        ran = {task for task, state in states.items() if state in ("success", "failed")} - vanishing
        steps = started(pipelines, f"p{next(numbers)}", plan, conversion)
        differing = ran ^ steps
        silent = sorted(task for task in differing if not named(conversion, task))
        unnamed = not any(named(conversion, task) for task in dag.task_ids)
        seen["nothing to say" if unnamed else "differing" if differing else "a finding, and equal in this run"] += 1
        if failing:
            seen["with failures"] += 1
        if silent:
            for item in conversion.findings:
                note(str(item))
            note(f"Airflow: {states}\npipeline: {sorted(steps)}")
        assert not silent

    try:
        check()
    finally:
        with capsys.disabled():
            print(f" {dict(seen)}", end=" ")
    assert seen["refused"] < seen["cases"] / 2
    assert seen["nothing to say"] > seen["cases"] / 10
