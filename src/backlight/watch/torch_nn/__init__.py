"""Watching any `torch.nn.Module`: by hooks, which are gone afterwards. PyTorch is imported here only."""

from typing import Any

import torch

from backlight.core import ConfigError
from backlight.watch.torch_nn.adapter import TorchAdapter

__all__ = ["TorchAdapter", "adapter_for"]


def adapter_for(model: Any, *, scaler: Any = None) -> TorchAdapter:
    """Return the adapter of a PyTorch network.

    Raises:
        ConfigError: it is no module, or is one that hides its layers or has no parameters yet.
    """
    if not isinstance(model, torch.nn.Module):
        raise ConfigError(f"only a torch.nn.Module can be watched or examined; got a {type(model).__name__}.")
    if isinstance(model, torch._dynamo.OptimizedModule):
        raise ConfigError(
            "a compiled module hides its layers; got what torch.compile() returned. Watch the module that you "
            "compiled, and train that without compiling it for a few hundred steps."
        )
    if model._compiled_call_impl is not None:
        raise ConfigError(
            "a compiled module hides its layers; got one on which .compile() was called. Watch a fresh copy of it, "
            "or set model._compiled_call_impl = None, and train that for a few hundred steps."
        )
    if isinstance(model, torch.jit.ScriptModule):
        raise ConfigError(
            "a scripted module hides its layers; got a torch.jit.ScriptModule. Watch the module that you scripted."
        )
    if any(torch.nn.parameter.is_lazy(one) for one in model.parameters()):
        raise ConfigError(
            "a lazy module has no parameters until it is called; got one. Call the model on a batch first."
        )
    return TorchAdapter(model, scaler=scaler)
