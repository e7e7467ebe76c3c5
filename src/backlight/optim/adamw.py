"""Adam with decoupled weight decay."""

import math
from collections.abc import Iterable

import numpy as np

from backlight.autograd.flat import FlatParameters
from backlight.autograd.native import library
from backlight.autograd.tensor import Tensor
from backlight.core import ConfigError, FloatArray
from backlight.core.arguments import check_number, shown
from backlight.optim.optimiser import Optimiser

BLOCK = 1 << 16
"""Elements per block: the dozen passes of a step are faster if the blocks of five arrays stay in the cache."""


class AdamW(Optimiser):
    """Adam with decoupled weight decay: each step is the mean of recent gradients over their root mean square.

        m = β₁ m + (1 - β₁) grad          v = β₂ v + (1 - β₂) grad²
        p -= lr [ m̂ / (√v̂ + eps) + weight_decay p ],   m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    Args:
        parameters: the tensors to train, of any shape.
        lr: learning rate, about the largest change of an element in one step.
        betas: decay rates of the two running means, each 0 <= β < 1.
        eps: added to the denominator, in the gradient's units.
        weight_decay: each step multiplies the weights by 1 - lr weight_decay.
        decay_vectors: whether biases and gains decay too, as in PyTorch.

    Raises:
        ConfigError: a setting out of range, or parameters that do not fit; see `Optimiser`.
    Source: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2; Kingma & Ba 2015, arXiv:1412.6980.
    """

    buffers = ("mean", "square")

    def __init__(
        self, parameters: Iterable[Tensor] | FlatParameters, lr: float = 1e-3, *,
        betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01,
        decay_vectors: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, decay_vectors=decay_vectors)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ConfigError(f"betas must be two numbers, as in (0.9, 0.999); got {shown(betas)}.")
        check_number(0, beta_1=betas[0], beta_2=betas[1], eps=eps)
        if max(betas) >= 1:
            raise ConfigError(f"betas must be below 1, or the running means never change; got {betas}.")
        self.betas = betas
        self.eps = eps
        self.mean = np.zeros_like(self.flat.data)
        self.square = np.zeros_like(self.flat.data)

    def _update(self, data: FloatArray, grad: FloatArray) -> None:
        kernels = library()
        if kernels is not None and data.dtype == np.float32:
            beta_1, beta_2 = self.betas
            unbias_2, rate = 1 / math.sqrt(1 - beta_2**self.steps), self.lr / (1 - beta_1**self.steps)
            decay = self.lr * self.weight_decay
            numbers = (beta_1, 1 - beta_1, beta_2, 1 - beta_2, unbias_2, self.eps, rate, decay)
            for here in self._spans():
                decaying = None if self._decaying is None else self._decaying[here]
                kernels.adamw(
                    data[here], grad[here], self.mean[here], self.square[here], decaying, np.array(numbers, np.float32)
                )
            return
        for span in self._spans():
            for start in range(span.start, span.stop, BLOCK):
                here = slice(start, min(start + BLOCK, span.stop))
                self._update_block(data[here], grad[here], self.mean[here], self.square[here], here)

    def _spans(self) -> list[slice]:
        """Return which parts of the flat array are stepped so."""
        return [slice(0, self.flat.data.size)]

    def _update_block(
        self, data: FloatArray, grad: FloatArray, mean: FloatArray, square: FloatArray, here: slice
    ) -> None:
        beta_1, beta_2 = self.betas
        scratch = self._scratch[: len(data)]
        if self.weight_decay:
            if self._decaying is None:
                data *= 1 - self.lr * self.weight_decay
            else:
                np.multiply(data, self._decaying[here], out=scratch)
                scratch *= self.lr * self.weight_decay
                data -= scratch
        mean *= beta_1
        np.multiply(grad, 1 - beta_1, out=scratch)
        mean += scratch
        square *= beta_2
        np.multiply(grad, grad, out=scratch)
        scratch *= 1 - beta_2
        square += scratch
        # both running means start at 0; dividing by 1 - βᵗ corrects that bias
        np.sqrt(square, out=scratch)
        scratch *= 1 / math.sqrt(1 - beta_2**self.steps)
        scratch += self.eps
        np.divide(mean, scratch, out=scratch)
        scratch *= self.lr / (1 - beta_1**self.steps)
        data -= scratch
