"""From what was captured in a step to numbers: all that is still to be measured is measured in one go."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from backlight.core import FloatArray
from backlight.core.measurements import LossFacts
from backlight.measuring import Block, LiveUnits
from backlight.measuring.logits import Logits, binary_record, logits_record
from backlight.twins.watching.capture import Call, Measured, want_output
from backlight.twins.watching.layers import Layer
from backlight.twins.watching.sealed import (
    InputNumbers,
    LayerNumbers,
    OutputNumbers,
    batch_statistics,
    softmax_saturated,
    unit_map,
)
from backlight.twins.watching.statistics import measure

LATER = 1 << 16
"""Logits and inputs of up to so many numbers are kept as they are until somebody wants to see the record."""

MOST_LOGITS = 1 << 20
"""Of more, evenly spaced rows are looked at."""

_TEMPLATES = 16


class Sealing:
    """Measures the steps of one model.

    Args:
        units: remembers which were alive.
    """

    def __init__(self, units: LiveUnits) -> None:
        self._units = units
        self._templates: dict[Any, Block] = {}

    def measure(
        self, calls: Sequence[Call], inputs: Sequence[torch.Tensor], output: torch.Tensor | None
    ) -> tuple[list[Measured | None], list[Measured | None], list[Measured], Measured | None]:
        """Measure what the calls kept and got, the inputs, and the model's output.

        Returns:
            Where the measurements stand: of each call's output and gradient, of each input, of the model's output.
        """
        kept = [call for call in calls if call.kept is not None]
        graded = [call for call in calls if call.gradient is not None]
        own = next((at for at, call in enumerate(kept) if call.tensor is output), None)
        more = [*inputs, *([output] if output is not None and own is None else [])]
        tensors = [
            *(call.kept.detach() for call in kept if call.kept is not None),
            *(call.gradient for call in graded if call.gradient is not None),
            *(tensor.detach() for tensor in more),
        ]
        block = self._block(kept, graded, more)
        if tensors:
            measure(block, tensors)
        at_kept = {id(call): (block, at) for at, call in enumerate(kept)}
        at_graded = {id(call): (block, len(kept) + at) for at, call in enumerate(graded)}
        first = len(kept) + len(graded)
        at_output = None if output is None else (block, len(tensors) - 1 if own is None else own)
        return (
            [call.output_at or at_kept.get(id(call)) for call in calls],
            [call.gradient_at or at_graded.get(id(call)) for call in calls],
            [(block, first + at) for at in range(len(inputs))],
            at_output,
        )

    def _block(self, kept: Sequence[Call], graded: Sequence[Call], more: Sequence[torch.Tensor]) -> Block:
        """Return what is wanted, from a template: the same calls come step after step."""
        key = (
            tuple((id(call.layer), call.kept.shape, call.axis) for call in kept if call.kept is not None),
            tuple(call.gradient.numel() for call in graded if call.gradient is not None),
            tuple(tensor.numel() for tensor in more),
        )
        if key not in self._templates:
            if len(self._templates) >= _TEMPLATES:
                self._templates.clear()
            block = Block(len(kept) + len(graded) + len(more))
            for at, call in enumerate(kept):
                assert call.layer is not None and call.kept is not None  # noqa: S101, PT018  (settled, and kept)
                want_output(block, at, call.layer, call.kept, call.axis)
            sizes = [*key[1], *key[2]]
            for at, size in enumerate(sizes):
                block.want(len(kept) + at, size, histogram=True)
            self._templates[key] = block
        return self._templates[key].fresh()

    def layers(
        self, calls: Sequence[Call], outputs: Sequence[Measured | None], gradients: Sequence[Measured | None], *,
        thorough: bool, maps: bool,
    ) -> list[LayerNumbers]:  # fmt: skip
        """Return what was measured on each layer, in order of execution.

        Args:
            calls: the calls.
            outputs: where the measurements of what they gave stand.
            gradients: and of what came back.
            thorough: whether batch norms' statistics are compared.
            maps: whether maps of units are drawn.
        """
        found: dict[Layer, LayerNumbers] = {}
        for call, output, gradient in zip(calls, outputs, gradients, strict=True):
            layer = call.layer
            if layer is None or output is None:
                continue
            numbers = found.get(layer)
            if numbers is None:
                numbers = found[layer] = LayerNumbers(layer, call.training)
                if layer.kind.role == "softmax" and layer.kind.bounded:
                    numbers.softmax_saturated = softmax_saturated(call)
                elif thorough and layer.kind.role == "batch_norm":
                    numbers.batch = batch_statistics(call)
                if maps and output[0].alive[output[1]] is not None:
                    numbers.unit_map = unit_map(layer, call)
            numbers.outputs.append(output)
            if gradient is not None:
                numbers.gradients.append(gradient)
        for layer, numbers in found.items():
            alive = numbers.alive()
            if alive is not None:
                self._units.add(layer.name, alive)
                numbers.dead, numbers.dead_over = self._units.dead(layer.name)
        return list(found.values())


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
    if loss is None:
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
