"""From what was captured in a step to numbers: all that is still to be measured is measured in one go."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from backlight.core import FloatArray
from backlight.watch import Block, LiveUnits
from backlight.watch.logits import Logits, binary_record, logits_record
from backlight.watch.records import LossFacts
from backlight.watch.step import LayerNumbers, Measured, Notes, OutputNumbers
from backlight.watch.torch.capture import Call, want_output
from backlight.watch.torch.layers import Layer
from backlight.watch.torch.sealed import InputNumbers, batch_statistics, softmax_saturated, unit_map
from backlight.watch.torch.statistics import measure

LATER = 1 << 13
"""Logits and inputs of up to so many numbers are kept as they are until somebody wants to see the record."""

MOST_LOGITS = 1 << 20
"""Of more, evenly spaced rows are looked at."""

_PLANS = 16


class Plan:
    """What is measured in a step with these calls; the same calls come step after step.

    Attributes:
        template: what is wanted: of the outputs, then of the gradients, then of the inputs, then of the model's output.
        kept: which of the calls have an output to measure.
        graded: which have a gradient.
        rows: of each call, the row of its output and that of its gradient.
        by_layer: the calls of each layer, in order of execution.
        sided: the layers of whose units one asks whether they are alive.
        noted: the layers of which more is to be noted than moments.
        inputs: the row of the first input.
        output: the row of the model's output.
    """

    def __init__(self, calls: Sequence[Call], inputs: Sequence[torch.Tensor], output: torch.Tensor | None) -> None:
        self.kept = [at for at, call in enumerate(calls) if call.kept is not None]
        self.graded = [at for at, call in enumerate(calls) if call.gradient is not None]
        outputs = {at: row for row, at in enumerate(self.kept)}
        gradients = {at: len(self.kept) + row for row, at in enumerate(self.graded)}
        self.rows = [(outputs.get(at), gradients.get(at)) for at in range(len(calls))]
        own = next((outputs[at] for at in self.kept if calls[at].tensor is output), None)
        self.inputs = len(self.kept) + len(self.graded)
        self.output = self.inputs + len(inputs) if own is None else own
        self.measures_output = output is not None and own is None
        self.template = Block(self.inputs + len(inputs) + self.measures_output)
        self.by_layer: dict[Layer, list[int]] = {}
        for at, call in enumerate(calls):
            assert call.layer is not None  # noqa: S101  (settled)
            if call.kept is not None:
                want_output(self.template, outputs[at], call.layer.kind, call.kept, call.axis)
            if call.gradient is not None:
                self.template.want(gradients[at], call.gradient.numel(), histogram=True)
            if call.kept is not None or call.output_at is not None:
                self.by_layer.setdefault(call.layer, []).append(at)
        for at, tensor in enumerate(inputs):
            self.template.want(self.inputs + at, tensor.numel(), histogram=True)
        if self.measures_output and output is not None:
            self.template.want(self.output, output.numel(), histogram=True)
        self.sided = [layer for layer in self.by_layer if layer.kind.one_sided or layer.kind.bounded]
        self.noted = [layer for layer in self.by_layer if layer.kind.role in {"softmax", "batch_norm"}]

    @staticmethod
    def key(calls: Sequence[Call], inputs: Sequence[torch.Tensor], output: torch.Tensor | None) -> Any:
        """Return what tells this plan from others."""
        of_calls = tuple(
            (
                call.layer, call.axis, call.gradient is None, call.training,
                None if call.kept is None else call.kept.shape,
                call.tensor is output,
            )
            for call in calls
        )  # fmt: skip
        return of_calls, tuple(tensor.shape for tensor in inputs), None if output is None else output.shape


class Sealing:
    """Measures the steps of one model."""

    def __init__(self) -> None:
        self._units = LiveUnits()
        self._plans: dict[Any, Plan] = {}

    def measure(
        self, calls: Sequence[Call], inputs: Sequence[torch.Tensor], output: torch.Tensor | None, *, thorough: bool,
        maps: bool,
    ) -> LayerNumbers:  # fmt: skip
        """Measure what the calls kept and got, the inputs, and the model's output.

        Args:
            calls: the calls.
            inputs: of floating point.
            output: of the model.
            thorough: whether batch norms' statistics are compared.
            maps: whether maps of units are drawn.
        """
        plan = self._plan(calls, inputs, output)
        block = plan.template.fresh()
        tensors: list[Any] = [calls[at].kept for at in plan.kept]
        tensors += [calls[at].gradient for at in plan.graded]
        tensors += inputs
        if plan.measures_output:
            tensors.append(output)
        if tensors:
            measure(block, tensors)
        big = {
            at: (call.output_at, call.gradient_at)
            for at, call in enumerate(calls)
            if call.output_at is not None or call.gradient_at is not None
        }
        numbers = LayerNumbers(plan.by_layer, plan.rows, [call.training for call in calls], block, big)
        for layer in plan.sided:
            alive = numbers.alive(layer)
            if alive is not None:
                self._units.add(layer.name, alive)
                numbers.notes[layer] = notes = Notes(*self._units.dead(layer.name))
                if maps:
                    notes.unit_map = unit_map(layer, calls[plan.by_layer[layer][0]])
        for layer in plan.noted:
            call = calls[plan.by_layer[layer][0]]
            if layer.kind.role == "softmax" and layer.kind.bounded:
                numbers.notes[layer] = Notes(softmax_saturated=softmax_saturated(call))
            elif layer.kind.role == "batch_norm" and thorough:
                numbers.notes[layer] = Notes(batch=batch_statistics(call))
        numbers.inputs = [(block, plan.inputs + at) for at in range(len(inputs))]
        numbers.output = None if output is None else (block, plan.output)
        return numbers

    def _plan(self, calls: Sequence[Call], inputs: Sequence[torch.Tensor], output: torch.Tensor | None) -> Plan:
        key = Plan.key(calls, inputs, output)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[key] = Plan(calls, inputs, output)
        return plan


def input_numbers(name: str, tensor: torch.Tensor, values: Measured | None) -> InputNumbers:
    """Return what an input's record needs: all of a small one, a few features of a large one."""
    x = tensor.detach()
    if x.numel() > LATER and x.ndim > 1:
        step = -(-x.numel() // LATER)
        x = x.flatten(1)[:, ::step] if x.is_floating_point() else x.flatten()[::step]
    return InputNumbers(name, tuple(tensor.shape), x.clone(), values)


def output_numbers(
    output: torch.Tensor, gradient: torch.Tensor | None, values: Measured, loss: LossFacts | None, axis: int
) -> OutputNumbers:
    """Return what the model's output and its gradient say.

    Args:
        output: the output.
        gradient: of the loss by it, unscaled.
        values: where its measurements stand.
        loss: how the loss was made of it; None if that is not known.
        axis: which axis has the classes.
    """
    numbers = OutputNumbers(values, "" if loss is None else loss.kind)
    if loss is None or loss.kind == "other":
        return numbers
    if loss.kind == "mse" and gradient is not None:
        numbers.target_mean, numbers.target_std = _targets(output, gradient, loss)
    if loss.kind not in {"cross_entropy", "binary_cross_entropy"}:
        return numbers
    binary = loss.kind == "binary_cross_entropy"
    numbers.probabilities = binary and not any("with_logits" in name for name in loss.chain)
    numbers.logits = Logits(
        logits=_rows(output, axis, binary=binary),
        gradient=None if gradient is None else _rows(gradient, axis, binary=binary),
        rising="neg" in loss.chain,
    )
    if numbers.logits.logits.size > LATER:
        spread = values[0].spread(values[1])
        numbers.done = (
            binary_record(numbers.logits, spread, probabilities=numbers.probabilities)
            if binary
            else logits_record(numbers.logits, spread)
        )
        numbers.logits = None
    return numbers


def _rows(x: torch.Tensor, axis: int, *, binary: bool) -> FloatArray:
    """Return a copy as (N, V); evenly spaced rows of it if it is large."""
    x = x.detach()
    if x.ndim == 2 and not binary and x.dtype == torch.float32 and x.is_cpu and x.numel() <= LATER:
        return np.array((x if axis == 1 else x.T).numpy())
    flat = x.reshape(-1, 1) if binary else x.movedim(axis, -1).flatten(0, -2)
    step = max(1, -(-flat.numel() // MOST_LOGITS))
    return np.array(flat[::step].float().cpu().numpy())


def _targets(output: torch.Tensor, gradient: torch.Tensor, loss: LossFacts) -> tuple[float, float]:
    """Return mean and spread of a mean squared error's targets: its gradient is 2 (output - target) / N."""
    share = output.numel() if loss.reduction == "mean" else 1
    target = output.detach().double() - gradient.double() * share / 2
    return float(target.mean()), float(target.std(correction=0))
