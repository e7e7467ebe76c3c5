"""Where a number first was not finite."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from backlight.autograd import Tensor
from backlight.watch.ours.capture import Call
from backlight.watch.ours.sealing import Input
from backlight.watch.parameters import ParameterNumbers
from backlight.watch.records import NonFinite
from backlight.watch.step import LayerNumbers, Measured


def first_nonfinite(
    step: int, loss: float, *, inputs: Sequence[Input], parameters: ParameterNumbers, calls: Sequence[Call],
    layers: LayerNumbers,
) -> NonFinite | None:  # fmt: skip
    """Return where in a recorded step a number first was not finite, in the order in which things are computed."""
    if parameters.all_finite and math.isfinite(loss) and layers.all_finite:
        return None
    for one in inputs:
        if one.array.dtype.kind == "f" and not np.isfinite(one.array).all():
            return NonFinite(where=one.name, direction="input", step=step)
    for name in parameters.nonfinite(0):
        return NonFinite(where=name, direction="parameter", step=step)
    forward = forward_nonfinite(step, calls)
    if forward is not None:
        return forward
    if not math.isfinite(loss) and calls:
        return NonFinite(where="loss", direction="loss", step=step)
    return _backward(step, calls, layers) or _of_parameters(step, parameters)


def forward_nonfinite(step: int, calls: Sequence[Call]) -> NonFinite | None:
    """Return the first layer that gave what is not finite."""
    for call in calls:
        if not np.isfinite(call.tensor.array).all():
            read = all(map(_finite, call.inputs))
            return NonFinite(where=call.layer.name, direction="forward", step=step, inputs_finite=read)
    return None


def _backward(step: int, calls: Sequence[Call], layers: LayerNumbers) -> NonFinite | None:
    """Return the layer that received a finite gradient and handed on one that was not."""
    for place in reversed(range(len(calls))):
        if _strange(layers.at(place, gradient=True)):
            name = calls[place].layer.name
            readers = [later.layer.name for later in calls[place + 1 :] if name in later.layer.reads]
            where = readers[0] if readers else name
            return NonFinite(where=where, direction="backward", step=step, inputs_finite=True if readers else None)
    return None


def _of_parameters(step: int, parameters: ParameterNumbers) -> NonFinite | None:
    graded, moved = parameters.nonfinite(1), parameters.nonfinite(2)
    if graded:
        return NonFinite(where=graded[-1], direction="backward", step=step)
    return NonFinite(where=moved[0], direction="update", step=step) if moved else None


def _strange(measured: Measured | None) -> bool:
    return measured is not None and bool(measured[0].rows["nonfinite"][measured[1]])


def _finite(thing: Any) -> bool:
    array = thing.array if isinstance(thing, Tensor) else np.asarray(thing)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
