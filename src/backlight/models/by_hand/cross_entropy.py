"""Exercise 2: from the logits to the loss and back in one piece.

Of exercise 1's eight steps, the gradient by the logits is what counts. On paper, for one row with the target y:

    loss = -ln p_y = -z_y + ln Σ exp z

    dloss/dz_v = exp z_v / Σ exp z - [v is y] = p_v - [v is y]

All that exercise 1 does in between cancels: what is left is the prediction less the truth. It sums to 0 over a row: as
much as the target is pulled up, the others are pushed down, each by what it was given too much.
"""

import numpy as np

from backlight.core import FloatArray, IntArray


def cross_entropy(logits_NV: FloatArray, y_N: IntArray) -> tuple[float, FloatArray]:
    """Return the mean of -ln p(target) in nats, and the probabilities (N, V), which the way back needs."""
    shifted_NV = logits_NV - logits_NV.max(1, keepdims=True)
    probs_NV = np.exp(shifted_NV)
    total_N1 = probs_NV.sum(1, keepdims=True)
    probs_NV /= total_N1
    # ln p from the logits, not from p: a p that was rounded to 0 has no logarithm
    logprobs_N = shifted_NV[np.arange(len(y_N)), y_N] - np.log(total_N1[:, 0])
    return -float(logprobs_N.mean()), probs_NV


def cross_entropy_backward(probs_NV: FloatArray, y_N: IntArray, dloss: float = 1.0) -> FloatArray:
    """Return dlogits, (N, V): the prediction less the truth, shared out over the batch.

    Where people go wrong: 1/N of the mean is forgotten (no error, only a learning rate N times too large), or the
    softmax is taken along the wrong axis (columns that sum to 1 look like probabilities too).
    """
    dlogits_NV = probs_NV.copy()
    dlogits_NV[np.arange(len(y_N)), y_N] -= 1
    dlogits_NV *= dloss / len(y_N)
    return dlogits_NV
