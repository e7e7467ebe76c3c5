"""A layer that makes no unit indispensable."""

import numpy as np

from backlight.autograd import Tensor, apply, as_tensor
from backlight.autograd.ops.dropout import Dropout as DropoutOp
from backlight.autograd.tensor_base import Operand
from backlight.core.arguments import check_rng, check_share
from backlight.nn.kind import Kind
from backlight.nn.module import Module


class Dropout(Module):
    """In training, set each number to 0 with probability p and divide the others by 1 - p; in evaluation, do nothing.

    The division keeps the mean, so that evaluation needs no scaling of its own ("inverted" dropout).

    Args:
        p: share of the numbers that is dropped, at least 0 and below 1.
        rng: draws what is dropped; `Module.set_rng` gives all layers of a model another.

    Shape: any -> the same
    Raises: ConfigError: p outside its range, or no rng.
    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, "Dropout".
    """

    layer_kind = Kind("dropout", settings=("p",))

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator | None = None) -> None:
        check_share(p=p)
        self.p = p
        self.rng = check_rng(rng, f"Dropout({p:g})")

    def forward(self, x: Operand) -> Tensor:
        """Return x with some numbers dropped, or in evaluation x itself."""
        x = as_tensor(x)
        if not self.training or self.p == 0:
            return x
        return apply(DropoutOp, x, keep=self.rng, p=self.p)

    def extra_repr(self) -> str:
        """Return the share that is dropped."""
        return f"p={self.p:g}"
