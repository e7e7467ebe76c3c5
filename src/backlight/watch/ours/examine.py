"""One batch through a network of ours, forward and backward and in both modes, and everything as it was afterwards."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from backlight.autograd import Tensor, cross_entropy, mse, no_grad
from backlight.autograd.graph import recording
from backlight.core import Array, Batch, ConfigError, FloatArray
from backlight.models.neural import NeuralModel
from backlight.nn import Module
from backlight.watch import LiveUnits
from backlight.watch.ours.capture import Capture
from backlight.watch.ours.guard import Guard
from backlight.watch.ours.layers import layers_of
from backlight.watch.ours.sealing import Input, layer_numbers
from backlight.watch.ours.watcher import ModuleWatcher
from backlight.watch.probes import modes_probe, probes_of
from backlight.watch.records import Measurements, StepRecord

Loss = Callable[[Any, Any], Tensor]


def examine_module(model: Module, inputs: Any, targets: Any, *, loss: Loss | None, causal: bool | None) -> Measurements:
    """Measure one batch; see `backlight.health.examine`."""
    if isinstance(inputs, Batch):
        inputs, targets = inputs.x, inputs.y
    x = inputs.array if isinstance(inputs, Tensor) else np.asarray(inputs)
    y = None if targets is None else targets.array if isinstance(targets, Tensor) else np.asarray(targets)
    on = recording.on
    recording.on = True
    try:
        with Guard(model), np.errstate(all="ignore"):
            return _examined(
                model, x, y, _maker(model, x, y, loss), as_tensor=isinstance(inputs, Tensor), causal=causal
            )
    finally:
        recording.on = on


def _maker(
    model: Module, x: Array, y: Array | None, loss: Loss | None
) -> Callable[[Any], tuple[Tensor, Tensor | None]]:
    """Return what makes output and loss of an input."""

    def made(given: Any) -> tuple[Tensor, Tensor | None]:
        out = model(given)
        if y is None:
            return out, None
        if loss is not None:
            return out, loss(out, y)
        if isinstance(model, NeuralModel):
            return out, model.loss(Batch(x, y))
        return out, cross_entropy(out, y) if y.dtype.kind in "iu" else mse(out, y.reshape(out.shape))

    return made


def _examined(
    model: Module, x: Array, y: Array | None, made: Callable[[Any], tuple[Tensor, Tensor | None]], *, as_tensor: bool,
    causal: bool | None,
) -> Measurements:  # fmt: skip
    def given(array: Array) -> Any:
        return Tensor(array) if as_tensor or array.dtype.kind == "f" else array

    for parameter in model.parameters():
        parameter._grad = None
    model.train()
    with ModuleWatcher(model, every=1) as watcher:
        out, loss = made(given(x))
        if loss is not None:
            if loss.array.size != 1:
                raise ConfigError(f"a loss is one number; got a tensor of shape {loss.shape}. Take its mean.")
            loss.backward()
        watcher.step(loss)
    seen = watcher.measurements()
    training, trained_out = _without_update(seen.steps[0]), out.array.copy()
    model.eval()
    with no_grad():
        evaluation, eval_loss = _evaluated(model, x, given, made)

        def run(array: Array) -> FloatArray:
            return model(given(array)).array

        losses = {} if loss is None else {"train_loss": float(loss.array), "eval_loss": eval_loss}
        probes = [modes_probe(trained_out, run(x), losses), *probes_of(run, x, y, causal=causal)]
    return replace(
        seen, source="examine", interval=1, total_steps=0, steps=(training,), evaluation=evaluation, losses=(),
        probes=tuple(probes),
    )  # fmt: skip


def _evaluated(
    model: Module, x: Array, given: Callable[[Array], Any], made: Callable[[Any], tuple[Tensor, Tensor | None]]
) -> tuple[StepRecord, float]:
    capture = Capture(layers_of(model), lambda: None)
    capture.structure_known = capture.without_gradients = True
    capture.attach()
    try:
        _, loss = made(given(x))
    finally:
        capture.detach()
    numbers = layer_numbers(capture.finish(), LiveUnits(), thorough=False, maps=False)
    value = float("nan") if loss is None else float(loss.array)
    record = StepRecord(
        step=0, loss=value, batch_size=len(x), layers=numbers.records(1.0), inputs=(Input("0", x).record(),),
        backward_passes=0,
    )  # fmt: skip
    return record, value


def _without_update(record: StepRecord) -> StepRecord:
    """Leave out what only a step can tell."""
    parameters = tuple(replace(one, update_to_data=None, moved=None) for one in record.parameters)
    return replace(record, parameters=parameters, lr=(), left_over_norm=None)
