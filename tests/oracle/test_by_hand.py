"""Lecture 5's exercises beside PyTorch's autograd: each of 27 gradients, and the two fused ones, to ten digits."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch.nn import functional as F  # noqa: N812  (its usual name)

from backlight.core import Batch, compare
from backlight.models.by_hand import (
    Intermediates,
    Weights,
    backward,
    batch_norm,
    batch_norm_backward,
    cross_entropy,
    cross_entropy_backward,
    first_weights,
    forward,
    held_out_loss,
    loss_and_gradients,
    statistics,
    train,
)

TIGHT = {"rtol": 1e-10, "atol": 1e-12}
SIZES = [
    {"N": 32, "V": 27, "context": 3, "embedding": 10, "hidden": 64},
    {"N": 2, "V": 27, "context": 3, "embedding": 10, "hidden": 64},
    {"N": 33, "V": 2, "context": 1, "embedding": 1, "hidden": 1},
    {"N": 7, "V": 11, "context": 5, "embedding": 2, "hidden": 13},
]


def example(rng, *, N, V, **sizes):
    weights = first_weights(V, **sizes, rng=rng, dtype=np.float64)
    return weights, rng.integers(0, V, (N, sizes["context"])), rng.integers(0, V, N)


def their_steps(weights, x, y):
    """PyTorch's side: the same 20 steps, each of which keeps its gradient."""
    C, W1, b1, gain, shift, W2, b2 = weights
    vectors = C[torch.from_numpy(x)]
    joined = vectors.flatten(1)
    sums = joined @ W1 + b1
    mean = sums.mean(0)
    centred = sums - mean
    squares = centred.square()
    variance = squares.sum(0) / (len(x) - 1)
    rstd = (variance + 1e-5).rsqrt()
    normal = centred * rstd
    scaled = gain * normal + shift
    h = scaled.tanh()
    logits = h @ W2 + b2
    largest = logits.max(1, keepdim=True).values
    shifted = logits - largest
    counts = shifted.exp()
    total = counts.sum(1, keepdim=True)
    inverse = total.reciprocal()
    probs = counts * inverse
    logprobs = probs.log()
    loss = F.nll_loss(logprobs, torch.from_numpy(y))
    steps = Intermediates(
        vectors, joined, sums, mean, centred, squares, variance, rstd, normal, scaled, h, logits, largest, shifted,
        counts, total, inverse, probs, logprobs, loss,
    )  # fmt: skip
    for step in steps:
        step.retain_grad()
    return steps


def leaves(*arrays):
    return [torch.tensor(array, requires_grad=True) for array in arrays]


@pytest.mark.parametrize("dloss", [1.0, -0.7])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_step_and_every_gradient_is_that_of_torch(sizes, dloss, rng):
    weights, x, y = example(rng, **sizes)
    theirs = Weights(*leaves(*weights))
    their = their_steps(theirs, x, y)
    their.loss.backward(torch.tensor(dloss, dtype=torch.float64))
    steps = forward(weights, x, y)
    dweights, dsteps = backward(weights, steps, x, y, dloss)
    for name, mine in steps._asdict().items():
        assert_allclose(mine, getattr(their, name).detach().numpy(), **TIGHT, err_msg=name)
    found = {**dsteps._asdict(), **dweights._asdict()}
    assert len(found) == 27
    for name, mine in found.items():
        reference = getattr(their, name, None) if name in Intermediates._fields else getattr(theirs, name)
        checked = compare(f"d{name}", mine, reference.grad.detach().numpy(), rtol=1e-10, atol=1e-12)
        assert checked.close, checked


def test_gradients_that_must_vanish_do(rng):
    weights, x, y = example(rng, **SIZES[0])
    dweights, dsteps = backward(weights, forward(weights, x, y), x, y)
    assert_allclose(dweights.b1, 0, atol=1e-15)
    assert_allclose(dsteps.largest, 0, atol=1e-15)
    assert np.abs(dweights.W1).max() > 1e-3


def test_steps_are_those_of_torchs_own_layers(rng):
    """The loss is F.cross_entropy's; batch norm is F.batch_norm's, but for Bessel's correction."""
    weights, x, y = example(rng, **SIZES[0])
    steps, N = forward(weights, x, y), len(x)
    assert_allclose(steps.loss, F.cross_entropy(torch.from_numpy(steps.logits), torch.from_numpy(y)).item(), **TIGHT)
    biased = (N - 1) / N
    theirs = F.batch_norm(
        torch.from_numpy(steps.sums), None, None, torch.from_numpy(weights.gain * np.sqrt(biased)),
        torch.from_numpy(weights.shift), training=True, eps=1e-5 * biased,
    )  # fmt: skip
    assert_allclose(steps.scaled, theirs.detach().numpy(), **TIGHT)


@pytest.mark.parametrize(("N", "V"), [(32, 27), (1, 5), (7, 2), (3, 1)])
def test_cross_entropy_in_one_piece_is_that_of_torch(N, V, rng):
    logits, y, dloss = 3 * rng.standard_normal((N, V)), rng.integers(0, V, N), float(rng.standard_normal())
    (theirs,) = leaves(logits)
    their_loss = F.cross_entropy(theirs, torch.from_numpy(y))
    their_loss.backward(torch.tensor(dloss, dtype=torch.float64))
    loss, probs = cross_entropy(logits, y)
    assert_allclose(loss, their_loss.item(), **TIGHT)
    assert_allclose(probs, theirs.softmax(1).detach().numpy(), **TIGHT)
    dlogits = cross_entropy_backward(probs, y, dloss)
    assert_allclose(dlogits, theirs.grad.detach().numpy(), **TIGHT)
    assert_allclose(dlogits.sum(1), 0, atol=1e-15)


def test_cross_entropy_keeps_its_head_where_a_probability_is_0():
    loss, probs = cross_entropy(np.array([[900.0, -900.0, 0.0]]), np.array([1]))
    assert (loss, probs.tolist()) == (1800, [[1, 0, 0]])
    assert cross_entropy_backward(probs, np.array([1])).tolist() == [[1, -1, 0]]


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize(("N", "H"), [(32, 64), (2, 5), (7, 1)])
def test_batch_norm_in_one_piece_is_that_of_torch(N, H, correction, rng):
    x, gain, shift, dy = 2 + 3 * rng.standard_normal((N, H)), *rng.standard_normal((2, H)), rng.standard_normal((N, H))
    tx, tgain, tshift = leaves(x, gain, shift)
    variance = tx.var(0, correction=correction)
    theirs = tgain * (tx - tx.mean(0)) / (variance + 1e-5).sqrt() + tshift
    theirs.backward(torch.from_numpy(dy))
    y, normal, rstd = batch_norm(x, gain, shift, correction)
    assert_allclose(y, theirs.detach().numpy(), **TIGHT)
    for name, mine, leaf in zip(
        ("dx", "dgain", "dshift"), batch_norm_backward(dy, normal, rstd, gain, correction), (tx, tgain, tshift),
        strict=True,
    ):  # fmt: skip
        assert_allclose(mine, leaf.grad.detach().numpy(), rtol=1e-10, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_pieces_together_are_the_steps_together(sizes, rng):
    weights, x, y = example(rng, **sizes)
    loss, gradients = loss_and_gradients(weights, x, y)
    steps = forward(weights, x, y)
    by_steps, _ = backward(weights, steps, x, y)
    assert_allclose(loss, steps.loss, **TIGHT)
    for name, mine, other in zip(Weights._fields, gradients, by_steps, strict=True):
        assert_allclose(mine, other, **TIGHT, err_msg=name)


def test_held_out_examples_are_normalised_by_what_is_known(rng):
    weights, x, y = example(rng, **SIZES[3])
    known = statistics(weights, x)
    assert_allclose(held_out_loss(weights, known, x, y), forward(weights, x, y).loss, **TIGHT)
    assert_allclose(held_out_loss(weights, known, x[:1], y[:1]), -forward(weights, x, y).logprobs[0, y[0]], **TIGHT)


def test_training_by_hand_is_training_by_torch(rng):
    weights, _, _ = example(rng, **SIZES[0])
    theirs = leaves(*weights)
    optimiser = torch.optim.SGD(theirs, lr=0.1)
    batches = [Batch(rng.integers(0, 27, (32, 3)), rng.integers(0, 27, 32)) for _ in range(50)]
    their_losses = []
    for batch in batches:
        loss = their_steps(Weights(*theirs), batch.x, batch.y).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        their_losses.append(loss.item())
    assert_allclose(train(weights, batches, lr=0.1), their_losses, **TIGHT)
    for name, mine, leaf in zip(Weights._fields, weights, theirs, strict=True):
        assert_allclose(mine, leaf.detach().numpy(), **TIGHT, err_msg=name)
