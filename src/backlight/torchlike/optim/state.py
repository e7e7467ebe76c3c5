"""The state of an optimiser in the form that PyTorch saves: tensors by the number of their parameter."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from backlight.autograd import Tensor
from backlight.core import ConfigError, OperandError


def _numbers(optimizer: Any) -> dict[int, int]:
    """Return the number of each parameter, counted through all groups, by its id."""
    tensors = [one for group in optimizer.param_groups for one in group["params"]]
    return {id(one): number for number, one in enumerate(tensors)}


def plain(optimizer: Any) -> dict[str, Any]:
    """Return the state by number, and the settings of the groups."""
    numbers = _numbers(optimizer)
    groups = [
        {**{name: value for name, value in group.items() if name != "params"},
         "params": [numbers[id(one)] for one in group["params"]]}
        for group in optimizer.param_groups
    ]  # fmt: skip
    return {"state": {numbers[id(one)]: held for one, held in optimizer.state.items()}, "param_groups": groups}


def restored(optimizer: Any, given: Any) -> None:
    """Replace the state and the settings of an optimiser by those of `plain`. Raises: `Optimizer.load_state_dict`."""
    if not isinstance(given, Mapping) or not {"state", "param_groups"} <= given.keys():
        raise OperandError(f"load_state_dict takes the result of state_dict(); got a {type(given).__name__}.")
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    wanted = [len(group["params"]) for group in given["param_groups"]]
    if sizes != wanted:
        raise ConfigError(f"the state must have groups of {sizes} parameters; got {wanted}. Is it of another model?")
    by_number = {
        number: one
        for group, saved in zip(optimizer.param_groups, given["param_groups"], strict=True)
        for number, one in zip(saved["params"], group["params"], strict=True)
    }
    optimizer.state.clear()
    for number, held in given["state"].items():
        optimizer.state[by_number[int(number)]] = {name: _copied(value) for name, value in held.items()}
    for group, saved in zip(optimizer.param_groups, given["param_groups"], strict=True):
        group.update({name: value for name, value in saved.items() if name != "params"})


def _copied(value: Any) -> Any:
    return Tensor(np.array(value.array)) if isinstance(value, Tensor) else value
