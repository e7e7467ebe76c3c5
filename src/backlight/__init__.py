"""Backlight: neural networks, lit from behind.

`Value` and `Tensor` are the graph, and `explain` shows how a gradient comes about; `backlight.nn`, `backlight.optim`,
`backlight.models` and `backlight.training` build on it; `backlight.torchlike` stands in for `torch` on a lecture's
import line. The command is `backlight`.
"""

from backlight.autograd import Tensor, Value, no_grad
from backlight.explanation import explain

__all__ = ["Tensor", "Value", "explain", "no_grad"]
