"""Layered layout of a graph, with few crossings and straight edges.

The method is Sugiyama's. Nodes are assigned to layers by longest paths, and an edge over several layers gets a dummy
node in each of them. The order within the layers is improved by barycentres. Then nodes are moved as close to their
neighbours as the order and the distances allow. All functions depend only on sizes and edges.

Source: Sugiyama, Tagawa & Toda 1981, "Methods for visual understanding of hierarchical system structures".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from backlight.explanation.picture import Point

_ORDERING = 24
"""The most passes over all layers to improve the order; small graphs need far fewer."""

_MOVING = 400
"""The most passes to improve the positions; nodes at the end of a chain converge slowly."""

_STILL = 0.05
"""Positions have converged when a pass moves no node further than this, in points."""

_POINT: Final = (0.0, 0.0)
"""The size of a dummy node, where an edge crosses a layer."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The positions of nodes and edges, in points. Layers are ordered along x, and y points downwards.

    Attributes:
        centres: the centre of each node.
        routes: the points of each edge, from the middle of its first node's right side to the middle of its second
            node's left side. An edge is level within a layer, and changes its level between two layers.
        width: the total width.
        height: the total height.
    """

    centres: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def lay_out(
    sizes: Sequence[Point], edges: Sequence[tuple[int, int]], *, between_layers: float, between_nodes: float
) -> Layout:
    """Return a layout in which every edge points to the right and no two nodes overlap.

    Args:
        sizes: width and height of each node.
        edges: (from, to), without a cycle; an edge may occur twice.
        between_layers: the distance between two layers.
        between_nodes: the least distance between two nodes of a layer.
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
    """Return the layer of each node, from 0. Its distance to the last layer is the longest path from the node.

    Layers are counted from the end, so that inputs are placed next to their first use.

    Args:
        count: the number of nodes.
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
    """The nodes, with a dummy node wherever an edge crosses a layer: every piece of an edge connects adjacent layers.

    Attributes:
        sizes: the size of each node; that of a dummy node is 0.
        layer: the layer of each node.
        chains: for each edge, its first node, its dummy nodes and its last node.
        before: for each node, its neighbours in the previous layer.
        after: for each node, its neighbours in the next layer.
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
        """Return the weight of a piece's straightness: largest inside a long edge, least at a node without inputs."""
        points = (self.sizes[source] == _POINT) + (self.sizes[target] == _POINT)
        return (4.0, 6.0, 16.0)[points] if points or self.before[source] else 0.5


def _ordered(net: _Net) -> list[list[int]]:
    """Return the nodes of each layer from top to bottom, in the best order found: the one with the fewest crossings."""
    rows: list[list[int]] = [[] for _ in range(max(net.layer, default=-1) + 1)]
    for node in _depth_first(net):
        rows[net.layer[node]].append(node)
    best, fewest = [list(row) for row in rows], _crossings(net, rows)
    for sweep in range(_ORDERING):
        if not fewest:
            break
        forward = sweep % 2 == 0
        neighbours = net.before if forward else net.after
        for row in rows if forward else reversed(rows):
            rank = {node: at for other in rows for at, node in enumerate(other)}
            row.sort(key=lambda node: _mean([rank[neighbour] for neighbour in neighbours[node]], rank[node]))
        crossings = _crossings(net, rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _depth_first(net: _Net) -> list[int]:
    """Return the nodes in depth-first order from the last layer back, so that the inputs of a node start together.

    Iterative, so that the depth of the graph is not limited.
    """
    visited: dict[int, None] = {}
    for start in sorted(range(len(net.sizes)), key=lambda node: -net.layer[node]):
        pending = [start]
        while pending:
            node = pending.pop()
            if node not in visited:
                visited[node] = None
                pending += reversed(net.before[node])
    return list(visited)


def _crossings(net: _Net, rows: list[list[int]]) -> int:
    """Return the number of pairs of edge pieces that cross."""
    crossed = 0
    for row, following in pairwise(rows):
        rank = {node: at for at, node in enumerate(following)}
        ends = [at for node in row for at in sorted(rank[neighbour] for neighbour in net.after[node])]
        # two pieces cross if the one that starts lower ends higher
        crossed += sum(high > low for at, high in enumerate(ends) for low in ends[at + 1 :])
    return crossed


def _positions(net: _Net, order: list[list[int]], apart: float) -> list[float]:
    """Return the y of each node: as close to the mean of its neighbours as order and distance allow."""
    y = [0.0] * len(net.sizes)
    for row in order:
        for node, position in zip(row, _spread(net, row, [(0.0, 1.0)] * len(row), apart), strict=True):
            y[node] = position
    for sweep in range(_MOVING):
        furthest = 0.0
        for row in order if sweep % 2 else reversed(order):
            wanted = [_wanted(net, node, y) for node in row]
            for node, position in zip(row, _spread(net, row, wanted, apart), strict=True):
                furthest = max(furthest, abs(position - y[node]))
                y[node] = position
        if furthest < _STILL:
            break
    return y


def _wanted(net: _Net, node: int, y: list[float]) -> tuple[float, float]:
    """Return the preferred y of a node, the weighted mean of its neighbours, and the sum of the weights."""
    pulls = [(y[neighbour], net.pull(neighbour, node)) for neighbour in net.before[node]]
    pulls += [(y[neighbour], net.pull(node, neighbour)) for neighbour in net.after[node]]
    weight = sum(pull for _, pull in pulls)
    return (sum(position * pull for position, pull in pulls) / weight, weight) if weight else (y[node], 1.0)


def _spread(net: _Net, row: list[int], wanted: list[tuple[float, float]], apart: float) -> list[float]:
    """Return the positions closest to the preferred ones, by weighted least squares, that keep order and distance.

    After each node's minimum distance to the first one is subtracted, the positions must only be non-decreasing. That
    is an isotonic regression, solved by pooling neighbours that violate the order at their mean (Ayer et al. 1955).
    """
    offsets, offset = [], 0.0
    for at, node in enumerate(row):
        if at:
            offset += (net.sizes[row[at - 1]][1] + net.sizes[node][1]) / 2 + apart
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []  # mean, weight, number of nodes
    for (position, weight), offset in zip(wanted, offsets, strict=True):
        mean, count = position - offset, 1
        while pools and pools[-1][0] >= mean:
            other, more, many = pools.pop()
            mean = (mean * weight + other * more) / (weight + more)
            weight, count = weight + more, count + many  # noqa: PLW2901
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _route(net: _Net, chain: list[int], points: list[Point], widths: list[float]) -> tuple[Point, ...]:
    """Return the points of an edge: two in each layer, where it enters and where it leaves."""
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
