"""One process trains a run at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backlight.core import RunError
from backlight.runs.failures import cannot_write, shown

LOCK = ".lock"


@contextmanager
def only_trainer(run: Path) -> Iterator[None]:
    """Hold a run for training while the block runs. The lock ends with the process, however that ends.

    Raises:
        RunError: another process holds the run, or the lock file cannot be written.
    """
    path = run / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(path, error, state="the run is untouched") from error
    try:
        _hold(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        who = f"process {holder}" if holder.isdigit() else "another process"
        raise RunError(
            f"Only one process may train a run at a time; {shown(path.parent)} is being trained by {who}. "
            "Wait for it, stop it, or start a new run."
        ) from error
    except OSError as error:
        raise cannot_write(path, error, state="the run is untouched") from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise cannot_write(path, error, state="the run is untouched") from error
