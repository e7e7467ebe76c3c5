"""`backlight find-lr`: which learning rate to train with, from one short sweep through all of them."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from backlight.cli.grouped import Without, grouped
from backlight.cli.options import FirstSeed, ModelOptions, RecipeOptions, TextOptions, plan_of, words
from backlight.cli.output import Json, command, console, print_json, source, table
from backlight.training import RateSweep, find_rate, set_up
from backlight.training.finder import HIGHEST, LOWEST, STEPS

_ROWS_A_DECADE = 3
_BAR = 30
_SWEEP = "Sweep"

Trained = Annotated[ModelOptions, Without("order", "smoothing", "k")]
Stepping = Annotated[
    RecipeOptions, Without("steps", "lr", "schedule", "warmup", "average", "evaluate_every", "patience")
]


@grouped
def find_lr(
    *,
    network: Trained,
    training: Stepping,
    seed: FirstSeed = 1,
    text: TextOptions,
    lowest: Annotated[float, typer.Option("--from", help="The first step's rate.", rich_help_panel=_SWEEP)] = LOWEST,
    highest: Annotated[float, typer.Option("--to", help="The last step's rate.", rich_help_panel=_SWEEP)] = HIGHEST,
    steps: Annotated[int, typer.Option("--steps", help="Minibatches at most.", rich_help_panel=_SWEEP)] = STEPS,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the sweep into this file, .png or .svg.", metavar="FILE")
    ] = None,
    json_output: Json = False,
) -> None:
    """Find a learning rate: train for some steps while it grows from tiny to huge, and see where the loss falls.

    No run is made. The rate that is suggested is a schedule's highest, as --lr of train is.
    """
    setup = set_up(plan_of(network, training, text, seed=seed))
    sweep = find_rate(setup, lowest=lowest, highest=highest, steps=steps)
    out = console(json_output=json_output)
    out.print(
        f"{network.model} on {source(text.corpus)}: {sweep.optimiser}, batches of {sweep.batch_size}, "
        f"{sweep.steps} steps at rates from {sweep.rates[0]:.2g} to {sweep.rates[-1]:.2g}\n"
    )
    out.print(_curve(sweep))
    out.print(f"\n{sweep.reason}")
    train = None
    if sweep.suggestion is not None:
        train = command("train", *words(text, network, training), "--lr", sweep.suggestion)
        out.print(f"\nTake {sweep.suggestion:g}:  {train}", soft_wrap=True)
    if figure is not None:
        _draw(sweep, figure)
        out.print(f"\nThe picture is in {figure}.", soft_wrap=True)
    if json_output:
        print_json({"model": network.model, "corpus": text.corpus, "seed": seed, **sweep.to_json(), "train": train})


def _curve(sweep: RateSweep) -> Any:
    """Return the smoothed loss at a few rates, as numbers and as bars."""
    rates, losses = np.asarray(sweep.rates), np.asarray(sweep.smoothed)
    decades = float(np.log10(rates[-1] / rates[0]))
    shown = np.unique(np.linspace(0, len(rates) - 1, max(2, round(decades * _ROWS_A_DECADE) + 1)).astype(int))
    # how far up the loss goes once it bursts tells nothing
    low, high = losses.min(), losses[: np.argmin(losses) + 1].max()
    marked = None
    if sweep.suggestion is not None:
        marked = shown[np.argmin(np.abs(np.log(rates[shown] / sweep.suggestion)))]
    rows = table("rate", "loss", "", text=("",))
    for at in shown:
        filled = round(_BAR * min(1.0, (losses[at] - low) / max(high - low, 1e-9)))
        rows.add_row(f"{rates[at]:.1e}", f"{losses[at]:.3f}", "#" * filled + ("  < about here" if at == marked else ""))
    return rows


def _draw(sweep: RateSweep, path: Path) -> None:
    from backlight.figures import rate_sweep

    rates, losses, smoothed = (np.asarray(numbers) for numbers in (sweep.rates, sweep.losses, sweep.smoothed))
    rate_sweep(rates, losses, smoothed, sweep.suggestion).save(path)
