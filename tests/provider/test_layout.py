"""Where tasks are drawn."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from sagemaker_provider.layout import HEIGHT, WIDTH, Drawing, layout


@st.composite
def graphs(draw: st.DrawFn) -> nx.DiGraph:
    """Graphs of any shape, with circles too."""
    names = [f"t{number}" for number in range(draw(st.integers(0, 12)))]
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    if names:
        name = st.sampled_from(names)
        graph.add_edges_from(draw(st.lists(st.tuples(name, name), max_size=24)))
    return graph


def joined(drawn: Drawing) -> nx.DiGraph:
    """The graph that a person sees: which box each line leaves, and where it goes."""
    leaving = {(x + WIDTH, y + HEIGHT // 2): node for node, (x, y) in drawn.places.items()}
    reached = {(x, y + HEIGHT // 2): node for node, (x, y) in drawn.places.items()}
    found = nx.DiGraph()
    found.add_nodes_from(drawn.places)
    found.add_edges_from((leaving[line[0]], reached[line[-1]]) for line in drawn.lines)
    return found


@given(graphs())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_box_hides_another(graph: nx.DiGraph) -> None:
    drawn = layout(graph)
    assert set(drawn.places) == set(graph)
    for (x, y), (other_x, other_y) in combinations(drawn.places.values(), 2):
        assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT
    for x, y in drawn.places.values():
        assert 0 <= x <= drawn.width - WIDTH
        assert 0 <= y <= drawn.height - HEIGHT


@given(graphs())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_lines_go_from_left_to_right_and_through_no_box(graph: nx.DiGraph) -> None:
    drawn = layout(graph)
    for line in drawn.lines:
        assert [x for x, _ in line] == sorted({x for x, _ in line})
        for x, y in line[1:-1]:
            inside = [(left, top) for left, top in drawn.places.values() if left <= x <= left + WIDTH]
            assert not any(top < y < top + HEIGHT for _, top in inside)


@given(graphs())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_the_lines_of_an_acyclic_graph_say_what_comes_after_what(graph: nx.DiGraph) -> None:
    if nx.is_directed_acyclic_graph(graph):
        seen = joined(layout(graph))
        assert set(nx.transitive_closure(seen).edges) == set(nx.transitive_closure(graph).edges)
        assert set(seen.edges) <= set(graph.edges)


def test_a_chain_is_a_straight_line() -> None:
    drawn = layout(nx.path_graph(4, create_using=nx.DiGraph))
    assert len({y for _, y in drawn.places.values()}) == 1
    assert drawn.height < 2 * HEIGHT


def test_a_fan_is_as_high_as_its_tasks_and_starts_in_the_middle() -> None:
    drawn = layout(nx.DiGraph([("first", number) for number in range(5)]))
    heights = sorted(drawn.places[number][1] for number in range(5))
    assert drawn.places["first"][1] == heights[2]
    assert heights[-1] - heights[0] < drawn.height < 5 * 2 * HEIGHT


def test_two_chains_do_not_cross() -> None:
    drawn = layout(nx.DiGraph([("a", "x"), ("b", "y"), ("x", "p"), ("y", "q"), ("a", "q"), ("z", "p")]))
    assert (drawn.places["a"][1] < drawn.places["b"][1]) == (drawn.places["x"][1] < drawn.places["y"][1])
