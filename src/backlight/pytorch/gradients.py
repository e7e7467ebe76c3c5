"""PyTorch's loss of a batch, and its gradients of an op, a layer or a model, as arrays in Backlight's layout."""

from typing import Any

import numpy as np
import torch

from backlight.core import NOT_A_TARGET, Array, Batch
from backlight.nn import Module
from backlight.pytorch.building import to_torch
from backlight.pytorch.ops import TORCH_OPS
from backlight.pytorch.weight_map import gradients_of


def loss_of(model: torch.nn.Module, batch: Batch) -> torch.Tensor:
    """Return the mean cross entropy of a batch, in nats per target, as a scalar tensor on the model's device.

    Args:
        model: maps int64 ids (B, T) to logits (B, V) or (B, T, V).
        batch: ids and targets; a target of -1 is excluded.

    Source: `torch.nn.functional.cross_entropy`.
    """
    device = next(model.parameters()).device

    def ids(array: Any) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.int64, device=device)

    logits = model(ids(batch.x))
    return torch.nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), ids(batch.y).reshape(-1), ignore_index=NOT_A_TARGET
    )


def op_gradients(op: str, arrays: list[Array], dy: Array, **settings: object) -> list[Array]:
    """Return PyTorch's gradient with respect to each input of an op, in its shape.

    Args:
        op: the op's name in `OPS`.
        arrays: the inputs.
        dy: the output gradient, in the output's shape.
        settings: the keyword arguments of the op's `forward`.
    """
    inputs = [torch.tensor(array, requires_grad=True) for array in arrays]
    y = TORCH_OPS[op](*inputs, **settings)
    torch.autograd.backward(y, torch.tensor(dy).reshape(y.shape))
    return [np.zeros(i.shape) if i.grad is None else i.grad.numpy() for i in inputs]


def layer_gradients(ours: Module, x: Array, dy: Array) -> dict[str, Array]:
    """Return PyTorch's gradient with respect to each parameter of a layer by name, and to the input as "x".

    Args:
        ours: the layer.
        x: the input, (...) numbers or ids; ids have no gradient.
        dy: the output gradient, in the output's shape.
    """
    layer = to_torch(ours)
    numbers = torch.tensor(x, requires_grad=x.dtype.kind == "f")
    torch.autograd.backward(layer(numbers), torch.tensor(dy))
    found = gradients_of(layer)
    return found if numbers.grad is None else {"x": numbers.grad.numpy(), **found}


def model_gradients(ours: Module, batch: Batch, dlogits: Array, dloss: float) -> dict[str, Array]:
    """Return PyTorch's gradient of Σ dlogits logits + dloss loss with respect to each parameter of a model.

    Args:
        ours: the model.
        batch: ids (B, T) and targets.
        dlogits: the output gradient of the logits, (B, V) or (B, T, V).
        dloss: the output gradient of the loss.
    """
    model = to_torch(ours)
    ends = model(torch.as_tensor(batch.x)), loss_of(model, batch)
    torch.autograd.backward(ends, (torch.tensor(dlogits), torch.tensor(dloss, dtype=torch.float64)))
    return gradients_of(model)
