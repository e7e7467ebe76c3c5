"""From what was captured in a step to its record.

All arrays are measured when the step ends. Their numbers are taken out of the arrays only when the record is asked for,
since that takes longer than to measure them: see docs/log.md.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from backlight.core import Array, BoolArray
from backlight.watch.adapter import Adapter
from backlight.watch.calls import Call, Notes, Place, Wanted, WatchedLayer, numel
from backlight.watch.logits import Logits, binary_record, binary_targets, known_targets, logits_record
from backlight.watch.notes import MOST_NUMBERS, notes_of
from backlight.watch.numbers import Block, Layout, measure, pooled, want_output
from backlight.watch.parameters import ParametersMeasured
from backlight.watch.records import (
    InputRecord,
    LayerRecord,
    LogitsRecord,
    LossFacts,
    StepRecord,
)
from backlight.watch.sequences import most_common
from backlight.watch.units import DeadUnits

LATER: Final = 1 << 13
"""Logits and inputs of up to this many numbers are kept as they are until the record is asked for."""

MOST_COMPARED: Final = 1 << 18
"""Features of an input are compared on at most this many numbers."""

_TELLING_FEATURES: Final = 8
"""Rows of fewer numbers may be equal by chance."""

_LAYOUTS = 16

_SAME: Final = 0.02
"""How far, of its largest number, a gradient may be from that of a cross-entropy: half precision rounds to 0.01."""


class StepLayout:
    """Where the measurements of a step with these calls stand; the same calls come step after step.

    Args:
        calls: the calls.
        inputs: the floating-point inputs.
        output: of the network; None if it has none that can be measured.
        own: which of the calls gave that output; None if none did.

    Attributes:
        layout: of the block: the outputs, then the gradients, then the inputs, then the network's output.
        measured: which of the calls have an output to measure.
        graded: which have a gradient.
        rows: of each call, the row of its output and that of its gradient.
        by_layer: the calls of each layer, in order of execution.
        sided: the layers whose units can be dead.
        units: their names and numbers of units, if the block's `alive` is of these in this order; None if some were
            called repeatedly, or are measured elsewhere.
        large: the calls that were measured at once, elsewhere.
        noted: the layers on which there may be notes, and their first calls.
        softmaxes: those on which there are notes in every record, likewise.
        inputs: the row of the first input.
        output: the row of the network's output.
        measures_output: whether that row is its own, since the output is no layer's.
    """

    def __init__(self, calls: Sequence[Call], inputs: Sequence[Any], output: Any, own: int | None) -> None:
        self.measured = [at for at, call in enumerate(calls) if call.values is not None]
        self.graded = [at for at, call in enumerate(calls) if call.gradient is not None]
        outputs = {at: row for row, at in enumerate(self.measured)}
        gradients = {at: len(self.measured) + row for row, at in enumerate(self.graded)}
        self.rows = [(outputs.get(at), gradients.get(at)) for at in range(len(calls))]
        row = None if own is None else outputs.get(own)
        self.inputs = len(self.measured) + len(self.graded)
        self.output = self.inputs + len(inputs) if row is None else row
        self.measures_output = output is not None and row is None
        self.layout = layout = Layout(self.inputs + len(inputs) + self.measures_output)
        self.by_layer: dict[WatchedLayer, list[int]] = {}
        for at, call in enumerate(calls):
            if call.values is not None:
                want_output(layout, outputs[at], call.kind, call.shape, call.axis)
            if call.gradient is not None:
                layout.want(gradients[at], numel(call.gradient), histogram=True)
            if call.layer is not None and (call.values is not None or call.output_at is not None):
                self.by_layer.setdefault(call.layer, []).append(at)
        for at, tensor in enumerate(inputs):
            layout.want(self.inputs + at, numel(tensor), histogram=True)
        if self.measures_output:
            layout.want(self.output, numel(output), histogram=True)
        first = [(layer, places[0]) for layer, places in self.by_layer.items()]
        self.large = [at for at, call in enumerate(calls) if call.values is None]
        self.sided = [layer for layer, _ in first if layer.kind.one_sided or layer.kind.bounded]
        self.units = self._units(calls, outputs)
        self.softmaxes = [(layer, at) for layer, at in first if layer.kind.role == "softmax"]
        self.noted = [(layer, at) for layer, at in first if layer in self.sided or layer.kind.role in _NOTED]

    def _units(self, calls: Sequence[Call], rows: Mapping[int, int]) -> tuple[tuple[str, int], ...] | None:
        if self.large or any(len(self.by_layer[layer]) > 1 for layer in self.sided):
            return None
        ends = self.layout.alive
        return tuple(
            (calls[at].name, ends[rows[at]][1] - ends[rows[at]][0]) for at in self.measured if rows[at] in ends
        )


_NOTED = {"softmax", "batch_norm"}
_NO_NOTES = Notes()


class LayersMeasured:
    """What was measured on the layers in one step, as yet in the arrays.

    Attributes:
        notes: what is known besides.
        dead: returns by a layer's name the share of its units that are dead, and over how many batches.
    """

    def __init__(self, plan: StepLayout, block: Block, calls: Sequence[Call]) -> None:
        self._plan = plan
        self._block = block
        self._training = [call.training for call in calls]
        self._large = {at: (calls[at].output_at, calls[at].gradient_at) for at in plan.large}
        self.notes: dict[WatchedLayer, Notes] = {}
        self.dead: Callable[[], Mapping[str, tuple[float, int]]] = dict

    def at(self, call: int, *, gradient: bool = False) -> Place | None:
        """Return where the measurements of a call's output, or of its gradient, stand; None if there are none."""
        large = self._large.get(call, (None, None))[gradient]
        row = self._plan.rows[call][gradient]
        return large if large is not None or row is None else (self._block, row)

    def input_at(self, place: int) -> Place:
        """Return where the measurements of an input stand."""
        return self._block, self._plan.inputs + place

    @property
    def output_at(self) -> Place:
        """Where the measurements of the network's output stand."""
        return self._block, self._plan.output

    @property
    def all_finite(self) -> bool:
        """Whether everything measured is."""
        places = (place for pair in self._large.values() for place in pair if place is not None)
        return not self._block.broken and not any(block.broken for block, _ in places)

    def alive(self, layer: WatchedLayer) -> BoolArray | None:
        """Return (units,) whether any call found each unit alive; None of a layer of which that is not asked."""
        places = filter(None, map(self.at, self._plan.by_layer[layer]))
        found = [one for block, at in places if (one := block.alive_at(at)) is not None]
        if len(found) < 2:
            return found[0] if found else None
        together: BoolArray = np.logical_or.reduce([one for one in found if len(one) == len(found[0])])
        return together

    def records(self, scale: float) -> tuple[LayerRecord, ...]:
        """Return it as records; gradients are divided by `scale`."""
        dead = self.dead()
        return tuple(self._record(layer, calls, scale, dead) for layer, calls in self._plan.by_layer.items())

    def _record(
        self, layer: WatchedLayer, calls: Sequence[int], scale: float, dead: Mapping[str, tuple[float, int]]
    ) -> LayerRecord:
        outputs = [one for call in calls if (one := self.at(call)) is not None]
        gradients = [one for call in calls if (one := self.at(call, gradient=True)) is not None]
        spreads = [block.spread(at) for block, at in outputs]
        rows = [block.rows[at] for block, at in outputs]
        units = int(outputs[0][0].layout.rows[outputs[0][1]]["units"]) or None
        notes = self.notes.get(layer, _NO_NOTES)
        is_finite = not any(one.nonfinite for one in spreads)
        alive = self.alive(layer) if is_finite else None  # of what is not finite, nothing is active
        share_dead, dead_over = dead.get(layer.name, (None, 0)) if is_finite else (None, 0)
        saturated = notes.softmax_saturated if is_finite else None
        if layer.kind.bounded and alive is not None:
            saturated = sum(int(row["beyond"]) for row in rows) / sum(one.count for one in spreads)
        return LayerRecord(
            name=layer.name,
            output=pooled(spreads),
            gradient=pooled([block.spread(at, 1 / scale) for block, at in gradients]) if gradients else None,
            training=self._training[calls[0]],
            units=units,
            saturated=saturated,
            dead_now=None if alive is None else 1 - np.count_nonzero(alive) / len(alive),
            dead=share_dead,
            dead_over=dead_over,
            batch=notes.batch,
            unit_map=notes.unit_map,
            across=_root_mean_square(
                [(one.count, float(row["across"])) for one, row in zip(spreads, rows, strict=True)]
            )
            if units
            else None,
        )


class StepMeasurer:
    """Measures what was captured in the steps of one network.

    Args:
        adapter: the network and its framework.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.dead_units = DeadUnits()
        self._layouts: list[tuple[Any, StepLayout]] = []

    def layers(self, calls: Sequence[Call], inputs: Sequence[Any], output: Any, wanted: Wanted) -> LayersMeasured:
        """Measure what the calls gave and got, the inputs, and the network's output.

        Args:
            calls: the calls.
            inputs: the floating-point inputs.
            output: of the network; None if it has none that can be measured.
            wanted: which notes are to be made.
        """
        plan = self._layout(calls, inputs, output)
        block = Block(plan.layout)
        values = [calls[at].values for at in plan.measured]
        values += [calls[at].gradient for at in plan.graded]
        values += [self._adapter.values(one) for one in inputs]
        if plan.measures_output:
            values.append(self._adapter.values(output))
        if values:
            self._adapter.measure(block, values)
        measured = LayersMeasured(plan, block, calls)
        if plan.units is None:
            alive = {layer.name: one for layer in plan.sided if (one := measured.alive(layer)) is not None}
            units = tuple((name, len(one)) for name, one in alive.items())
            measured.dead = self.dead_units.add(units, np.concatenate([np.zeros(0, np.bool_), *alive.values()]))
        elif plan.units:
            measured.dead = self.dead_units.add(plan.units, block.alive)
        for layer, at in plan.noted if wanted else plan.softmaxes:
            call = calls[at]
            notes = call.notes
            if notes is None and call.values is not None:
                notes = notes_of(self._adapter, call, call.values, call.args[0] if call.args else None, wanted)
            if notes is not None:
                measured.notes[layer] = notes
        return measured

    def _layout(self, calls: Sequence[Call], inputs: Sequence[Any], output: Any) -> StepLayout:
        at = len(calls) - 1
        while at >= 0 and calls[at].tensor is not output:
            at -= 1
        own = None if output is None or at < 0 else at
        # lists, since those of the step before are compared at once: their items are the same objects
        key = (
            own,
            [call.layer for call in calls],
            [call.shape for call in calls],
            [call.axis for call in calls],
            [call.gradient is None for call in calls],
            [call.values is None for call in calls],
            [one.shape for one in inputs],
            None if output is None else output.shape,
        )
        for known, plan in self._layouts:
            if known == key:
                return plan
        plan = StepLayout(calls, inputs, output, own)
        self._layouts = [(key, plan), *self._layouts[: _LAYOUTS - 1]]
        return plan


# -- inputs and output -------------------------------------------------------------------------------------------------


def input_record(name: str, x: Array, shape: tuple[int, ...] | None = None, values: Place | None = None) -> InputRecord:
    """Return a record of one input.

    Args:
        name: its place or keyword.
        x: its numbers or ids, or evenly spaced features of them, (B, ...).
        shape: of all of it; None for x's own.
        values: where its measurements stand; None lets them be made from x.
    """
    ids = x.dtype.kind != "f"
    if values is None:
        layout = Layout(1)
        layout.want(0, x.size, histogram=not ids)
        values = Block(layout), 0
        measure(values[0], [x.astype(np.float64) if ids else x])
    block, row = values
    constant, widest = (None, None) if ids or x.ndim < 2 or len(x) < 2 else _features(x)
    common_id, common_share = most_common(x)
    is_whole = shape is None or math.prod(shape) == x.size
    return InputRecord(
        name=name, shape=shape or x.shape, ids=ids, values=block.spread(row), constant_share=constant, widest=widest,
        digest=zlib.crc32(np.ascontiguousarray(x).tobytes()),
        different=None if ids or not is_whole else _different_rows(x), common_id=common_id, common_share=common_share,
    )  # fmt: skip


def _different_rows(x: Array) -> int | None:
    """Return how many rows differ, where rows of numbers would not repeat by chance."""
    rows = x.reshape(len(x), -1)
    if rows.shape[1] < _TELLING_FEATURES or bool(((rows == 0) | (rows == 1)).all()):
        return None
    return len(np.unique(rows, axis=0))


def _features(x: Array) -> tuple[float | None, float | None]:
    flat = x.reshape(len(x), -1)
    step = max(1, math.ceil(flat.size / MOST_COMPARED))
    std = flat[:, ::step].astype(np.float64).std(0)
    if not np.isfinite(std).all():
        return None, None
    vary = std > 0
    return float(1 - vary.mean()), float(std[vary].max() / std[vary].min()) if vary.any() else None


@dataclass(frozen=True, slots=True)
class GradientRows:
    """Rows of the gradient by a large output: those that `_rows` takes of the output along the same axis.

    Attributes:
        rows: (N, V).
        axis: of the output, with V numbers.
    """

    rows: Array
    axis: int

    @classmethod
    def of(cls, adapter: Adapter, gradient: Any, axis: int) -> "GradientRows":
        """Take them of a gradient with all axes."""
        return cls(adapter.rows(gradient, axis, MOST_NUMBERS).copy(), axis % len(gradient.shape))

    def __truediv__(self, scale: float) -> "GradientRows":
        return GradientRows(self.rows / np.asarray(scale, self.rows.dtype), self.axis)


def class_axis(shape: Sequence[int]) -> int:
    """Return which axis of an output probably has the classes, where no loss has told: 1 of pictures, else the last."""
    return 1 if len(shape) > 3 else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMeasured:
    """What was measured on the network's own output.

    Attributes:
        at: where its measurements stand.
        logits: returns what it says about classes; None where no loss says that it means classes.
        asked: returns the targets, (N,) classes or (N, ...) numbers; None if they are not known.
        targets: "target_mean", "target_std", "beyond" of a regression, as far as they are known.
    """

    at: Place
    logits: Callable[[], LogitsRecord] | None = None
    asked: Callable[[], Array | None] = lambda: None
    targets: Mapping[str, Any] = field(default_factory=dict)


def output_measured(
    adapter: Adapter, output: Any, gradient: Any, at: Place, *, loss: LossFacts | None, axis: int | None,
    targets: Array | None, inputs: Sequence[Any] = (),
) -> OutputMeasured:  # fmt: skip
    """Return what a network's output and its gradient say.

    Args:
        adapter: the network and its framework.
        output: the output.
        gradient: of the loss by it, unscaled, or some rows of that; None if none came.
        at: where the output's measurements stand.
        loss: how the loss was made of it; None if that is not known.
        axis: which axis has the classes; None if none has.
        targets: of the loss, if they are known; else they are found from the gradient.
        inputs: what the network was given.
    """
    if loss is None:
        return OutputMeasured(at=at)
    binary = loss.kind == "binary_cross_entropy" and loss.pure
    if binary or (loss.kind == "cross_entropy" and axis is not None):
        return _classes(adapter, output, gradient, at, loss, -1 if axis is None else axis, targets, inputs)
    if isinstance(gradient, GradientRows):
        gradient = None  # the kind of loss was not known when it came: in the first recorded step
    if gradient is None and targets is None:
        return OutputMeasured(at=at)
    return _regression(adapter, output, gradient, targets, loss, at)


def _classes(
    adapter: Adapter, output: Any, gradient: Any, at: Place, loss: LossFacts, axis: int, targets: Array | None,
    inputs: Sequence[Any],
) -> OutputMeasured:  # fmt: skip
    """Return what an output says about classes."""
    binary = loss.kind == "binary_cross_entropy"
    x = _rows(adapter, output, axis, binary=binary)
    if isinstance(gradient, GradientRows):
        same = gradient.axis == axis % len(output.shape)
        g = gradient.rows.reshape(x.shape) if same and gradient.rows.size == x.size else None
    else:
        g = None if gradient is None else _rows(adapter, gradient, axis, binary=binary)
    known = None if targets is None or targets.size != len(x) else targets.reshape(-1)
    ids = None if binary or not loss.pure else _ids_of(adapter, output, axis, len(x), inputs)
    logits = Logits(logits=x, gradient=g, targets=known, rising=_is_rising(loss.chain), ids=ids)

    def record() -> LogitsRecord:
        spread = at[0].spread(at[1])
        if binary:
            with_logits = any("with_logits" in name for name in loss.chain)
            return binary_record(logits, spread, probabilities=not with_logits)
        return logits_record(logits, spread)

    asked = partial(binary_targets if binary else known_targets, logits)
    if x.size <= LATER:
        return OutputMeasured(at=at, logits=record, asked=asked)
    done = record()
    return OutputMeasured(at=at, logits=lambda: done)


def pass_share(adapter: Adapter, output: Any, gradient: Any) -> float | None:
    """Return what the mean cross-entropy of one pass is multiplied by, from its gradient; None if it is none.

    The gradient of a cross-entropy by logits z is s (softmax(z) - one_hot(target)) in each row, and of no other loss;
    with s = 1/N, it is the mean over N rows.

    Args:
        adapter: the network and its framework.
        output: the logits, (..., V).
        gradient: of the loss by them, unscaled.
    """
    if len(output.shape) < 2 or output.shape[-1] < 2 or numel(output) > LATER:
        return None
    z, g = (adapter.rows(one, len(output.shape) - 1, LATER).astype(np.float64) for one in (output, gradient))
    known = (g != 0).any(-1)
    z, g = z[known], g[known]
    if not len(g) or not np.isfinite(g).all() or not np.isfinite(z).all():
        return None
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    rows, targets = np.arange(len(g)), g.argmin(-1)
    p[rows, targets] -= 1
    scale = (g * p).sum(-1) / np.maximum((p * p).sum(-1), 1e-300)
    usual = float(np.median(scale))
    apart = np.abs(g - usual * p).max()
    return usual * len(g) if usual > 0 and apart < _SAME * np.abs(g).max() else None


def _ids_of(adapter: Adapter, output: Any, axis: int, rows: int, inputs: Sequence[Any]) -> Array | None:
    """Return the ids (B, T) of which an output (B, T, V) gives logits for each."""
    shape = tuple(size for at, size in enumerate(output.shape) if at != axis % len(output.shape))
    if len(shape) != 2 or math.prod(shape) != rows:
        return None
    same = (adapter.array(one) for one in inputs if tuple(one.shape) == shape)
    return next((one for one in same if one.dtype.kind in "iu"), None)


def _is_rising(chain: Sequence[str]) -> bool | None:
    """Return whether a cross-entropy's sign is flipped; None where it was put together from smaller ops."""
    whole = any(op.startswith(("nll_loss", "cross_entropy", "binary_cross_entropy")) for op in chain)
    return chain.count("neg") % 2 == 1 if whole else None


def _rows(adapter: Adapter, x: Any, axis: int, *, binary: bool) -> Array:
    rows = adapter.rows(x, axis, MOST_NUMBERS)
    return rows.reshape(-1, 1) if binary else rows


_RANGES: Final = {
    "relu": (0.0, math.inf), "softplus": (0.0, math.inf), "exp": (0.0, math.inf), "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0),
}  # fmt: skip
"""What the results of an op can be."""

_RESIDUAL: Final = frozenset({
    "mean", "sum", "mse", "mse_loss", "pow", "sub", "abs", "smoothl1_loss", "huber_loss", "mul",
})  # fmt: skip
"""Ops of losses that are least where the output is the target."""

_SPARE: Final = 0.02
"""Targets beyond a range by less than this share of their spread are within it, up to rounding."""


def _regression(
    adapter: Adapter, output: Any, gradient: Any, targets: Array | None, loss: LossFacts, at: Place
) -> OutputMeasured:
    """Return what is known of a regression's targets.

    The gradient of a mean squared error is 2 (output - target) / N. Of other losses that are least where the output is
    the target, it shows which outputs at the end of their range are to go beyond it.
    """
    low, high = _RANGES.get(loss.chain[-1] if loss.chain else "", (-math.inf, math.inf))
    bounded = math.isfinite(low)
    if loss.kind == "mse" and loss.pure:
        if targets is None:
            share = numel(output) if loss.reduction == "mean" else 1
            targets = adapter.array(output).astype(np.float64) - adapter.array(gradient).astype(np.float64) * share / 2
        mean, std = float(targets.mean()), float(targets.std())
        spare = _SPARE * std
        outside = {"beyond": float(((targets < low - spare) | (targets > high + spare)).mean())} if bounded else {}
        found = targets if targets.size <= LATER else None
        return OutputMeasured(at=at, targets={"target_mean": mean, "target_std": std, **outside}, asked=lambda: found)
    if loss.chain and loss.chain[-1] == "relu" and set(loss.chain[:-1]) <= _RESIDUAL and gradient is not None:
        beyond = (adapter.array(output) == 0) & (adapter.array(gradient) > 0)
        return OutputMeasured(at=at, targets={"beyond": float(beyond.mean())})
    return OutputMeasured(at=at)


# -- the record --------------------------------------------------------------------------------------------------------


class RecordedStep:
    """One recorded step, whose numbers are taken out of the arrays when its record is asked for.

    Args:
        step: see `StepRecord`.
        layers: what was measured on the layers.
        parameters: on the parameters.
        inputs: for each input, what returns its record.
        output: on the network's output; None if there is none.
        facts: the entries of the record that are plain numbers already.
    """

    def __init__(
        self, step: int, *, layers: LayersMeasured, parameters: ParametersMeasured | None = None,
        inputs: Sequence[Callable[[], InputRecord]] = (), output: OutputMeasured | None = None,
        facts: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.step = step
        self._parts: Any = layers, parameters, inputs, output, facts
        self._record: StepRecord | None = None

    def record(self) -> StepRecord:
        """Return the record."""
        if self._record is None:
            self._record = self._build(*self._parts)
            self._parts = None
        return self._record

    def _build(
        self, layers: LayersMeasured, parameters: ParametersMeasured | None,
        inputs: Sequence[Callable[[], InputRecord]], output: OutputMeasured | None, facts: Mapping[str, Any],
    ) -> StepRecord:  # fmt: skip
        return StepRecord(
            step=self.step,
            layers=layers.records(facts.get("scale") or 1.0),
            parameters=() if parameters is None else parameters.records(),
            inputs=tuple(one() for one in inputs),
            logits=None if output is None or output.logits is None else output.logits(),
            output=None if output is None else output.at[0].spread(output.at[1]),
            gradient_norm=None if parameters is None else parameters.gradient_norm(),
            **({} if output is None else output.targets),
            **facts,
        )


def _root_mean_square(parts: Sequence[tuple[int, float]]) -> float:
    """Return the root mean square over (how many, their root mean square)."""
    squares = sum(count * one**2 for count, one in parts)
    return math.sqrt(squares / sum(count for count, _ in parts)) if math.isfinite(squares) else math.nan
