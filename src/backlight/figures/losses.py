"""Loss curves: over the steps of a training, and over learning rates."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray, IntArray
from backlight.figures.figure import SizedFigure, figure
from backlight.figures.letters import step_ticks, write_title
from backlight.figures.placing import End, name_ends
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import palette
from backlight.training import Run, find_rate
from backlight.watch.records import Measurements

_SMOOTHED_OVER: Final = 40
"""The smoothed loss is the mean over 1/40 of all steps."""


@dataclass(frozen=True, kw_only=True)
class LossCurves:
    """The losses of one training.

    Attributes:
        steps: (N,) the steps of the minibatch losses.
        losses: (N,) the losses of single minibatches; nan where one was not finite.
        smoothed: (N,) the same, smoothed.
        dev_steps: (E,) the steps at which the held-out part was evaluated.
        dev: (E,) the losses on the held-out part.
        uniform: ln V, the loss of a uniform guess; None to leave it out.
        unit: the unit of all losses. If it is nats per character, the title also gives bits.
    """

    steps: IntArray
    losses: FloatArray
    smoothed: FloatArray
    dev_steps: IntArray
    dev: FloatArray
    uniform: float | None = None
    unit: str = "nats per character"


@figure("loss", about="the loss of minibatches and of the held-out part", size=(8, 4.5))
def loss(ax: Axes, curves: LossCurves) -> None:
    """Draw the losses of minibatches, the same smoothed, and the loss on held-out data.

    Args:
        ax: the axes to draw on.
        curves: the losses.
    """
    colours = palette(ax)
    ends: list[End] = []
    if len(curves.steps):
        ax.plot(curves.steps, curves.losses, color=colours.blue, linewidth=0.6, alpha=0.3)
        ax.plot(curves.steps, curves.smoothed, color=colours.blue)
        last = float(curves.smoothed[-1])
        ends.append(End(f"train {last:.3f}", float(curves.steps[-1]), last, colours.blue))
    if len(curves.dev_steps):
        ax.plot(curves.dev_steps, curves.dev, color=colours.orange, marker="o", markersize=4, clip_on=False)
        last = float(curves.dev[-1])
        ends.append(End(f"dev {last:.3f}", float(curves.dev_steps[-1]), last, colours.orange))
    if curves.uniform is not None:
        ax.axhline(curves.uniform, color=colours.muted, linewidth=1, linestyle=(0, (4, 3)))
    ax.set_ylim(*_limits(curves))
    last_step = max([0.0, *(end.x for end in ends)])
    ax.set_xlim(0, max(1.0, last_step))
    if curves.uniform is not None:
        ax.annotate(f"uniform guess, ln V = {curves.uniform:.3f}", (1, curves.uniform), (-2, 4),
                    xycoords=ax.get_yaxis_transform(), textcoords="offset points", ha="right", size=9,
                    color=colours.muted)  # fmt: skip
    name_ends(ax, ends)
    step_ticks(ax)
    ax.set_ylabel(curves.unit)
    write_title(ax, _title(curves))


def _limits(curves: LossCurves) -> tuple[float, float]:
    """Return limits that include nearly all losses: a single outlier must not compress the rest."""
    typical = [curves.losses[np.isfinite(curves.losses)], curves.dev[np.isfinite(curves.dev)]]
    edges = [edge for part in typical if part.size for edge in np.percentile(part, [0.2, 99.8]).tolist()]
    if curves.uniform is not None:
        edges.append(curves.uniform)
    lowest, highest = min(edges, default=0.0), max(edges, default=1.0)
    air = 0.06 * (highest - lowest) or 0.1
    return lowest - air, highest + air


def _title(curves: LossCurves) -> str:
    finite = np.flatnonzero(np.isfinite(curves.dev))
    if not finite.size:
        return "Loss of each minibatch, and smoothed"
    best = int(finite[np.argmin(curves.dev[finite])])
    at = f"{curves.dev_steps[best]:,}"
    if curves.unit != "nats per character":
        return f"Loss on held-out data: {curves.dev[best]:.4f} at step {at}"
    bits = curves.dev[best] / math.log(2)
    return f"Loss on held-out text: {curves.dev[best]:.4f} nats ({bits:.3f} bits) at step {at}"


@loss.from_run
def _(run: RunData) -> SizedFigure:
    records = run.run.load_metrics()
    minibatches = [record for record in records if "loss" in record and "dev_nats" not in record]
    evaluations = [record for record in records if "dev_nats" in record]
    if not minibatches and not evaluations:
        raise NoFigureError("it needs losses; this run has recorded none (an n-gram model has none)")
    losses = _numbers(minibatches, "loss")
    return loss(
        LossCurves(
            steps=np.array([record["step"] for record in minibatches], np.int64),
            losses=losses,
            smoothed=_smoothed(losses),
            dev_steps=np.array([record["step"] for record in evaluations], np.int64),
            dev=_numbers(evaluations, "dev_nats"),
            uniform=(run.run.load_result() or {}).get("expected_initial_nats") or float(np.log(run.vocabulary.size)),
        )
    )


@loss.from_measurements
def _(measured: Measurements) -> SizedFigure:
    if len(measured.losses) < 2:
        raise NoFigureError("it needs the losses of a few steps")
    losses = np.array([record.loss for record in measured.losses], np.float64)
    classes = None if measured.loss is None else measured.loss.classes
    return loss(
        LossCurves(
            steps=np.array([record.step for record in measured.losses], np.int64),
            losses=losses,
            smoothed=_smoothed(losses),
            dev_steps=np.array([record.step for record in measured.evaluations], np.int64),
            dev=np.array([record.dev for record in measured.evaluations], np.float64),
            uniform=None if classes is None else float(np.log(classes)),
            unit="loss" if classes is None else "nats per target",
        )
    )


def _smoothed(losses: FloatArray) -> FloatArray:
    return running_mean(losses, max(1, len(losses) // _SMOOTHED_OVER))


def running_mean(values: FloatArray, width: int) -> FloatArray:
    """Return the running mean of values (N,) over windows of `width`, shorter at the ends; nans are left out."""
    if not len(values):
        return values
    finite = np.isfinite(values)
    kernel = np.ones(width)
    sums = np.convolve(np.where(finite, values, 0), kernel)[width // 2 :][: len(values)]
    counts = np.convolve(finite.astype(float), kernel)[width // 2 :][: len(values)]
    with np.errstate(invalid="ignore"):
        mean: FloatArray = sums / np.where(counts > 0, counts, np.nan)
    return mean


def _numbers(records: list[dict[str, Any]], key: str) -> FloatArray:
    return np.array([np.nan if record[key] is None else record[key] for record in records], np.float64)


@figure("rate-sweep", about="the loss while the learning rate grows", size=(8, 4.5))
def rate_sweep(ax: Axes, rates: FloatArray, losses: FloatArray, smoothed: FloatArray, suggestion: float | None) -> None:
    """Draw the loss over a learning rate that grew with each step, and mark the suggested rate.

    Args:
        ax: the axes to draw on.
        rates: (N,) the rate of each step, all positive.
        losses: (N,) the loss of each minibatch in nats per character; nan or inf once it diverged.
        smoothed: (N,) the same, smoothed.
        suggestion: the suggested rate; None if the loss fell at no rate.
    """
    colours = palette(ax)
    ax.set_xscale("log")
    ax.plot(rates, losses, color=colours.blue, linewidth=0.6, alpha=0.35)
    ax.plot(rates, smoothed, color=colours.blue)
    shown = smoothed[np.isfinite(smoothed)]
    lowest, first = (float(shown.min()), float(shown[0])) if shown.size else (0.0, 1.0)
    fall = max(first - lowest, 0.05 * abs(first), 1e-6)
    ax.set_ylim(lowest - 0.25 * fall, first + 0.75 * fall)  # the height of the curve after divergence is meaningless
    ax.set_xlim(rates.min(), rates.max()) if rates.min() < rates.max() else ax.set_xlim(rates[0] / 3, rates[0] * 3)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("nats per character")
    if suggestion is None:
        write_title(ax, "The loss fell at no learning rate")
        return
    ax.axvline(suggestion, color=colours.orange, linewidth=1.4, linestyle=(0, (4, 3)))
    middle = np.sqrt(rates.min() * rates.max())
    left = suggestion > middle
    ax.annotate(f"suggested: {suggestion:.2g}", (suggestion, 1), (-6 if left else 6, -4),
                xycoords=ax.get_xaxis_transform(), textcoords="offset points", ha="right" if left else "left", va="top",
                color=colours.orange, weight="bold")  # fmt: skip
    write_title(ax, f"Loss while the learning rate grows: suggested rate {suggestion:.2g}")


@rate_sweep.from_run
def _(run: RunData) -> SizedFigure:
    """Return a sweep of learning rates that starts from the run's initial weights; it is computed now."""
    if run.config.train is None:
        raise NoFigureError(f"it needs a network; this run's model is {run.config.model}")
    sweep = find_rate(Run(run.config, run.run, corpus=run.trained.corpus))
    return rate_sweep(np.asarray(sweep.rates), np.asarray(sweep.losses), np.asarray(sweep.smoothed), sweep.suggestion)
