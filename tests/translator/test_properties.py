"""What holds for every DAG: no crash, the same bytes, every dependency kept."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
from airflow.providers.common.compat.sdk import DAG, TaskGroup
from dag_makers import IMAGE, ROLE, choice, empty, make_dag, step
from hypothesis import given, settings
from hypothesis import strategies as st
from two_worlds import order_of, task_of

from sagemaker_provider.definition.conditions import Equals
from sagemaker_provider.definition.findings import errors
from sagemaker_provider.operators import Join, SageMakerProcessingStepOperator
from sagemaker_provider.translator import Settings, convert

RULES = ("all_success",) * 6 + (
    "none_failed_min_one_success",
    "none_failed",
    "one_success",
    "all_done",
    "all_failed",
    "one_failed",
    "one_done",
    "always",
    "none_skipped",
)
TEXTS = (
    "plain",
    "{{ params.text }}",
    "s3://b/{{ params.text }}/{{ params.count }}",
    "{{ params.count }}",
    "{{ ds_nodash }}/{{ run_id }}",
    "{{ dag.dag_id }}",
    "{{ dag_run.conf.get('extra', 'e') }}",
    "{{ params.flag }}",
    "line\n",
)
BAD_TEXTS = ("{{ params.text | upper }}", "{{ var.json.x }}", "{{ params.none }}", "{% if x %}a{% endif %}", "{{")
PARAMS = {"text": "t", "count": 3, "flag": True, "list": [1], **{f"t{index}": 1 for index in range(12)}}
REFUSALS = {"SMP104", "SMP205", "SMP301", "SMP302", "SMP303", "SMP311", "SMP401", "SMP402", "SMP403"}


def random_dag(seed: int) -> DAG:
    """A DAG with all that can be in one; the same for the same seed."""
    rng = random.Random(seed)
    size = rng.randint(1, 10)
    kinds = [rng.choice(("step",) * 5 + ("processing", "empty", "condition")) for _ in range(size)]
    edges = {(rng.randrange(task), task) for task in range(1, size) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))}
    texts = TEXTS if rng.random() < 0.9 else (*TEXTS, *BAD_TEXTS)
    plain = rng.random() < 0.6  # all tasks with the usual rule
    tasks: list[Any] = []
    groups: dict[int, Any] = {}
    with make_dag(f"random_{seed}", params=PARAMS) as dag:
        for task, kind in enumerate(kinds):
            name = f"t{task}"
            group = rng.choice((0, 0, 0, 1, 2))
            rule = "all_success" if plain else rng.choice(RULES)
            upstream = sorted(first for first, second in edges if second == task)
            values: list[Any] = [rng.choice(texts) for _ in range(rng.randrange(3))]
            for other in upstream:
                if kinds[other] == "step" and rng.random() < 0.5:
                    found = tasks[other].properties.OutputParameters["o"]
                    text = f"{{{{ ti.xcom_pull(task_ids='{tasks[other].task_id}')['OutputParameters']['o'] }}}}"
                    values.append(rng.choice((found, Join("/", [found, "{{ params.text }}"]), text, f"in {text}")))
            if group and group not in groups:
                groups[group] = TaskGroup(f"g{group}")
            holder = {"task_group": groups[group]} if group else {}
            options = {"trigger_rule": rule, **holder}
            if kind == "empty":
                tasks.append(empty(name, **options))
            elif kind == "condition":
                tests = [Equals(f"{{{{ params.{name} }}}}", 1), *(Equals(value, "x") for value in values[:2])]
                tasks.append(choice(name, conditions=tests, **options))
            elif kind == "processing":
                config = {
                    "AppSpecification": {"ImageUri": IMAGE},
                    "ProcessingResources": {
                        "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
                    },
                    "RoleArn": ROLE,
                    "Environment": {f"V{index}": value for index, value in enumerate(values)},
                }
                tasks.append(SageMakerProcessingStepOperator(task_id=name, config=config, **options))
            else:
                config = {f"v{index}": value for index, value in enumerate(values)}
                tasks.append(step(name, config=config, **options))
            for other in upstream:
                tasks[other] >> tasks[-1]
    for task, kind in enumerate(kinds):
        if kind == "condition":
            for second in sorted(second for first, second in edges if first == task):
                side = rng.choice((tasks[task].if_task_ids, tasks[task].else_task_ids))
                side.append(tasks[second].task_id)
    return dag


def result(seed: int) -> str:
    """All that a conversion gives, as text."""
    nested = ("lift", "keep")[seed % 2]
    conversion = convert(random_dag(seed), Settings(nested_conditions=nested))
    definition = "" if conversion.definition is None else conversion.definition.to_json()
    return f"{definition}\n{[item.to_json() for item in conversion.findings]}\n{conversion.pipeline}"


SEEDS = range(120)


def digest(seeds: range) -> str:
    return hashlib.sha256("\n".join(result(seed) for seed in seeds).encode()).hexdigest()


@given(st.integers(0, 10**6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_conversion_ends_with_a_valid_definition_or_with_errors_that_say_why(seed: int) -> None:
    conversion = convert(random_dag(seed))
    problems = errors(conversion.findings)
    assert (conversion.definition is None) == bool(problems)
    assert {item.code for item in problems} <= REFUSALS
    assert all(item.task or item.code == "SMP104" for item in problems)
    if conversion.definition is not None:
        assert errors(conversion.definition.validate()) == []


@given(st.integers(0, 10**6))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_dependency_between_tasks_that_become_steps_is_kept(seed: int) -> None:
    """Every step of a task waits for a step of each task before it, or stands where that one cannot run.

    Conditions are left out: what is after a condition is in a branch of it, or repeats it (see test_branches).
    """
    dag = random_dag(seed)
    conversion = convert(dag)
    if conversion.definition is None:
        return
    order = nx.transitive_closure(order_of(conversion.definition))
    by_task: dict[str, list[str]] = {}
    for item, _ in conversion.definition.all_steps():
        by_task.setdefault(task_of(item), []).append(item.name)
    expected = {task for task in dag.task_dict if not isinstance(dag.get_task(task), type(empty_task()))}
    assert set(by_task) == expected
    for task_id, task in dag.task_dict.items():
        for upstream in task.upstream_task_ids:
            if {task_id, upstream} <= expected and not hasattr(dag.get_task(upstream), "if_task_ids"):
                waiting = [
                    name for name in by_task[task_id] if any(order.has_edge(other, name) for other in by_task[upstream])
                ]
                rule = str(getattr(task.trigger_rule, "value", task.trigger_rule))
                assert waiting == by_task[task_id] or (waiting and rule != "all_success"), (upstream, task_id)


def empty_task() -> Any:
    with make_dag():
        return empty("empty")


def test_most_random_dags_convert() -> None:
    converted = sum(convert(random_dag(seed)).definition is not None for seed in SEEDS)
    assert converted > len(SEEDS) / 2


def test_two_conversions_of_the_same_dag_are_equal() -> None:
    assert digest(SEEDS) == digest(SEEDS)


def test_the_hash_seed_of_the_process_changes_nothing() -> None:
    code = f"import sys; sys.path[:0] = {[str(Path(__file__).parent)]!r}; import test_properties as t; print(t.digest(t.SEEDS))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert found.stdout.split() == [digest(SEEDS)]
