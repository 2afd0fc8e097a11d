"""Tasks run in a pipeline exactly when Airflow does not skip them."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerConditionOperator
from dag_makers import choice, codes, empty, make_dag, messages, step, steps_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from two_worlds import RULES, Execution, Plan, order_of, task_of, tasks_that_run

from sagemaker_provider.definition.conditions import Equals
from sagemaker_provider.definition.findings import errors
from sagemaker_provider.translator import Conversion, Settings, convert
from sagemaker_provider.translator.branches import SIDES, worlds

REFUSALS = {"SMP205", "SMP401", "SMP402", "SMP403"}
"""What may be said instead of a translation: a rule, a task that never runs, a join, a value of an untaken branch."""


@st.composite
def plans(draw: st.DrawFn, *, most: int = 9, empties: bool = False) -> Plan:
    """DAGs with one to four conditions, most of whose tasks have few upstreams."""
    size = draw(st.integers(3, most))
    chosen = draw(st.sets(st.integers(0, size - 2), min_size=1, max_size=min(4, size - 1)))
    edges: set[tuple[int, int]] = set()
    for task in range(1, size):
        count = draw(st.sampled_from((1, 1, 1, 2, 2, 3)))
        edges |= {(draw(st.integers(0, task - 1)), task) for _ in range(count)}
    downstream = {task: sorted(second for first, second in edges if first == task) for task in chosen}
    branches = {}
    for task in sorted(chosen):
        sides = {other: draw(st.sampled_from((0, 1, 0, 1, 0, 1, 2))) for other in downstream[task]}
        branches[task] = tuple(tuple(key for key, side in sides.items() if side == index) for index in (0, 1))
    rules = {
        task: draw(st.sampled_from(("all_success", "all_success", "none_failed_min_one_success", *RULES)))
        for task in range(size)
    }
    plain = [task for task in range(size) if task not in chosen]
    vanishing = draw(st.sets(st.sampled_from(plain), max_size=3)) if empties and plain else set()
    return Plan(size, edges, rules, branches, frozenset(vanishing))


def build(plan: Plan, *, reads: frozenset[tuple[int, int]] = frozenset()) -> Any:
    """The DAG of a plan. In ``reads``, the second task reads an output of the first."""
    name = "t{}".format
    with make_dag(params={name(task): 1 for task in plan.branches}) as dag:
        tasks: dict[int, Any] = {}
        for task in range(plan.size):
            values = [
                tasks[first].properties.OutputParameters["o"]
                for first, second in sorted(reads)
                if second == task and first not in plan.branches and first not in plan.empties
            ]
            rule = {"trigger_rule": plan.rules[task]}
            if task in plan.branches:
                sides = [[name(other) for other in side] for side in plan.branches[task]]
                conditions = [Equals(f"{{{{ params.t{task} }}}}", 1), *(Equals(value, "ok") for value in values)]
                tasks[task] = choice(name(task), *sides, conditions=conditions, **rule)
            elif task in plan.empties:
                tasks[task] = empty(name(task), **rule)
            else:
                config = {f"v{index}": value for index, value in enumerate(values)}
                tasks[task] = step(name(task), config=config, **rule)
        for first, second in sorted(plan.edges):
            tasks[first] >> tasks[second]
    return dag


def never_runs(plan: Plan, task: int) -> bool:
    return not any(task in tasks_that_run(plan, outcomes) for outcomes in plan.outcomes())


def compare(plan: Plan, conversion: Conversion) -> None:
    """The steps that run are those of the tasks that run, in every combination of outcomes, each task once, in order."""
    definition = conversion.definition
    assert definition is not None
    order = nx.transitive_closure(order_of(definition))
    steps = {item.name: item for item, _ in definition.all_steps()}
    for outcomes in plan.outcomes():
        expected = tasks_that_run(plan, outcomes)
        ran = Execution(definition, {f"t{task}": int(value) for task, value in outcomes.items()}).ran
        by_task: dict[int, str] = {}
        for name in ran:
            task = int(task_of(steps[name]).removeprefix("t"))
            if task in plan.branches:
                continue  # a lifted condition also runs, with nothing in its branches, when the outer one is not taken
            assert task not in by_task, f"{outcomes}: t{task} runs twice, as {by_task[task]} and {name}"
            by_task[task] = name
        wanted = expected - plan.empties - set(plan.branches)
        assert set(by_task) == wanted, f"{outcomes}: Airflow runs {sorted(wanted)}, the pipeline {sorted(by_task)}"
        running = plan.graph.subgraph(expected)
        for task, name in by_task.items():
            for upstream in nx.ancestors(running, task) & set(by_task):
                assert order.has_edge(by_task[upstream], name), f"{outcomes}: t{task} does not wait for t{upstream}"


@given(plans())
@settings(max_examples=600, deadline=None, derandomize=True)
def test_worlds_are_the_outcomes_in_which_airflow_runs_the_task(plan: Plan) -> None:
    branches = {task: dict(zip(SIDES, sides)) for task, sides in plan.branches.items()}
    found, findings = worlds(plan.graph, branches, plan.rules)
    assert {item.code for item in findings} <= {"SMP401"}
    refused = {item.task for item in findings}
    for task in refused:
        assert never_runs(plan, task)
    unknown = refused.union(*(nx.descendants(plan.graph, task) for task in refused))
    for outcomes in plan.outcomes():
        actual = {(name, SIDES[0] if value else SIDES[1]) for name, value in outcomes.items()}
        ran = tasks_that_run(plan, outcomes)
        for task in set(range(plan.size)) - unknown:
            assert sum(world <= actual for world in found[task]) == (task in ran), (task, outcomes)


@pytest.mark.parametrize("nested", ["lift", "keep"])
@given(plan=plans(empties=True), data=st.data())
@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_converted_dag_runs_what_airflow_runs(nested: str, plan: Plan, data: st.DataObject) -> None:
    reads = frozenset(data.draw(st.sets(st.sampled_from(sorted(plan.edges)), max_size=2)))
    conversion = convert(build(plan, reads=reads), Settings(nested_conditions=nested))
    problems = errors(conversion.findings)
    assert {item.code for item in problems} <= REFUSALS | {"SMP104"}
    for item in problems:
        if item.code == "SMP401":
            assert never_runs(plan, int(item.task.removeprefix("t")))
    assert (conversion.definition is None) == bool(problems)
    if conversion.definition is not None:
        compare(plan, conversion)


def names_in(conversion: Conversion, condition: str) -> tuple[list[str], list[str]]:
    arguments = steps_of(conversion)[condition]["Arguments"]
    return tuple([item["Name"] for item in arguments[side]] for side in SIDES)  # type: ignore[return-value]


def top_level(conversion: Conversion) -> list[str]:
    assert conversion.definition is not None, [str(item) for item in conversion.findings]
    return [item.name for item in conversion.definition.steps]


def test_the_tail_after_a_join_is_duplicated_into_both_branches() -> None:
    with make_dag(params={"c": 1}) as dag:
        join = step("join", trigger_rule="none_failed_min_one_success")
        choice("c", "a", "b") >> [step("a"), step("b")] >> join >> step("tail") >> step("end")
    conversion = convert(dag)
    assert top_level(conversion) == ["c"]
    assert names_in(conversion, "c") == (
        ["a", "join", "tail", "end"],
        ["b", "join-else", "tail-else", "end-else"],
    )
    steps = steps_of(conversion)
    assert {name: steps[name].get("DependsOn") for name in ("join", "tail", "end", "join-else", "tail-else")} == {
        "join": ["a"],
        "tail": ["join"],
        "end": ["tail"],
        "join-else": ["b"],
        "tail-else": ["join-else"],
    }
    assert steps["tail-else"]["DisplayName"] == "tail"
    assert codes(conversion) == ["SMP606"]
    assert messages(conversion, "SMP606")[0] == "the task is 2 steps: join, join-else"


def test_a_copy_of_the_tail_reads_from_the_copy_before_it() -> None:
    with make_dag(params={"c": 1}) as dag:
        join = step("join", trigger_rule="none_failed_min_one_success")
        choice("c", "a", "b") >> [step("a"), step("b")] >> join
        step("tail", config={"v": join.properties.OutputParameters["o"]})
    steps = steps_of(convert(dag))
    assert steps["tail"]["Arguments"] == {"v": {"Get": "Steps.join.OutputParameters['o']"}}
    assert steps["tail-else"]["Arguments"] == {"v": {"Get": "Steps.join-else.OutputParameters['o']"}}
    assert "DependsOn" not in steps["tail-else"]


def test_a_join_of_an_empty_branch_waits_for_what_the_condition_waits_for() -> None:
    with make_dag(params={"c": 1}) as dag:
        before, condition = step("before"), choice("c", "a", "join")
        join = step("join", trigger_rule="none_failed_min_one_success")
        before >> condition >> [step("a"), join]
        dag.get_task("a") >> join
    conversion = convert(dag)
    assert names_in(conversion, "c") == (["a", "join"], ["join-else"])
    assert steps_of(conversion)["c"]["DependsOn"] == ["before"]


def test_a_join_that_needs_both_branches_is_refused() -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", "a", "b") >> [step("a"), step("b")] >> step("join") >> step("tail")
    conversion = convert(dag)
    assert conversion.definition is None
    assert [(item.code, item.task) for item in errors(conversion.findings)] == [("SMP401", "join")]


def test_a_task_that_the_condition_does_not_name_is_refused() -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", "a") >> [step("a"), step("forgotten")]
    assert [(item.code, item.task) for item in errors(convert(dag).findings)] == [("SMP401", "forgotten")]


def test_a_task_behind_two_conditions_one_of_which_does_not_name_it_is_refused() -> None:
    with make_dag(params={"c": 1, "d": 1}) as dag:
        [choice("c", "both"), choice("d")] >> step("both")
    assert [(item.code, item.task) for item in errors(convert(dag).findings)] == [("SMP401", "both")]


@pytest.mark.parametrize("rule", ["none_failed", "none_failed_min_one_success"])
def test_what_a_condition_skips_stays_skipped_whatever_its_rule(rule: str) -> None:
    with make_dag(params={"c": 1}) as dag:
        [choice("c", "picked"), step("other")] >> step("picked", trigger_rule=rule)
    conversion = convert(dag)
    assert names_in(conversion, "c") == (["picked"], [])
    assert steps_of(conversion)["picked"]["DependsOn"] == ["other"]


def test_reading_a_value_of_one_branch_after_the_join_is_refused() -> None:
    with make_dag(params={"c": 1}) as dag:
        a, b = step("a"), step("b")
        choice("c", "a", "b") >> [a, b]
        value = a.properties.OutputParameters["o"]
        [a, b] >> step("join", config={"v": value}, trigger_rule="none_failed_min_one_success")
    conversion = convert(dag)
    assert [(item.code, item.task) for item in errors(conversion.findings)] == [("SMP403", "join")]


@pytest.mark.parametrize(
    ("head", "reason"), [("nobody", "there is no task 'nobody'"), ("far", "'far' is not directly downstream")]
)
def test_a_branch_must_name_direct_downstreams(head: str, reason: str) -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", [head, "a"]) >> step("a") >> step("far")
    conversion = convert(dag)
    assert codes(conversion) == ["SMP404"]
    assert messages(conversion, "SMP404") == [reason]


def test_a_branch_may_name_a_task_group() -> None:
    from airflow.providers.common.compat.sdk import TaskGroup

    with make_dag(params={"c": 1}) as dag:
        condition = choice("c", "work", "b")
        with TaskGroup("work") as work:
            step("first") >> step("second")
            step("third")
        condition >> [work, step("b")]
    assert names_in(convert(dag), "c") == (["work-first", "work-second", "work-third"], ["b"])


def nested_dag(*between: str) -> Any:
    """c, in whose if branch is d, after the steps ``between``."""
    with make_dag(params={"c": 1, "d": 1}) as dag:
        inner = choice("d", "x", "y")
        last = choice("c", [*between[:1], *(["d"] if not between else [])], "b")
        last >> step("b")
        for name in between:
            last = last >> step(name)
        last >> inner >> [step("x"), step("y")]
    return dag


def test_a_lifted_condition_repeats_the_outer_one_where_no_step_keeps_it_in_the_branch() -> None:
    conversion = convert(nested_dag())
    assert top_level(conversion) == ["c", "d", "d-else"]
    c, d = ({"Type": "Equals", "LeftValue": {"Get": f"Parameters.{name}"}, "RightValue": 1} for name in "cd")
    steps = steps_of(conversion)
    assert steps["d"]["Arguments"]["Conditions"] == [c, d]
    assert steps["d-else"]["Arguments"]["Conditions"] == [c, {"Type": "Not", "Condition": d}]
    assert names_in(conversion, "d") == (["x"], [])
    assert names_in(conversion, "d-else") == (["y"], [])
    assert steps["d-else"]["DisplayName"] == "d"
    assert codes(conversion) == ["SMP605"]


def test_a_lifted_condition_behind_a_step_of_the_branch_depends_on_it() -> None:
    conversion = convert(nested_dag("a"))
    steps = steps_of(conversion)
    assert top_level(conversion) == ["c", "d"]
    assert steps["d"]["DependsOn"] == ["a"]
    assert len(steps["d"]["Arguments"]["Conditions"]) == 1
    assert codes(conversion) == ["SMP605", "SMP628"]


def test_a_kept_condition_stays_in_the_branch() -> None:
    conversion = convert(nested_dag(), Settings(nested_conditions="keep"))
    assert top_level(conversion) == ["c"]
    assert names_in(conversion, "c") == (["d"], ["b"])
    assert codes(conversion) == ["SMP624"]


def test_three_conditions_in_a_row_are_all_repeated() -> None:
    with make_dag(params={"c": 1, "d": 1, "e": 1}) as dag:
        choice("c", "d") >> choice("d", "e") >> choice("e", "x") >> step("x")
    conditions = steps_of(convert(dag))["e"]["Arguments"]["Conditions"]
    assert [item["LeftValue"]["Get"] for item in conditions] == ["Parameters.c", "Parameters.d", "Parameters.e"]


def test_the_else_side_of_several_outer_conditions_is_negated_as_a_whole() -> None:
    tests = [Equals("{{ params.c }}", 1), Equals("{{ params.d }}", 1)]
    with make_dag(params={"c": 1, "d": 1}) as dag:
        choice("c", (), "d", conditions=tests) >> choice("d", "x") >> step("x")
    first, _ = steps_of(convert(dag))["d"]["Arguments"]["Conditions"]
    assert first["Type"] == "Or"
    assert [item["Type"] for item in first["Conditions"]] == ["Not", "Not"]


def test_steps_of_second_copies_and_split_conditions_do_not_share_names() -> None:
    with make_dag(params={"c": 1, "d": 1}) as dag:
        inner = choice("d", "x", "y", trigger_rule="none_failed_min_one_success")
        choice("c", "d", "b") >> [inner, step("b")]
        dag.get_task("b") >> inner >> [step("x"), step("y"), step("d-else")]
        inner.if_task_ids.append("d-else")
    conversion = convert(dag)
    assert conversion.definition is not None
    names = [item.name for item, _ in conversion.definition.all_steps()]
    assert len(set(names)) == len(names)
    assert steps_of(conversion)["d-else"]["Type"] == "Lambda"


def test_a_task_in_branches_of_two_unrelated_conditions_is_refused() -> None:
    with make_dag(params={"c": 1, "d": 1}) as dag:
        [choice("c", "both"), choice("d", "both")] >> step("both")
    assert codes(convert(dag)) == ["SMP402"]


def test_a_task_behind_steps_of_two_branches_waits_for_both() -> None:
    with make_dag(params={"c": 1, "d": 1}) as dag:
        last = step("last")
        choice("c", "a") >> step("a") >> last
        choice("d", "b") >> step("b") >> last
    conversion = convert(dag)
    assert names_in(conversion, "d") == (["b", "last"], [])
    assert sorted(steps_of(conversion)["last"]["DependsOn"]) == ["a", "b"]


def test_very_many_combinations_of_outcomes_are_refused_in_reasonable_time() -> None:
    names = [f"c{index}" for index in range(30)]
    with make_dag(params=dict.fromkeys(names, 1)) as dag:
        last = step("last", trigger_rule="none_failed_min_one_success")
        for name in names:
            choice(name, f"{name}a") >> step(f"{name}a") >> last
    assert codes(convert(dag), task="last") == ["SMP402"]


def test_a_long_chain_of_conditions_in_branches_converts() -> None:
    names = [f"c{index}" for index in range(20)]
    with make_dag(params=dict.fromkeys(names, 1)) as dag:
        last = step("start")
        for name in names:
            condition = choice(name, f"{name}a")
            last = last >> condition >> step(f"{name}a")
    conversion = convert(dag)
    assert top_level(conversion) == ["start", *names]
    assert steps_of(conversion)["c7"]["DependsOn"] == ["c6a"]


def constant(task_id: str, value: bool, if_tasks: Any = (), else_tasks: Any = (), **options: Any) -> Any:
    return choice(task_id, if_tasks, else_tasks, conditions=[Equals("a", "a"), Equals(1 if value else 2, 1)], **options)


@pytest.mark.parametrize(("value", "taken", "never"), [(True, "a", "b"), (False, "b", "a")])
def test_a_condition_of_literals_is_decided_and_vanishes(value: bool, taken: str, never: str) -> None:
    with make_dag() as dag:
        join = step("join", trigger_rule="none_failed_min_one_success")
        step("before") >> constant("c", value, "a", "b") >> [step("a"), step("b")] >> join >> step("tail")
    conversion = convert(dag)
    waits = {name: item.get("DependsOn") for name, item in steps_of(conversion).items()}
    assert waits == {"before": None, taken: ["before"], "join": [taken], "tail": ["join"]}
    expected = f"the conditions are always {str(value).lower()}, so what never runs is {never!r}"
    assert messages(conversion, "SMP730") == [expected]
    assert codes(conversion) == ["SMP730"]


def test_what_is_after_a_branch_never_taken_never_runs() -> None:
    with make_dag() as dag:
        constant("c", True, "a", "b") >> [step("a"), step("b")]
        dag.get_task("b") >> step("b2") >> step("b3", trigger_rule="none_failed_min_one_success")
        [dag.get_task("a"), dag.get_task("b")] >> step("both")
    conversion = convert(dag)
    assert list(steps_of(conversion)) == ["a"]
    assert messages(conversion, "SMP730")[0].endswith("never runs is 'b', 'b2', 'b3', 'both'")


def test_a_constant_inside_a_branch_is_decided() -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", "d", "x") >> [constant("d", False, "y", "z"), step("x")]
        dag.get_task("d") >> [step("y"), step("z")]
        [dag.get_task("y"), dag.get_task("z"), dag.get_task("x")] >> step("join", trigger_rule="one_success")
    assert names_in(convert(dag), "c") == (["z", "join"], ["x", "join-else"])


def test_a_task_that_a_constant_in_a_branch_does_not_name_runs_where_the_constant_does_not() -> None:
    with make_dag(params={"c": 1}) as dag:
        choice("c", "d", "task") >> constant("d", True, "y") >> [step("y"), step("task", trigger_rule="all_done")]
        dag.get_task("c") >> dag.get_task("task")
    assert names_in(convert(dag), "c") == (["y"], ["task"])


@pytest.mark.parametrize("rule", ["all_done", "none_failed"])
def test_what_a_decided_condition_skips_runs_where_the_condition_is_not_reached(rule: str) -> None:
    with make_dag() as dag:
        condition = constant("c", True, "a", "b")
        condition >> [step("a"), step("b", trigger_rule=rule)]
        dag.get_task("b") >> step("b2")
    assert codes(convert(dag)) == ["SMP730"]
    with dag:
        step("before") >> condition
    expected = ["where 'c' cannot run, Airflow runs 'b', 'b2'"] if rule == "all_done" else []
    assert messages(convert(dag), "SMP680") == expected


def test_what_a_decided_condition_skips_runs_where_a_check_before_it_fails() -> None:
    with make_dag(params={"score": 1}) as dag:
        check = SageMakerConditionOperator(
            task_id="check",
            condition_type="Equals",
            left_value="{{ params.score }}",
            right_value=1,
            if_task_ids=["c"],
        )
        check >> constant("c", False, "a") >> step("a", trigger_rule="all_done")
    assert messages(convert(dag), "SMP680") == ["where 'c' cannot run, Airflow runs 'a'"]


def test_the_outcome_of_a_condition_that_is_decided_cannot_be_read() -> None:
    with make_dag() as dag:
        condition = constant("c", True, "a")
        condition >> step("a", config={"outcome": condition.properties.Outcome})
    assert codes(convert(dag), task="a") == ["SMP304"]


@pytest.mark.parametrize("rule", ["one_failed", "always"])
def test_other_rules_after_a_branch_never_taken_are_refused(rule: str) -> None:
    with make_dag() as dag:
        constant("c", True, "a", "b") >> [step("a"), step("b")] >> step("task", trigger_rule=rule)
    assert codes(convert(dag), task="task") == ["SMP205"]


def test_what_may_start_before_a_decided_condition_leaves_it_out_is_refused() -> None:
    with make_dag(params={"c": 1}) as dag:
        late = step("task", trigger_rule="one_success")
        choice("c", ["d", "task"]) >> [constant("d", False, "task"), late]
        dag.get_task("d") >> late
    assert "before 'd', which leaves it out, has run" in messages(convert(dag), "SMP205")[0]
    assert codes(convert(dag), task="task") == ["SMP205"]


def test_conditions_that_fail_or_are_templates_are_kept() -> None:
    with make_dag(params={"p": 1}) as dag:
        for index, operands in enumerate([("{{ params.p }}", "x"), ("{% if 1 %}x{% endif %}", "x"), (1, "x")]):
            choice(f"c{index}", f"t{index}", conditions=Equals(*operands)) >> step(f"t{index}")
    assert "SMP730" not in codes(convert(dag))


def gate_dag(rule: str) -> Any:
    from test_several_steps import Several, gate

    from sagemaker_provider.translator import Steps

    with make_dag(params={"go": 1}) as dag:
        setup = step("setup").as_setup()
        down = step("down").as_teardown(setups=setup)
        go = Several(task_id="go", translation=Steps({"": gate(["work"], short_circuit=True)}))
        setup >> go >> step("work") >> [down, step("last", trigger_rule=rule)]
    return dag


def test_a_short_circuit_does_not_skip_teardowns() -> None:
    conversion = convert(gate_dag("all_done"))
    assert names_in(conversion, "go") == (["work", "down", "last"], ["down-else"])
    assert steps_of(conversion)["go"]["DependsOn"] == ["setup"]


@pytest.mark.parametrize(
    ("if_tasks", "expected"),
    [(["setup"], (["setup", "work", "down"], [])), (["setup", "work"], (["setup", "work", "down"], []))],
)
def test_a_teardown_runs_where_its_setup_has_run(if_tasks: list[str], expected: Any) -> None:
    with make_dag(params={"c": 1}) as dag:
        setup, work = step("setup").as_setup(), step("work")
        condition = choice("c", if_tasks)
        condition >> setup >> work >> step("down").as_teardown(setups=setup)
        if "work" in if_tasks:
            condition >> work
    assert names_in(convert(dag), "c") == expected
