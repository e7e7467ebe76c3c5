"""`backlight score`: print the negative log-likelihood of each line of a file."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from backlight.cli.opening import open_model
from backlight.cli.options import READING, grouped
from backlight.cli.output import RUNS, Json, RunsFolder, console, one_line, print_json, shortened, table
from backlight.nn.compact import Weights
from backlight.sample import Score, order
from backlight.sample.score import Order
from backlight.text import Reading
from backlight.training import bits

_SHOWN = 200  # characters of an item that are printed; the JSON object has all of them


@grouped
def score(
    *,
    run: Annotated[Path, typer.Argument(help="A run's folder or name.", metavar="RUN", readable=False)],
    file: Annotated[str, typer.Argument(help="A file, a corpus's name, or - for standard input.", metavar="FILE")],
    sort: Annotated[Order, typer.Option(help="Most surprising first, most typical first, or in file order.")] = "odd",
    top: Annotated[int | None, typer.Option(help="Print only this many lines.", min=1)] = None,
    per_character: Annotated[
        bool, typer.Option("--per-character", help="Also show the nats of each character.")
    ] = False,
    label: Annotated[
        str | None, typer.Option(help="Label of all lines, for a model trained with --label.", metavar="VALUE")
    ] = None,
    weights: Annotated[
        Weights, typer.Option(help="Type in which a gpt keeps its weights: fewer bits take less memory and time.")
    ] = "float32",
    reading: Annotated[dict[str, Any], READING.without("label")],
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Print the negative log-likelihood of each line of a file.

    The most surprising line, by nats per character, comes first.
    """
    model = open_model(run, runs, weights)
    corpus = model.run.read_alike(file, Reading(**reading))
    scores = model.scores(corpus, label=label)
    known = [one for one in scores if not one.unknown]
    if not known and not model.run.ends:
        model.vocabulary.encode_items(corpus.items)  # raises an error that names the place of the unknown character
    targets = sum(one.targets for one in known)
    mean = sum(one.nats for one in known) / targets if targets else None
    shown = order(scores, sort)[:top]
    out = console(json_output=json_output)
    for note in corpus.notes:
        out.print(one_line(note), soft_wrap=True)
    rows = table("nats/char", "nats", "item", text=("item",))
    for one in shown:
        rows.add_row(f"{one.nats_per_character:.3f}", f"{one.nats:.2f}", _item(one, spelled=per_character))
    out.print(rows)
    if mean is not None:
        out.print(
            f"\n{len(known):,} lines, {targets:,} characters: {mean:.4f} nats = {bits(mean):.4f} bits per character"
        )
    if len(known) < len(scores):
        unknown = "".join(sorted({character for one in scores for character in one.unknown}))
        left_out = "\nNo line can be read: all" if mean is None else "Left out of this mean:"
        out.print(
            f"{left_out} {len(scores) - len(known):,} with characters that the vocabulary does not have: "
            f"{shortened(unknown, 40)}", soft_wrap=True,
        )  # fmt: skip
    if json_output:
        print_json(
            {
                "run": str(model.run.path), "lines": len(known), "characters": targets, "nats_per_character": mean,
                "unreadable": len(scores) - len(known),
                "scores": [_figures(one, spelled=per_character) for one in shown],
            }
        )  # fmt: skip


def _item(one: Score, *, spelled: bool) -> str:
    if not spelled:
        return shortened(one.text, _SHOWN)
    spelling = " ".join(f"{label} {nats:.2f}" for label, nats in one.per_character[:_SHOWN])
    return shortened(one.text, _SHOWN) + "\n" + spelling


def _figures(one: Score, *, spelled: bool) -> dict[str, object]:
    figures: dict[str, object] = {"text": one.text, "nats": one.nats, "nats_per_character": one.nats_per_character}
    if math.isinf(one.nats):  # both are null in JSON
        figures["infinite"] = True
    if one.unknown:
        figures["unknown"] = one.unknown
    return {**figures, "per_character": [list(pair) for pair in one.per_character]} if spelled else figures
