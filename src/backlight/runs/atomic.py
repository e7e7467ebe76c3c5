"""Atomic writes: a file or folder is written completely or not at all, even if the process is killed.

Everything is first written under a temporary name in the same folder and then renamed, which is atomic. The writer also
holds a lock, on a separate file, since Windows cannot lock folders or rename open files. The lock ends with the
process, so a temporary file whose lock is free can be removed.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backlight.runs.failures import cannot_read, cannot_write
from backlight.runs.locking import lock, replace

_SUFFIX, _LOCK_SUFFIX = ".backlight-partial", ".backlight-lock"
_BINARY = getattr(os, "O_BINARY", 0)  # otherwise, Windows writes line ends as two bytes


def write_atomically(path: str | Path, data: bytes) -> None:
    """Replace the content of a file atomically.

    A reader sees either the old file or the new one, even after a kill. The data is flushed to the disk before the file
    is renamed, so this also holds after a power failure.

    Args:
        path: the file to make or to replace; its folder must exist.
        data: the new content.

    Raises:
        RunError: the file cannot be written (disk full, no permission, ...); an existing file is unchanged.
    """
    path = Path(path)
    try:
        with _temporary(path.parent) as temporary:
            _write_new(temporary, data)
            replace(temporary, path)
    except OSError as error:
        old_is_there = os.path.isfile(path)  # noqa: PTH113  Path.is_file raises where the folder may not be searched
        state = "the old file is unchanged" if old_is_there else "nothing was written"
        raise cannot_write(path, error, state=state) from error


def create_folder_atomically(path: Path, files: dict[str, bytes]) -> None:
    """Make a folder with files atomically. Missing parent folders are made.

    Args:
        path: the folder to make; it must not exist.
        files: the content of each file, by name.

    Raises:
        RunError: the folder cannot be made; nothing is left of it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with _temporary(path.parent) as temporary:
            temporary.mkdir()
            for name, data in files.items():
                _write_new(temporary / name, data)
            temporary.rename(path)
    except OSError as error:
        raise cannot_write(path, error, state="no run was made") from error


@contextmanager
def placed_atomically(path: Path) -> Iterator[Path]:
    """Context manager that yields a temporary path, and moves what is made there to `path`, unless the block raises.

    Args:
        path: the file or folder to make. Missing parent folders are made.

    Raises:
        RunError: `path` exists, or cannot be made; nothing is left of it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with _temporary(path.parent) as temporary:
            _check_free(path)
            yield temporary
            _check_free(path)
            temporary.rename(path)
    except OSError as error:
        if error.errno is None:  # not of the operating system, but of a library
            raise
        raise cannot_write(path, error, state="nothing was written") from error


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder, but not those of running processes.

    Files that cannot be removed, as in a read-only folder, are ignored: they only take space.
    """
    for held in folder.glob(f".*{_LOCK_SUFFIX}"):
        with suppress(OSError):
            with _opened(held, os.O_RDWR) as descriptor:
                lock(descriptor)
                _remove(held.with_suffix(_SUFFIX))
                with suppress(PermissionError):  # Windows cannot remove an open file; elsewhere it must be still locked
                    _remove(held)
            _remove(held)
    for path in folder.glob(f".*{_SUFFIX}"):
        if not path.with_suffix(_LOCK_SUFFIX).exists():
            with suppress(OSError):
                _remove(path)


def read_whole(path: Path, *, remedy: str) -> bytes:
    """Return the bytes of a file.

    Raises:
        RunError: it cannot be read; the message ends with `remedy`.
    """
    try:
        _check_regular(path)
        return path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error, remedy=remedy) from error


def _check_regular(path: Path) -> None:
    """Raise OSError for anything but a file: reading a pipe would block, and a device may be endless."""
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # reading a folder raises an error anyway
        raise OSError(errno.EINVAL, "it is not a regular file")


def _check_free(path: Path) -> None:
    if os.path.lexists(path):  # a file would be replaced
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """Yield a new temporary path, which `sweep` does not remove. It is removed at the end if it still exists."""
    while True:
        path = folder / f".{secrets.token_hex(8)}{_SUFFIX}"
        held = path.with_suffix(_LOCK_SUFFIX)
        with _removed_at_the_end(path, held), _opened(held, os.O_RDWR | os.O_CREAT | os.O_EXCL) as descriptor:
            if _claimed(held, descriptor):
                yield path
                return


def _claimed(path: Path, descriptor: int) -> bool:
    """Lock a file that was just made. Return False if a sweep removed it before it was locked."""
    try:
        lock(descriptor)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


@contextmanager
def _removed_at_the_end(*paths: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for path in paths:
            with suppress(OSError):  # it was renamed; or it cannot be removed, and the next sweep tries again
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | _BINARY, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_new(path: Path, data: bytes) -> None:
    with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
        _write_all(descriptor, data)
        os.fsync(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes: one call of os.write may write only some."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
