"""Locks that end with their process, however it ends, on Unix and Windows: of files, and of a run that is trained.

On Windows, a folder cannot be opened, and an open file can be neither renamed nor removed.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from backlight.core import RunError
from backlight.runs.failures import cannot_write, shown

try:
    import fcntl
except ImportError:
    WINDOWS = True
else:
    WINDOWS = False

_FAR = 2**30
"""The byte that is locked on Windows. Others cannot read it, so it is beyond the content of any file."""

HOLDER = ".lock"
"""The file with the id of the process that trains the run. The folder itself is locked, so deleting it is harmless."""

LOOK_SECONDS = (0.001, 0.005, 0.02)
"""Pauses in which whoever only looks at a lock lets go of it."""

_PATIENCE_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def opened_for_lock(path: Path) -> int:
    """Return a descriptor of a file or folder for `lock`. Closing it ends the lock.

    Raises:
        OSError: it cannot be opened.
    """
    if WINDOWS and path.is_dir():
        return os.open(path / ".held", os.O_RDWR | os.O_CREAT, 0o666)
    return os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)


def lock(descriptor: int) -> None:
    """Lock an open file or folder, without waiting.

    Raises:
        BlockingIOError: another descriptor, of this process or another, holds the lock.
        OSError: the file system does not support locks.
    """
    if not WINDOWS:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import msvcrt

    os.lseek(descriptor, _FAR, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except PermissionError as error:
        raise BlockingIOError(error.errno, error.strerror) from error


def replace(temporary: Path, path: Path) -> None:
    """Rename a file atomically, replacing an existing file.

    Raises:
        OSError: it cannot be renamed; on Windows, only after another process has kept the old file open for a second.
    """
    for seconds in _PATIENCE_SECONDS if WINDOWS else ():
        with suppress(PermissionError):
            temporary.replace(path)
            return
        time.sleep(seconds)
    temporary.replace(path)


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


def is_trained(run: Path) -> bool:
    """Return whether a process holds the lock of a run, this one or another. False if the system cannot tell.

    The lock is taken for a moment, and not by opening a file for it: a run without a lock file is not being trained.
    """
    if not (run / HOLDER).is_file():
        return False
    try:
        descriptor = opened_for_lock(run)
    except OSError:
        return False
    try:
        lock(descriptor)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _hold(descriptor: int, run: Path) -> None:
    try:
        _lock_within(descriptor, LOOK_SECONDS)
        (run / HOLDER).write_text(f"{os.getpid()}\n", encoding="ascii")
    except BlockingIOError as error:
        raise RunError(
            f"only one process may train a run at a time; {shown(run)} is being trained by {_holder(run)}. "
            "Wait for it, stop it, or start a new run."
        ) from error
    except OSError as error:
        raise cannot_write(run / HOLDER, error, state="the run is unchanged") from error


def _lock_within(descriptor: int, seconds: Sequence[float]) -> None:
    """Lock, trying again after each of some pauses: `is_trained` of another process holds the lock for a moment."""
    for pause in seconds:
        with suppress(BlockingIOError):
            lock(descriptor)
            return
        time.sleep(pause)
    lock(descriptor)


def _holder(run: Path) -> str:
    with suppress(OSError, ValueError):
        return f"process {int((run / HOLDER).read_bytes()[:32])}"
    return "another process"
