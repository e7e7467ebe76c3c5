"""Gradient clipping, which limits the effect of a single batch."""

import math
from collections.abc import Iterable

import numpy as np

from backlight.autograd.flat import FlatParameters
from backlight.autograd.tensor import Tensor
from backlight.core import ConfigError, FloatArray
from backlight.core.arguments import is_number, shown


def clip_grad_norm(parameters: Iterable[Tensor] | FlatParameters, max_norm: float) -> float:
    """Scale all gradients by one factor, so that their global norm is at most `max_norm`; return the norm before.

    If the norm is not finite, nothing is scaled, since no factor makes a NaN finite.

    Args:
        parameters: tensors of any shape, whose gradients are scaled in place.
        max_norm: the largest allowed norm, in the gradients' units.

    Raises:
        ConfigError: `max_norm` is not above 0.
    Source: Pascanu et al. 2013, arXiv:1211.5063, algorithm 1.
    """
    if not is_number(max_norm) or not max_norm > 0:
        raise ConfigError(f"max_norm must be above 0; got {shown(max_norm)}.")
    grads = FlatParameters.gradients(parameters)
    norm = math.hypot(*(_norm(grad) for grad in grads))
    if math.isfinite(norm) and norm > max_norm:
        for grad in grads:
            np.multiply(grad, max_norm / norm, out=grad)
    return norm


def _norm(grad: FloatArray) -> float:
    """Return √Σ grad². If a square overflows, it is computed from grad / max |grad|."""
    flat = grad.reshape(-1)
    with np.errstate(over="ignore"):
        norm = math.sqrt(float(np.dot(flat, flat)))
    if not math.isinf(norm):
        return norm
    largest = float(np.max(np.abs(flat)))
    return largest if math.isinf(largest) else largest * _norm(flat / largest)
