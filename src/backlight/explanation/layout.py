"""Where the nodes of a graph go on paper: in layers, with few crossings, the edges as straight as that allows.

The method is Sugiyama's: nodes are put into layers by longest paths, an edge over several layers gets a place in each
of them, the order inside the layers is improved by barycentres, and then everything is moved as near to its neighbours
as the order and the distances permit. Pure functions of sizes and edges; no fonts, no drawing.

Source: Sugiyama, Tagawa & Toda 1981, "Methods for visual understanding of hierarchical system structures".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from backlight.explanation.picture import Point

_ORDERING = 24
"""Passes over all layers for the order; small graphs need far fewer."""

_MOVING = 400
"""Passes for the positions at most: what hangs on a single edge follows slowly."""

_STILL = 0.05
"""A pass that moves nothing further than this was the last one."""

_POINT: Final = (0.0, 0.0)
"""The size of where an edge crosses a layer."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where everything goes; the layers follow each other along x, and y runs downward.

    Attributes:
        centres: of each node.
        routes: of each edge, the points that it passes, from the middle of its first node's right side to the middle of
            its second node's left side. It runs level where it is in a layer, and from one level to the next between.
        width: of the whole.
        height: of the whole.
    """

    centres: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def lay_out(
    sizes: Sequence[Point], edges: Sequence[tuple[int, int]], *, between_layers: float, between_nodes: float
) -> Layout:
    """Return a layout in which every edge leads to the right and no two nodes overlap.

    Args:
        sizes: width and height of each node.
        edges: (from, to), without a cycle; an edge may stand there twice.
        between_layers: the distance between two layers.
        between_nodes: the least distance between two nodes of one layer.
    """
    net = _Net(sizes, edges, layers_of(len(sizes), edges))
    order = _ordered(net)
    y = _positions(net, order, between_nodes)
    widths = [max((net.sizes[node][0] for node in row), default=0.0) for row in order]
    x, start = [0.0] * len(net.sizes), 0.0
    for row, width in zip(order, widths, strict=True):
        for node in row:
            x[node] = start + width - net.sizes[node][0] / 2
        start += width + between_layers
    top = min((y[node] - net.sizes[node][1] / 2 for node in range(len(net.sizes))), default=0.0)
    bottom = max((y[node] + net.sizes[node][1] / 2 for node in range(len(net.sizes))), default=0.0)
    points = [(x[node], y[node] - top) for node in range(len(net.sizes))]
    return Layout(
        centres=tuple(points[: len(sizes)]),
        routes=tuple(_route(net, chain, points, widths) for chain in net.chains),
        width=max(0.0, start - between_layers),
        height=bottom - top,
    )


def layers_of(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Return each node's layer, from 0: as many before the last one as the longest path from the node has edges.

    Counted from the end, so that what was given stands next to where it is first used.

    Args:
        count: how many nodes.
        edges: (from, to), without a cycle.
    """
    followers: list[list[int]] = [[] for _ in range(count)]
    left = [0] * count
    for source, target in edges:
        followers[target].append(source)
        left[source] += 1
    from_end = [0] * count
    ready = [node for node in range(count) if not left[node]]
    while ready:
        node = ready.pop()
        for source in followers[node]:
            from_end[source] = max(from_end[source], from_end[node] + 1)
            left[source] -= 1
            if not left[source]:
                ready.append(source)
    deepest = max(from_end, default=0)
    return [deepest - distance for distance in from_end]


class _Net:
    """The nodes, and a point for each layer that an edge crosses: every piece leads from one layer to the next.

    Attributes:
        sizes: of nodes and points; a point has none.
        layer: of nodes and points.
        chains: for each edge, the node, the points and the node that it leads through.
        before: of each, its neighbours in the layer before.
        after: of each, its neighbours in the layer after.
    """

    def __init__(self, sizes: Sequence[Point], edges: Sequence[tuple[int, int]], layers: Sequence[int]) -> None:
        self.sizes = list(sizes)
        self.layer = list(layers)
        self.chains: list[list[int]] = []
        for source, target in edges:
            chain = [source]
            for layer in range(layers[source] + 1, layers[target]):
                chain.append(len(self.sizes))
                self.sizes.append(_POINT)
                self.layer.append(layer)
            self.chains.append([*chain, target])
        self.before: list[list[int]] = [[] for _ in self.sizes]
        self.after: list[list[int]] = [[] for _ in self.sizes]
        for chain in self.chains:
            for source, target in pairwise(chain):
                self.after[source].append(target)
                self.before[target].append(source)

    def pull(self, source: int, target: int) -> float:
        """Return how much it matters that a piece is straight: most in a long edge, least where it only begins."""
        points = (self.sizes[source] == _POINT) + (self.sizes[target] == _POINT)
        return (4.0, 6.0, 16.0)[points] if points or self.before[source] else 0.5


def _ordered(net: _Net) -> list[list[int]]:
    """Return the nodes and points of each layer from top to bottom, in the order found that crosses least."""
    rows: list[list[int]] = [[] for _ in range(max(net.layer, default=-1) + 1)]
    for node in _walk(net):
        rows[net.layer[node]].append(node)
    best, fewest = [list(row) for row in rows], _crossings(net, rows)
    for sweep in range(_ORDERING):
        if not fewest:
            break
        forward = sweep % 2 == 0
        neighbours = net.before if forward else net.after
        for row in rows if forward else reversed(rows):
            place = {node: at for other in rows for at, node in enumerate(other)}
            row.sort(key=lambda node: _mean([place[one] for one in neighbours[node]], place[node]))
        crossings = _crossings(net, rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _walk(net: _Net) -> list[int]:
    """Return nodes and points in depth-first order from the last layers back: what feeds one node starts out together.

    Iterative: a graph may be as deep as it likes.
    """
    seen: dict[int, None] = {}
    for start in sorted(range(len(net.sizes)), key=lambda node: -net.layer[node]):
        unread = [start]
        while unread:
            node = unread.pop()
            if node not in seen:
                seen[node] = None
                unread += reversed(net.before[node])
    return list(seen)


def _crossings(net: _Net, rows: list[list[int]]) -> int:
    """Return how many pairs of edge pieces cross."""
    crossed = 0
    for row, following in pairwise(rows):
        place = {node: at for at, node in enumerate(following)}
        ends = [at for node in row for at in sorted(place[one] for one in net.after[node])]
        # two pieces cross if the one that starts lower ends higher
        crossed += sum(high > low for at, high in enumerate(ends) for low in ends[at + 1 :])
    return crossed


def _positions(net: _Net, order: list[list[int]], apart: float) -> list[float]:
    """Return the y of nodes and points: as near to the middle of their neighbours as order and distance permit."""
    y = [0.0] * len(net.sizes)
    for row in order:
        for node, place in zip(row, _spread(net, row, [(0.0, 1.0)] * len(row), apart), strict=True):
            y[node] = place
    for sweep in range(_MOVING):
        furthest = 0.0
        for row in order if sweep % 2 else reversed(order):
            wanted = [_wanted(net, node, y) for node in row]
            for node, place in zip(row, _spread(net, row, wanted, apart), strict=True):
                furthest = max(furthest, abs(place - y[node]))
                y[node] = place
        if furthest < _STILL:
            break
    return y


def _wanted(net: _Net, node: int, y: list[float]) -> tuple[float, float]:
    """Return where a node would stand by itself, at the weighted mean of its neighbours, and the sum of the weights."""
    pulls = [(y[one], net.pull(one, node)) for one in net.before[node]]
    pulls += [(y[one], net.pull(node, one)) for one in net.after[node]]
    weight = sum(pull for _, pull in pulls)
    return (sum(place * pull for place, pull in pulls) / weight, weight) if weight else (y[node], 1.0)


def _spread(net: _Net, row: list[int], wanted: list[tuple[float, float]], apart: float) -> list[float]:
    """Return the places nearest to the wanted ones, by weighted least squares, that keep order and distance.

    With each node's distance to the first one taken off, what remains need only not fall: an isotonic regression,
    solved by pooling neighbours that are out of order at their mean (Ayer et al. 1955).
    """
    offsets, offset = [], 0.0
    for at, node in enumerate(row):
        if at:
            offset += (net.sizes[row[at - 1]][1] + net.sizes[node][1]) / 2 + apart
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []  # mean, weight, and of how many
    for (place, own), taken in zip(wanted, offsets, strict=True):
        mean, weight, count = place - taken, own, 1
        while pools and pools[-1][0] >= mean:
            other, more, many = pools.pop()
            mean = (mean * weight + other * more) / (weight + more)
            weight, count = weight + more, count + many
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + taken for mean, taken in zip(means, offsets, strict=True)]


def _route(net: _Net, chain: list[int], points: list[Point], widths: list[float]) -> tuple[Point, ...]:
    """Return the points that an edge passes: two in each layer on its way, where it enters and where it leaves."""
    route = [(points[chain[0]][0] + net.sizes[chain[0]][0] / 2, points[chain[0]][1])]
    for point in chain[1:]:
        x, y = points[point]
        right = x + net.sizes[point][0] / 2
        route += [
            (right - widths[net.layer[point]], y),
            (right if point != chain[-1] else x - net.sizes[point][0] / 2, y),
        ]
    return tuple(route)


def _mean(numbers: Sequence[float], otherwise: float) -> float:
    return sum(numbers) / len(numbers) if numbers else otherwise
