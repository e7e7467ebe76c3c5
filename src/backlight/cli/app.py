"""The command `backlight`: its commands, and what happens when one of them cannot go on."""

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from backlight.cli import data, runs, sample, score, train
from backlight.core import BacklightError

app = typer.Typer(
    name="backlight",
    help="Train small language models written by hand, and look through them: more things like the ones in your file.",
    epilog="Start here:  backlight train  learns 32,257 names in seconds and prints new ones.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"backlight {version('backlight')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    del version


app.command("train", epilog="Example:  backlight train names.txt --model mlp --steps 2000")(train.train)
app.command("sample", epilog="Example:  backlight sample names-mlp-1 --count 50 --prefix mar --temperature 0.8")(
    sample.sample
)
app.command("score", epilog="Example:  backlight score names-mlp-1 names.txt --top 20")(score.score)
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")


def main() -> None:
    """Run the command line; the exit code is 0, 1 for input that cannot be used, 2 for wrong usage, 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name is never worth a traceback, whatever the terminal can show
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except BacklightError as error:
        fail(str(error))
    except OSError as error:
        # what is left here is the machine's own refusal, such as a full disk under standard output
        fail(f"the system refused: {error}. Free space, or choose another place.")
    except MemoryError:
        fail("there is not enough memory for this. Take a shorter text, a smaller model or a smaller batch.")


def fail(message: str) -> None:
    """Print one line on standard error and leave with code 1."""
    sys.stderr.write("backlight: " + " ".join(message.split("\n")) + "\n")
    sys.exit(1)
