"""One batch through a network, forward and backward and in both modes, and everything as it was afterwards."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from backlight.core import Array, ConfigError, FloatArray
from backlight.watch.adapter import Adapter, BatchView, Guard
from backlight.watch.by_class import class_probes
from backlight.watch.calls import Wanted
from backlight.watch.capture import Capture
from backlight.watch.layers import Layers
from backlight.watch.layout import layout_probes
from backlight.watch.passes import input_makers, measurable, named_inputs
from backlight.watch.probes import input_probe, modes_probe, probes_of
from backlight.watch.records import Measurements, Probe, StepRecord
from backlight.watch.step import RecordedStep, StepMeasurer
from backlight.watch.watcher import Watcher


def examine_with(adapter: Adapter, inputs: Any, targets: Any, *, loss: Any, causal: bool | None) -> Measurements:
    """Measure one batch; see `backlight.health.examine`."""
    batch = adapter.batch(inputs, targets, loss)
    with adapter.recording(on=True), Guard(adapter), np.errstate(all="ignore"):
        adapter.clear_gradients()
        adapter.set_mode(training=True)
        found, trained, train_loss = _in_training_mode(adapter, batch)
        adapter.set_mode(training=False)
        with adapter.recording(on=False):
            evaluation, output, eval_loss = _in_evaluation_mode(adapter, batch)
            losses = (
                {} if train_loss is None or eval_loss is None else {"train_loss": train_loss, "eval_loss": eval_loss}
            )
            probes = _probes(adapter, batch, trained, output, losses, causal=causal)
    return replace(
        found, source="examine", interval=1, total_steps=0, steps=(_without_update(found.steps[0]),),
        evaluation=evaluation, losses=(), probes=(*found.probes, *probes),
    )  # fmt: skip


def _in_training_mode(adapter: Adapter, batch: BatchView) -> tuple[Measurements, Array | None, float | None]:
    directions = adapter.directions()
    with Watcher(adapter, every=1) as watcher, nullcontext() if directions is None else directions.watching():
        output = batch.run(None)
        loss = batch.loss(output)
        if loss is not None and loss.shape and np.prod(loss.shape) != 1:
            raise ConfigError(f"a loss is one number; got a tensor of shape {tuple(loss.shape)}. Take its mean.")
        if loss is not None and loss.requires_grad:
            adapter.backward(loss)
        watcher.step(loss)
        found = watcher.measurements()
    if directions is not None:
        found = replace(found, probes=tuple(directions.probes()))
    return found, _array(adapter, output), None if loss is None else adapter.number(loss)


def _in_evaluation_mode(adapter: Adapter, batch: BatchView) -> tuple[StepRecord, Any, float | None]:
    capture = Capture(adapter, Layers(adapter))
    capture.structure_known = capture.without_gradients = True
    capture.attach()
    try:
        capture.begin_pass()
        output = batch.run(None)
    finally:
        capture.detach()
    calls = capture.finish()
    inputs = named_inputs(adapter, batch.args, batch.kwargs)
    floats = measurable(adapter, inputs)
    layers = StepMeasurer(adapter).layers(calls, list(floats.values()), None, Wanted())
    loss = batch.loss(output)
    value = None if loss is None else adapter.number(loss)
    facts = {
        "loss": value, "batch_size": next((x.shape[0] for _, x in inputs if x.shape), None), "backward_passes": 0,
    }  # fmt: skip
    made = input_makers(adapter, inputs, floats, layers)
    record = RecordedStep(0, layers=layers, inputs=made, facts=facts).record()
    capture.clear()
    return record, output, value


def _probes(
    adapter: Adapter, batch: BatchView, trained: Array | None, output: Any, losses: dict[str, float], *,
    causal: bool | None,
) -> list[Probe]:  # fmt: skip
    evaluated = _array(adapter, output)
    if trained is None or evaluated is None:
        return []
    found = [modes_probe(trained, evaluated, losses)]
    if batch.x is None:
        return found

    def run(x: Array) -> FloatArray:
        out = _array(adapter, batch.run(x))
        assert out is not None  # noqa: S101  (the same network had an output just now)
        return out

    for name, one in batch.others.items():
        rolled = np.roll(one, 1, axis=0)
        if batch.run_with is not None and not np.array_equal(rolled, one, equal_nan=True):
            after = _array(adapter, batch.run_with(name, rolled))
            found += [] if after is None else [input_probe(name, after, evaluated)]
    if batch.y is not None and batch.loss_at is not None:
        found += class_probes(partial(batch.loss_at, output), evaluated, batch.y)
    found += layout_probes(batch.x)
    return found + probes_of(run, batch.x, batch.y, causal=causal, tied=batch.tied)


def _array(adapter: Adapter, result: Any) -> Array | None:
    output = adapter.output_of(result)
    return None if output is None else adapter.array(output)


def _without_update(record: StepRecord) -> StepRecord:
    """Leave out what only a step of an optimiser can show."""
    parameters = tuple(replace(one, update_to_data=None, moved=None) for one in record.parameters)
    return replace(record, parameters=parameters, lr=(), left_over_norm=None, optimiser_steps=None)
