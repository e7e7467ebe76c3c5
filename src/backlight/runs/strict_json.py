"""JSON that every reader of JSON accepts.

Python's own writer puts out `NaN` and `Infinity`, which are not JSON. Here a number that is not finite becomes
`null`, in metrics as in facts: it reads back as None, absent. NumPy's scalars become plain numbers.
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
"""What may be stored: JSON's own values, tuples as lists, NumPy scalars as numbers."""


def plain(value: JSON) -> Any:
    """Return a value with JSON's own types only; a float that is not finite becomes None.

    Raises:
        TypeError: something that JSON does not have, or a key that is not a string.
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
    """Return JSON text on one line, or indented for people."""
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False, indent=indent)


def to_bytes(value: JSON, *, indent: int | None = None) -> bytes:
    """Return JSON text as UTF-8 with a line end.

    A file name that is not UTF-8 reaches Python as lone surrogates; they are written as JSON escapes and come back
    the same.
    """
    return (to_text(value, indent=indent) + "\n").encode("utf-8", "backslashreplace")


def read_object(path: Path, *, remedy: str) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Raises:
        RunError: it cannot be read, is not JSON, or is not an object; the message ends in `remedy`.
    """
    return parse_object(read_whole(path, remedy=remedy), shown(path), remedy=remedy)


def parse_object(data: bytes, place: str, *, remedy: str, where: str = "") -> dict[str, Any]:
    """Parse one JSON object that was read from `place`; `where` is the place in the file, for the message."""
    try:
        value = json.loads(data.decode(), parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise damaged(place, f"{where}not valid JSON ({_one_line(error)})", remedy=remedy) from error
    if not isinstance(value, dict):
        raise damaged(place, f"{where}expected a JSON object, found a {type(value).__name__}", remedy=remedy)
    return value


def _finite(text: str) -> float:
    """Return a number; JSON has no NaN and no Infinity, and 1e400 would become one."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    raise TypeError(f"keys in JSON are strings; got {key!r}. Convert it with str().")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
