"""Random pipelines with failing steps, run conditions and branches, against what the rules say, worked out without time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pipelines_client import Pipelines, condition, definition, processing

TRIGGERS = ("Completed", "Failed", "Any")
HOLDS = {"Completed": ("Succeeded",), "Failed": ("Failed",), "Any": ("Succeeded", "Failed")}


@dataclass
class Plan:
    """A pipeline: for each step what it needs, which fail, and which are in a branch of which condition."""

    needs: list[list[tuple[int, str]]]
    failing: set[int]
    conditions: dict[int, tuple[bool, list[int], list[int]]]

    def branch_of(self, step: int) -> tuple[int, bool] | None:
        for holder, (_, yes, no) in self.conditions.items():
            if step in yes or step in no:
                return holder, step in yes
        return None

    def definition(self) -> str:
        steps = {}
        for index, needs in enumerate(self.needs):
            after = [
                f"s{n}" if trigger == "Completed" else {"Step": f"s{n}", "Trigger": trigger} for n, trigger in needs
            ]
            if index in self.conditions:
                value, yes, no = self.conditions[index]
                inner = [[steps.get(item, item) for item in side] for side in (yes, no)]
                steps[index] = condition(f"s{index}", value, True, inner[0], inner[1], *after)
            else:
                steps[index] = processing(f"s{index}", *after)
        for holder in self.conditions:
            for key in ("IfSteps", "ElseSteps"):
                steps[holder]["Arguments"][key] = [steps[item] for item in steps[holder]["Arguments"][key]]
        return definition(*(step for index, step in steps.items() if self.branch_of(index) is None))

    def states(self) -> dict[str, str]:
        """How each step ends; those that never start are left out."""
        ended: dict[int, str | None] = {}
        for index, needs in enumerate(self.needs):
            runs = all(ended[n] in HOLDS[trigger] for n, trigger in needs)
            if branch := self.branch_of(index):
                holder, side = branch
                runs = runs and ended[holder] == "Succeeded" and self.conditions[holder][0] is side
            ended[index] = None if not runs else "Failed" if index in self.failing else "Succeeded"
        return {f"s{index}": state for index, state in ended.items() if state}

    def status(self) -> str:
        """How the execution ends."""
        states = self.states()
        failed = {name for name, state in states.items() if state == "Failed"}
        handled = {
            f"s{n}"
            for index, needs in enumerate(self.needs)
            if f"s{index}" in states
            for n, trigger in needs
            if trigger != "Completed"
        }
        return "Failed" if failed - handled else "CompletedWithFailures" if failed else "Succeeded"


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(2, 8))
    conditions: dict[int, tuple[bool, list[int], list[int]]] = {}
    inside: set[int] = set()
    if count >= 4 and draw(st.booleans()):
        holder = draw(st.integers(0, count - 3))
        inside = set(draw(st.lists(st.integers(holder + 1, count - 1), min_size=1, max_size=3, unique=True)))
        yes = [item for item in sorted(inside) if draw(st.booleans())]
        conditions[holder] = (draw(st.booleans()), yes, sorted(inside - set(yes)))
    needs: list[list[tuple[int, str]]] = []
    for index in range(count):
        before = [
            n for n in range(index) if n not in conditions and (n not in inside or _same_side(conditions, n, index))
        ]
        chosen = draw(st.lists(st.sampled_from(before), max_size=2, unique=True)) if before else []
        needs.append([(n, draw(st.sampled_from(TRIGGERS))) for n in sorted(chosen)])
    able = [n for n in range(count) if n not in conditions]
    failing = set(draw(st.lists(st.sampled_from(able), max_size=3, unique=True)))
    return Plan(needs, failing, conditions)


def _same_side(conditions: dict[int, tuple[bool, list[int], list[int]]], one: int, other: int) -> bool:
    return any({one, other} <= set(side) for _, yes, no in conditions.values() for side in (yes, no))


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return (f"random-{number}" for number in range(1_000_000))


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=plans(), parallel=st.sampled_from([None, 1, 2]))
def test_what_the_rules_say_happens(
    pipelines: Pipelines, with_settings: Any, names: Iterator[str], plan: Plan, parallel: int | None
) -> None:
    with_settings(start_after_failure=True)
    pipelines.local.faults.clear()
    for step in plan.failing:
        pipelines.local.faults.add(kind="fail", name=f"*-s{step}-*", message="AlgorithmError: as planned", times=None)
    limit = {"ParallelismConfiguration": {"MaxParallelExecutionSteps": parallel}} if parallel else {}
    arn = pipelines.run(plan.definition(), next(names), **limit)
    assert pipelines.statuses(arn) == plan.states()
    assert pipelines.status(arn) == plan.status()
