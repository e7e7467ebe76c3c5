"""The size of gradients and updates relative to the weights."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray, IntArray, ShapeError
from backlight.figures.figure import SizedFigure, figure
from backlight.figures.letters import legible, name_rows, step_ticks, write_title
from backlight.figures.measured import chosen_rows, last_step, short_name, weight_matrices
from backlight.figures.placing import End, name_ends
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import palette
from backlight.watch.records import Measurements, StepRecord

HEALTHY_UPDATE: Final = 1e-3
"""A healthy update is about 1/1000 of the weights: the rule of thumb of lecture 4."""


@figure(
    "gradient-to-data", about="the gradient-to-data ratio of each weight matrix",
    size=lambda names: (8, 1.5 + 0.36 * max(len(names), 2)),
)  # fmt: skip
def gradient_to_data(ax: Axes, names: Sequence[str], ratios: FloatArray) -> None:
    """Draw the standard deviation of each weight matrix's gradient divided by that of its weights.

    Healthy: all within about a factor of ten. A matrix far to the right changes much faster than the others.

    Args:
        ax: the axes to draw on.
        names: the L names of the weight matrices.
        ratios: (L,) std of the gradient / std of the weights; nan or 0 if there is none.

    Raises:
        ShapeError: the ratios are not (L,).
    """
    if ratios.shape != (len(names),):
        raise ShapeError(f"{len(names)} names need as many ratios; got shape {ratios.shape}.")
    colours = palette(ax)
    good = np.isfinite(ratios) & (ratios > 0)
    rows = np.arange(len(names))
    ax.set_xscale("log")
    shown = ratios[good]
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (1e-3, 1e-3)
    ax.set_xlim(low / 4, high * 4)
    ax.hlines(rows, low / 4, high * 4, color=colours.grid, linewidth=1, zorder=1)
    shades = colours.depths(np.linspace(0, 1, max(len(names), 2)))[: len(names)]
    ax.scatter(shown, rows[good], s=70, color=shades[good], zorder=3)
    size = name_rows(ax, names)
    for row in rows.tolist():
        text = f"{ratios[row]:.1e}" if good[row] else "no gradient" if ratios[row] == 0 else "no ratio"
        ax.annotate(text, (1, row), (8, 0), xycoords=ax.get_yaxis_transform(), textcoords="offset points",
                    va="center", size=min(9.0, size), color=colours.muted if good[row] else colours.alarm)  # fmt: skip
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("std of gradient / std of weights")
    times = high / low
    apart = f": they differ by a factor of {times:{'.2g' if times < 10 else ',.0f'}}" if shown.size > 1 else ""
    write_title(ax, f"Gradient-to-data ratios{apart}")


@gradient_to_data.from_measurements
def _(measured: Measurements) -> SizedFigure:
    matrices = weight_matrices(measured)
    parameters = last_step(measured).parameters
    records = [one for one in parameters if one.name in matrices and one.grad_to_data is not None]
    if not records:
        raise NoFigureError("it needs gradients of weight matrices")
    ratios = np.array([one.grad_to_data for one in records], np.float64)
    chosen, note = chosen_rows(ratios)
    return gradient_to_data([short_name(records[i].name) for i in chosen], ratios[chosen]).with_note(note)


@figure(
    "update-to-data", about="the update-to-data ratio of each weight matrix over time",
    size=lambda ratios: (8, max(4.5, 1.2 + 0.2 * len(ratios))),
)  # fmt: skip
def update_to_data(ax: Axes, steps: IntArray, ratios: Mapping[str, FloatArray]) -> None:
    """Draw the standard deviation of each weight matrix's update divided by that of its weights, over time.

    Healthy: all near the line at 1e-3. Far below it, training is very slow; far above it, training may be unstable.

    Args:
        ax: the axes to draw on.
        steps: (N,) the recorded steps.
        ratios: for each weight matrix (N,) std of the update / std of the weights; nan if there is none.

    Raises:
        ShapeError: a row of ratios is not (N,).
    """
    for name, row in ratios.items():
        if row.shape != steps.shape:
            raise ShapeError(f"{name} needs a ratio for each of {len(steps)} steps; got shape {row.shape}.")
    colours = palette(ax)
    shades = colours.depths(np.linspace(0, 1, max(len(ratios), 2)))
    ends = []
    good = [row[np.isfinite(row) & (row > 0)] for row in ratios.values()]
    edges = [edge for row in good if row.size for edge in np.percentile(row, [0.5, 99.5]).tolist()]
    ax.set_yscale("log")
    ax.set_ylim(min([HEALTHY_UPDATE, *edges]) / 2, max([HEALTHY_UPDATE, *edges]) * 2)
    last = float(steps[-1]) if len(steps) else 1.0
    ax.set_xlim(float(steps[0]) if len(steps) > 1 else 0, max(last, 1.0))
    for (name, row), shade in zip(ratios.items(), shades, strict=False):
        positive = np.isfinite(row) & (row > 0)
        ax.plot(steps, np.where(positive, row, np.nan), color=shade, linewidth=1.2, label=name)
        if positive.any():
            # the mean of the last few, since a single step is noisy
            ends.append(End(legible(name), last, float(np.exp(np.log(row[positive][-5:]).mean())), shade))
    ax.axhline(HEALTHY_UPDATE, color=colours.ink, linewidth=1.2, linestyle=(0, (4, 3)))
    ends.append(End("1e-3", last, HEALTHY_UPDATE, colours.ink))
    step_ticks(ax)
    ax.set_ylabel("std of update / std of weights")
    write_title(ax, "Update-to-data ratios")
    name_ends(ax, ends)


@update_to_data.from_measurements
def _updates(measured: Measurements) -> SizedFigure:
    ratios: dict[str, FloatArray] = {}
    for name in weight_matrices(measured):
        row = np.array([_update(step, name) for step in measured.steps], np.float64)
        if (row > 0).any():
            ratios[short_name(name)] = row
    if not ratios:
        raise NoFigureError("it needs updates recorded during training. Train with --health")
    names = list(ratios)
    chosen, note = chosen_rows([np.exp(np.log(row[row > 0]).mean()) for row in ratios.values()])
    steps = np.array([step.step for step in measured.steps], np.int64)
    return update_to_data(steps, {names[i]: ratios[names[i]] for i in chosen}).with_note(note)


@update_to_data.from_run
def _(run: RunData) -> SizedFigure:
    return _updates(run.recorded)


def _update(step: StepRecord, name: str) -> float:
    ratios = (one.update_to_data for one in step.parameters if one.name == name)
    return next((ratio for ratio in ratios if ratio is not None), float("nan"))
