"""Files and folders that are there whole or not at all, also after a kill at any moment.

Everything is first made under a temporary name in the same folder and then renamed: a rename is atomic. A writer holds
a lock on its temporary, and the lock ends with the process, so a temporary that can be locked belongs to no process and
can be removed.
"""

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backlight.runs.failures import cannot_read, cannot_write

_SUFFIX = ".backlight-partial"


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
        with _temporary_file(path.parent) as (temporary, descriptor):
            _write_all(descriptor, data)
            os.fsync(descriptor)
            temporary.replace(path)
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
        with _temporary_folder(path.parent) as temporary:
            for name, data in files.items():
                _write_new(temporary / name, data)
            temporary.rename(path)
    except OSError as error:
        raise cannot_write(path, error, state="no run was made") from error


def sweep(folder: Path) -> None:
    """Remove the temporaries that killed processes left in a folder; those of living processes stay.

    What cannot be removed (a folder that can only be read, say) stays too: it costs space and harms nothing.
    """
    for path in folder.glob(f".*{_SUFFIX}"):
        with suppress(OSError), _opened(path, os.O_RDONLY) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
def _temporary_file(folder: Path) -> Iterator[tuple[Path, int]]:
    """Give a new, locked file; remove it at the end if it still has its temporary name."""
    while True:
        path = _temporary_name(folder)
        with _removed_at_the_end(path), _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
            if _claimed(path, descriptor):
                yield path, descriptor
                return


@contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    """Give a new, locked folder; remove it at the end if it still has its temporary name."""
    while True:
        path = _temporary_name(parent)
        with _removed_at_the_end(path):
            path.mkdir()
            with _opened(path, os.O_RDONLY) as descriptor:
                if _claimed(path, descriptor):
                    yield path
                    return


def _temporary_name(folder: Path) -> Path:
    return folder / f".{secrets.token_hex(8)}{_SUFFIX}"


def _claimed(path: Path, descriptor: int) -> bool:
    """Lock what was just made; False if a sweep came between making and locking, and removed it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _removed_at_the_end(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):  # renamed, which is success; or it cannot be removed, and the next sweep tries again
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
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
