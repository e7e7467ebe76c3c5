"""The command `backlight`: its entry point, and how errors are reported."""

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
    epilog="Try:  backlight train  (trains on 32,257 names and prints new ones)",
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
    """Run the command line. Exit codes: 0, 1 for input that cannot be used, 2 for wrong usage, 130 for Ctrl-C."""
    _prepare_streams()
    try:
        _run()
    except BacklightError as error:
        _fail(str(error))
    except BrokenPipeError:
        _leave()  # the reader, such as `head`, has closed the pipe
    except OSError as error:
        # only refusals of the operating system are left here, such as a full disk under standard output
        _fail(f"the operating system refused: {error}. Free some space, or choose another folder.")
    except MemoryError:
        _fail("there is not enough memory. Use a shorter text, a smaller model or a smaller batch.")


def _run() -> None:
    try:
        app()
    finally:
        sys.stdout.flush()  # here, an error can still be reported


def _prepare_streams() -> None:
    """Let both streams accept every character: those that the terminal's encoding lacks are escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # the caller has closed it
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  stays open until exit
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str) -> NoReturn:
    """Print one line on standard error and exit with code 1."""
    sys.stderr.write(f"backlight: {one_line(message)}\n")
    _leave()


def _leave() -> NoReturn:
    """Exit with code 1, without a second error about what is still buffered for standard output."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    sys.exit(1)
