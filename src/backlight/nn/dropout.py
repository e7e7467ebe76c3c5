"""Dropout."""

import numpy as np

from backlight.autograd import Tensor, apply, as_tensor
from backlight.autograd.ops.dropout import Dropout as DropoutOp
from backlight.autograd.tensor_base import Operand
from backlight.core.arguments import check_rng, check_share
from backlight.nn.kind import Kind
from backlight.nn.module import Module


class Dropout(Module):
    """Set each element to 0 with probability p and divide the others by 1 - p; in evaluation mode, do nothing.

    The division keeps the expected value, so that evaluation needs no scaling ("inverted" dropout).

    Args:
        p: probability of dropping an element, at least 0 and below 1.
        rng: draws the masks; `Module.set_rng` replaces it in all layers of a model.

    Shape: (...) -> (...)
    Raises: ConfigError: p outside its range, or no rng.
    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, "Dropout".
    """

    layer_kind = Kind("dropout", settings=("p",))

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | None = None) -> None:
        check_share(p=p)
        self.p = p
        self.rng = check_rng(rng, f"Dropout({p:g})")

    def forward(self, x: Operand) -> Tensor:
        """Return x with some elements dropped, or x itself in evaluation mode."""
        x = as_tensor(x)
        if not self.training or self.p == 0:
            return x
        return apply(DropoutOp, x, keep=self.rng, p=self.p)

    def extra_repr(self) -> str:
        """Return the dropout probability."""
        return f"p={self.p:g}"
