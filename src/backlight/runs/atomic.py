"""Files and folders that are there whole or not at all, also after a kill at any moment.

Everything is first made under a temporary name in the same folder and then renamed: a rename is atomic. Beside its
temporary a writer holds a lock, on a file of its own since Windows locks no folders and renames no open files. The lock
ends with the process, so a temporary whose lock is free can be removed.
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
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would write every line end as two bytes


def write_atomically(path: str | Path, data: bytes) -> None:
    """Replace a file's content in one step.

    A reader finds the old file whole or the new file whole, also after a kill. The data is on the disk
    before the name points to it, so the same holds after a loss of power.

    Args:
        path: the file to make or to replace; its folder exists.
        data: all of the new content.

    Raises:
        RunError: the operating system refused (disk full, no permission, ...); what was there before still is.
    """
    path = Path(path)
    try:
        with _temporary(path.parent) as temporary:
            _write_new(temporary, data)
            replace(temporary, path)
    except OSError as error:
        old_is_there = os.path.isfile(path)  # noqa: PTH113  Path.is_file raises where the folder may not be searched
        state = "the old file is untouched" if old_is_there else "nothing was written"
        raise cannot_write(path, error, state=state) from error


def create_folder_atomically(path: Path, files: dict[str, bytes]) -> None:
    """Make a folder with files in it in one step; its parent folders are made where they are missing.

    Args:
        path: the folder to make. Nothing of that name exists.
        files: the content of each file, by name.

    Raises:
        RunError: the operating system refused; there is no such folder then.
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


def sweep(folder: Path) -> None:
    """Remove the temporaries that killed processes left in a folder; those of living processes stay.

    What cannot be removed (a folder that can only be read, say) stays too: it costs space and harms nothing.
    """
    for held in folder.glob(f".*{_LOCK_SUFFIX}"):
        with suppress(OSError):
            with _opened(held, os.O_RDWR) as descriptor:
                lock(descriptor)
                _remove(held.with_suffix(_SUFFIX))
                with suppress(PermissionError):  # Windows removes no open file; elsewhere an owner would lose the lock
                    _remove(held)
            _remove(held)
    for path in folder.glob(f".*{_SUFFIX}"):
        if not path.with_suffix(_LOCK_SUFFIX).exists():
            with suppress(OSError):
                _remove(path)


def read_whole(path: Path, *, remedy: str) -> bytes:
    """Return a file's bytes.

    Raises:
        RunError: it cannot be read; the message ends in `remedy`.
    """
    try:
        _check_regular(path)
        return path.read_bytes()
    except OSError as error:
        raise cannot_read(path, error, remedy=remedy) from error


def _check_regular(path: Path) -> None:
    """Raise OSError for what is no file: a pipe would keep its reader waiting, and a device may never end."""
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # reading a folder fails by itself
        raise OSError(errno.EINVAL, "it is not a regular file")


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """Give a new name, which no sweep touches. What still has it at the end is removed."""
    while True:
        path = folder / f".{secrets.token_hex(8)}{_SUFFIX}"
        held = path.with_suffix(_LOCK_SUFFIX)
        with _removed_at_the_end(path, held), _opened(held, os.O_RDWR | os.O_CREAT | os.O_EXCL) as descriptor:
            if _claimed(held, descriptor):
                yield path
                return


def _claimed(path: Path, descriptor: int) -> bool:
    """Lock what was just made; False if a sweep came between making and locking, and removed it."""
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
            with suppress(OSError):  # renamed, which is success; or it cannot be, and the next sweep tries again
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
    """Write to the last byte: one call may take only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
