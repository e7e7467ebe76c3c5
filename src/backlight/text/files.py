"""A corpus in several files: their contents, one after another."""

import os
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from backlight.core import DataError
from backlight.text.items import Items


def files_in(path: str) -> list[str]:
    """Return the files in a folder and the folders in it, sorted by path; a path that is no folder is returned alone.

    Hidden files and folders, whose names start with a point, are left out.

    Raises:
        DataError: the folder has no file, or cannot be read.
    """
    if not os.path.isdir(path):  # noqa: PTH112  a string, as it was given
        return [path]

    def refuse(error: OSError) -> None:
        raise DataError(f"a folder must be readable; {error.filename!r}: {error.strerror}. Choose another.") from error

    found: list[str] = []
    for folder, inner, names in os.walk(path, onerror=refuse):
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += [os.path.join(folder, name) for name in names if not name.startswith(".")]  # noqa: PTH118
    if not found:
        raise DataError(f"a corpus needs at least one file; the folder {path!r} has none. Give a file.")
    return sorted(found)


def joined(parts: Sequence[Items]) -> Items:
    """Return the items of several files, in order. Memory: one copy of the items."""
    if len(parts) == 1:
        return parts[0]
    block = b"".join(chain.from_iterable(part.raw() for part in parts))
    ends = np.cumsum(np.concatenate([part.sizes() for part in parts]))
    return Items(block, np.concatenate([np.zeros(1, np.int64), ends[:-1]]), ends)


def one_stream(parts: Iterable[str]) -> Items:
    """Return several texts as one stream, with a line end between them."""
    return Items.of(["\n".join(part.removesuffix("\n") for part in parts) + "\n"])
