"""Models whose probabilities are known."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from backlight.core import BOUNDARY, NOT_A_TARGET
from backlight.models.protocol import Reads
from backlight.text import Vocabulary


@dataclass
class Table:
    """Looks up logits by the last id, and keeps what it was asked; a boundary stands before anything it reads."""

    logits: np.ndarray
    context: int = 1
    reads: Reads = "windows"
    asked: list[np.ndarray] = field(default_factory=list)

    @property
    def vocabulary_size(self) -> int:
        return len(self.logits)

    def num_parameters(self) -> int:
        return self.logits.size

    def state_dict(self) -> dict[str, np.ndarray]:
        return {"logits": self.logits}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        self.logits = state["logits"]

    def next_logits(self, x_BT: np.ndarray) -> np.ndarray:
        assert x_BT.ndim == 2
        assert x_BT.shape[1] == self.context or (self.reads == "sequences" and 1 <= x_BT.shape[1] <= self.context)
        self.asked.append(x_BT.copy())
        last = x_BT[:, -1] if self.context else np.zeros(len(x_BT), np.int64)
        return self.logits[last]

    def nll(self, x_BT: np.ndarray, y: np.ndarray) -> np.ndarray:
        self.asked.append(x_BT.copy())
        last = x_BT if self.reads == "sequences" else x_BT[:, -1]
        with np.errstate(divide="ignore"):
            nats = -np.log(self.p[last, np.where(y == NOT_A_TARGET, 0, y)])
        return np.where(y == NOT_A_TARGET, 0, nats)

    @property
    def p(self) -> np.ndarray:
        e = np.exp(self.logits - self.logits.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def p_along(self, ids: list[int]) -> list[float]:
        """The probability of each id after the one before it, the first after a boundary."""
        return [float(self.p[before, one]) for before, one in pairwise([BOUNDARY, *ids])]


def table_of(rows: list[list[float]] | np.ndarray, **settings) -> Table:
    with np.errstate(divide="ignore"):
        return Table(np.log(np.array(rows)), **settings)


@pytest.fixture
def abc() -> Vocabulary:
    return Vocabulary("abc")


@pytest.fixture
def make_table() -> Callable[..., Table]:
    return table_of


@pytest.fixture
def chain() -> Table:
    """From a row to a column, the boundary first. No item is empty, and a b never follows an a."""
    return table_of([[0.0, 0.5, 0.3, 0.2], [0.4, 0.3, 0.0, 0.3], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])
