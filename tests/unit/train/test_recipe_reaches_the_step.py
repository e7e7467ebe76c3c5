"""What a recipe says of the optimiser is what the optimiser does."""

import numpy as np
import pytest

from backlight.autograd import Parameter
from backlight.autograd.flat import FlatParameters
from backlight.train import Recipe


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_weight_decay_pulls_matrices_and_leaves_biases_alone(optimiser):
    matrix, bias = Parameter(np.ones((2, 2), np.float32)), Parameter(np.ones(2, np.float32))
    flat = FlatParameters.of([matrix, bias])
    recipe = Recipe(steps=10, batch_size=1, lr=0.1, optimiser=optimiser, weight_decay=0.5)
    recipe.build(flat).step()  # no gradient: whatever moves was pulled
    assert (matrix.array < 1).all()
    assert (bias.array == 1).all()
