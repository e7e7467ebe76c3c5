"""PyTorch's optimisers for one of Backlight's, and the conversion of its state both ways."""

from collections.abc import Mapping
from typing import Any, Final

import torch

from backlight.autograd.flat import FlatParameters
from backlight.core import ConfigError, FloatArray
from backlight.optim import SGD, AdamW, Muon
from backlight.optim.optimiser import Optimiser
from backlight.pytorch.sharding import placed_as
from backlight.pytorch.weight_map import Link

BUFFERS: Final[Mapping[str, str]] = {"mean": "exp_avg", "square": "exp_avg_sq", "velocity": "momentum_buffer"}
"""PyTorch's names of the arrays in an optimiser's state."""

MUON_BUFFERS: Final[Mapping[str, str]] = {"mean": "momentum_buffer"}


def by_name(flat: FlatParameters, names: list[str], array: FloatArray) -> dict[str, FloatArray]:
    """Return views of a flat array (P,) in the shapes of the parameters, by the names of these."""
    views, start = {}, 0
    for name, tensor in zip(names, flat.tensors, strict=True):
        end = start + tensor.array.size
        views[name] = array[start:end].reshape(tensor.array.shape)
        start = end
    return views


def torch_optimisers(ours: Optimiser, parameters: list[torch.nn.Parameter]) -> list[torch.optim.Optimizer]:
    """Return PyTorch's optimisers with the settings of Backlight's, without its state: of Muon two, of others one.

    Weight decay applies to the same parameters. AdamW is fused where this version of PyTorch has that for the device.

    Args:
        ours: an `AdamW`, `Muon` or `SGD`.
        parameters: PyTorch's parameters, in the order of Backlight's.

    Raises:
        ConfigError: another kind of optimiser, or a version of PyTorch that does not have it.
    """
    match ours:
        case Muon():
            hidden = {id(tensor) for tensor, _ in ours.matrices}
            is_hidden = [id(tensor) in hidden for tensor in ours.flat.tensors]
            rest = [one for one, hides in zip(parameters, is_hidden, strict=True) if not hides]
            matrices = [one for one, hides in zip(parameters, is_hidden, strict=True) if hides]
            made = [_muon(ours, matrices)] if matrices else []
            return made + ([_adamw(ours, _groups(ours, parameters, rest))] if rest else [])
        case AdamW():
            return [_adamw(ours, _groups(ours, parameters, parameters))]
        case SGD():
            groups = _groups(ours, parameters, parameters)
            return [torch.optim.SGD(groups, lr=ours.lr, momentum=ours.momentum, nesterov=ours.nesterov)]
    raise ConfigError(f"the torch engine has AdamW, Muon and SGD; got {type(ours).__name__}. Choose one of them.")


def _groups(
    ours: Optimiser, parameters: list[torch.nn.Parameter], some: list[torch.nn.Parameter]
) -> list[dict[str, Any]]:
    """Return some of the parameters in groups: those that decay, and those that do not."""
    chosen = {id(one) for one in some}
    decays = [tensor.array.ndim >= 2 or ours._decaying is None for tensor in ours.flat.tensors]
    groups = []
    for decayed in (True, False):
        own = [p for p, is_own in zip(parameters, decays, strict=True) if is_own is decayed and id(p) in chosen]
        if own:
            groups.append({"params": own, "weight_decay": ours.weight_decay if decayed else 0.0})
    return groups


def _adamw(ours: AdamW, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    settings: dict[str, Any] = {"lr": ours.lr, "betas": ours.betas, "eps": ours.eps}
    try:
        return torch.optim.AdamW(groups, fused=True, **settings)
    except RuntimeError:  # not on this device in this version
        return torch.optim.AdamW(groups, **settings)


def _muon(ours: Muon, matrices: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    if not hasattr(torch.optim, "Muon"):
        raise ConfigError(
            f"PyTorch has Muon from version 2.9 on; this is {torch.__version__}. Upgrade PyTorch, or choose adamw."
        )
    made: torch.optim.Optimizer = torch.optim.Muon(
        matrices, lr=ours.lr, weight_decay=ours.weight_decay, momentum=ours.momentum, adjust_lr_fn="match_rms_adamw"
    )
    return made


def state_names(ours: Optimiser, theirs: torch.optim.Optimizer) -> Mapping[str, str]:
    """Return the attributes of Backlight's optimiser that PyTorch's has, each with its name there."""
    if isinstance(ours, Muon) and not isinstance(theirs, torch.optim.AdamW):
        return MUON_BUFFERS
    return {name: BUFFERS[name] for name in ours.buffers}


def copy_state_to_torch(ours: Optimiser, theirs: torch.optim.Optimizer, links: list[Link], order: list[Any]) -> None:
    """Give one of PyTorch's optimisers the state of Backlight's.

    Args:
        ours: the optimiser with the state.
        theirs: one of the results of `torch_optimisers`.
        links: the links of the parameters, in Backlight's order.
        order: PyTorch's parameters, in that order.
    """
    if not ours.steps:
        theirs.state.clear()
        return
    names = [link.ours for link in links]
    arrays = {their: by_name(ours.flat, names, getattr(ours, own)) for own, their in state_names(ours, theirs).items()}
    states = {
        id(parameter): {name: placed_as(link.to_theirs(views[link.ours]), parameter) for name, views in arrays.items()}
        for link, parameter in zip(links, order, strict=True)
    }
    set_state(theirs, states, steps=ours.steps)


def set_state(theirs: torch.optim.Optimizer, states: Mapping[int, Mapping[str, Any]], *, steps: int) -> None:
    """Give one of PyTorch's optimisers its state.

    Args:
        theirs: the optimiser.
        states: by the `id` of each parameter, its tensors by PyTorch's names.
        steps: how many steps it has taken.
    """
    counts = isinstance(theirs, torch.optim.AdamW)
    whole = theirs.state_dict()
    places = [one for group in theirs.param_groups for one in group["params"]]
    whole["state"] = {
        number: {
            **({"step": torch.tensor(float(steps))} if counts else {}),  # one for each: it is counted in place
            **states[id(parameter)],
        }
        for number, parameter in enumerate(places)
    }
    theirs.load_state_dict(whole)  # moves the tensors to the device, and to the place where a fused step reads them


def copy_state_from_torch(theirs: torch.optim.Optimizer, ours: Optimiser, links: list[Link], order: list[Any]) -> None:
    """Give Backlight's optimiser the state of one of PyTorch's; see `copy_state_to_torch`.

    Args:
        theirs: the optimiser with the state.
        ours: the optimiser that receives it.
        links: the links of the parameters, in Backlight's order.
        order: PyTorch's parameters, in that order.
    """
    names = [link.ours for link in links]
    held = {id(one) for group in theirs.param_groups for one in group["params"]}
    for own, their in state_names(ours, theirs).items():
        views = by_name(ours.flat, names, getattr(ours, own))
        for link, parameter in zip(links, order, strict=True):
            if id(parameter) in held:
                tensor = theirs.state.get(parameter, {}).get(their)
                views[link.ours][...] = 0 if tensor is None else link.to_ours(tensor)
