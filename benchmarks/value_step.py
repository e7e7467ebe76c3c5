"""One full-batch step of micrograd's two-moons demo (MLP 2-16-16-1, 100 points): with Values, and with `batched`.

The loss is the hinge loss, max(0, 1 - y f(x)), averaged over the points, plus 1e-4 times the sum of the squared
parameters; then a step of gradient descent. Points are converted to Values at each step, as in the demo. The peer is an
engine like micrograd with an iterative search in `backward`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlight.autograd import Value, batched
from backlight.core.threads import limit_threads
from backlight.nn.scalar import MLP
from benchmarks.harness import Comparison, compare, save
from benchmarks.peers import micrograd

POINTS = 100
LR = 0.05
ALPHA = 1e-4
Step = Callable[[int], None]


def two_moons() -> tuple[np.ndarray, np.ndarray]:
    """Return two interleaved half circles, (100, 2), and their labels, 1 and -1, (100,)."""
    angle = np.linspace(0, np.pi, POINTS // 2)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    noise = 0.1 * np.random.default_rng(1).standard_normal((POINTS, 2))
    return np.concatenate([upper, lower]) + noise, np.repeat([1.0, -1.0], POINTS // 2)


def demo(net: Any, value: Callable[[float], Any], losses: list[float]) -> Step:
    """Return the demo's step for a network of either engine.

    Args:
        net: the network.
        value: the engine's Value.
        losses: the list to which each loss is appended.
    """
    X, y = two_moons()
    rows, labels, parameters = X.tolist(), y.tolist(), net.parameters()

    def step(_: int) -> None:
        inputs = [[value(x) for x in row] for row in rows]
        scores = [net(x) for x in inputs]
        margins = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        loss = sum(margins) * (1.0 / len(margins)) + ALPHA * sum(p * p for p in parameters)
        net.zero_grad()
        loss.backward()
        for p in parameters:
            p.data -= LR * p.grad
        losses.append(loss.data)

    return step


def in_batches(net: MLP, losses: list[float]) -> Step:
    """Return the same step with `batched`: the loss of one point is traced once and run for all points."""
    X, y = two_moons()
    parameters = net.parameters()

    @batched
    def loss(x: list[Value], label: Value) -> Value:
        return (1 - label * net(x)).relu() + ALPHA * sum(p * p for p in parameters)

    def step(_: int) -> None:
        mean = loss(X, y).mean()
        net.zero_grad()
        loss.backward(1 / POINTS)
        for p in parameters:
            p.data -= LR * p.grad
        losses.append(float(mean))

    return step


class Written(micrograd.MLP):
    """The peer's network, with a node for each product and sum, on Backlight's Values."""

    def __init__(self, like: MLP) -> None:
        super().__init__(2, [16, 16, 1])
        for mine, theirs in zip(self.layers, like.layers, strict=True):
            for neuron, other in zip(mine.neurons, theirs.neurons, strict=True):
                neuron.w, neuron.b = other.w, other.b


def measure(
    claim: str, ours: Callable[[MLP, list[float]], Step], *, threads: int, at_least: float, our_steps: int, blocks: int
) -> Comparison:
    """Compare a step with the peer's from the same weights, and check that the losses agree.

    Args:
        claim: the workload.
        ours: returns Backlight's step for a network and a list of losses.
        threads: BLAS threads.
        at_least: the target of the ratio.
        our_steps: Backlight's steps per block.
        blocks: the number of blocks.
    """
    net = MLP(2, [16, 16, 1], rng=np.random.default_rng(4))
    peer = micrograd.MLP(2, [16, 16, 1])
    for mine, theirs in zip(net.parameters(), peer.parameters(), strict=True):
        theirs.data = mine.data
    our_losses: list[float] = []
    their_losses: list[float] = []
    with limit_threads(threads):
        result = compare(
            claim, "like micrograd", ours(net, our_losses), demo(peer, micrograd.Value, their_losses),
            threads=threads, at_least=at_least, steps=1, our_steps=our_steps, blocks=blocks, warm_up=1,
        )  # fmt: skip
    shared = min(len(our_losses), len(their_losses))
    apart = np.abs(np.array(our_losses[:shared]) - np.array(their_losses[:shared])).max()
    assert apart < 1e-9, f"the two sides must do the same work; their losses are up to {apart:.2g} apart"
    return result


def main() -> None:
    """Measure Values, Values without the fused neuron, and `batched`."""
    step = "two-moons step"
    eager = measure(
        f"{step}, Values", lambda net, losses: demo(net, Value, losses),
        threads=1, at_least=8, our_steps=5, blocks=11,
    )  # fmt: skip
    written = measure(
        f"{step}, Values, unfused neurons", lambda net, losses: demo(Written(net), Value, losses),
        threads=1, at_least=1, our_steps=1, blocks=7,
    )  # fmt: skip
    batch = [
        measure(f"{step}, batched", in_batches, threads=threads, at_least=500, our_steps=500, blocks=7)
        for threads in (1, 2)
    ]
    save("value_step", [eager, written, *batch])


if __name__ == "__main__":
    main()
