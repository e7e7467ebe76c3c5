"""What a configuration says of the optimiser is what the optimiser does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backlight.models.mlp import MLP, MLPConfig
from backlight.training import TrainConfig


@pytest.mark.parametrize("optimiser", ["adamw", "sgd", "muon"])
def test_weight_decay_pulls_matrices_and_leaves_biases_alone(optimiser):
    model = MLP(MLPConfig(vocabulary_size=7, context=2, embedding=3, hidden=(5, 4)), rng=np.random.default_rng(0))
    for one in model.parameters():
        one.array[...] = 1
    config = TrainConfig(steps=10, batch_size=1, lr=0.1, optimiser=optimiser, weight_decay=0.5)
    config.build(model).step()  # no gradient: whatever moves was pulled
    for one in model.parameters():
        assert (one.array == (1 if one.array.ndim < 2 else np.float32(0.95))).all()


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
