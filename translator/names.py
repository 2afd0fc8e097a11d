"""Step names: at most 64 letters, digits, hyphens and underscores, each used once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Mapping

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.translator.branches import SIDES, World

_WORDS = dict(zip(SIDES, ("if", "else")))


def clean(task_id: str) -> str:
    """A task id as a step name; a long one is cut and ends in a hash of itself."""
    name = re.sub(r"[^A-Za-z0-9\-_]", "-", task_id)
    return hashed(name, task_id) if len(name) > limits.STEP_NAME_LENGTH else name


def hashed(name: str, text: str) -> str:
    """A name, cut where it is long, that ends in a hash of a text."""
    return f"{name[:55]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def another_name(name: str, word: str, taken: Container[str]) -> str:
    """The name of a second step beside one: its name and a word; with a number where that is taken."""
    return _free(f"{name[: limits.STEP_NAME_LENGTH - len(word) - 1]}-{word}", taken)


def _free(base: str, taken: Container[str]) -> str:
    name, number = base, 2
    while name in taken:
        name, number = f"{base[: limits.STEP_NAME_LENGTH - 4]}-{number}", number + 1
    return name


def step_names(
    given: Mapping[str, str | None], worlds: Mapping[str, Iterable[World]], order: Iterable[str]
) -> tuple[dict[tuple[str, World], str], list[Finding]]:
    """A name for every task in every world.

    :param given: task -> step name that the user chose, or ``None``.
    :param worlds: task -> the worlds in which it runs; in the first it keeps its name.
    :param order: the tasks, in the order in which names are given out.
    :return: (task, world) -> name, and findings.
    """
    names: dict[tuple[str, World], str] = {}
    findings: list[Finding] = []
    chosen = {name for name in given.values() if name}
    kept = {task for task, name in given.items() if not name and clean(task) == task} - chosen
    taken = chosen | kept
    for task in order:
        if task not in given:
            continue
        for index, world in enumerate(worlds[task]):
            base = given[task] or clean(task)
            if index:
                name = another_name(base, "-".join(_WORDS[side] for _, side in sorted(world))[:20], taken)
            else:
                name = base if given[task] or task in kept else _free(base, taken)
            taken.add(name)
            names[task, world] = name
            if not index and not given[task] and name != task:
                findings.append(finding("SMP701", f"the step of {task!r} is called {name!r}", task=task))
    return names, findings
