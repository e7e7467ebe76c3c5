"""The optimisers of `backlight.optim` under PyTorch's signatures: one flat update for all parameters of a group.

PyTorch skips parameters without a gradient and counts the steps of each parameter by itself. Here, the parameters of a
group that have been updated equally often share flat arrays, a run, and each run has an optimiser of Backlight. Usually
there is a single run. Runs are formed again when other parameters have gradients than at the step before.
"""

from itertools import groupby
from typing import Any

import numpy as np

from backlight.autograd import Tensor
from backlight.autograd.flat import FlatParameters
from backlight.autograd.writes import WRITES
from backlight.optim import Optimiser
from backlight.torchlike.optim.optimizer import Closure, Optimizer


class Run:
    """Parameters that have been updated equally often, and the optimiser that updates them.

    Args:
        optimiser: of Backlight, over the flat parameters.
    """

    def __init__(self, optimiser: Optimiser) -> None:
        self.optimiser = optimiser
        self.flat = optimiser.flat
        self.steps = Tensor._holding(np.asarray(optimiser.steps, np.float32))
        """The number of updates as PyTorch keeps it, the same tensor for all parameters."""

    def owns_its_parameters(self) -> bool:
        """Return whether the flat arrays still hold values and gradients of the parameters."""
        flat = self.flat
        return all(
            one._grad_home is not None and one._grad_home.base is flat.grad and one.array.base is flat.data
            for one in flat.tensors
        )


class FlatOptimizer(Optimizer):
    """An optimiser whose update is that of one of `backlight.optim`.

    A subclass defines:
        names: the names in PyTorch of the optimiser's buffers, in their order.
        _made(flat, group): a new optimiser of Backlight for flat parameters.
        _configured(optimiser, group, gradient): set its settings to those of the group; return the gradient to use.
    """

    names: tuple[str, ...]

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self._runs: list[list[Run]] = []
        super().__init__(params, defaults)

    def add_param_group(self, param_group: Any) -> None:
        """Add a group: a dict of tensors under "params" and of settings. Raises: see `Optimizer`."""
        super().add_param_group(param_group)
        self._runs.append([])

    def load_state_dict(self, state_dict: Any) -> None:
        """Restore the result of `state_dict()`. Raises: see `Optimizer`."""
        super().load_state_dict(state_dict)
        self._runs = [[] for _ in self.param_groups]

    def step(self, closure: Closure = None) -> Any:
        """Update all parameters that have a gradient. Args: see `Optimizer.step`."""
        loss = None if closure is None else closure()
        for number, group in enumerate(self.param_groups):
            ready = [one for one in group["params"] if one._grad is not None]
            runs = self._runs[number]
            known = [id(one) for run in runs for one in run.flat.tensors]
            if known != list(map(id, ready)) or not all(run.owns_its_parameters() for run in runs):
                runs = self._runs[number] = self._formed(ready, group)
            for run in runs:
                self._update(run, group)
        return loss

    def _formed(self, ready: list[Tensor], group: dict[str, Any]) -> list[Run]:
        def alike(one: Tensor) -> tuple[Any, int]:
            return one.array.dtype, int(self.state[one]["step"]) if "step" in self.state.get(one, ()) else 0

        runs = []
        for (_, steps), tensors in groupby(ready, alike):
            optimiser = self._made(FlatParameters.of(list(tensors)), group)
            optimiser.steps = steps
            run = Run(optimiser)
            start = 0
            for one in run.flat.tensors:
                here = slice(start, start := start + one.array.size)
                held = self.state[one]
                for name, ours in zip(self.names, run.optimiser.buffers, strict=False):
                    part = getattr(run.optimiser, ours)[here].reshape(one.array.shape)
                    if name in held:
                        part[...] = held[name].array
                    held[name] = Tensor._holding(part)  # shares the run's array
                held["step"] = run.steps
            runs.append(run)
        return runs

    def _update(self, run: Run, group: dict[str, Any]) -> None:
        optimiser, flat = run.optimiser, run.flat
        gradient = self._configured(optimiser, group, flat.grad)
        optimiser.steps += 1
        optimiser._update(flat.data, gradient)
        WRITES.record(flat.data)
        run.steps.array[...] = optimiser.steps

    def _made(self, flat: FlatParameters, group: dict[str, Any]) -> Optimiser:
        raise NotImplementedError

    def _configured(self, optimiser: Any, group: dict[str, Any], gradient: Any) -> Any:
        raise NotImplementedError
