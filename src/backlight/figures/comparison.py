"""A comparison of runs as a figure: the loss of each model over its parameters and its training time."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from backlight.core import FloatArray, RunError, ShapeError
from backlight.figures.figure import SizedFigure, figure
from backlight.figures.letters import write_title
from backlight.figures.placing import place_names
from backlight.figures.run_data import NoFigureError, RunData
from backlight.figures.style import palette
from backlight.runs import RunDirectory, list_runs

_SHORTEST: Final = 1e-3
"""Shorter times, in seconds, are drawn as this one, since a logarithmic axis has no 0."""

_COSTS: Final = (
    ("parameters", "parameters, or nonzero counts", "Loss over size", 1.0),
    ("seconds", "seconds of training", "Loss over training time", _SHORTEST),
)


@figure(
    "league", about="the runs in this folder: loss over size and over training time", size=(12, 5.6),
    axes=lambda figure: figure.subplots(1, 2, sharey=True),
)  # fmt: skip
def league(axes: Sequence[Axes], rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw each model's dev loss over its parameters and over its training time, on logarithmic x axes.

    The models that no cheaper one equals are filled and joined by a line (the Pareto front).

    Args:
        axes: two axes with a shared y axis: the first for the parameters, the second for the time.
        rows: one for each model, with "model" (its name in the figure), "parameters", "context", "dev_nats" (nats per
            character) and "seconds". A model whose loss is not finite is left out, and named below the figure.

    Raises:
        ShapeError: there are not two axes, or no model has a finite loss.
    """
    if len(axes) != len(_COSTS):
        raise ShapeError(f"the figure league needs two axes, for parameters and seconds; got {len(axes)}.")
    shown = [row for row in rows if math.isfinite(row["dev_nats"])]
    if not shown:
        raise ShapeError(f"the figure league needs a model with a finite loss; got {len(rows)} models without one.")
    nats = np.array([row["dev_nats"] for row in shown], float)
    lowest, highest = nats.min(), nats.max()
    air = 0.08 * (highest - lowest) or 0.05
    axes[0].set_ylabel("dev loss, nats per character")
    absent = [str(row["model"]) for row in rows if not math.isfinite(row["dev_nats"])]
    for ax, (key, label, title, least) in zip(axes, _COSTS, strict=True):
        cost = np.maximum([row[key] for row in shown], least)
        ax.set_xscale("log")
        ax.set_xlim(cost.min() / 3, cost.max() * 3)
        ax.set_ylim(lowest - air, highest + air)
        ax.grid(visible=True)
        ax.set_xlabel(label)
        write_title(ax, title)
        if absent:
            # both labels have two lines, so that the axes stay aligned
            ax.set_xlabel(f"{label}\n" + (f"no finite loss: {', '.join(absent)}" if ax is axes[0] else ""))
            ax.xaxis.label.set_parse_math(False)
    for ax, (key, *_, least) in zip(axes, _COSTS, strict=True):
        cost = np.maximum([row[key] for row in shown], least)
        _draw_models(ax, cost, nats, [str(row["model"]) for row in shown])


def _draw_models(ax: Axes, cost: FloatArray, nats: FloatArray, names: Sequence[str]) -> None:
    colours = palette(ax)
    best = _frontier(cost, nats)
    ax.step(cost[best], nats[best], where="post", color=colours.blue, linewidth=1.2, alpha=0.5, zorder=2)
    ax.scatter(cost, nats, s=42, facecolors=colours.paper, edgecolors=colours.muted, linewidths=1.3, zorder=3)
    ax.scatter(cost[best], nats[best], s=46, color=colours.blue, zorder=4)
    inks = [colours.ink if one in set(best) else colours.muted for one in range(len(names))]
    corners = np.stack([np.repeat(cost[best], 2)[1:], np.repeat(nats[best], 2)[:-1]], axis=1)
    place_names(ax, np.stack([cost, nats], axis=1), names, colours=inks, around=corners)


def _frontier(cost: FloatArray, nats: FloatArray) -> list[int]:
    """Return the indices of the models that no cheaper one equals, starting with the cheapest."""
    best: list[int] = []
    for one in np.lexsort((nats, cost)):
        if not best or nats[one] < nats[best[-1]]:
            best.append(int(one))
    return best


@league.from_run
def _(run: RunData) -> SizedFigure:
    """Return the finished runs in the same folder that have the same text and the same splits."""
    folder = [found.path for found in list_runs(run.run.path.parent) if found.problem is None]
    rows = [row for path in folder if (row := _row(run.run, path)) is not None]
    if len(rows) < 2:
        raise NoFigureError(
            "it needs at least two finished runs of the same text in one folder, such as `backlight compare` makes"
        )
    named: list[str] = [row["model"] for row in rows]
    for row in rows:
        if named.count(row["model"]) > 1:
            row["model"] = row["run"]
    return league(rows)


def _row(mine: RunDirectory, path: Path) -> dict[str, Any] | None:
    """Return the numbers of a run; None if it has another text or other splits, or has not finished."""
    try:
        run = RunDirectory.open(path)
        result = run.load_result()
    except RunError:  # a damaged run, which this figure need not report
        return None
    same = all(run.config.get(key) == mine.config.get(key) for key in ("split_seed", "fractions", "duplicates"))
    corpora = [one.get("corpus", {}).get("sha256") for one in (run.config, mine.config)]
    keys = ("model", "parameters", "context", "dev_nats", "seconds")
    if result is None or not same or corpora[0] != corpora[1] or any(result.get(key) is None for key in keys):
        return None
    return {**{key: result[key] for key in keys}, "run": path.name}
