"""A replay computes what the graph computes, bit for bit, on other inputs and other parameters."""

import numpy as np
import pytest

from backlight.autograd import Tensor, cross_entropy, embed
from backlight.autograd.replay import Replay
from backlight.core import GraphError


@pytest.fixture
def weights(rng):
    return [Tensor(rng.standard_normal(shape).astype("f4"), requires_grad=True) for shape in ((5, 4), (4, 4), (4, 5))]


def loss_of(weights, ids, targets):
    """Use the table and the middle matrix twice, so that paths meet at a leaf and between."""
    table, middle, last = weights
    x = embed(ids, table)
    h = (x @ middle).tanh()
    h = h + (h @ middle).tanh() * 2
    return cross_entropy(h @ last + x.sum(1, keepdim=True), targets)


def batch(rng):
    return rng.integers(0, 5, 7), rng.integers(0, 5, 7)


def gradients(weights):
    found = [weight.grad.numpy().copy() for weight in weights]
    for weight in weights:
        weight.grad = None
    return found


def test_loss_and_gradients_have_the_same_bits_as_the_graph(weights, rng):
    first = batch(rng)
    replay = Replay(loss_of(weights, *first), first)
    for _ in range(5):
        ids, targets = batch(rng)
        for weight in weights:
            weight.data += 0.1 * Tensor(rng.standard_normal(weight.shape).astype("f4"))
        loss = loss_of(weights, ids, targets)
        loss.backward()
        expected = gradients(weights)
        assert replay.forward((ids, targets)).tobytes() == loss.numpy().tobytes()
        replay.backward()
        for found, wanted in zip(gradients(weights), expected, strict=True):
            assert found.tobytes() == wanted.tobytes()


def test_gradients_add_up_over_calls_as_those_of_the_graph_do(weights, rng):
    given = batch(rng)
    replay = Replay(loss_of(weights, *given), given)
    replay.forward(given)
    replay.backward()
    once = [weight.grad.numpy().copy() for weight in weights]
    replay.forward(given)
    replay.backward()
    for weight, single in zip(weights, once, strict=True):
        np.testing.assert_allclose(weight.grad.numpy(), single + single, rtol=1e-5, atol=1e-6)


def test_the_first_inputs_are_not_remembered(weights, rng):
    first, second = batch(rng), batch(rng)
    replay = Replay(loss_of(weights, *first), first)
    replay.forward(second)
    assert replay.forward(first) == loss_of(weights, *first).numpy()


def test_what_was_computed_from_an_input_outside_the_graph_is_refused(weights, rng):
    ids, targets = batch(rng)
    with pytest.raises(GraphError, match="input 0 is in none"):
        Replay(loss_of(weights, ids + 0, targets), (ids, targets))


def test_a_tensor_without_a_graph_is_refused():
    with pytest.raises(GraphError, match="needs a graph"):
        Replay(Tensor(1.0, requires_grad=True), ())
