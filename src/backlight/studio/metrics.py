"""The metrics of a run that is not watched, as lines of a record stream: losses, learning rates and evaluations."""

import json
from typing import Any

from backlight.runs import RunStore
from backlight.watch.records import EvaluationPoint
from backlight.watch.stream import line_of


class Metrics:
    """Lines made of `metrics.jsonl`, which is written anew at each evaluation and has at most a few hundred lines.

    Args:
        run: the run.
    """

    def __init__(self, run: RunStore) -> None:
        self._run = run
        self._lines: list[bytes] = []

    @property
    def count(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def grow(self) -> bool:
        """Read the file again. Return False if what it held before has changed.

        Raises:
            RunError: it is damaged.
        """
        lines = [_line(record) for record in self._run.load_metrics()]
        if lines[: self.count] != self._lines:
            return False
        self._lines = lines
        return True

    def lines(self, since: int = 0, *, share: float = 1.0) -> list[bytes]:
        """Return the lines from one on; they are few, so none is left out."""
        del share
        return self._lines[since:]


def _line(record: dict[str, Any]) -> bytes:
    if "dev_nats" in record:
        dev = float("nan") if record["dev_nats"] is None else record["dev_nats"]
        return line_of("evaluation", EvaluationPoint(step=record["step"], dev=dev, train=record["train_nats"])).rstrip()
    values = {
        name: "NaN" if record[name] is None else record[name] for name in ("step", "loss", "lr") if name in record
    }
    return json.dumps({"type": "loss", **values}, separators=(",", ":")).encode()
