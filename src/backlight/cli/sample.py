"""`backlight sample`: more things like the ones in the file."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from backlight.cli.output import RUNS, Json, RunsFolder, Seed, console, one_line, open_run, print_json, visible
from backlight.core import ConfigError
from backlight.sample import Sample, SampleConfig, sample_items
from backlight.training import load_model


def sample(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run's folder or name; the newest if left out.", metavar="RUN", readable=False),
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", help="How many: 20, or 1 of a stream.", min=1)] = None,
    temperature: Annotated[
        float, typer.Option(help="Below 1 plays safe, above 1 dares; 0 is always the likeliest.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw from this many likeliest characters only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Draw from the fewest that together have this probability.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="What each one starts with.")] = "",
    max_length: Annotated[int | None, typer.Option(help="Most characters to draw: 64, or 500 of a stream.")] = None,
    novel: Annotated[bool, typer.Option("--novel", help="Only what is not in the training file.")] = False,
    unique: Annotated[bool, typer.Option("--unique", help="Each one once.")] = False,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Show each character's probability.")] = False,
    seed: Seed = None,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Draw new items from a trained model."""
    opened = open_run(run, runs)
    model, vocabulary = load_model(opened)
    ends = opened.config["corpus"]["mode"] == "items"
    if novel and not ends:
        raise ConfigError("--novel compares items, and this run has learnt one stream of text. Leave it out.")
    used = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    length = max_length if max_length is not None else (64 if ends else 500)
    config = SampleConfig(temperature=temperature, top_k=top_k, top_p=top_p, prefix=prefix, max_length=length)
    found = sample_items(
        model, vocabulary, count or (20 if ends else 1), config=config, rng=np.random.default_rng(used),
        novel_to=opened.load_training_hashes() if novel else None, unique=unique, ends=ends,
    )  # fmt: skip
    if json_output:
        print_json({"run": str(opened.path), "seed": used, "samples": [_figures(one) for one in found]})
        return
    out = console()
    for one in found:
        out.print(visible(one.text), soft_wrap=True)
        if probabilities:
            out.print("  " + _spelled(one, prefix, vocabulary.label(0)), soft_wrap=True, style="dim")


def _figures(one: Sample) -> dict[str, object]:
    return {"text": one.text, "nats": one.nats, "ended": one.ended, "probabilities": list(one.probabilities)}


def _spelled(one: Sample, prefix: str, end: str) -> str:
    """Return each drawn character with its probability under the model."""
    drawn = [*one.text[len(prefix) :], *([end] if one.ended else [])]
    shown = (one_line(c) for c in drawn)
    return " ".join(f"{c} {p:.2f}" for c, p in zip(shown, one.probabilities, strict=True))
