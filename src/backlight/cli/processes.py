"""Training in several processes: the start of a group, the processes' parts in it, and what is said when one ends."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from backlight.core import BacklightError, ConfigError, RunError
from backlight.runs import RunDirectory
from backlight.runs.following import FollowedRun
from backlight.training import EngineConfig, Run
from backlight.training.engines import check_engine
from backlight.training.group import ALONE, ProcessGroup, process_count

STOPPED = 130


def is_first() -> bool:
    """Return whether this is the process of its group that writes and prints; one alone always is."""
    return process_count() == 1 or os.environ.get("RANK", "0") == "0"


def group_of(engine: EngineConfig, devices: int | None, files: Sequence[str]) -> ProcessGroup:
    """Return the group of this process. If `devices` asks for more processes, start them, and exit when they end.

    Args:
        engine: what computes the training.
        devices: the number of processes to start; None starts none.
        files: the files of the text.

    Raises:
        ConfigError: several processes without the torch engine, or with a text on standard input.
        RunError: a process of the group was ended by a signal.
    """
    wanted = max(process_count(), devices or 1)
    if wanted > 1 and engine.engine != "torch":
        raise ConfigError(
            f"several processes train with the engine torch; got {wanted} with {engine.engine}. Add --engine torch."
        )
    if wanted > 1 and "-" in files:
        raise ConfigError("several processes cannot share standard input; got - as the text. Give a file.")
    if process_count() > 1:
        from backlight.pytorch.group import TorchGroup

        return TorchGroup(engine.device)
    return ALONE if wanted == 1 else _start(wanted)


def _start(count: int) -> NoReturn:
    from backlight.pytorch.group import ended_by_signal, start_group

    codes = start_group(count, sys.argv[1:])
    names = [name for name in map(ended_by_signal, codes) if name is not None and name != "SIGTERM"]
    if names == ["SIGINT"]:
        raise typer.Exit(STOPPED)
    if names and 1 not in codes:  # otherwise the first process has said what is to be done
        raise RunError(f"a process of the group was ended by {names[0]}. Resume the run: backlight train --resume RUN.")
    raise typer.Exit(max((code for code in codes if code > 0), default=1 if codes else 0))


def made_together(group: ProcessGroup, engine: EngineConfig, make: Callable[[], Run]) -> Run:
    """Return the run that the first process makes or opens, in each process of a group.

    Raises:
        BacklightError: what `make` raised in the first process.
    """
    made: list[Run] = []

    def first() -> Path:
        made.append(make())
        return made[0].path

    path = group.from_first(first)
    run = made[0] if made else Run.open(FollowedRun.follow(path))
    run.engine, run.group = engine, group
    check_engine(engine, run.network, group, run.config)
    return run


def begun_before(path: Path | None) -> Run | None:
    """Return the run of a group that `torchrun --max-restarts` has started again; None at its first start.

    Args:
        path: the run's folder, by which it is found; None if it was given no name.

    Raises:
        ConfigError: the run has no name, by which it would be found.
    """
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) == 0:
        return None
    if path is None:
        raise ConfigError("a group that is started again finds its run by its name; got none. Add --name.")
    return Run.open(RunDirectory.open(path)) if path.is_dir() else None


@contextmanager
def first_speaks() -> Iterator[None]:
    """Context manager in which an error is raised in the first process, and ends the others without a word."""
    try:
        yield
    except BacklightError as error:
        if is_first():
            raise
        raise typer.Exit(1) from error
