"""A layer that makes no unit indispensable."""

import numpy as np

from backlight.autograd import Tensor, apply
from backlight.autograd.ops.dropout import Dropout as DropoutOp
from backlight.core import ConfigError
from backlight.nn.kind import Kind
from backlight.nn.module import Module


class Dropout(Module):
    """In training, set each number to 0 with probability p and divide the others by 1 - p; in evaluation, do nothing.

    The division keeps the mean, so that evaluation needs no scaling of its own ("inverted" dropout).

    Args:
        p: share of the numbers that is dropped, at least 0 and below 1.
        rng: where the choice comes from; `Module.set_rng` gives all layers of a model another.

    Shape: any -> the same
    Raises: ConfigError: p outside its range.
    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, "Dropout".
    """

    layer_kind = Kind("dropout", settings=("p",))

    def __init__(self, p: float, *, rng: np.random.Generator) -> None:
        if not 0 <= p < 1:
            raise ConfigError(f"p is the share that is dropped, at least 0 and below 1; got {p}. Try 0.1.")
        self.p = p
        self.rng = rng

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some numbers dropped, or in evaluation x itself."""
        if not self.training or self.p == 0:
            return x
        return apply(DropoutOp, x, kept=self.rng, p=self.p)

    def extra_repr(self) -> str:
        """Return the share that is dropped."""
        return f"{self.p:g}"
