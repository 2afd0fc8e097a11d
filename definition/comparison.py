"""What is different between two definitions, whatever the order in which they list their steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sagemaker_provider.definition.step_types import BRANCHES

ABSENT: Final = None
"""What stands for a value that is not there; ``null`` means the same in a definition."""
_EMPTY: Final = ("Metadata", "Parameters", "Steps")
"""Top-level members that mean nothing when they are empty."""


@dataclass(frozen=True)
class Change:
    """A difference.

    :param place: where, such as ``("Steps", "train", "Arguments", "RoleArn")``; steps and parameters by their names.
    :param old: the JSON value before; :data:`ABSENT` where there was none.
    :param new: the JSON value after; :data:`ABSENT` where there is none.
    """

    place: tuple[str, ...]
    old: Any
    new: Any

    def to_json(self) -> dict[str, Any]:
        """The change as JSON."""
        return {"place": ".".join(self.place), "old": self.old, "new": self.new}


def normalised(text: str) -> Any:
    """A definition as JSON in which nothing is left that carries no meaning.

    Steps and parameters become members under their names, because their order means nothing; so does that of
    ``DependsOn``. Members that are ``null`` at the top level and empty ``Metadata`` are left out.

    :param text: JSON text.
    :raises ValueError: it is no JSON object.
    """
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("a definition is a JSON object")
    kept = {key: value for key, value in data.items() if value is not None and (value or key not in _EMPTY)}
    if "Steps" in kept:
        kept["Steps"] = _by_name(kept["Steps"], _step)
    if "Parameters" in kept:
        kept["Parameters"] = _by_name(kept["Parameters"], dict)
    return kept


def _by_name(items: Any, become: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A list of things that have names, as a mapping; something else as it is."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return items
    names = [item.get("Name") for item in items]
    if len({name for name in names if isinstance(name, str)}) < len(items):
        return items
    named = {str(name): become(item) for name, item in zip(names, items)}
    return {name: {key: value for key, value in item.items() if key != "Name"} for name, item in named.items()}


def _step(step: dict[str, Any]) -> dict[str, Any]:
    found = dict(step)
    if isinstance(found.get("DependsOn"), list):
        unique = {json.dumps(item, sort_keys=True): item for item in found["DependsOn"]}
        found["DependsOn"] = [unique[text] for text in sorted(unique)]
    arguments = found.get("Arguments")
    if isinstance(arguments, dict):
        held = {
            key: _by_name(arguments[key], _step) for key in BRANCHES.get(str(found.get("Type")), ()) if key in arguments
        }
        found["Arguments"] = {**arguments, **held}
    return found


def changes(old: str | None, new: str) -> list[Change]:
    """What becomes different when a definition takes the place of another.

    :param old: JSON text; ``None`` where there is no definition yet. One that is no JSON object is replaced as a whole.
    :param new: JSON text.
    :return: the changes by place. A step or parameter that is new or gone is one change.
    :raises ValueError: the new one is no JSON object.
    """
    try:
        before = {} if old is None else normalised(old)
    except ValueError:
        before = {"": old}
    return sorted(differences(before, normalised(new)), key=lambda change: change.place)


def differences(old: Any, new: Any, place: tuple[str, ...] = ()) -> Iterator[Change]:
    """The changes from one JSON value to another; ``1`` and ``1.0`` and ``true`` are three values.

    :param place: where the values are.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), (*place, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new)):
            yield from differences(before, after, (*place, str(index)))
    elif place in (("Steps",), ("Parameters",)) and (old is ABSENT or new is ABSENT):
        yield from differences(old or {}, new or {}, place)
    elif json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True):
        yield Change(place, old, new)
