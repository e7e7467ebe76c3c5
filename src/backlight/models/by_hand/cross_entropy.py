"""Exercise 2: cross-entropy and its gradient as one step.

Of exercise 1's eight steps, only the gradient with respect to the logits is needed. For one row with the target y:

    loss = -ln p_y = -z_y + ln Σ exp z

    dloss/dz_v = exp z_v / Σ exp z - [v is y] = p_v - [v is y]

The intermediate steps of exercise 1 cancel, and the prediction minus the one-hot target remains. It sums to 0 over a
row: the step raises the logit of the target and lowers the others, in proportion to their probabilities.
"""

import numpy as np

from backlight.core import FloatArray, IntArray


def cross_entropy(logits_NV: FloatArray, y_N: IntArray) -> tuple[float, FloatArray]:
    """Return the mean of -ln p(target) in nats, and the probabilities (N, V) for the backward pass.

    Args:
        logits_NV: (N, V) the logits.
        y_N: (N,) the targets.
    """
    shifted_NV = logits_NV - logits_NV.max(1, keepdims=True)
    probs_NV = np.exp(shifted_NV)
    total_N1 = probs_NV.sum(1, keepdims=True)
    probs_NV /= total_N1
    # ln p from the logits, not from p, which may be rounded to 0
    logprobs_N = shifted_NV[np.arange(len(y_N)), y_N] - np.log(total_N1[:, 0])
    return -float(logprobs_N.mean()), probs_NV


def cross_entropy_backward(probs_NV: FloatArray, y_N: IntArray, dloss: float = 1.0) -> FloatArray:
    """Return the gradient of the logits, (N, V): the prediction minus the one-hot target, divided by N.

    Common mistakes: omitting the 1/N of the mean (which raises no error, but makes the learning rate N times too high),
    and taking the softmax along the wrong axis (columns that sum to 1 look like probabilities too).

    Args:
        probs_NV: (N, V) the probabilities that `cross_entropy` returned.
        y_N: (N,) the targets.
        dloss: the gradient of the loss.
    """
    dlogits_NV = probs_NV.copy()
    dlogits_NV[np.arange(len(y_N)), y_N] -= 1
    dlogits_NV *= dloss / len(y_N)
    return dlogits_NV
