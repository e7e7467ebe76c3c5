"""What a configuration says of the optimiser is what the optimiser does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backlight.autograd import Parameter
from backlight.autograd.flat import FlatParameters
from backlight.training import TrainConfig


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_weight_decay_pulls_matrices_and_leaves_biases_alone(optimiser):
    matrix, bias = Parameter(np.ones((2, 2), np.float32)), Parameter(np.ones(2, np.float32))
    flat = FlatParameters.of([matrix, bias])
    config = TrainConfig(steps=10, batch_size=1, lr=0.1, optimiser=optimiser, weight_decay=0.5)
    config.build(flat).step()  # no gradient: whatever moves was pulled
    assert (matrix.array < 1).all()
    assert (bias.array == 1).all()


def test_no_step_is_longer_than_lr_times_clip(make: Callable[..., Any]) -> None:
    """A step of SGD is lr times the gradient, whose norm here is about 0.7."""
    moved = {}
    for clip in (0.01, None):
        loop = make(f"clip {clip}", steps=1, optimiser="sgd", lr=2.0, schedule="constant", grad_clip=clip).trainer()
        first = loop.model.flat().data.astype(np.float64)
        loop.fit()
        moved[clip] = np.linalg.norm(loop.model.flat().data - first)
    assert moved[0.01] == pytest.approx(2.0 * 0.01, rel=1e-4)
    assert moved[None] > 0.5
