"""Plans: which tasks are in which pipeline, why the others stay, and that the DAG does the same."""

from __future__ import annotations

import os
from itertools import combinations
from typing import Any

import networkx as nx
from airflow.providers.common.compat.sdk import BaseOperator
from airflow_states import final_states
from dag_makers import choice, empty, make_dag, step
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from sagemaker_provider.definition.findings import errors, finding
from sagemaker_provider.operators import SageMakerPipelineTaskGroup
from sagemaker_provider.translator import Settings, convert
from sagemaker_provider.translator.defaults import Defaults
from sagemaker_provider.translator.planning import Plan, Region, plan

try:
    from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
    from airflow.providers.standard.operators.python import ShortCircuitOperator
except ImportError:  # Airflow 2 has them itself
    from airflow.operators.latest_only import LatestOnlyOperator
    from airflow.operators.python import ShortCircuitOperator

EXAMPLES = int(os.environ.get("PLANNING_EXAMPLES", "15"))
RULES = ("all_success",) * 6 + ("none_failed_min_one_success", "none_failed", "all_done", "one_success", "one_failed")


class Work(BaseOperator):  # type: ignore[misc]
    """Work that only Airflow can do."""

    def execute(self, context: Any) -> None:
        """Do nothing."""


def work(task_id: str, **options: Any) -> Work:
    return Work(task_id=task_id, **options)


def tasks_of(made: Plan) -> list[list[str]]:
    return [list(region.tasks) for region in made.regions]


def reasons(made: Plan) -> dict[str, list[str]]:
    return {task: [item.code for item in found] for task, found in made.stays.items()}


def kept(*tasks: str, value: bool = False, dag: str = "work") -> Settings:
    return Settings(defaults=Defaults(tasks={(dag, task): {"native": value} for task in tasks}))


def test_a_dag_of_steps_is_one_pipeline() -> None:
    with make_dag() as dag:
        step("a") >> [step("b"), step("c")] >> empty("d")
    made = plan(dag)
    assert tasks_of(made) == [["a", "b", "c", "d"]]
    assert (made.regions[0].name, made.regions[0].steps, made.regions[0].after) == ("a_pipeline", 3, ())
    assert (made.stays, made.findings) == ({}, ())


def test_a_task_without_translation_stays_and_parts_the_pipelines() -> None:
    with make_dag() as dag:
        step("a") >> work("b") >> step("c")
    made = plan(dag)
    assert tasks_of(made) == [["a"], ["c"]]
    assert made.regions[1].after == ("b",)
    assert reasons(made) == {"b": ["SMP201"]}
    assert [item.dag for item in made.stays["b"]] == ["work"]


def test_values_cross_the_border() -> None:
    with make_dag() as dag:
        first, second = work("a"), step("b")
        second.payload = {"x": "{{ ti.xcom_pull(task_ids='a') }}"}
        third = work("c")
        last = step("d")
        last.payload = {"x": second.properties.OutputParameters["o"]}
        first >> second >> third >> last
    assert tasks_of(plan(dag)) == [["b"], ["d"]]


def test_settings_keep_tasks_in_airflow() -> None:
    with make_dag() as dag:
        step("a") >> step("b") >> step("c")
    assert tasks_of(plan(dag, kept("b"))) == [["a"], ["c"]]
    assert reasons(plan(dag, kept("b"))) == {"b": ["SMP840"]}
    all_but = Settings(defaults=Defaults(dags={"work": {"native": False}}, tasks={("work", "b"): {"native": True}}))
    assert tasks_of(plan(dag, all_but)) == [["b"]]
    assert "SMP840" in [item.code for item in convert(dag, kept("b")).findings]


def test_a_task_that_settings_want_in_a_pipeline_and_that_cannot_be_is_an_error() -> None:
    with make_dag() as dag:
        step("a") >> work("b")
    assert [(item.code, item.task) for item in plan(dag, kept("b", value=True)).findings] == [("SMP841", "b")]
    assert plan(dag, kept("a", value=True)).findings == ()


def test_a_rule_that_bears_failures_keeps_a_task_out_where_the_pipeline_waits() -> None:
    with make_dag() as dag:
        work("a") >> step("b") >> step("c", trigger_rule="all_done")
    made = plan(dag)
    assert (tasks_of(made), reasons(made)) == ([["b"]], {"a": ["SMP201"], "c": ["SMP843"]})
    with make_dag() as dag:
        step("b") >> step("c", trigger_rule="all_done")
    assert tasks_of(plan(dag)) == [["b", "c"]]


def test_a_rule_at_the_border_keeps_a_task_out() -> None:
    with make_dag() as dag:
        [work("a"), step("b")] >> step("c", trigger_rule="none_failed")
    made = plan(dag)
    assert (tasks_of(made), reasons(made)) == ([["b"]], {"a": ["SMP201"], "c": ["SMP821"]})


def test_a_condition_is_in_a_pipeline_only_with_its_branches() -> None:
    with make_dag(params={"ok": 1}) as dag:
        choice("ok", "yes", "no") >> [step("yes"), work("no")]
    made = plan(dag)
    assert reasons(made) == {"ok": ["SMP822"], "yes": ["SMP842"], "no": ["SMP201"]}
    with make_dag(params={"ok": 1}) as dag:
        choice("ok", "yes", "no") >> [step("yes"), step("no")] >> work("end", trigger_rule="none_failed")
    assert tasks_of(plan(dag)) == [["ok", "yes", "no"]]


def test_tasks_that_are_skipped_are_not_with_others() -> None:
    with make_dag() as dag:
        gate = ShortCircuitOperator(task_id="gate", python_callable=bool)
        gate >> step("b") >> step("c")
        step("a")
    made = plan(dag, kept("gate"))
    assert tasks_of(made) == [["b", "c"], ["a"]]


def test_an_operator_that_names_all_tasks_after_it_may_be_before_a_pipeline() -> None:
    with make_dag() as dag:
        LatestOnlyOperator(task_id="latest") >> step("b") >> step("c")
    assert tasks_of(plan(dag, kept("latest"))) == [["b", "c"]]


def test_a_pipeline_that_waits_for_more_says_so() -> None:
    with make_dag() as dag:
        step("b") >> step("d")
        work("c") >> dag.get_task("d")
    (region,) = plan(dag).regions
    assert [(item.code, item.message) for item in region.findings if item.code == "SMP844"] == [
        ("SMP844", "'b' waits for 'c' too")
    ]


def test_more_steps_than_a_pipeline_has_are_several_pipelines() -> None:
    with make_dag() as dag:
        last = step("t0")
        for number in range(1, 120):
            last = last >> step(f"t{number}")
    assert [region.steps for region in plan(dag).regions] == [50, 50, 20]


def test_a_branch_that_is_copied_too_often_is_parted() -> None:
    names = [f"t{number}" for number in range(30)]
    with make_dag(params={"ok": 1}) as dag:
        join = step("join", trigger_rule="none_failed_min_one_success")
        choice("ok", "yes", "no") >> [step("yes"), step("no")] >> join
        last = join
        for name in names:
            last = last >> step(name)
    made = plan(dag)
    assert not made.stays
    assert all(region.steps <= 50 for region in made.regions)


def test_a_task_that_does_nothing_stays_where_no_pipeline_is() -> None:
    with make_dag() as dag:
        work("a") >> empty("b") >> work("c") >> step("d")
    made = plan(dag)
    assert (tasks_of(made), reasons(made)) == ([["d"]], {"a": ["SMP201"], "b": ["SMP845"], "c": ["SMP201"]})


def test_errors_of_loading_keep_tasks_or_all_in_airflow() -> None:
    with make_dag() as dag:
        step("a") >> step("b")
    made = plan(dag, found=[finding("SMP111", "the name is different at every load", task="a")])
    assert (tasks_of(made), reasons(made)) == ([["b"]], {"a": ["SMP111"]})
    made = plan(dag, found=[finding("SMP112", "the DAG may or may not be there")])
    assert (tasks_of(made), list(made.stays), [item.code for item in made.findings]) == ([], ["a", "b"], ["SMP112"])


def test_a_region_is_not_called_like_a_task() -> None:
    with make_dag() as dag:
        step("a") >> step("a_pipeline")
    assert [region.name for region in plan(dag).regions] == ["a_pipeline_2"]


def test_a_task_group_that_is_a_pipeline_already_is_one_of_the_plan() -> None:
    with make_dag() as dag:
        with SageMakerPipelineTaskGroup("g", run_as="pipeline", prefix_group_id=False):
            a = step("a")
            a >> step("b")
        a >> step("c")
        step("d") >> a
    assert [(region.name, sorted(region.tasks), region.steps) for region in plan(dag).regions] == [
        ("d_pipeline", ["d"], 1),
        ("g", ["a", "b", "g.launch"], 2),
        ("c_pipeline", ["c"], 1),
    ]


# Random DAGs


@st.composite
def dags(draw: st.DrawFn, most: int = 7) -> tuple[Any, Settings]:
    """A DAG with conditions, gates, rules, and tasks that stay; and settings that keep some in Airflow."""
    size = draw(st.integers(1, most))
    kinds = [draw(st.sampled_from(["step", "step", "step", "work", "empty", "choice", "gate"])) for _ in range(size)]
    edges = [pair for pair in combinations(range(size), 2) if draw(st.integers(0, 2)) == 0]
    rules = [draw(st.sampled_from(RULES)) for _ in range(size)]
    names = [f"t{number}" for number in range(size)]
    params = {name: draw(st.integers(0, 1)) for name in names}
    with make_dag(params=params) as dag:
        for number, (name, kind, rule) in enumerate(zip(names, kinds, rules)):
            after = [names[second] for first, second in edges if first == number]
            if kind == "choice":
                sides = [draw(st.booleans()) for _ in after]
                choice(
                    name,
                    [other for other, side in zip(after, sides) if side],
                    [other for other, side in zip(after, sides) if not side],
                    trigger_rule=rule,
                )
            elif kind == "gate":
                goes_on = bool(params[name])
                ShortCircuitOperator(
                    task_id=name,
                    python_callable=lambda goes_on=goes_on: goes_on,
                    trigger_rule=rule,
                    ignore_downstream_trigger_rules=draw(st.booleans()),
                )
            else:
                {"step": step, "work": work, "empty": empty}[kind](name, trigger_rule=rule)
        for first, second in edges:
            dag.get_task(names[first]) >> dag.get_task(names[second])
    native = {
        ("work", name): {"native": False}
        for name, kind in zip(names, kinds)
        if kind == "gate" or draw(st.integers(0, 4)) == 0
    }
    return dag, Settings(defaults=Defaults(tasks=native))


def contracted(dag: Any, parts: list[list[str]]) -> nx.DiGraph:
    part_of = {task: index for index, part in enumerate(parts) for task in part}
    edges = [
        (part_of.get(task.task_id, task.task_id), part_of.get(other, other))
        for task in dag.tasks
        for other in task.downstream_task_ids
    ]
    graph = nx.DiGraph(edge for edge in edges if edge[0] != edge[1])
    graph.add_nodes_from(dag.task_dict if not parts else ())
    return graph


def with_starters(dag: Any, made: Plan) -> None:
    """Put a task before each pipeline that waits for what the pipeline waits for."""
    with dag:
        for region in made.regions:
            start = empty(f"{region.name}.start")
            for task in region.tasks:
                if not dag.get_task(task).upstream_task_ids & set(region.tasks):
                    start >> dag.get_task(task)
            for other in region.after:
                dag.get_task(other) >> start


@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(dags(), st.data())
def test_every_pipeline_converts_and_the_tasks_end_as_before(
    airflow: Any, case: tuple[Any, Settings], data: st.DataObject
) -> None:
    dag, chosen = case
    made = plan(dag, chosen)
    parts = tasks_of(made)
    shapes = {task.task_id: (task.task_type, str(task.trigger_rule), task.downstream_task_ids) for task in dag.tasks}
    note(f"{shapes}: {parts} {reasons(made)}")
    assert nx.is_directed_acyclic_graph(contracted(dag, parts))
    assert sorted([*made.stays, *(task for part in parts for task in part)]) == sorted(dag.task_dict)
    for part in parts:
        assert not errors(convert(dag, chosen, task_ids=part).findings)
    params = {name: data.draw(st.integers(0, 1)) for name in dag.params}
    failing = data.draw(st.sets(st.sampled_from(sorted(made.stays)), max_size=1)) if made.stays else set()
    before = final_states(dag, params, failing)
    waiting = {task for region in made.regions for task in region.tasks if says_that_it_waits(region, task)}
    excused = waiting.union(*(nx.descendants(contracted(dag, []), task) for task in waiting if failing))
    with_starters(dag, made)
    after = final_states(dag, params, failing)
    assert {task: after[task] for task in before} == {
        task: after[task] if failing and task in excused else state for task, state in before.items()
    }


def says_that_it_waits(region: Region, task: str) -> bool:
    """Whether a finding says that a task waits for more than in Airflow."""
    return any(item.code == "SMP844" and f"{task!r}" in item.message.partition(" waits")[0] for item in region.findings)
