"""Locks that end with their process, however that ends, as Unix and Windows have them.

What differs on Windows: a folder cannot be opened, and an open file can be neither renamed nor removed.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:
    WINDOWS = True
else:
    WINDOWS = False

_FAR = 2**30
"""The byte that is locked on Windows: nobody else can read it, so it lies beyond all content."""

_PATIENCE_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def opened_for_lock(path: Path) -> int:
    """Return a descriptor that stands for a file or a folder in `lock`. Closing it ends the lock.

    Raises:
        OSError: the system refused.
    """
    if WINDOWS and path.is_dir():
        return os.open(path / ".held", os.O_RDWR | os.O_CREAT, 0o666)
    return os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)


def lock(descriptor: int) -> None:
    """Lock an open file or folder, without waiting.

    Raises:
        BlockingIOError: another descriptor, of this process or another, holds it.
        OSError: the disk has no locks.
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
    """Give a file its name, in one step, in place of what has that name.

    Raises:
        OSError: the system refused; on Windows, only after a second in which somebody kept the old file open.
    """
    for seconds in _PATIENCE_SECONDS if WINDOWS else ():
        with suppress(PermissionError):
            temporary.replace(path)
            return
        time.sleep(seconds)
    temporary.replace(path)
