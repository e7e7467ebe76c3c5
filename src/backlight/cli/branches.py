"""Branches on the command line: what `train --at-step` takes, and what is said of the checkpoints that a run keeps."""

from pathlib import Path

from rich.console import Console

from backlight.cli.output import called, command
from backlight.core import ConfigError
from backlight.runs.kept import kept_steps
from backlight.training import Run


def check_branch(step: int | None, start: Path | None, corpus: list[str] | None, *, recorded: bool) -> None:
    """Check what is given with `--at-step`.

    Args:
        step: the step; None if it is not given, and nothing is checked.
        start: the run of `--from`.
        corpus: the files.
        recorded: whether an option says what is recorded.

    Raises:
        ConfigError: no run is given, or something that a branch takes from its parent.
    """
    if step is None:
        return
    if start is None:
        raise ConfigError("--at-step is a step of another run; got no run. Name it: --from RUN.")
    if corpus:
        raise ConfigError(
            "a branch goes on with the text of its parent; got a file. Leave it out, or leave out --at-step."
        )
    if recorded:
        raise ConfigError("a branch records what its parent does; got --health or --line. Leave it out.")


def say_kept(run: Run, out: Console) -> None:
    """Print which checkpoints a run has kept, their size, and the command that branches from one."""
    kept = kept_steps(run.store)
    if not kept:
        return
    branch = command("train", "--from", called(run.path, name=False), "--at-step", next(iter(kept)))
    out.print(f"Kept checkpoints, {kept_line(kept)}. To branch from one:\n  {branch}", soft_wrap=True)


def kept_line(kept: dict[int, int]) -> str:
    """Return the steps of kept checkpoints and their size, in a line."""
    return f"{sum(kept.values()) / 1e6:,.1f} MB: {', '.join(f'{step:,}' for step in kept)}"
