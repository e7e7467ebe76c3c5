"""The tensors of a model in one safetensors file or in several, read a part at a time.

The format is a length, a header in JSON, and the numbers. The safetensors package checks the header and the length of
the file; the numbers are read here, since NumPy has no bfloat16, and so that no more than the model and a part of one
tensor is in memory at a time. Files that need pickle are refused: loading one runs whatever code is in it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from backlight.core import Array, DataError

ONE: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
PICKLED: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Endings of files that PyTorch writes with pickle."""

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}
_PART: Final = 1 << 20
"""About as many numbers are read at a time."""


@dataclass(frozen=True)
class _Place:
    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class WeightFiles:
    """The tensors of a model, by their names in the files.

    Attributes:
        places: where each tensor is.
    """

    places: Mapping[str, _Place]

    @classmethod
    def of(cls, folder: Path) -> "WeightFiles":
        """Find the tensors in a folder.

        Raises:
            DataError: there is no safetensors file, one is missing or damaged, or a tensor is of another type.
        """
        if (folder / INDEX).is_file():
            names = sorted(set(_index(folder / INDEX).values()))
        elif (folder / ONE).is_file():
            names = [ONE]
        else:
            raise _no_weights(folder)
        missing = [name for name in names if not (folder / name).is_file()]
        if missing:
            raise DataError(
                f"a model must have all files that {INDEX} names; {len(missing)} of {len(names)} are missing: "
                f"{', '.join(missing[:3])}. Download them into {folder}."
            )
        places: dict[str, _Place] = {}
        for name in names:
            places |= _places(folder / name)
        return cls(places)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        return self.places[name].shape

    def parts(self, name: str) -> Iterator[tuple[slice, Array]]:
        """Yield a tensor as float32, some rows at a time, each with the slice of its first axis."""
        place = self.places[name]
        dtype, row = _DTYPES[place.dtype], int(np.prod(place.shape[1:]))
        rows = max(1, _PART // max(row, 1))
        with place.path.open("rb") as file:
            file.seek(place.start)
            for first in range(0, place.shape[0], rows):
                count = min(rows, place.shape[0] - first)
                numbers = np.frombuffer(file.read(count * row * dtype.itemsize), dtype)
                part = _float32(numbers, place.dtype).reshape(count, *place.shape[1:])
                yield slice(first, first + count), part


def _float32(numbers: Array, dtype: str) -> Array:
    if dtype == "BF16":  # the upper half of a float32
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(np.float32, copy=False)


def _places(path: Path) -> dict[str, _Place]:
    try:
        with safe_open(path, framework="numpy"):  # checks the header, and that the file is complete
            pass
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(length))
    except (SafetensorError, OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise DataError(
            f"{path} must be a complete safetensors file; it is not ({why[:120]}). Download it again."
        ) from error
    found = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        dtype, shape = about["dtype"], tuple(about["shape"])
        found[name] = _Place(path, dtype, shape, 8 + length + about["data_offsets"][0])
    return found


def check_dtype(files: WeightFiles, name: str) -> None:
    """Raise DataError if a tensor is not of float32, float16, bfloat16 or float64."""
    dtype = files.places[name].dtype
    if dtype not in _DTYPES:
        raise DataError(
            f"weights must be {', '.join(_DTYPES)}; {name} is {dtype}. Load the model where it is from, and save it as "
            "float32."
        )


def _index(path: Path) -> dict[str, str]:
    try:
        places = json.loads(path.read_bytes())["weight_map"]
        if isinstance(places, dict) and all(
            isinstance(name, str) and Path(name).name == name for name in places.values()
        ):
            return places
    except (ValueError, KeyError, TypeError, OSError):
        pass
    raise DataError(f"{path} must name the file of each tensor, as weight_map; it does not. Download it again.")


def _no_weights(folder: Path) -> DataError:
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED)
    if pickled:
        return pickle_refused(folder / pickled[0])
    return DataError(f"a model's folder must have {ONE} or {INDEX}; {folder} has neither. Download one of them.")


def pickle_refused(path: Path) -> DataError:
    """Return the error for a file that only pickle can read."""
    return DataError(
        f"{path.name} is written with pickle, which runs any code that a file contains, so it is not read. Convert it "
        "where you trust it: w = torch.load(FILE, weights_only=True); "
        "safetensors.torch.save_file({n: t.clone() for n, t in w.items()}, 'model.safetensors')."
    )
