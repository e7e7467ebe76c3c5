"""Exercise 4: train with gradients written by hand, without autograd."""

from collections.abc import Iterable

import numpy as np

from backlight.core import Batch, FloatArray, IntArray
from backlight.models.by_hand.batch_norm import EPS, batch_norm, batch_norm_backward
from backlight.models.by_hand.cross_entropy import cross_entropy, cross_entropy_backward
from backlight.models.by_hand.weights import Weights


def loss_and_gradients(weights: Weights, x_NT: IntArray, y_N: IntArray) -> tuple[float, Weights]:
    """Return the loss of a batch in nats, and its gradients: exercise 1 with the steps of exercises 2 and 3.

    Args:
        weights: the weights.
        x_NT: (N, T) ids.
        y_N: (N,) targets.
    """
    C_VE, W1_IH, b1_H, gain_H, shift_H, W2_HV, b2_V = weights
    # forward
    vectors_NTE = C_VE[x_NT]
    joined_NI = vectors_NTE.reshape(len(x_NT), -1)
    scaled_NH, normal_NH, rstd_H = batch_norm(joined_NI @ W1_IH + b1_H, gain_H, shift_H)
    h_NH = np.tanh(scaled_NH)
    loss, probs_NV = cross_entropy(h_NH @ W2_HV + b2_V, y_N)
    # backward
    dlogits_NV = cross_entropy_backward(probs_NV, y_N)
    dh_NH = dlogits_NV @ W2_HV.T
    dscaled_NH = (1 - h_NH**2) * dh_NH
    dsums_NH, dgain_H, dshift_H = batch_norm_backward(dscaled_NH, normal_NH, rstd_H, gain_H)
    dvectors_NTE = (dsums_NH @ W1_IH.T).reshape(vectors_NTE.shape)
    dC_VE = np.zeros_like(C_VE)
    np.add.at(dC_VE, x_NT, dvectors_NTE)
    return loss, Weights(
        C=dC_VE, W1=joined_NI.T @ dsums_NH, b1=dsums_NH.sum(0), gain=dgain_H, shift=dshift_H,
        W2=h_NH.T @ dlogits_NV, b2=dlogits_NV.sum(0),
    )  # fmt: skip


def train(weights: Weights, batches: Iterable[Batch], lr: float = 0.1) -> list[float]:
    """Take a step of SGD for each batch, and return the loss before each step, in nats.

    Args:
        weights: the weights, updated in place.
        batches: batches of ids (N, T) and targets (N,), N at least 2.
        lr: learning rate; the lecture uses 0.1, and 0.01 for the second half.
    """
    losses = []
    for batch in batches:
        loss, gradients = loss_and_gradients(weights, batch.x, batch.y)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= lr * gradient  # noqa: PLW2901  (in place: the array is the weight)
        losses.append(loss)
    return losses


def statistics(weights: Weights, x_NT: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean and variance of each unit, (H,) each, over many ids (N, T), for batch norm in evaluation."""
    sums_NH = _sums(weights, x_NT)
    return sums_NH.mean(0), sums_NH.var(0, ddof=1)


def held_out_loss(weights: Weights, known: tuple[FloatArray, FloatArray], x_NT: IntArray, y_N: IntArray) -> float:
    """Return the loss in nats with given statistics in batch norm, so that examples do not depend on each other.

    Args:
        weights: the weights.
        known: mean and variance, (H,) each, from `statistics`.
        x_NT: (N, T) ids.
        y_N: (N,) targets.
    """
    mean_H, variance_H = known
    scaled_NH = weights.gain * (_sums(weights, x_NT) - mean_H) * (variance_H + EPS) ** -0.5 + weights.shift
    loss, _ = cross_entropy(np.tanh(scaled_NH) @ weights.W2 + weights.b2, y_N)
    return loss


def _sums(weights: Weights, x_NT: IntArray) -> FloatArray:
    sums_NH: FloatArray = weights.C[x_NT].reshape(len(x_NT), -1) @ weights.W1 + weights.b1
    return sums_NH
