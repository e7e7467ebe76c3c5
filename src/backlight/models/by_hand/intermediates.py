"""Exercise 1: the network in 20 steps, so small that the gradient of each is one line.

The suffix of a name gives its axes: N examples, T characters each, E embedding dimensions, I = T E, H units, V
characters in the vocabulary, and 1 for an axis that is kept for broadcasting. Three rules suffice:

    a gradient has the shape of its variable;
    what is broadcast forward is summed backward, and what is summed forward is broadcast backward;
    a variable that is used twice gets two gradients, which add up.

Derivation: docs/derivations/by_hand.md.
"""

from typing import NamedTuple

import numpy as np

from backlight.core import FloatArray, IntArray
from backlight.models.by_hand.weights import Weights

EPS = 1e-5
"""Added to the variance, so that a constant unit is not divided by 0."""


class Intermediates(NamedTuple):
    """All values between the ids and the loss, or the gradient of each, which has the same shape.

    Attributes:
        vectors: (N, T, E), the embeddings of the characters.
        joined: (N, I), the embeddings concatenated.
        sums: (N, H), the output of the first linear layer.
        mean: (H,), the mean of each unit over the batch.
        centred: (N, H), sums - mean.
        squares: (N, H), centred squared.
        variance: (H,), the sum of squares divided by N - 1.
        rstd: (H,), 1 / standard deviation.
        normal: (N, H), centred * rstd, with mean 0 and variance 1.
        scaled: (N, H), gain * normal + shift, the input of tanh.
        h: (N, H), the output of tanh.
        logits: (N, V).
        largest: (N, 1), the largest logit of each row.
        shifted: (N, V), logits - largest, at most 0.
        counts: (N, V), exp(shifted), unnormalised probabilities.
        total: (N, 1), the sum of counts.
        inverse: (N, 1), 1 / total.
        probs: (N, V), counts * inverse; rows sum to 1.
        logprobs: (N, V), ln probs.
        loss: (), the mean of -logprobs at the targets, in nats.
    """

    vectors: FloatArray
    joined: FloatArray
    sums: FloatArray
    mean: FloatArray
    centred: FloatArray
    squares: FloatArray
    variance: FloatArray
    rstd: FloatArray
    normal: FloatArray
    scaled: FloatArray
    h: FloatArray
    logits: FloatArray
    largest: FloatArray
    shifted: FloatArray
    counts: FloatArray
    total: FloatArray
    inverse: FloatArray
    probs: FloatArray
    logprobs: FloatArray
    loss: FloatArray


def forward(weights: Weights, x_NT: IntArray, y_N: IntArray) -> Intermediates:
    """Return all values from the ids to the loss.

    Args:
        weights: the weights.
        x_NT: (N, T) ids.
        y_N: (N,) targets.
    """
    C_VE, W1_IH, b1_H, gain_H, shift_H, W2_HV, b2_V = weights
    N = len(x_NT)
    # the first layer
    vectors_NTE = C_VE[x_NT]
    joined_NI = vectors_NTE.reshape(N, -1)
    sums_NH = joined_NI @ W1_IH + b1_H
    # batch norm
    mean_H = sums_NH.sum(0) / N
    centred_NH = sums_NH - mean_H
    squares_NH = centred_NH**2
    variance_H = squares_NH.sum(0) / (N - 1)  # Bessel's correction: the mean is of the same N numbers
    rstd_H = (variance_H + EPS) ** -0.5
    normal_NH = centred_NH * rstd_H
    scaled_NH = gain_H * normal_NH + shift_H
    # tanh and the second layer
    h_NH = np.tanh(scaled_NH)
    logits_NV = h_NH @ W2_HV + b2_V
    # cross-entropy
    largest_N1 = logits_NV.max(1, keepdims=True)
    shifted_NV = logits_NV - largest_N1  # does not change the probabilities, and exp cannot overflow
    counts_NV = np.exp(shifted_NV)
    total_N1 = counts_NV.sum(1, keepdims=True)
    inverse_N1 = total_N1**-1
    probs_NV = counts_NV * inverse_N1
    logprobs_NV = np.log(probs_NV)
    loss = -np.mean(logprobs_NV[np.arange(N), y_N])
    return Intermediates(
        vectors_NTE, joined_NI, sums_NH, mean_H, centred_NH, squares_NH, variance_H, rstd_H, normal_NH, scaled_NH,
        h_NH, logits_NV, largest_N1, shifted_NV, counts_NV, total_N1, inverse_N1, probs_NV, logprobs_NV, loss,
    )  # fmt: skip


def backward(
    weights: Weights, steps: Intermediates, x_NT: IntArray, y_N: IntArray, dloss: float = 1.0
) -> tuple[Weights, Intermediates]:
    """Return the gradient of the loss with respect to each weight and each intermediate value, from last to first.

    "Forgotten:" marks common omissions.

    Args:
        weights: the weights of the forward pass.
        steps: what `forward` returned.
        x_NT: (N, T) ids.
        y_N: (N,) targets.
        dloss: the upstream gradient; 1 unless the loss is part of a larger expression.
    """
    N, rows_N = len(x_NT), np.arange(len(x_NT))
    W2_HV, W1_IH, gain_H = weights.W2, weights.W1, weights.gain
    h_NH, normal_NH, centred_NH, rstd_H = steps.h, steps.normal, steps.centred, steps.rstd
    counts_NV, total_N1, inverse_N1, probs_NV = steps.counts, steps.total, steps.inverse, steps.probs

    # -- cross-entropy -------------------------------------------------------------------------------------------------
    # only the target's log probability is in the loss. Forgotten: 1/N of the mean, and the minus
    dlogprobs_NV = np.zeros_like(steps.logprobs)
    dlogprobs_NV[rows_N, y_N] = -dloss / N
    # the derivative of ln p is 1/p: the less likely the target, the larger the gradient
    dprobs_NV = dlogprobs_NV / probs_NV
    # one number is broadcast over a row of V, so V gradients are summed. Forgotten: the sum, or keepdims
    dinverse_N1 = (counts_NV * dprobs_NV).sum(1, keepdims=True)
    dtotal_N1 = -(total_N1**-2) * dinverse_N1
    # counts are used twice, in the numerator and in the total of the denominator. Forgotten: the second
    dcounts_NV = inverse_N1 * dprobs_NV + dtotal_N1
    # exp is its own derivative
    dshifted_NV = counts_NV * dcounts_NV
    # 0 up to rounding: the shift does not change the probabilities, so the loss does not depend on it
    dlargest_N1 = -dshifted_NV.sum(1, keepdims=True)
    # used twice again: in shifted, and in the maximum. Forgotten: the gradient of the maximum goes to the largest only
    dlogits_NV = dshifted_NV.copy()
    dlogits_NV[rows_N, steps.logits.argmax(1)] += dlargest_N1[:, 0]

    # -- the second layer and tanh -------------------------------------------------------------------------------------
    # which factor is transposed follows from the shapes: they fit in one way only
    dh_NH = dlogits_NV @ W2_HV.T
    dW2_HV = h_NH.T @ dlogits_NV
    # one bias is broadcast over N rows, so the gradient is summed over them
    db2_V = dlogits_NV.sum(0)
    # the derivative of tanh is 1 - output². Forgotten: h is the output; 1 - scaled² looks plausible
    dscaled_NH = (1 - h_NH**2) * dh_NH

    # -- batch norm ----------------------------------------------------------------------------------------------------
    dgain_H = (normal_NH * dscaled_NH).sum(0)
    dshift_H = dscaled_NH.sum(0)
    dnormal_NH = gain_H * dscaled_NH
    drstd_H = (centred_NH * dnormal_NH).sum(0)
    # the power rule, at variance + EPS. Forgotten: EPS, which matters if the variance is small
    dvariance_H = -0.5 * (steps.variance + EPS) ** -1.5 * drstd_H
    # a sum forward, so a broadcast backward. Forgotten: N - 1, not N
    dsquares_NH = np.ones_like(steps.squares) * (dvariance_H / (N - 1))
    # used twice: in normal and in the variance
    dcentred_NH = rstd_H * dnormal_NH + 2 * centred_NH * dsquares_NH
    # broadcast forward with a minus, so summed backward with one. Forgotten: the minus
    dmean_H = -dcentred_NH.sum(0)
    # used twice: directly, and with 1/N in the mean
    dsums_NH = dcentred_NH + dmean_H / N

    # -- the first layer -----------------------------------------------------------------------------------------------
    djoined_NI = dsums_NH @ W1_IH.T
    dW1_IH = steps.joined.T @ dsums_NH
    # 0 up to rounding: batch norm subtracts whatever b1 adds
    db1_H = dsums_NH.sum(0)
    dvectors_NTE = djoined_NI.reshape(steps.vectors.shape)
    # a character that occurs several times gets the sum of its gradients; dC[x] += dvectors would keep only the last
    dC_VE = np.zeros_like(weights.C)
    np.add.at(dC_VE, x_NT, dvectors_NTE)

    return Weights(dC_VE, dW1_IH, db1_H, dgain_H, dshift_H, dW2_HV, db2_V), Intermediates(
        dvectors_NTE, djoined_NI, dsums_NH, dmean_H, dcentred_NH, dsquares_NH, dvariance_H, drstd_H, dnormal_NH,
        dscaled_NH, dh_NH, dlogits_NV, dlargest_N1, dshifted_NV, dcounts_NV, dtotal_N1, dinverse_N1, dprobs_NV,
        dlogprobs_NV, np.asarray(dloss, steps.loss.dtype),
    )  # fmt: skip
