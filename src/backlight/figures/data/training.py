"""Pictures of how a run went, and of how it stands among others."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlight.core import FloatArray, RunError
from backlight.figures import pages
from backlight.figures.data import measured
from backlight.figures.data.source import NoPictureError, Source
from backlight.figures.loss import LossCurves
from backlight.figures.pages import Page
from backlight.runs import RunDirectory, list_runs
from backlight.training import Run, find_rate
from backlight.watch.records import Measurements

_SMOOTHED_OVER = 40
"""The part of all steps whose mean the smoothed loss is: a fortieth."""


def loss(source: Source) -> Page:
    """Return the losses of minibatches and of the held-out part."""
    records = source.run.load_metrics()
    minibatches = [record for record in records if "loss" in record and "dev_nats" not in record]
    evaluations = [record for record in records if "dev_nats" in record]
    if not minibatches and not evaluations:
        raise NoPictureError("it needs losses; this run has recorded none (a model that counts has none)")
    losses = _numbers(minibatches, "loss")
    return pages.loss(
        LossCurves(
            steps=np.array([record["step"] for record in minibatches], np.int64),
            losses=losses,
            smoothed=running_mean(losses, max(1, len(losses) // _SMOOTHED_OVER)),
            dev_steps=np.array([record["step"] for record in evaluations], np.int64),
            dev=_numbers(evaluations, "dev_nats"),
            know_nothing=float(np.log(source.vocabulary.size)),
        )
    )


def update_to_data(source: Source) -> Page:
    """Return how far each recorded step moved each weight matrix beside the spread of its weights."""
    return measured.update_to_data(_Watched(source.watched))


@dataclass(frozen=True)
class _Watched:
    measurements: Measurements


def rate_sweep(source: Source) -> Page:
    """Return a sweep of learning rates from the run's first weights, made now."""
    if source.config.train is None:
        raise NoPictureError(f"it needs a network; this run's {source.config.model} model counts")
    sweep = find_rate(Run(source.config, source.run, corpus=source.trained.corpus))
    return pages.rate_sweep(
        np.asarray(sweep.rates), np.asarray(sweep.losses), np.asarray(sweep.smoothed), sweep.suggestion
    )


def league(source: Source) -> Page:
    """Return the finished runs in the same folder that learnt from the same text and are judged by the same part."""
    rows = [row for path in _neighbours(source) if (row := _row(source, path)) is not None]
    if len(rows) < 2:
        raise NoPictureError(
            "it needs two finished runs or more on one text in one folder, as `backlight compare` makes"
        )
    named: list[str] = [row["model"] for row in rows]
    for row in rows:
        if named.count(row["model"]) > 1:
            row["model"] = row["run"]
    return pages.league(rows)


def running_mean(values: FloatArray, width: int) -> FloatArray:
    """Return the mean of each number and its neighbours, `width` of them in all and fewer at the ends, without nans."""
    if not len(values):
        return values
    seen = np.isfinite(values)
    kernel = np.ones(width)
    sums = np.convolve(np.where(seen, values, 0), kernel)[width // 2 :][: len(values)]
    counts = np.convolve(seen.astype(float), kernel)[width // 2 :][: len(values)]
    with np.errstate(invalid="ignore"):
        mean: FloatArray = sums / np.where(counts > 0, counts, np.nan)
    return mean


def _numbers(records: list[dict[str, Any]], key: str) -> FloatArray:
    return np.array([np.nan if record[key] is None else record[key] for record in records], np.float64)


def _neighbours(source: Source) -> list[Any]:
    return [run.path for run in list_runs(source.run.path.parent) if run.problem is None]


def _row(source: Source, path: Any) -> dict[str, Any] | None:
    """Return a run's line of the league table; None if it is not in this league or has not finished."""
    try:
        run = RunDirectory.open(path)
        result = run.load_result()
    except RunError:  # damaged, which is not for this picture to tell
        return None
    same = all(run.config.get(key) == source.run.config.get(key) for key in ("split_seed", "fractions", "duplicates"))
    corpora = [one.get("corpus", {}).get("sha256") for one in (run.config, source.run.config)]
    keys = ("model", "parameters", "context", "dev_nats", "seconds")
    if result is None or not same or corpora[0] != corpora[1] or any(result.get(key) is None for key in keys):
        return None
    return {**{key: result[key] for key in keys}, "run": path.name}
