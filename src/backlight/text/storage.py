"""Arrays of ids: in memory up to a size, and beyond it in a temporary file that is mapped into memory."""

import tempfile
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import DTypeLike

from backlight.core import Array, DataError

IN_MEMORY = 1 << 28
"""The largest size in bytes that is kept in memory; of a mapped file, the system keeps in memory what fits."""

_BLOCK = bytes(1 << 24)


def new_array(size: int, dtype: DTypeLike) -> Array:
    """Return zeros of shape (size,).

    Raises:
        DataError: the array is too large for memory, and does not fit into the folder for temporary files.
    """
    bytes_ = size * np.dtype(dtype).itemsize
    if bytes_ <= IN_MEMORY:
        return np.zeros(size, dtype)
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for start in range(0, bytes_, len(_BLOCK)):  # write it, since a full disk must raise here and not later
                file.write(_BLOCK[: bytes_ - start])
            file.flush()
            return np.asarray(np.memmap(cast("BinaryIO", file), dtype, mode="r+", shape=(size,)))
    except OSError as error:
        raise DataError(
            f"a text of this length needs {bytes_ / 1e9:.1f} GB in a temporary file; {folder!r} fails with"
            f" {error.strerror or error}. Set TMPDIR to a folder with enough space."
        ) from None
