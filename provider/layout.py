"""Where the tasks of a DAG are drawn: in layers from left to right, with few crossings."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import networkx as nx

from sagemaker_provider.translator.graph import in_order, redundant_edges

WIDTH: Final = 220
HEIGHT: Final = 40
"""Size of a task in pixels."""
_BETWEEN_LAYERS: Final = 56
_BETWEEN_TASKS: Final = 14
_LINE: Final = 10
"""Height that a dependency takes where it passes a layer, in pixels."""
_SWEEPS: Final = 8


class Drawing(NamedTuple):
    """A graph in the plane; lengths in pixels, from the left and from the top.

    :param width: of the whole.
    :param height: of the whole.
    :param places: node -> left upper corner of its box of :data:`WIDTH` times :data:`HEIGHT`.
    :param lines: the points of each edge that is drawn, from the right of a box to the left of another.
    """

    width: int
    height: int
    places: dict[Any, tuple[int, int]]
    lines: list[list[tuple[int, int]]]


class _Passing(NamedTuple):
    """Where an edge passes a layer."""

    edge: tuple[Hashable, Hashable]
    layer: int


def layout(graph: nx.DiGraph) -> Drawing:
    """Place the nodes of a graph.

    Edges that follow from others are left out, and those of a circle that go back.

    :param graph: its nodes in the order in which they should stand where nothing else decides.
    """
    if not graph:
        return Drawing(0, 0, {}, [])
    reduced = _reduced(graph)
    layer_of = {node: rank for rank, nodes in enumerate(nx.topological_generations(reduced)) for node in nodes}
    routes = [
        [first, *(_Passing((first, second), rank) for rank in range(layer_of[first] + 1, layer_of[second])), second]
        for first, second in reduced.edges
    ]
    paths = nx.DiGraph()
    paths.add_nodes_from(reduced)
    paths.add_edges_from(pair for route in routes for pair in pairwise(route))
    layers: list[list[Any]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for node in paths:
        layers[node.layer if isinstance(node, _Passing) else layer_of[node]].append(node)
    _order(layers, paths)
    middles = _middles(layers, paths)
    top = min(middle - _size(node) / 2 for node, middle in middles.items())
    left = {node: rank * (WIDTH + _BETWEEN_LAYERS) for rank, nodes in enumerate(layers) for node in nodes}
    middle_of = {node: round(middle - top) for node, middle in middles.items()}
    return Drawing(
        (len(layers) - 1) * (WIDTH + _BETWEEN_LAYERS) + WIDTH,
        round(max(middle + _size(node) / 2 for node, middle in middles.items()) - top),
        {node: (left[node], middle_of[node] - HEIGHT // 2) for node in reduced},
        [_points(route, left, middle_of) for route in routes],
    )


def _reduced(graph: nx.DiGraph) -> nx.DiGraph:
    """The graph without circles and without edges that follow from others, its nodes in their order."""
    acyclic = nx.DiGraph(graph)
    acyclic.remove_edges_from(list(nx.selfloop_edges(acyclic)))
    while not nx.is_directed_acyclic_graph(acyclic):
        acyclic.remove_edge(*nx.find_cycle(acyclic)[-1])
    acyclic.remove_edges_from(redundant_edges(acyclic, in_order(acyclic)))
    return acyclic


def _order(layers: list[list[Any]], paths: nx.DiGraph) -> None:
    """Sort each layer by the average place of the neighbours in the layer before or after, in turn."""
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for fixed, layer in pairwise(layers if forward else layers[::-1]):
            place = {node: index for index, node in enumerate(fixed)}
            neighbours = paths.pred if forward else paths.succ
            wanted = {
                node: _mean([place[other] for other in neighbours[node]], index) for index, node in enumerate(layer)
            }
            layer.sort(key=wanted.__getitem__)


def _middles(layers: Sequence[Sequence[Any]], paths: nx.DiGraph) -> dict[Any, float]:
    """The height of the middle of each node: near those of its neighbours, in the order of its layer."""
    found: dict[Any, float] = {}
    for layer in layers:
        found.update(zip(layer, _apart([0.0] * len(layer), layer)))
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            neighbours = [[*paths.pred[node], *paths.succ[node]] for node in layer]
            wanted = [_mean([found[other] for other in near], found[node]) for near, node in zip(neighbours, layer)]
            found.update(zip(layer, _apart(wanted, layer)))
    return found


def _apart(wanted: Iterable[float], layer: Sequence[Any]) -> list[float]:
    """Heights in the given order, as near to the wanted ones as the sizes of the nodes let them be (least squares)."""
    offsets = [0.0]
    for first, second in pairwise(layer):
        offsets.append(offsets[-1] + (_size(first) + _size(second)) / 2)
    blocks: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets):
        mean, count = value - offset, 1
        while blocks and blocks[-1][0] >= mean:
            other, size = blocks.pop()
            mean, count = (other * size + mean * count) / (size + count), size + count
        blocks.append((mean, count))
    starts = [mean for mean, count in blocks for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets)]


def _size(node: Any) -> int:
    """The height that a node takes, with the space around it."""
    return _LINE if isinstance(node, _Passing) else HEIGHT + _BETWEEN_TASKS


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _points(route: Sequence[Any], left: Mapping[Any, int], middle: Mapping[Any, int]) -> list[tuple[int, int]]:
    """Where a line goes: it passes layers straight."""
    points = [(left[route[0]] + WIDTH, middle[route[0]])]
    for node in route[1:-1]:
        points += [(left[node], middle[node]), (left[node] + WIDTH, middle[node])]
    return [*points, (left[route[-1]], middle[route[-1]])]
