"""One process trains a run at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backlight.core import RunError
from backlight.runs.failures import cannot_write, shown
from backlight.runs.locking import lock, opened_for_lock

HOLDER = ".lock"
"""Names the process that trains the run. The folder itself is what is locked, so deleting this file changes nothing."""


@contextmanager
def only_trainer(run: Path) -> Iterator[None]:
    """Hold a run for training while the block runs. The lock ends with the process, however that ends.

    Raises:
        RunError: another process holds the run, or the disk refused.
    """
    try:
        descriptor = opened_for_lock(run)
    except OSError as error:
        raise cannot_write(run, error, state="the run is untouched") from error
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
            f"Only one process may train a run at a time; {shown(run)} is being trained by {_holder(run)}. "
            "Wait for it, stop it, or start a new run."
        ) from error
    except OSError as error:
        raise cannot_write(run / HOLDER, error, state="the run is untouched") from error


def _holder(run: Path) -> str:
    with suppress(OSError, ValueError):
        return f"process {int((run / HOLDER).read_bytes()[:32])}"
    return "another process"
