"""Strict JSON, which every parser accepts.

Python's `json` writes `NaN` and `Infinity`, which are not JSON. Here, non-finite numbers become `null`, which is read
as None. NumPy scalars become plain numbers.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from backlight.runs.atomic import read_whole
from backlight.runs.failures import damaged, shown

JSON: TypeAlias = "bool | int | float | str | np.generic | Sequence[JSON] | Mapping[str, JSON] | None"
"""Values that can be stored: those of JSON, tuples (as lists) and NumPy scalars (as numbers)."""


def plain(value: JSON) -> Any:
    """Convert a value to the types of JSON. A non-finite float becomes None.

    Raises:
        TypeError: JSON has no such type, or a key is not a string.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise TypeError(
        f"JSON has no {type(value).__name__}; got {value!r}. Convert it to numbers, strings, lists or dicts."
    )


def to_text(value: JSON, *, indent: int | None = None) -> str:
    """Return JSON text, on one line or indented."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=indent)


def to_bytes(value: JSON, *, indent: int | None = None) -> bytes:
    """Return JSON text as UTF-8 with a line end.

    Python represents a file name that is not UTF-8 with lone surrogates, which are written as JSON escapes.
    """
    return (to_text(value, indent=indent) + "\n").encode("utf-8", "backslashreplace")


def read_object(path: Path, *, remedy: str) -> dict[str, Any]:
    """Read a file with a JSON object.

    Raises:
        RunError: it cannot be read, or is not a JSON object; the message ends with `remedy`.
    """
    return parse_object(read_whole(path, remedy=remedy), shown(path), remedy=remedy)


def parse_object(data: bytes, place: str, *, remedy: str, where: str = "") -> dict[str, Any]:
    """Parse a JSON object.

    Args:
        data: the JSON text in UTF-8.
        place: the name of the file, for the error message.
        remedy: the end of the error message, without a full stop.
        where: the location in the file, for the error message, such as "line 3: ".

    Raises:
        RunError: it is not a JSON object.
    """
    try:
        value = json.loads(data.decode(), parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise damaged(place, f"{where}not valid JSON ({_one_line(error)})", remedy=remedy) from error
    if not isinstance(value, dict):
        raise damaged(place, f"{where}expected a JSON object, found a {type(value).__name__}", remedy=remedy)
    return value


def _finite(text: str) -> float:
    """Return a number. Raises ValueError for NaN, Infinity, and numbers such as 1e400 that overflow."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"keys in JSON must be strings; got {key!r}. Convert it with str().")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
