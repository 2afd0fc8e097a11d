"""The fewest regions of a graph that can be contracted, all of them together, without a cycle.

A path leaves a region for good. So the nodes of one region on one path follow each other, without a node between them that
stays, and a path with ``n`` such runs meets ``n`` regions. Taking in turn all the nodes that stay and all the others that can
be taken needs no more regions than the longest path does, where nothing but the order counts. Where there are kinds, or more
nodes than a region holds, that is where the search begins; then regions are joined as long as two of them can be.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import networkx as nx

from sagemaker_provider.translator.graph import in_order

_STAYS: Final = None
"""The kind of a node that is in no region."""


@dataclass(frozen=True)
class Rules:
    """What a region may hold.

    :param kinds: node -> kind, for the nodes that may be in a region; those of a region have one kind.
    :param sizes: node -> size, for the same nodes. Those of a region are at least 1 in all.
    :param limit: the most that they are in all.
    :param together: (node, other) where the node may only be in the region of the other.
    """

    kinds: Mapping[Any, Hashable]
    sizes: Mapping[Any, int]
    limit: int
    together: Collection[tuple[Any, Any]] = ()


def regions(graph: nx.DiGraph, rules: Rules) -> list[list[Any]]:
    """The regions of a graph: of as many nodes as can be, then as few regions as are found.

    :param graph: an acyclic graph.
    :param rules: what a region may hold.
    :return: the regions, each after those it depends on, with their nodes in order. There are no fewer where there is one
        kind, the limit is not met, no nodes belong together and every size is at least 1; otherwise no two can be joined,
        and no node that is allowed can be added to one.
    """
    order = in_order(graph)
    ranks = {node: rank for rank, node in enumerate(order)}
    units, between = _contracted(graph, rules, ranks)
    parts = _joined(units, between, _runs(units, between, rules.limit), rules.limit)
    return [[order[rank] for rank in sorted(rank for unit in part for rank in units[unit].ranks)] for part in parts]


class _Unit(NamedTuple):
    """Nodes that are in a region together or not at all: their ranks in the order, their kind, and their size in all."""

    ranks: tuple[int, ...]
    kind: Hashable
    size: int


def _contracted(graph: nx.DiGraph, rules: Rules, ranks: Mapping[Any, int]) -> tuple[list[_Unit], nx.DiGraph]:
    """The units, and the graph of their indexes, which is acyclic."""
    kinds = _allowed(graph, rules, ranks)
    components = nx.strongly_connected_components(_with_bonds(graph, rules, kinds))
    groups = sorted(sorted(nodes, key=ranks.__getitem__) for nodes in components)
    groups.sort(key=lambda nodes: ranks[nodes[0]])
    units = [
        _Unit(
            tuple(ranks[node] for node in nodes),
            kinds.get(nodes[0], _STAYS),
            sum(rules.sizes[node] for node in nodes if node in kinds),
        )
        for nodes in groups
    ]
    unit_of = {node: index for index, nodes in enumerate(groups) for node in nodes}
    between = nx.DiGraph()
    between.add_nodes_from(range(len(units)))
    between.add_edges_from(
        (unit_of[first], unit_of[second]) for first, second in graph.edges if unit_of[first] != unit_of[second]
    )
    return units, between


def _allowed(graph: nx.DiGraph, rules: Rules, ranks: Mapping[Any, int]) -> dict[Any, Hashable]:
    """The kinds of the nodes that can be in a region.

    Where bonds close a circle through a node that stays or is of another kind, or make a unit too large, the node stays whose
    bond takes the fewest others along, the last of them; one that stayed for nothing is taken back.
    """
    refused: list[Any] = []

    def left(*others: Any) -> dict[Any, Hashable]:
        return _with_partners(rules, {*refused, *others})

    while nodes := _impossible(graph, rules, kinds := left()):
        bound = [node for node, other in rules.together if node in kinds and node in nodes and other in nodes]
        refused.append(max(bound, key=lambda node: (len(left(node)), ranks[node])))
    for node in refused[:-1]:
        refused.remove(node)
        if _impossible(graph, rules, left()):
            refused.append(node)
    return left()


def _with_partners(rules: Rules, refused: Collection[Any]) -> dict[Any, Hashable]:
    """The kinds of the nodes that may be in a region, without some, and without those that belong to one that is not left."""
    kinds = {
        node: kind for node, kind in rules.kinds.items() if node not in refused and rules.sizes[node] <= rules.limit
    }
    while lonely := [
        node for node, other in rules.together if node in kinds and kinds.get(other, _STAYS) != kinds[node]
    ]:
        for node in lonely:
            kinds.pop(node, None)
    return kinds


def _impossible(graph: nx.DiGraph, rules: Rules, kinds: Mapping[Any, Hashable]) -> set[Any]:
    """Nodes that would have to be one unit and cannot be; none if there are none."""
    for nodes in nx.strongly_connected_components(_with_bonds(graph, rules, kinds)):
        size = sum(rules.sizes[node] for node in nodes if node in kinds)
        if len(nodes) > 1 and (size > rules.limit or len({kinds.get(node, _STAYS) for node in nodes}) > 1):
            return set(nodes)
    return set()


def _with_bonds(graph: nx.DiGraph, rules: Rules, kinds: Mapping[Any, Hashable]) -> nx.DiGraph:
    """The graph, with edges in both directions between nodes that belong together."""
    bonds = [(node, other) for node, other in rules.together if node in kinds]
    bound = nx.DiGraph(graph)
    bound.add_edges_from(bonds)
    bound.add_edges_from((other, node) for node, other in bonds)
    return bound


def _runs(units: list[_Unit], between: nx.DiGraph, limit: int) -> list[list[int]]:
    """Regions from one pass along the order: what stays first, then what can be taken of one kind."""
    below = _runs_below(units, between)
    missing = dict(between.in_degree)
    ready: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)

    def release(unit: int) -> None:
        heapq.heappush(ready[units[unit].kind], (-below[unit], unit))

    def take(unit: int) -> None:
        for other in between.successors(unit):
            missing[other] -= 1
            if not missing[other]:
                release(other)

    for unit, count in list(missing.items()):
        if not count:
            release(unit)
    found: list[list[int]] = []
    while any(ready.values()):
        while ready[_STAYS]:
            take(heapq.heappop(ready[_STAYS])[1])
        waiting = {kind: heap for kind, heap in ready.items() if heap}
        if not waiting:
            break
        heap = min(waiting.values(), key=lambda heap: (heap[0][0], -len(heap), heap[0][1]))
        run: list[int] = []
        room, passed = limit, []
        while heap:
            item = heapq.heappop(heap)
            size = units[item[1]].size
            if size > room:
                passed.append(item)
                continue
            room -= size
            run.append(item[1])
            take(item[1])
        for item in passed:
            heapq.heappush(heap, item)
        found.append(run)
    return found


def _runs_below(units: list[_Unit], between: nx.DiGraph) -> dict[int, int]:
    """Unit -> how many runs there are at most on a path that begins with it."""
    found: dict[int, int] = {}
    for unit in reversed(list(nx.topological_sort(between))):
        kind = units[unit].kind
        found[unit] = max(
            (found[other] + (kind is not _STAYS and units[other].kind != kind) for other in between.successors(unit)),
            default=int(kind is not _STAYS),
        )
    return found


def _joined(units: list[_Unit], between: nx.DiGraph, runs: list[list[int]], limit: int) -> list[list[int]]:
    """Regions of which no two can be joined, each after those it depends on.

    What is in a run of size 0 is tried one by one, and left out in the end.
    """
    parts: list[list[int]] = []
    for run in runs:
        parts += [run] if any(units[unit].size for unit in run) else [[unit] for unit in run]
    parts += [[unit] for unit in between if units[unit].kind is _STAYS]
    while True:
        part_of = {unit: index for index, part in enumerate(parts) for unit in part}
        graph = nx.DiGraph()
        graph.add_nodes_from(range(len(parts)))
        graph.add_edges_from(
            (part_of[first], part_of[second]) for first, second in between.edges if part_of[first] != part_of[second]
        )
        pair = _joinable(units, parts, graph, limit)
        if pair is None:
            order = nx.lexicographical_topological_sort(graph, key=lambda index: min(parts[index]))
            return [parts[index] for index in order if any(units[unit].size for unit in parts[index])]
        first, second = pair
        parts[first] = sorted(parts[first] + parts[second])
        del parts[second]


def _joinable(units: list[_Unit], parts: list[list[int]], graph: nx.DiGraph, limit: int) -> tuple[int, int] | None:
    """Two parts of one kind between which no path leads through a third one, so that joining them makes no cycle."""
    beyond = [0] * len(parts)
    """Part -> the parts that paths of two edges and more lead to, a bit for each."""
    after = [0] * len(parts)
    for index in reversed(list(nx.topological_sort(graph))):
        for other in graph.successors(index):
            beyond[index] |= after[other]
            after[index] |= after[other] | 1 << other
    same: dict[Hashable, list[int]] = defaultdict(list)
    for index, part in enumerate(parts):
        if units[part[0]].kind is not _STAYS:
            same[units[part[0]].kind].append(index)
    sizes = [sum(units[unit].size for unit in part) for part in parts]
    for indexes in same.values():
        for position, first in enumerate(indexes):
            for second in indexes[position + 1 :]:
                if (
                    0 < sizes[first] + sizes[second] <= limit
                    and not beyond[first] >> second & 1
                    and not beyond[second] >> first & 1
                ):
                    return first, second
    return None
