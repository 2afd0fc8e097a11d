"""Which of many resources may have ended, from few List calls."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeAlias

from sagemaker_provider.definition import paths
from sagemaker_provider.definition.step_types import Listing, Resource, State

Key: TypeAlias = "tuple[str, ...]"
"""The values by which entries of a List response and identifiers of a Describe request are the same resource."""

Ask: TypeAlias = "Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]"
"""Calls a List operation: (operation, request) -> response as JSON."""

OVERLAP: Final = timedelta(minutes=5)
"""How far a List looks back behind the last one: changes may be listed late, and clocks of the service may differ."""


@dataclass
class Entries:
    """What List calls have shown.

    :param statuses: key -> status.
    :param complete: whether everything that was asked for is in it; otherwise there were too many pages.
    :param until: latest time of a change on the first page, by the clock of the service.
    """

    statuses: dict[Key, str] = field(default_factory=dict)
    complete: bool = True
    until: datetime | None = None


def scope_of(listing: Listing, identifiers: Mapping[str, Any]) -> tuple[tuple[str, str], ...] | None:
    """Members of the List request that show a resource; ``None`` when no List does."""
    found = {
        member: re.fullmatch(pattern, str(identifiers.get(source, "")))
        for member, (source, pattern) in listing.scope.items()
    }
    if any(match is None for match in found.values()):
        return None
    return tuple((member, match[1]) for member, match in found.items() if match)


def key_of(listing: Listing, identifiers: Mapping[str, Any]) -> Key:
    """The key of a resource."""
    return tuple(str(identifiers.get(member, "")) for member in listing.identifiers)


async def changed(ask: Ask, resource: Resource, scope: Mapping[str, str], since: datetime, pages: int) -> Entries:
    """What was modified after a time.

    :param scope: see :func:`scope_of`.
    :param since: latest change that the List before has shown.
    :param pages: how many calls it may take.
    """
    after = {"LastModifiedTimeAfter": (since - OVERLAP).isoformat()}
    return await _pages(ask, _listing(resource), {**scope, **after}, None, pages)


async def found(
    ask: Ask, resource: Resource, scope: Mapping[str, str], wanted: Iterable[Mapping[str, Any]], pages: int
) -> Entries:
    """The statuses of resources, the newest first; it ends when it has seen all that are wanted.

    :param wanted: Describe requests.
    :param pages: how many calls it may take.
    """
    listing = _listing(resource)
    request: dict[str, Any] = dict(scope)
    if listing.running:
        request[listing.running] = [status for status, state in resource.states.items() if state is State.RUNNING]
    if listing.ids is None:
        return await _pages(ask, listing, request, {key_of(listing, item) for item in wanted}, pages)
    member, source, size = listing.ids
    rest, entries = iter([item[source] for item in wanted]), Entries()
    while batch := list(islice(rest, size)):
        entries.statuses |= (await _pages(ask, listing, {**request, member: batch}, None, pages)).statuses
    return entries


async def _pages(
    ask: Ask, listing: Listing, request: Mapping[str, Any], wanted: set[Key] | None, pages: int
) -> Entries:
    entries, token = Entries(), None
    for page in range(pages):
        response = await ask(
            listing.operation, {**listing.request, **request, **({listing.paging: token} if token else {})}
        )
        if not isinstance(items := response.get(listing.entries), list):
            raise ValueError(f"the {listing.operation} response has no {listing.entries}")
        for item in items:
            try:
                key = tuple(str(_at(item, path)) for path in listing.identifiers.values())
                entries.statuses[key] = str(_at(item, listing.status))
                if listing.modified and page == 0:
                    time = datetime.fromisoformat(item["LastModifiedTime"])
                    entries.until = max(entries.until or time, time)
            except LookupError:
                continue  # who is not listed is described
        token = response.get(listing.paging)
        if not token or (wanted is not None and wanted <= entries.statuses.keys()):
            return entries
    entries.complete = False
    return entries


def _at(item: Mapping[str, Any], path: str) -> Any:
    return paths.look_up(item, paths.parse(path))


def _listing(resource: Resource) -> Listing:
    assert resource.listing is not None
    return resource.listing
