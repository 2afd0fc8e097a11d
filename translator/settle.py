"""After a DAG file has loaded in both worlds: what of its tasks is not in the file gets marked or becomes a parameter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sagemaker_provider.definition.findings import Finding, finding
from sagemaker_provider.translator.parameters import looks_secret, value_of_param
from sagemaker_provider.translator.stubs import DAMAGED, TOKEN, Stubs, Unknown, origin

CHANGING: Final = "made_while_loading"
"""A template with this call stands for a part of a text that is different at every load."""
_CALLS: Final = re.compile(rf"\{{\{{ {CHANGING}\(\d+\) \}}\}}(?:[-:_ /.T]?\{{\{{ {CHANGING}\(\d+\) \}}\}})*")
_OTHERWISE: Final = frozenset(
    (
        *("start_date", "end_date", "dag", "_dag", "task_group", "_log", "_BaseOperator__init_kwargs"),
        *("upstream_task_ids", "downstream_task_ids"),
    )
)
"""Attributes of tasks that are no arguments, or are looked at in another way."""
_SETTINGS: Final = ("start_date", "end_date", "description", "doc_md", "tags", "schedule", "dagrun_timeout")


def settle(
    dag: Any, other: Any, stubs: Stubs | None, params: Mapping[str, Any], spans: dict[Any, int]
) -> list[Finding]:
    """Give a DAG parameters for stand-ins, and marks for what is different in the second world.

    :param dag: the DAG as it is in the first world; its tasks are changed.
    :param other: the same DAG in the second world, whose tasks get the same values; ``None`` when it is missing there.
    :param stubs: the stand-ins that were given out, if any.
    :param params: values of params from the values file.
    :param spans: (part of a text, the same part in the second world) -> number, shared by the DAGs of a file.
    """
    if other is None or set(dag.task_dict) != set(other.task_dict):
        tasks = set(dag.task_dict) ^ set(other.task_dict if other else ())
        names = ", ".join(map(repr, sorted(tasks))) or "the DAG itself"
        return [finding("SMP112", f"{names} may or may not be there")]
    pairs = _Pairs(stubs, spans)
    for name in sorted(dag.params):
        if name in params:
            for each in (dag, other):
                _set_param(each, name, params[name])
        else:
            pairs.findings += _param(dag, other, name, stubs)
    for task_id, task in sorted(dag.task_dict.items()):
        second = other.task_dict[task_id]
        here, there = _state(task), _state(second)
        for name in sorted(set(here) - _OTHERWISE):
            value = pairs.settled(here[name], there.get(name, here[name]), (task_id, name), ())
            if value is not here[name]:
                for each in (task, second):
                    object.__setattr__(each, name, value)
        if set(task.downstream_task_ids) != set(second.downstream_task_ids):
            pairs.findings.append(finding("SMP112", "what runs after the task is different", task=task_id))
    for name, unknown in sorted(pairs.wanted.items()):
        found = [_declare(each, name, unknown, params) for each in (dag, other)]
        pairs.findings += found[0]
    pairs.findings += _of_the_dag(dag, other)
    return pairs.findings


def explained(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in which marks are words; a mark where a template may stand and nothing is left out is an error."""
    found: list[Finding] = []
    for item in findings:
        if CHANGING in item.message:
            text = _CALLS.sub("<different at every load>", item.message).partition(f": {CHANGING!r} is")[0]
            if item.code == "SMP301":
                kept = finding("SMP111", text, task=item.task, dag=item.dag, file=item.file, place=item.place)
            else:
                kept = replace(item, message=text)
            found.append(kept)
        else:
            found.append(item)
    return found


@dataclass
class _Pairs:
    """Compares the values of tasks in both worlds."""

    stubs: Stubs | None
    spans: dict[Any, int]
    findings: list[Finding] = field(default_factory=list)
    wanted: dict[str, Unknown] = field(default_factory=dict)

    def settled(self, here: Any, there: Any, place: tuple[str, str], inside: tuple[int, ...]) -> Any:
        """The value, with templates for stand-ins and for parts that differ."""
        if id(here) in inside:
            return here  # it holds itself; what reads it says so
        inside = (*inside, id(here))
        if origin(here) is not None:
            here, there = str(here), str(there)
        if isinstance(here, str):
            return self._text(here, there, place)
        if isinstance(here, Mapping) and type(here) is dict:
            if not isinstance(there, Mapping) or list(map(repr, here)) != list(map(repr, there)):
                return self._differs(here, there, place)
            pairs = zip(here.items(), there.values())
            made: Any = {key: self.settled(one, two, _below(place, f".{key}"), inside) for (key, one), two in pairs}
            return made if any(made[key] is not here[key] for key in here) else here
        if type(here) in (list, tuple):
            if not isinstance(there, type(here)) or len(here) != len(there):
                return self._differs(here, there, place)
            items = [
                self.settled(one, two, _below(place, f"[{index}]"), inside)
                for index, (one, two) in enumerate(zip(here, there))
            ]
            return type(here)(items) if any(one is not two for one, two in zip(items, here)) else here
        scalar = isinstance(here, (int, float, datetime, timedelta, frozenset, set))
        if scalar and here != there and repr(here) != repr(there):  # not a number is not itself
            return self._differs(here, there, place)
        return here

    def _differs(self, here: Any, there: Any, place: tuple[str, str]) -> Any:
        shown = "the value" if looks_secret(place[1].rpartition(".")[2]) else repr(here)
        self._error("SMP111", f"{shown} is different at every load", place)
        return here

    def _error(self, code: str, message: str, place: tuple[str, str]) -> None:
        self.findings.append(finding(code, message, task=place[0], place=place[1]))

    def _text(self, here: str, there: Any, place: tuple[str, str]) -> Any:
        if not isinstance(there, str):
            return self._differs(here, there, place)
        if here == there and not DAMAGED.search(here):
            return here
        here, there = self._without_tokens(here), self._without_tokens(there)
        if DAMAGED.search(here) or DAMAGED.search(there):
            self._error("SMP113", "a text made of something unknown is cut or changed", place)
            return ""
        if here == there:
            return here
        return self._marked(here, there)

    def _without_tokens(self, text: str) -> str:
        return TOKEN.sub(self._template, text)

    def _template(self, match: re.Match[str]) -> str:
        assert self.stubs is not None
        unknown = self.stubs.known[int(match[1])]
        if unknown.kind == "variable":
            default = "" if unknown.default is None else f", {unknown.default!r}"
            return f"{{{{ var.value.get({unknown.name!r}{default}) }}}}"
        name = unknown.name
        number = 2
        while self.wanted.setdefault(name, unknown) != unknown:
            name, number = f"{unknown.name}_{number}", number + 1
        return f"{{{{ params[{name!r}] }}}}"

    def _marked(self, here: str, there: str) -> str:
        """The text with marks in place of the parts that differ, place by place where both are equally long."""
        if len(here) == len(there):
            parts, start = [], 0
            while start < len(here):
                same = here[start] == there[start]
                end = start
                while end < len(here) and (here[end] == there[end]) is same:
                    end += 1
                parts.append(here[start:end] if same else self._mark(here[start:end], there[start:end]))
                start = end
            return "".join(parts)
        before = next((i for i, (one, two) in enumerate(zip(here, there)) if one != two), min(len(here), len(there)))
        shortest = min(len(here), len(there)) - before
        after = next((i for i in range(shortest) if here[-1 - i] != there[-1 - i]), shortest)
        span = here[before : len(here) - after], there[before : len(there) - after]
        return here[:before] + self._mark(*span) + here[len(here) - after :]

    def _mark(self, here: str, there: str) -> str:
        return f"{{{{ {CHANGING}({self.spans.setdefault((here, there), len(self.spans))}) }}}}"


def _state(task: Any) -> dict[str, Any]:
    """The attributes of a task, also of a mapped one."""
    names = getattr(type(task), "__slots__", ())
    slots = {name: getattr(task, name) for name in names if isinstance(names, (list, tuple)) and hasattr(task, name)}
    return {**slots, **getattr(task, "__dict__", {})}


def _below(place: tuple[str, str], name: str) -> tuple[str, str]:
    return place[0], f"{place[1]}{name}"


def _declare(dag: Any, name: str, unknown: Unknown, params: Mapping[str, Any]) -> list[Finding]:
    """A param for something that is not known while the file loads."""
    from airflow.providers.common.compat.sdk import Param

    if name in dag.params:
        return [finding("SMP113", f"{unknown.label} and the param {name!r} would be one parameter")]
    given = params.get(name, unknown.default)
    options: dict[str, Any] = {"type": "string", "description": f"Not known while the DAG file loads: {unknown.label}"}
    dag.params[name] = Param(**options) if given is None else Param(given, **options)
    return [finding("SMP641", f"{unknown.label} becomes the parameter {name!r}", place=f"params.{name}")]


def _set_param(dag: Any, name: str, value: Any) -> None:
    """Give a param of a DAG a value, also in the tasks that have it from the DAG."""
    known = value_of_param(dag.params, name)
    for owner in (dag, *dag.task_dict.values()):
        own = getattr(owner, "params", {})
        if name in own and (owner is dag or value_of_param(own, name) == known):
            own[name] = value


def _param(dag: Any, other: Any, name: str, stubs: Stubs | None) -> Iterator[Finding]:
    """A param whose default is a stand-in has none; one that is different at every load is an error."""
    from airflow.providers.common.compat.sdk import Param

    here, there = (value_of_param(each.params, name) if name in each.params else None for each in (dag, other))
    token = TOKEN.fullmatch(str(here)) if stubs is not None else None
    if stubs is not None and token:
        unknown = stubs.known[int(token[1])]
        for each in (dag, other):
            options = {"type": "string", "description": f"Not known while the DAG file loads: {unknown.label}"}
            _set_param(each, name, Param(*filter(None, [unknown.default]), **options))
        yield finding("SMP641", f"{unknown.label} is the default of the param {name!r}", place=f"params.{name}")
    elif DAMAGED.search(str(here)):
        yield finding("SMP113", "the default is made of something unknown", place=f"params.{name}")
    elif here != there:
        yield finding("SMP111", "the default is different at every load", place=f"params.{name}")


def _of_the_dag(dag: Any, other: Any) -> Iterator[Finding]:
    """Settings of the DAG itself, where there can be no parameter."""
    here, there = (
        {**each.default_args, **{name: getattr(each, name, None) for name in _SETTINGS}} for each in (dag, other)
    )
    for name, value in here.items():
        if isinstance(value, (str, list, set)) and DAMAGED.search(str(value)):
            yield finding("SMP113", "the setting is made of something unknown", place=name)
        elif isinstance(value, (str, int, float, list, set, datetime, timedelta)) and value != there.get(name):
            yield finding("SMP712" if name == "start_date" else "SMP640", "it is made from the clock", place=name)


def leak(text: str, secrets: Iterable[str]) -> Finding | None:
    """What must not be in a result before it leaves: a stand-in, a mark, or a secret of the values file."""
    if DAMAGED.search(text) or CHANGING in text:
        return finding("SMP113", "a stand-in would be in the definition")
    if any(secret in text for secret in secrets):
        return finding("SMP306", "a value of the values file that Airflow masks would be in the definition")
    return None
