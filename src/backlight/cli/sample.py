"""`backlight sample`: sample new items from a trained model."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from backlight.cli.opening import open_model
from backlight.cli.output import (
    RUNS,
    Json,
    RunsFolder,
    console,
    marked,
    one_line,
    print_json,
    visible,
)
from backlight.cli.saving import write_samples, writer
from backlight.core.settings import settings_in
from backlight.nn.compact import Weights
from backlight.sample import Sample, SampleConfig
from backlight.text import normalised
from backlight.text.labels import split
from backlight.training import Run

_HELP = {name: about.help for name, (_, _, about) in settings_in(SampleConfig).items()}
_SHAPE, _LEFT_OUT = "Conditions that every sample meets", "Samples to leave out"


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
    max_length: Annotated[
        int | None,
        typer.Option(help=f"{_HELP['max_length']} Default: 1.5 times the length of the longest training item."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Label of all samples, of a model trained with --label.", rich_help_panel=_SHAPE),
    ] = None,
    prefix: Annotated[str, typer.Option(help=_HELP["prefix"], rich_help_panel=_SHAPE)] = "",
    min_length: Annotated[int, typer.Option(help=_HELP["min_length"], rich_help_panel=_SHAPE)] = 0,
    contains: Annotated[str, typer.Option(help=_HELP["contains"], rich_help_panel=_SHAPE)] = "",
    ends_with: Annotated[str, typer.Option(help=_HELP["ends_with"], rich_help_panel=_SHAPE)] = "",
    template: Annotated[str, typer.Option(help=_HELP["template"], rich_help_panel=_SHAPE)] = "",
    pattern: Annotated[str, typer.Option(help=_HELP["pattern"], rich_help_panel=_SHAPE)] = "",
    novel: Annotated[
        bool, typer.Option("--novel", help="Leave out items in the training data.", rich_help_panel=_LEFT_OUT)
    ] = False,
    unique: Annotated[bool, typer.Option("--unique", help="Leave out duplicates.", rich_help_panel=_LEFT_OUT)] = False,
    min_distance: Annotated[
        int | None,
        typer.Option(
            help="Least edit distance (characters inserted, deleted or replaced) to every training item; 1 is the same "
            "as --novel.",
            rich_help_panel=_LEFT_OUT,
        ),
    ] = None,
    avoid: Annotated[
        Path | None,
        typer.Option(help="Leave out samples that contain a word of this file.", rich_help_panel=_LEFT_OUT),
    ] = None,
    valid: Annotated[
        str | None,
        typer.Option(
            help="Keep only samples that this command prints; it reads all of them from standard input.",
            metavar="COMMAND", rich_help_panel=_LEFT_OUT,
        ),
    ] = None,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Show each character's probability.")] = False,
    weights: Annotated[
        Weights, typer.Option(help="Type in which a gpt keeps its weights: fewer bits take less memory and time.")
    ] = "float32",
    seed: Annotated[
        int | None, typer.Option(help="Random seed; omit it for different samples each time.", min=0)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the samples to this file: .txt, .csv or .jsonl.", readable=False)
    ] = None,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:  # fmt: skip
    """Sample new items from a trained model."""
    if out is not None:
        writer(out)  # an error shows before anything is drawn
    model = open_model(run, runs, weights)
    ends = model.run.ends
    used = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    form = model.run.config.reading.normalise
    config = SampleConfig(
        temperature=temperature, top_k=top_k, top_p=top_p, prefix=normalised(prefix, form),
        max_length=model.run.sample_length if max_length is None else max_length,
        min_length=min_length, contains=normalised(contains, form),
        ends_with=normalised(ends_with, form), template=template, pattern=pattern,
    )  # fmt: skip
    checks = model.checks(avoid=() if avoid is None else avoid, min_distance=min_distance, valid=valid)
    tally: Counter[str] = Counter()
    found = model.draw(
        count or (20 if ends else 1), config, novel=novel, unique=unique, checks=checks, label=label, seed=used,
        tally=tally,
    )  # fmt: skip
    drawn = found
    found = [replace(one, text=model.run.composed(one.text, label=label)) for one in drawn]
    if checks:
        console(json_output=True).print(_told(tally), soft_wrap=True)
    if out is not None:
        write_samples(out, found, ends=ends)
        console(json_output=json_output).print(f"{len(found):,} samples are in {one_line(str(out))}.", soft_wrap=True)
    if json_output:
        left_out = {reason: number for reason, number in tally.items() if reason != "drawn"}
        figures = {"run": str(model.run.path), "seed": used, "drawn": tally["drawn"], "left_out": left_out}
        print_json({**figures, "samples": [_figures(one) for one in found]})
        return
    lines = console()
    several_lines = ends and any("\n" in one.text for one in found)
    for nth, one in enumerate(found if out is None else ()):
        if several_lines and nth:
            lines.print()
        lines.print(visible(marked(one, ends=ends)), soft_wrap=True)
        if probabilities:
            lines.print("  " + _spelled(drawn[nth], prefix, label, model.run), soft_wrap=True, style="dim")


def _told(tally: Counter[str]) -> str:
    """Return how many of the draws were kept, and why the others were not."""
    reasons = {reason: number for reason, number in tally.items() if reason != "drawn"}
    drawn, kept = tally["drawn"], tally["drawn"] - sum(reasons.values())
    told = "; ".join(f"{number:,} {reason}" for reason, number in reasons.items() if number)
    return f"{kept:,} of {drawn:,} draws pass ({kept / drawn:.1%}){f': {told}' if told else ''}."


def _figures(one: Sample) -> dict[str, object]:
    return {"text": one.text, "nats": one.nats, "ended": one.ended, "probabilities": list(one.probabilities)}


def _spelled(one: Sample, prefix: str, label: str | None, run: Run) -> str:
    """Return each drawn character, or other token, or label, with its probability under the model."""
    begin = len(prefix) + (label is not None)
    drawn = [*(one.tokens or one.text[begin:]), *([run.vocabulary.label(0)] if one.ended else [])]
    shown = (one_line(split(c, run.config.reading.labels)[0] or c) for c in drawn)
    return " ".join(f"{c} {p:.2f}" for c, p in zip(shown, one.probabilities, strict=True))
