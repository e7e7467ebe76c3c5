"""Layers applied to one position of many texts side by side, a column each: (C, B) arrays, outside the graph.

A step of decoding has one position a text. With the texts along the last axis, sums over channels run over long rows,
and what each text's query asks of its own keys is a sum of long rows too. The formulas are those of the layers, which
take (B, C); tests hold the two together.
"""

import numpy as np

from backlight.autograd import ops
from backlight.core import Array, ConfigError
from backlight.nn.activations import GELU
from backlight.nn.dropout import Dropout
from backlight.nn.layers import Linear, Sequential
from backlight.nn.module import Module
from backlight.nn.normalisation import LayerNorm


def in_columns(layer: Module, x_CB: Array) -> Array:
    """Return what a layer in evaluation mode makes of each column, (C', B).

    Args:
        layer: a linear layer, a layer norm, a GELU, a dropout, or some of these in sequence.
        x_CB: one position of each text.

    Raises:
        ConfigError: another kind of layer.
    """
    match layer:
        case Linear():
            return _linear(layer, x_CB)
        case LayerNorm():
            return _layer_norm(layer, x_CB)
        case GELU():
            y_CB: Array = ops.GELU.forward(x_CB)[0]
            return y_CB
        case Dropout():
            return x_CB
        case Sequential():
            for one in layer.layers:
                x_CB = in_columns(one, x_CB)
            return x_CB
    raise ConfigError(f"columns can go through Linear, LayerNorm, GELU and Dropout; got {type(layer).__name__}.")


def _linear(layer: Linear, x_IB: Array) -> Array:
    """Return Wᵀ x + b, (O, B)."""
    y_OB: Array = layer.weight.array.T @ x_IB
    if layer.bias is not None:
        y_OB += layer.bias.array[:, None]
    return y_OB


def _layer_norm(layer: LayerNorm, x_CB: Array) -> Array:
    """Return gain x̂ + bias, where x̂ is x less the mean of its column, over the column's standard deviation."""
    C = layer.channels
    y_CB: Array = x_CB - np.add.reduce(x_CB, axis=0) / C
    variance_B = np.einsum("cb,cb->b", y_CB, y_CB) / C
    y_CB *= 1 / np.sqrt(variance_B + layer.eps)
    y_CB *= layer.weight.array[:, None]
    y_CB += layer.bias.array[:, None]
    return y_CB
