"""Lesson 11 in single steps."""

from typing import Any

import numpy as np


def all_heads_backward(dy: Any, x: Any, Wq: Any, Wk: Any, Wv: Any, heads: Any) -> Any:
    B, T, C = x.shape
    D = C // heads
    q = (x @ Wq).reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    k = (x @ Wk).reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    v = (x @ Wv).reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(D)
    seen = np.tril(np.ones((T, T)))  # the mask
    masked = np.where(seen == 1, scores, -np.inf)  # the masked scores
    counts = np.exp(masked - masked.max(-1, keepdims=True))  # the exponentials
    weights = counts / counts.sum(-1, keepdims=True)  # the weights
    dread = dy.reshape(B, T, heads, D).transpose(0, 2, 1, 3)  # the gradient of the heads' outputs
    dv = weights.transpose(0, 1, 3, 2) @ dread  # the gradient of the values
    dweights = dread @ v.transpose(0, 1, 3, 2)  # the gradient of the weights
    shared = (weights * dweights).sum(-1, keepdims=True)  # softmax's sum over a row
    dmasked = weights * (dweights - shared)  # the gradient of the masked scores
    dscores = np.where(seen == 1, dmasked, 0) / np.sqrt(D)  # the gradient of the scores
    dq = dscores @ k  # the gradient of the queries
    dk = dscores.transpose(0, 1, 3, 2) @ q  # the gradient of the keys
    dq = dq.transpose(0, 2, 1, 3).reshape(B, T, C)
    dk = dk.transpose(0, 2, 1, 3).reshape(B, T, C)
    dv = dv.transpose(0, 2, 1, 3).reshape(B, T, C)
    dx = dq @ Wq.T + dk @ Wk.T + dv @ Wv.T
    rows = x.reshape(B * T, C)
    dWq = rows.T @ dq.reshape(B * T, C)
    dWk = rows.T @ dk.reshape(B * T, C)
    dWv = rows.T @ dv.reshape(B * T, C)
    return dx, dWq, dWk, dWv


def gpt_gradients(weights: Any, steps: Any, x: Any, y: Any, heads: Any) -> Any:
    C = steps.vectors.shape[-1]
    N = steps.vectors.size // C
    kept = y >= 0  # the positions that count
    dlogits = np.zeros_like(steps.logits)
    dlogits[kept] = _cross_entropy_backward(steps.logits[kept], y[kept])
    b3 = dlogits.sum((0, 1))  # the gradient of b3
    W3 = steps.after2.reshape(N, C).T @ dlogits.reshape(N, -1)  # the gradient of W3
    dafter2 = dlogits @ weights["W3"].T  # the gradient of after2
    b2 = dafter2.sum((0, 1))  # the gradient of b2
    W2 = steps.hidden.reshape(N, -1).T @ dafter2.reshape(N, C)  # the gradient of W2
    dhidden = dafter2 @ weights["W2"].T  # the gradient of hidden
    dsums = dhidden * (1 - steps.hidden**2)  # the gradient of tanh's inputs
    b1 = dsums.sum((0, 1))  # the gradient of b1
    W1 = steps.scaled2.reshape(N, C).T @ dsums.reshape(N, -1)  # the gradient of W1
    dscaled2 = dsums @ weights["W1"].T  # the gradient of scaled2
    shift2 = dscaled2.sum((0, 1))  # the gradient of shift2
    gain2 = (dscaled2 * steps.normal2).sum((0, 1))  # the gradient of gain2
    dnorm2 = _norm_backward(dscaled2 * weights["gain2"], steps.normal2, steps.rstd2)
    dafter1 = dnorm2 + dafter2  # the gradient of after1
    dscaled1, Wq, Wk, Wv = all_heads_backward(
        dafter1, steps.scaled1, weights["Wq"], weights["Wk"], weights["Wv"], heads
    )
    shift1 = dscaled1.sum((0, 1))  # the gradient of shift1
    gain1 = (dscaled1 * steps.normal1).sum((0, 1))  # the gradient of gain1
    dnorm1 = _norm_backward(dscaled1 * weights["gain1"], steps.normal1, steps.rstd1)
    dvectors = dnorm1 + dafter1  # the gradient of vectors
    position = dvectors.sum(0)  # the gradient of position
    token = np.zeros_like(weights["token"])  # the gradient of token
    np.add.at(token, x, dvectors)
    return {
        "b3": b3, "W3": W3, "b2": b2, "W2": W2, "b1": b1, "W1": W1, "shift2": shift2, "gain2": gain2, "Wv": Wv,
        "Wk": Wk, "Wq": Wq, "shift1": shift1, "gain1": gain1, "position": position, "token": token,
    }  # fmt: skip


def _cross_entropy_backward(logits: Any, targets: Any) -> Any:
    probs = np.exp(logits - logits.max(1, keepdims=True))
    probs = probs / probs.sum(1, keepdims=True)
    probs[np.arange(len(targets)), targets] -= 1
    return probs / len(targets)


def _norm_backward(dnormal: Any, normal: Any, rstd: Any) -> Any:
    N = dnormal.size // dnormal.shape[-1]
    by_variance = normal * (dnormal * normal).sum((0, 1)) / (N - 1)
    return rstd * (dnormal - dnormal.sum((0, 1)) / N - by_variance)


PROGRAMS = (all_heads_backward, gpt_gradients)
