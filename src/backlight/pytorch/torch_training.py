"""A model that PyTorch trains: its PyTorch form, its optimiser and its averaged weights, from Backlight and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from backlight.core import Batch, FloatArray
from backlight.models.neural import NeuralModel
from backlight.optim.optimiser import Optimiser
from backlight.pytorch.building import to_torch
from backlight.pytorch.optimisers import (
    by_name,
    copy_state_from_torch,
    copy_state_to_torch,
    set_state,
    state_names,
    torch_optimisers,
)
from backlight.pytorch.sharding import load_parts, placed_as, save_parts, shard
from backlight.pytorch.stepping import LossSteps
from backlight.pytorch.weight_map import copy_weights, tensors_of, weight_map


class TorchTraining:
    """Trains the PyTorch form of a model.

    Args:
        model: the model, with the weights to begin with.
        optimiser: its optimiser, whose settings PyTorch's has.
        ema: (P,) the averaged parameters; None if there are none.
        device: the device.
        most: the largest number of examples computed at a time; None for all.
        rank: the number of this process.
        size: the number of processes.
        sharded: whether weights, averages and the optimiser's state are divided among the processes. They begin with
            those of the first one.

    Attributes:
        module: the model's PyTorch form, on the device.
        optimisers: PyTorch's optimisers.
        steps: computes loss and gradients.
    """

    def __init__(
        self, model: NeuralModel, optimiser: Optimiser, ema: FloatArray | None, *, device: torch.device,
        most: int | None = None, rank: int = 0, size: int = 1, sharded: bool = False,
    ) -> None:  # fmt: skip
        self._ours, self._our_optimiser, self._our_ema = model, optimiser, ema
        self.device, self._is_sharded = device, sharded
        module = to_torch(model).train()
        self.module = shard(module, device, trained=True) if sharded else module.to(device)
        if sharded:
            copy_weights(model, self.module)
        tensors = tensors_of(self.module)
        names = {name for name, _ in model.named_parameters()}
        self._links = [link for link in weight_map(self.module) if link.ours in names]
        self._parameters: list[Any] = [tensors[link.theirs] for link in self._links]
        self.optimisers = torch_optimisers(optimiser, self._parameters)
        self._taken = 0
        self._ema = None if ema is None else [one.detach().clone() for one in self._parameters]
        self.steps = LossSteps(self.module, device, most=most, rank=rank, size=size, sharded=sharded)

    def forward(self, batch: Batch, seed: int | None) -> float:
        """Clear the gradients, and return this process's share of the loss of a minibatch, in nats per target.

        Args:
            batch: ids and targets of the whole minibatch.
            seed: the seed of the masks of dropout; None draws none. PyTorch's global generators are left as they were.
        """
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        if seed is None:
            return self.steps.forward(batch)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            return self.steps.forward(batch)

    def update(self, lr: float, *, max_norm: float | None, ema_decay: float | None) -> None:
        """Clip the gradients, step the optimiser, and update the average.

        Args:
            lr: the learning rate.
            max_norm: the largest norm of the gradient; None clips nothing.
            ema_decay: the decay of the average; None if there is none.
        """
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, max_norm)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = lr
            optimiser.step()
        self._taken += 1
        if self._ema is not None and ema_decay is not None:
            average: Any = get_ema_multi_avg_fn
            average(ema_decay)(self._ema, self._parameters, 0)

    def pull(self) -> None:
        """Copy weights, buffers, averages and the optimiser's state into Backlight's.

        Of a model that is divided among processes, the optimiser's state stays divided, and all must call this.
        """
        tensors = tensors_of(self.module)
        own = {**dict(self._ours.named_parameters()), **dict(self._ours.named_buffers())}
        for link in weight_map(self.module):
            own[link.ours].array[...] = link.to_ours(tensors[link.theirs])
        self._our_optimiser.steps = self._taken
        for optimiser in [] if self._is_sharded else self.optimisers:
            copy_state_from_torch(optimiser, self._our_optimiser, self._links, self._parameters)
        if self._ema is not None and self._our_ema is not None:
            views = by_name(self._our_optimiser.flat, [link.ours for link in self._links], self._our_ema)
            for link, average in zip(self._links, self._ema, strict=True):
                views[link.ours][...] = link.to_ours(average)

    def push(self) -> None:
        """Copy weights, buffers, averages and the optimiser's state from Backlight's."""
        copy_weights(self._ours, self.module)
        for optimiser in self.optimisers:
            copy_state_to_torch(self._our_optimiser, optimiser, self._links, self._parameters)
        self._taken = self._our_optimiser.steps
        if self._ema is not None and self._our_ema is not None:
            views = by_name(self._our_optimiser.flat, [link.ours for link in self._links], self._our_ema)
            for link, average in zip(self._links, self._ema, strict=True):
                average.copy_(placed_as(link.to_theirs(views[link.ours]), average))

    # -- checkpoints in parts ------------------------------------------------------------------------------------------

    @property
    def layout(self) -> list[tuple[str, int, bool]]:
        """PyTorch's name of each parameter, its rows, and whether it is transposed there, in Backlight's order."""
        pairs = zip(self._links, self._parameters, strict=True)
        return [(link.theirs, parameter.shape[0], link.transposed) for link, parameter in pairs]

    @property
    def taken(self) -> int:
        """The number of steps that the optimiser has taken."""
        return self._taken

    def save_parts(self, folder: Path) -> None:
        """Write what is divided among the processes; see `save_parts` of `pytorch/sharding.py`."""
        save_parts(folder, self._named(dict(self._states())))

    def load_parts(self, folder: Path, *, taken: int) -> None:
        """Read what `save_parts` wrote, after the optimiser has taken so many steps."""
        states = {key: torch.zeros_like(one) for key, one in self._states()}
        load_parts(folder, self._named(states))
        self._taken = taken
        for optimiser in self.optimisers:
            names = state_names(self._our_optimiser, optimiser)
            own = {
                id(one): {their: states[their, number] for their in names.values()}
                for number, one in enumerate(self._parameters)
            }
            if taken:
                set_state(optimiser, own, steps=taken)
            else:
                optimiser.state.clear()

    def _states(self) -> Iterator[tuple[tuple[str, int], torch.Tensor]]:
        """Yield PyTorch's name of each tensor of the optimiser's state, the number of its parameter, and the tensor.

        Before the first step, they are zeros.
        """
        for optimiser in self.optimisers:
            for their in state_names(self._our_optimiser, optimiser).values():
                for number, parameter in enumerate(self._parameters):
                    found = optimiser.state.get(parameter, {}).get(their)
                    yield (their, number), torch.zeros_like(parameter) if found is None else found

    def _named(self, states: dict[tuple[str, int], torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return weights, averages and these states by the names of Backlight's arrays and of PyTorch's parameters."""
        ours = {
            their: own
            for optimiser in self.optimisers
            for own, their in state_names(self._our_optimiser, optimiser).items()
        }
        named = {("parameters", number): one.detach() for number, one in enumerate(self._parameters)}
        named |= {("ema", number): one for number, one in enumerate(self._ema or [])}
        named |= {(f"optimiser.{ours[their]}", number): one for (their, number), one in states.items()}
        return {f"{array}/{self._links[number].theirs}": tensor for (array, number), tensor in named.items()}
