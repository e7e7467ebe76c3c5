"""A run directory's measurements: what a watched training kept, or what one batch tells afterwards."""

from dataclasses import replace

import numpy as np

from backlight.core import RunError
from backlight.models.neural import NeuralModel
from backlight.runs import RunDirectory
from backlight.training import Session, reopen
from backlight.training.run_watcher import load_measurements, with_losses
from backlight.watch.api import adapter_for, compare_splits
from backlight.watch.examine import examine_with
from backlight.watch.records import Measurements

EXAMINED = 256
"""Training examples of the batch that a run is examined with where it was not watched."""


def measurements_of(run: RunDirectory) -> Measurements:
    """Return what was measured on a run's network.

    A run that was trained with `--health` has kept it. Of any other, the first weights are made again and examined with
    one batch of its text, and what it recorded of its losses is put beside that: what a training has made of layers
    that began well is no illness.

    Raises:
        RunError: a model that counts, or a damaged file.
        DataError: a text that is gone.
    """
    kept = load_measurements(run)
    if kept is not None:
        return kept
    session = reopen(run)
    model = session.model
    if not isinstance(model, NeuralModel):
        raise RunError(
            f"only what learns by gradients can be ill; {run.path} is a {session.plan.model} model, which counts. "
            "Name the run of a network."
        )
    return _examined(session, model, run)


def _examined(session: Session, model: NeuralModel, run: RunDirectory) -> Measurements:
    model.set_rng(np.random.default_rng(session.plan.seed))
    train = session.data["train"]
    batch = train.batch(np.linspace(0, len(train) - 1, min(EXAMINED, len(train))).astype(np.int64))
    items = session.splits.train.items, session.splits.dev.items
    found = examine_with(adapter_for(model), batch.x, batch.y, loss=None, causal=None)
    return with_losses(replace(found, split=compare_splits(*items) if session.ends else None), run)
