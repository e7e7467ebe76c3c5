"""`backlight find-lr`: find a learning rate by a short sweep."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from backlight.cli.options import DATA, NETWORK_SIZES, TRAINING, Corpus, ModelName, Seed, grouped, run_config, words
from backlight.cli.output import Json, command, console, one_line, print_json, table
from backlight.training import RateSweep, Run, find_rate
from backlight.training.finder import HIGHEST, LOWEST, STEPS

_ROWS_A_DECADE = 3
_BAR = 30
_SWEEP = "Sweep"

STEPPING = TRAINING.without("steps", "lr", "schedule", "warmup", "ema_decay", "eval_interval", "patience")


@grouped
def find_lr(
    *,
    corpus: Corpus = None,
    model: ModelName = "mlp",
    sizes: Annotated[dict[str, Any], NETWORK_SIZES],
    training: Annotated[dict[str, Any], STEPPING],
    seed: Seed = 1,
    data: Annotated[dict[str, Any], DATA],
    lowest: Annotated[
        float, typer.Option("--from", help="Learning rate of the first step.", rich_help_panel=_SWEEP)
    ] = LOWEST,
    highest: Annotated[
        float, typer.Option("--to", help="Learning rate of the last step.", rich_help_panel=_SWEEP)
    ] = HIGHEST,
    steps: Annotated[int, typer.Option("--steps", help="Maximum training steps.", rich_help_panel=_SWEEP)] = STEPS,
    figure: Annotated[Path | None, typer.Option(help="Plot the sweep to a .png or .svg file.", metavar="FILE")] = None,
    json_output: Json = False,
) -> None:
    """Find a learning rate by a short sweep from low to high rates.

    No run is saved. The suggested rate is the peak of a schedule, for `backlight train --lr`.
    """
    config = run_config(corpus, model, sizes, training, data, seed=seed)
    sweep = find_rate(Run.create(config), lowest=lowest, highest=highest, steps=steps)
    out = console(json_output=json_output)
    out.print(
        f"{model} on {one_line(config.source)}: {sweep.optimiser}, batches of {sweep.batch_size}, "
        f"{sweep.steps} steps at rates from {sweep.rates[0]:.2g} to {sweep.rates[-1]:.2g}\n"
    )
    out.print(_curve(sweep))
    out.print(f"\n{sweep.reason}")
    train = None
    if sweep.suggestion is not None:
        train = command("train", *words(corpus, model, data, sizes, training), "--lr", sweep.suggestion)
        out.print(f"\nTry {sweep.suggestion:g}:  {train}", soft_wrap=True)
    if figure is not None:
        _draw(sweep, figure)
        out.print(f"\nThe figure is in {figure}.", soft_wrap=True)
    if json_output:
        print_json({"model": model, "corpus": config.corpus, "seed": seed, **sweep.to_json(), "train": train})


def _curve(sweep: RateSweep) -> Any:
    """Return a table of the smoothed loss at a few rates, with bars."""
    rates, losses = np.asarray(sweep.rates), np.asarray(sweep.smoothed)
    decades = float(np.log10(rates[-1] / rates[0]))
    shown = np.unique(np.linspace(0, len(rates) - 1, max(2, round(decades * _ROWS_A_DECADE) + 1)).astype(int))
    # only losses up to the minimum set the scale: those after divergence would dwarf them
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
