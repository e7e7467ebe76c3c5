"""What was measured on the parameters in one step, and how it becomes records."""

import math
from typing import Any

import numpy as np

from backlight.watch.numbers import Block
from backlight.watch.records import ParameterRecord


class ParameterNumbers:
    """What was measured on the parameters in one step, as yet in the arrays."""

    def __init__(
        self, names: list[str], block: Block, graded: set[int], identical: dict[int, bool], *, remembered: bool,
        updated: bool,
    ) -> None:  # fmt: skip
        self._names = names
        self._block = block
        self._graded = graded
        self._identical = identical
        self._remembered = remembered
        self._updated = updated

    def _rows(self, part: int) -> Any:
        """Return the rows of the data (0), the gradients (1) or the updates (2)."""
        count = len(self._names)
        return self._block.rows[part * count : (part + 1) * count]

    def gradient_norm(self) -> float | None:
        """Return the norm of all gradients together; None if there are none."""
        if not self._graded:
            return None
        rows = self._rows(1)[sorted(self._graded)]
        return math.sqrt(float(rows["size"] @ rows["rms"] ** 2))

    @property
    def all_finite(self) -> bool:
        """Whether all that was measured is."""
        return not self._block.rows["nonfinite"].any()

    def nonfinite(self, part: int) -> list[str]:
        """Return the parameters whose data (0), gradients (1) or updates (2) are not finite."""
        return [self._names[at] for at in np.flatnonzero(self._rows(part)["nonfinite"])]

    def records(self) -> tuple[ParameterRecord, ...]:
        """Return them as records."""
        return tuple(self._record(at) for at in range(len(self._names))) if self._remembered else ()

    def _record(self, at: int) -> ParameterRecord:
        count = len(self._names)
        data, gradient, change = (part[at] for part in map(self._rows, range(3)))
        graded = at in self._graded
        return ParameterRecord(
            name=self._names[at],
            data=self._block.spread(at),
            gradient=self._block.spread(count + at) if graded else None,
            grad_to_data=_quotient(gradient, data) if graded else None,
            update_to_data=_quotient(change, data) if self._updated else None,
            moved=bool(change["least"] != 0 or change["most"] != 0) if self._updated else None,
            identical_units=self._identical.get(at),
            faint=int(gradient["faint"]) / int(gradient["size"]) if graded else None,
        )


def _quotient(above: "np.void", below: "np.void") -> float:
    return float(above["std"]) / float(below["std"]) if below["std"] > 0 else math.nan
