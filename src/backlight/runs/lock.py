"""A lock, so that one process trains a run at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backlight.core import RunError
from backlight.runs.failures import cannot_write, shown
from backlight.runs.locking import lock, opened_for_lock

HOLDER = ".lock"
"""The file with the id of the process that trains the run. The folder itself is locked, so deleting it is harmless."""


@contextmanager
def only_trainer(run: Path) -> Iterator[None]:
    """Context manager that locks a run for training. The lock ends with the process, however it ends.

    Raises:
        RunError: another process holds the lock, or the folder cannot be written.
    """
    try:
        descriptor = opened_for_lock(run)
    except OSError as error:
        raise cannot_write(run, error, state="the run is unchanged") from error
    try:
        _hold(descriptor, run)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, run: Path) -> None:
    try:
        lock(descriptor)
        (run / HOLDER).write_text(f"{os.getpid()}\n", encoding="ascii")
    except BlockingIOError as error:
        raise RunError(
            f"only one process may train a run at a time; {shown(run)} is being trained by {_holder(run)}. "
            "Wait for it, stop it, or start a new run."
        ) from error
    except OSError as error:
        raise cannot_write(run / HOLDER, error, state="the run is unchanged") from error


def _holder(run: Path) -> str:
    with suppress(OSError, ValueError):
        return f"process {int((run / HOLDER).read_bytes()[:32])}"
    return "another process"
