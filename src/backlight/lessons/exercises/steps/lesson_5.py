"""Lesson 5 in single steps."""

from typing import Any

import numpy as np


def all_gradients(weights: Any, steps: Any, x: Any, y: Any) -> Any:
    N = len(x)
    rows = np.arange(N)
    d: dict[str, Any] = {}
    d["logprobs"] = np.zeros_like(steps.logprobs)
    d["logprobs"][rows, y] = -1 / N
    d["probs"] = d["logprobs"] / steps.probs
    d["inverse"] = (steps.counts * d["probs"]).sum(1, keepdims=True)
    d["total"] = -(steps.total**-2) * d["inverse"]
    d["counts"] = steps.inverse * d["probs"] + np.ones_like(steps.counts) * d["total"]
    d["shifted"] = steps.counts * d["counts"]
    d["largest"] = -d["shifted"].sum(1, keepdims=True)
    d["logits"] = d["shifted"].copy()
    d["logits"][rows, steps.logits.argmax(1)] += d["largest"][:, 0]
    d["h"] = d["logits"] @ weights.W2.T
    d["W2"] = steps.h.T @ d["logits"]
    d["b2"] = d["logits"].sum(0)
    d["scaled"] = (1 - steps.h**2) * d["h"]
    d["gain"] = (steps.normal * d["scaled"]).sum(0)
    d["shift"] = d["scaled"].sum(0)
    d["normal"] = weights.gain * d["scaled"]
    d["rstd"] = (steps.centred * d["normal"]).sum(0)
    d["variance"] = -0.5 * (steps.variance + 1e-5) ** -1.5 * d["rstd"]
    d["squares"] = np.ones_like(steps.squares) * d["variance"] / (N - 1)
    d["centred"] = steps.rstd * d["normal"] + 2 * steps.centred * d["squares"]
    d["mean"] = -d["centred"].sum(0)
    d["sums"] = d["centred"] + np.ones_like(steps.sums) * d["mean"] / N
    d["joined"] = d["sums"] @ weights.W1.T
    d["W1"] = steps.joined.T @ d["sums"]
    d["b1"] = d["sums"].sum(0)
    d["vectors"] = d["joined"].reshape(steps.vectors.shape)
    d["C"] = np.zeros_like(weights.C)
    np.add.at(d["C"], x, d["vectors"])
    return d


def cross_entropy_backward(logits: Any, targets: Any) -> Any:
    N = len(targets)
    largest = logits.max(1, keepdims=True)  # the largest logit of each row
    shifted = logits - largest  # the shifted logits
    counts = np.exp(shifted)  # the exponentials
    totals = counts.sum(1, keepdims=True)  # the sums of the exponentials
    probs = counts / totals  # the probabilities
    onehot = np.zeros_like(logits)  # the one-hot targets
    onehot[np.arange(N), targets] = 1
    dlogits = probs - onehot  # the gradient
    return dlogits / N


def batch_norm_backward(dy: Any, normal: Any, rstd: Any, gain: Any) -> Any:
    N = len(dy)
    dshift = dy.sum(0)
    dgain = (dy * normal).sum(0)
    dnormal = dy * gain  # the gradient of normal
    by_mean = dnormal.sum(0) / N  # the path through the mean
    by_variance = normal * (dnormal * normal).sum(0) / (N - 1)  # the path through the variance
    dx = rstd * (dnormal - by_mean - by_variance)
    return dx, dgain, dshift


def train_by_hand(weights: Any, batches: Any, lr: Any) -> Any:
    C, W1, b1, gain, shift, W2, b2 = weights
    losses = []
    for x, y in batches:
        N = len(x)
        rows = np.arange(N)
        vectors = C[x]
        joined = vectors.reshape(N, -1)
        sums = joined @ W1 + b1
        mean = sums.mean(0)
        variance = sums.var(0, ddof=1)
        rstd = (variance + 1e-5) ** -0.5
        normal = (sums - mean) * rstd
        scaled = gain * normal + shift
        h = np.tanh(scaled)
        logits = h @ W2 + b2
        counts = np.exp(logits - logits.max(1, keepdims=True))
        probs = counts / counts.sum(1, keepdims=True)
        losses.append(-np.log(probs[rows, y]).mean())
        dlogits = probs.copy()
        dlogits[rows, y] -= 1
        dlogits = dlogits / N
        dW2 = h.T @ dlogits
        db2 = dlogits.sum(0)
        dh = dlogits @ W2.T
        dscaled = (1 - h**2) * dh
        dgain = (dscaled * normal).sum(0)
        dshift = dscaled.sum(0)
        dnormal = dscaled * gain
        by_mean = dnormal.sum(0) / N  # batch norm's path through the mean
        by_variance = normal * (dnormal * normal).sum(0) / (N - 1)  # batch norm's path through the variance
        dsums = rstd * (dnormal - by_mean - by_variance)
        dW1 = joined.T @ dsums
        db1 = dsums.sum(0)
        djoined = dsums @ W1.T
        dvectors = djoined.reshape(vectors.shape)
        dC = np.zeros_like(C)
        np.add.at(dC, x, dvectors)
        C = C - lr * dC
        W1 = W1 - lr * dW1
        b1 = b1 - lr * db1
        gain = gain - lr * dgain
        shift = shift - lr * dshift
        W2 = W2 - lr * dW2
        b2 = b2 - lr * db2
    return losses, (C, W1, b1, gain, shift, W2, b2)


PROGRAMS = (all_gradients, cross_entropy_backward, batch_norm_backward, train_by_hand)
