"""Airflow's trigger rules as run conditions of dependencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_PLAIN: Final = ("all_success", "none_failed", "none_failed_min_one_success", "one_success")
_TRIGGERS: Final = {
    "all_done": "Any",
    "one_done": "Any",
    "all_failed": "Failed",
    "one_failed": "Failed",
}


def trigger(tasks: Mapping[str, Any], upstream: str, task: str, rule: str) -> str | None:
    """How a step waits for one of its upstreams.

    ``one_success`` is as ``all_success`` where there is one upstream, and after branches, where the others are skipped.

    :param tasks: nodes of the graph -> the tasks they belong to.
    :param upstream: the upstream node.
    :param task: the node that waits.
    :param rule: its trigger rule.
    :return: ``Completed``, ``Failed`` or ``Any``; ``None`` when the rule has no counterpart.
    """
    if tasks[task] is tasks[upstream]:
        return "Completed"
    if getattr(tasks[task], "is_teardown", False):
        return "Completed" if getattr(tasks[upstream], "is_setup", False) else "Any"
    return "Completed" if rule in _PLAIN else _TRIGGERS.get(rule)


_THROUGH: Final = {
    ("Completed", "Completed"): "Completed",
    ("Completed", "Any"): "Any",
    ("Any", "Completed"): "Any",
    ("Any", "Any"): "Any",
}


def through(entering: str | None, leaving: str | None, branches: int) -> str | None:
    """The run condition of an edge through a task that vanished; ``None`` when there is none."""
    if (entering, leaving) == ("Completed", "Failed") and branches == 1:
        return "Failed"
    if (entering, leaving) == ("Failed", "Completed"):
        return "Failed"
    return _THROUGH.get((entering or "", leaving or ""))


def both(first: str | None, second: str | None) -> str | None:
    """The run condition of an edge that must satisfy two; ``None`` when there is none."""
    if first == second:
        return first
    return "Completed" if {first, second} == {"Completed", "Any"} else None
