"""Stochastic gradient descent."""

from collections.abc import Iterable

import numpy as np

from backlight.autograd.flat import FlatParameters
from backlight.autograd.tensor import Tensor
from backlight.core import ConfigError, FloatArray
from backlight.core.arguments import check_flag, check_number
from backlight.optim.blending import blend
from backlight.optim.optimiser import Optimiser


class SGD(Optimiser):
    """p -= lr v, where v is the gradient, or with momentum a running sum of gradients: v = momentum v + grad.

    Args:
        parameters: the tensors to train, of any shape.
        lr: learning rate.
        momentum: decay rate of the running sum, 0 <= momentum < 1.
        weight_decay: weight_decay x p is added to the gradient (an L2 penalty), as in PyTorch's SGD.
        decay_vectors: whether biases and gains decay too.
        nesterov: whether to use Nesterov momentum.

    Raises:
        ConfigError: a setting out of range, or parameters that do not fit; see `Optimiser`.
    Source: Sutskever et al. 2013, in the form of PyTorch's `torch.optim.SGD`.
    """

    def __init__(
        self, parameters: Iterable[Tensor] | FlatParameters, lr: float, *, momentum: float = 0.0,
        weight_decay: float = 0.0, decay_vectors: bool = True, nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, decay_vectors=decay_vectors)
        check_number(0, momentum=momentum)
        check_flag(nesterov=nesterov)
        if momentum >= 1:
            raise ConfigError(f"momentum must be below 1, or steps grow without bound; got {momentum}.")
        if nesterov and not momentum:
            raise ConfigError("nesterov=True needs momentum; got momentum=0. Set momentum above 0.")
        self.momentum = momentum
        self.nesterov = nesterov
        if momentum:
            self.buffers = ("velocity",)
            self.velocity = np.zeros_like(self.flat.data)

    def _update(self, data: FloatArray, grad: FloatArray) -> None:
        if self.weight_decay:
            scratch = self._scratch
            np.multiply(data, self.weight_decay, out=scratch)
            if self._decaying is not None:
                scratch *= self._decaying
            scratch += grad
            grad = scratch
        if self.momentum:
            blend(self.velocity, grad, keep=self.momentum, take=1.0)
            grad = grad + self.momentum * self.velocity if self.nesterov else self.velocity
        blend(data, grad, keep=1.0, take=-self.lr)
