"""One recorded step: what was measured, as yet in the arrays that the measuring filled, and how it becomes a record."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from backlight.core import BoolArray
from backlight.watch.kinds import Kind
from backlight.watch.logits import Logits, binary_record, logits_record
from backlight.watch.numbers import Block
from backlight.watch.parameters import ParameterNumbers
from backlight.watch.pooling import pooled
from backlight.watch.records import (
    BatchStatistics,
    InputRecord,
    LayerRecord,
    LogitsRecord,
    Spread,
    StepRecord,
    UnitMap,
)
from backlight.watch.watcher import Sealed

Measured = tuple[Block, int]


class Layer(Protocol):
    """What a layer is called and what it does."""

    @property
    def name(self) -> str:
        """Its name in the model."""

    @property
    def kind(self) -> Kind:
        """What it does."""


class InputNumbers(Protocol):
    """What was measured on one input."""

    def record(self) -> InputRecord:
        """Return it as a record."""


@dataclass(slots=True)
class Notes:
    """What is known of a layer in a step besides its moments; see `LayerRecord`."""

    dead: float | None = None
    dead_over: int = 0
    softmax_saturated: float | None = None
    batch: BatchStatistics | None = None
    unit_map: UnitMap | None = None


_NO_NOTES = Notes()


class LayerNumbers:
    """What was measured on the layers in one step, as yet in the arrays.

    Args:
        by_layer: the calls of each layer, in order of execution.
        rows: of each call, the rows of its output and of its gradient in the block; None for what has none.
        training: the module's mode in each call.
        block: the measurements.
        big: where those of big tensors stand, by call.

    Attributes:
        notes: what is known besides.
        inputs: where the measurements of the model's inputs stand.
        output: and those of its output.
    """

    def __init__(
        self, by_layer: Mapping[Any, Sequence[int]], rows: Sequence[tuple[int | None, int | None]],
        training: Sequence[bool], block: Block, big: Mapping[int, tuple[Measured | None, Measured | None]],
    ) -> None:  # fmt: skip
        self._by_layer = by_layer
        self._rows = rows
        self._training = training
        self._block = block
        self._big = big
        self.notes: dict[Any, Notes] = {}
        self.inputs: list[Measured] = []
        self.output: Measured | None = None

    def at(self, call: int, *, gradient: bool = False) -> Measured | None:
        """Return where the measurements of a call's output, or of its gradient, stand; None if there are none."""
        big = self._big.get(call, (None, None))[gradient]
        row = self._rows[call][gradient]
        return big if big is not None or row is None else (self._block, row)

    @property
    def all_finite(self) -> bool:
        """Whether everything measured is."""
        blocks = [self._block, *(one[0] for pair in self._big.values() for one in pair if one is not None)]
        return not any(block.rows["nonfinite"].any() for block in blocks)

    def alive(self, layer: Layer) -> BoolArray | None:
        """Return (units,) whether any call found each unit alive; None of a layer of which nobody asks."""
        places = filter(None, map(self.at, self._by_layer[layer]))
        found = [one for block, at in places if (one := block.alive[at]) is not None]
        if len(found) < 2:
            return found[0] if found else None
        together: BoolArray = np.logical_or.reduce([one for one in found if len(one) == len(found[0])])
        return together

    def records(self, scale: float) -> tuple[LayerRecord, ...]:
        """Return them as records; gradients are divided by `scale`."""
        return tuple(self._record(layer, calls, scale) for layer, calls in self._by_layer.items())

    def _record(self, layer: Layer, calls: Sequence[int], scale: float) -> LayerRecord:
        outputs = [one for call in calls if (one := self.at(call)) is not None]
        gradients = [one for call in calls if (one := self.at(call, gradient=True)) is not None]
        rows = [block.rows[at] for block, at in outputs]
        units = int(rows[0]["units"]) or None
        alive, notes = self.alive(layer), self.notes.get(layer, _NO_NOTES)
        saturated = notes.softmax_saturated
        if layer.kind.bounded and alive is not None:
            saturated = sum(int(row["beyond"]) for row in rows) / sum(int(row["size"]) for row in rows)
        return LayerRecord(
            name=layer.name,
            output=pooled([block.spread(at) for block, at in outputs]),
            gradient=pooled([block.spread(at, 1 / scale) for block, at in gradients]) if gradients else None,
            training=self._training[calls[0]],
            units=units,
            saturated=saturated,
            dead_now=None if alive is None else 1 - np.count_nonzero(alive) / len(alive),
            dead=notes.dead,
            dead_over=notes.dead_over,
            batch=notes.batch,
            unit_map=notes.unit_map,
            across=_together(rows) if units else None,
        )


@dataclass(slots=True)
class OutputNumbers:
    """What was measured on the model's own output.

    Attributes:
        values: where the measurements stand.
        kind: of the loss; "" if that is not known.
        logits: for a cross-entropy; small ones are looked at when the record is opened.
        done: the record of large ones.
        probabilities: whether a binary cross-entropy was given probabilities.
        target_mean, target_std: of a mean squared error.
    """

    values: Measured
    kind: str = ""
    logits: Logits | None = None
    done: LogitsRecord | None = None
    probabilities: bool = False
    target_mean: float | None = None
    target_std: float | None = None

    def record(self) -> LogitsRecord | None:
        """Return what the output says about classes; None where no loss says that it means classes."""
        if self.logits is None or self.done is not None:
            return self.done
        block, at = self.values
        spread = block.spread(at)
        if self.kind == "binary_cross_entropy":
            return binary_record(self.logits, spread, probabilities=self.probabilities)
        return logits_record(self.logits, spread)

    def spread(self) -> Spread:
        """Return its distribution."""
        block, at = self.values
        return block.spread(at)


@dataclass(slots=True, kw_only=True)
class StepNumbers:
    """What was measured in one step, as yet in the arrays that the measuring filled."""

    loss: float
    layers: LayerNumbers
    parameters: ParameterNumbers
    inputs: Sequence[InputNumbers]
    output: OutputNumbers | None
    lr: tuple[float, ...] = ()
    batch_size: int | None = None
    left_over: float | None = None
    forward_passes: int = 1
    backward_passes: int = 0
    optimiser_steps: int | None = None
    scale: float | None = None


class Step(Sealed):
    """One recorded step of a network."""

    def __init__(self, step: int, numbers: StepNumbers) -> None:
        super().__init__(step)
        self._numbers: StepNumbers | None = numbers

    def _opened(self) -> StepRecord:
        numbers = self._numbers
        assert numbers is not None  # noqa: S101  (opened once)
        self._numbers = None
        output = numbers.output
        return StepRecord(
            step=self.step,
            loss=numbers.loss,
            lr=numbers.lr,
            batch_size=numbers.batch_size,
            layers=numbers.layers.records(numbers.scale or 1.0),
            parameters=numbers.parameters.records(),
            inputs=tuple(one.record() for one in numbers.inputs),
            logits=None if output is None else output.record(),
            output=None if output is None else output.spread(),
            target_mean=None if output is None else output.target_mean,
            target_std=None if output is None else output.target_std,
            gradient_norm=numbers.parameters.gradient_norm(),
            left_over_norm=numbers.left_over,
            forward_passes=numbers.forward_passes,
            backward_passes=numbers.backward_passes,
            optimiser_steps=numbers.optimiser_steps,
            scale=numbers.scale,
        )


def _together(rows: Sequence[Any]) -> float:
    sizes = [float(row["size"]) for row in rows]
    squares = sum(size * float(row["across"]) ** 2 for size, row in zip(sizes, rows, strict=True))
    return math.sqrt(squares / sum(sizes)) if math.isfinite(squares) else math.nan
