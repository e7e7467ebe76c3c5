"""Which column of a log holds what: by its usual names, or as the user says."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

from backlight.core import ConfigError, DataError

Quantity = Literal["loss", "val_loss", "lr", "grad_norm", "step", "epoch"]

QUANTITIES: Final[tuple[Quantity, ...]] = get_args(Quantity)

_SPLITS: Final = {
    "loss": ("train", "training"),
    "val_loss": ("eval", "val", "valid", "validation", "dev", "heldout", "held_out", "test"),
}

USUAL: Final[Mapping[Quantity, tuple[str, ...]]] = {
    "loss": (
        "loss",
        *(f"{name}_loss_step" for name in _SPLITS["loss"]),
        *(name for split in _SPLITS["loss"] for name in (f"{split}_loss", f"loss_{split}")),
        "loss_step", "batch_loss", "train_batch_loss", "train_loss_epoch", "loss_epoch",
    ),
    "val_loss": tuple(
        name
        for split in _SPLITS["val_loss"]
        for name in (f"{split}_loss", f"loss_{split}", f"{split}_loss_epoch", f"{split}_loss_step")
    ),
    "lr": ("lr", "learning_rate", "train_lr", "train_learning_rate", "lr_0", "lr_group_0", "optimizer_lr"),
    "grad_norm": (
        "grad_norm", "gradient_norm", "train_grad_norm", "train_gradient_norm", "total_grad_norm", "global_grad_norm",
        "grad_norm_total", "gnorm", "grad_2_0_norm_total", "grad_2_norm_total",
    ),
    "step": ("step", "global_step", "train_global_step", "trainer_global_step", "iteration", "iter", "iters", "steps",
             "train_step", "update", "num_updates"),
    "epoch": ("epoch", "train_epoch", "epochs"),
}  # fmt: skip
"""Names in lower case, with "_" for whatever stands between words; the most telling first."""


def columns_of(rows: Sequence[Mapping[str, Any]], chosen: Mapping[str, str]) -> dict[Quantity, str]:
    """Return the column of each quantity that a log has.

    Args:
        rows: of the log; each has some of the columns.
        chosen: columns by quantity, as the user says.

    Raises:
        ConfigError: no such quantity.
        DataError: no such column, or none that holds a loss.
    """
    for quantity in chosen:
        if quantity not in QUANTITIES:
            raise ConfigError(f"--column takes one of {', '.join(QUANTITIES)}, as in loss=NAME; got {quantity!r}.")
    counts: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            counts[name] = counts.get(name, 0) + (value is not None)
    for name in chosen.values():
        if name not in counts:
            raise DataError(f"a chosen column must be in the log; got {name!r}, and the log has {_listed(counts)}.")
    found: dict[Quantity, str] = {}
    for quantity in QUANTITIES:
        usual = chosen.get(quantity) or _usual(quantity, counts)
        if usual is not None:
            found[quantity] = usual
    if "loss" not in found:
        raise DataError(f"a log needs a loss; its columns are {_listed(counts)}. Choose one: --column loss=NAME.")
    return found


def _usual(quantity: Quantity, counts: Mapping[str, int]) -> str | None:
    """Return the column with the most telling name; of those with a single value, as totals at the end, the last."""
    names = {_plain(name): name for name in reversed(list(counts)) if not name.endswith(("__MIN", "__MAX"))}
    ranked = [names[name] for name in USUAL[quantity] if name in names and counts[names[name]]]
    if quantity == "lr":
        ranked += [name for plain, name in names.items() if plain.startswith("lr_") and name not in ranked]
    return next((name for name in ranked if counts[name] > 1), ranked[0] if ranked else None)


def _plain(name: str) -> str:
    """Return a name in lower case with "_" between words; of "run - train/loss", as exports have it, "train_loss"."""
    return re.sub(r"[^a-z0-9]+", "_", name.rpartition(" - ")[2].lower()).strip("_")


def _listed(counts: Mapping[str, int]) -> str:
    names = list(counts)
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"{', '.join(names[:12])}{more}" if names else "none"
