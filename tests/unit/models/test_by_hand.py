"""Lecture 5's exercises beside our own graph: the fused ops, and 1,000 steps of training."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from backlight.autograd import Tensor, cross_entropy, embed, ops
from backlight.models import by_hand
from backlight.models.by_hand import Weights, first_weights, statistics, train
from backlight.text import Vocabulary, Windows, load_corpus

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def test_cross_entropy_is_that_of_the_op(rng):
    logits, y, dloss = 3 * rng.standard_normal((13, 7)), rng.integers(0, 7, 13), rng.standard_normal()
    op_loss, saved = ops.CrossEntropy.forward(logits, targets=y)
    loss, probs = by_hand.cross_entropy(logits, y)
    assert_allclose(loss, op_loss, **TIGHT)
    (theirs,) = ops.CrossEntropy.backward(np.array(dloss), saved)
    assert_allclose(by_hand.cross_entropy_backward(probs, y, float(dloss)), theirs, **TIGHT)


@pytest.mark.parametrize("N", [2, 3, 32])
def test_batch_norm_is_that_of_the_op(N, rng):
    """Without Bessel's correction as it is; with it the op's gain and ε take the factor (N - 1) / N."""
    x, gain, shift, dy = rng.standard_normal((N, 5)), *rng.standard_normal((2, 5)), rng.standard_normal((N, 5))
    for correction in (0, 1):
        share = (N - correction) / N
        op_y, saved = ops.BatchNorm.forward(x, gain * share**0.5, shift, eps=1e-5 * share)
        y, normal, rstd = by_hand.batch_norm(x, gain, shift, correction)
        assert_allclose(y, op_y, **TIGHT)
        dx, dgain, dshift = ops.BatchNorm.backward(dy, saved)
        mine = by_hand.batch_norm_backward(dy, normal, rstd, gain, correction)
        for ours, theirs in zip(mine, (dx, dgain * share**0.5, dshift), strict=True):
            assert_allclose(ours, theirs, rtol=1e-10, atol=1e-11)


# -- training ----------------------------------------------------------------------------------------------------------


def by_graph(weights, batches, lr):
    """The same loop, of which the graph finds the gradients."""
    leaves = [Tensor(np.array(array), requires_grad=True) for array in weights]
    C, W1, b1, gain, shift, W2, b2 = leaves
    losses = []
    for batch in batches:
        sums = embed(batch.x, C).view(len(batch.x), -1) @ W1 + b1
        normal = (sums - sums.mean(0)) * (sums.var(0) + 1e-5) ** -0.5
        loss = cross_entropy((gain * normal + shift).tanh() @ W2 + b2, batch.y)
        for leaf in leaves:
            leaf.grad = None
        loss.backward()
        for leaf in leaves:
            leaf.data -= lr * leaf.grad
        losses.append(loss.item())
    return losses


@pytest.fixture(scope="module")
def lecture():
    """The lecture's sizes, and 1,000 batches of names."""
    corpus = load_corpus("names")
    vocabulary = Vocabulary.of(corpus.items)
    windows = Windows(vocabulary.encode_items(corpus.items), 3)
    rng = np.random.default_rng(5)
    batches = [windows.sample(32, rng) for _ in range(1000)]
    return first_weights(vocabulary.size, hidden=200, rng=rng), batches, windows


def copied(weights, dtype):
    return Weights(*(array.astype(dtype) for array in weights))


def test_1000_steps_by_hand_have_the_losses_of_the_graph_to_float32_rounding(lecture):
    """A loss is between 2 and 4, where floats of 32 bits lie 2.4e-7 apart.

    In float64 both loops agree to 1e-12: they are one computation. In float32 each of a step's sums is rounded in its
    own order; descent forgets such noise rather than feeding it, so that after 1,000 steps losses are still within a
    few units of the last place: 2e-6, with 5e-7 measured, which is what float32 itself is off by.
    """
    weights, batches, _ = lecture
    ours, theirs = train(copied(weights, np.float32), batches), by_graph(weights, batches, 0.1)
    assert_allclose(ours, theirs, rtol=0, atol=2e-6)
    assert np.mean(ours[:20]) > 2.9
    assert np.mean(ours[-100:]) < 2.45
    exact = train(copied(weights, np.float64), batches)
    assert_allclose(ours, exact, rtol=0, atol=2e-6)
    assert_allclose(exact[:200], by_graph(copied(weights, np.float64), batches[:200], 0.1), rtol=0, atol=1e-12)


def test_training_by_hand_stays_in_float32_and_changes_the_weights_in_place(lecture):
    weights, batches, windows = lecture
    trained = copied(weights, np.float32)
    arrays = list(trained)
    train(trained, batches[:3])
    for before, array, same in zip(weights, trained, arrays, strict=True):
        assert array is same
        assert array.dtype == np.float32
        assert not np.array_equal(before, array)
    everything = windows.batch(np.arange(0, windows.targets, 40))
    known = statistics(trained, everything.x)
    loss = by_hand.held_out_loss(trained, known, everything.x, everything.y)
    one_by_one = [
        by_hand.held_out_loss(trained, known, everything.x[i : i + 1], everything.y[i : i + 1]) for i in range(50)
    ]
    assert_allclose(
        np.mean(one_by_one), by_hand.held_out_loss(trained, known, everything.x[:50], everything.y[:50]), rtol=1e-5
    )
    assert 2.5 < loss < 3.5


def test_first_weights_are_small_and_none_is_0(rng):
    weights = first_weights(27, rng=rng, hidden=200)
    assert [array.shape for array in weights] == [(27, 10), (30, 200), (200,), (200,), (200,), (200, 27), (27,)]
    assert {array.dtype for array in weights} == {np.dtype(np.float32)}
    assert all((array != 0).all() for array in weights)
    assert abs(weights.gain.mean() - 1) < 0.05
    assert_array_equal(
        first_weights(3, rng=np.random.default_rng(1)).C, first_weights(3, rng=np.random.default_rng(1)).C
    )
