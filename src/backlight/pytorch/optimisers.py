"""PyTorch's optimiser for one of Backlight's, and the conversion of its state both ways."""

from collections.abc import Mapping
from typing import Any, Final

import torch

from backlight.autograd.flat import FlatParameters
from backlight.core import ConfigError, FloatArray
from backlight.optim import SGD, AdamW
from backlight.optim.optimiser import Optimiser
from backlight.pytorch.weight_map import Link

BUFFERS: Final[Mapping[str, str]] = {"mean": "exp_avg", "square": "exp_avg_sq", "velocity": "momentum_buffer"}
"""PyTorch's names of the arrays in an optimiser's state."""


def by_name(flat: FlatParameters, names: list[str], array: FloatArray) -> dict[str, FloatArray]:
    """Return views of a flat array (P,) in the shapes of the parameters, by the names of these."""
    views, start = {}, 0
    for name, tensor in zip(names, flat.tensors, strict=True):
        end = start + tensor.array.size
        views[name] = array[start:end].reshape(tensor.array.shape)
        start = end
    return views


def torch_optimiser(ours: Optimiser, parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """Return PyTorch's optimiser with the settings of Backlight's, without its state.

    Weight decay applies to the same parameters. AdamW is fused where this version of PyTorch has that for the device.

    Args:
        ours: an `AdamW` or `SGD`.
        parameters: PyTorch's parameters, in the order of Backlight's.

    Raises:
        ConfigError: another kind of optimiser.
    """
    decays = [tensor.array.ndim >= 2 or ours._decaying is None for tensor in ours.flat.tensors]
    groups: list[dict[str, Any]] = [
        {
            "params": [one for one, own in zip(parameters, decays, strict=True) if own is decayed],
            "weight_decay": ours.weight_decay if decayed else 0.0,
        }
        for decayed in (True, False)
        if decayed in decays
    ]
    match ours:
        case AdamW():
            settings: dict[str, Any] = {"lr": ours.lr, "betas": ours.betas, "eps": ours.eps}
            try:
                return torch.optim.AdamW(groups, fused=True, **settings)
            except RuntimeError:  # not on this device in this version
                return torch.optim.AdamW(groups, **settings)
        case SGD():
            return torch.optim.SGD(groups, lr=ours.lr, momentum=ours.momentum, nesterov=ours.nesterov)
    raise ConfigError(f"the torch engine has AdamW and SGD; got {type(ours).__name__}. Choose one of them.")


def copy_state_to_torch(ours: Optimiser, theirs: torch.optim.Optimizer, links: list[Link], order: list[Any]) -> None:
    """Give PyTorch's optimiser the state of Backlight's.

    Args:
        ours: the optimiser with the state.
        theirs: the result of `torch_optimiser`.
        links: the links of the parameters, in Backlight's order.
        order: PyTorch's parameters, in that order.
    """
    if not ours.steps:
        theirs.state.clear()
        return
    names = [link.ours for link in links]
    arrays = {BUFFERS[name]: by_name(ours.flat, names, getattr(ours, name)) for name in ours.buffers}
    states = {
        id(parameter): {
            **({"step": torch.tensor(float(ours.steps))} if isinstance(ours, AdamW) else {}),
            **{theirs_name: link.to_theirs(views[link.ours]) for theirs_name, views in arrays.items()},
        }
        for link, parameter in zip(links, order, strict=True)
    }
    whole = theirs.state_dict()
    places = [one for group in theirs.param_groups for one in group["params"]]
    whole["state"] = {number: states[id(parameter)] for number, parameter in enumerate(places)}
    theirs.load_state_dict(whole)  # moves the tensors to the device, and to the place where a fused step reads them


def copy_state_from_torch(
    theirs: torch.optim.Optimizer, ours: Optimiser, links: list[Link], order: list[Any], steps: int
) -> None:
    """Give Backlight's optimiser the state of PyTorch's; see `copy_state_to_torch`.

    Args:
        theirs: the optimiser with the state.
        ours: the optimiser that receives it.
        links: the links of the parameters, in Backlight's order.
        order: PyTorch's parameters, in that order.
        steps: the number of steps taken.
    """
    ours.steps = steps
    names = [link.ours for link in links]
    for name in ours.buffers:
        views = by_name(ours.flat, names, getattr(ours, name))
        for link, parameter in zip(links, order, strict=True):
            tensor = theirs.state.get(parameter, {}).get(BUFFERS[name])
            views[link.ours][...] = 0 if tensor is None else link.to_ours(tensor)
