"""`backlight import`: make a run of a model that was trained elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from backlight.cli.output import RUNS, Json, RunsFolder, called, console, named, one_line, print_json
from backlight.model import Model
from backlight.pretrained import read_pretrained
from backlight.runs.directory import check_free


def import_(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder with a GPT-2: config.json, safetensors files and a tokenizer.",
            metavar="FOLDER",
            readable=False,
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the run. Default: that of the folder.")] = None,
    runs: RunsFolder = RUNS,
    json_output: Json = False,
) -> None:
    """Make a run of a GPT-2 that was trained elsewhere.

    Training goes on from the run with `backlight train FILE --from NAME`. What needs the text that the model was
    trained on, such as `health`, is refused. To use the model as it is, `sample`, `score` and `export` take the folder.
    """
    place = runs / folder.resolve().name if name is None else named(runs, name)
    check_free(place)  # before half a gigabyte is read
    model = Model(read_pretrained(folder))
    model.save(place)
    out = console(json_output=json_output)
    for note in model.run.notes:
        out.print(one_line(note), soft_wrap=True)
    sizes = model.network.config
    out.print(
        f"A gpt with {model.network.num_parameters():,} parameters, {sizes.n_layer} layers, context {sizes.context} "
        f"and {sizes.vocabulary_size:,} tokens.",
        soft_wrap=True,
    )
    run = called(place)
    out.print(f"The run is in {place}. Try:  backlight sample {run} --prefix 'The '", soft_wrap=True)
    if json_output:
        print_json({"run": str(place), "parameters": model.network.num_parameters()})
