"""Muon: steps of hidden matrices that turn as far in every direction."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from backlight.autograd.flat import FlatParameters
from backlight.autograd.tensor import Tensor
from backlight.core import ConfigError, FloatArray
from backlight.core.arguments import check_number
from backlight.optim.adamw import AdamW

COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS: Final = 5


class Muon(AdamW):
    """Muon for hidden matrices, and AdamW for all other parameters.

        m = μ m + (1 - μ) grad          u = μ m + (1 - μ) grad   (Nesterov's look ahead)
        p -= lr [ 0.2 √max(A, B) O(u) + weight_decay p ]         for a matrix p (A, B)

    O(u) is nearly U Vᵀ, where u = U S Vᵀ: all singular values become about 1, so that rare directions are learnt as
    fast as common ones. With the factor 0.2 √max(A, B), the elements of a step are as large as those of AdamW, and
    learning rate and weight decay can be the same for both.

    Args:
        parameters: the tensors to train, of any shape.
        matrices: those of them that Muon is for, with two axes each: weights of hidden layers. Embeddings, the layer
            that gives the logits, biases and gains are for AdamW.
        lr, betas, eps, weight_decay, decay_vectors: see `AdamW`.
        momentum: μ, 0 <= μ < 1.

    Raises:
        ConfigError: a setting out of range, or a matrix that is not one of the parameters, or does not have two axes.
    Source: K. Jordan et al. 2024, kellerjordan.github.io/posts/muon; the factor: Liu et al. 2025, arXiv:2502.16982.
    """

    def __init__(
        self, parameters: Iterable[Tensor] | FlatParameters, matrices: Sequence[Tensor], lr: float = 1e-3, *,
        momentum: float = 0.95, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.01, decay_vectors: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay, decay_vectors=decay_vectors)
        check_number(0, momentum=momentum)
        if momentum >= 1:
            raise ConfigError(f"momentum must be below 1, or the running mean never changes; got {momentum}.")
        self.momentum = momentum
        places, start = {}, 0
        for tensor in self.flat.tensors:
            places[id(tensor)] = slice(start, start := start + tensor.array.size)
        for one in matrices:
            shape = one.array.shape
            if id(one) not in places:
                raise ConfigError(f"matrices must be among the parameters; got another tensor of shape {shape}.")
            if len(shape) != 2:
                raise ConfigError(f"Muon is for matrices, with two axes; got a tensor of shape {shape}.")
        self.matrices = [(one, places[id(one)]) for one in matrices]

    def _spans(self) -> list[slice]:
        """Return where the parameters are that AdamW steps."""
        taken = sorted((here.start, here.stop) for _, here in self.matrices)
        ends = [0, *(end for _, end in taken)]
        starts = [*(start for start, _ in taken), self.flat.data.size]
        return [slice(a, b) for a, b in zip(ends, starts, strict=True) if a < b]

    def _update(self, data: FloatArray, grad: FloatArray) -> None:
        super()._update(data, grad)
        for one, here in self.matrices:
            mean, of_step = self.mean[here], grad[here]
            mean *= self.momentum
            mean += (1 - self.momentum) * of_step
            ahead = (self.momentum * mean + (1 - self.momentum) * of_step).reshape(one.array.shape)
            data[here] *= 1 - self.lr * self.weight_decay
            data[here] -= (self.lr * 0.2 * math.sqrt(max(ahead.shape)) * orthogonalised(ahead)).reshape(-1)


def orthogonalised(matrix: FloatArray) -> FloatArray:
    """Return nearly U Vᵀ of a matrix U S Vᵀ (A, B), by five steps of a Newton-Schulz iteration.

    Each step maps every singular value s to a s + b s³ + c s⁵. The coefficients have the steepest slope at 0 that
    keeps values up to 1 in bounds; they come to 0.7 to 1.2, and not to 1 exactly.
    """
    a, b, c = COEFFICIENTS
    x = matrix / max(float(np.linalg.norm(matrix)), 1e-7)  # no singular value is larger than the Frobenius norm
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if is_tall else x
