"""Regions: convex, without cycles, and no larger ones by brute force."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.translator.regions import Rules, regions


@st.composite
def graphs(draw: st.DrawFn, most: int = 10) -> nx.DiGraph:
    """Acyclic graphs whose nodes are numbers, defined in any order."""
    size = draw(st.integers(1, most))
    nodes = draw(st.permutations(range(size)))
    graph = nx.DiGraph()
    graph.add_nodes_from(nodes)
    pairs = list(combinations(range(size), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=2 * size, unique=True)) if pairs else []
    graph.add_edges_from((nodes[first], nodes[second]) for first, second in chosen)
    return graph


def contracted(graph: nx.DiGraph, parts: list[Any]) -> nx.DiGraph:
    """The graph in which each part is one node."""
    part_of = {node: index for index, part in enumerate(parts) for node in part}
    result = nx.DiGraph()
    edges = [(part_of.get(first, (first,)), part_of.get(second, (second,))) for first, second in graph.edges]
    result.add_edges_from(edge for edge in edges if edge[0] != edge[1])
    return result


def possible(graph: nx.DiGraph, parts: list[Any], rules: Rules) -> bool:
    """Whether parts keep the rules, and no cycle comes of contracting them."""
    part_of = {node: index for index, part in enumerate(parts) for node in part}
    return (
        nx.is_directed_acyclic_graph(contracted(graph, parts))
        and all(1 <= sum(rules.sizes[node] for node in part) <= rules.limit for part in parts)
        and all(len({rules.kinds[node] for node in part}) == 1 for part in parts)
        and all(node not in part_of or part_of.get(other) == part_of[node] for node, other in rules.together)
    )


def partitions(nodes: list[Any]) -> Iterator[list[list[Any]]]:
    """All ways to put nodes into parts."""
    if not nodes:
        yield []
        return
    first, rest = nodes[0], nodes[1:]
    for parts in partitions(rest):
        yield [[first], *parts]
        for index, part in enumerate(parts):
            yield [*parts[:index], [first, *part], *parts[index + 1 :]]


def best(graph: nx.DiGraph, rules: Rules) -> tuple[int, int]:
    """By brute force: how many nodes can be in regions, and in how few regions they can be."""
    for count in range(len(rules.kinds), 0, -1):
        found = [
            len(parts)
            for chosen in combinations(rules.kinds, count)
            for parts in partitions(list(chosen))
            if possible(graph, parts, rules)
        ]
        if found:
            return count, min(found)
    return 0, 0


def counts(found: list[list[Any]]) -> tuple[int, int]:
    return sum(map(len, found)), len(found)


def path(*nodes: str) -> nx.DiGraph:
    return nx.path_graph(nodes, create_using=nx.DiGraph)


def rules_for(nodes: Any, **options: Any) -> Rules:
    return Rules(**{"kinds": dict.fromkeys(nodes, ""), "sizes": dict.fromkeys(nodes, 1), "limit": 50, **options})


@settings(deadline=None)
@given(graphs(), st.data())
def test_no_plan_has_fewer_regions(graph: nx.DiGraph, data: st.DataObject) -> None:
    nodes = data.draw(st.sets(st.sampled_from(sorted(graph)), max_size=6))
    rules = rules_for(sorted(nodes))
    found = regions(graph, rules)
    assert possible(graph, found, rules)
    assert counts(found) == best(graph, rules)


@settings(deadline=None)
@given(graphs(7), st.data())
def test_rules_are_kept_and_no_node_that_may_be_in_a_region_is_left_out(graph: nx.DiGraph, data: st.DataObject) -> None:
    nodes = data.draw(st.sets(st.sampled_from(sorted(graph)), max_size=5))
    pairs = [(first, second) for first in sorted(nodes) for second in sorted(graph) if first != second]
    rules = Rules(
        {node: data.draw(st.sampled_from("ab")) for node in sorted(nodes)},
        dict.fromkeys(sorted(nodes), 1),
        data.draw(st.integers(1, 4)),
        data.draw(st.lists(st.sampled_from(pairs), max_size=2)) if pairs else (),
    )
    found = regions(graph, rules)
    assert possible(graph, found, rules)
    if not rules.together:
        assert counts(found)[0] == best(graph, rules)[0]
    for node in set(rules.kinds).difference(*found):
        for index in range(len(found) + 1):
            part = found[index] if index < len(found) else []
            assert not possible(graph, [*found[:index], [*part, node], *found[index + 1 :]], rules)
    for first, second in combinations(range(len(found)), 2):
        others = [part for index, part in enumerate(found) if index not in (first, second)]
        assert not possible(graph, [*others, found[first] + found[second]], rules)


@settings(deadline=None)
@given(graphs(8), st.data())
def test_a_node_without_size_is_left_out_only_where_no_region_can_take_it(
    graph: nx.DiGraph, data: st.DataObject
) -> None:
    nodes = sorted(data.draw(st.sets(st.sampled_from(sorted(graph)), max_size=6)))
    rules = rules_for(nodes, sizes={node: data.draw(st.integers(0, 1)) for node in nodes})
    found = regions(graph, rules)
    assert possible(graph, found, rules)
    assert {node for node in nodes if rules.sizes[node]} <= {node for part in found for node in part}
    for node in set(nodes).difference(*found):
        for index, part in enumerate(found):
            assert not possible(graph, [*found[:index], [*part, node], *found[index + 1 :]], rules)


def test_a_path_that_leaves_and_returns_makes_two_regions() -> None:
    assert regions(path("a", "b", "c"), rules_for("ac")) == [["a"], ["c"]]


def test_parallel_tasks_are_one_region() -> None:
    graph = nx.DiGraph([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
    assert regions(graph, rules_for("abcd")) == [["a", "b", "c", "d"]]
    assert regions(graph, rules_for("abd")) == [["a", "b"], ["d"]]


def test_a_region_takes_no_more_than_the_limit() -> None:
    graph = path(*"abcdef")
    assert regions(graph, rules_for("abcdef", limit=4)) == [["a", "b", "c", "d"], ["e", "f"]]
    assert regions(graph, rules_for("abcdef", limit=4, sizes={**dict.fromkeys("abcdef", 1), "e": 5})) == [
        ["a", "b", "c", "d"],
        ["f"],
    ]


def test_what_belongs_together_stays_where_it_cannot_be() -> None:
    graph = path("a", "b", "c", "d")
    assert regions(graph, rules_for("acd", together=[("c", "a")])) == [["a"], ["d"]]
    assert regions(graph, rules_for("abcd", together=[("c", "a")])) == [["a", "b", "c", "d"]]


def test_a_node_that_stayed_for_another_is_taken_back() -> None:
    graph = nx.DiGraph([("a", "s"), ("s", "c"), ("a", "b"), ("b", "c"), ("b", "d")])
    together = [("b", "a"), ("c", "b"), ("d", "b")]
    assert regions(graph, rules_for("abcd", together=together)) == [["a", "b", "d"]]


def test_regions_do_not_depend_on_anything_but_the_order_of_the_nodes() -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from("dcba")
    assert regions(graph, rules_for("abcd", limit=2)) == [["d", "c"], ["b", "a"]]


@pytest.mark.parametrize("stays", [2, 7])
def test_a_thousand_tasks_make_no_cycle(stays: int) -> None:
    graph = nx.gn_graph(1000, seed=stays).reverse()
    nodes = [node for node in graph if node % stays]
    rules = rules_for(nodes, kinds={node: node % 3 for node in nodes})
    found = regions(graph, rules)
    assert possible(graph, found, rules)
    assert counts(found)[0] == len(nodes)
