"""The DAG as a networkx graph, and what the passes do with graphs."""

from __future__ import annotations

from typing import Any

import networkx as nx


def read(dag: Any) -> nx.DiGraph:
    """The tasks of a DAG, in the order in which they were defined, with their dependencies."""
    graph = nx.DiGraph()
    graph.add_nodes_from(dag.task_dict)
    for task_id, task in dag.task_dict.items():
        graph.add_edges_from((task_id, other) for other in sorted(task.downstream_task_ids))
    return graph


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
