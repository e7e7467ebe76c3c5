"""The table of commands. Each command is imported when it is called, so that `backlight --help` is fast."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import Any, Final

import typer
from typer.core import TyperGroup

from backlight.core.settings import RENAMED

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "train": (
        "Train a model on a list of items and print new ones.",
        "backlight train names.txt --model mlp --steps 2000",
    ),
    "sample": (
        "Sample new items from a trained model.",
        "backlight sample names-mlp-1 --count 50 --prefix mar",
    ),
    "explain": (
        "Explain every gradient of an expression or of a training step.",
        "backlight explain 'tanh(x*w + b)' --at x=2,w=-3,b=6.9 --walk",
    ),
    "score": (
        "Print the negative log-likelihood of each line of a file.",
        "backlight score names-mlp-1 names.txt --top 20",
    ),
    "export": (
        "Write a model for another program, and check it with that program.",
        "backlight export names-gpt-1 --to hf",
    ),
    "import": (
        "Make a run of a GPT-2 that was trained elsewhere.",
        "backlight import gpt2 --name gpt2",
    ),
    "figures": (
        "Draw the figures of a run: all of them, or only those named.",
        "backlight figures names-mlp-1 loss embedding --dark",
    ),
    "health": (
        "Diagnose a run: what is wrong, where, why, and what to try.",
        "backlight health names-mlp-1 --report",
    ),
    "report": (
        "Write the whole recording of a training as one HTML file.",
        "backlight report names-mlp-1",
    ),
    "page": (
        "Write a trained model as one HTML file, in which it runs in any browser.",
        "backlight page names-gpt-1",
    ),
    "studio": (
        "Watch trainings on a live page, start them and pause them.",
        "backlight studio names-mlp-1 --open",
    ),
    "find-lr": (
        "Find a learning rate by a short sweep from low to high rates.",
        "backlight find-lr names.txt --model gru",
    ),
    "gradcheck": (
        "Check every gradient against PyTorch and central differences.",
        "backlight gradcheck --model gpt",
    ),
    "compare": (
        "Train every model on the same text and compare them in a table.",
        "backlight compare brands.txt --models mlp,gru,gpt",
    ),
    "tokens": (
        "Show a text as tokens, with the merges that produced them.",
        "backlight tokens 'she sells sea shells' --train names.txt --size 300",
    ),
    "data": ("List the corpora, describe a corpus or a file, or encode texts as token files.", ""),
    "runs": ("List, show and compare runs.", ""),
    "lessons": ("List the lessons of the course, read one, or open its notebook.", ""),
    "worlds": (
        "Open a small world of a lesson in the browser, or list them.",
        "backlight worlds plane",
    ),
    "exercise": ("List, show and check the exercises of the course.", ""),
    "grade": (
        "Grade the notebooks and files of a class.",
        "backlight grade class --seed 7 --forbid autograd",
    ),
}
"""The first sentence of each command's help, and an example. A command without an example is a group, which has its
own. The module of a command has its name, and a keyword an underscore after it."""


_ALIASES: Final = {
    **{old.replace("_", "-"): new.replace("_", "-") for old, new in RENAMED.items()},
    "optimizer": "optimiser", "ladder": "compare",
}  # fmt: skip


def alias(token: str) -> str:
    """Return the current name of an option or command. The names of Backlight 0.1 still work, but help omits them."""
    return _ALIASES.get(token, token)


class Commands(TyperGroup):
    """The group of all commands: a command is imported when it is called, and not when it is only listed."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._listing = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or its placeholder while commands are listed; None if there is no such command."""
        if self._listing or cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return whole(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the list of all commands."""
        with self._only_listed():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return the commands that start with what was typed."""
        with self._only_listed():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _only_listed(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


def list_all(app: typer.Typer) -> None:
    """Register a placeholder for each command, with its name and help, in a Typer of the class `Commands`."""
    for name, (about, _) in COMMANDS.items():
        app.command(name, help=about)(_stands_for_another)


def whole(name: str) -> Any:
    """Import a command and return it."""
    called = name.replace("-", "_") + "_" * iskeyword(name)
    module = import_module(f"backlight.cli.{called}")
    host = typer.Typer(pretty_exceptions_enable=False)
    example = COMMANDS[name][1]
    if example:
        host.command(name, epilog=f"Example:  {example}")(getattr(module, called))
    else:
        host.add_typer(module.app, name=name)
    return typer.main.get_group(host).commands[name]


def _stands_for_another() -> None:
    raise AssertionError("a placeholder is listed, and never called")
