"""Whether the code of a pack makes the values that the DAG file had: it is run once, and what it makes is compared.

Statements of the DAG file run again in the container. What something else changed meanwhile, in a loop, a decorator or a
function that was called, would be lost without a word.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sagemaker_provider.translator.literals import NoLiteralError, literal

_DEEPEST: Final = 8
_MODULE: Final = "task_code"


def differing(code: str, expected: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names that stand for something else when the code runs, each with the reason.

    :param code: the code of a pack.
    :param expected: the names that its statements make -> their values as the DAG file has them.
    """
    module = types.ModuleType(_MODULE)
    namespace, before = vars(module), sys.modules.get(_MODULE)
    sys.modules[_MODULE] = module  # where dataclasses look for it
    try:
        exec(compile(code, f"{_MODULE}.py", "exec", dont_inherit=True), namespace)  # noqa: S102 - the DAG file ran as well
    except Exception as error:
        yield next(iter(expected)), f"its statement fails when it runs again: {type(error).__name__}: {error}"
        return
    finally:
        del sys.modules[_MODULE]
        sys.modules.update({_MODULE: before} if before else {})
    for name, value in expected.items():
        if hasattr(value, "__next__"):
            yield name, "it is an iterator, of which nobody knows how far it is"
        elif _same(value, namespace.get(name), 0) is False:
            yield name, "it was changed after the statement that makes it"


def _same(one: Any, other: Any, depth: int) -> bool | None:
    """Whether two values are alike; ``None`` where that is not known."""
    if one is other or depth > _DEEPEST:
        return True if one is other else None
    plain, again = _plain(one), _plain(other)
    if plain is not None or again is not None:
        return plain == again
    if type(one).__qualname__ != type(other).__qualname__:
        return False
    if isinstance(one, Mapping):
        keys = [[_key(key) for key in item] for item in (one, other)]
        return keys[0] == keys[1] and _all(zip(one.values(), other.values()), depth)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and _all(zip(one, other), depth)
    if isinstance(one, types.FunctionType):
        cells = [[cell.cell_contents for cell in item.__closure__ or () if _filled(cell)] for item in (one, other)]
        same = one.__code__.co_code == other.__code__.co_code and len(cells[0]) == len(cells[1])
        return same and _all([(vars(one), vars(other)), *zip(*cells)], depth)
    if isinstance(one, type):
        return _same(_state(one), _state(other), depth + 1)
    if type(other).__module__ == _MODULE and hasattr(one, "__dict__"):
        return _same(vars(one), vars(other), depth + 1)
    try:
        return True if one == other else None
    except Exception:  # what == does is up to the class
        return None


def _all(pairs: Any, depth: int) -> bool | None:
    found = [_same(one, other, depth + 1) for one, other in pairs]
    return False if False in found else None if None in found else True


def _state(cls: type) -> dict[str, Any]:
    """What a class holds beside its methods."""
    hidden = (
        types.FunctionType,
        staticmethod,
        classmethod,
        property,
        types.GetSetDescriptorType,
        types.MemberDescriptorType,
    )
    return {
        name: value for name, value in vars(cls).items() if not name.startswith("__") and not isinstance(value, hidden)
    }


def _key(key: Any) -> Any:
    return key.__qualname__ if isinstance(key, type) else _plain(key) or type(key).__qualname__


def _plain(value: Any) -> str | None:
    try:
        return literal(value)
    except NoLiteralError:
        return None


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
