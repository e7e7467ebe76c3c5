"""Every layer and model in PyTorch: the reference for the tests, and a way to GPUs and other formats.

The reference is built from PyTorch's own modules and ops, not from a translation of Backlight's code. It has the same
weights, dtype and mode, and maps its parameters to Backlight's:

    reference = to_torch(model)                     # a torch.nn.Module
    loss_of(reference, batch).backward()
    gradients_of(reference)                         # {"output.weight": array, ...} in Backlight's names and layout
    model.load_state_dict(weights_of(reference))    # copy the weights back, after training in PyTorch

This is the only folder that imports torch.

Raises:
    TorchMissingError: PyTorch is not installed. It is both an ImportError and a BacklightError.
"""

from backlight.pytorch import _torch  # first, to raise TorchMissingError without PyTorch
from backlight.pytorch.building import TORCH_MODULES, to_torch
from backlight.pytorch.gradients import loss_of
from backlight.pytorch.layers import Entry
from backlight.pytorch.weight_map import Link, copy_weights, gradients_of, weight_map, weights_of

TorchMissingError = _torch.TorchMissingError

__all__ = [
    "TORCH_MODULES",
    "Entry",
    "Link",
    "TorchMissingError",
    "copy_weights",
    "gradients_of",
    "loss_of",
    "to_torch",
    "weight_map",
    "weights_of",
]
