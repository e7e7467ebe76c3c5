"""Exporting a model: write a format, read it with its own reader, compare the logits, and only then put it in place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from backlight.core import ExportError, FloatArray
from backlight.core.settings import nearest
from backlight.export.exportable import Exportable
from backlight.runs.atomic import placed_atomically
from backlight.training import Run


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format.

    Attributes:
        reader: the program that reads it.
        module: the module of this package with its `write(subject, place)` and `read_logits(subject, place)`.
        needs: the packages without which it cannot be written or read.
        extra: the extra of this package that installs them.
        ending: what the name of the file or folder ends with.
        bound: the largest difference of the logits, relative to the largest logit if that is above 1, by type of
            numbers; the first one is the default.
    """

    reader: str
    module: str
    needs: tuple[str, ...]
    extra: str
    ending: str
    bound: Mapping[str, float]


FORMATS: Final[dict[str, Format]] = {
    "hf": Format(
        reader="transformers", module="hugging_face", needs=("transformers", "torch"), extra="hf", ending="-hf",
        bound={"f32": 1e-5},
    ),
    "onnx": Format(
        reader="onnxruntime", module="onnx_file", needs=("onnx", "onnxruntime"), extra="export", ending=".onnx",
        bound={"f32": 1e-5},
    ),
    "gguf": Format(
        reader="gguf", module="gguf_file", needs=("gguf",), extra="export", ending=".gguf",
        bound={"f32": 1e-5, "f16": 1e-3},
    ),
    "torch": Format(
        reader="torch", module="torch_folder", needs=("torch",), extra="torch", ending="-torch", bound={"f32": 1e-5},
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """An exported model that its reader has read.

    Attributes:
        path: the file or folder.
        reader: the program that has read it.
        difference: the largest difference between the reader's logits and ours.
        largest: the largest logit, in absolute value.
        bound: the largest difference that is accepted.
        positions: number of predictions that were compared.
        held_out: whether they are of the test split; otherwise the model has drawn the texts.
    """

    path: Path
    reader: str
    difference: float
    largest: float
    bound: float
    positions: int
    held_out: bool


def export(run: Run, path: str | Path | None = None, *, to: str, numbers: str | None = None) -> Exported:
    """Write a trained network in the format of another program, and check it with that program.

    Args:
        run: a run whose weights are loaded.
        path: the file or folder to make; None takes a name in the current folder.
        to: "hf", "onnx", "gguf" or "torch".
        numbers: the type of the weights, "f32" or, in a GGUF, "f16"; None is "f32".

    Raises:
        ExportError: there is no such format, the format has no form of the model, a package is missing, or the reader
            computes other logits. Nothing is written.
        RunError: the path exists, or cannot be written.
    """
    form = _format(to)
    numbers = numbers or next(iter(form.bound))
    if numbers not in form.bound:
        raise ExportError(f"{to} has the types {', '.join(form.bound)}; got {numbers!r}. Choose one of these.")
    _check_installed(to, form)
    subject = Exportable.of(run, target=to)
    module: Any = import_module(f"backlight.export.{form.module}")
    write: Callable[..., None] = module.write
    place = Path(path) if path is not None else Path(subject.name + form.ending)
    settings = {"numbers": numbers} if len(form.bound) > 1 else {}
    with placed_atomically(place) as temporary:
        write(subject, temporary, **settings)
        theirs: FloatArray = module.read_logits(subject, temporary)
        return _compared(subject, theirs, place, form, numbers)


def _format(to: str) -> Format:
    if to not in FORMATS:
        raise ExportError(f"there is no format {to!r}. {nearest(str(to), list(FORMATS))}")
    return FORMATS[to]


def _check_installed(to: str, form: Format) -> None:
    missing = [name for name in form.needs if find_spec(name) is None]
    if missing:
        raise ExportError(
            f"exporting to {to} needs {' and '.join(missing)}, to write the file and to check it; not installed. Run: "
            f"pip install 'backlight[{form.extra}]'"
        )


def _compared(subject: Exportable, theirs: FloatArray, place: Path, form: Format, numbers: str) -> Exported:
    reader, bound = form.reader, form.bound[numbers]
    ours = subject.logits
    if theirs.shape != ours.shape:
        raise ExportError(
            f"{reader} must give logits of shape {ours.shape}; it gives {theirs.shape}. Nothing was written."
        )
    largest = float(np.abs(ours).max())
    accepted = bound * max(1.0, largest)
    difference = float(np.abs(ours.astype(np.float64) - theirs).max())
    if not difference <= accepted:  # also a nan
        raise ExportError(
            f"{reader} must compute the model's logits up to {accepted:.2g}; they differ by {difference:.2g}. Nothing "
            f"was written. {'Use --type f32.' if numbers == 'f16' else 'Please report this.'}"
        )
    positions = int(np.prod(ours.shape[:-1]))
    return Exported(place, reader, difference, largest, accepted, positions, subject.held_out)
