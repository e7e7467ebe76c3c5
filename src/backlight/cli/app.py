"""The command `backlight`: its commands, and what happens when one of them fails."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from backlight.cli.commands import Commands, alias, list_all
from backlight.cli.output import one_line
from backlight.core import BacklightError

app = typer.Typer(
    name="backlight",
    cls=Commands,
    help="Train small language models, written by hand in NumPy, on your own text, and inspect them.",
    epilog="Start here:  backlight train  learns 32,257 names in seconds and prints new ones.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": alias},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"backlight {version('backlight')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version


list_all(app)


def main() -> None:
    """Run the command line; the exit code is 0, 1 for input that cannot be used, 2 for wrong usage, 130 for Ctrl-C."""
    _prepare_streams()
    try:
        _run()
    except BacklightError as error:
        _fail(str(error))
    except BrokenPipeError:
        _leave()  # the reader, such as `head`, has read enough
    except OSError as error:
        # what is left here is the machine's own refusal, such as a full disk under standard output
        _fail(f"the system must do what is asked; it refused: {error}. Free space, or choose another place.")
    except MemoryError:
        _fail("there is not enough memory for this. Take a shorter text, a smaller model or a smaller batch.")


def _run() -> None:
    try:
        app()
    finally:
        sys.stdout.flush()  # the last moment at which a refusal can be reported


def _prepare_streams() -> None:
    """Make both outputs take every character: a name is never worth a traceback, whatever the terminal can show."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  open to the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str) -> NoReturn:
    """Print one line on standard error and leave with code 1."""
    sys.stderr.write(f"backlight: {one_line(message)}\n")
    _leave()


def _leave() -> NoReturn:
    """Leave with code 1, and without a second complaint about what standard output still holds."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    sys.exit(1)
