"""`backlight studio`: a live page of trainings, in the browser of this machine."""

import webbrowser
from importlib.util import find_spec
from typing import Annotated, Final

import typer

from backlight.cli.output import RUNS, Recording, RunsFolder, console, is_record, one_line
from backlight.core import ConfigError
from backlight.runs import find_run

_NEEDED: Final = ("starlette", "uvicorn", "websockets")


def studio(
    run: Recording = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port on this machine; 0 for any that is free. Default: as last time.", min=0, max=65535),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    runs: RunsFolder = RUNS,
) -> None:
    """Watch trainings on a live page, start them and pause them."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"the live page needs {', '.join(missing)}. Install: pip install 'backlight[studio]'")
    from backlight.studio.recording import RunRecording
    from backlight.studio.server.app import Studio
    from backlight.studio.server.serving import serve

    given = None
    if run is not None:
        given = run if is_record(run, runs) else find_run(run, runs).path
        RunRecording(given)  # says what is wrong with it before there is a page
    out = console()

    def ready(address: str) -> None:
        out.print(
            f"The page is at\n  {one_line(address)}\nOnly this machine can open it. Ctrl-C ends it, and no training."
        )
        if open_page:
            webbrowser.open(address)

    serve(Studio(runs=runs, given=given), port=port, ready=ready)
