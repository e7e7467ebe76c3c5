"""The walk back, a frame at a time: in an order that works, with sums that add up, to what `backward()` finds."""

from itertools import pairwise

import numpy as np
import pytest

from backlight import Value, explain
from backlight.explanation import Explanation
from backlight.explanation.frames import Frame, frames
from backlight.nn.scalar import MLP


def random_graph(seed: int) -> Value:
    """Return the end of a graph in which nodes are used several times, or not at all on the way to the end."""
    rng = np.random.default_rng(seed)
    nodes = [Value(float(one), label=f"x{i}") for i, one in enumerate(rng.uniform(0.5, 2, 3))]
    for _ in range(int(rng.integers(1, 14))):
        a, b = (nodes[int(at)] for at in rng.integers(0, len(nodes), 2))
        nodes.append((a + b, a - b, a * b, a.tanh(), a.exp() if a.data < 3 else a * 0.1)[int(rng.integers(5))])
    return nodes[-1]


def check(explained: Explanation) -> tuple[Frame, ...]:
    """Hold to every frame what must be true of it."""
    steps = explained.steps
    made = [place for place, step in enumerate(steps) if step.inputs]
    walk = frames(explained)
    assert [frame.node for frame in walk] == [None, 0, *made]
    assert walk[0].grads == (None,) * len(steps)
    assert walk[1].grads == (1.0, *(None,) * (len(steps) - 1))
    arrows = explained.picture().arrows if len(steps) <= 60 else ()
    used = []
    for before, frame in pairwise(walk[1:]):
        assert frame.node is not None
        assert before.known[frame.node], "only what is complete is handed on"
        grads = list(before.grads)
        for share in frame.shares:
            used.append(share.arrow)
            if arrows:
                assert arrows[share.arrow][:2] == (share.to, frame.node)
            assert share.above == before.grads[frame.node] == pytest.approx(steps[frame.node].grad, rel=1e-12)
            assert share.product == share.local * share.above
            grads[share.to] = (grads[share.to] or 0.0) + share.product
            assert share.so_far == grads[share.to]
            assert share.waits >= 0
        assert frame.grads == tuple(grads)
        assert [share.local for share in frame.shares] == list(steps[frame.node].locals)
        assert tuple(share.to for share in frame.shares) == steps[frame.node].inputs
        for place, (was, known) in enumerate(zip(before.known, frame.known, strict=True)):
            assert known >= was
            if was:
                assert frame.grads[place] == before.grads[place], "nothing arrives at what is complete"
    assert used == list(range(len(used))), "each arrow once"
    assert len(used) == sum(len(step.inputs) for step in steps)
    assert all(walk[-1].known)
    return walk


@pytest.mark.parametrize("seed", range(40))
def test_the_last_frame_is_what_backward_finds(seed: int) -> None:
    end = random_graph(seed)
    walk = check(explain(end))
    assert all(node.grad == 0.0 for node in end.ancestry()), "the graph is left as it is"
    end.backward()
    assert walk[-1].grads == pytest.approx(tuple(node.grad for node in end.ancestry()), rel=1e-12)


def test_a_network() -> None:
    net = MLP(3, [8, 8, 1], activation="tanh", rng=np.random.default_rng(0))
    loss = (net([0.1, 0.2, 0.3]) - 1.0) ** 2
    walk = check(explain(loss))
    loss.backward()
    assert walk[-1].grads == pytest.approx(tuple(node.grad for node in loss.ancestry()), rel=1e-12)


def test_words_of_paths_that_meet() -> None:
    x = Value(3.0, label="x")
    u, v = x * 2, x * x
    end = u + v
    for node, label in ((u, "u"), (v, "v"), (end, "end")):
        node.label = label
    *_, third, last = check(explain(end))
    assert third.words == (
        "The derivative of a product with respect to one factor is the other factor: x = 3.",
        "x waits for one more path.",
    )
    assert [(share.so_far, share.waits) for share in third.shares] == [(3.0, 2), (6.0, 1)]
    assert last.words[-1] == "The gradients of 3 paths into x add up: 3 + 3 + 2 = 8."
    assert last.words[-1] == explain(end).words(4).splitlines()[-1]


def test_one_box() -> None:
    assert [frame.grads for frame in check(explain(Value(2.0)))] == [(None,), (1.0,)]
