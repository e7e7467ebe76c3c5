"""Room for ids: in memory up to a size, beyond it in a file that is mapped into memory and gone with the process."""

import tempfile
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import DTypeLike

from backlight.core import Array, DataError

IN_MEMORY = 1 << 28
"""Bytes. What is larger goes into a file, from which the system keeps in memory what it has room for."""

_BLOCK = bytes(1 << 24)


def new_array(size: int, dtype: DTypeLike) -> Array:
    """Return `size` zeros.

    Raises:
        DataError: they are too many for memory, and the folder for temporary files has no room for them.
    """
    bytes_ = size * np.dtype(dtype).itemsize
    if bytes_ <= IN_MEMORY:
        return np.zeros(size, dtype)
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for start in range(0, bytes_, len(_BLOCK)):  # written, not only claimed: a full disk must show here
                file.write(_BLOCK[: bytes_ - start])
            file.flush()
            return np.asarray(np.memmap(cast("BinaryIO", file), dtype, mode="r+", shape=(size,)))
    except OSError as error:
        raise DataError(
            f"a text of this length needs {bytes_ / 1e9:.1f} GB in a temporary file; {folder!r} fails with"
            f" {error.strerror or error}. Set TMPDIR to a folder with room."
        ) from None
