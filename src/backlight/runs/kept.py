"""Checkpoints that a run keeps while it is trained, to go back to: one file each, `checkpoint-STEP.safetensors`.

Besides what the last checkpoint holds, each has the best weights up to its step, which `weights.safetensors` loses when
better ones come.
"""

from collections.abc import Mapping
from typing import Any, Final

from backlight.core import Array, RunError
from backlight.runs.failures import damaged
from backlight.runs.store import KEPT, TRAIN_AGAIN, RunStore
from backlight.runs.strict_json import JSON
from backlight.runs.tensors import decode_file, encode

_BEST: Final = "best."
_REMEDY: Final = "Delete it, and choose another step"


def kept_steps(run: RunStore) -> dict[int, int]:
    """Return the size in bytes of each kept checkpoint by its step, in ascending order."""
    found = ((KEPT.fullmatch(name), size) for name, size in run.sizes().items())
    return dict(sorted((int(match[1]), size) for match, size in found if match))


def keep(run: RunStore, step: int, arrays: Mapping[str, Array], facts: Mapping[str, JSON]) -> None:
    """Keep a checkpoint, with the best weights so far.

    Args:
        run: the run.
        step: how many steps had been taken.
        arrays: of the checkpoint, of any shape.
        facts: its metadata.

    Raises:
        RunError: it cannot be written, or there are no best weights.
    """
    best, _ = run.load_weights()
    whole = {**arrays, **{f"{_BEST}{name}": array for name, array in best.items()}}
    run.write(_name(step), encode(whole, facts))


def load_kept(run: RunStore, step: int) -> tuple[dict[str, Array], dict[str, Array], dict[str, Any]]:
    """Return a kept checkpoint: its arrays and the best weights up to it, of any shape by name, and its metadata.

    Raises:
        RunError: there is none of this step, or it is damaged.
    """
    place = f"{_name(step)} of {run.name}"
    arrays, facts = decode_file(run.read(_name(step), remedy=_REMEDY), place, remedy=_REMEDY)
    best = {name.removeprefix(_BEST): arrays.pop(name) for name in list(arrays) if name.startswith(_BEST)}
    if facts.get("step") != step or not best:
        raise damaged(place, "it is not the checkpoint of this step", remedy=_REMEDY)
    return arrays, best, facts


def load_last(run: RunStore) -> tuple[dict[str, Array], dict[str, Array], dict[str, Any]]:
    """Return the last checkpoint in the form of `load_kept`.

    Raises:
        RunError: there is none, it is damaged, or a training has written better weights since.
    """
    arrays, facts = run.load_checkpoint()
    best, of_best = run.load_weights()
    known = facts.get("best")
    if not isinstance(known, dict):
        raise damaged(f"the checkpoint of {run.name}", "it does not say which weights were best", remedy=TRAIN_AGAIN)
    if known.get("step") != of_best.get("step"):
        raise RunError(f"{run.name} is just being written: its weights are newer than its checkpoint. Try again.")
    return arrays, best, facts


def _name(step: int) -> str:
    return f"checkpoint-{step}.safetensors"
