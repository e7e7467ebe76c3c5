"""Whether the loss depends on what a network answers for each class."""

from collections.abc import Callable

import numpy as np

from backlight.core import Array, FloatArray
from backlight.watch.records import Probe

_MOST_CLASSES = 20
_LEAST_ROWS = 4


def class_probes(loss: Callable[[FloatArray], float | None], out: FloatArray, y: Array) -> list[Probe]:
    """Change what a network answers for the examples of one class at a time, a lot, and look at the loss.

    Args:
        loss: of an output in place of the network's. If it raises, or is not a number, nothing is said.
        out: (N, ...) the network's output.
        y: (N,) classes, whole numbers from 0 on or such as 0.0 and 1.0; or (N, 1) of them.
    """
    known = np.unique(y)
    if y.size != len(y) or len(out) != len(y) or not 2 <= len(known) <= _MOST_CLASSES:
        return []
    if (known != np.round(known)).any() or known.min() < 0:
        return []  # no classes; or -1 and 1, or some are left out on purpose
    before = loss(out)
    if before is None or not np.isfinite(before):
        return []
    far = 10 * max(float(np.abs(out).max()), 1.0)
    answers = (0.99, 0.01) if out.min() >= 0 and out.max() <= 1 else (far, -far)  # probabilities stay such
    found = []
    for one in known:
        rows = y.reshape(-1) == one
        if rows.sum() < _LEAST_ROWS:
            continue
        changes = []
        for answer in answers:
            other = np.array(out, np.float32)
            other[rows] = answer * np.linspace(0.5, 1.0, other[0].size).reshape(other[0].shape)
            try:
                after = loss(other)
            except Exception:  # noqa: BLE001  (a loss may refuse what no network of the user's would answer)
                return []
            if after is None or np.isnan(after):
                return []
            changes.append(abs(after - before))
        found.append(Probe(name="class", changed=max(changes), scale=abs(before), where=f"{one:g}"))
    return found
