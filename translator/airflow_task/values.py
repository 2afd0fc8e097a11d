"""XComs as files, and the values of ``task.json``."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .stand_ins import MissingError

CODE = Path(__file__).resolve().parents[1]
PROCESSING = CODE.parents[1]
"""``/opt/ml/processing``: the code is in ``input/code`` of it."""
RESULT = "return_value"


def to_json(value: Any, path: list[Any], kinds: list[Any]) -> Any:
    """A value as JSON; what JSON does not have is noted in ``kinds`` as (path, type, text).

    :raises TypeError: it is something that no file of this program can hold.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        kinds.append([path, "float", repr(float(value))])
        return None
    if isinstance(value, dict):
        return {str(key): to_json(item, [*path, str(key)], kinds) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        members = sorted(value, key=repr)
        return _noted([to_json(item, [*path, at], kinds) for at, item in enumerate(members)], value, path, kinds)
    if isinstance(value, (list, tuple)):
        items = [to_json(item, [*path, at], kinds) for at, item in enumerate(value)]
        return _noted(items, value, path, kinds) if isinstance(value, tuple) else items
    if isinstance(value, (datetime.datetime, datetime.date, datetime.timedelta, decimal.Decimal)):
        return _noted(_plain(value), value, path, kinds)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return to_json(value.item(), path, kinds)
    where = RESULT if not path else "".join([f"{path[0]}", *(f"[{item!r}]" for item in path[1:])])
    raise TypeError(f"{where} is a {type(value).__name__}, which is no JSON: write it to S3 and return where it is")


_KINDS: dict[str, Any] = {
    "float": float,
    "tuple": tuple,
    "frozenset": frozenset,
    "set": set,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "timedelta": lambda text: datetime.timedelta(*map(int, text.split())),
    "Decimal": decimal.Decimal,
}


def _noted(plain: Any, value: Any, path: list[Any], kinds: list[Any]) -> Any:
    bases = (tuple, frozenset, set, datetime.datetime, datetime.date, datetime.timedelta, decimal.Decimal)
    kind = next(item.__name__ for item in bases if isinstance(value, item))
    text = f"{value.days} {value.seconds} {value.microseconds}" if kind == "timedelta" else plain
    kinds.append([path, kind, text if isinstance(text, str) else None])
    return plain


def _plain(value: Any) -> Any:
    """What JSON has for a date, a duration (its seconds) or a decimal."""
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, decimal.Decimal) else str(value.isoformat())


def from_json(value: Any, kinds: list[Any]) -> Any:
    """The value that :func:`to_json` was given; inner values come before those that hold them."""
    holder = {"": value}
    for path, kind, text in kinds:
        target, key = holder, ""
        for step in path:
            target, key = target[key], step
        target[key] = _KINDS[kind](target[key] if text is None else text)
    return holder[""]


def write_xcoms(values: dict[str, Any]) -> None:
    """Write the XComs of this task where the job uploads them from."""
    kinds: list[Any] = []
    plain = to_json(values, [], kinds)
    folder = PROCESSING / "output" / "xcom"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "xcom.json").write_text(json.dumps(plain, indent=1), encoding="utf-8")
    (folder / "types.json").write_text(json.dumps(kinds), encoding="utf-8")


def write_indexes(value: Any) -> None:
    """Write the indexes of the items of a list, over which a loop goes, as the text of a JSON list.

    :raises TypeError: it is no list.
    """
    if not isinstance(value, (list, tuple, dict)):
        raise TypeError(f"another task is expanded over what this one returns: a {type(value).__name__} is no list")
    text = json.dumps([str(index) for index in range(len(value))])
    (PROCESSING / "output" / "xcom" / "indexes.json").write_text(json.dumps({RESULT: text}), encoding="utf-8")


class Upstream:
    """The XComs of the tasks before this one.

    :param sources: task id -> ``mapped`` (the names of its steps, one for each item), ``input`` (the folder with its files),
        ``loop`` (the folder with a folder for each item), ``values`` (path with points -> value), ``given`` (key -> value,
        of which the task may have others), or the call that describes what the task made.
    """

    def __init__(self, sources: dict[str, Any]) -> None:
        self.sources = sources
        self.known: dict[str, dict[str, Any]] = {}

    def all(self, task_id: str) -> dict[str, Any]:
        """The XComs of a task by key."""
        if task_id not in self.sources:
            known = ", ".join(sorted(self.sources)) or "none"
            raise MissingError(f"the XComs of {task_id!r} are not here; this task was given those of: {known}")
        if task_id not in self.known:
            source = self.sources[task_id]
            if "mapped" in source or "loop" in source:
                every = self._items(source)
                keys = sorted({key for item in every for key in item})
                self.known[task_id] = {key: [item[key] for item in every if item.get(key) is not None] for key in keys}
            elif "input" in source:
                self.known[task_id] = self._files(source["input"])
            elif "given" in source:
                self.known[task_id] = {key: decode(value, None) for key, value in source["given"].items()}
            else:
                self.known[task_id] = {RESULT: described(source) if "method" in source else _tree(source["values"])}
        return self.known[task_id]

    def has(self, task_id: str, key: str) -> bool:
        """Whether a task has an XCom of a key.

        :raises MissingError: that is not known here.
        """
        every = self.all(task_id)
        if key not in every and "given" in self.sources[task_id]:
            known = ", ".join(sorted(every))
            raise MissingError(f"the XCom {key!r} of {task_id!r} is not here; this task was given {known}")
        return key in every

    def get(self, task_id: str, key: str) -> Any:
        """An XCom of a task; ``None`` when the task has none of that key."""
        return self.all(task_id)[key] if self.has(task_id, key) else None

    def _items(self, source: dict[str, Any]) -> list[dict[str, Any]]:
        """The XComs of the steps of a mapped task, in the order of its items."""
        if "mapped" in source:
            return [self.all(name) for name in source["mapped"]]
        folders = sorted((PROCESSING / "input" / source["loop"]).iterdir(), key=lambda folder: int(folder.name))
        return [self._files(f"{source['loop']}/{folder.name}/out") for folder in folders]

    @staticmethod
    def _files(name: str) -> dict[str, Any]:
        folder = PROCESSING / "input" / name
        value = json.loads((folder / "xcom.json").read_text(encoding="utf-8"))
        kinds = json.loads((folder / "types.json").read_text(encoding="utf-8"))
        found: dict[str, Any] = from_json(value, kinds)
        return found


def _tree(values: dict[str, Any]) -> Any:
    """Nested objects from paths with points; the path of nothing is the whole."""
    if "" in values:
        return decode(values[""], None)
    found: dict[str, Any] = {}
    for path, value in values.items():
        *before, last = path.split(".")
        target = found
        for name in before:
            target = target.setdefault(name, {})
        target[last] = decode(value, None)
    return found


def described(source: dict[str, Any]) -> Any:
    """What the service says about what another task made, as that task's operator has it in its XCom."""
    import boto3

    request = {key: decode(value, None) for key, value in source["request"].items()}
    value = getattr(boto3.client(source["service"]), source["method"])(**request)
    value.pop("ResponseMetadata", None)
    for name in filter(None, source["result"].split(".")):
        value = value[name]
    value = json.loads(json.dumps(value, default=repr))
    found = {source["wrapper"]: value} if source["wrapper"] else value
    for other in source.get("beside", ()):
        found.update(described(other))
    return found


def decode(value: Any, upstream: Upstream | None) -> Any:
    """A value of ``task.json`` with what only the run knows; objects with one key ``$...`` stand for such."""
    if isinstance(value, list):
        return [decode(item, upstream) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, inner),) = value.items()
        if key in DECODERS:
            return DECODERS[key](inner, upstream)
    return {key: decode(item, upstream) for key, item in value.items()}


def _variable(inner: Any, upstream: Any) -> Any:
    text, kind = os.environ[inner["name"]], inner.get("type", "String")
    if kind == "Boolean":
        return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
    if kind == "Json":
        return json.loads(text)
    return {"Integer": int, "Float": float}.get(kind, str)(text)


def _xcom(inner: Any, upstream: Any) -> Any:
    value = upstream.get(inner["task"], inner["key"])
    for segment in inner["path"]:
        value = value[segment]
    return value


def _item(inner: Any, upstream: Any) -> Any:
    """An item of a list that another task returned; of a dict, a pair."""
    value = upstream.all(inner["task"])[RESULT]
    items = list(value.items()) if isinstance(value, dict) else value
    return items[decode(inner["index"], upstream)]


def _native(inner: Any, upstream: Any) -> Any:
    """What Jinja's native mode makes of a text."""
    import ast

    value = decode(inner, upstream)
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(ast.parse(value.lstrip(" \t"), mode="eval"))
    except (ValueError, SyntaxError, MemoryError):
        return value


DECODERS: dict[str, Callable[[Any, Any], Any]] = {
    "$value": _variable,
    "$text": lambda inner, upstream: str(decode(inner, upstream)),
    "$join": lambda inner, upstream: "".join(str(decode(item, upstream)) for item in inner),
    "$tuple": lambda inner, upstream: tuple(decode(item, upstream) for item in inner),
    "$dict": lambda inner, upstream: {decode(key, upstream): decode(item, upstream) for key, item in inner},
    "$python": lambda inner, upstream: eval(inner),  # noqa: S307  (a literal that the packing wrote)
    "$xcom": _xcom,
    "$item": _item,
    "$native": _native,
}
"""What objects with one key stand for: key -> function of what is below it, and of the XComs."""
