"""The DAG as a networkx graph, and what the passes do with graphs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any

import networkx as nx

from sagemaker_provider.translator.registry import Steps, node_id


def read(dag: Any) -> nx.DiGraph:
    """The tasks of a DAG, in the order in which they were defined, with their dependencies."""
    graph = nx.DiGraph()
    graph.add_nodes_from(dag.task_dict)
    for task_id, task in dag.task_dict.items():
        graph.add_edges_from((task_id, other) for other in sorted(task.downstream_task_ids))
    return graph


def inner_edges(item: Steps) -> list[tuple[str, str]]:
    """(suffix, suffix) of the steps of one task and those that wait for them."""
    return list(item.edges) if item.edges is not None else list(pairwise(item.steps))


def entries(task_id: str, item: Steps) -> list[str]:
    """The nodes of a task that becomes several steps which wait for none of the others."""
    waiting = {second for _, second in inner_edges(item)}
    return [node_id(task_id, suffix) for suffix in item.steps if suffix not in waiting]


def expanded(graph: nx.DiGraph, several: Mapping[str, Steps]) -> nx.DiGraph:
    """A graph in which the nodes of some tasks stand in place of the task.

    :param graph: the tasks.
    :param several: task id -> its steps.
    """
    if not several:
        return graph
    found = nx.DiGraph()
    for task_id in graph:
        item = several.get(task_id)
        found.add_nodes_from([node_id(task_id, suffix) for suffix in item.steps] if item else [task_id])
        if item:
            found.add_edges_from(
                (node_id(task_id, first), node_id(task_id, second)) for first, second in inner_edges(item)
            )
    for first, second in graph.edges:
        before, after = several.get(first), several.get(second)
        if before and after and before.mapped and before.mapped == after.mapped:
            found.add_edges_from((node_id(first, suffix), node_id(second, suffix)) for suffix in before.steps)
            continue
        leaving = _exits(first, second, before) if before else [first]
        entering = entries(second, after) if after else [second]
        found.add_edges_from(product(leaving, entering))
    return found


def _exits(task_id: str, downstream: str, item: Steps) -> list[str]:
    """The nodes of a task that a task after it waits for."""
    if downstream in item.exits:
        return [node_id(task_id, item.exits[downstream])]
    waited_for = {first for first, _ in inner_edges(item)}
    return [node_id(task_id, suffix) for suffix in item.steps if suffix not in waited_for]


def cycle(graph: nx.DiGraph) -> list[Any]:
    """The nodes of a circle, or nothing."""
    if nx.is_directed_acyclic_graph(graph):
        return []
    return [edge[0] for edge in nx.find_cycle(graph)]


def in_order(graph: nx.DiGraph) -> list[Any]:
    """The nodes so that every one comes after those it depends on, otherwise in the order of the graph."""
    position = {node: index for index, node in enumerate(graph)}
    return list(nx.lexicographical_topological_sort(graph, key=position.__getitem__))


def redundant_edges(graph: nx.DiGraph, order: list[Any]) -> set[tuple[Any, Any]]:
    """The edges that a longer path makes needless.

    Like networkx's transitive reduction, but it looks only from nodes with several successors at successors with several
    predecessors, and not beyond them, so that chains and fans of thousands of tasks take linear time.

    :param graph: an acyclic graph.
    :param order: its nodes in topological order.
    """
    rank = {node: index for index, node in enumerate(order)}
    found: set[tuple[Any, Any]] = set()
    for node in graph:
        successors = list(graph.successors(node))
        targets = {other for other in successors if graph.in_degree(other) > 1}
        if len(successors) < 2 or not targets:
            continue
        last = max(rank[target] for target in targets)
        seen: set[Any] = set()
        stack = list(successors)
        while stack:
            for other in graph.successors(stack.pop()):
                if other not in seen and rank[other] <= last:
                    seen.add(other)
                    stack.append(other)
        found |= {(node, target) for target in targets & seen}
    return found
