"""A layout of any graph: no two nodes overlap, every edge goes on, and what belongs together stands together."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.explanation.layout import Layout, lay_out, layers_of

Edges = list[tuple[int, int]]
APART = 10.0


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[float, float]], Edges]:
    count = draw(st.integers(1, 14))
    side = st.floats(5, 80)
    sizes = draw(st.lists(st.tuples(side, side), min_size=count, max_size=count))
    if count == 1:
        return sizes, []
    pair = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda ends: ends[0] != ends[1])
    edges = draw(st.lists(pair, max_size=25))
    return sizes, [(min(ends), max(ends)) for ends in edges]  # from lower to higher: no cycles; some stand there twice


def laid(sizes: list[tuple[float, float]], edges: Edges) -> Layout:
    return lay_out(sizes, edges, between_layers=30.0, between_nodes=APART)


def boxes(sizes: list[tuple[float, float]], layout: Layout) -> list[tuple[float, float, float, float]]:
    return [
        (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        for (x, y), (width, height) in zip(layout.centres, sizes, strict=True)
    ]


@given(graphs())
def test_no_two_nodes_overlap_and_all_are_on_the_paper(graph: tuple[list[tuple[float, float]], Edges]) -> None:
    sizes, edges = graph
    layout = laid(sizes, edges)
    placed = boxes(sizes, layout)
    for (left, top, right, bottom), (left2, top2, right2, bottom2) in combinations(placed, 2):
        apart_across = max(top2 - bottom, top - bottom2)
        apart_along = max(left2 - right, left - right2)
        assert apart_along >= 30 - 1e-6 or apart_across >= APART - 1e-6
    assert min(left for left, *_ in placed) >= -1e-6
    assert min(top for _, top, *_ in placed) >= -1e-6
    assert max(right for *_, right, _ in placed) <= layout.width + 1e-6
    assert max(bottom for *_, bottom in placed) <= layout.height + 1e-6


@given(graphs())
def test_every_edge_leads_on_from_its_node_to_its_node(graph: tuple[list[tuple[float, float]], Edges]) -> None:
    sizes, edges = graph
    layout = laid(sizes, edges)
    placed = boxes(sizes, layout)
    for (source, target), route in zip(edges, layout.routes, strict=True):
        assert route[0] == pytest.approx((placed[source][2], layout.centres[source][1]))
        assert route[-1] == pytest.approx((placed[target][0], layout.centres[target][1]))
        assert all(later[0] >= earlier[0] - 1e-6 for earlier, later in pairwise(route))
        assert len(route) % 2 == 1


@given(graphs())
def test_no_edge_passes_through_a_node(graph: tuple[list[tuple[float, float]], Edges]) -> None:
    """Where an edge is in a layer it runs level, and clear of the layer's nodes."""
    sizes, edges = graph
    layout = laid(sizes, edges)
    placed = boxes(sizes, layout)
    for (source, target), route in zip(edges, layout.routes, strict=True):
        for (start, y), (end, level) in zip(route[1::2], route[2::2], strict=True):
            assert level == pytest.approx(y)
            for node, (left, top, right, bottom) in enumerate(placed):
                if node not in {source, target} and left < end - 1e-6 and right > start + 1e-6:
                    assert not top + 1e-6 < y < bottom - 1e-6


def test_layers_are_counted_from_the_end() -> None:
    # 0 and 1 make 2; 2 and the late comer 3 make 4; 0 is used again for 5
    edges = [(0, 2), (1, 2), (2, 4), (3, 4), (4, 5), (0, 5)]
    assert layers_of(6, edges) == [0, 0, 1, 1, 2, 3]
    assert layers_of(3, []) == [0, 0, 0]


def test_a_chain_is_straight() -> None:
    layout = laid([(20, 10), (30, 40), (5, 5), (50, 20)], [(0, 1), (1, 2), (2, 3)])
    assert {round(y, 3) for _, y in layout.centres} == {20.0}
    assert [x for x, _ in layout.centres] == [10.0, 65.0, 112.5, 170.0]
    assert (layout.width, layout.height) == (195.0, 40.0)


def test_two_inputs_stand_evenly_above_and_below() -> None:
    layout = laid([(20, 20)] * 3, [(0, 2), (1, 2)])
    assert [y for _, y in layout.centres] == pytest.approx([10.0, 40.0, 25.0])


def test_inputs_stand_in_the_order_of_the_formula() -> None:
    layout = laid([(10, 10)] * 7, [(0, 4), (1, 4), (2, 5), (3, 5), (4, 6), (5, 6)])
    y = [place for _, place in layout.centres]
    assert y[0] < y[1] < y[2] < y[3]
    assert y[4] < y[5]


def test_edges_that_need_not_cross_do_not() -> None:
    # 0..3 are used by 7..4: in the order of their numbers every pair would cross
    edges = [(0, 7), (1, 6), (2, 5), (3, 4)]
    layout = laid([(10, 10)] * 8, edges)
    for (source, target), (other, goal) in combinations(edges, 2):
        above = layout.centres[source][1] < layout.centres[other][1]
        assert above == (layout.centres[target][1] < layout.centres[goal][1])


def test_a_component_hangs_straight_below_a_single_edge() -> None:
    """What is joined by one edge alone has nothing else to stand by: the edge is straight."""
    edges = [(0, 1), (1, 3), (2, 3), (1, 5), (4, 5), (3, 6), (5, 6)]
    y = [place for _, place in laid([(10, 10)] * 7, edges).centres]
    assert y[0] == pytest.approx(y[1], abs=1.0)


def test_edges_change_places_until_none_cross() -> None:
    """Depth first, 3 comes below 2, whose other input stands at the bottom."""
    edges = [(1, 2), (1, 3), (0, 3), (3, 4), (4, 5), (2, 5)]
    routes = laid([(10, 10)] * 6, edges).routes
    pieces = [(*start, *end) for route in routes for start, end in zip(route[0::2], route[1::2], strict=False)]
    for (_, y, end, y2), (_, other, end2, other2) in combinations(pieces, 2):
        assert end != pytest.approx(end2) or (y - other) * (y2 - other2) >= -1e-6


@pytest.mark.parametrize(
    "edges",
    [
        [*((i, i + 1) for i in range(8)), (0, 8)],
        [(1, 2), (1, 3), (2, 3), (3, 5), (4, 5), (0, 1), (0, 4)],
    ],
)
def test_an_edge_over_many_layers_is_nearly_straight(edges: Edges) -> None:
    layout = laid([(10, 10)] * (1 + max(end for _, end in edges)), edges)
    longest = max(layout.routes, key=len)
    levels = [y for _, y in longest[1:-2]]
    assert len(levels) >= 4
    assert max(levels) - min(levels) < 2


def test_nothing_has_no_size() -> None:
    assert laid([], []) == Layout(centres=(), routes=(), width=0.0, height=0.0)


def test_a_deep_chain_is_no_matter() -> None:
    layout = laid([(1, 1)] * 3_000, [(i, i + 1) for i in range(2_999)])
    assert layout.width == 3_000 + 2_999 * 30
