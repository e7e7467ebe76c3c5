"""Fold batch norms into the linear layers before them, so that both are one linear layer at inference."""

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
    """Return a linear layer that is equivalent to both layers in evaluation mode.

    gain (x W + b - mean) r + bias = x (W s) + (b - mean) s + bias, with r = 1/√(var + eps) and s = gain r: each column
    of W is scaled, and the mean goes into the bias. Computed in float64 and rounded once.

    Args:
        linear: (..., I) -> (..., O).
        batch_norm: of O channels; its running statistics are used.

    Raises:
        ShapeError: the channels of the batch norm are not the outputs of the linear layer.
        OperandError: other kinds of layers.
    """
    check_module(linear, "fold_batch_norm", Linear)
    check_module(batch_norm, "fold_batch_norm", BatchNorm1d)
    if linear.out_features != batch_norm.num_features:
        raise ShapeError(
            f"the batch norm must have as many channels as the linear layer has outputs, {linear.out_features}; got "
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
    """Return a copy of a model in evaluation mode, with each batch norm folded into the linear layer before it.

    The copy computes the same outputs in less time. It is meant for inference: its parameters have other names.

    Args:
        model: the model, which is not changed. Only neighbours in a `Sequential` are folded.
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
