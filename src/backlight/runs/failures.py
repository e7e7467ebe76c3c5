"""One-line errors for failures of the operating system: what failed, why, and what to do."""

import errno
from pathlib import Path

from backlight.core import RunError

_ELSEWHERE = "choose another folder for the run"

_WRITING: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space is left on the disk", "Free some space and try again"),
    errno.EDQUOT: ("your disk quota is used up", "Delete some files and try again"),
    errno.EACCES: ("you may not write there", f"Change the permissions, or {_ELSEWHERE}"),
    errno.EPERM: ("you may not write there", f"Change the permissions, or {_ELSEWHERE}"),
    errno.EROFS: ("the disk can only be read", f"Remount it for writing, or {_ELSEWHERE}"),
    errno.ENOENT: ("its folder does not exist", "Was the run moved or deleted? Try again"),
    errno.ENOTDIR: ("part of its path is a file, not a folder", f"Correct the path, or {_ELSEWHERE}"),
    errno.EISDIR: ("a folder of that name is in the way", "Move it away and try again"),
    errno.EEXIST: ("a file or folder is in the way", "Choose another name or folder"),
    errno.ENOTEMPTY: ("a folder of that name is in the way", "Choose another name or folder"),
    errno.ENAMETOOLONG: ("the name is too long for the disk", "Give it a shorter name"),
    errno.EINVAL: ("the system does not allow this name", "Choose another name or folder"),
    errno.EIO: ("the disk reports an error", f"Check the disk, or {_ELSEWHERE}"),
}


def shown(path: str | Path) -> str:
    """Return a path for a one-line message, quoted and escaped if it is not printable."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def why(error: OSError) -> str:
    """Return the reason that the operating system gives."""
    return (error.strerror or type(error).__name__).lower()


def cannot_write(path: Path, error: OSError, *, state: str) -> RunError:
    """Return the error for a file or folder that could not be written.

    Args:
        path: the file or folder.
        error: the error of the operating system.
        state: what is on the disk now, such as "the old file is unchanged".
    """
    fallback = (why(error), f"Check the disk, or {_ELSEWHERE}")
    reason, remedy = _WRITING.get(error.errno or 0, fallback)
    return RunError(f"cannot write {shown(path)}: {reason}; {state}. {remedy}.")


def cannot_read(path: Path, error: OSError, *, remedy: str) -> RunError:
    """Return the error for a file that could not be read.

    Args:
        path: the file.
        error: the error of the operating system.
        remedy: what to do, without a full stop.
    """
    return RunError(f"cannot read {shown(path)}: {why(error)}. {remedy}.")


def damaged(place: str, what: str, *, remedy: str) -> RunError:
    """Return the error for a file with damaged content.

    Args:
        place: the name of the file.
        what: what is wrong with it.
        remedy: what to do, without a full stop.
    """
    return RunError(f"{place} is damaged: {what}. {remedy}.")
