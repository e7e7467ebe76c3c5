"""Checkpoints in parts: the arrays of a training whose weights are divided among processes.

`optimiser.safetensors` then has the metadata and the small arrays, and names a folder beside it. There each process has
written its rows of every parameter's weights, averages and optimiser state, as PyTorch's distributed checkpoints in
safetensors files. The file is written after the folder and replaced atomically, so a run always has the old checkpoint
or the new one. The parts are joined by whatever reads the checkpoint; PyTorch is not needed for it.
"""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from backlight.core import Array
from backlight.runs.failures import cannot_read, damaged, shown

SHARDS: Final = "shards"
"""The entry in the metadata of a checkpoint that is in parts."""

_FOLDERS: Final = ("shards-a", "shards-b")
"""A run has one of them; the next checkpoint is written into the other."""

_OFFSETS: Final = "DCP_SHARDING_INFO"
"""The entry in the header of PyTorch's files that says where each part begins."""

_REMEDY: Final = "Train again, into a new run"


@dataclass(frozen=True)
class Layout:
    """Where the parts of a checkpoint are, and how they become Backlight's arrays.

    Attributes:
        folder: the name of the folder.
        parameters: the name of each parameter in the files, and whether it is transposed there, in the order of
            Backlight's flat arrays (P,).
    """

    folder: str
    parameters: Sequence[tuple[str, bool]]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Layout | None":
        """Return the layout in the metadata of a checkpoint; None if the checkpoint is whole."""
        entry = facts.get(SHARDS)
        return None if entry is None else cls(entry["folder"], [(name, turned) for name, turned in entry["parameters"]])

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the metadata."""
        return {"folder": self.folder, "parameters": [[name, turned] for name, turned in self.parameters]}


def next_folder(run: Path, layout: Layout | None) -> Path:
    """Return the folder for the next checkpoint in parts, without anything in its place.

    Args:
        run: the folder of the run.
        layout: that of the present checkpoint, whose folder stays.
    """
    first, second = _FOLDERS
    path = run / (second if layout is not None and layout.folder == first else first)
    shutil.rmtree(path, ignore_errors=True)
    return path


def remove_others(run: Path, layout: Layout | None) -> None:
    """Remove the folders of checkpoints but for the present one."""
    for name in _FOLDERS:
        if layout is None or layout.folder != name:
            shutil.rmtree(run / name, ignore_errors=True)


def joined(run: Path, layout: Layout) -> dict[str, Array]:
    """Return the arrays of a checkpoint in parts: "parameters", "optimiser.mean" and so on, (P,) each.

    Raises:
        RunError: a file is missing, cannot be read, or does not belong to the others.
    """
    folder = run / layout.folder
    place = shown(folder)
    try:
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise damaged(place, "it has no safetensors files", remedy=_REMEDY)
        parts: dict[str, list[tuple[list[int], Array]]] = {}
        for path in files:
            for name, part in _parts_of(path).items():
                parts.setdefault(name, []).append(part)
    except OSError as error:
        raise cannot_read(folder, error, remedy=_REMEDY) from error
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise damaged(place, f"a file of it is no part of a checkpoint ({error})", remedy=_REMEDY) from error
    arrays = {}
    for array in sorted({name.partition("/")[0] for name in parts}):
        missing = [name for name, _ in layout.parameters if f"{array}/{name}" not in parts]
        if missing:
            raise damaged(place, f"{array} of {missing[0]} is missing", remedy=_REMEDY)
        arrays[array] = np.concatenate(
            [
                _flat(_whole(parts[f"{array}/{name}"], f"{array} of {name}", place), turned)
                for name, turned in layout.parameters
            ]
        )
    return arrays


def _parts_of(path: Path) -> dict[str, tuple[list[int], Array]]:
    """Return the arrays in a file by name, each with the place of its first element in the whole array."""
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()[_OFFSETS])
        return {name: (about[name]["saved_offsets"], file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118


def _whole(parts: list[tuple[list[int], Array]], what: str, place: str) -> Array:
    """Return the array of which these are the parts. Raises RunError if they leave a hole or overlap."""
    ends = [[begin + size for begin, size in zip(at, part.shape, strict=True)] for at, part in parts]
    shape = [max(axis) for axis in zip(*ends, strict=True)]
    array = np.empty(shape, parts[0][1].dtype)
    filled = np.zeros(shape, bool)
    for (at, part), end in zip(parts, ends, strict=True):
        where = tuple(slice(begin, stop) for begin, stop in zip(at, end, strict=True))
        array[where] = part
        filled[where] = True
    if not filled.all() or sum(part.size for _, part in parts) != math.prod(shape):
        raise damaged(place, f"{what} is not complete", remedy=_REMEDY)
    return array


def _flat(array: Array, turned: bool) -> Array:
    return np.ascontiguousarray(array.T if turned else array).reshape(-1)

