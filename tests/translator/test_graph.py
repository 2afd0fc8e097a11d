"""Reading, ordering and reducing graphs of tasks."""

from __future__ import annotations

import networkx as nx
from dag_makers import empty, make_dag
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.translator import graph as graphs


@st.composite
def acyclic(draw: st.DrawFn) -> nx.DiGraph:
    """Acyclic graphs whose nodes stand in any order."""
    size = draw(st.integers(0, 14))
    names = draw(st.permutations(range(size)))
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(names))
    pairs = [(first, second) for index, first in enumerate(names) for second in names[index + 1 :]]
    if pairs:
        graph.add_edges_from(draw(st.lists(st.sampled_from(pairs), max_size=3 * size)))
    return graph


def chains(length: int) -> nx.DiGraph:
    return nx.DiGraph([(index, index + 1) for index in range(length)])


@given(acyclic())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_redundant_edges_are_those_that_a_transitive_reduction_leaves_out(graph: nx.DiGraph) -> None:
    expected = set(graph.edges) - set(nx.transitive_reduction(graph).edges)
    assert graphs.redundant_edges(graph, graphs.in_order(graph)) == expected


@given(acyclic())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_order_is_topological_and_otherwise_that_of_definition(graph: nx.DiGraph) -> None:
    order = graphs.in_order(graph)
    rank = {node: index for index, node in enumerate(order)}
    assert sorted(order) == sorted(graph)
    assert all(rank[first] < rank[second] for first, second in graph.edges)
    unlinked = nx.create_empty_copy(graph)
    assert graphs.in_order(unlinked) == list(graph)


def test_a_circle_is_named_and_an_acyclic_graph_has_none() -> None:
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")])
    assert sorted(graphs.cycle(graph)) == ["b", "c"]
    assert graphs.cycle(nx.DiGraph([("a", "b"), ("a", "c")])) == []


def test_a_dag_is_read_in_the_order_in_which_its_tasks_were_defined() -> None:
    with make_dag() as dag:
        last, first, middle = empty("last"), empty("first"), empty("middle")
        first >> middle >> last
        first >> last
    graph = graphs.read(dag)
    assert list(graph) == ["last", "first", "middle"]
    assert set(graph.edges) == {("first", "middle"), ("middle", "last"), ("first", "last")}
    assert graphs.in_order(graph) == ["first", "middle", "last"]


def test_thousands_of_tasks_in_a_row_have_no_redundant_edge() -> None:
    graph = chains(20_000)
    assert graphs.redundant_edges(graph, list(graph)) == set()
