"""Batch norm folded into the linear layer before it: at inference both are one matrix and one bias."""

import copy
from typing import TypeVar

import numpy as np

from backlight.autograd import Parameter
from backlight.core import ShapeError
from backlight.nn.layers import Linear, Sequential
from backlight.nn.module import Module, check_module
from backlight.nn.normalisation import BatchNorm1d

Kind = TypeVar("Kind", bound=Module)


def fold_batch_norm(linear: Linear, batch_norm: BatchNorm1d) -> Linear:
    """Return the linear layer that does what both do in evaluation mode.

    gain (x W + b - mean) r + bias = x (W s) + (b - mean) s + bias, with r = 1/√(var + eps) and s = gain r: each column
    of W is scaled, and the means go into the bias. Computed in float64 and rounded once.

    Args:
        linear: (..., I) -> (..., O).
        batch_norm: of O channels; its running statistics are used.

    Raises:
        ShapeError: the batch norm has another number of channels than the linear layer has outputs.
    """
    check_module(linear, "fold_batch_norm", Linear)
    check_module(batch_norm, "fold_batch_norm", BatchNorm1d)
    if linear.out_features != batch_norm.num_features:
        raise ShapeError(
            f"folding needs a batch norm of the linear layer's {linear.out_features} outputs; got "
            f"BatchNorm1d({batch_norm.num_features})."
        )
    gain, bias, mean, variance = (
        tensor.array.astype(np.float64)
        for tensor in (batch_norm.weight, batch_norm.bias, batch_norm.running_mean, batch_norm.running_var)
    )
    scale = gain / np.sqrt(variance + batch_norm.eps)
    before = 0.0 if linear.bias is None else linear.bias.array
    dtype = linear.weight.array.dtype
    folded = copy.copy(linear)
    folded.weight = Parameter((linear.weight.array * scale).astype(dtype))
    folded.bias = Parameter(((before - mean) * scale + bias).astype(dtype))
    return folded


def fold(model: Kind) -> Kind:
    """Return a copy of a model in evaluation mode, each batch norm that follows a linear layer folded into it.

    The copy gives the same outputs with less work. It is for use, not for training: its names differ from the model's.

    Args:
        model: is not changed. Only pairs in a `Sequential` are folded, where each layer feeds the next.
    """
    check_module(model, "fold")
    folded = copy.deepcopy(model).eval()
    for _, module in folded.named_modules():
        if isinstance(module, Sequential):
            module.layers = _folded(module.layers)
    return folded


def _folded(layers: list[Module]) -> list[Module]:
    kept: list[Module] = []
    for layer in layers:
        last = kept[-1] if kept else None
        if isinstance(layer, BatchNorm1d) and isinstance(last, Linear):
            kept[-1] = fold_batch_norm(last, layer)
        else:
            kept.append(layer)
    return kept
