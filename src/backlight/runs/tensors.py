"""Named arrays in a safetensors file with a checksum.

safetensors checks its header and the length of the file, but not the numbers. So a SHA-256 of names, dtypes, shapes,
metadata and bytes is stored in the file's metadata, under the key `backlight`, as `<sha256> <metadata as JSON>`. There
is only one key, because safetensors writes several in no fixed order, and equal arrays should give equal bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from backlight.core import Array
from backlight.runs.atomic import read_whole, write_atomically
from backlight.runs.failures import damaged, shown
from backlight.runs.strict_json import JSON, plain

_KEY = "backlight"
_KINDS = "biuf"  # bool, signed, unsigned, real
_LONGEST_HEADER = 100_000_000  # bytes, as safetensors allows
_LARGEST_ITEM = 8  # bytes: no extended precision


def save_tensors(path: str | Path, arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> None:
    """Write arrays and metadata to a file, atomically. Equal content gives equal bytes.

    Args:
        path: the file to make or to replace.
        arrays: bool, integer or real arrays of any shape, with at most 64 bits per element.
        facts: JSON metadata; nan and inf become null.

    Raises:
        RunError: the file cannot be written.
        TypeError: a dtype is not supported, or `facts` is not JSON.
    """
    write_atomically(Path(path), encode(arrays, facts))


def load_tensors(path: str | Path, *, remedy: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read a file that `save_tensors` wrote.

    Args:
        path: the file.
        remedy: the end of the error message, without a full stop.

    Returns:
        The arrays, writable, of any shape, sorted by name; and the metadata.

    Raises:
        RunError: the file cannot be read, or is damaged.
    """
    path = Path(path)
    return decode_file(read_whole(path, remedy=remedy), shown(path), remedy=remedy)


def decode_file(data: bytes, place: str, *, remedy: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays, of any shape, and the metadata in the bytes of a file.

    Args:
        data: the bytes.
        place: the name of the file, for the error message.
        remedy: the end of the error message, without a full stop.

    Raises:
        RunError: the file is damaged.
    """
    try:
        return decode(data)
    except _BrokenError as error:
        raise damaged(place, str(error), remedy=remedy) from error


def read_facts(file: BinaryIO, place: str, *, remedy: str) -> dict[str, Any]:
    """Return the metadata of a file without reading its arrays, and so without checking its checksum; close the file.

    Args:
        file: the file, at its beginning.
        place: its name, for the error message.
        remedy: the end of the error message, without a full stop.

    Raises:
        RunError: the file is damaged.
    """
    with file:
        length = file.read(8)
        header = file.read(min(int.from_bytes(length, "little"), _LONGEST_HEADER))
    try:
        facts = json.loads(_metadata(length + header).partition(" ")[2])
    except (ValueError, AttributeError, _BrokenError) as error:
        raise damaged(place, "it is truncated or not a safetensors file", remedy=remedy) from error
    if not isinstance(facts, dict):
        raise damaged(place, "its metadata is not a JSON object", remedy=remedy)
    return facts


def encode(arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> bytes:
    """Return the bytes of a safetensors file with these arrays, of any shape, and this metadata.

    Raises:
        TypeError: a dtype is not supported, or `facts` is not JSON.
    """
    ready = {name: _storable(name, array) for name, array in sorted(arrays.items())}
    # ASCII, because safetensors needs valid Unicode, and a path in the metadata may not be
    facts_text = json.dumps(plain(facts), allow_nan=False)
    return safetensors.save(ready, metadata={_KEY: f"{_digest(ready, facts_text)} {facts_text}"})


def decode(data: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays, of any shape, and the metadata in the bytes of a safetensors file. Raises _BrokenError."""
    try:
        arrays = dict(sorted(safetensors.load(data).items()))
    except (SafetensorError, ValueError, KeyError) as error:  # KeyError: a dtype that NumPy lacks
        raise _BrokenError(f"it is truncated or not a safetensors file ({' '.join(str(error).split())})") from error
    digest, _, facts_text = _metadata(data).partition(" ")
    if digest != _digest(arrays, facts_text):
        raise _BrokenError("its content does not match its checksum")
    facts = json.loads(facts_text)
    if not isinstance(facts, dict):
        raise _BrokenError("its metadata is not a JSON object")
    return arrays, facts


class _BrokenError(Exception):
    """The bytes are not a valid file; the message says why."""


def _metadata(data: bytes) -> str:
    """Return the entry in the header, which is 8 bytes of length and then JSON, checked by safetensors."""
    end = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:end]).get("__metadata__") or {}
    if _KEY not in entries:
        raise _BrokenError("it has no checksum: Backlight did not write it, or it was changed")
    return str(entries[_KEY])


def _digest(arrays: Mapping[str, Array], facts_text: str) -> str:
    """Return the SHA-256 of the layout, which determines the bounds of each array, and of the bytes."""
    layout = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    sha = hashlib.sha256(json.dumps([layout, facts_text]).encode())
    for array in arrays.values():
        sha.update(array.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def _storable(name: str, array: Array) -> Array:
    dtype = np.asarray(array).dtype
    if dtype.kind not in _KINDS or dtype.itemsize > _LARGEST_ITEM:
        raise TypeError(f"an array must be bool, integer or real, of at most 64 bits; {name!r} has dtype {dtype}")
    return np.asarray(array, dtype=dtype.newbyteorder("<"), order="C")
