"""A run's measurements: the record of its training, or what one batch shows afterwards."""

from dataclasses import replace

import numpy as np

from backlight.core import RunError
from backlight.health.trials import run_trials
from backlight.health.trials.subject import MOST_ROWS
from backlight.models.neural import NeuralModel
from backlight.runs import RunDirectory
from backlight.training import Run
from backlight.training.run_watcher import load_measurements, with_losses
from backlight.training.weights import load_weights
from backlight.watch.api import adapter_for, compare_splits
from backlight.watch.examine import examine_with
from backlight.watch.records import Measurements, NonFinite
from backlight.watch.trial import TrialResult

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
    model = _network(opened)
    model.set_rng(np.random.default_rng(opened.config.seed))
    train = opened.network_data["train"]
    batch = train.batch(np.linspace(0, len(train) - 1, min(EXAMINED, len(train))).astype(np.int64))
    split = compare_splits(opened.splits.train.items, opened.splits.dev.items) if opened.ends else None
    found = examine_with(adapter_for(model), batch.x, batch.y, loss=None, causal=None)
    return with_losses(replace(found, split=split), run)


def trials_of(run: RunDirectory, *, minutes: float) -> tuple[TrialResult, ...]:
    """Make the trials on a run's network as it was saved, with its text and a fresh optimiser of its settings.

    A run that was never saved is tried with its initial weights.

    Args:
        run: the run.
        minutes: how long they may take.

    Raises:
        RunError: an n-gram model, or a damaged file.
        DataError: a text that is gone.
    """
    opened = Run.open(run)
    model = _network(opened)
    if run.has_weights:
        load_weights(run, model)
    model.set_rng(np.random.default_rng(opened.config.seed))
    train = opened.network_data["train"]
    batch, more = (
        train.batch(np.linspace(0, len(train) - 1, min(count, len(train))).astype(np.int64))
        for count in (EXAMINED, MOST_ROWS)
    )
    settings = opened.config.train
    optimiser = None if settings is None else settings.build(model)
    return run_trials(
        adapter_for(model), batch.x, batch.y, optimiser=optimiser, data=more, kind="cross_entropy", minutes=minutes
    )


def _network(opened: Run) -> NeuralModel:
    model = opened.network
    if model is None:
        raise RunError(
            f"health checks need a neural network; {opened.path} is a {opened.config.model} model, which counts. "
            "Name the run of a network."
        )
    return model


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
