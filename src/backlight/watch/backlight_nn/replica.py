"""A copy of a network of this package for experiments."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlight.autograd import Tensor, cross_entropy, mse
from backlight.autograd.flat import FlatParameters
from backlight.core import Batch, ConfigError, IntArray
from backlight.models.neural import NeuralModel
from backlight.nn import Module
from backlight.optim import AdamW
from backlight.optim.optimiser import Optimiser
from backlight.watch.backlight_nn.adapter import BacklightAdapter
from backlight.watch.replica import Leaf, LossKind, Replica, Rounding, Slope, Step


class BacklightReplica(Replica):
    """A copy of a `backlight.nn.Module`; see `Replica`."""

    adapter: BacklightAdapter

    def __init__(self, model: Module, *, optimiser: Any, loss: Any, step: Step | None) -> None:
        tensors = optimiser.flat.tensors if isinstance(optimiser, Optimiser) else []
        made, tensors, self.loss, self.step = copy.deepcopy((model, tensors, loss, step))
        self.adapter = BacklightAdapter(made)
        self.adapter.clear_gradients()
        self._states = [copy.deepcopy(rng.bit_generator.state) for rng in made.generators()]
        self.optimiser = _bound(optimiser, tensors) if tensors else optimiser

    def seed(self) -> None:
        for rng, state in zip(self.model.generators(), self._states, strict=False):
            rng.bit_generator.state = copy.deepcopy(state)

    def copied(self, thing: Any) -> Any:
        return copy.deepcopy(thing)

    def rows(self, thing: Any, rows: IntArray, count: int) -> Any:
        if isinstance(thing, Tensor):
            return Tensor(thing.array[rows]) if thing.array.ndim and len(thing.array) == count else thing
        array = np.asarray(thing)
        return array[rows] if array.ndim and len(array) == count else thing

    def reset(self, make: Callable[[], Any] | None) -> tuple[str, ...]:
        make = make or _maker(self.model)
        if make is None:
            raise ConfigError("make=, a function that makes a new network, is needed for fresh weights.")
        self.model.load_state_dict(make().state_dict())
        if isinstance(self.optimiser, Optimiser):
            for name in self.optimiser.buffers:
                getattr(self.optimiser, name)[...] = 0
            self.optimiser.steps = 0
        return ()

    def use_full_rate(self) -> None:
        pass  # schedules of this package set the rate themselves

    def use_adam(self) -> None:
        self.optimiser, self.step = AdamW(self.model.parameters(), 1e-3, weight_decay=0.0), None

    def use_reference_loss(self, kind: LossKind) -> None:
        if kind == "binary_cross_entropy":
            raise ConfigError("there is no reference for a binary cross-entropy.")
        self.loss = cross_entropy if kind == "cross_entropy" else _squared

    def leaves(self, inputs: Any, targets: Any) -> list[Leaf] | None:
        del inputs, targets  # every parameter is found, also in lists: the names say it all
        stepped = {id(one) for one in self.optimiser.flat.tensors} if self.optimiser is not None else None
        return [
            Leaf(name=name, registered=True, stepped=None if stepped is None else id(one) in stepped)
            for name, one in self.adapter.named_parameters().items()
        ]

    def slopes(self, inputs: Any, targets: Any, most: int) -> list[Slope] | str:
        del inputs, targets, most
        return "gradients of this package's networks are compared with differences by `backlight.gradcheck`"

    def rounding(self, inputs: Any, targets: Any, steps: int) -> list[Rounding]:
        del inputs, targets, steps
        return []  # there are no half-precision parameters

    def unsaved(self, inputs: Any, targets: Any, steps: int) -> list[str]:
        del inputs, targets, steps
        return []  # what a layer keeps is a parameter or a buffer, and these are saved

    def reloaded(self, make: Callable[[], Any] | None) -> tuple[Any, Sequence[str]]:
        make = make or _maker(self.model)
        made = make() if make is not None else copy.deepcopy(self.model)
        made.load_state_dict(self.model.state_dict())
        return made, ()


def _bound(optimiser: Optimiser, tensors: list[Tensor]) -> Optimiser:
    """Return a copy of an optimiser that steps other tensors."""
    made = copy.copy(optimiser)
    made.flat = FlatParameters.of(tensors)
    made._scratch = np.empty_like(made.flat.data)
    made._hooks = ()
    for name in made.buffers:
        setattr(made, name, np.array(getattr(optimiser, name)))
    return made


def _maker(model: Any) -> Callable[[], Any] | None:
    """Return what makes a new model of the same settings, if it is one of this package's."""
    if not isinstance(model, NeuralModel) or not hasattr(model, "config"):
        return None
    return lambda: type(model)(model.config, rng=np.random.default_rng(1))  # type: ignore[call-arg]


def _squared(out: Tensor, y: Any) -> Tensor:
    return mse(out, np.asarray(y).reshape(out.shape))


def as_rows(data: Any, most: int) -> tuple[Any, Any]:
    """Return up to `most` examples of a batch or a pair of arrays (inputs, targets).

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(data, Batch):
        return data.x[:most], data.y[:most]
    if isinstance(data, (tuple, list)) and len(data) == 2:
        return data[0][:most], data[1][:most]
    raise ConfigError(f"data is a Batch or a pair (inputs, targets); got a {type(data).__name__}.")
