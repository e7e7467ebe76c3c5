"""What PyTorch finds for the gradient of an op, a layer or a model of ours: arrays in, arrays out, in our layout."""

import numpy as np
import torch

from backlight.core import Array, Batch
from backlight.nn import Module
from backlight.twins.building import twin_of
from backlight.twins.links import gradients_of
from backlight.twins.losses import loss_of
from backlight.twins.ops import OP_TWINS


def op_gradients(op: str, arrays: list[Array], dy: Array, **settings: object) -> list[Array]:
    """Return PyTorch's gradient by each input of an op.

    Args:
        op: its name in `OPS`.
        arrays: the inputs.
        dy: the gradient from above, in the output's shape.
        settings: what our forward takes beside the inputs.
    """
    inputs = [torch.tensor(array, requires_grad=True) for array in arrays]
    y = OP_TWINS[op](*inputs, **settings)
    torch.autograd.backward(y, torch.tensor(dy).reshape(y.shape))
    return [np.zeros(i.shape) if i.grad is None else i.grad.numpy() for i in inputs]


def layer_gradients(ours: Module, x: Array, dy: Array) -> dict[str, Array]:
    """Return PyTorch's gradient by each parameter of a layer and, under the name "x", by an input that is not ids."""
    twin = twin_of(ours)
    numbers = torch.tensor(x, requires_grad=x.dtype.kind == "f")
    torch.autograd.backward(twin(numbers), torch.tensor(dy))
    found = gradients_of(twin)
    return found if numbers.grad is None else {"x": numbers.grad.numpy(), **found}


def model_gradients(ours: Module, batch: Batch, dlogits: Array, dloss: float) -> dict[str, Array]:
    """Return PyTorch's gradient of Σ dlogits logits + dloss loss by each parameter of a model."""
    twin = twin_of(ours)
    ends = twin(torch.as_tensor(batch.x)), loss_of(twin, batch)
    torch.autograd.backward(ends, (torch.tensor(dlogits), torch.tensor(dloss, dtype=torch.float64)))
    return gradients_of(twin)
