"""What PyTorch finds for the gradient of an op, a layer or a model of ours: arrays in, arrays out, in our layout."""

import numpy as np
import torch

from backlight.core import Array, Batch
from backlight.nn import Module
from backlight.pytorch.building import to_torch
from backlight.pytorch.losses import loss_of
from backlight.pytorch.ops import TORCH_OPS
from backlight.pytorch.weight_map import gradients_of


def op_gradients(op: str, arrays: list[Array], dy: Array, **settings: object) -> list[Array]:
    """Return PyTorch's gradient by each input of an op.

    Args:
        op: its name in `OPS`.
        arrays: the inputs.
        dy: the gradient from above, in the output's shape.
        settings: what our forward takes beside the inputs.
    """
    inputs = [torch.tensor(array, requires_grad=True) for array in arrays]
    y = TORCH_OPS[op](*inputs, **settings)
    torch.autograd.backward(y, torch.tensor(dy).reshape(y.shape))
    return [np.zeros(i.shape) if i.grad is None else i.grad.numpy() for i in inputs]


def layer_gradients(ours: Module, x: Array, dy: Array) -> dict[str, Array]:
    """Return PyTorch's gradient by each parameter of a layer and, under the name "x", by an input that is not ids."""
    twin = to_torch(ours)
    numbers = torch.tensor(x, requires_grad=x.dtype.kind == "f")
    torch.autograd.backward(twin(numbers), torch.tensor(dy))
    found = gradients_of(twin)
    return found if numbers.grad is None else {"x": numbers.grad.numpy(), **found}


def model_gradients(ours: Module, batch: Batch, dlogits: Array, dloss: float) -> dict[str, Array]:
    """Return PyTorch's gradient of Σ dlogits logits + dloss loss by each parameter of a model."""
    twin = to_torch(ours)
    ends = twin(torch.as_tensor(batch.x)), loss_of(twin, batch)
    torch.autograd.backward(ends, (torch.tensor(dlogits), torch.tensor(dloss, dtype=torch.float64)))
    return gradients_of(twin)
