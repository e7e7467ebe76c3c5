"""The formats of a file of tokens: nanoGPT's, llm.c's, and NumPy's `.npy` of lecture 9.

nanoGPT's files are the ids alone, as uint16. Those of llm.c begin with 256 numbers of int32: a magic number, a version,
the number of ids, and zeros. Magic number and version tell the dtype: uint16 for GPT-2's tokens, uint32 for Llama 3's.
All numbers are little-endian.

Source: nanoGPT, data/shakespeare_char/prepare.py; llm.c, dev/data/data_common.py and llmc/dataloader.h.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from backlight.core import DataError, IntArray

Layout = Literal["llm.c", "nanogpt"]

HEADER: Final = 256
"""The number of int32 in a header of llm.c."""

UINT16: Final[np.dtype[Any]] = np.dtype("<u2")
UINT32: Final[np.dtype[Any]] = np.dtype("<u4")
KINDS: Final[dict[tuple[int, int], np.dtype[Any]]] = {(20240520, 1): UINT16, (20240801, 7): UINT32}
"""The dtype by magic number and version."""

QUESTIONS: Final = 20240522
"""The magic number of llm.c's files of questions with four answers, which are no running text."""

_LOOKED_AT: Final = 1 << 16


@dataclass(frozen=True)
class TokenFile:
    """One file of ids, which is mapped into memory.

    Attributes:
        path: the file.
        ids: (tokens,) uint16 or uint32, read-only.
    """

    path: Path
    ids: IntArray

    @classmethod
    def open(cls, path: Path, dtype: np.dtype[Any] = UINT16) -> "TokenFile":
        """Open a file, and check its header and its size.

        Args:
            path: the file.
            dtype: the dtype of a file without header.

        Raises:
            DataError: it cannot be read, is cut off, or is no file of tokens.
        """
        try:
            if path.suffix == ".npy":
                return cls(path, _of_numpy(path))
            size = path.stat().st_size
            head = np.fromfile(path, "<i4", count=HEADER)
            if len(head) == HEADER and _is_header(head):
                return cls(path, _with_header(path, head, size))
            if size == 0 or size % dtype.itemsize:
                raise DataError(
                    f"a token file must have whole ids of {dtype.itemsize} bytes; {str(path)!r} has {size:,} bytes. Is "
                    "it complete?"
                )
            found = cls(path, np.memmap(path, dtype, mode="r"))
        except FileNotFoundError:
            raise DataError(f"a token file must exist; there is no {str(path)!r}. Check the path.") from None
        except OSError as error:
            raise DataError(
                f"a token file must be readable; {str(path)!r}: {error.strerror or error}. Use another."
            ) from None
        found.check_dtype()
        return found

    def check_dtype(self) -> None:
        """Raise DataError if ids of 4 or 8 bytes seem to be in a file without header, which is read as uint16.

        Then every second number is the upper half of an id, and far smaller than the lower half.
        """
        if self.ids.dtype != UINT16:
            return
        some = self.ids[: _LOOKED_AT - _LOOKED_AT % 2]
        lower, upper = some[0 : len(some) // 2 * 2 : 2], some[1::2]
        if len(upper) >= 8 and upper.max() <= 4 and lower.max() > 64 * (upper.max() + 1):
            raise DataError(
                f"a token file without header must have ids of uint16; {str(self.path)!r} seems to have larger ones. "
                "Write it as uint16, or with the header of llm.c."
            )


def header(count: int, dtype: np.dtype[Any]) -> bytes:
    """Return the header of llm.c for a file of so many ids.

    Raises:
        DataError: more ids than its int32 can tell.
    """
    if count >= 1 << 31:
        raise DataError(f"a file of llm.c has less than 2,147,483,648 tokens; got {count:,}. Use smaller shards.")
    numbers = np.zeros(HEADER, "<i4")
    kind = next(kind for kind, its in KINDS.items() if its == dtype)
    numbers[:3] = *kind, count
    return numbers.tobytes()


def _is_header(head: IntArray) -> bool:
    """Return whether 256 numbers of int32 are a header: a known magic number, or one of its kind and zeros."""
    magic = {magic for magic, _ in KINDS} | {QUESTIONS}
    return int(head[0]) in magic and not head[4:].any()


def _with_header(path: Path, head: IntArray, size: int) -> IntArray:
    magic, version, count = (int(number) for number in head[:3])
    if magic == QUESTIONS:
        raise DataError(
            f"a token file must have running text; {str(path)!r} has questions with answers. Use another file."
        )
    dtype = KINDS.get((magic, version))
    if dtype is None:
        known = " or ".join(f"{version} of {magic}" for magic, version in KINDS)
        raise DataError(
            f"a header of llm.c must have version {known}; {str(path)!r} has {version} of {magic}. Encode it again."
        )
    needed = 4 * HEADER + count * dtype.itemsize
    if count <= 0 or size != needed:
        raise DataError(
            f"a token file must have the ids that its header counts; {str(path)!r} counts {count:,}, which makes "
            f"{needed:,} bytes, and has {size:,}. Is it complete?"
        )
    return np.memmap(path, dtype, mode="r", offset=4 * HEADER, shape=(count,))


def _of_numpy(path: Path) -> IntArray:
    try:
        ids = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:80]
        raise DataError(f"a file of NumPy must be complete; {str(path)!r}: {reason}. Write it again.") from None
    if not isinstance(ids, np.ndarray) or ids.ndim != 1 or ids.dtype not in {UINT16, UINT32} or not len(ids):
        raise DataError(
            f"a token file of NumPy must have ids of uint16 or uint32 in one row; {str(path)!r} has "
            f"{ids.dtype} of shape {ids.shape}. Convert it."
        )
    return ids
