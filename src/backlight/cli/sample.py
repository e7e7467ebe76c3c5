"""`backlight sample`: sample new items from a trained model."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from backlight.cli.output import RUNS, Json, RunsFolder, console, one_line, open_run, print_json, visible
from backlight.core.settings import settings_in
from backlight.model import STREAM_LENGTH, Model
from backlight.sample import Sample, SampleConfig
from backlight.text import normalised
from backlight.training import Run

_HELP = {name: about.help for name, (_, _, about) in settings_in(SampleConfig).items()}


def sample(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run's folder or name. Default: the newest run.", metavar="RUN", readable=False),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", help="Number of samples. Default: 20, or 1 of running text.", min=1)
    ] = None,
    temperature: Annotated[float, typer.Option(help=_HELP["temperature"])] = 1.0,
    top_k: Annotated[int | None, typer.Option(help=_HELP["top_k"])] = None,
    top_p: Annotated[float | None, typer.Option(help=_HELP["top_p"])] = None,
    prefix: Annotated[str, typer.Option(help=_HELP["prefix"])] = "",
    max_length: Annotated[
        int | None, typer.Option(help=f"{_HELP['max_length']} Default: 64, or {STREAM_LENGTH} of running text.")
    ] = None,
    novel: Annotated[bool, typer.Option("--novel", help="Leave out items in the training data.")] = False,
    unique: Annotated[bool, typer.Option("--unique", help="Leave out duplicates.")] = False,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Show each character's probability.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Random seed; omit it for different samples each time.", min=0)
    ] = None,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Sample new items from a trained model."""
    model = Model(Run.open(open_run(run, runs)))
    ends = model.run.ends
    used = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    length = max_length if max_length is not None else (64 if ends else STREAM_LENGTH)
    prefix = normalised(prefix, model.run.config.reading.normalise)
    config = SampleConfig(temperature=temperature, top_k=top_k, top_p=top_p, prefix=prefix, max_length=length)
    found = model.draw(count or (20 if ends else 1), config, novel=novel, unique=unique, seed=used)
    if json_output:
        print_json({"run": str(model.run.path), "seed": used, "samples": [_figures(one, model.run) for one in found]})
        return
    out = console()
    several_lines = ends and any("\n" in one.text for one in found)
    for nth, one in enumerate(found):
        if several_lines and nth:
            out.print()
        out.print(visible(model.run.composed(one.text)), soft_wrap=True)
        if probabilities:
            out.print("  " + _spelled(one, prefix, model.vocabulary.label(0)), soft_wrap=True, style="dim")


def _figures(one: Sample, run: Run) -> dict[str, object]:
    return {
        "text": run.composed(one.text),
        "nats": one.nats,
        "ended": one.ended,
        "probabilities": list(one.probabilities),
    }


def _spelled(one: Sample, prefix: str, end: str) -> str:
    """Return each drawn character, or other token, with its probability under the model."""
    drawn = [*(one.tokens or one.text[len(prefix) :]), *([end] if one.ended else [])]
    shown = (one_line(c) for c in drawn)
    return " ".join(f"{c} {p:.2f}" for c, p in zip(shown, one.probabilities, strict=True))
