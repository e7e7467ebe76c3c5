"""A copy of a network with its optimiser and its step, for experiments: whatever is done to it, the network stays."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backlight.core import Array, ConfigError, FloatArray, IntArray
from backlight.watch.adapter import Adapter, BatchView

LossKind = Literal["cross_entropy", "binary_cross_entropy", "mse"]

Step = Callable[[Any, Any, Any, Any], Any]
"""Takes the network, the optimiser, inputs and targets; makes one training step and returns its loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A tensor that learns and that the loss depends on.

    Attributes:
        name: as in `named_parameters()`, or of the attribute that holds it.
        registered: whether it is a parameter of the network.
        stepped: whether the optimiser has it; None without an optimiser.
    """

    name: str
    registered: bool
    stepped: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """What a few steps did to weights of half precision.

    Attributes:
        name: the parameter's.
        dtype: of its numbers.
        still: share of its numbers that had a gradient and never changed.
    """

    name: str
    dtype: str
    still: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """How fast the loss changes in one direction of a parameter, told in two ways.

    Attributes:
        name: the parameter's.
        along: whether the direction is that of its gradient; else it is a random one.
        gradient: the gradient times the direction, of length 1.
        measured: (L(w + e d) - L(w - e d)) / 2e, of the loss itself.
        doubt: how far the latter may be off: by rounding, and by what another e gives.
        stepped: whether the optimiser has the parameter.
    """

    name: str
    along: bool
    gradient: float
    measured: float
    doubt: float
    stepped: bool = False


class Replica(ABC):
    """An independent copy of a network.

    Args:
        model: the network; it is copied, and with it the optimiser, the loss and the step as far as they hold it.
        optimiser: what steps it; None for none.
        loss: see `backlight.health.examine`.
        step: the user's own step; None for the usual one.

    Raises:
        Exception: whatever copying raises.
    """

    adapter: Adapter
    optimiser: Any
    loss: Any
    step: Step | None

    @property
    def model(self) -> Any:
        """The copy."""
        return self.adapter.model

    # -- batches -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def copied(self, thing: Any) -> Any:
        """Return a copy of inputs or targets."""

    @abstractmethod
    def rows(self, thing: Any, rows: IntArray, count: int) -> Any:
        """Return some rows of inputs or targets: of each tensor in them whose first axis has `count` entries."""

    def view(self, inputs: Any, targets: Any) -> BatchView:
        """Return a batch."""
        return self.adapter.batch(inputs, targets, self.loss)

    def array(self, result: Any) -> FloatArray | None:
        """Return the output in what the network returned; None if it has none."""
        found = self.adapter.output_of(result)
        return None if found is None else self.adapter.array(found)

    def output(self, inputs: Any, targets: Any, *, training: bool) -> tuple[FloatArray | None, float | None]:
        """Return the output and the loss of a batch in one of the two modes, without a graph; modes are put back."""
        modes = [(module, module.training) for _, module in self.adapter.named_modules()]
        self.adapter.set_mode(training=training)
        try:
            with self.adapter.recording(on=False):
                view = self.view(self.copied(inputs), self.copied(targets))
                result = view.run(None)
                loss = view.loss(result)
        finally:
            for module, mode in modes:
                module.training = mode
        return self.array(result), None if loss is None else self.adapter.number(loss)

    def run(self, view: BatchView, x: Array | None, *, name: str | None = None) -> FloatArray:
        """Return the output for an array in place of the first input, or of the one of this name, in evaluation mode.

        Raises:
            ConfigError: the network has no output.
        """
        self.adapter.set_mode(training=False)
        with self.adapter.recording(on=False):
            result = view.run(x) if name is None or view.run_with is None else view.run_with(name, x)  # type: ignore[arg-type]
        found = self.array(result)
        if found is None:
            raise ConfigError("the network returned no tensor of floating-point numbers.")
        return found

    @abstractmethod
    def seed(self) -> None:
        """Let the copy draw the same random numbers again."""

    def is_repeated(self, inputs: Any, targets: Any) -> tuple[bool, bool]:
        """Return whether evaluation mode gives the same again: with the same random numbers, and with the next ones.

        What differs with the same ones remembers the pass before; what differs with the next ones only is random.
        """
        outs = []
        for again in (True, True, False):
            if again:
                self.seed()
            outs.append(self.output(inputs, targets, training=False)[0])
        first, second, third = outs
        if first is None or second is None or third is None:
            return True, True
        return np.allclose(first, second, 1e-4, 1e-6, equal_nan=True), np.allclose(
            second, third, 1e-4, 1e-6, equal_nan=True
        )

    # -- learning ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def use_full_rate(self) -> None:
        """Set the learning rates to those that a schedule has begun with, which may be warming up."""

    def train_step(self, inputs: Any, targets: Any) -> float:
        """Make one training step, the user's own if there is one, and return its loss."""
        inputs, targets = self.copied(inputs), self.copied(targets)
        if self.step is not None:
            loss = self.step(self.model, self.optimiser, inputs, targets)
        else:
            self.adapter.set_mode(training=True)
            self.optimiser.zero_grad()
            self.adapter.clear_gradients()
            view = self.view(inputs, targets)
            loss = view.loss(view.run(None))
            loss.backward()
            self.optimiser.step()
        return np.nan if loss is None else self.adapter.number(loss)

    @abstractmethod
    def reset(self, make: Callable[[], Any] | None) -> tuple[str, ...]:
        """Give the copy fresh weights, and its optimiser a fresh state. Returns the names of modules that kept theirs.

        Args:
            make: makes a new network; None for the layers' own initialisation.
        """

    @abstractmethod
    def use_adam(self) -> None:
        """Replace the optimiser and the step by PyTorch's default Adam (learning rate 1e-3) and the usual step."""

    @abstractmethod
    def use_reference_loss(self, kind: LossKind) -> None:
        """Replace the loss by the framework's own of this kind, on the network's output."""

    # -- weights -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def leaves(self, inputs: Any, targets: Any) -> list[Leaf] | None:
        """Return what learns and what the loss depends on, wherever it is kept; None if that cannot be told."""

    @abstractmethod
    def slopes(self, inputs: Any, targets: Any, most: int) -> list[Slope] | str:
        """Move parameters a little and return how the loss changes; or why that shows nothing.

        Args:
            inputs: of a batch.
            targets: of a batch.
            most: so many parameters are moved; of more, evenly spaced ones.
        """

    @abstractmethod
    def rounding(self, inputs: Any, targets: Any, steps: int) -> list[Rounding]:
        """Make a few steps and return what they did to each parameter of half precision."""

    @abstractmethod
    def unsaved(self, inputs: Any, targets: Any, steps: int) -> list[str]:
        """Make a few steps and return the names of tensors that they changed and that a state dict does not hold."""

    @abstractmethod
    def reloaded(self, make: Callable[[], Any] | None) -> "tuple[Any, Sequence[str]]":
        """Return a network with the copy's saved weights, and the names of what could not be loaded.

        Args:
            make: makes a new network; without it the weights go into a copy of the network whose weights were reset.
        """


def distinct_rows(x: Array | None, y: Array | None, count: int, most: int) -> IntArray:
    """Return rows of different inputs, of as many different labels as there are.

    Args:
        x: the inputs; None if they are not one array.
        y: the targets; likewise.
        count: how many rows there are.
        most: how many are wanted.
    """
    rows = np.arange(count)
    if x is not None and len(x) == count and x.dtype.kind in "biuf":
        _, first = np.unique(x.reshape(count, -1), axis=0, return_index=True)
        rows = np.sort(first)
    if y is not None and y.shape == (count,) and y.dtype.kind in "iub":
        rank = np.zeros(len(rows), np.int64)  # the how-many-th of its label a row is
        seen: dict[int, int] = {}
        for at, row in enumerate(rows):
            label = int(y[row])
            rank[at] = seen.get(label, 0)
            seen[label] = seen.get(label, 0) + 1
        rows = rows[np.argsort(rank, kind="stable")]
        return np.sort(rows[:most])
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]
