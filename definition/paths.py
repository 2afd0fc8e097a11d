"""Paths into JSON documents, as properties and ``Std:JsonGet`` write them: ``Outputs['train'].Uri``, ``a.b[0]``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias


class Key(str):
    """A segment in brackets and quotes: the key of a map, or the name of an entry of a list of named structures."""


Segment: TypeAlias = "str | int"
"""A member name (``str``), a bracketed key (:class:`Key`) or a list index (``int``)."""

_SEGMENT = re.compile(
    r"""\.?(?P<member>[^.\[\]'"]+)|\[(?P<index>\d+)\]|\['(?P<single>[^']*)'\]|\["(?P<double>[^"]*)"\]"""
)


def parse(text: str) -> tuple[Segment, ...]:
    """Split a path into segments; raise :class:`ValueError` naming the position that is not understood."""
    segments: list[Segment] = []
    position = 0
    while position < len(text):
        match = _SEGMENT.match(text, position)
        if match is None or (position == 0 and text.startswith(".")):
            raise ValueError(f"cannot read the path {text!r} at position {position}")
        member, index = match["member"], match["index"]
        if member is not None:
            if position > 0 and text[position] != ".":
                raise ValueError(f"cannot read the path {text!r} at position {position}")
            segments.append(member)
        elif index is not None:
            segments.append(int(index))
        else:
            segments.append(Key(match["single"] if match["single"] is not None else match["double"]))
        position = match.end()
    return tuple(segments)


def join(segments: Iterable[Segment]) -> str:
    """Write segments as a path; the inverse of :func:`parse`."""
    text = ""
    for segment in segments:
        if isinstance(segment, int):
            text += f"[{segment}]"
        elif isinstance(segment, Key):
            text += f"['{segment}']" if "'" not in segment else f'["{segment}"]'
        else:
            text += f".{segment}" if text else segment
    return text


def look_up(document: Any, segments: Iterable[Segment], names: Sequence[str] = ()) -> Any:
    """Follow segments into a document.

    :param document: parsed JSON.
    :param segments: the path.
    :param names: members that name the entries of a list of structures (``OutputName`` and the like), so that
        ``Outputs['train']`` finds the entry whose ``OutputName`` is ``train``.
    :raises LookupError: nothing is there; the message says where the path ends and what could follow.
    """
    walked: list[Segment] = []
    for segment in segments:
        found = _found(document, segment, names)
        if not found:
            raise LookupError(
                f"no {join([segment])!r} in {join(walked) or 'the document'}, which holds {_contents(document, names)}"
            )
        document = found[0]
        walked.append(segment)
    return document


def _found(document: Any, segment: Segment, names: Sequence[str]) -> list[Any]:
    if isinstance(document, Mapping):
        return [document[segment]] if segment in document else []
    if not isinstance(document, list):
        return []
    if isinstance(segment, int):
        return document[segment : segment + 1]
    return [entry for entry in document if isinstance(entry, Mapping) and segment in map(entry.get, names)]


def _contents(document: Any, names: Sequence[str]) -> str:
    if isinstance(document, Mapping):
        return ", ".join(sorted(map(str, document))) or "nothing"
    if isinstance(document, list):
        named = [entry[key] for entry in document if isinstance(entry, Mapping) for key in names if key in entry]
        return ", ".join(map(str, named)) or f"{len(document)} entries"
    return f"the value {document!r}"
