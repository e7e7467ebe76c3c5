"""Checkpoints in parts: the arrays of a training whose weights are divided among processes.

`optimiser.safetensors` then has the metadata and the small arrays, and names a folder beside it. There each process has
written its rows of every parameter's weights, averages and optimiser state, as PyTorch's distributed checkpoints in
safetensors files. The file is written after the folder and replaced atomically, so a run always has the old checkpoint
or the new one. The parts are joined by whatever reads the checkpoint; PyTorch is not needed for it.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from backlight.core import Array
from backlight.runs.failures import cannot_read, damaged, shown
from backlight.runs.store import TRAIN_AGAIN

SHARDS: Final = "shards"
"""The entry in the metadata of a checkpoint that is in parts."""

_FOLDERS: Final = ("shards-a", "shards-b")
"""A run has one of them; the next checkpoint is written into the other."""

_OFFSETS: Final = "DCP_SHARDING_INFO"
"""The entry in the header of PyTorch's files that says where each part begins."""


@dataclass(frozen=True)
class Layout:
    """Where the parts of a checkpoint are, and how they become Backlight's arrays.

    Attributes:
        folder: the name of the folder.
        parameters: the name of each parameter in the files, its rows, and whether it is transposed there, in the order
            of Backlight's flat arrays (P,).
    """

    folder: str
    parameters: Sequence[tuple[str, int, bool]]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Layout | None":
        """Return the layout in the metadata of a checkpoint; None if the checkpoint is whole."""
        entry = facts.get(SHARDS)
        return None if entry is None else cls(entry["folder"], [tuple(one) for one in entry["parameters"]])

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the metadata."""
        return {"folder": self.folder, "parameters": [list(one) for one in self.parameters]}


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


def check_parts(run: Path, layout: Layout) -> dict[str, list[Path]]:
    """Check, by the headers of the files, that a checkpoint in parts is complete.

    Returns:
        For each array of a parameter, the files with its parts, in the order of its rows.

    Raises:
        RunError: a file is missing, cannot be read, is cut off, or does not belong to the others.
    """
    folder = run / layout.folder
    place = shown(folder)
    found: dict[str, list[tuple[int, int, Path]]] = {}
    try:
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, framework="numpy") as file:
                about = json.loads(file.metadata()[_OFFSETS])
                for name in file.keys():  # noqa: SIM118  (it is no dictionary)
                    found.setdefault(name, []).append(
                        (about[name]["saved_offsets"][0], file.get_slice(name).get_shape()[0], path)
                    )
    except OSError as error:
        raise cannot_read(folder, error, remedy=TRAIN_AGAIN) from error
    except (SafetensorError, ValueError, LookupError, TypeError) as error:
        raise damaged(place, f"a file of it is no part of a checkpoint ({error})", remedy=TRAIN_AGAIN) from error
    if not found:
        raise damaged(place, "it has no parts", remedy=TRAIN_AGAIN)
    parts = {}
    for array in sorted({name.partition("/")[0] for name in found}):
        for name, rows, _ in layout.parameters:
            known = sorted(found.get(f"{array}/{name}", []))
            at = 0
            for begin, size, _ in known:
                at = at + size if begin == at else -1
            if at != rows:
                raise damaged(place, f"{array} of {name} is not complete", remedy=TRAIN_AGAIN)
            parts[f"{array}/{name}"] = [path for _, size, path in known if size]
    return parts


def joined(run: Path, layout: Layout) -> dict[str, Array]:
    """Return the arrays of a checkpoint in parts: "parameters", "optimiser.mean" and so on, (P,) each.

    Raises:
        RunError: see `check_parts`.
    """
    parts = check_parts(run, layout)
    arrays = {}
    with ExitStack() as stack:
        paths = sorted({path for one in parts.values() for path in one})
        files = {path: stack.enter_context(safe_open(path, framework="numpy")) for path in paths}
        for array in sorted({name.partition("/")[0] for name in parts}):
            flat = []
            for name, _, turned in layout.parameters:
                key = f"{array}/{name}"
                whole = np.concatenate([files[path].get_tensor(key) for path in parts[key]])
                flat.append(np.ascontiguousarray(whole.T if turned else whole).reshape(-1))
            arrays[array] = np.concatenate(flat)
    return arrays
