"""`backlight export`: write a model for another program."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from backlight.cli.opening import open_model
from backlight.cli.output import RUNS, Json, RunsFolder, console, one_line, print_json


def export(
    run: Annotated[Path, typer.Argument(help="A run's folder or name.", metavar="RUN", readable=False)],
    to: Annotated[
        Literal["hf", "onnx", "gguf", "torch"],
        typer.Option(help="The format: a Hugging Face folder, ONNX, GGUF, or a folder for PyTorch alone."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The file or folder to make. Default: named after the run.", readable=False),
    ] = None,
    numbers: Annotated[
        Literal["f32", "f16"] | None, typer.Option("--type", help="The type of the weights; f16 in a GGUF only.")
    ] = None,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Write a model for another program, and check it with that program.

    The other program reads what was written and must compute the same logits; otherwise nothing is left.
    """
    model = open_model(run, runs)
    made = model.export(out, to=to, numbers=numbers)
    out_console = console(json_output=json_output)
    texts = "held-out text" if made.held_out else "text drawn from the model, since that of the run cannot be read"
    out_console.print(f"Wrote {one_line(str(made.path))}.")
    out_console.print(
        f"{made.reader} computes the same logits: at {made.positions:,} positions of {texts}, the largest difference "
        f"is {made.difference:.1e} (accepted: {made.bound:.1e}; largest logit: {made.largest:.1f}).",
        soft_wrap=True,
    )
    if json_output:
        print_json(
            {
                "path": str(made.path), "to": to, "reader": made.reader, "difference": made.difference,
                "bound": made.bound, "largest_logit": made.largest, "positions": made.positions,
                "held_out": made.held_out,
            }
        )  # fmt: skip
