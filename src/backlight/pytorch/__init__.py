"""Every layer and model again in PyTorch: what ours are tested against, and the way to GPUs and other formats.

The reference is made of PyTorch's own modules and ops, never of a transliteration of ours. It starts with the same
weights, has the same dtype and mode, and knows which of its parameters is which of ours:

    reference = to_torch(model)                     # a torch.nn.Module
    loss_of(reference, batch).backward()
    gradients_of(reference)                         # {"output.weight": array, ...}: our names, our layout
    model.load_state_dict(weights_of(reference))    # and back again, after training there

This is the only folder that imports torch.

Raises:
    TorchMissingError: PyTorch is not installed; an ImportError and a BacklightError at once.
"""

from backlight.pytorch import _torch  # first: without PyTorch it says so in one line
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
