"""What `backlight.health` calls for PyTorch's networks."""

from typing import Any

import torch

from backlight.core import ConfigError
from backlight.watch.records import Measurements
from backlight.watch.torch.examine import examine as examine_network
from backlight.watch.torch.watcher import TorchWatcher


def watch(model: Any, *, optimiser: Any, every: int, scaler: Any) -> TorchWatcher:
    """Return a watcher; see `backlight.health.watch`."""
    _check(model)
    optimisers = () if optimiser is None else optimiser if isinstance(optimiser, (tuple, list)) else (optimiser,)
    wrong = [one for one in optimisers if not hasattr(one, "param_groups")]
    if wrong:
        raise ConfigError(
            f"an optimiser of PyTorch's networks has param_groups; got a {type(wrong[0]).__name__}. Leave it out, and "
            "what steps is found."
        )
    return TorchWatcher(model, optimisers=optimisers, every=every, scaler=scaler)


def examine(model: Any, inputs: Any, targets: Any, *, loss: Any, causal: bool | None) -> Measurements:
    """Return what was measured; see `backlight.health.examine`."""
    _check(model)
    return examine_network(model, inputs, targets, loss=loss, causal=causal)


def _check(model: Any) -> None:
    if not isinstance(model, torch.nn.Module):
        raise ConfigError(f"only a torch.nn.Module can be looked at; got a {type(model).__name__}.")
    if any(torch.nn.parameter.is_lazy(one) for one in model.parameters()):
        raise ConfigError(
            "a lazy module has no parameters until it is called; got one. Call the model on a batch first."
        )
