"""What commands there are, and how each comes to be: when it is called, so that `--help` need not wait for all."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
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
        "Draw new items from a trained model.",
        "backlight sample names-mlp-1 --count 50 --prefix mar --temperature 0.8",
    ),
    "explain": (
        "Show where every gradient comes from: local derivative times gradient from above, summed over paths.",
        "backlight explain 'tanh(x*w + b)' --at x=2,w=-3,b=6.9 --walk",
    ),
    "score": (
        "Print the negative log-likelihood of each line of a file, most surprising first.",
        "backlight score names-mlp-1 names.txt --top 20",
    ),
    "figures": (
        "Draw the figures of a run: all that it can have, or those that are named.",
        "backlight figures names-mlp-1 loss embedding --dark",
    ),
    "health": (
        "List what is wrong with a network, the most serious first: what, where, by which numbers, and what to try.",
        "backlight train names --health; backlight health names-mlp-1 --report",
    ),
    "find-lr": (
        "Find a learning rate: train for some steps while it grows from tiny to huge, and see where the loss falls.",
        "backlight find-lr names.txt --model gru",
    ),
    "gradcheck": (
        "Check every gradient against PyTorch and central differences: all ops and layers, or a model's parameters.",
        "backlight gradcheck --model gpt",
    ),
    "compare": (
        "Train every model on one text, from bigrams to a GPT, and compare them in a table.",
        "backlight compare brands.txt --models mlp,gru,gpt",
    ),
    "tokens": (
        "Show a text as tokens, beside the merges that made them.",
        "backlight tokens 'she sells sea shells' --train names.txt --size 300",
    ),
    "data": ("List the corpora, or describe one or a file of yours.", ""),
    "runs": ("List, show and compare runs.", ""),
    "lessons": ("List the lessons of the course, read one, or open its notebook.", ""),
    "exercise": ("The exercises of the course: list, show, check, hint, reset. Progress is kept in this folder.", ""),
}
"""What each does, in the words of its own help, and an example. Those without one are groups, which have it themselves.
Each stands in the module of its name."""


_ALIASES: Final = {
    **{old.replace("_", "-"): new.replace("_", "-") for old, new in RENAMED.items()},
    "optimizer": "optimiser", "ladder": "compare",
}  # fmt: skip


def alias(token: str) -> str:
    """Return the name of an option or a command; those of Backlight 0.1 still work, and help does not list them."""
    return _ALIASES.get(token, token)


class Commands(TyperGroup):
    """The group of all commands: each is imported when it is called, and none when they are only listed."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._listing = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command whole, or what stands for it in the list; None if there is none of this name."""
        if self._listing or cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        return whole(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help with the list of all."""
        with self._only_listed():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return the commands that begin so."""
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
    """Let a Typer of the class `Commands` know the names of all commands, and what they do."""
    for name, (about, _) in COMMANDS.items():
        app.command(name, help=about)(_stands_for_another)


def whole(name: str) -> Any:
    """Return a command as its module has it."""
    module = import_module(f"backlight.cli.{name.replace('-', '_')}")
    host = typer.Typer(pretty_exceptions_enable=False)
    example = COMMANDS[name][1]
    if example:
        host.command(name, epilog=f"Example:  {example}")(getattr(module, name.replace("-", "_")))
    else:
        host.add_typer(module.app, name=name)
    return typer.main.get_group(host).commands[name]


def _stands_for_another() -> None:
    raise AssertionError("this is what is listed, and never what is called")
