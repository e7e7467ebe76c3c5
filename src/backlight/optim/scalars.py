"""Adam for networks of single numbers."""

from collections.abc import Iterable

import numpy as np

from backlight.autograd import Value
from backlight.autograd.number import read_numbers, take_gradients, write_numbers
from backlight.core import ConfigError
from backlight.core.arguments import check_number, shown


class ScalarAdam:
    """Adam (without weight decay) for a list of Values, all updated at once as arrays.

        m = β₁ m + (1 - β₁) grad          v = β₂ v + (1 - β₂) grad²
        p -= lr m̂ / (√v̂ + eps),   m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    Args:
        parameters: the Values to train.
        lr: learning rate, about the largest change of a number in one step. It may be set before each step.
        betas: decay rates of the two running means, each 0 <= β < 1.
        eps: added to the denominator, in the gradient's units.

    Raises:
        ConfigError: a setting out of range, or parameters that are not Values.
    Source: Kingma & Ba 2015, arXiv:1412.6980, algorithm 1.
    """

    def __init__(
        self, parameters: Iterable[Value], lr: float = 1e-3, *, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:  # fmt: skip
        self.parameters = list(parameters)
        if not self.parameters or not all(isinstance(parameter, Value) for parameter in self.parameters):
            raise ConfigError(f"parameters must be a list of Values; got {shown(parameters)}. Use AdamW for tensors.")
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ConfigError(f"betas must be two numbers, as in (0.9, 0.999); got {shown(betas)}.")
        check_number(0, lr=lr, beta_1=betas[0], beta_2=betas[1], eps=eps)
        if max(betas) >= 1:
            raise ConfigError(f"betas must be below 1, or the running means never change; got {betas}.")
        self.lr = lr
        self.betas = betas
        self.eps = eps
        self.steps = 0
        self.mean = np.zeros(len(self.parameters))
        self.square = np.zeros(len(self.parameters))

    def step(self) -> None:
        """Change every parameter by its gradient, and set the gradients to 0."""
        self.steps += 1
        beta_1, beta_2 = self.betas
        grad = take_gradients(self.parameters)
        self.mean *= beta_1
        self.mean += (1 - beta_1) * grad
        self.square *= beta_2
        self.square += (1 - beta_2) * grad**2
        mean = self.mean / (1 - beta_1**self.steps)
        square = self.square / (1 - beta_2**self.steps)
        write_numbers(self.parameters, read_numbers(self.parameters) - self.lr * mean / (np.sqrt(square) + self.eps))
