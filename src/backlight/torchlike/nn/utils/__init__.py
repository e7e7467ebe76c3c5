"""`torch.nn.utils`: gradient clipping, and all parameters as one vector."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from backlight.autograd import Tensor, cat
from backlight.autograd.writes import WRITES
from backlight.core import ConfigError, GraphError, ShapeError, missing
from backlight.core.arguments import check_number, is_number, shown
from backlight.torchlike.nn.utils import rnn

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "get_total_norm", "parameters_to_vector", "rnn", "vector_to_parameters",
]  # fmt: skip

__getattr__ = missing.names_of("torch.nn.utils", missing.UTILS)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: Any = None,
) -> Tensor:  # fmt: skip
    """Scale all gradients by one factor, so that their norm is at most `max_norm`; return the norm before.

    As in PyTorch, the factor is max_norm / (norm + 1e-6), and a norm that is not finite makes gradients nan.

    Args:
        parameters: tensors; those without a gradient are skipped.
        max_norm: the largest norm.
        norm_type: which norm, such as 2 or infinity.
        error_if_nonfinite: whether a norm that is not finite is an error.
        foreach: changes nothing.

    Raises:
        ConfigError: `max_norm` or `norm_type` is not a number.
        GraphError: a norm that is not finite, with `error_if_nonfinite`.
    Source: Pascanu et al. 2013, arXiv:1211.5063, algorithm 1.
    """
    del foreach
    check_number(max_norm=max_norm)
    tensors = _with_gradients(parameters)
    total = get_total_norm([Tensor._holding(grad) for grad in tensors], norm_type)
    norm = float(total.item())
    if error_if_nonfinite and not math.isfinite(norm):
        raise GraphError(f"the norm of the gradients is {norm}. Look for the step where the loss is not finite.")
    factor = np.float32(max_norm) / (np.float32(norm) + np.float32(1e-6))
    if not factor >= 1:  # also for nan
        for grad in tensors:
            np.multiply(grad, factor, out=grad)
    return total


def get_total_norm(tensors: Iterable[Tensor], norm_type: float = 2.0, *_: Any, **__: Any) -> Tensor:
    """Return the norm of all elements of several tensors, (). Args: see `clip_grad_norm_`."""
    if not is_number(norm_type) or not norm_type > 0:
        raise ConfigError(f"norm_type must be above 0, such as 2.0 or inf; got {shown(norm_type)}.")
    arrays = [tensor.array.reshape(-1) for tensor in tensors]
    norms = [np.linalg.norm(array, norm_type) for array in arrays if array.size]
    return Tensor(np.asarray(np.linalg.norm(norms, norm_type) if norms else 0.0, np.float32))


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: Any = None) -> None:
    """Limit every element of the gradients to -clip_value..clip_value.

    Args:
        parameters: tensors; those without a gradient are skipped.
        clip_value: the largest absolute value.
        foreach: changes nothing.
    """
    del foreach
    check_number(0, clip_value=clip_value)
    for grad in _with_gradients(parameters):
        np.clip(grad, -clip_value, clip_value, out=grad)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return all parameters as one vector (P,)."""
    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy a vector (P,) into parameters.

    Raises:
        ShapeError: another number of elements.
    """
    tensors = list(parameters)
    if vec.array.shape != (sum(tensor.array.size for tensor in tensors),):
        raise ShapeError(f"the vector must have an element for each of the parameters; got {tuple(vec.array.shape)}.")
    start = 0
    for tensor in tensors:
        end = start + tensor.array.size
        tensor.array[...] = vec.array[start:end].reshape(tensor.array.shape)
        WRITES.record(tensor.array)
        start = end


def _with_gradients(parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [tensor._grad for tensor in tensors if tensor._grad is not None]
