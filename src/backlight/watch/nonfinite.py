"""Where a number first was not finite."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from backlight.watch.adapter import Adapter, Guard
from backlight.watch.calls import Call, Place
from backlight.watch.capture import Capture
from backlight.watch.layers import Layers
from backlight.watch.parameters import DATA, GRADIENT, UPDATE, Parameters, ParametersMeasured
from backlight.watch.records import NonFinite
from backlight.watch.step import LayersMeasured


def first_nonfinite(
    adapter: Adapter, step: int, loss: float | None, *, inputs: Sequence[str], parameters: ParametersMeasured,
    calls: Sequence[Call], layers: LayersMeasured,
) -> NonFinite | None:  # fmt: skip
    """Return where in a recorded step a number first was not finite, in the order in which things are computed."""
    loss_is_finite = loss is None or math.isfinite(loss)
    if parameters.all_finite and loss_is_finite and layers.all_finite:
        return None
    for place, name in enumerate(inputs):
        if _is_broken(layers.input_at(place)):
            return NonFinite(where=name, direction="input", step=step)
    for name in parameters.nonfinite(DATA):
        return NonFinite(where=name, direction="parameter", step=step)
    for at, call in enumerate(calls):
        if _is_broken(layers.at(at)):
            read = are_finite(adapter, call.args)
            return NonFinite(where=call.name, direction="forward", step=step, inputs_finite=read)
    if not loss_is_finite:
        return NonFinite(where="loss", direction="loss", step=step)
    return _backward(step, calls, layers) or _of_parameters(step, parameters)


def locate(
    adapter: Adapter, layers: Layers, parameters: Parameters, run: Callable[[], Any] | None,
    inputs: Mapping[str, Any], step: int,
) -> NonFinite:  # fmt: skip
    """Return where it begins that gradients or the loss are not finite: the network is run once more on its batch.

    The network and its random numbers are left as they were.

    Args:
        adapter: the network and its framework.
        layers: its layers.
        parameters: its parameters, before the optimiser's step.
        run: runs the network; None if its last batch is not known.
        inputs: what it is given, by name.
        step: the step.
    """
    for name, tensor in inputs.items():
        if not are_finite(adapter, tensor):
            return NonFinite(where=name, direction="input", step=step)
    for name, parameter in zip(parameters.names, parameters.tensors, strict=True):
        if not _is_finite(adapter.array(parameter)):
            return NonFinite(where=name, direction="parameter", step=step)
    if run is not None:
        found = _forward(adapter, layers, run, step) or _in_backward(adapter, layers, run, step)
        if found is not None:
            return found
    # the gradient nearest to the loss: what is not finite travels on from there to the input
    gradients = zip(parameters.names, adapter.gradients(parameters.tensors), strict=True)
    broken = [name for name, one in gradients if one is not None and not _is_finite(adapter.array(one))]
    return NonFinite(where=broken[-1] if broken else "loss", direction="backward", step=step)


def _forward(adapter: Adapter, layers: Layers, run: Callable[[], Any], step: int) -> NonFinite | None:
    """Return the first layer, or operation between layers, whose output is not finite; None if all are."""
    with Guard(adapter), adapter.recording(on=False), _rerun(adapter, layers) as capture:
        operations = adapter.operations()
        if operations is not None:
            operations.where = partial(_latest, capture)
        with operations or nullcontext():
            result = run()
        capture.end_pass()
        found = None if operations is None else operations.forward()
        op, at = ("", "") if found is None else (found.name, found.at)
        for call in capture.calls:
            if _is_broken(call.output_at) or (call.values is not None and not _is_finite(adapter.array(call.values))):
                read = are_finite(adapter, call.args)
                return NonFinite(where=call.name, direction="forward", step=step, inputs_finite=read, op=op, at=at)
        if are_finite(adapter, result):
            return None
        where = "output" if found is None else f"{found.where or 'input'}>{op}"
        return NonFinite(where=where, direction="forward", step=step, inputs_finite=True, op=op, at=at)


def _in_backward(adapter: Adapter, layers: Layers, run: Callable[[], Any], step: int) -> NonFinite | None:
    """Return the operation of the network whose gradient is not finite; None if it is not in the network."""
    with Guard(adapter), adapter.recording(on=True), _rerun(adapter, layers) as capture:
        operations = adapter.operations()
        if operations is None:
            return None
        try:
            found = operations.backward(run(), capture.calls)
        except RuntimeError:  # a network that cannot be run backward a second time
            return None
    if found is None:
        return None
    return NonFinite(where=found.where, direction="backward", step=step, inputs_finite=True, op=found.name, at=found.at)


@contextmanager
def _rerun(adapter: Adapter, layers: Layers) -> Iterator[Capture]:
    """Watch the layers in one more pass."""
    capture = Capture(adapter, layers)
    capture.structure_known = capture.without_gradients = True
    with np.errstate(all="ignore"):
        capture.attach()
        try:
            capture.begin_pass()
            yield capture
        finally:
            capture.detach()
            capture.clear()


def _latest(capture: Capture) -> str:
    """Return the name of the layer that was run last."""
    return next((call.name for call in reversed(capture.calls) if call.layer is not None), "")


def are_finite(adapter: Adapter, thing: Any) -> bool:
    """Return whether all floating-point tensors in something are finite."""
    return all(
        _is_finite(adapter.array(one)) for one in adapter.tensors_in(thing) if adapter.why_not_measured(one) is None
    )


def _is_finite(array: Any) -> bool:
    return bool(np.isfinite(array).all())


def _is_broken(place: Place | None) -> bool:
    return place is not None and bool(place[0].rows["nonfinite"][place[1]])


def _backward(step: int, calls: Sequence[Call], layers: LayersMeasured) -> NonFinite | None:
    """Return the layer that received a finite gradient and handed on one that was not."""
    for place in reversed(range(len(calls))):
        if _is_broken(layers.at(place, gradient=True)):
            name = calls[place].name
            readers = [
                later.name for later in calls[place + 1 :] if later.layer is not None and name in later.layer.reads
            ]
            return NonFinite(
                where=readers[0] if readers else name, direction="backward", step=step,
                inputs_finite=True if readers else None,
            )  # fmt: skip
    return None


def _of_parameters(step: int, parameters: ParametersMeasured) -> NonFinite | None:
    graded, moved = parameters.nonfinite(GRADIENT), parameters.nonfinite(UPDATE)
    if graded:
        return NonFinite(where=graded[-1], direction="backward", step=step)
    return NonFinite(where=moved[0], direction="update", step=step) if moved else None
