"""Where a number first was not finite."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from backlight.watch.parameters import ParameterNumbers
from backlight.watch.records import NonFinite
from backlight.watch.step import LayerNumbers, Measured
from backlight.watch.torch.capture import Call, Capture
from backlight.watch.torch.guard import Guard
from backlight.watch.torch.layers import Layers
from backlight.watch.torch.outputs import inputs_of, measurable, tensors_in
from backlight.watch.torch.parameters import Parameters


def finite(tensors: Any) -> bool:
    """Return whether all floating-point tensors in something are."""
    return all(bool(torch.isfinite(one).all()) for one in tensors_in(tensors) if measurable(one))


def quickly_finite(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is; usually by one sum, which is not finite if a number is not."""
    total = float(tensor.detach().sum())
    return math.isfinite(total) or bool(torch.isfinite(tensor).all())


def strange(measured: Measured | None) -> bool:
    """Return whether something that was measured is not finite."""
    return measured is not None and bool(measured[0].rows["nonfinite"][measured[1]])


def first_nonfinite(
    step: int, loss: float, *, inputs: Sequence[str], parameters: ParameterNumbers, calls: Sequence[Call],
    layers: LayerNumbers,
) -> NonFinite | None:  # fmt: skip
    """Return where in a recorded step a number first was not finite, in the order in which things are computed."""
    if parameters.all_finite and math.isfinite(loss) and layers.all_finite:
        return None
    for name, place in zip(inputs, layers.inputs, strict=True):
        if strange(place):
            return NonFinite(where=name, direction="input", step=step)
    for name in parameters.nonfinite(0):
        return NonFinite(where=name, direction="parameter", step=step)
    for at, call in enumerate(calls):
        if strange(layers.at(at)):
            return NonFinite(where=_name(call), direction="forward", step=step, inputs_finite=finite(call.args))
    if not math.isfinite(loss) and calls:
        return NonFinite(where="loss", direction="loss", step=step)
    return _backward(step, calls, layers) or _of_parameters(step, parameters)


def located(
    model: torch.nn.Module, layers: Layers, parameters: Parameters, args: Any, kwargs: Any, step: int
) -> NonFinite:
    """Run a model once more on a batch whose gradients are not finite, and return where that began.

    The model and its random numbers are left as they were.
    """
    for name, tensor in inputs_of(args, kwargs):
        if not finite(tensor):
            return NonFinite(where=name, direction="input", step=step)
    for name, parameter in zip(parameters.names, parameters.tensors, strict=True):
        if not finite(parameter):
            return NonFinite(where=name, direction="parameter", step=step)
    capture = Capture(layers)
    capture.structure_known = capture.without_gradients = True
    with Guard(model), torch.no_grad():
        capture.attach()
        try:
            capture.begin_pass()
            model(*args, **kwargs)
        finally:
            capture.detach()
    for call in capture.calls:
        if call.kept is not None and not finite(call.kept):
            return NonFinite(where=_name(call), direction="forward", step=step, inputs_finite=finite(call.args))
    # the gradient nearest to the loss: what is not finite travels on from there to the input
    graded = zip(parameters.names, parameters.tensors, strict=True)
    strange = [name for name, one in graded if one.grad is not None and not finite(one.grad)]
    return NonFinite(where=strange[-1] if strange else "loss", direction="backward", step=step)


def _backward(step: int, calls: Sequence[Call], layers: LayerNumbers) -> NonFinite | None:
    """Return the layer that received a finite gradient and handed on one that was not."""
    for place in reversed(range(len(calls))):
        if strange(layers.at(place, gradient=True)):
            name = _name(calls[place])
            readers = [
                _name(later) for later in calls[place + 1 :] if later.layer is not None and name in later.layer.reads
            ]
            return NonFinite(
                where=readers[0] if readers else name, direction="backward", step=step,
                inputs_finite=True if readers else None,
            )  # fmt: skip
    return None


def _of_parameters(step: int, parameters: ParameterNumbers) -> NonFinite | None:
    graded, moved = parameters.nonfinite(1), parameters.nonfinite(2)
    if graded:
        return NonFinite(where=graded[-1], direction="backward", step=step)
    return NonFinite(where=moved[0], direction="update", step=step) if moved else None


def _name(call: Call) -> str:
    return "" if call.layer is None else call.layer.name
