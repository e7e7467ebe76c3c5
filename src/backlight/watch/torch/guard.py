"""Leaving a model, and chance, as they were."""

import random
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch


class Guard:
    """What happens inside `with Guard(model):` to weights, buffers, modes, gradients and random states is undone.

    Attributes of the modules are set back to what they were; what lies inside them (a list that grew) is not.

    Args:
        model: the model.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._modules = [one for one in model.modules() if not isinstance(one, torch.jit.ScriptModule)]

    def __enter__(self) -> Self:
        self._attributes = [dict(vars(module)) for module in self._modules]
        self._tables = [
            {
                name: dict(table)
                for name, table in vars(module).items()
                if name in {"_parameters", "_buffers", "_modules"}
            }
            for module in self._modules
        ]
        tensors = {
            id(one): one
            for tables in self._tables
            for name in ("_parameters", "_buffers")
            for one in tables[name].values()
            if isinstance(one, torch.Tensor)
        }
        self._tensors = list(tensors.values())
        with torch.no_grad():
            self._copies = [one.detach().clone() for one in self._tensors]
        self._gradients = [one.grad for one in self._tensors]
        self._chance = (random.getstate(), np.random.get_state(), torch.get_rng_state())  # noqa: NPY002  (the user's)
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for module, attributes, tables in zip(self._modules, self._attributes, self._tables, strict=True):
            vars(module).clear()
            vars(module).update(attributes)
            for name, table in tables.items():
                own: dict[str, Any] = vars(module)[name]
                own.clear()
                own.update(table)
        with torch.no_grad():
            for one, copy, gradient in zip(self._tensors, self._copies, self._gradients, strict=True):
                if not _same(one, copy):
                    one.copy_(copy)
                one.grad = gradient
        own_state, numpy_state, torch_state = self._chance
        random.setstate(own_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        torch.set_rng_state(torch_state)
        for device, state in enumerate(self._cuda):
            torch.cuda.set_rng_state(state, device)


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether nothing was changed; what holds a nan is set back in any case."""
    return one.shape == other.shape and torch.equal(one, other)
