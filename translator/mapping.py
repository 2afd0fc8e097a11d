"""Mapped tasks: ``expand``, ``expand_kwargs`` and mapped task groups.

A list that is known when the DAG is converted gives one step for each item. With the setting ``mapped: loop`` a list of texts,
numbers or booleans is a ForEach step instead. What a Python task returns gives a ForEach step over the indexes, each of whose
jobs reads its item from the file of that task.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sagemaker_provider.definition import limits
from sagemaker_provider.definition.findings import finding
from sagemaker_provider.translator.registry import (
    LoopIndexes,
    LoopItem,
    MappedItem,
    Stays,
    Steps,
    TaskStep,
    Translation,
)


class _CannotMapError(ValueError):
    """A mapping that has no counterpart; the message says which."""


def is_mapped(task: Any) -> bool:
    """Whether a task is expanded, or stands in a task group that is."""
    return _expanded(task) or _group(task) is not None


def _expanded(task: Any) -> bool:
    return hasattr(task, "partial_kwargs")


def _group(task: Any) -> Any:
    find = getattr(task, "get_closest_mapped_task_group", None)
    return find() if find else None


def is_looped_over(task: Any) -> bool:
    """Whether a later task is expanded over what a task returns."""
    return any(_expanded(other) and task.task_id in _sources(other) for other in task.downstream_list)


def _sources(task: Any) -> list[str]:
    """The tasks over whose results an expanded task goes."""
    value = task._get_specified_expand_input().value
    return [_plain(item) for item in (value.values() if isinstance(value, Mapping) else [value])]


def mapped(
    task: Any,
    loop: bool,
    lengths: Mapping[str, int],
    indexed: Callable[[str], bool],
    translate: Callable[[Any], Translation],
) -> Translation:
    """What a mapped task becomes.

    :param task: a task for which :func:`is_mapped` holds.
    :param loop: whether it shall be a ForEach step.
    :param lengths: upstream task -> into how many steps it was mapped.
    :param indexed: whether a loop can go over what an upstream task returns.
    :param translate: gives the translation of a task that is not mapped.
    """
    group = _group(task)
    try:
        if group is not None and _expanded(task):
            raise _CannotMapError("a task is expanded in a task group that is expanded too")
        if group is not None:
            items = _items(group._expand_input, lengths)
            tasks = [_with_items(task, group, index, item) for index, item in enumerate(items)]
            return _unrolled(task, group.group_id, [translate(item) for item in tasks])
        given = task._get_specified_expand_input()
        if loop or any(indexed(name) for name in _sources(task)):
            return _loop(task, given, indexed, translate)
        operators = [_unmapped(task, item) for item in _items(given, lengths)]
        over = f"{task.task_id} over {', '.join(_sources(task))}"
        return _unrolled(task, over, [translate(item) for item in operators])
    except _CannotMapError as error:
        return Stays((finding("SMP204", str(error), task=task.task_id),))


def _unmapped(task: Any, values: Mapping[str, Any]) -> Any:
    """The operator for one item."""
    own = {"op_kwargs": values} if hasattr(task, "op_kwargs_expand_input") else values
    return task.unmap(own)


def _items(given: Any, lengths: Mapping[str, int]) -> list[dict[str, Any]]:
    """The arguments of each item of an expansion, in the order of Airflow's map indexes."""
    if isinstance(given.value, Mapping):
        lists = [[(key, item) for item in _list(value, lengths)] for key, value in given.value.items()]
        found = [dict(pairs) for pairs in itertools.product(*lists)]
    else:
        found = list(_list(given.value, lengths))
        if not all(isinstance(item, Mapping) and all(isinstance(key, str) for key in item) for item in found):
            raise _CannotMapError("the items of expand_kwargs are not objects that are known when the DAG is converted")
    if not found:
        raise _CannotMapError("the list is empty, so Airflow skips the task")
    if len(found) > limits.STEPS:
        raise _CannotMapError(
            f"the list has {len(found)} items, more than the {limits.STEPS} steps of a pipeline; the setting mapped: loop"
            " makes one step of a list of texts or numbers"
        )
    return found


def _list(value: Any, lengths: Mapping[str, int]) -> Sequence[Any]:
    """The items that one argument is mapped over."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, Sequence):
        return value
    if (upstream := _plain(value)) in lengths:
        return [MappedItem(upstream, index) for index in range(lengths[upstream])]
    raise _CannotMapError(
        f"the list is what the task {upstream!r} returns, which only the run knows"
        if upstream
        else f"the list is a {type(value).__name__}, which only the run knows"
    )


def _plain(value: Any) -> str:
    """The task whose whole result a value is, or nothing."""
    if type(value).__name__ == "PlainXComArg" and value.key == "return_value":
        return str(value.operator.task_id)
    return ""


def _with_items(task: Any, group: Any, index: int, item: Mapping[str, Any]) -> Any:
    """A copy of a task of a mapped group, with the arguments of one item in place."""

    def put(value: Any) -> Any:
        if type(value).__name__ == "MappedArgument":
            return item[value._key]
        if (upstream := _plain(value)) and group.has_task(value.operator):
            return MappedItem(upstream, index)
        if isinstance(value, Mapping):
            return {key: put(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(put(inner) for inner in value)
        return value

    found = copy.copy(task)
    for field in task.template_fields:
        object.__setattr__(found, field, put(getattr(task, field)))
    return found


def _unrolled(task: Any, over: str, translations: list[Translation]) -> Translation:
    """One step for each item; the first finding of a kind stands for all."""
    if all(isinstance(item, TaskStep) for item in translations):
        steps = {str(index): item for index, item in enumerate(translations) if isinstance(item, TaskStep)}
        note = finding("SMP685", f"the task is {len(steps)} steps, one for each item", task=task.task_id)
        return Steps(steps, edges=(), findings=(note,), mapped=over)
    refused = [item for item in translations if not isinstance(item, TaskStep)]
    if isinstance(refused[0], Steps):
        raise _CannotMapError("a task that becomes several steps cannot be mapped")
    return refused[0]


def _loop(
    task: Any, given: Any, indexed: Callable[[str], bool], translate: Callable[[Any], Translation]
) -> Translation:
    """A ForEach step over a literal list of scalars, or over what a task returns."""
    if not isinstance(given.value, Mapping) or len(given.value) != 1:
        cure = "" if any(_sources(task)) else "; leave out the setting mapped: loop"
        raise _CannotMapError(f"a loop goes over one list{cure}")
    ((key, items),) = given.value.items()
    over: Any = list(items) if isinstance(items, (list, tuple)) else None
    if upstream := _plain(items):
        if not indexed(upstream):
            raise _CannotMapError(f"the list is what the task {upstream!r} returns, and only Python tasks return lists")
        if key == "config":  # the Arguments of a step are an object with the members that the API has
            raise _CannotMapError(
                f"the config is an item of what {upstream!r} returns, and a pipeline names the members of a request"
                " beforehand; expand over values of a config that the DAG holds, or let the Python task make the jobs"
            )
        over = LoopIndexes(upstream)
    elif over is None or not all(isinstance(item, (str, int, float, bool)) for item in over):
        raise _CannotMapError("a loop goes over a list of texts, numbers and booleans that the DAG holds")
    elif not 1 <= len(over) <= limits.FOR_EACH_ITEMS:
        raise _CannotMapError(f"a loop goes over 1 to {limits.FOR_EACH_ITEMS} items, not {len(over)}")
    step = translate(_unmapped(task, {key: LoopItem(upstream)}))
    if not isinstance(step, TaskStep):
        return step
    if step.type in ("Condition", "Fail"):
        raise _CannotMapError(f"a {step.type} step cannot be in a loop")
    what = f"what {upstream!r} returns" if upstream else f"{len(over)} items"
    found = [finding("SMP686", f"{key!r} is the item of a loop over {what}", task=task.task_id)]
    if upstream:
        found.append(finding("SMP688", f"it goes over what {upstream!r} returns", task=task.task_id))
    return replace(step, loop_over=over, findings=(*step.findings, *found))
