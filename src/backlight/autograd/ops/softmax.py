"""Softmax and cross entropy. The largest logit is subtracted first, so that no exponential overflows."""

import math
from functools import lru_cache
from typing import Any

import numpy as np

from backlight.autograd.op import Op, ones
from backlight.core import NOT_A_TARGET, Array, ConfigError, IntArray, ShapeError, all_below


def shifted_log_softmax(logits: Array, axis: int = -1) -> Array:
    """Return log(exp(z) / Σ exp(z)) along an axis, in the shape of the logits (...)."""
    shifted = logits - np.maximum.reduce(logits, axis=axis, keepdims=True)
    shifted -= np.log(np.add.reduce(np.exp(shifted), axis=axis, keepdims=True))
    return shifted


class Softmax(Op):
    """p = exp(z) / Σ exp(z) along an axis."""

    name = "softmax"
    formula = "p = exp(z) / Σ exp(z);  dz = p (dp - Σ p dp)"

    @staticmethod
    def forward(z: Array, *, axis: int = -1) -> tuple[Array, Any]:
        p = np.exp(z - np.max(z, axis=axis, keepdims=True))
        p /= np.sum(p, axis=axis, keepdims=True)
        return p, (p, axis)

    @staticmethod
    def backward(dp: Array, saved: Any) -> tuple[Array]:
        p, axis = saved
        return (p * (dp - np.sum(p * dp, axis=axis, keepdims=True)),)


class LogSoftmax(Op):
    """y = z - log Σ exp(z) along an axis."""

    name = "log_softmax"
    formula = "y = z - ln Σ exp(z);  dz = dy - softmax(z) Σ dy"

    @staticmethod
    def forward(z: Array, *, axis: int = -1) -> tuple[Array, Any]:
        y = shifted_log_softmax(z, axis)
        return y, (y, axis)

    @staticmethod
    def backward(dy: Array, saved: Any) -> tuple[Array]:
        y, axis = saved
        return (dy - np.exp(y) * np.sum(dy, axis=axis, keepdims=True),)


class CrossEntropy(Op):
    """loss = the mean of -log softmax(logits)[target] over the targets, in nats; a target of -1 is excluded.

    logits (..., V), targets (...) in 0..V-1. Softmax and logarithm are one op, since the gradient then is simple: the
    predicted probabilities minus the one-hot target.

    Raises:
        ShapeError: not one target for each row of logits.
        ConfigError: a target out of range, no target at all, or wrong dtypes.
    """

    name = "cross_entropy"
    formula = "loss = -Σ ln softmax(z)[target] / N;  dz = dloss (softmax(z) - onehot(target)) / N"

    @staticmethod
    def forward(logits: Array, *, targets: IntArray) -> tuple[Array, Any]:
        if targets.shape != logits.shape[:-1]:
            raise ShapeError(
                f"cross entropy needs one target for each row of logits: targets of shape {logits.shape[:-1]}; "
                f"got logits {logits.shape} and targets {targets.shape}."
            )
        if logits.dtype.kind != "f" or targets.dtype.kind not in "iu":
            raise ConfigError(
                "cross entropy needs floating-point logits and integer targets; "
                f"got {logits.dtype} and {targets.dtype}."
            )
        vocabulary = logits.shape[-1]
        z_NV = logits.reshape(-1, vocabulary)
        targets_N: IntArray = targets.reshape(-1).astype(np.int64, copy=False)
        rows = None  # all of them
        if targets_N.size == 0 or not all_below(targets_N, vocabulary):
            rows, targets_N = _counted(targets_N, vocabulary)
            z_NV = z_NV[rows]
        count = len(targets_N)
        starts = _row_starts(count, vocabulary)
        places = starts + targets_N  # of the targets, in the flattened matrix
        # argmax and a lookup take half as long as max along a short axis
        largest_N = z_NV.reshape(-1)[starts + z_NV.argmax(axis=-1)]
        p_NV = z_NV - largest_N[:, None]
        z_target_N = p_NV.reshape(-1)[places]
        np.exp(p_NV, out=p_NV)
        total_N = p_NV @ ones(vocabulary, p_NV.dtype)
        nats_N = np.log(total_N) - z_target_N
        loss = np.add.reduce(nats_N) / count
        p_NV /= total_N[:, None]
        return np.asarray(loss, logits.dtype), (p_NV, places, rows, logits.shape)

    @staticmethod
    def backward(dloss: Array, saved: Any) -> tuple[Array]:
        p_NV, places, rows, shape = saved
        share = float(dloss) / len(places)
        dz_NV = p_NV * share
        dz_NV.reshape(-1)[places] -= share
        if rows is None:
            return (dz_NV.reshape(shape),)
        dlogits = np.zeros((math.prod(shape[:-1]), shape[-1]), dz_NV.dtype)
        dlogits[rows] = dz_NV
        return (dlogits.reshape(shape),)


@lru_cache(maxsize=16)
def _row_starts(rows: int, columns: int) -> IntArray:
    """Return the index of each row's first element in a flattened matrix. Cached, as it is the same at every step."""
    return np.arange(0, rows * columns, columns)


def _counted(targets: IntArray, vocabulary: int) -> tuple[IntArray, IntArray]:
    """Return the rows that have a target, and those targets. Raises ConfigError for none, or for one out of range."""
    rows = np.flatnonzero(targets != NOT_A_TARGET)
    kept = targets[rows]
    if kept.size == 0:
        raise ConfigError(
            f"cross entropy needs at least one target other than {NOT_A_TARGET}; got none among {targets.size} targets."
        )
    if kept.min() < 0 or kept.max() >= vocabulary:
        wrong = kept[(kept < 0) | (kept >= vocabulary)][0]
        raise ConfigError(f"targets must be in 0..{vocabulary - 1}, or {NOT_A_TARGET} to be excluded; got {wrong}.")
    return rows, kept
