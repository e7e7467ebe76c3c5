"""A run's measurements: the record of its training, or what one batch shows afterwards."""

from dataclasses import replace

import numpy as np

from backlight.core import RunError
from backlight.models.neural import NeuralModel
from backlight.runs import RunDirectory
from backlight.training import Run
from backlight.training.run_watcher import load_measurements, with_losses
from backlight.watch.api import adapter_for, compare_splits
from backlight.watch.examine import examine_with
from backlight.watch.records import Measurements, NonFinite

EXAMINED = 256
"""Training examples of the batch that a run is examined with where it was not recorded."""


def measurements_of(run: RunDirectory) -> Measurements:
    """Return what was measured on a run's network.

    A run that was trained with `--health` has a record of it. For any other, the initial weights are made again and
    examined with one batch of its text, and the recorded losses are added: what training has made of layers that began
    well is no fault. A training that diverged, and saved weights that are not finite, show either way.

    Raises:
        RunError: an n-gram model, or a damaged file.
        DataError: a text that is gone.
    """
    found = load_measurements(run) or _examined(run)
    if found.first_nonfinite is None:
        found = replace(found, first_nonfinite=_nonfinite_weight(run))
    return found


def _examined(run: RunDirectory) -> Measurements:
    opened = Run.open(run)
    model = opened.model
    if not isinstance(model, NeuralModel):
        raise RunError(
            f"health checks need a neural network; {run.path} is a {opened.config.model} model, which counts. "
            "Name the run of a network."
        )
    model.set_rng(np.random.default_rng(opened.config.seed))
    train = opened.data["train"]
    batch = train.batch(np.linspace(0, len(train) - 1, min(EXAMINED, len(train))).astype(np.int64))
    items = opened.splits.train.items, opened.splits.dev.items
    found = examine_with(adapter_for(model), batch.x, batch.y, loss=None, causal=None)
    return with_losses(replace(found, split=compare_splits(*items) if opened.ends else None), run)


def _nonfinite_weight(run: RunDirectory) -> NonFinite | None:
    """Return the first saved weight that is not finite; None if all are, or none were saved."""
    if not run.has_weights:
        return None
    arrays, facts = run.load_weights()
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            step = facts.get("step")
            return NonFinite(where=name, direction="parameter", step=step if isinstance(step, int) else 0)
    return None
