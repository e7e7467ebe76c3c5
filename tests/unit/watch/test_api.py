"""What the functions that users call refuse, and what does not need a network."""

from typing import Any

import numpy as np
import pytest

from backlight import nn
from backlight.core import ConfigError
from backlight.health import compare_splits, watch


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"every": 0}, "every must be at least 1"), ({"scaler": 1}, "a gradient scaler is for PyTorch")],
)
def test_what_cannot_be_asked_for_is_refused(options: dict[str, Any], expected: str, rng: np.random.Generator) -> None:
    with pytest.raises(ConfigError, match=expected):
        watch(nn.Linear(2, 3, rng=rng), **options)


def test_copies_across_a_split_are_counted() -> None:
    facts = compare_splits(["a", "b", "b", "c"], ["b", "d"])
    assert (facts.train, facts.dev, facts.shared) == (4, 2, 1)
    rows = np.arange(12).reshape(6, 2)
    assert compare_splits(rows, rows[[1, 1, 5]]).shared == 3
    assert compare_splits([(rows[0], 1)], [(rows[0], 1), (rows[0], 2)]).shared == 1
