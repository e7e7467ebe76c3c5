"""Named arrays in one safetensors file that proves itself whole when it is read.

safetensors checks its header and its length, but not the numbers. So a SHA-256 over names, dtypes, shapes, facts and
bytes goes into the file's metadata, under the one key `backlight`, as `<sha256> <facts as JSON>`. One key, because
safetensors writes several in no fixed order, and the same arrays shall always be the same bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from backlight.core import Array
from backlight.runs.atomic import read_whole, write_atomically
from backlight.runs.failures import damaged, shown
from backlight.runs.strict_json import JSON, plain

_KEY = "backlight"
_KINDS = "biuf"  # bool, signed, unsigned, real
_LARGEST_ITEM = 8  # bytes: no extended precision


def save_tensors(path: str | Path, arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> None:
    """Write arrays and facts as one file, atomically. The same content always gives the same bytes.

    Args:
        path: the file to make or to replace.
        arrays: bool, integer or real arrays of any shape, at most 64 bits a number.
        facts: whatever belongs to them; see `strict_json` for what becomes of nan and inf.

    Raises:
        RunError: the file cannot be written.
        TypeError: a dtype that safetensors does not have, or facts that JSON does not have.
    """
    write_atomically(Path(path), encode(arrays, facts))


def load_tensors(path: str | Path, *, remedy: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Returns:
        The arrays, writable, in the order of their names; and the facts.

    Raises:
        RunError: the file cannot be read, or any of its bytes is not what was written; the message ends in `remedy`.
    """
    path = Path(path)
    return decode_file(read_whole(path, remedy=remedy), shown(path), remedy=remedy)


def decode_file(data: bytes, place: str, *, remedy: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the facts in a file's bytes. For the errors see `load_tensors`."""
    try:
        return decode(data)
    except _BrokenError as error:
        raise damaged(place, str(error), remedy=remedy) from error


def encode(arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> bytes:
    """Return the bytes of a safetensors file."""
    ready = {name: _storable(name, array) for name, array in sorted(arrays.items())}
    # ASCII, as safetensors wants strings that are valid Unicode and a path among the facts may not be
    facts_text = json.dumps(plain(facts), allow_nan=False)
    return safetensors.save(ready, metadata={_KEY: f"{_digest(ready, facts_text)} {facts_text}"})


def decode(data: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the facts in the bytes of a safetensors file, verified."""
    try:
        arrays = dict(sorted(safetensors.load(data).items()))
    except (SafetensorError, ValueError, KeyError) as error:  # KeyError: a dtype that NumPy lacks
        raise _BrokenError(f"it is cut off or not a safetensors file ({' '.join(str(error).split())})") from error
    digest, _, facts_text = _metadata(data).partition(" ")
    if digest != _digest(arrays, facts_text):
        raise _BrokenError("its content does not match its checksum")
    facts = json.loads(facts_text)
    if not isinstance(facts, dict):
        raise _BrokenError("its facts are not a JSON object")
    return arrays, facts


class _BrokenError(Exception):
    """What is wrong with the bytes."""


def _metadata(data: bytes) -> str:
    """Return our entry in the header, which is 8 bytes of length and then JSON; safetensors has found it sound."""
    end = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:end]).get("__metadata__") or {}
    if _KEY not in entries:
        raise _BrokenError("it has no checksum, so Backlight did not write it or it has changed since")
    return str(entries[_KEY])


def _digest(arrays: Mapping[str, Array], facts_text: str) -> str:
    """Hash the layout, which fixes where each array's bytes end, then the bytes."""
    layout = [[name, array.dtype.str, array.shape] for name, array in arrays.items()]
    sha = hashlib.sha256(json.dumps([layout, facts_text]).encode())
    for array in arrays.values():
        sha.update(array.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def _storable(name: str, array: Array) -> Array:
    dtype = np.asarray(array).dtype
    if dtype.kind not in _KINDS or dtype.itemsize > _LARGEST_ITEM:
        raise TypeError(f"a stored array is bool, integer or real, of at most 64 bits; {name!r} has dtype {dtype}")
    return np.asarray(array, dtype=dtype.newbyteorder("<"), order="C")
