"""A run directory's measurements: what a watched training kept, or what one batch tells afterwards."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from backlight.core import RunError
from backlight.models.neural import NeuralModel
from backlight.runs import RunDirectory
from backlight.training import Run
from backlight.training.run_watcher import load_measurements
from backlight.watch.api import compare_splits
from backlight.watch.ours.examine import examine_module
from backlight.watch.records import EvaluationPoint, LossPoint, Measurements

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
    opened = Run.open(run)
    model = opened.model
    if not isinstance(model, NeuralModel):
        raise RunError(
            f"only what learns by gradients can be ill; {run.path} is a {opened.config.model} model, which counts. "
            "Name the run of a network."
        )
    return _examined(opened, model, run)


def _examined(opened: Run, model: NeuralModel, run: RunDirectory) -> Measurements:
    model.set_rng(np.random.default_rng(opened.config.seed))
    train = opened.data["train"]
    batch = train.batch(np.linspace(0, len(train) - 1, min(EXAMINED, len(train))).astype(np.int64))
    metrics = run.load_metrics()
    items = opened.splits.train.items, opened.splits.dev.items
    return replace(
        examine_module(model, batch.x, batch.y, loss=None, causal=None),
        split=compare_splits(*items) if opened.ends else None,
        losses=tuple(LossPoint(step=one["step"], loss=_number(one["loss"])) for one in metrics if "loss" in one),
        evaluations=tuple(
            EvaluationPoint(step=one["step"], dev=_number(one["dev_nats"]), train=_number(one["train_nats"]))
            for one in metrics
            if "dev_nats" in one
        ),
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
