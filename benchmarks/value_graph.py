"""The gradient of a graph of 100,000 numbers: Backlight against an engine like micrograd, both without recursion.

There are three shapes: a chain, a long sum of products of shared numbers, and a tangle in which each number is computed
from two of the hundred before it. The graph is rebuilt for each block. The peer creates the sets and closures of its
backward pass while the graph is built, so the time of building plus backward is reported besides that of backward
alone. A full garbage collection falls into one or the other at random, which affects the chain's backward pass.
"""

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlight.autograd import Value
from benchmarks.harness import Comparison, compared, save
from benchmarks.peers import micrograd

NODES = 100_000
BLOCKS = 11
Graph = tuple[Any, Sequence[Any]]
"""The end of a graph, and its leaves."""


def chain(value: Callable[[float], Any]) -> Graph:
    """Return x ← tanh(x a + b), repeated: three nodes per iteration."""
    a, b, x = value(0.5), value(0.1), value(0.3)
    leaves = (a, b, x)
    for _ in range(NODES // 3):
        x = (x * a + b).tanh()
    return x, leaves


def products(value: Callable[[float], Any]) -> Graph:
    """Return a sum of products of 300 numbers, like the weights of a small network: two nodes per term."""
    leaves = [value(x) for x in np.random.default_rng(1).uniform(-1, 1, 300).tolist()]
    end = value(0.0)
    for i in range(NODES // 2):
        end += leaves[i % 300] * leaves[(7 * i + 1) % 300]
    return end, leaves


def tangle(value: Callable[[float], Any]) -> Graph:
    """Return the sum of all nodes, which are sums, products and tanh of earlier nodes."""
    nodes = [value(x) for x in np.random.default_rng(1).uniform(-1, 1, 100).tolist()]
    for kind, i, j in PICKS:
        a, b = nodes[-1 - i], nodes[-1 - j]
        nodes.append((a + b if kind == 0 else a * b).tanh() if kind < 2 else a * b)
    end = nodes[0]
    for node in nodes[1:]:
        end += node
    return end, nodes[:100]


# kinds 0 and 1 add two nodes, kind 2 adds one, and each adds one more to the sum
PICKS = np.random.default_rng(2).integers(0, [3, 100, 100], (NODES * 3 // 8, 3)).tolist()


def timed(graph: Callable[[Any], Graph], value: Any) -> tuple[float, float, list[float]]:
    """Return the seconds of building and of the backward pass, and the gradients of the leaves."""
    gc.collect()
    started = time.perf_counter()
    end, leaves = graph(value)
    built = time.perf_counter()
    end.backward()
    done = time.perf_counter()
    return built - started, done - built, [leaf.grad for leaf in leaves]


def measure(graph: Callable[[Any], Graph]) -> list[Comparison]:
    """Compare one shape, and check that the gradients agree."""
    pairs: list[list[tuple[float, float]]] = [[], []]
    timed(graph, Value), timed(graph, micrograd.Value)
    for _ in range(BLOCKS):
        our_building, our_backward, ours = timed(graph, Value)
        their_building, their_backward, theirs = timed(graph, micrograd.Value)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
        pairs[0].append((our_backward, their_backward))
        pairs[1].append((our_building + our_backward, their_building + their_backward))
    name, peer = f"{NODES:,} nodes, {graph.__name__}", "like micrograd, iterative"
    return [
        compared(f"gradient of {name}", peer, pairs[0], threads=1, at_least=5),
        compared(f"building and gradient of {name}", peer, pairs[1], threads=1, at_least=5),
    ]


def main() -> None:
    """Measure the three shapes."""
    save("value_graph", [*measure(chain), *measure(products), *measure(tangle)])


if __name__ == "__main__":
    main()
